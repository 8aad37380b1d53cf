/** The words of surveillance, and what its figures say: green only where a chart is watched. */

import type { Alarm, AlarmCause, Stream, StreamKey, StreamKind } from "./surveillanceApi";

export const KINDS: StreamKind[] = ["health", "input", "output", "performance", "service"];

export const KIND_WORDS: Record<StreamKind, string> = {
  health: "Arrivals",
  input: "Input",
  output: "Output",
  performance: "Performance",
  service: "Turnaround",
};

export const CAUSE_WORDS: Record<AlarmCause, string> = {
  false_alarm: "False alarm",
  protocol_change: "Change of protocol",
  equipment_change: "Change of equipment",
  case_mix: "Other patients or questions",
  outage: "Outage",
  model_fault: "Fault of the model",
  other: "Something else",
};

const SHARE = "share";
/** Name and unit of each stream. */
const STREAMS: Record<string, [string, string]> = {
  silence: ["Silence", "h"],
  volume: ["Studies a day", "studies a day"],
  device: ["Device", "SD of rarity"],
  software: ["Software", "SD of rarity"],
  kernel: ["Kernel", "SD of rarity"],
  sex: ["Sex", "SD of rarity"],
  slice_thickness_mm: ["Slice thickness", "mm"],
  exposure_mas: ["Exposure", "mAs"],
  age_years: ["Age", "years"],
  quality_note: ["Quality notes", SHARE],
  out_of_scope: ["Out of scope", SHARE],
  novelty: ["Novelty", "of novelty"],
  score_logit: ["Scores", "of log odds"],
  flagged: ["Flagged", SHARE],
  missed: ["Missed findings", SHARE],
  false_flag: ["False flags", SHARE],
  wrong_place: ["Wrong place", SHARE],
  triage_minutes: ["Time to triage", "min"],
  reading_minutes: ["Time to reading", "min"],
};

export function streamWords(stream: string): string {
  return STREAMS[stream]?.[0] ?? stream;
}

export function changeWords(stream: Stream): string {
  if (stream.smallest_change === null) return "–";
  const unit = STREAMS[stream.stream]?.[1] ?? "";
  if (unit === SHARE) return `${figure(100 * stream.smallest_change)} percentage points`;
  return `${figure(stream.smallest_change)} ${unit}`;
}

/** Three digits that count; never "0" for what is only small. */
export function figure(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

export function dayWords(day: string): string {
  return new Date(`${day}T12:00:00`).toLocaleDateString([], { day: "numeric", month: "short", year: "numeric" });
}

export function placeWords(key: StreamKey): string {
  return [key.scanner, key.model].filter(Boolean).join(" · ");
}

export function isSame(a: StreamKey, b: StreamKey): boolean {
  return a.site === b.site && a.scanner === b.scanner && a.model === b.model && a.stream === b.stream;
}

export type Level = "good" | "unknown" | "change" | "harm";

export interface Standing {
  level: Level;
  words: string;
  figure: string;
}

/** Where a stream's chart stands: an alarm that is not closed, a silence, within its limit, or not known yet. */
export function standingOf(streams: Stream[], alarms: Alarm[]): Standing {
  const open = alarms.filter((alarm) => alarm.state !== "closed" && streams.some((one) => isSame(one, alarm)));
  const worst = open.find((alarm) => alarm.concerns_reading) ?? open[0];
  if (worst)
    return {
      level: worst.concerns_reading ? "harm" : "change",
      words: open.length > 1 ? `${open.length} alarms` : `Alarm ${worst.number}`,
      figure: [...new Set(open.map((alarm) => streamWords(alarm.stream)))].join(", "),
    };
  if (streams.some((one) => one.health === "silent")) return { level: "harm", words: "Silent", figure: "no study comes" };
  const watched = streams.filter((one) => one.limit !== null && one.statistic !== null);
  if (watched.length === 0) return { level: "unknown", words: "Not enough data", figure: "" };
  const highest = Math.max(...watched.map(ratioOf));
  const learning = streams.length - watched.length;
  return {
    level: "good",
    words: "Within limits",
    figure: `${watched.length} watched, at most ${percent(highest)} of the limit${learning ? `; ${learning} not enough data` : ""}`,
  };
}

export function ratioOf(stream: Stream): number {
  return stream.limit && stream.statistic !== null ? stream.statistic / stream.limit : 0;
}

export function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
