/** For the quality manager: how every scanner and model stands, which alarms are open, and what shows them best. */

import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { ApiError } from "../api";
import { useNow } from "../clock";
import { capitalised, clockTime } from "../words";
import { words } from "../words/language";
import { AlarmList } from "./AlarmList";
import { Overview } from "./Overview";
import { StreamDetail } from "./StreamDetail";
import "./surveillance.css";
import { isSame } from "./streamWords";
import { fetchAlarms, fetchStreams, type StreamKey, type StreamKind } from "./surveillanceApi";

interface Props {
  /** The number of the alarm that is shown, as the address has it; 0: none. */
  alarm: number;
  handles: boolean;
  onAlarm: (number: number) => void;
  /** Absent for those who may not see the list. */
  onStudy: ((uid: string) => void) | undefined;
}

export interface Picked {
  kind: StreamKind;
  key: StreamKey;
}

export function SurveillancePage({ alarm, handles, onAlarm, onStudy }: Props): ReactNode {
  const now = useNow();
  const [picked, setPicked] = useState<Picked | null>(null);
  const alarms = useQuery({ queryKey: ["alarms"], queryFn: ({ signal }) => fetchAlarms(signal), refetchInterval: 60_000 });
  const streams = useQuery({
    queryKey: ["surveillance"],
    queryFn: ({ signal }) => fetchStreams(signal),
    refetchInterval: 600_000,
  });
  const error = alarms.error ?? streams.error;
  const found = alarms.data ?? [];
  const named = found.find((one) => one.number === alarm);
  const shown: Picked | null = named ? { kind: named.kind, key: named } : picked;
  const back = (): void => {
    setPicked(null);
    onAlarm(0);
  };
  const told = (
    <>
      {error && <p role="alert">{error instanceof ApiError ? capitalised(error.message) : words.system.noAnswer}.</p>}
      {(alarms.isPending || streams.isPending) && <p className="muted">{words.watch.looking}</p>}
      {alarm > 0 && alarms.data && !named && <p role="alert">{words.watch.noAlarm(alarm)}</p>}
    </>
  );
  if (shown && streams.data)
    return (
      <div className="scroller watch" tabIndex={0} role="region" aria-label={words.watch.title}>
        {told}
        <StreamDetail
          streams={streams.data.streams.filter(
            (one) => one.kind === shown.kind && isSame({ ...one, stream: "" }, { ...shown.key, stream: "" }),
          )}
          picked={shown}
          alarms={found}
          handles={handles}
          onPick={(key) => {
            onAlarm(0);
            setPicked({ kind: shown.kind, key });
          }}
          onBack={back}
          onStudy={onStudy}
        />
      </div>
    );
  const open = found.filter((one) => one.state !== "closed");
  const closed = found.filter((one) => one.state === "closed");
  return (
    <div className="scroller watch" tabIndex={0} role="region" aria-label={words.watch.title}>
      <header className="watch-head">
        <h2>{words.watch.title}</h2>
        {streams.data && (
          <p className="muted">
            {words.watch.lookedAt(streams.data.streams.length, clockTime(streams.data.looked_at, now))}
          </p>
        )}
      </header>
      {told}
      {alarms.data && <AlarmList title={words.watch.openAlarms} alarms={open} nothing={words.watch.noneOpen} onAlarm={onAlarm} />}
      {streams.data && <Overview streams={streams.data.streams} alarms={found} onPick={setPicked} />}
      {closed.length > 0 && <AlarmList title={words.watch.closedAlarms} alarms={closed} nothing="" onAlarm={onAlarm} />}
    </div>
  );
}
