import { useQuery } from "@tanstack/react-query";
import { Suspense, lazy, type ReactNode } from "react";
import { ApiError, fetchStudy, type Analysis, type Measurement, type Region, type Session, type StudyDetail } from "./api";
import type { Acts, WorkWord } from "./acts";
import { Score } from "./AiStatement";
import { BreakGlassButton } from "./BreakGlass";
import { useNow } from "./clock";
import { BandIcon, FlagIcon, NoFlagIcon } from "./icons";
import { History } from "./History";
import { Panel, Section } from "./Panel";
import { DueIn } from "./Row";
import { WorkBar, WorkLines } from "./WorkBar";
import {
  BAND_WORDS,
  NOT_A_DIAGNOSIS,
  aiWords,
  capitalised,
  clockTime,
  counted,
  findingWords,
  isOfEarlierImages,
  probability,
  withoutSimulated,
} from "./words";

interface Props {
  uid: string;
  session: Session;
  acts: Acts;
  onWork: (word: WorkWord) => void;
  onPlaces: (areShown: boolean) => void;
  onClose: () => void;
}

// The list must be quick; the viewer comes when the first study is opened.
const Viewer = lazy(() => import("./viewer/Viewer"));

export function StudyPanel({ uid, session, acts, onWork, onPlaces, onClose }: Props): ReactNode {
  const study = useQuery({
    queryKey: ["study", uid],
    queryFn: ({ signal }) => fetchStudy(uid, signal),
    refetchInterval: 10_000,
  });
  const name = study.data?.patient.name || "Study";
  return (
    <Panel
      title={name}
      subtitle={study.data && <PatientLine study={study.data} />}
      media={
        session.permissions.includes("see_images") && (
          <section className="media" aria-label="Images">
            <Suspense fallback={<div className="stage" />}>
              {study.data && (
                <Viewer key={`${uid} ${study.data.revision}`} uid={uid} findings={study.data.findings} onPlaces={onPlaces} />
              )}
            </Suspense>
          </section>
        )
      }
      onClose={onClose}
    >
      {study.data && <Content key={uid} study={study.data} session={session} acts={acts} onWork={onWork} />}
      {!study.data && study.error && <p role="alert">{errorWords(study.error)}</p>}
      {!study.data && study.error instanceof ApiError && study.error.status === 403 && (
        <div className="refused">
          <BreakGlassButton session={session} uid={uid} onOpened={() => void study.refetch()} />
        </div>
      )}
      {study.isPending && <p className="muted">Loading…</p>}
    </Panel>
  );
}

function errorWords(error: Error): string {
  return error instanceof ApiError ? capitalised(error.message) : "The server does not answer.";
}

function PatientLine({ study }: { study: StudyDetail }): ReactNode {
  const { age, sex, patient_id: id } = study.patient;
  return <p className="muted">{[age, sex, id && `ID ${id}`].filter(Boolean).join(" · ")}</p>;
}

interface ContentProps extends Pick<Props, "session" | "acts" | "onWork"> {
  study: StudyDetail;
}

function Content({ study, session, acts, onWork }: ContentProps): ReactNode {
  const reads = session.permissions.includes("read_studies");
  return (
    <>
      {reads && <WorkBar study={study} me={session.name} onWork={onWork} />}
      <div className={`summary summary-${study.band.toLowerCase()}`}>
        <span className={`band band-${study.band.toLowerCase()}`}>
          <BandIcon band={study.band} /> {BAND_WORDS[study.band]}
        </span>
        <DueIn deadline={study.deadline} />
        <p>{capitalised(study.reason)}</p>
        <WorkLines study={study} me={session.name} />
      </div>
      <Facts study={study} />
      <Section title="What the AI says">
        <p className="ai-head">
          <strong>{aiWords(study)}</strong> <span className="disclaimer">{NOT_A_DIAGNOSIS}</span>
        </p>
        {isOfEarlierImages(study) && (
          <p className="notice">More images arrived after this analysis; the new one is not there yet.</p>
        )}
        {study.findings.map((finding) => (
          <FindingCard key={`${finding.model_digest}${finding.code}`} finding={finding} />
        ))}
        {study.findings.length === 0 && <p className="muted">No finding is recorded. That does not mean normal.</p>}
      </Section>
      <Section title="What was analysed">
        <SeriesList study={study} />
        {study.analyses.map((analysis) => (
          <AnalysisLine key={`${analysis.recorded_at}${analysis.model}`} analysis={analysis} />
        ))}
      </Section>
      <Section title="What readers did">
        <History
          acts={study.acts}
          me={session.name}
          leads={session.permissions.includes("lead_reading")}
          onUndo={(act) => acts.undo(study.study_instance_uid, act)}
        />
      </Section>
      <Section title="Where the results went">
        <Deliveries study={study} />
      </Section>
    </>
  );
}

function Facts({ study }: { study: StudyDetail }): ReactNode {
  const now = useNow();
  const facts: [string, string][] = [
    ["Study", [...study.modalities, ...study.body_parts, withoutSimulated(study.description)].filter(Boolean).join(" · ") || "unknown"],
    ["Accession", study.accession || "none"],
    ["Order priority", study.order_priority || "none given"],
    ["From", [study.institution, study.source_ae_titles.join(", "), ...study.fetched].filter(Boolean).join(" · ") || "unknown"],
    ["Received", `${clockTime(study.received_at, now)}, ${counted(study.instances, "image", "images")}`],
    ["Analysed", study.triaged_at ? clockTime(study.triaged_at, now) : "not yet"],
    ["Delivered", study.delivered_at ? clockTime(study.delivered_at, now) : "not yet"],
    ["Revision", String(study.revision)],
  ];
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            {value} {name === "Study" && study.simulated && <span className="badge">SIMULATED</span>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function FindingCard({ finding }: { finding: StudyDetail["findings"][number] }): ReactNode {
  return (
    <div className={finding.flagged ? "card card-flagged" : "card"}>
      <p className="card-title">
        {finding.flagged ? <FlagIcon /> : <NoFlagIcon />} {findingWords(finding)}
        <span className="muted">: {finding.flagged ? "flagged" : "no flag"}</span>
      </p>
      <Score finding={finding} />
      <p className="second">
        Operating point “{finding.operating_point}”: flags from {probability(finding.threshold, finding.probability)} on.
      </p>
      {finding.measurements.length > 0 && <Measured measurements={finding.measurements} />}
      {finding.regions.length > 0 && (
        <ul className="regions">
          {finding.regions.slice(0, 12).map((region, number) => (
            <li key={number}>
              Region {number + 1}: {regionWords(region)}, probability {probability(region.probability)}
            </li>
          ))}
          {finding.regions.length > 12 && <li>{finding.regions.length - 12} more regions</li>}
        </ul>
      )}
      <p className="second mono">
        {finding.model} {finding.model_version} · sha256 {finding.model_digest.slice(0, 12)}…
      </p>
    </div>
  );
}

function Measured({ measurements }: { measurements: Measurement[] }): ReactNode {
  return (
    <dl className="facts measured">
      {measurements.map((one, number) => (
        <div key={number}>
          <dt>{one.meaning}</dt>
          <dd>
            {one.value.toFixed(1)} {one.unit}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function regionWords(region: Region): string {
  const [left, top, right, bottom] = region.box.map(Math.round);
  const frame = region.frame_number === null ? "" : `frame ${region.frame_number}, `;
  return `image …${region.sop_instance_uid.slice(-12)}, ${frame}x ${left} to ${right} px, y ${top} to ${bottom} px`;
}

function SeriesList({ study }: { study: StudyDetail }): ReactNode {
  return (
    <ul className="series">
      {study.series.map((series) => (
        <li key={series.series_instance_uid}>
          <span className="first">
            {[series.modality, series.body_part, series.description].filter(Boolean).join(" · ") || "Series"}
          </span>
          <span className="second">
            {counted(series.instances, "image", "images")} ·{" "}
            {series.analysed_by.length ? `analysed by ${series.analysed_by.join(", ")}` : "not analysed"}
          </span>
          {series.refused_by.map((one) => (
            <span key={one.model} className="second">
              {one.model}: {one.reason}
            </span>
          ))}
        </li>
      ))}
    </ul>
  );
}

function AnalysisLine({ analysis }: { analysis: Analysis }): ReactNode {
  const now = useNow();
  const said = analysis.out_of_scope ? `out of scope: ${analysis.out_of_scope}` : "answered";
  return (
    <p className="second">
      {analysis.model} {analysis.model_version}, {clockTime(analysis.recorded_at, now)}, revision {analysis.revision}:{" "}
      {said}, {analysis.provider}, reading {analysis.reading_s.toFixed(1)} s, inference {analysis.inference_s.toFixed(1)} s
      {analysis.quality.length > 0 && `; noticed: ${analysis.quality.join(", ")}`}
    </p>
  );
}

const KIND_WORDS: Record<string, string> = { sr: "Report (SR)", seg: "Segmentation", sc: "Image (SC)" };

function Deliveries({ study }: { study: StudyDetail }): ReactNode {
  const now = useNow();
  if (study.results.length === 0) return <p className="muted">No result object has been written.</p>;
  return (
    <ul className="series">
      {study.results.map((result) => (
        <li key={result.sop_instance_uid}>
          <span className="first">
            {KIND_WORDS[result.kind] ?? result.kind} of revision {result.revision}
          </span>
          {result.deliveries.map((one) => (
            <span key={one.destination} className={one.state === "refused" ? "second over" : "second"}>
              {one.destination}: {one.state}
              {one.delivered_at && ` ${clockTime(one.delivered_at, now)}`}
              {one.last_error && ` (${one.last_error})`}
            </span>
          ))}
          {result.deliveries.length === 0 && <span className="second">no destination asks for it</span>}
        </li>
      ))}
    </ul>
  );
}
