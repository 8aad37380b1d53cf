/** The words of surveillance, and what its figures say: green only where a chart is watched. */

import { locale, words } from "../words/language";
import type { Alarm, Stream, StreamKey, StreamKind } from "./surveillanceApi";

export const KINDS: StreamKind[] = ["health", "input", "output", "performance", "service"];

export function streamWords(stream: string): string {
  return words.watch.streams[stream]?.[0] ?? stream;
}

export function changeWords(stream: Stream): string {
  if (stream.smallest_change === null) return "–";
  const unit = words.watch.streams[stream.stream]?.[1] ?? "";
  if (unit === "share") return words.watch.percentagePoints(figure(100 * stream.smallest_change));
  return `${figure(stream.smallest_change)} ${unit}`;
}

/** Three digits that count; never "0" for what is only small. */
export function figure(value: number): string {
  const digits = Math.abs(value) >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 };
  return value.toLocaleString(locale(), { ...digits, useGrouping: false });
}

export function dayWords(day: string): string {
  return new Date(`${day}T12:00:00`).toLocaleDateString(locale(), { day: "numeric", month: "short", year: "numeric" });
}

/** Without a scanner a stream is of all scanners of its site together. */
export function placeWords(key: StreamKey): string {
  return [key.scanner || words.watch.allScanners, key.model].filter(Boolean).join(" · ");
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
      words: open.length > 1 ? words.watch.alarms(open.length) : words.watch.alarm(worst.number),
      figure: [...new Set(open.map((alarm) => streamWords(alarm.stream)))].join(", "),
    };
  if (streams.some((one) => one.health === "silent")) return { level: "harm", words: words.watch.silent, figure: words.watch.noStudyComes };
  const watched = streams.filter((one) => one.limit !== null && one.statistic !== null);
  if (watched.length === 0) return { level: "unknown", words: words.watch.notEnough, figure: "" };
  const highest = Math.max(...watched.map(ratioOf));
  const learning = streams.length - watched.length;
  return {
    level: "good",
    words: words.watch.withinLimits,
    figure: words.watch.watched(watched.length, percent(highest), learning),
  };
}

export function ratioOf(stream: Stream): number {
  return stream.limit && stream.statistic !== null ? stream.statistic / stream.limit : 0;
}

export function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
