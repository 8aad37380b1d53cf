/** How values of the list are told, in the language of the page. */

import type { Finding, Measurement, StudyDetail, StudyRow } from "./api";
import { told } from "./sentences";
import { locale, words } from "./words/language";

export function aiWords(row: StudyRow | StudyDetail): string {
  if (row.ai_state !== "pending") return words.list.ai[row.ai_state];
  return row.status === "RECEIVING" ? words.list.waitsForImages : words.list.waitsForAnalysis;
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
  const meaning = words.list.findings[finding.code] ?? finding.meaning.charAt(0).toLowerCase() + finding.meaning.slice(1);
  return finding.flagged ? words.list.suspected(meaning) : words.list.lookedFor(meaning);
}

/** The server's sentence that says why, with the names that the language has for findings. */
export function reasonWords({ reason, findings }: StudyRow | StudyDetail): string {
  const named = findings.reduce((said, one) => {
    const name = words.list.findings[one.code];
    return name ? said.replace(one.meaning.toLowerCase(), name) : said;
  }, told(reason));
  return capitalised(named);
}

/** The reason for a place beside the AI's answer, which names the models already. */
export function rowReasonWords(row: StudyRow): string {
  const bare = row.models.reduce((said, model) => said.replace(` (${model})`, "").replace(`, ${model}`, ""), row.reason);
  return reasonWords({ ...row, reason: bare });
}

/** What raised the study beside the AI and its order: the rules of the site; empty where nothing did. */
export function ruleWords({ reason }: StudyRow): string {
  return reason.split("; ").filter((part) => part.startsWith("rule ")).map(told).map(capitalised).join("; ");
}

/** The server tells a number and a unit, such as "75 y". */
export function ageWords(age: string): string {
  const [number, unit = ""] = age.split(" ");
  return [number, words.list.ageUnits[unit] ?? unit].join(" ").trim();
}

export function sexWords(sex: string): string {
  return words.list.sexes[sex] ?? sex;
}

/** Told without what the role may do. */
export function roleWords(role: string): string {
  return words.people.roles[role]?.split(":")[0] ?? role;
}

export function measurementWords(one: Measurement): string {
  return words.study.measurements[one.code] ?? one.meaning;
}

export function duration(seconds: number): string {
  const whole = Math.abs(Math.trunc(seconds));
  const [days, hours] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24];
  const [minutes, rest] = [Math.floor(whole / 60) % 60, whole % 60];
  if (days) return words.list.days(days, hours);
  if (hours) return `${hours} h ${String(minutes).padStart(2, "0")} min`;
  return `${minutes} min ${String(rest).padStart(2, "0")} s`;
}

/** With as many digits after the point, or the comma. */
export function decimal(value: number, digits: number): string {
  return value.toLocaleString(locale(), { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false });
}

/** Rounded, with as many digits as tell the value from its operating point: 0.358 reads 0.36. */
export function probability(value: number, beside?: number): string {
  const digits = [2, 3, 4].find((count) => beside === undefined || value === beside || value.toFixed(count) !== beside.toFixed(count));
  return decimal(value, digits ?? 4);
}

export function clockTime(iso: string, nowMs: number): string {
  const moment = new Date(iso);
  const time = moment.toLocaleTimeString(locale(), { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  if (moment.toDateString() === new Date(nowMs).toDateString()) return time;
  return `${moment.toLocaleDateString(locale(), { day: "numeric", month: "short" })}, ${time}`;
}

/** The description without the word that the badge beside it says already. */
export function withoutSimulated(description: string): string {
  return description.replace(/\s*\(?\bsimulated\b\)?\s*/gi, " ").trim();
}

export function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
