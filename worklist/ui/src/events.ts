/** The event stream: tells which studies changed, and whether the page can rely on it. */

import { useEffect, useRef, useState } from "react";

/** "live": changes come at once. "late": the server does not hear them now. "lost": no connection. */
export type Liveness = "connecting" | "live" | "late" | "lost";

const SILENCE_MS = 35_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;

/** `onChange` is called when something changed, and when something may have changed unheard. */
export function useEvents(onChange: () => void, isWanted: boolean): Liveness {
  const [liveness, setLiveness] = useState<Liveness>("connecting");
  const handler = useRef(onChange);
  handler.current = onChange;

  useEffect(() => {
    let source: EventSource | undefined;
    let silence: number | undefined;
    let retry: number | undefined;
    let pause = FIRST_PAUSE_MS;
    let wasLive = false;

    const heard = (): void => {
      window.clearTimeout(silence);
      silence = window.setTimeout(again, SILENCE_MS);
    };
    const again = (): void => {
      source?.close();
      window.clearTimeout(silence);
      window.clearTimeout(retry);
      wasLive = false;
      setLiveness("lost");
      retry = window.setTimeout(open, pause);
      pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
    };
    const open = (): void => {
      source = new EventSource("/api/v1/events");
      // The browser would try again by itself, but gives up for good on some answers; so we always do it ourselves.
      source.onerror = again;
      source.addEventListener("ping", (event) => {
        const { connected } = JSON.parse((event as MessageEvent<string>).data) as { connected: boolean };
        pause = FIRST_PAUSE_MS;
        heard();
        if (connected && !wasLive) handler.current();
        wasLive = connected;
        setLiveness(connected ? "live" : "late");
      });
      source.addEventListener("changed", () => {
        heard();
        handler.current();
      });
      heard();
    };

    if (!isWanted) return undefined;
    open();
    return () => {
      source?.close();
      window.clearTimeout(silence);
      window.clearTimeout(retry);
    };
  }, [isWanted]);

  return liveness;
}
