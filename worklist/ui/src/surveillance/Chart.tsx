import type { ReactNode } from "react";
import { locale, words } from "../words/language";
import { dayWords, figure } from "./streamWords";
import type { Alarm, ChartDay } from "./surveillanceApi";

const WIDTH = 900;
const HEIGHT = 260;
const LEFT = 46;
const RIGHT = 12;
const TOP = 14;
const BOTTOM = 30;

interface Props {
  days: ChartDay[];
  limit: number;
  alarm: Alarm | undefined;
  name: string;
}

/** Both sums of the CUSUM, the rises above the centre and the falls below it, and each day's own value as a point. */
export function Chart({ days, limit, alarm, name }: Props): ReactNode {
  const furthest = Math.max(1.2 * limit, ...days.map((one) => 1.05 * Math.max(one.upper, one.lower)));
  const x = (place: number): number => LEFT + ((WIDTH - LEFT - RIGHT) * place) / Math.max(1, days.length - 1);
  const y = (value: number): number => TOP + ((HEIGHT - TOP - BOTTOM) * (furthest - value)) / (2 * furthest);
  const line = (of: (one: ChartDay) => number): string =>
    days.map((one, place) => `${place ? "L" : "M"}${x(place).toFixed(1)} ${y(of(one)).toFixed(1)}`).join("");
  const changed = alarm ? days.findIndex((one) => one.day === alarm.changed_on) : -1;
  const last = days[days.length - 1];
  return (
    <figure className="chart">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={summary(name, days, limit)}>
        {changed >= 0 && (
          <g className="chart-change">
            <rect x={x(changed)} y={TOP} width={WIDTH - RIGHT - x(changed)} height={HEIGHT - TOP - BOTTOM} />
            <path d={`M${x(changed)} ${TOP}V${HEIGHT - BOTTOM}`} />
          </g>
        )}
        {[limit, 0, -limit].map((level) => (
          <g key={level} className={level === 0 ? "chart-centre" : "chart-limit"}>
            <path d={`M${LEFT} ${y(level)}H${WIDTH - RIGHT}`} />
            <text x={LEFT - 6} y={y(level) + 4} textAnchor="end">
              {level === 0 ? "0" : figure(Math.abs(level))}
            </text>
          </g>
        ))}
        {days.map(
          (one, place) =>
            one.value !== null && <circle key={one.day} className="chart-point" cx={x(place)} cy={y(one.value)} r="2" />,
        )}
        <path className="chart-sum" d={line((one) => one.upper)} />
        <path className="chart-sum" d={line((one) => -one.lower)} />
        {monthsOf(days).map(([place, month]) => (
          <text key={place} className="chart-month" x={x(place)} y={HEIGHT - 8} textAnchor="middle">
            {month}
          </text>
        ))}
      </svg>
      <figcaption className="second">
        {words.watch.chartCaption}
        {changed >= 0 && words.watch.shaded}
        {last && words.watch.until(dayWords(last.day))}
      </figcaption>
    </figure>
  );
}

function monthsOf(days: ChartDay[]): [number, string][] {
  return days.flatMap((one, place): [number, string][] =>
    one.day.endsWith("-01") && place > 5 && place < days.length - 5
      ? [[place, new Date(`${one.day}T12:00:00`).toLocaleDateString(locale(), { month: "short" })]]
      : [],
  );
}

function summary(name: string, days: ChartDay[], limit: number): string {
  const first = days[0];
  const last = days[days.length - 1];
  if (!first || !last) return name;
  const beyond = days.filter((one) => Math.max(one.upper, one.lower) > limit).length;
  const now = Math.max(last.upper, last.lower);
  return words.watch.chartSummary(name, dayWords(first.day), dayWords(last.day), figure(now), figure(limit), beyond);
}
