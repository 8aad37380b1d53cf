/** The server's time, once a second: workstations' own clocks are often minutes off. */

import { useSyncExternalStore } from "react";

let offsetMs = 0;
let nowMs = Date.now();
const listeners = new Set<() => void>();
let timer: number | undefined;

export function setServerTime(iso: string): void {
  const measured = Date.parse(iso) - Date.now();
  if (Math.abs(measured - offsetMs) > 500) offsetMs = measured;
}

function tick(): void {
  nowMs = Math.floor((Date.now() + offsetMs) / 1000) * 1000;
  listeners.forEach((listener) => listener());
  timer = window.setTimeout(tick, 1000 - ((Date.now() + offsetMs) % 1000));
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) tick();
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      window.clearTimeout(timer);
      timer = undefined;
    }
  };
}

/** Whole seconds of server time in milliseconds; the component renders again with each. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => nowMs);
}
