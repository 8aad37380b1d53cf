/** What workers of the platform are answering now, and how far they are. */

import type { ReactNode } from "react";
import { useNow } from "../clock";
import { clockTime } from "../words";
import { words } from "../words/language";
import { modelWords } from "./ReportLink";
import type { Running } from "./validationApi";

export function UnderWay({ running }: { running: Running[] }): ReactNode {
  const now = useNow();
  if (running.length === 0) return null;
  return (
    <section className="verdicts" aria-label={words.validation.underWay}>
      <h3>{words.validation.underWay}</h3>
      {running.map((one) => (
        <article key={`${one.model.digest} ${one.started_at}`} className="verdict">
          <h4>{modelWords(one.model)}</h4>
          <p className="muted">
            {one.dataset} · {one.device} · {words.validation.since(clockTime(one.started_at, now))}
          </p>
          <p className="under-way">
            <progress aria-label={words.validation.answeredOf(modelWords(one.model))} value={one.n_answered} max={one.n_studies} />
            {words.validation.answered(one.n_answered, one.n_studies)}
          </p>
        </article>
      ))}
    </section>
  );
}
