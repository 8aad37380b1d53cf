/** The words of the list, in one place. "No flag" is never called normal. */

import type { AiState, Band, Finding, IncidentKind, StudyDetail, StudyRow } from "./api";

export const NOT_A_DIAGNOSIS = "AI result, not a diagnosis";
export const RESEARCH_ONLY = "Research use only, not a medical device";

export const BAND_WORDS: Record<Band, string> = { CRITICAL: "Critical", URGENT: "Urgent", ROUTINE: "Routine" };

export const AI_WORDS: Record<AiState, string> = {
  analysed_flagged: "AI: flagged",
  analysed_no_flag: "AI: no flag",
  pending: "AI: pending",
  out_of_scope: "Not analysed",
  failed: "Analysis failed",
};

export const INCIDENT_WORDS: Record<IncidentKind, string> = {
  needs_attention: "Analysis failed",
  refused_delivery: "Delivery refused",
  conflict: "Conflicting image",
  quarantine: "Unreadable object",
};

export function aiWords(row: StudyRow | StudyDetail): string {
  if (row.ai_state !== "pending") return AI_WORDS[row.ai_state];
  return row.status === "RECEIVING" ? "AI: waits for images" : "AI: waiting for analysis";
}

export function isAnswered(row: StudyRow | StudyDetail): boolean {
  return row.ai_state === "analysed_flagged" || row.ai_state === "analysed_no_flag";
}

/** Whether the AI's answer rests on fewer images than have arrived. */
export function isOfEarlierImages(row: StudyRow | StudyDetail): boolean {
  return row.analysed_revision !== null && row.analysed_revision < row.revision;
}

/** The finding that speaks for the row: flagged ones first, then the one nearest to its operating point. */
export function leadingFinding<F extends Finding>(findings: readonly F[]): F | undefined {
  return [...findings].sort(
    (a, b) => Number(b.flagged) - Number(a.flagged) || b.probability / b.threshold - a.probability / a.threshold,
  )[0];
}

/** A finding without a flag is told as what was looked for, so that nobody reads its name as a result. */
export function findingWords(finding: Finding): string {
  const meaning = finding.meaning.charAt(0).toLowerCase() + finding.meaning.slice(1);
  return finding.flagged ? `Suspected ${meaning}` : `Looked for ${meaning}`;
}

export function duration(seconds: number): string {
  const whole = Math.abs(Math.trunc(seconds));
  const [days, hours] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24];
  const [minutes, rest] = [Math.floor(whole / 60) % 60, whole % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${String(minutes).padStart(2, "0")} min`;
  return `${minutes} min ${String(rest).padStart(2, "0")} s`;
}

/** Rounded, with as many digits as tell the value from its operating point: 0.358 reads 0.36. */
export function probability(value: number, beside?: number): string {
  const digits = [2, 3, 4].find((count) => beside === undefined || value === beside || value.toFixed(count) !== beside.toFixed(count));
  return value.toFixed(digits ?? 4);
}

export function clockTime(iso: string, nowMs: number): string {
  const moment = new Date(iso);
  const time = moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  if (moment.toDateString() === new Date(nowMs).toDateString()) return time;
  return `${moment.toLocaleDateString([], { day: "numeric", month: "short" })}, ${time}`;
}

export function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** The description without the word that the badge beside it says already. */
export function withoutSimulated(description: string): string {
  return description.replace(/\s*\(?\bsimulated\b\)?\s*/gi, " ").trim();
}

export function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
