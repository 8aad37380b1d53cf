import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { BandIcon } from "../icons";
import { words } from "../words/language";
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
    <div role="status" aria-label={words.watch.concernReading}>
      {first && (
        <p className="alarm-banner">
          <BandIcon band="URGENT" />
          <span>
            <strong>{placeWords(first)}:</strong>{" "}
            {words.watch.banner(changeOf(first.stream), dayWords(first.changed_on), first.state === "open", others.length)}
          </span>
          <button type="button" className="button" onClick={() => onOpen(first.number)}>
            {words.watch.alarm(first.number)}
          </button>
        </p>
      )}
    </div>
  );
}

function changeOf(stream: string): string {
  return words.watch.hasChanged[stream] ?? words.watch.streamChanged(streamWords(stream));
}
