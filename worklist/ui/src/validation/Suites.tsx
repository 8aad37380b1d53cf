/** Suites: whether a model met every criterion, what was found, and what speaks against it. */

import type { ReactNode } from "react";
import { useNow } from "../clock";
import { DoneIcon, FailedIcon } from "../icons";
import { capitalised, clockTime } from "../words";
import { locale, words } from "../words/language";
import { modelWords, ReportLink } from "./ReportLink";
import type { Suite, SuiteCriterion } from "./validationApi";

export function Suites({ suites }: { suites: Suite[] }): ReactNode {
  return (
    <section className="verdicts" aria-label={words.validation.suites}>
      <h3>{words.validation.suites}</h3>
      {suites.length === 0 && <p className="muted">{words.validation.noSuite}</p>}
      {repeats(suites).map(([newest, ...earlier]) => (
        <SuiteCard key={newest.number} suite={newest} earlier={earlier} />
      ))}
    </section>
  );
}

/** The same suite of the same model on the same data, asked again, is one card; the newest comes first. */
function repeats(suites: Suite[]): [Suite, ...Suite[]][] {
  const groups = new Map<string, [Suite, ...Suite[]]>();
  for (const one of suites) {
    const key = [one.model.digest, one.suite_digest, one.dataset_digest].join(" ");
    const group = groups.get(key);
    if (group) group.push(one);
    else groups.set(key, [one]);
  }
  return [...groups.values()];
}

function SuiteCard({ suite, earlier }: { suite: Suite; earlier: Suite[] }): ReactNode {
  const now = useNow();
  const notMet = suite.criteria.filter((one) => !one.met);
  const met = suite.criteria.filter((one) => one.met);
  return (
    <article className="verdict">
      <header>
        <h4 className={suite.passed ? "verdict-accepted" : "verdict-refused"}>
          {suite.passed ? <DoneIcon /> : <FailedIcon />} {suite.passed ? words.validation.passed : words.validation.failed}: {modelWords(suite.model)}
        </h4>
        <ReportLink address={suite.report} of={words.validation.ofSuite(suite.number)} />
      </header>
      <p className="muted">
        {words.validation.suiteOn(suite.suite, suite.dataset)} · {suite.device} · {clockTime(suite.measured_at, now)}
      </p>
      <Criteria criteria={notMet} />
      <Findings suite={suite} />
      {met.length > 0 && (
        <details className="met">
          <summary>{words.validation.criteriaMet(met.length, suite.criteria.length)}</summary>
          <Criteria criteria={met} />
        </details>
      )}
      {earlier.length > 0 && (
        <p className="muted earlier">
          {words.validation.earlier}{" "}
          {earlier.map((one, place) => (
            <span key={one.number}>
              {place > 0 && ", "}
              <a href={one.report} target="_blank" rel="noopener" aria-label={words.validation.reportOf(words.validation.ofSuite(one.number))}>
                {clockTime(one.measured_at, now)} ({one.passed ? words.validation.passed : words.validation.failed})
              </a>
            </span>
          ))}
        </p>
      )}
    </article>
  );
}

function Criteria({ criteria }: { criteria: SuiteCriterion[] }): ReactNode {
  if (criteria.length === 0) return null;
  return (
    <ul className="criteria">
      {criteria.map((one) => (
        <li key={`${one.part} ${one.figure}`}>
          <span className={one.met ? "verdict-accepted" : "over"}>
            {one.met ? <DoneIcon /> : <FailedIcon />} {one.met ? words.validation.met : words.validation.notMet}
          </span>
          <span>
            {words.validation.parts[one.part] ?? one.part}
            <span className="second">{words.validation.figures[one.figure] ?? one.figure}</span>
          </span>
          <span>
            <strong>{one.value === null ? words.validation.noFigure : number(one.value)}</strong>
            <span className="second">{limitWords(one)}</span>
          </span>
        </li>
      ))}
    </ul>
  );
}

function Findings({ suite }: { suite: Suite }): ReactNode {
  if (suite.findings.length === 0) return null;
  return (
    <div className="findings">
      <p>{words.validation.findings(suite.findings.length)}</p>
      <ul>
        {suite.findings.map((one) => (
          <li key={`${one.part} ${one.said}`}>{capitalised(one.said)}</li>
        ))}
      </ul>
    </div>
  );
}

function limitWords(one: SuiteCriterion): string {
  const limits = [
    one.at_least === null ? "" : words.validation.atLeast(number(one.at_least)),
    one.at_most === null ? "" : words.validation.atMost(number(one.at_most)),
  ];
  return words.validation.limit(limits.filter(Boolean).join(", "));
}

function number(value: number): string {
  return value.toLocaleString(locale(), { maximumFractionDigits: 3, useGrouping: false });
}
