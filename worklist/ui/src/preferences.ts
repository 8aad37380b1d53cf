/** What is chosen of the page goes with the account, so that a reader finds it on every workstation. */

import { useSyncExternalStore } from "react";
import { ask } from "./api";

export interface Preferences {
  language: "en" | "de" | null;
  theme: "system" | "dark" | "light" | null;
  keys: Record<string, string> | null;
  letter_keys: boolean | null;
}

const PATH = "/api/v1/preferences";
const listeners = new Set<() => void>();
let hasAccount = false;
let isKept = true;

export async function fetchPreferences(signal: AbortSignal): Promise<Preferences> {
  const chosen = await ask<Preferences>(PATH, { signal });
  hasAccount = true;
  return chosen;
}

/** From now on nobody is logged in whose choice could be kept. */
export function leavePreferences(): void {
  hasAccount = false;
}

/** Before anybody has logged in, a choice holds in this browser alone. */
export async function choose(part: Partial<Preferences>): Promise<void> {
  if (!hasAccount) return;
  try {
    await ask(PATH, { method: "PATCH", body: part });
    tellWhether(true);
  } catch {
    tellWhether(false);
  }
}

/** Whether the last choice is with the account; where the server did not take it, it holds until the page is closed. */
export function useIsKept(): boolean {
  return useSyncExternalStore(subscribe, () => isKept);
}

function tellWhether(next: boolean): void {
  isKept = next;
  listeners.forEach((listener) => listener());
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
