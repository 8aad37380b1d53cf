/** What the server says, and the requests that ask it. */

import { told } from "./sentences";
import { words } from "./words/language";

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

/** What was measured of a finding; `unit` is in UCUM. */
export interface Measurement {
  code: string;
  scheme: string;
  meaning: string;
  value: number;
  unit: string;
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
  own_band: Band;
  is_open: boolean;
  work: Work;
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

export interface Work {
  claim: { reader: string; expires_at: string } | null;
  closing: { reader: string; at: string; revision: number } | null;
  override: { band: Band; reason: string; author: string; expires_at: string } | null;
}

export type ActKind =
  | "claim"
  | "release"
  | "read"
  | "reopen"
  | "verdict"
  | "note"
  | "reprioritise"
  | "restore_order"
  | "undo";
export type Answer = "accept" | "reject" | "modify" | "add";
export type Exposure = "row" | "images" | "locations";

export interface Act {
  number: number;
  kind: ActKind;
  reader: string;
  at: string;
  revision: number;
  stands: boolean;
  is_newest_verdict: boolean;
  note: string;
  band: Band | null;
  until: string | null;
  undoes: number | null;
  answer: Answer | null;
  finding: string | null;
  model: string | null;
}

export interface ActDone {
  number: number;
  kind: ActKind;
  undoes: number | null;
}

export interface AuditEvent {
  number: number;
  at: string;
  actor: string;
  role: string;
  action: string;
  succeeded: boolean;
  study_instance_uid: string | null;
  details: Record<string, string>;
  digest: string;
}

export interface AuditPage {
  events: AuditEvent[];
  next_before: number | null;
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
  refused_by: { model: string; reason: string }[];
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

/** Of the flags of the last `days` at the study's site; `ppv` and `ci95` are null below `fewest_answered`. */
export interface SitePpv {
  days: number;
  fewest_answered: number;
  flagged: number;
  answered: number;
  confirmed: number;
  ppv: number | null;
  ci95: [number, number] | null;
}

export interface StudyDetail extends Omit<StudyRow, "findings"> {
  findings: (Finding & { regions: Region[]; measurements: Measurement[]; site_ppv: SitePpv })[];
  series: Series[];
  analyses: Analysis[];
  results: ResultObject[];
  acts: Act[];
  fetched: string[];
  server_time: string;
}

export type IncidentKind = "needs_attention" | "refused_delivery" | "conflict" | "quarantine";

export interface Incident {
  kind: IncidentKind;
  key: string;
  handled: string;
  handled_by: string;
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
  permissions: Permission[];
  /** Address of the full viewer with {study_uid} in it; empty where none is set. */
  viewer_url: string;
  /** Logged in at the identity provider, so one logs out there, too. */
  from_provider: boolean;
  /** Whose studies the account may see; null: those of every site. */
  sites: string[] | null;
  may_break_glass: boolean;
  expires_at: string | null;
}

export type Permission =
  | "see_list"
  | "see_images"
  | "see_incidents"
  | "handle_incidents"
  | "see_operations"
  | "read_studies"
  | "lead_reading"
  | "see_audit"
  | "see_validations"
  | "see_alarms"
  | "handle_alarms"
  | "manage_users";

/** What is asked of the list; empty strings demand nothing. */
export interface Wanted {
  limit: number;
  q: string;
  band: string;
  modality: string;
  ai_state: string;
  reading: string;
  owner: string;
  site: string;
}

export interface Destination {
  name: string;
  address: string;
  planned: number;
  delivered: number;
  refused: number;
  /** Set while the destination is not tried, because of `last_error`. */
  retry_at: string | null;
  last_delivered_at: string | null;
  last_error: string;
}

/** What the administrator's page shows of the gateway. */
export interface Gateway {
  senders: { ae_title: string; host: string; open: number; associations: number; unfinished: number; last_at: string }[];
  queues: { name: string; waiting: number; working: number }[];
  stages: { stage: string; studies: number; median_s: number; p95_s: number }[];
  oldest_waiting_s: Partial<Record<Band, number>>;
  destinations: Destination[];
  disk: { total_bytes: number; free_bytes: number; kept_free_bytes: number } | null;
}

/** Plan again all that a destination refused. */
export function replayDeliveries(destination: string): Promise<{ replayed: number }> {
  return ask("/api/v1/deliveries/replay", { method: "POST", body: { destination } });
}

export interface InstalledModel {
  id: number;
  name: string;
  version: string;
  digest: string;
  task: string;
  state: "draft" | "shadow" | "active" | "retired";
  licence: string;
  origin: string;
  modalities: string[];
  registered_at: string;
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

/** `path` is what stands behind the study in the address of an act: "claim", "verdicts", … */
export function postAct(uid: string, path: string, body?: unknown): Promise<ActDone> {
  return ask(`/api/v1/studies/${encodeURIComponent(uid)}/${path}`, { method: "POST", body });
}

/** Open a study of another site; `asked` is its UID or its accession number. */
export function breakGlass(asked: string, cause: string, note: string): Promise<{ study_instance_uid: string }> {
  return ask("/api/v1/break-glass", { method: "POST", body: { asked, cause, note } });
}

export async function handleIncident(key: string, act: "acknowledged" | "closed"): Promise<void> {
  await ask("/api/v1/incidents/acts", { method: "POST", body: { key, act } });
}

export function fetchAudit(before: number | null, signal: AbortSignal): Promise<AuditPage> {
  return ask(`/api/v1/audit?limit=200${before === null ? "" : `&before=${before}`}`, { signal });
}

export function fetchIncidents(signal: AbortSignal): Promise<Incidents> {
  return ask("/api/v1/incidents", { signal });
}

export function fetchGateway(signal: AbortSignal): Promise<Gateway> {
  return ask("/api/v1/gateway", { signal });
}

export async function fetchModels(signal: AbortSignal): Promise<InstalledModel[]> {
  return (await ask<{ models: InstalledModel[] }>("/api/v1/models", { signal })).models;
}

export async function fetchCard(path: string, signal: AbortSignal): Promise<string> {
  const response = await fetch(`/api/v1/${path}`, { signal });
  if (!response.ok) throw new ApiError(response.status, await reasonOf(response));
  return response.text();
}

/** The filters that are kept under each name. */
export type SavedViews = Record<string, Record<string, string>>;

export async function fetchViews(signal: AbortSignal): Promise<SavedViews> {
  return (await ask<{ views: SavedViews }>("/api/v1/views", { signal })).views;
}

export async function keepView(name: string, filters: Record<string, string>): Promise<void> {
  await ask(`/api/v1/views/${encodeURIComponent(name)}`, { method: "PUT", body: filters });
}

export async function forgetView(name: string): Promise<void> {
  await ask(`/api/v1/views/${encodeURIComponent(name)}`, { method: "DELETE" });
}

export function fetchSession(signal: AbortSignal): Promise<Session> {
  return ask("/api/v1/session", { signal });
}

export function logIn(name: string, password: string): Promise<Session> {
  return ask("/api/v1/session", { method: "POST", body: { name, password } });
}

/** What the log-in page calls the identity provider; empty where there is none. */
export function fetchProvider(signal: AbortSignal): Promise<{ name: string }> {
  return ask("/api/v1/session/provider", { signal });
}

export async function logOut(): Promise<void> {
  await fetch("/api/v1/session", { method: "DELETE" });
}

export async function ask<Told>(
  path: string,
  options: { method?: string; body?: unknown; signal?: AbortSignal } = {},
): Promise<Told> {
  const response = await fetch(path, {
    method: options.method ?? "GET",
    headers: options.body === undefined ? {} : { "Content-Type": "application/json" },
    body: options.body === undefined ? null : JSON.stringify(options.body),
    signal: options.signal ?? null,
  });
  if (!response.ok) throw new ApiError(response.status, await reasonOf(response));
  return (response.status === 204 ? undefined : await response.json()) as Told;
}

async function reasonOf(response: Response): Promise<string> {
  try {
    const { detail } = (await response.json()) as { detail?: unknown };
    if (typeof detail === "string") return told(detail);
  } catch {
    // A proxy in between may answer with something that is no JSON; the status says enough.
  }
  return words.frame.answeredStatus(response.status);
}
