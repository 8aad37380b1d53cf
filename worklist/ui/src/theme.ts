/** Dark unless the person asks for light, or for what the system has; the browser remembers it for the log-in page. */

import { useSyncExternalStore } from "react";
import { choose } from "./preferences";

export type Theme = "system" | "dark" | "light";

export const THEMES: readonly Theme[] = ["dark", "light", "system"];

const KEY = "acuity-theme";
const listeners = new Set<() => void>();
let theme: Theme = THEMES.find((one) => one === window.localStorage.getItem(KEY)) ?? "dark";

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, () => theme);
}

/** Show the page in `next`, here and wherever the account logs in. */
export function changeTheme(next: Theme): void {
  showTheme(next);
  void choose({ theme: next });
}

export function showTheme(next: Theme = theme): void {
  theme = next;
  window.localStorage.setItem(KEY, next);
  document.documentElement.dataset["theme"] = next;
  listeners.forEach((listener) => listener());
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
