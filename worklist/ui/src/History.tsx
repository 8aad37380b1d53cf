import type { ReactNode } from "react";
import { Button } from "react-aria-components";
import type { Act } from "./api";
import { useNow } from "./clock";
import { BAND_WORDS, clockTime } from "./words";

interface Props {
  acts: Act[];
  me: string;
  leads: boolean;
  onUndo: (act: number) => void;
}

const ANSWER_WORDS = {
  accept: "agreed with the AI",
  reject: "disagreed with the AI",
  modify: "told that the AI shows the wrong place",
  add: "told that the AI missed a finding",
} as const;

/** What readers did, newest first; what was taken back stays, struck through. */
export function History({ acts, me, leads, onUndo }: Props): ReactNode {
  const now = useNow();
  const shown = acts.filter((act) => act.kind !== "undo");
  if (shown.length === 0) return <p className="muted">Nothing yet.</p>;
  return (
    <ul className="series">
      {shown.map((act) => (
        <li key={act.number} className="act">
          <span className={act.stands ? "first" : "first act-undone"}>
            {act.reader === me ? "You" : act.reader} {actWords(act)}
          </span>
          {act.note && <span className="act-note">{act.note}</span>}
          <span className="second">
            {clockTime(act.at, now)}
            {act.finding && ` · ${act.finding}, ${act.model ?? ""}`}
            {!act.stands && " · taken back"}
          </span>
          {act.stands && (act.reader === me || leads) && (
            <Button className="button button-quiet" onPress={() => onUndo(act.number)} aria-label={`Take back: ${actWords(act)}`}>
              Undo
            </Button>
          )}
        </li>
      ))}
    </ul>
  );
}

function actWords(act: Act): string {
  switch (act.kind) {
    case "claim":
      return "claimed the study";
    case "release":
      return "gave the study back";
    case "read":
      return "marked the study as read";
    case "reopen":
      return "opened the study again";
    case "verdict":
      return act.answer ? ANSWER_WORDS[act.answer] : "answered the AI";
    case "note":
      return "wrote a note";
    case "reprioritise":
      return `made the study ${act.band ? BAND_WORDS[act.band].toLowerCase() : "another band"}`;
    case "restore_order":
      return "gave the study its own priority again";
    case "undo":
      return "took an act back";
  }
}
