/** What the server keeps of validation. */

import { ask } from "../api";

export interface Figure {
  value: number | null;
  ci95: [number, number] | null;
}

export interface Model {
  name: string;
  version: string;
  digest: string;
}

export interface Running {
  model: Model;
  dataset: string;
  device: string;
  started_at: string;
  n_studies: number;
  n_answered: number;
}

export interface Run {
  number: number;
  model: Model;
  dataset: string;
  dataset_digest: string;
  measured_at: string;
  n_studies: number | null;
  n_positive_studies: number | null;
  device: string | null;
  trained_on_this_data: boolean | null;
  study_auc: Figure | null;
  operating_points: { name: string; threshold: number; sensitivity: Figure | null; specificity: Figure | null }[];
  report: string;
}

export interface Criterion {
  name: string;
  subgroup: string | null;
  met: boolean | null;
  measure?: string;
  of?: string;
  n?: number;
  a?: number | null;
  b?: number | null;
  value?: number | null;
  ci95?: [number, number] | null;
  judged_by?: string;
  needed?: number;
}

export interface SuiteCriterion {
  part: string;
  figure: string;
  at_least: number | null;
  at_most: number | null;
  value: number | null;
  met: boolean;
}

export interface Suite {
  number: number;
  suite: string;
  suite_digest: string;
  passed: boolean;
  model: Model;
  dataset: string;
  dataset_digest: string;
  measured_at: string;
  device: string;
  criteria: SuiteCriterion[];
  findings: { part: string; said: string }[];
  report: string;
}

export interface Verdict {
  number: number;
  verdict: string;
  binding: boolean;
  candidate: Model;
  reference: Model;
  plan: string;
  dataset: string;
  decided_by: string;
  decided_at: string;
  criteria: Criterion[];
  too_small_to_judge: Criterion[];
  caveats: string[];
  report: string;
}

export interface Validations {
  running: Running[];
  runs: Run[];
  suites: Suite[];
  verdicts: Verdict[];
}

export function fetchValidations(signal: AbortSignal): Promise<Validations> {
  return ask("/api/v1/validations", { signal });
}
