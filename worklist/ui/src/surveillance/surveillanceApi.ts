/** What the server says of the drift monitor. */

import { ask } from "../api";

export type StreamKind = "health" | "input" | "output" | "performance" | "service";
export type AlarmState = "open" | "acknowledged" | "closed";
export type AlarmCause =
  | "false_alarm"
  | "protocol_change"
  | "equipment_change"
  | "case_mix"
  | "outage"
  | "model_fault"
  | "other";

export interface StreamKey {
  site: string;
  scanner: string;
  model: string;
  stream: string;
}

export interface Stream extends StreamKey {
  kind: StreamKind;
  health: "learning" | "watching" | "alarm" | "silent";
  usual_per_day: number;
  statistic: number | null;
  limit: number | null;
  smallest_change: number | null;
  baseline_days: number | null;
}

export interface ChartDay {
  day: string;
  value: number | null;
  upper: number;
  lower: number;
}

export interface BannerAlarm extends StreamKey {
  number: number;
  changed_on: string;
  state: AlarmState;
}

export interface Alarm extends BannerAlarm {
  kind: StreamKind;
  noticed_on: string;
  side: string;
  statistic: number;
  limit: number;
  size: number;
  studies: string[];
  opened_at: string;
  owner: string;
  cause: AlarmCause | null;
  explanation: string;
  action: string;
  closed_at: string | null;
  overdue: boolean;
  concerns_reading: boolean;
}

export interface Closing {
  cause: AlarmCause;
  explanation: string;
  action: string;
  new_baseline: boolean;
}

export function fetchStreams(signal: AbortSignal): Promise<{ looked_at: string; streams: Stream[] }> {
  return ask("/api/v1/surveillance/streams", { signal });
}

export async function fetchChart(key: StreamKey, signal: AbortSignal): Promise<ChartDay[]> {
  const { site, scanner, model, stream } = key;
  const query = new URLSearchParams({ site, scanner, model, stream });
  return (await ask<{ days: ChartDay[] }>(`/api/v1/surveillance/chart?${query}`, { signal })).days;
}

export function fetchAlarms(signal: AbortSignal): Promise<Alarm[]> {
  return ask("/api/v1/alarms", { signal });
}

export function fetchBanner(signal: AbortSignal): Promise<BannerAlarm[]> {
  return ask("/api/v1/alarms/concerning-reading", { signal });
}

export function acknowledge(number: number): Promise<Alarm> {
  return ask(`/api/v1/alarms/${number}/acknowledge`, { method: "POST", body: {} });
}

export function assign(number: number, owner: string): Promise<Alarm> {
  return ask(`/api/v1/alarms/${number}/assign`, { method: "POST", body: { owner } });
}

export function closeAlarm(number: number, how: Closing): Promise<Alarm> {
  return ask(`/api/v1/alarms/${number}/close`, { method: "POST", body: how });
}
