/** What a reader does with a study: one call each, told in words, and taken back with one key. */

import { useCallback, useRef, useState } from "react";
import { ApiError, postAct, type ActDone, type Exposure, type StudyRow } from "./api";
import { capitalised } from "./words";
import { words } from "./words/language";

export type WorkWord =
  | "claim"
  | "read"
  | "agree"
  | "disagree"
  | "wrong_place"
  | "missed"
  | "priority"
  | "note"
  | "undo";

export interface Notice {
  words: string;
  isError: boolean;
  /** What `undo` takes back; null when the notice tells of no act, or of an undoing. */
  act: { uid: string; number: number } | null;
}

export interface Acts {
  notice: Notice | null;
  forget: () => void;
  perform: (uid: string, path: string, body: unknown, told: string) => Promise<boolean>;
  undo: (uid: string | undefined, act?: number) => void;
  tell: (words: string) => void;
}

const MOVING: ReadonlySet<string> = new Set(["read", "reopen", "undo"]);

/** `onDone` is called after each act, so that the page asks for what changed; `onMoved` before it where rows move. */
export function useActs(onDone: () => void, onMoved: () => void): Acts {
  const [notice, setNotice] = useState<Notice | null>(null);
  const last = useRef<{ uid: string; number: number } | null>(null);

  const send = useCallback(
    async (uid: string, path: string, body: unknown, told: string): Promise<ActDone | undefined> => {
      try {
        const done = await postAct(uid, path, body);
        const act = done.kind === "undo" ? null : { uid, number: done.number };
        last.current = act;
        setNotice({ words: told, isError: false, act });
        if (MOVING.has(done.kind)) onMoved();
        onDone();
        return done;
      } catch (reason) {
        const said = reason instanceof ApiError ? capitalised(reason.message) : words.frame.noAnswerKeptNothing;
        setNotice({ words: `${said}.`, isError: true, act: null });
        return undefined;
      }
    },
    [onDone, onMoved],
  );
  const perform = useCallback(
    async (uid: string, path: string, body: unknown, told: string) => (await send(uid, path, body, told)) !== undefined,
    [send],
  );
  const undo = useCallback(
    (uid: string | undefined, act?: number) => {
      const target = act !== undefined && uid ? { uid, number: act } : last.current;
      if (target) void send(target.uid, "undo", { act: target.number }, words.work.told.takenBack);
      else if (uid) void send(uid, "undo", {}, words.work.told.takenBack);
    },
    [send],
  );
  const tell = useCallback((told: string) => setNotice({ words: told, isError: false, act: null }), []);
  return { notice, tell, forget: useCallback(() => setNotice(null), []), perform, undo };
}

/** The call, and the words that tell it, of an act that needs nothing but one key. */
export function simpleAct(word: WorkWord, row: StudyRow, me: string, exposure: Exposure): [string, unknown, string] | null {
  const name = row.patient.name || words.work.theStudy;
  const { told } = words.work;
  const isMine = row.work.claim?.reader === me;
  switch (word) {
    case "claim":
      return isMine ? ["release", undefined, told.gaveBack(name)] : ["claim", undefined, told.claimed(name)];
    case "read":
      return row.is_open ? ["read", undefined, told.read(name)] : ["reopen", undefined, told.reopened(name)];
    case "agree":
      return ["verdicts", { answer: "accept", exposure }, told.accept(name)];
    case "disagree":
      return ["verdicts", { answer: "reject", exposure }, told.reject(name)];
    case "wrong_place":
      return ["verdicts", { answer: "modify", exposure }, told.modify(name)];
    case "missed":
      return ["verdicts", { answer: "add", exposure }, told.add(name)];
    default:
      return null;
  }
}

export function priorityWords(row: StudyRow, band: StudyRow["band"], hours: number): string {
  return words.work.told.moved(row.patient.name || words.work.theStudy, words.list.bands[band], hours);
}
