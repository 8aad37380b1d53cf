/** What the server says, and the requests that ask it. */

export type Band = "CRITICAL" | "URGENT" | "ROUTINE";
export type AiState = "pending" | "analysed_flagged" | "analysed_no_flag" | "out_of_scope" | "failed";
export type Status = "RECEIVING" | "COMPLETE" | "TRIAGED" | "DELIVERED" | "NEEDS_ATTENTION";

export interface Finding {
  code: string;
  scheme: string;
  meaning: string;
  probability: number;
  threshold: number;
  operating_point: string;
  flagged: boolean;
  model: string;
  model_version: string;
  model_digest: string;
}

export interface Region {
  sop_instance_uid: string;
  box: [number, number, number, number];
  probability: number;
  frame_number: number | null;
}

export interface StudyRow {
  study_instance_uid: string;
  status: Status;
  revision: number;
  deadline: string;
  ai_state: AiState;
  reason: string;
  instances: number;
  received_at: string;
  complete_at: string | null;
  triaged_at: string | null;
  delivered_at: string | null;
  band: Band;
  order_priority: string;
  patient: { name: string; patient_id: string; age: string; sex: string };
  modalities: string[];
  body_parts: string[];
  description: string;
  accession: string;
  institution: string;
  source_ae_titles: string[];
  models: string[];
  analysed_revision: number | null;
  simulated: boolean;
  findings: Finding[];
}

export interface WorklistPage {
  rows: StudyRow[];
  total: number;
  next_after: string | null;
  change_id: number;
  server_time: string;
}

export interface Series {
  series_instance_uid: string;
  modality: string;
  body_part: string;
  description: string;
  series_number: number | null;
  instances: number;
  analysed_by: string[];
}

export interface Analysis {
  model: string;
  model_version: string;
  model_digest: string;
  series_instance_uid: string;
  revision: number;
  recorded_at: string;
  provider: string;
  quality: string[];
  out_of_scope: string | null;
  reading_s: number;
  inference_s: number;
}

export interface ResultObject {
  sop_instance_uid: string;
  kind: string;
  revision: number;
  deliveries: { destination: string; state: string; last_error: string; delivered_at: string | null }[];
}

export interface StudyDetail extends Omit<StudyRow, "findings"> {
  findings: (Finding & { regions: Region[] })[];
  series: Series[];
  analyses: Analysis[];
  results: ResultObject[];
  server_time: string;
}

export type IncidentKind = "needs_attention" | "refused_delivery" | "conflict" | "quarantine";

export interface Incident {
  kind: IncidentKind;
  at: string;
  study_instance_uid: string | null;
  sop_instance_uid: string | null;
  origin: string;
  reason: string;
}

export interface Incidents {
  incidents: Incident[];
  counts: Partial<Record<IncidentKind, number>>;
}

export interface Session {
  name: string;
  role: string;
  expires_at: string | null;
}

/** What is asked of the list; empty strings demand nothing. */
export interface Wanted {
  limit: number;
  q: string;
  band: string;
  modality: string;
  ai_state: string;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** A search goes in the body: names of patients do not belong in addresses. */
export function fetchWorklist(wanted: Wanted, signal: AbortSignal): Promise<WorklistPage> {
  const filled = Object.entries(wanted).filter(([, value]) => value !== "");
  if (wanted.q) return ask("/api/v1/worklist/search", { method: "POST", body: Object.fromEntries(filled), signal });
  const query = new URLSearchParams(filled.map(([name, value]) => [name, String(value)]));
  return ask(`/api/v1/worklist?${query}`, { signal });
}

export function fetchStudy(uid: string, signal: AbortSignal): Promise<StudyDetail> {
  return ask(`/api/v1/studies/${encodeURIComponent(uid)}`, { signal });
}

export function fetchIncidents(signal: AbortSignal): Promise<Incidents> {
  return ask("/api/v1/incidents", { signal });
}

export function fetchSession(signal: AbortSignal): Promise<Session> {
  return ask("/api/v1/session", { signal });
}

export function logIn(name: string, password: string): Promise<Session> {
  return ask("/api/v1/session", { method: "POST", body: { name, password } });
}

export async function logOut(): Promise<void> {
  await fetch("/api/v1/session", { method: "DELETE" });
}

async function ask<Answer>(
  path: string,
  options: { method?: string; body?: unknown; signal?: AbortSignal } = {},
): Promise<Answer> {
  const response = await fetch(path, {
    method: options.method ?? "GET",
    headers: options.body === undefined ? {} : { "Content-Type": "application/json" },
    body: options.body === undefined ? null : JSON.stringify(options.body),
    signal: options.signal ?? null,
  });
  if (!response.ok) throw new ApiError(response.status, await reasonOf(response));
  return (await response.json()) as Answer;
}

async function reasonOf(response: Response): Promise<string> {
  try {
    const { detail } = (await response.json()) as { detail?: unknown };
    if (typeof detail === "string") return detail;
  } catch {
    // A proxy in between may answer with something that is no JSON; the status says enough.
  }
  return `The server answered ${response.status}.`;
}
