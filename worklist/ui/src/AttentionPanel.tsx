import type { UseQueryResult } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { ApiError, handleIncident, type Incident, type IncidentKind, type Incidents } from "./api";
import { useNow } from "./clock";
import { FailedIcon } from "./icons";
import { Panel } from "./Panel";
import { told } from "./sentences";
import { capitalised, clockTime } from "./words";
import { words } from "./words/language";

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
    <Panel title={words.system.needsAttention} onClose={onClose}>
      {incidents.error instanceof ApiError && <p role="alert">{capitalised(incidents.error.message)}.</p>}
      {incidents.isPending && <p className="muted">{words.frame.loading}</p>}
      {incidents.data && found.length === 0 && <p className="muted">{words.system.nothingNeeds}</p>}
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
  const kinds = (Object.keys(words.system.incidents) as IncidentKind[]).filter((kind) => counts[kind]);
  return <p className="muted">{kinds.map((kind) => `${words.system.incidents[kind]}: ${counts[kind]}`).join(" · ")}</p>;
}

interface ItemProps extends Pick<Props, "handles" | "onHandled" | "onOpen"> {
  incident: Incident;
}

function IncidentItem({ incident, handles, onHandled, onOpen }: ItemProps): ReactNode {
  const now = useNow();
  const [error, setError] = useState("");
  const handle = (act: "acknowledged" | "closed"): void => {
    handleIncident(incident.key, act).then(onHandled, (reason: unknown) =>
      setError(reason instanceof ApiError ? capitalised(reason.message) : words.system.noAnswer),
    );
  };
  const uid = incident.study_instance_uid;
  return (
    <li className="card">
      <p className="card-title">
        <FailedIcon /> {words.system.incidents[incident.kind]}
        <span className="muted"> {clockTime(incident.at, now)}</span>
      </p>
      <p>{capitalised(told(incident.reason)) || words.system.noReason}</p>
      <p className="second mono">
        {[incident.origin, incident.sop_instance_uid && words.system.object(incident.sop_instance_uid)].filter(Boolean).join(" · ")}
      </p>
      {incident.handled && <p className="second">{words.system.seenBy(incident.handled_by)}</p>}
      {error && <p role="alert">{error}.</p>}
      <p className="card-acts">
        {uid && (
          <button type="button" className="button" onClick={() => onOpen(uid)}>
            {words.system.openStudy}
          </button>
        )}
        {handles && !incident.handled && (
          <button type="button" className="button" onClick={() => handle("acknowledged")}>
            {words.system.acknowledge}
          </button>
        )}
        {handles && (
          <button type="button" className="button" onClick={() => handle("closed")}>
            {words.frame.close}
          </button>
        )}
      </p>
    </li>
  );
}
