import type { ReactNode } from "react";
import { words } from "../words/language";
import { LevelIcon } from "./LevelIcon";
import type { Picked } from "./SurveillancePage";
import { KINDS, placeWords, standingOf } from "./streamWords";
import type { Alarm, Stream, StreamKey } from "./surveillanceApi";

interface Props {
  streams: Stream[];
  alarms: Alarm[];
  onPick: (picked: Picked) => void;
}

/** Every scanner of every site, with the models that answer about its studies under it. */
export function Overview({ streams, alarms, onPick }: Props): ReactNode {
  if (streams.length === 0) return <p className="muted watch-part">{words.watch.noStudy}</p>;
  const sites = [...new Set(streams.map((one) => one.site))];
  return sites.map((site) => (
    <section key={site} className="watch-part" aria-label={siteWords(site)}>
      <h3>{siteWords(site)}</h3>
      <ul className="places">
        {placesOf(streams.filter((one) => one.site === site)).map((own) => (
          <Place key={placeWords(own[0] as Stream)} streams={own} alarms={alarms} onPick={onPick} />
        ))}
      </ul>
    </section>
  ));
}

function Place({ streams, alarms, onPick }: Props): ReactNode {
  const first = streams[0] as Stream;
  return (
    <li className={first.model ? "place place-model" : "place"}>
      <h4>
        {first.model || first.scanner || words.watch.allScanners}
        <span className="second">{whatWords(first)}</span>
      </h4>
      <ul className="cells">
        {KINDS.map((kind) => {
          const own = streams.filter((one) => one.kind === kind);
          if (own.length === 0) return null;
          const standing = standingOf(own, alarms);
          return (
            <li key={kind}>
              <button
                type="button"
                className={`cell level-${standing.level}`}
                onClick={() => onPick({ kind, key: { ...first, stream: "" } })}
              >
                <span className="muted">{words.watch.kinds[kind]}</span>
                <span className="level">
                  <LevelIcon level={standing.level} /> {standing.words}
                </span>
                <span className="second">{standing.figure || words.watch.longerHistory}</span>
              </button>
            </li>
          );
        })}
      </ul>
    </li>
  );
}

function whatWords(key: StreamKey): string {
  if (key.model) return words.watch.modelOn(key.scanner);
  return key.scanner ? words.watch.scanner : words.watch.wholeSite;
}

/** The whole site first, then each scanner with its models. */
function placesOf(streams: Stream[]): Stream[][] {
  const places = new Map<string, Stream[]>();
  for (const one of streams) places.set(placeWords(one), [...(places.get(placeWords(one)) ?? []), one]);
  const isPart = (own: Stream[]): number => Number(Boolean(own[0]?.scanner));
  return [...places.entries()].sort(([a, own], [b, other]) => isPart(own) - isPart(other) || a.localeCompare(b)).map(([, own]) => own);
}

function siteWords(site: string): string {
  return site || words.watch.namelessSite;
}
