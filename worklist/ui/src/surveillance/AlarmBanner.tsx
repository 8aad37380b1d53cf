import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { BandIcon } from "../icons";
import { dayWords, placeWords, streamWords } from "./streamWords";
import { fetchBanner } from "./surveillanceApi";

/** One line at the foot of the list, where no row moves: what readers must know of scanners and models. */
export function AlarmBanner({ onOpen }: { onOpen: (alarm: number) => void }): ReactNode {
  const banner = useQuery({
    queryKey: ["alarm-banner"],
    queryFn: ({ signal }) => fetchBanner(signal),
    refetchInterval: 60_000,
  });
  const [first, ...others] = banner.data ?? [];
  return (
    <div role="status" aria-label="Alarms that concern reading">
      {first && (
        <p className="alarm-banner">
          <BandIcon band="URGENT" />
          <span>
            <strong>{placeWords(first)}:</strong> {HAS_CHANGED[first.stream] ?? `${streamWords(first.stream)} changed`} since
            about {dayWords(first.changed_on)}
            {first.state === "open" ? "; nobody has acknowledged it yet." : "; somebody looks after it."}
            {others.length > 0 && ` ${others.length} more.`}
          </span>
          <button type="button" className="button" onClick={() => onOpen(first.number)}>
            Alarm {first.number}
          </button>
        </p>
      )}
    </div>
  );
}

const HAS_CHANGED: Record<string, string> = {
  silence: "studies fail to come",
  volume: "the number of studies has changed",
  missed: "the share of missed findings has changed",
  false_flag: "the share of false flags has changed",
  wrong_place: "the share of wrong places has changed",
};
