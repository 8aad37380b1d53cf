/** How often a flag of this model was right at this site: what a probability means to whoever reads here. */

import type { ReactNode } from "react";
import type { SitePpv } from "./api";
import { words } from "./words/language";

export function SitePpvLines({ known, site }: { known: SitePpv; site: string }): ReactNode {
  const { answered, confirmed, ppv, ci95 } = known;
  if (ppv === null || ci95 === null) return <p>{words.study.tooFewAnswered(answered, known.fewest_answered)}</p>;
  const [value, low, high] = [ppv, ...ci95].map((share) => Math.round(100 * share)) as [number, number, number];
  return (
    <>
      <p>
        <strong>{words.study.confirmedHere(confirmed, answered, value, [low, high])}</strong>
      </p>
      <p className="second">
        {[site, words.study.confirmedOf(known.days)].filter(Boolean).join(", ")}. {words.study.unanswered(known.flagged - answered)}
      </p>
    </>
  );
}
