/** One scanner or model, one kind of stream: its charts, its alarms, and the studies that show them best. */

import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, type ReactNode } from "react";
import { words } from "../words/language";
import { AlarmCard } from "./AlarmCard";
import { Chart } from "./Chart";
import { LevelIcon } from "./LevelIcon";
import type { Picked } from "./SurveillancePage";
import { changeWords, figure, isSame, percent, placeWords, ratioOf, standingOf, streamWords } from "./streamWords";
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
          ← {words.watch.back}
        </button>
        <h2 ref={heading} tabIndex={-1}>
          {words.watch.headOf(placeWords(picked.key), words.watch.kinds[picked.kind])}
        </h2>
        <p className="muted">{picked.key.site || words.watch.namelessSite}</p>
      </header>
      <ul className="streams" aria-label={words.watch.streamList}>
        {streams.map((one) => (
          <li key={one.stream}>
            <StreamButton stream={one} alarms={alarms} isShown={one === shown} onPick={() => onPick(one)} />
          </li>
        ))}
      </ul>
      {shown ? (
        <ChartPart stream={shown} alarms={own} />
      ) : (
        <p className="muted watch-part">{words.watch.notWatched(streamWords(key.stream))}</p>
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
      <span className="second">{stream.limit === null ? words.watch.needsHistory : words.watch.ofTheLimit(percent(ratioOf(stream)))}</span>
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
    <section className="watch-part" aria-label={words.watch.chartOf(streamWords(stream.stream))}>
      <h3>{streamWords(stream.stream)}</h3>
      {stream.limit !== null && chart.data && chart.data.length > 0 && (
        <Chart days={chart.data} limit={stream.limit} alarm={open} name={streamWords(stream.stream)} />
      )}
      {stream.stream === "silence" && stream.limit !== null && (
        <p className="muted">{words.watch.noDailyChart}</p>
      )}
      <dl className="watch-figures">
        <div>
          <dt>{words.watch.smallest}</dt>
          <dd>
            {changeWords(stream)}
            <span className="second">
              {stream.stream === "silence" ? words.watch.longestSilence : words.watch.within28}
            </span>
          </dd>
        </div>
        <div>
          <dt>{words.watch.now}</dt>
          <dd>
            {stream.limit === null || stream.statistic === null
              ? words.watch.notEnough
              : words.watch.sumOf(figure(stream.statistic), figure(stream.limit))}
            <span className="second">{words.watch.sumAgainst}</span>
          </dd>
        </div>
        <div>
          <dt>{words.watch.restsOn}</dt>
          <dd>
            {stream.baseline_days === null ? words.watch.noBaseline : words.watch.baselineDays(stream.baseline_days)}
            <span className="second">{words.watch.usualDay(figure(stream.usual_per_day))}</span>
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
