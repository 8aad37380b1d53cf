/** Keeps the rows where they are while somebody works with them; what is new waits until it is asked for. */

import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { StudyRow } from "./api";

export interface Waiting {
  fresh: number;
  freshCritical: number;
  moved: boolean;
}

export interface StableRows {
  rows: StudyRow[];
  /** Rows that stay only because nothing moves under a hand: the list itself has them no more. */
  gone: ReadonlySet<string>;
  waiting: Waiting;
  apply: () => void;
  /** Take the next order that comes as it is: the person at the page has caused it. */
  applyNext: () => void;
}

/** How long after the last touch the new order comes by itself, so that nothing moves under a hand that returns. */
const SETTLE_MS = 1500;

export function waitingChanges(shown: readonly string[], rows: readonly StudyRow[]): Waiting {
  const known = new Set(shown);
  const fresh = rows.filter((row) => !known.has(row.study_instance_uid));
  const order = rows.map((row) => row.study_instance_uid);
  const moved = fresh.length > 0 || order.length !== shown.length || order.some((uid, place) => uid !== shown[place]);
  return { fresh: fresh.length, freshCritical: fresh.filter((row) => row.band === "CRITICAL").length, moved };
}

/**
 * Args:
 *   rows: the list as the server orders it now.
 *   view: names the filters; another view is another list and begins in its own order.
 *   isHeld: somebody has a row under the cursor or the focus.
 */
export function useStableRows(rows: readonly StudyRow[] | undefined, view: string, isHeld: boolean): StableRows {
  const [order, setOrder] = useState<{ view: string; uids: string[] }>({ view: "", uids: [] });
  const known = useRef(new Map<string, StudyRow>());
  const newest = rows ?? NONE;

  const latest = useMemo(() => newest.map((row) => row.study_instance_uid), [newest]);
  const begins = rows !== undefined && order.view !== view;
  const shown = begins ? latest : order.uids;

  if (begins) known.current = new Map();
  for (const row of newest) known.current.set(row.study_instance_uid, row);

  // While another view is still on its way there is nothing to take over: an empty order would hold its rows back.
  const isThere = rows !== undefined;
  const apply = useCallback(() => isThere && setOrder({ view, uids: latest }), [isThere, view, latest]);
  const waiting = useMemo(() => (isThere ? waitingChanges(shown, newest) : NOTHING_WAITS), [isThere, shown, newest]);

  useEffect(() => {
    if (begins) apply();
  }, [begins, apply]);

  const takesNext = useRef(false);
  const applyNext = useCallback(() => void (takesNext.current = true), []);
  useEffect(() => {
    if (!takesNext.current || !isThere) return;
    takesNext.current = false;
    apply();
  }, [isThere, apply]);

  const movesAt = useRef(0);
  useEffect(() => {
    if (isHeld) return () => void (movesAt.current = Date.now() + SETTLE_MS);
    if (begins || !waiting.moved) return undefined;
    const timer = window.setTimeout(apply, Math.max(0, movesAt.current - Date.now()));
    return () => window.clearTimeout(timer);
  }, [begins, isHeld, waiting.moved, apply]);

  const visible = shown.flatMap((uid) => known.current.get(uid) ?? []);
  const gone = useMemo(() => new Set(shown.filter((uid) => !latest.includes(uid))), [shown, latest]);
  return { rows: visible, gone, waiting, apply, applyNext };
}

const NONE: readonly StudyRow[] = [];
const NOTHING_WAITS: Waiting = { fresh: 0, freshCritical: 0, moved: false };
