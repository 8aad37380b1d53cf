/** For those who decide about models: what was measured, and what was decided by which plan. */

import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Nothing, Table } from "../AdminPage";
import { ApiError } from "../api";
import { useNow } from "../clock";
import { DoneIcon, FailedIcon, WaitIcon } from "../icons";
import { capitalised, clockTime } from "../words";
import { fetchValidations, type Criterion, type Figure, type Model, type Run, type Verdict } from "./validationApi";
import "./validation.css";

export default function ValidationPage(): ReactNode {
  const found = useQuery({ queryKey: ["validations"], queryFn: ({ signal }) => fetchValidations(signal) });
  return (
    <div className="scroller admin" tabIndex={0} role="region" aria-label="Validation">
      <h2>Validation</h2>
      <p className="muted">Figures with their 95 % intervals. Research use only; a figure holds for its data set.</p>
      {found.error && <p role="alert">{found.error instanceof ApiError ? capitalised(found.error.message) : "The server does not answer"}.</p>}
      {found.isPending && <p className="muted">Loading…</p>}
      {found.data && (
        <>
          <section className="verdicts" aria-label="Verdicts">
            <h3>Verdicts</h3>
            {found.data.verdicts.length === 0 && (
              <p className="muted">None yet. “acuity validate compare” reaches one by a locked plan.</p>
            )}
            {found.data.verdicts.map((one) => (
              <VerdictCard key={one.number} verdict={one} />
            ))}
          </section>
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
          {isAccepted ? <DoneIcon /> : <FailedIcon />} {verdict.verdict}: {modelWords(verdict.candidate)}
        </h4>
        <ReportLink address={verdict.report} of={`verdict ${verdict.number}`} />
      </header>
      <p className="muted">
        against {modelWords(verdict.reference)} on {verdict.dataset} · plan “{verdict.plan}” · {verdict.decided_by},{" "}
        {clockTime(verdict.decided_at, now)}
        {!verdict.binding && " · not binding: the candidate’s run was not recorded here"}
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
  const words = criterion.met === null ? "Too small to judge" : criterion.met ? "Met" : "Not met";
  const Icon = criterion.met === null ? WaitIcon : criterion.met ? DoneIcon : FailedIcon;
  return (
    <li>
      <span className={criterion.met === false ? "over" : criterion.met ? "verdict-accepted" : "muted"}>
        <Icon /> {words}
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
  const judged = one.judged_by === "value" ? "the value" : "the lower end";
  return (
    <>
      {one.of === "candidate" ? "" : "difference of "}
      {one.measure === "auc" ? "AUC" : one.measure} {signed(one.value, one.of !== "candidate")} {intervalWords(one.ci95 ?? null)}
      <span className="second">
        needed: {judged} at least {one.needed}
        {one.of !== "candidate" && one.a !== null && one.b !== null && `; ${one.a} before, ${one.b} now`}; n = {one.n}
      </span>
    </>
  );
}

function Runs({ runs }: { runs: Run[] }): ReactNode {
  const now = useNow();
  return (
    <Table title="Runs" columns={["Model", "Data set", "Measured", "AUC of studies", "Operating point", "Report"]}>
      {runs.map((one) => (
        <tr key={one.number}>
          <th scope="row">
            {modelWords(one.model)}
            <span className="second mono">{one.model.digest.slice(0, 12)}…</span>
          </th>
          <td>
            {one.dataset}
            <span className="second">
              {one.n_studies ?? "?"} studies{one.n_positive_studies !== null && `, ${one.n_positive_studies} positive`}
              {one.trained_on_this_data === true && "; seen in training"}
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
                <dt>{point.name}: sensitivity</dt>
                <dd>
                  <FigureWords figure={point.sensitivity} />
                </dd>
                <dt>specificity</dt>
                <dd>
                  <FigureWords figure={point.specificity} />
                </dd>
              </dl>
            ))}
          </td>
          <td>
            <ReportLink address={one.report} of={`run ${one.number}`} />
          </td>
        </tr>
      ))}
      {runs.length === 0 && <Nothing columns={6}>No run is recorded. “acuity validate run” records one.</Nothing>}
    </Table>
  );
}

function FigureWords({ figure }: { figure: Figure | null }): ReactNode {
  if (!figure || figure.value === null) return <span className="muted">no figure</span>;
  return (
    <>
      <strong>{figure.value.toFixed(3)}</strong> <span className="muted">{intervalWords(figure.ci95)}</span>
    </>
  );
}

function ReportLink({ address, of }: { address: string; of: string }): ReactNode {
  return (
    <span className="reports">
      <a className="button" href={address} target="_blank" rel="noopener" aria-label={`Report of ${of}, in a new tab`}>
        Report
      </a>
      <a className="button" href={`${address}.pdf`} target="_blank" rel="noopener" aria-label={`Report of ${of} as PDF, in a new tab`}>
        PDF
      </a>
    </span>
  );
}

function modelWords(model: Model): string {
  return `${model.name} ${model.version}`;
}

function intervalWords(ci95: [number, number] | null): string {
  return ci95 ? `[${ci95[0].toFixed(3)}, ${ci95[1].toFixed(3)}]` : "";
}

function signed(value: number, isDifference: boolean): string {
  return `${isDifference && value > 0 ? "+" : ""}${value.toFixed(3)}`;
}
