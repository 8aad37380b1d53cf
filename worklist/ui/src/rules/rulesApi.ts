/** The routing rules, and what they say about a study. */

import { ask, fetchWorklist } from "../api";

export interface Condition {
  holds: boolean;
  needed: string;
  found: string;
  parts: Condition[];
}

export interface Actions {
  run_only: string[];
  run_always: string[];
  send_original: string[];
  send_results: string[];
  send_deidentified: string[];
  priority_floor: string;
  retention_days: number | null;
}

export interface Rule {
  name: string;
  when: Condition;
  then: Actions;
}

export interface Rules {
  sha256: string;
  has_changed: boolean;
  rules: Rule[];
}

export interface Trials {
  trials: { name: string; matches: boolean; series: { series_instance_uid: string; answer: Condition }[] }[];
  follows: Actions;
  problem: string;
}

export function fetchRules(signal: AbortSignal): Promise<Rules> {
  return ask("/api/v1/rules", { signal });
}

/** Null where no study has this accession number or UID; of several the one that is due first. */
export async function tryRules(asked: string): Promise<Trials | null> {
  const uid = /^[0-9]+(\.[0-9]+)+$/.test(asked) ? asked : await uidOf(asked);
  return uid === undefined ? null : ask(`/api/v1/studies/${encodeURIComponent(uid)}/rules`);
}

async function uidOf(accession: string): Promise<string | undefined> {
  const wanted = { limit: 50, q: accession, band: "", modality: "", ai_state: "", reading: "all", owner: "", site: "" };
  const found = await fetchWorklist(wanted, AbortSignal.timeout(10_000));
  return found.rows.find((row) => row.accession === accession)?.study_instance_uid;
}
