/** An alarm and its life: acknowledged, given to somebody, closed with what was behind it. The server keeps each step. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { FormEvent, ReactNode } from "react";
import { ApiError } from "../api";
import { useNow } from "../clock";
import { capitalised, clockTime } from "../words";
import { words } from "../words/language";
import { levelOf, stateWords } from "./AlarmList";
import { LevelIcon } from "./LevelIcon";
import { dayWords, figure } from "./streamWords";
import { acknowledge, assign, closeAlarm, type Alarm, type AlarmCause } from "./surveillanceApi";

interface Props {
  alarm: Alarm;
  handles: boolean;
  onStudy: ((uid: string) => void) | undefined;
}

export function AlarmCard({ alarm, handles, onStudy }: Props): ReactNode {
  const now = useNow();
  return (
    <section className="watch-part alarm-card" aria-label={words.watch.alarm(alarm.number)}>
      <h3 className={`level level-${levelOf(alarm)}`}>
        <LevelIcon level={levelOf(alarm)} /> {words.watch.alarm(alarm.number)}
      </h3>
      <p>
        {whatHappened(alarm)} {words.watch.noticed(dayWords(alarm.noticed_on), clockTime(alarm.opened_at, now))}
      </p>
      <p className={alarm.overdue ? "over" : "muted"}>{stateWords(alarm)}.</p>
      {alarm.state === "closed" && alarm.closed_at && (
        <p className="muted">
          {[alarm.explanation, alarm.action && words.watch.action(alarm.action)].filter(Boolean).join(" ")}{" "}
          {words.watch.closedIt(alarm.owner, clockTime(alarm.closed_at, now))}
        </p>
      )}
      {alarm.kind === "performance" && alarm.model && alarm.state !== "closed" && (
        <p className="muted">
          {words.watch.stopsNoModel}{" "}
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
    return words.watch.failedToCome(figure(alarm.size), dayWords(alarm.changed_on), figure(alarm.limit));
  const size = figure(Math.abs(alarm.size));
  return words.watch.shifted(alarm.side === "lower", size, dayWords(alarm.changed_on), figure(alarm.statistic), figure(alarm.limit));
}

function Studies({ uids, onStudy }: { uids: string[]; onStudy: Props["onStudy"] }): ReactNode {
  if (uids.length === 0) return null;
  return (
    <>
      <h4>{words.watch.bestStudies}</h4>
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
        <p role="alert">{step.error instanceof ApiError ? capitalised(step.error.message) : words.frame.noAnswerKeptNothing}.</p>
      )}
      {alarm.state === "open" && (
        <p>
          <button type="button" className="button button-main" disabled={step.isPending} onClick={() => step.mutate(() => acknowledge(alarm.number))}>
            {words.watch.take}
          </button>
        </p>
      )}
      <form className="life-line" onSubmit={give}>
        <label>
          {words.watch.owner}
          <input name="owner" required maxLength={64} defaultValue={alarm.owner} autoComplete="off" />
        </label>
        <button type="submit" className="button" disabled={step.isPending}>
          {words.watch.give}
        </button>
      </form>
      <details>
        <summary>{words.watch.closeAlarm}</summary>
        <form className="form" onSubmit={close}>
          <label>
            {words.watch.cause}
            <select name="cause" required defaultValue="">
              <option value="" disabled>
                {words.watch.chooseCause}
              </option>
              {Object.entries(words.watch.causes).map(([cause, said]) => (
                <option key={cause} value={cause}>
                  {said}
                </option>
              ))}
            </select>
          </label>
          <label>
            {words.watch.inWords}
            <textarea name="explanation" rows={3} maxLength={2000} />
          </label>
          <label>
            {words.watch.capa}
            <input name="action" maxLength={200} autoComplete="off" />
          </label>
          <label className="choice-line">
            <input type="checkbox" name="new_baseline" /> {words.watch.changeStays}
          </label>
          <div className="form-end">
            <button type="submit" className="button button-main" disabled={step.isPending}>
              {words.watch.closeIt}
            </button>
          </div>
        </form>
      </details>
    </div>
  );
}
