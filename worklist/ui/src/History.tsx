import type { ReactNode } from "react";
import { Button } from "react-aria-components";
import type { Act } from "./api";
import { useNow } from "./clock";
import { clockTime } from "./words";
import { words } from "./words/language";

interface Props {
  acts: Act[];
  me: string;
  leads: boolean;
  onUndo: (act: number) => void;
}

/** What readers did, newest first; what was taken back stays, struck through. */
export function History({ acts, me, leads, onUndo }: Props): ReactNode {
  const now = useNow();
  const shown = acts.filter((act) => act.kind !== "undo");
  if (shown.length === 0) return <p className="muted">{words.work.nothingYet}</p>;
  return (
    <ul className="series">
      {shown.map((act) => (
        <li key={act.number} className="act">
          <span className={act.stands ? "first" : "first act-undone"}>
            {act.reader === me ? words.list.you : act.reader} {actWords(act)}
          </span>
          {act.note && <span className="act-note">{act.note}</span>}
          <span className="second">
            {clockTime(act.at, now)}
            {act.finding && ` · ${act.finding}, ${act.model ?? ""}`}
            {!act.stands && ` · ${words.work.takenBack}`}
          </span>
          {act.stands && (act.reader === me || leads) && (
            <Button className="button button-quiet" onPress={() => onUndo(act.number)} aria-label={words.work.takeBack(actWords(act))}>
              {words.frame.undo}
            </Button>
          )}
        </li>
      ))}
    </ul>
  );
}

function actWords(act: Act): string {
  if (act.kind === "verdict" && act.answer) return words.work.answers[act.answer];
  if (act.kind === "reprioritise" && act.band) return words.work.didMove(words.list.bands[act.band]);
  return words.work.did[act.kind];
}
