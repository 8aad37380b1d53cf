/** For the administrator of the PACS: what the routing rules say, and why each holds for a study or does not. */

import { useMutation, useQuery } from "@tanstack/react-query";
import type { FormEvent, ReactNode } from "react";
import { ApiError } from "../api";
import { DoneIcon, NotAnalysedIcon } from "../icons";
import { told } from "../sentences";
import { capitalised } from "../words";
import { words } from "../words/language";
import { fetchRules, tryRules, type Actions, type Condition, type Rule, type Trials } from "./rulesApi";
import "./rules.css";

export function RulesPage(): ReactNode {
  const found = useQuery({ queryKey: ["rules"], queryFn: ({ signal }) => fetchRules(signal) });
  const trial = useMutation({ mutationFn: tryRules });
  const error = found.error ?? trial.error;
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    trial.mutate(String(new FormData(event.currentTarget).get("asked")).trim());
  };
  return (
    <div className="scroller admin" tabIndex={0} role="region" aria-label={words.rules.title}>
      <h2 className="page-title">{words.rules.title}</h2>
      <p className="muted">{words.rules.intro}</p>
      {error && <p role="alert">{error instanceof ApiError ? capitalised(error.message) : words.system.noAnswer}.</p>}
      {found.isPending && <p className="muted">{words.frame.loading}</p>}
      {found.data?.has_changed && <p role="alert">{words.rules.hasChanged}</p>}
      {found.data && found.data.rules.length === 0 && <p>{words.rules.none}</p>}
      {found.data && found.data.rules.length > 0 && (
        <>
          <p className="second mono">sha256 {found.data.sha256}</p>
          <form className="form rule-try" onSubmit={submit}>
            <label>
              {words.work.accessionOrUid}
              <input name="asked" required maxLength={64} autoComplete="off" spellCheck={false} />
            </label>
            <button type="submit" className="button button-main" disabled={trial.isPending}>
              {words.rules.tryThem}
            </button>
          </form>
          {trial.data === null && <p role="alert">{words.rules.noStudy}</p>}
          {trial.data && <Outcome trials={trial.data} />}
          <ol className="rules">
            {found.data.rules.map((rule) => (
              <RuleCard key={rule.name} rule={rule} trials={trial.data ?? undefined} />
            ))}
          </ol>
        </>
      )}
    </div>
  );
}

function Outcome({ trials }: { trials: Trials }): ReactNode {
  return (
    <section className="rule-outcome" role="status" aria-label={words.rules.whatFollows}>
      <h3>{words.rules.whatFollows}</h3>
      {trials.problem ? <p className="over">{capitalised(trials.problem)}.</p> : <ActionList actions={trials.follows} />}
    </section>
  );
}

function RuleCard({ rule, trials }: { rule: Rule; trials: Trials | undefined }): ReactNode {
  const trial = trials?.trials.find((one) => one.name === rule.name);
  return (
    <li className="rule">
      <h3>
        {rule.name}
        {trial && (
          <span className={trial.matches ? "rule-holds" : "muted"}>
            {trial.matches ? <DoneIcon /> : <NotAnalysedIcon />} {trial.matches ? words.rules.matches : words.rules.matchesNot}
          </span>
        )}
      </h3>
      <div className="rule-parts">
        <section>
          <h4>{words.rules.when}</h4>
          {trial ? (
            trial.series.map((one) => (
              <div key={one.series_instance_uid}>
                {trial.series.length > 1 && <p className="second mono">{one.series_instance_uid}</p>}
                <ul>
                  <ConditionItem condition={one.answer} isTried />
                </ul>
              </div>
            ))
          ) : (
            <ul>
              <ConditionItem condition={rule.when} isTried={false} />
            </ul>
          )}
        </section>
        <section>
          <h4>{words.rules.then}</h4>
          <ActionList actions={rule.then} />
        </section>
      </div>
    </li>
  );
}

function ConditionItem({ condition, isTried }: { condition: Condition; isTried: boolean }): ReactNode {
  const isAnything = condition.needed === "all of" && condition.parts.length === 0;
  return (
    <li>
      {isTried && (
        <span className={condition.holds ? "rule-holds" : "muted"}>
          {condition.holds ? <DoneIcon /> : <NotAnalysedIcon />} {condition.holds ? words.rules.yes : words.rules.no}{" "}
        </span>
      )}
      {isAnything ? words.rules.everyStudy : (words.rules.connectives[condition.needed] ?? told(condition.needed))}
      {isTried && condition.found && <span className="muted"> {words.rules.found(condition.found)}</span>}
      {condition.parts.length > 0 && (
        <ul>
          {condition.parts.map((part, number) => (
            <ConditionItem key={number} condition={part} isTried={isTried} />
          ))}
        </ul>
      )}
    </li>
  );
}

function ActionList({ actions }: { actions: Actions }): ReactNode {
  const lists = ["run_only", "run_always", "send_original", "send_results", "send_deidentified"] as const;
  const told = lists.filter((name) => actions[name].length > 0).map((name) => words.rules.actions[name](actions[name].join(", ")));
  if (actions.priority_floor) told.push(words.rules.floor(words.list.bands[actions.priority_floor as keyof typeof words.list.bands]));
  if (actions.retention_days !== null) told.push(words.rules.retention(actions.retention_days));
  if (told.length === 0) return <p className="muted">{words.rules.nothing}</p>;
  return (
    <ul>
      {told.map((one) => (
        <li key={one}>{one}</li>
      ))}
    </ul>
  );
}
