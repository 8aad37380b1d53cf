import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { ApiError, type Incident, type IncidentKind, type Incidents } from "./api";
import { useNow } from "./clock";
import { FailedIcon } from "./icons";
import { Panel } from "./Panel";
import { INCIDENT_WORDS, capitalised, clockTime } from "./words";

interface Props {
  incidents: UseQueryResult<Incidents>;
  onOpen: (uid: string) => void;
  onClose: () => void;
}

export function AttentionPanel({ incidents, onOpen, onClose }: Props): ReactNode {
  const found = incidents.data?.incidents ?? [];
  return (
    <Panel title="Needs attention" onClose={onClose}>
      {incidents.error instanceof ApiError && <p role="alert">{capitalised(incidents.error.message)}.</p>}
      {incidents.data && found.length === 0 && <p className="muted">Nothing needs attention.</p>}
      {incidents.data && <Counts counts={incidents.data.counts} />}
      <ul className="incidents">
        {found.map((incident, place) => (
          <IncidentItem key={place} incident={incident} onOpen={onOpen} />
        ))}
      </ul>
    </Panel>
  );
}

function Counts({ counts }: { counts: Incidents["counts"] }): ReactNode {
  const kinds = (Object.keys(INCIDENT_WORDS) as IncidentKind[]).filter((kind) => counts[kind]);
  return <p className="muted">{kinds.map((kind) => `${INCIDENT_WORDS[kind]}: ${counts[kind]}`).join(" · ")}</p>;
}

function IncidentItem({ incident, onOpen }: { incident: Incident; onOpen: (uid: string) => void }): ReactNode {
  const now = useNow();
  const uid = incident.study_instance_uid;
  return (
    <li className="card">
      <p className="card-title">
        <FailedIcon /> {INCIDENT_WORDS[incident.kind]}
        <span className="muted"> {clockTime(incident.at, now)}</span>
      </p>
      <p>{capitalised(incident.reason) || "No reason was given."}</p>
      <p className="second mono">
        {[incident.origin, incident.sop_instance_uid && `object ${incident.sop_instance_uid}`].filter(Boolean).join(" · ")}
      </p>
      {uid && (
        <button type="button" className="button" onClick={() => onOpen(uid)}>
          Open the study
        </button>
      )}
    </li>
  );
}
