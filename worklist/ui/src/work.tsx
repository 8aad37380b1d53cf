/** The reader's acts on the study that is open or under the cursor, with the dialogs that some of them need. */

import { useCallback, useEffect, useRef, useState, type ReactNode, type RefObject } from "react";
import { priorityWords, simpleAct, useActs, type Acts, type WorkWord } from "./acts";
import { postAct, type Exposure, type Session, type StudyRow } from "./api";
import { NoteDialog, PriorityDialog } from "./WorkDialogs";
import { words } from "./words/language";
import type { WorklistHandle } from "./Worklist";

// The dialogs are part of the first load: what is typed right after their key must reach them, not the shortcuts.

interface Wanted {
  session: Session;
  refresh: () => void;
  rows: StudyRow[];
  openStudy: string;
  list: RefObject<WorklistHandle | null>;
  /** Called before the list is asked again, when one's own act takes a row away or brings it back. */
  onMoved: () => void;
}

interface Work {
  acts: Acts;
  start: (word: WorkWord) => void;
  /** Whether the places that the AI marks are on the screen. */
  setPlaces: (areShown: boolean) => void;
  openElsewhere: () => void;
  dialog: ReactNode;
}


const RENEW_BEFORE_MS = 3 * 60_000;
const RENEW_EVERY_MS = 30_000;

export function useWork({ session, refresh, rows, openStudy, list, onMoved }: Wanted): Work {
  const acts = useActs(refresh, onMoved);
  const placesAreShown = useRef(false);
  const setPlaces = useCallback((areShown: boolean) => void (placesAreShown.current = areShown), []);
  const [asked, setAsked] = useState<{ word: "priority" | "note"; uid: string } | null>(null);
  const rowOf = (uid: string | undefined): StudyRow | undefined => rows.find((row) => row.study_instance_uid === uid);
  const reads = session.permissions.includes("read_studies");
  const seesImages = openStudy !== "" && session.permissions.includes("see_images");
  useRenewal(rowOf(openStudy), session.name, refresh);

  const start = useCallback(
    (word: WorkWord) => {
      const uid = openStudy || list.current?.currentUid();
      const row = rows.find((one) => one.study_instance_uid === uid);
      if (!reads) return;
      if (word === "undo") return acts.undo(uid);
      if (!row || !uid) return;
      if (word === "priority" || word === "note") return setAsked({ word, uid });
      const exposure: Exposure = !seesImages ? "row" : placesAreShown.current ? "locations" : "images";
      const act = simpleAct(word, row, session.name, exposure);
      if (!act) return;
      // Who has read one goes on to the next.
      const goesOn = word === "read" && row.is_open;
      void acts.perform(uid, ...act).then((isDone) => isDone && goesOn && list.current?.move(1));
    },
    [openStudy, rows, reads, acts, session.name, seesImages, list],
  );

  const close = useCallback(() => setAsked(null), []);
  const row = rowOf(asked?.uid);
  const dialog = asked && row ? <WorkDialog word={asked.word} row={row} session={session} acts={acts} onClose={close} /> : null;
  const openElsewhere = (): void => {
    const uid = openStudy || list.current?.currentUid();
    if (!session.viewer_url) return acts.tell(words.work.noViewer);
    if (uid) window.open(session.viewer_url.replace("{study_uid}", encodeURIComponent(uid)), "_blank", "noopener");
  };
  return { acts, start, setPlaces, openElsewhere, dialog };
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
  const name = row.patient.name || words.work.theStudy;
  if (word === "note")
    return (
      <NoteDialog
        row={row}
        onClose={onClose}
        onWrite={(note) => {
          onClose();
          void acts.perform(uid, "notes", { note }, words.work.told.noted(name));
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
        void acts.perform(uid, "priority/restore", undefined, words.work.told.restored(name));
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
