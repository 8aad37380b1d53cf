import type { UseQueryResult } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { ApiError, handleIncident, type Incident, type IncidentKind, type Incidents } from "./api";
import { useNow } from "./clock";
import { FailedIcon } from "./icons";
import { Panel } from "./Panel";
import { INCIDENT_WORDS, capitalised, clockTime } from "./words";

interface Props {
  incidents: UseQueryResult<Incidents>;
  handles: boolean;
  onHandled: () => void;
  onOpen: (uid: string) => void;
  onClose: () => void;
}

export function AttentionPanel({ incidents, handles, onHandled, onOpen, onClose }: Props): ReactNode {
  const found = incidents.data?.incidents ?? [];
  return (
    <Panel title="Needs attention" onClose={onClose}>
      {incidents.error instanceof ApiError && <p role="alert">{capitalised(incidents.error.message)}.</p>}
      {incidents.data && found.length === 0 && <p className="muted">Nothing needs attention.</p>}
      {incidents.data && <Counts counts={incidents.data.counts} />}
      <ul className="incidents">
        {found.map((incident) => (
          <IncidentItem key={incident.key} incident={incident} handles={handles} onHandled={onHandled} onOpen={onOpen} />
        ))}
      </ul>
    </Panel>
  );
}

function Counts({ counts }: { counts: Incidents["counts"] }): ReactNode {
  const kinds = (Object.keys(INCIDENT_WORDS) as IncidentKind[]).filter((kind) => counts[kind]);
  return <p className="muted">{kinds.map((kind) => `${INCIDENT_WORDS[kind]}: ${counts[kind]}`).join(" · ")}</p>;
}

interface ItemProps extends Pick<Props, "handles" | "onHandled" | "onOpen"> {
  incident: Incident;
}

function IncidentItem({ incident, handles, onHandled, onOpen }: ItemProps): ReactNode {
  const now = useNow();
  const [error, setError] = useState("");
  const handle = (act: "acknowledged" | "closed"): void => {
    handleIncident(incident.key, act).then(onHandled, (reason: unknown) =>
      setError(reason instanceof ApiError ? capitalised(reason.message) : "The server does not answer"),
    );
  };
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
      {incident.handled && <p className="second">Seen by {incident.handled_by}, still open.</p>}
      {error && <p role="alert">{error}.</p>}
      <p className="card-acts">
        {uid && (
          <button type="button" className="button" onClick={() => onOpen(uid)}>
            Open the study
          </button>
        )}
        {handles && !incident.handled && (
          <button type="button" className="button" onClick={() => handle("acknowledged")}>
            Acknowledge
          </button>
        )}
        {handles && (
          <button type="button" className="button" onClick={() => handle("closed")}>
            Close
          </button>
        )}
      </p>
    </li>
  );
}
