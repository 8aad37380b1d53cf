/** The reader's acts on the study that is open or under the cursor, with the dialogs that some of them need. */

import { useCallback, useEffect, useState, type ReactNode, type RefObject } from "react";
import { priorityWords, simpleAct, useActs, type Acts, type WorkWord } from "./acts";
import { postAct, type Exposure, type Session, type StudyRow } from "./api";
import { NoteDialog, PriorityDialog } from "./WorkDialogs";
import type { WorklistHandle } from "./Worklist";

interface Wanted {
  session: Session;
  refresh: () => void;
  rows: StudyRow[];
  openStudy: string;
  list: RefObject<WorklistHandle | null>;
}

interface Work {
  acts: Acts;
  start: (word: WorkWord) => void;
  dialog: ReactNode;
}

const RENEW_BEFORE_MS = 3 * 60_000;
const RENEW_EVERY_MS = 30_000;

export function useWork({ session, refresh, rows, openStudy, list }: Wanted): Work {
  const acts = useActs(refresh);
  const [asked, setAsked] = useState<{ word: "priority" | "note"; uid: string } | null>(null);
  const rowOf = (uid: string | undefined): StudyRow | undefined => rows.find((row) => row.study_instance_uid === uid);
  const reads = session.permissions.includes("read_studies");
  const exposure: Exposure = openStudy ? "images" : "row";
  useRenewal(rowOf(openStudy), session.name, refresh);

  const start = useCallback(
    (word: WorkWord) => {
      const uid = openStudy || list.current?.currentUid();
      const row = rows.find((one) => one.study_instance_uid === uid);
      if (!reads) return;
      if (word === "undo") return acts.undo(uid);
      if (!row || !uid) return;
      if (word === "priority" || word === "note") return setAsked({ word, uid });
      const act = simpleAct(word, row, session.name, exposure);
      if (!act) return;
      void acts.perform(uid, ...act).then((isDone) => {
        // Who has read one goes on to the next.
        if (isDone && word === "read" && row.is_open) list.current?.move(1);
      });
    },
    [openStudy, rows, reads, acts, session.name, exposure, list],
  );

  const close = useCallback(() => setAsked(null), []);
  const row = rowOf(asked?.uid);
  const dialog = asked && row ? <WorkDialog word={asked.word} row={row} session={session} acts={acts} onClose={close} /> : null;
  return { acts, start, dialog };
}

interface DialogProps {
  word: "priority" | "note";
  row: StudyRow;
  session: Session;
  acts: Acts;
  onClose: () => void;
}

function WorkDialog({ word, row, session, acts, onClose }: DialogProps): ReactNode {
  const uid = row.study_instance_uid;
  const name = row.patient.name || "the study";
  if (word === "note")
    return (
      <NoteDialog
        row={row}
        onClose={onClose}
        onWrite={(note) => {
          onClose();
          void acts.perform(uid, "notes", { note }, `Kept a note on ${name}`);
        }}
      />
    );
  return (
    <PriorityDialog
      row={row}
      leads={session.permissions.includes("lead_reading")}
      onClose={onClose}
      onGive={(band, reason, hours) => {
        onClose();
        void acts.perform(uid, "priority", { band, reason, hours }, priorityWords(row, band, hours));
      }}
      onRestore={() => {
        onClose();
        void acts.perform(uid, "priority/restore", undefined, `${name} has its own priority again`);
      }}
    />
  );
}

/** While the reader has the claimed study open, its lease does not run out. */
function useRenewal(row: StudyRow | undefined, me: string, refresh: () => void): void {
  const claim = row?.work.claim;
  const uid = row?.study_instance_uid;
  const endsAt = claim?.reader === me ? Date.parse(claim.expires_at) : 0;
  useEffect(() => {
    if (!uid || !endsAt) return undefined;
    const renew = (): void => {
      if (document.visibilityState === "visible" && endsAt - Date.now() < RENEW_BEFORE_MS)
        void postAct(uid, "claim").then(refresh, () => undefined);
    };
    const timer = window.setInterval(renew, RENEW_EVERY_MS);
    return () => window.clearInterval(timer);
  }, [uid, endsAt, refresh]);
}
