/** Lets the browser say that a critical study has come while nobody looks at the page; it says nothing of a patient. */

import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { fetchWorklist, type Wanted } from "./api";
import { words } from "./words/language";

const KEPT_AS = "acuity-bell";
const OPEN_CRITICAL: Wanted = {
  limit: 200, q: "", band: "CRITICAL", modality: "", ai_state: "", reading: "", owner: "", site: "",
};

export interface Bell {
  isOn: boolean;
  change: (isOn: boolean) => void;
}

/** Undefined where there is nothing to offer: the browser says no, by its settings or because the page does not come by https. */
export function useBell(seesList: boolean): Bell | undefined {
  const [isWanted, setWanted] = useState(() => localStorage.getItem(KEPT_AS) === "on");
  const [permission, setPermission] = useState(() => ("Notification" in window ? Notification.permission : "denied"));
  const isOn = seesList && isWanted && permission === "granted";
  useNews(isOn);

  const change = (next: boolean): void => {
    setWanted(next);
    localStorage.setItem(KEPT_AS, next ? "on" : "off");
    if (next && permission === "default") void Notification.requestPermission().then(setPermission);
  };
  return seesList && permission !== "denied" ? { isOn, change } : undefined;
}

/** Asks for the critical studies whatever the list is filtered by, each time something changes. */
function useNews(isOn: boolean): void {
  const { data } = useQuery({
    queryKey: ["worklist", "critical"],
    queryFn: ({ signal }) => fetchWorklist(OPEN_CRITICAL, signal),
    enabled: isOn,
    refetchInterval: 30_000,
    refetchIntervalInBackground: true,
  });
  const known = useRef<ReadonlySet<string> | null>(null);
  useEffect(() => {
    if (!isOn) known.current = null;
    if (!isOn || !data) return;
    const uids = data.rows.map((row) => row.study_instance_uid);
    const fresh = known.current === null ? 0 : uids.filter((uid) => !known.current?.has(uid)).length;
    known.current = new Set(uids);
    if (fresh > 0 && document.hidden) tell(fresh);
  }, [isOn, data]);
}

function tell(fresh: number): void {
  const title = words.frame.newCritical(fresh);
  const said = new Notification(title, { body: words.frame.openToSee, tag: "acuity-critical" });
  said.onclick = () => {
    window.focus();
    said.close();
  };
}
