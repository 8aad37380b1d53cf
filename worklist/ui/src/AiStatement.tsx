/** What the AI says about a study: state, finding against its operating point, model, and what it is not. */

import type { ReactNode } from "react";
import type { AiState, Finding, StudyRow } from "./api";
import { FailedIcon, FlagIcon, NoFlagIcon, NotAnalysedIcon, WaitIcon } from "./icons";
import { aiWords, findingWords, isAnswered, isOfEarlierImages, leadingFinding, probability, reasonWords, ruleWords } from "./words";
import { words } from "./words/language";

const ICONS: Record<AiState, () => ReactNode> = {
  analysed_flagged: FlagIcon,
  analysed_no_flag: NoFlagIcon,
  pending: WaitIcon,
  out_of_scope: NotAnalysedIcon,
  failed: FailedIcon,
};

export function AiStatement({ row }: { row: StudyRow }): ReactNode {
  const StateIcon = ICONS[row.ai_state];
  const finding = leadingFinding(row.findings);
  const others = row.findings.filter((one) => one.flagged && one !== finding).length;
  const isAnswer = isAnswered(row);
  return (
    <>
      <span className="ai-line">
        <span className={`ai-state ai-${row.ai_state}`}>
          <StateIcon /> {aiWords(row)}
        </span>
        {isAnswer && finding && <Score finding={finding} />}
      </span>
      {isAnswer ? (
        <>
          {finding && (
            <span className={finding.flagged ? "ai-finding" : "ai-finding muted"}>
              {findingWords(finding)}
              {others > 0 && words.list.moreFlagged(others)}
            </span>
          )}
          <span className="second">
            {row.models.join(", ")} · <span className="disclaimer">{words.frame.notADiagnosis}</span>
            {isOfEarlierImages(row) && words.list.ofEarlierImages}
          </span>
          {ruleWords(row) && <span className="second clamped ai-why">{ruleWords(row)}</span>}
        </>
      ) : (
        <>
          <span className="second">{words.list.noResult}</span>
          <span className="second clamped ai-why">{reasonWords(row)}</span>
        </>
      )}
    </>
  );
}

export function Score({ finding }: { finding: Finding }): ReactNode {
  const value = probability(finding.probability, finding.threshold);
  const threshold = probability(finding.threshold, finding.probability);
  return (
    <span className={finding.flagged ? "score score-flagged" : "score"}>
      <svg className="meter" viewBox="0 0 44 10" width="44" height="10" aria-hidden="true" focusable="false">
        <rect className="meter-ground" x="0" y="3" width="44" height="4" rx="2" />
        <rect className="meter-value" x="0" y="3" width={44 * finding.probability} height="4" rx="2" />
        <rect className="meter-mark" x={44 * finding.threshold - 0.75} y="0" width="1.5" height="10" />
      </svg>
      <span>
        {value} <span className="score-flags">{words.list.flagsAt(threshold)}</span>
      </span>
    </span>
  );
}
