/** An alarm and its life: acknowledged, given to somebody, closed with what was behind it. The server keeps each step. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { FormEvent, ReactNode } from "react";
import { ApiError } from "../api";
import { useNow } from "../clock";
import { capitalised, clockTime } from "../words";
import { levelOf, stateWords } from "./AlarmList";
import { LevelIcon } from "./LevelIcon";
import { CAUSE_WORDS, dayWords, figure } from "./streamWords";
import { acknowledge, assign, closeAlarm, type Alarm, type AlarmCause } from "./surveillanceApi";

interface Props {
  alarm: Alarm;
  handles: boolean;
  onStudy: ((uid: string) => void) | undefined;
}

export function AlarmCard({ alarm, handles, onStudy }: Props): ReactNode {
  const now = useNow();
  return (
    <section className="watch-part alarm-card" aria-label={`Alarm ${alarm.number}`}>
      <h3 className={`level level-${levelOf(alarm)}`}>
        <LevelIcon level={levelOf(alarm)} /> Alarm {alarm.number}
      </h3>
      <p>
        {whatHappened(alarm)} Noticed {dayWords(alarm.noticed_on)}, opened {clockTime(alarm.opened_at, now)}.
      </p>
      <p className={alarm.overdue ? "over" : "muted"}>{stateWords(alarm)}.</p>
      {alarm.state === "closed" && alarm.closed_at && (
        <p className="muted">
          {[alarm.explanation, alarm.action && `Action: ${alarm.action}.`].filter(Boolean).join(" ")} {alarm.owner} closed it{" "}
          {clockTime(alarm.closed_at, now)}.
        </p>
      )}
      {alarm.kind === "performance" && alarm.model && alarm.state !== "closed" && (
        <p className="muted">
          No alarm stops a model. To pause its flags and keep the list:{" "}
          <code>
            acuity models shadow {alarm.model.split(" ")[0]} --why "alarm {alarm.number}"
          </code>
        </p>
      )}
      <Studies uids={alarm.studies} onStudy={onStudy} />
      {handles && alarm.state !== "closed" && <Life alarm={alarm} />}
    </section>
  );
}

function whatHappened(alarm: Alarm): string {
  if (alarm.stream === "silence")
    return `${figure(alarm.size)} studies failed to come since ${dayWords(alarm.changed_on)}; the limit is ${figure(alarm.limit)}.`;
  const way = alarm.side === "lower" ? "Lower" : "Higher";
  const size = figure(Math.abs(alarm.size));
  return `${way} by ${size} standard deviations of a day since about ${dayWords(alarm.changed_on)} (sum ${figure(alarm.statistic)}, limit ${figure(alarm.limit)}).`;
}

function Studies({ uids, onStudy }: { uids: string[]; onStudy: Props["onStudy"] }): ReactNode {
  if (uids.length === 0) return null;
  return (
    <>
      <h4>Studies that show it best</h4>
      <ol className="best-studies">
        {uids.map((uid) => (
          <li key={uid} className="mono">
            {onStudy ? (
              <a
                href={`/?study=${uid}`}
                onClick={(event) => {
                  event.preventDefault();
                  onStudy(uid);
                }}
              >
                {uid}
              </a>
            ) : (
              uid
            )}
          </li>
        ))}
      </ol>
    </>
  );
}

function Life({ alarm }: { alarm: Alarm }): ReactNode {
  const queries = useQueryClient();
  const step = useMutation({
    mutationFn: (act: () => Promise<Alarm>) => act(),
    onSettled: () =>
      Promise.all([queries.invalidateQueries({ queryKey: ["alarms"] }), queries.invalidateQueries({ queryKey: ["alarm-banner"] })]),
  });
  const give = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const owner = String(new FormData(event.currentTarget).get("owner")).trim();
    step.mutate(() => assign(alarm.number, owner));
  };
  const close = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const said = new FormData(event.currentTarget);
    const how = {
      cause: said.get("cause") as AlarmCause,
      explanation: String(said.get("explanation")).trim(),
      action: String(said.get("action")).trim(),
      new_baseline: said.get("new_baseline") === "on",
    };
    step.mutate(() => closeAlarm(alarm.number, how));
  };
  return (
    <div className="life">
      {step.error && (
        <p role="alert">{step.error instanceof ApiError ? capitalised(step.error.message) : "The server does not answer; nothing was kept"}.</p>
      )}
      {alarm.state === "open" && (
        <p>
          <button type="button" className="button button-main" disabled={step.isPending} onClick={() => step.mutate(() => acknowledge(alarm.number))}>
            Acknowledge and take it
          </button>
        </p>
      )}
      <form className="life-line" onSubmit={give}>
        <label>
          Owner
          <input name="owner" required maxLength={64} defaultValue={alarm.owner} autoComplete="off" />
        </label>
        <button type="submit" className="button" disabled={step.isPending}>
          Give it to them
        </button>
      </form>
      <details>
        <summary>Close the alarm</summary>
        <form className="form" onSubmit={close}>
          <label>
            Cause
            <select name="cause" required defaultValue="">
              <option value="" disabled>
                Choose what was found
              </option>
              {Object.entries(CAUSE_WORDS).map(([cause, words]) => (
                <option key={cause} value={cause}>
                  {words}
                </option>
              ))}
            </select>
          </label>
          <label>
            In words
            <textarea name="explanation" rows={3} maxLength={2000} />
          </label>
          <label>
            Reference of the action (CAPA)
            <input name="action" maxLength={200} autoComplete="off" />
          </label>
          <label className="choice-line">
            <input type="checkbox" name="new_baseline" /> The change stays: learn anew what is usual
          </label>
          <div className="form-end">
            <button type="submit" className="button button-main" disabled={step.isPending}>
              Close it
            </button>
          </div>
        </form>
      </details>
    </div>
  );
}
