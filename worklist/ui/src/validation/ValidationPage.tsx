/** For those who decide about models: what was measured, and what was decided by which plan. */

import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Nothing, Table } from "../Table";
import { ApiError } from "../api";
import { useNow } from "../clock";
import { DoneIcon, FailedIcon, WaitIcon } from "../icons";
import { capitalised, clockTime, decimal } from "../words";
import { words } from "../words/language";
import { modelWords, ReportLink } from "./ReportLink";
import { Suites } from "./Suites";
import { UnderWay } from "./UnderWay";
import { fetchValidations, type Criterion, type Figure, type Run, type Verdict } from "./validationApi";
import "./validation.css";

const PROGRESS_MS = 2000;
const NOTHING_UNDER_WAY_MS = 30000;

export function ValidationPage(): ReactNode {
  const found = useQuery({
    queryKey: ["validations"],
    queryFn: ({ signal }) => fetchValidations(signal),
    refetchInterval: (query) => (query.state.data?.running.length ? PROGRESS_MS : NOTHING_UNDER_WAY_MS),
  });
  return (
    <div className="scroller admin" tabIndex={0} role="region" aria-label={words.validation.title}>
      <h2>{words.validation.title}</h2>
      <p className="muted">{words.validation.intro}</p>
      {found.error && <p role="alert">{found.error instanceof ApiError ? capitalised(found.error.message) : words.system.noAnswer}.</p>}
      {found.isPending && <p className="muted">{words.frame.loading}</p>}
      {found.data && (
        <>
          <UnderWay running={found.data.running} />
          <section className="verdicts" aria-label={words.validation.verdicts}>
            <h3>{words.validation.verdicts}</h3>
            {found.data.verdicts.length === 0 && (
              <p className="muted">{words.validation.noVerdict}</p>
            )}
            {found.data.verdicts.map((one) => (
              <VerdictCard key={one.number} verdict={one} />
            ))}
          </section>
          <Suites suites={found.data.suites} />
          <Runs runs={found.data.runs} />
        </>
      )}
    </div>
  );
}

function VerdictCard({ verdict }: { verdict: Verdict }): ReactNode {
  const now = useNow();
  const isAccepted = verdict.verdict === "Accepted";
  return (
    <article className="verdict">
      <header>
        <h4 className={isAccepted ? "verdict-accepted" : "verdict-refused"}>
          {isAccepted ? <DoneIcon /> : <FailedIcon />} {words.validation.verdict[verdict.verdict] ?? verdict.verdict}: {modelWords(verdict.candidate)}
        </h4>
        <ReportLink address={verdict.report} of={words.validation.ofVerdict(verdict.number)} />
      </header>
      <p className="muted">
        {words.validation.against(modelWords(verdict.reference), verdict.dataset)} · {words.validation.plan(verdict.plan)} ·{" "}
        {verdict.decided_by},{" "}
        {clockTime(verdict.decided_at, now)}
        {!verdict.binding && words.validation.notBinding}
      </p>
      <ul className="criteria">
        {[...verdict.criteria, ...verdict.too_small_to_judge].map((one) => (
          <CriterionLine key={`${one.name} ${one.subgroup ?? ""}`} criterion={one} />
        ))}
      </ul>
      {verdict.caveats.map((one) => (
        <p key={one} className="muted">
          {capitalised(one)}.
        </p>
      ))}
    </article>
  );
}

function CriterionLine({ criterion }: { criterion: Criterion }): ReactNode {
  const said = criterion.met === null ? words.validation.tooSmall : criterion.met ? words.validation.met : words.validation.notMet;
  const Icon = criterion.met === null ? WaitIcon : criterion.met ? DoneIcon : FailedIcon;
  return (
    <li>
      <span className={criterion.met === false ? "over" : criterion.met ? "verdict-accepted" : "muted"}>
        <Icon /> {said}
      </span>
      <span>
        {capitalised(criterion.name)}
        {criterion.subgroup && <span className="muted"> {criterion.subgroup}</span>}
      </span>
      <span>{measuredWords(criterion)}</span>
    </li>
  );
}

function measuredWords(one: Criterion): ReactNode {
  if (one.measure === undefined || one.value === undefined || one.value === null) return null;
  const judged = one.judged_by === "value" ? words.validation.theValue : words.validation.lowerEnd;
  return (
    <>
      {one.of === "candidate" ? "" : words.validation.differenceOf}
      {one.measure === "auc" ? "AUC" : one.measure} {signed(one.value, one.of !== "candidate")} {intervalWords(one.ci95 ?? null)}
      <span className="second">
        {words.validation.needed(judged, one.needed)}
        {one.of !== "candidate" && one.a !== null && one.b !== null && words.validation.beforeNow(one.a, one.b)}; n = {one.n}
      </span>
    </>
  );
}

function Runs({ runs }: { runs: Run[] }): ReactNode {
  const now = useNow();
  return (
    <Table title={words.validation.runs} columns={words.validation.columns}>
      {runs.map((one) => (
        <tr key={one.number}>
          <th scope="row">
            {modelWords(one.model)}
            <span className="second mono">{one.model.digest.slice(0, 12)}…</span>
          </th>
          <td>
            {one.dataset}
            <span className="second">
              {words.validation.studies(one.n_studies)}
              {one.n_positive_studies !== null && words.validation.positive(one.n_positive_studies)}
              {one.trained_on_this_data === true && words.validation.seenInTraining}
            </span>
          </td>
          <td>
            {clockTime(one.measured_at, now)}
            <span className="second">{one.device ?? ""}</span>
          </td>
          <td>
            <FigureWords figure={one.study_auc} />
          </td>
          <td>
            {one.operating_points.map((point) => (
              <dl key={point.name} className="point">
                <dt>{words.validation.sensitivity(point.name)}</dt>
                <dd>
                  <FigureWords figure={point.sensitivity} />
                </dd>
                <dt>{words.validation.specificity}</dt>
                <dd>
                  <FigureWords figure={point.specificity} />
                </dd>
              </dl>
            ))}
          </td>
          <td>
            <ReportLink address={one.report} of={words.validation.ofRun(one.number)} />
          </td>
        </tr>
      ))}
      {runs.length === 0 && <Nothing columns={6}>{words.validation.noRun}</Nothing>}
    </Table>
  );
}

function FigureWords({ figure }: { figure: Figure | null }): ReactNode {
  if (!figure || figure.value === null) return <span className="muted">{words.validation.noFigure}</span>;
  return (
    <>
      <strong>{decimal(figure.value, 3)}</strong> <span className="muted">{intervalWords(figure.ci95)}</span>
    </>
  );
}

function intervalWords(ci95: [number, number] | null): string {
  return ci95 ? words.validation.interval(decimal(ci95[0], 3), decimal(ci95[1], 3)) : "";
}

function signed(value: number, isDifference: boolean): string {
  return `${isDifference && value > 0 ? "+" : ""}${decimal(value, 3)}`;
}
