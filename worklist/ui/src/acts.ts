/** What a reader does with a study: one call each, told in words, and taken back with one key. */

import { useCallback, useRef, useState } from "react";
import { ApiError, postAct, type ActDone, type Exposure, type StudyRow } from "./api";
import { BAND_WORDS, capitalised } from "./words";

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
  perform: (uid: string, path: string, body: unknown, words: string) => Promise<boolean>;
  undo: (uid: string | undefined, act?: number) => void;
  tell: (words: string) => void;
}

const MOVING: ReadonlySet<string> = new Set(["read", "reopen", "undo"]);

/** `onDone` is called after each act, so that the page asks for what changed; `onMoved` before it where rows move. */
export function useActs(onDone: () => void, onMoved: () => void): Acts {
  const [notice, setNotice] = useState<Notice | null>(null);
  const last = useRef<{ uid: string; number: number } | null>(null);

  const send = useCallback(
    async (uid: string, path: string, body: unknown, words: string): Promise<ActDone | undefined> => {
      try {
        const done = await postAct(uid, path, body);
        const act = done.kind === "undo" ? null : { uid, number: done.number };
        last.current = act;
        setNotice({ words, isError: false, act });
        if (MOVING.has(done.kind)) onMoved();
        onDone();
        return done;
      } catch (reason) {
        const said = reason instanceof ApiError ? capitalised(reason.message) : "The server does not answer; nothing was kept";
        setNotice({ words: `${said}.`, isError: true, act: null });
        return undefined;
      }
    },
    [onDone, onMoved],
  );
  const perform = useCallback(
    async (uid: string, path: string, body: unknown, words: string) => (await send(uid, path, body, words)) !== undefined,
    [send],
  );
  const undo = useCallback(
    (uid: string | undefined, act?: number) => {
      const target = act !== undefined && uid ? { uid, number: act } : last.current;
      if (target) void send(target.uid, "undo", { act: target.number }, "Taken back");
      else if (uid) void send(uid, "undo", {}, "Taken back");
    },
    [send],
  );
  const tell = useCallback((words: string) => setNotice({ words, isError: false, act: null }), []);
  return { notice, tell, forget: useCallback(() => setNotice(null), []), perform, undo };
}

/** The call, and the words that tell it, of an act that needs nothing but one key. */
export function simpleAct(word: WorkWord, row: StudyRow, me: string, exposure: Exposure): [string, unknown, string] | null {
  const name = row.patient.name || "the study";
  const isMine = row.work.claim?.reader === me;
  switch (word) {
    case "claim":
      return isMine ? ["release", undefined, `Gave ${name} back`] : ["claim", undefined, `${name} is yours for 15 minutes`];
    case "read":
      return row.is_open ? ["read", undefined, `Marked ${name} as read`] : ["reopen", undefined, `${name} is open again`];
    case "agree":
      return ["verdicts", { answer: "accept", exposure }, `Agreed with the AI on ${name}`];
    case "disagree":
      return ["verdicts", { answer: "reject", exposure }, `Disagreed with the AI on ${name}`];
    case "wrong_place":
      return ["verdicts", { answer: "modify", exposure }, `Told that the AI shows the wrong place on ${name}`];
    case "missed":
      return ["verdicts", { answer: "add", exposure }, `Told that the AI missed a finding on ${name}`];
    default:
      return null;
  }
}

export function priorityWords(row: StudyRow, band: StudyRow["band"], hours: number): string {
  return `${row.patient.name || "The study"} is ${BAND_WORDS[band].toLowerCase()} for ${hours} h`;
}
