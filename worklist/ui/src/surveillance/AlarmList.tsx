import type { ReactNode } from "react";
import { words } from "../words/language";
import { LevelIcon } from "./LevelIcon";
import { dayWords, placeWords, streamWords } from "./streamWords";
import type { Alarm } from "./surveillanceApi";

interface Props {
  title: string;
  alarms: Alarm[];
  nothing: string;
  onAlarm: (number: number) => void;
}

/** Those that nobody has acknowledged come first, then the newest. */
export function AlarmList({ title, alarms, nothing, onAlarm }: Props): ReactNode {
  const ordered = [...alarms].sort((a, b) => Number(b.state === "open") - Number(a.state === "open"));
  return (
    <section className="watch-part" aria-label={title}>
      <h3>{title}</h3>
      {alarms.length === 0 && <p className="muted">{nothing}</p>}
      <ul className="alarms">
        {ordered.map((alarm) => (
          <li key={alarm.number}>
            <button type="button" className="alarm-line" onClick={() => onAlarm(alarm.number)}>
              <span className={`level level-${levelOf(alarm)}`}>
                <LevelIcon level={levelOf(alarm)} /> {words.watch.alarm(alarm.number)}
              </span>
              <span>
                {streamWords(alarm.stream)} <span className="muted">{placeWords(alarm)}</span>
              </span>
              <span className="muted">{words.watch.changedAbout(dayWords(alarm.changed_on))}</span>
              <span className={alarm.overdue ? "over" : "muted"}>{stateWords(alarm)}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

export function levelOf(alarm: Alarm): "unknown" | "harm" | "change" {
  if (alarm.state === "closed") return "unknown";
  return alarm.concerns_reading ? "harm" : "change";
}

export function stateWords(alarm: Alarm): string {
  if (alarm.state === "closed") return words.watch.closedAs(alarm.cause ? words.watch.causes[alarm.cause] : words.watch.noCause);
  if (alarm.state === "acknowledged") return words.watch.looksAfter(alarm.owner);
  return words.watch.notAcknowledged(alarm.overdue, alarm.owner);
}
