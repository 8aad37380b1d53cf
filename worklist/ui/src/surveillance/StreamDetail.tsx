/** One scanner or model, one kind of stream: its charts, its alarms, and the studies that show them best. */

import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, type ReactNode } from "react";
import { AlarmCard } from "./AlarmCard";
import { Chart } from "./Chart";
import { LevelIcon } from "./LevelIcon";
import type { Picked } from "./SurveillancePage";
import { KIND_WORDS, changeWords, figure, isSame, percent, placeWords, ratioOf, standingOf, streamWords } from "./streamWords";
import { fetchChart, type Alarm, type Stream, type StreamKey } from "./surveillanceApi";

interface Props {
  streams: Stream[];
  picked: Picked;
  alarms: Alarm[];
  handles: boolean;
  onPick: (key: StreamKey) => void;
  onBack: () => void;
  onStudy: ((uid: string) => void) | undefined;
}

export function StreamDetail({ streams, picked, alarms, handles, onPick, onBack, onStudy }: Props): ReactNode {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const shown = streams.find((one) => isSame(one, picked.key)) ?? (picked.key.stream ? undefined : foremost(streams, alarms));
  const key = shown ?? picked.key;
  const own = alarms.filter((one) => isSame(one, key));
  return (
    <>
      <header className="watch-head">
        <button type="button" className="button" onClick={onBack}>
          ← All scanners and models
        </button>
        <h2 ref={heading} tabIndex={-1}>
          {placeWords(picked.key)}: {KIND_WORDS[picked.kind].toLowerCase()}
        </h2>
        <p className="muted">{picked.key.site || "Site without a name"}</p>
      </header>
      <ul className="streams" aria-label="Streams">
        {streams.map((one) => (
          <li key={one.stream}>
            <StreamButton stream={one} alarms={alarms} isShown={one === shown} onPick={() => onPick(one)} />
          </li>
        ))}
      </ul>
      {shown ? (
        <ChartPart stream={shown} alarms={own} />
      ) : (
        <p className="muted watch-part">{streamWords(key.stream)} is not watched any more.</p>
      )}
      {own.map((alarm) => (
        <AlarmCard key={alarm.number} alarm={alarm} handles={handles} onStudy={onStudy} />
      ))}
    </>
  );
}

interface ButtonProps {
  stream: Stream;
  alarms: Alarm[];
  isShown: boolean;
  onPick: () => void;
}

function StreamButton({ stream, alarms, isShown, onPick }: ButtonProps): ReactNode {
  const standing = standingOf([stream], alarms);
  return (
    <button type="button" className={`cell level-${standing.level}`} aria-pressed={isShown} onClick={onPick}>
      <strong>{streamWords(stream.stream)}</strong>
      <span className="level">
        <LevelIcon level={standing.level} /> {standing.words}
      </span>
      <span className="second">{stream.limit === null ? "needs 90 days and 200 studies" : `${percent(ratioOf(stream))} of the limit`}</span>
    </button>
  );
}

function ChartPart({ stream, alarms }: { stream: Stream; alarms: Alarm[] }): ReactNode {
  const chart = useQuery({
    queryKey: ["surveillance", "chart", stream.site, stream.scanner, stream.model, stream.stream],
    queryFn: ({ signal }) => fetchChart(stream, signal),
    enabled: stream.limit !== null,
  });
  const open = alarms.find((one) => one.state !== "closed") ?? alarms[0];
  return (
    <section className="watch-part" aria-label={`Chart of ${streamWords(stream.stream)}`}>
      <h3>{streamWords(stream.stream)}</h3>
      {stream.limit !== null && chart.data && chart.data.length > 0 && (
        <Chart days={chart.data} limit={stream.limit} alarm={open} name={streamWords(stream.stream)} />
      )}
      {stream.stream === "silence" && stream.limit !== null && (
        <p className="muted">Silence is counted in studies that failed to come and has no daily chart.</p>
      )}
      <dl className="watch-figures">
        <div>
          <dt>Smallest change found</dt>
          <dd>
            {changeWords(stream)}
            <span className="second">
              {stream.stream === "silence" ? "the longest silence that can pass unnoticed" : "within 28 days on average, at this volume"}
            </span>
          </dd>
        </div>
        <div>
          <dt>Now</dt>
          <dd>
            {stream.limit === null || stream.statistic === null
              ? "Not enough data"
              : `${figure(stream.statistic)} of ${figure(stream.limit)}`}
            <span className="second">sum against its limit</span>
          </dd>
        </div>
        <div>
          <dt>Rests on</dt>
          <dd>
            {stream.baseline_days === null ? "No baseline yet" : `${stream.baseline_days} days`}
            <span className="second">{figure(stream.usual_per_day)} studies on a usual day</span>
          </dd>
        </div>
      </dl>
    </section>
  );
}

/** The stream that one looks at first: in alarm, else nearest to its limit. */
function foremost(streams: Stream[], alarms: Alarm[]): Stream | undefined {
  const isOpen = (one: Stream): boolean => alarms.some((alarm) => alarm.state !== "closed" && isSame(alarm, one));
  return [...streams].sort((a, b) => Number(isOpen(b)) - Number(isOpen(a)) || ratioOf(b) - ratioOf(a))[0];
}
