import { useQuery } from "@tanstack/react-query";
import { Suspense, useState, type ReactNode } from "react";
import { ApiError, fetchStudy, type Analysis, type Finding, type Measurement, type Region, type Session, type StudyDetail } from "./api";
import type { Acts, WorkWord } from "./acts";
import { Score } from "./AiStatement";
import { arriving } from "./arriving";
import { BreakGlassButton } from "./BreakGlass";
import { useNow } from "./clock";
import { BandIcon, FlagIcon, NoFlagIcon } from "./icons";
import { History } from "./History";
import { ModelCard } from "./ModelCard";
import { Panel, Section } from "./Panel";
import { DueIn } from "./Row";
import { told } from "./sentences";
import { SitePpvLines } from "./SitePpvLines";
import { WorkBar, WorkLines } from "./WorkBar";
import {
  ageWords,
  aiWords,
  capitalised,
  clockTime,
  decimal,
  findingWords,
  isOfEarlierImages,
  measurementWords,
  probability,
  reasonWords,
  sexWords,
  withoutSimulated,
} from "./words";
import { words } from "./words/language";

interface Props {
  uid: string;
  session: Session;
  acts: Acts;
  onWork: (word: WorkWord) => void;
  onPlaces: (areShown: boolean) => void;
  onClose: () => void;
}

const Viewer = arriving(async () => (await import("./viewer/Viewer")).Viewer);

export function StudyPanel({ uid, session, acts, onWork, onPlaces, onClose }: Props): ReactNode {
  const study = useQuery({
    queryKey: ["study", uid],
    queryFn: ({ signal }) => fetchStudy(uid, signal),
    refetchInterval: 10_000,
  });
  const name = study.data?.patient.name || words.study.study;
  return (
    <Panel
      title={name}
      subtitle={study.data && <PatientLine study={study.data} />}
      media={
        session.permissions.includes("see_images") && (
          <section className="media" aria-label={words.study.images}>
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
      {study.isPending && <p className="muted">{words.frame.loading}</p>}
    </Panel>
  );
}

function errorWords(error: Error): string {
  return error instanceof ApiError ? capitalised(error.message) : words.frame.noAnswer;
}

function PatientLine({ study }: { study: StudyDetail }): ReactNode {
  const { age, sex, patient_id: id } = study.patient;
  return (
    <p className="muted">
      <bdi>{[ageWords(age), sexWords(sex), id && `ID ${id}`].filter(Boolean).join(" · ")}</bdi>
    </p>
  );
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
          <BandIcon band={study.band} /> {words.list.bands[study.band]}
        </span>
        <DueIn deadline={study.deadline} />
        <p>{reasonWords(study)}</p>
        <WorkLines study={study} me={session.name} />
      </div>
      <Section title={words.study.whatAiSays}>
        <p className="ai-head">
          <strong>{aiWords(study)}</strong> <span className="disclaimer">{words.frame.notADiagnosis}</span>
        </p>
        {isOfEarlierImages(study) && (
          <p className="notice">{words.study.moreImagesCame}</p>
        )}
        {study.findings.map((finding) => (
          <FindingCard key={`${finding.model_digest}${finding.code}`} finding={finding} site={study.institution} />
        ))}
        {study.findings.length === 0 && <p className="muted">{words.study.noFinding}</p>}
      </Section>
      <Facts study={study} />
      <Section title={words.study.whatWasAnalysed}>
        <SeriesList study={study} />
        {study.analyses.map((analysis) => (
          <AnalysisLine key={`${analysis.recorded_at}${analysis.model}`} analysis={analysis} />
        ))}
      </Section>
      <Section title={words.study.whatReadersDid}>
        <History
          acts={study.acts}
          me={session.name}
          leads={session.permissions.includes("lead_reading")}
          onUndo={(act) => acts.undo(study.study_instance_uid, act)}
        />
      </Section>
      <Section title={words.study.whereResultsWent}>
        <Deliveries study={study} />
      </Section>
    </>
  );
}

function Facts({ study }: { study: StudyDetail }): ReactNode {
  const now = useNow();
  const told = words.study.facts;
  const facts: [string, string][] = [
    [told.study, [...study.modalities, ...study.body_parts, withoutSimulated(study.description)].filter(Boolean).join(" · ") || words.study.unknown],
    [told.accession, study.accession || words.study.none],
    [told.order, study.order_priority || words.study.noneGiven],
    [told.from, [study.institution, study.source_ae_titles.join(", "), ...study.fetched].filter(Boolean).join(" · ") || words.study.unknown],
    [told.received, `${clockTime(study.received_at, now)}, ${words.list.images(study.instances)}`],
    [told.analysed, study.triaged_at ? clockTime(study.triaged_at, now) : words.study.notYet],
    [told.delivered, study.delivered_at ? clockTime(study.delivered_at, now) : words.study.notYet],
    [told.revision, String(study.revision)],
  ];
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            {value} {name === told.study && study.simulated && <span className="badge">{words.list.simulated}</span>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function FindingCard({ finding, site }: { finding: StudyDetail["findings"][number]; site: string }): ReactNode {
  return (
    <div className={finding.flagged ? "card card-flagged" : "card"}>
      <p className="card-title">
        {finding.flagged ? <FlagIcon /> : <NoFlagIcon />} {findingWords(finding)}
        <span className="muted">: {finding.flagged ? words.study.flagged : words.study.noFlag}</span>
      </p>
      <Score finding={finding} />
      <p className="second">
        {words.study.operatingPoint(finding.operating_point, probability(finding.threshold, finding.probability))}
      </p>
      {finding.flagged && <SitePpvLines known={finding.site_ppv} site={site} />}
      {finding.measurements.length > 0 && <Measured measurements={finding.measurements} />}
      {finding.regions.length > 0 && <Places regions={finding.regions} />}
      <p className="second mono">
        {finding.model} {finding.model_version} · sha256 {finding.model_digest.slice(0, 12)}…
      </p>
      <CardButton finding={finding} />
    </div>
  );
}

/** The places are marked in the images; their numbers are for whoever needs them. */
function Places({ regions }: { regions: Region[] }): ReactNode {
  return (
    <details className="second">
      <summary>{words.study.places(regions.length)}</summary>
      <ul className="regions">
        {regions.slice(0, 12).map((region, number) => (
          <li key={number}>{words.study.region(number + 1, regionWords(region), probability(region.probability))}</li>
        ))}
        {regions.length > 12 && <li>{words.study.moreRegions(regions.length - 12)}</li>}
      </ul>
    </details>
  );
}

function CardButton({ finding }: { finding: Finding }): ReactNode {
  const [isOpen, setOpen] = useState(false);
  const model = `${finding.model} ${finding.model_version}`;
  return (
    <>
      <button type="button" className="button" aria-label={words.system.cardOf(model)} onClick={() => setOpen(true)}>
        {words.study.modelCard}
      </button>
      {isOpen && <ModelCard title={model} path={`cards/${finding.model_digest}`} onClose={() => setOpen(false)} />}
    </>
  );
}

function Measured({ measurements }: { measurements: Measurement[] }): ReactNode {
  return (
    <dl className="facts measured">
      {measurements.map((one, number) => (
        <div key={number}>
          <dt>{measurementWords(one)}</dt>
          <dd>
            {decimal(one.value, 1)} {one.unit}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function regionWords(region: Region): string {
  const [left = 0, top = 0, right = 0, bottom = 0] = region.box.map(Math.round);
  return words.study.place(region.sop_instance_uid.slice(-12), region.frame_number, [left, right], [top, bottom]);
}

function SeriesList({ study }: { study: StudyDetail }): ReactNode {
  return (
    <ul className="series">
      {study.series.map((series) => (
        <li key={series.series_instance_uid}>
          <span className="first">
            {[series.modality, series.body_part, series.description].filter(Boolean).join(" · ") || words.study.series}
          </span>
          <span className="second">
            {words.list.images(series.instances)} ·{" "}
            {series.analysed_by.length ? words.study.analysedBy(series.analysed_by.join(", ")) : words.study.notAnalysed}
          </span>
          {series.refused_by.map((one) => (
            <span key={one.model} className="second">
              {one.model}: {told(one.reason)}
            </span>
          ))}
        </li>
      ))}
    </ul>
  );
}

function AnalysisLine({ analysis }: { analysis: Analysis }): ReactNode {
  const now = useNow();
  const said = analysis.out_of_scope ? words.study.outOfScope(told(analysis.out_of_scope)) : words.study.answered;
  return (
    <p className="second">
      {analysis.model} {analysis.model_version}, {clockTime(analysis.recorded_at, now)}, {words.study.revision(analysis.revision)}:{" "}
      {said}, {analysis.provider}, {words.study.took(decimal(analysis.reading_s, 1), decimal(analysis.inference_s, 1))}
      {analysis.quality.length > 0 && words.study.noticed(analysis.quality.map(told).join(", "))}
    </p>
  );
}

function Deliveries({ study }: { study: StudyDetail }): ReactNode {
  const now = useNow();
  if (study.results.length === 0) return <p className="muted">{words.study.noObject}</p>;
  return (
    <ul className="series">
      {study.results.map((result) => (
        <li key={result.sop_instance_uid}>
          <span className="first">
            {words.study.ofRevision(words.study.kinds[result.kind] ?? result.kind, result.revision)}
          </span>
          {result.deliveries.map((one) => (
            <span key={one.destination} className={one.state === "refused" ? "second over" : "second"}>
              {one.destination}: {words.study.deliveryStates[one.state] ?? one.state}
              {one.delivered_at && ` ${clockTime(one.delivered_at, now)}`}
              {one.last_error && ` (${told(one.last_error)})`}
            </span>
          ))}
          {result.deliveries.length === 0 && <span className="second">{words.study.noDestination}</span>}
        </li>
      ))}
    </ul>
  );
}
