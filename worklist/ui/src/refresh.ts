/** Asks the server again after a change: at once, but never twice at the same time and in a flood twice a second. */

import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useRef } from "react";

const PAUSE_MS = 500;
/** What no change of a study touches is asked at its own pace. */
const OWN_PACE: ReadonlySet<unknown> = new Set(["session", "alarms", "alarm-banner", "surveillance", "validations"]);

export function useRefresh(): () => void {
  const queries = useQueryClient();
  const state = useRef({ isRunning: false, isWanted: false });

  return useCallback(() => {
    state.current.isWanted = true;
    if (state.current.isRunning) return;
    state.current.isRunning = true;
    void (async () => {
      while (state.current.isWanted) {
        // Noted before asking: a change that comes while the answer is on its way leads to one more question.
        state.current.isWanted = false;
        await queries.invalidateQueries({ predicate: (query) => !OWN_PACE.has(query.queryKey[0]) });
        await new Promise((resolve) => window.setTimeout(resolve, PAUSE_MS));
      }
      state.current.isRunning = false;
    })();
  }, [queries]);
}
