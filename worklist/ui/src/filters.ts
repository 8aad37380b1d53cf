/** Filters and the open panel live in the address, so that a view can be kept and sent; search words never do. */

import { useCallback, useSyncExternalStore } from "react";

export interface View {
  band: string;
  modality: string;
  ai: string;
  reading: string;
  owner: string;
  site: string;
  study: string;
  panel: string;
  alarm: string;
}

export const NOTHING_NARROWED = { band: "", modality: "", ai: "", reading: "", owner: "", site: "" } as const;

export function isNarrowed(view: View): boolean {
  return (Object.keys(NOTHING_NARROWED) as (keyof typeof NOTHING_NARROWED)[]).some((name) => view[name] !== "");
}

const NAMES = ["band", "modality", "ai", "reading", "owner", "site", "study", "panel", "alarm"] as const;
const ALLOWED: Record<(typeof NAMES)[number], RegExp> = {
  band: /^(CRITICAL|URGENT|ROUTINE)$/,
  modality: /^[A-Z0-9]{1,16}$/,
  ai: /^(pending|analysed_flagged|analysed_no_flag|out_of_scope|failed)$/,
  reading: /^(read|all)$/,
  owner: /^[^\p{Cc}]{1,128}$/u,
  site: /^[^\p{Cc}]{1,64}$/u,
  study: /^[0-9.]{1,64}$/,
  panel: /^(attention|audit|admin|surveillance|validation|people|rules)$/,
  alarm: /^[0-9]{1,9}$/,
};

export function viewOf(search: string): View {
  const given = new URLSearchParams(search);
  const values = NAMES.map((name) => {
    const value = given.get(name) ?? "";
    return [name, ALLOWED[name].test(value) ? value : ""];
  });
  return Object.fromEntries(values) as unknown as View;
}

export function addressOf(view: View): string {
  const filled = NAMES.filter((name) => view[name]).map((name): [string, string] => [name, view[name]]);
  const query = new URLSearchParams(filled).toString();
  return query ? `/?${query}` : "/";
}

const CHANGED = "acuity-view";

function subscribe(listener: () => void): () => void {
  window.addEventListener("popstate", listener);
  window.addEventListener(CHANGED, listener);
  return () => {
    window.removeEventListener("popstate", listener);
    window.removeEventListener(CHANGED, listener);
  };
}

export function useView(): [View, (change: Partial<View>) => void] {
  const search = useSyncExternalStore(subscribe, () => window.location.search);
  const change = useCallback((part: Partial<View>) => {
    const next = { ...viewOf(window.location.search), ...part };
    window.history.replaceState(null, "", addressOf(next));
    window.dispatchEvent(new Event(CHANGED));
  }, []);
  return [viewOf(search), change];
}
