/** The pages that were kept, as links that open beside this one. */

import type { ReactNode } from "react";
import { words } from "../words/language";
import type { Model } from "./validationApi";

export function ReportLink({ address, of }: { address: string; of: string }): ReactNode {
  return (
    <span className="reports">
      <a className="button" href={address} target="_blank" rel="noopener" aria-label={words.validation.reportOf(of)}>
        {words.validation.report}
      </a>
      <a className="button" href={`${address}.pdf`} target="_blank" rel="noopener" aria-label={words.validation.reportPdf(of)}>
        PDF
      </a>
    </span>
  );
}

export function modelWords(model: Model): string {
  return `${model.name} ${model.version}`;
}
