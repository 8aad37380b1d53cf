import type { ReactNode } from "react";
import type { Session } from "./api";
import { useNow } from "./clock";
import type { Liveness } from "./events";
import { RESEARCH_ONLY, clockTime, duration } from "./words";

interface Props {
  liveness: Liveness;
  updatedAt: number;
  failed: boolean;
  session: Session;
  banner: ReactNode;
  children: ReactNode;
}

const ENDS_SOON_S = 600;

export function Footer({ liveness, updatedAt, failed, session, banner, children }: Props): ReactNode {
  return (
    <footer className="foot">
      <StaleBanner liveness={liveness} updatedAt={updatedAt} failed={failed} />
      <ExpiryBanner session={session} />
      {banner}
      <div className="foot-line">
        <p>{RESEARCH_ONLY}</p>
        {children}
      </div>
    </footer>
  );
}

function StaleBanner({ liveness, updatedAt, failed }: Omit<Props, "session" | "banner" | "children">): ReactNode {
  const now = useNow();
  if (liveness === "live" || liveness === "connecting") return null;
  const since = updatedAt ? clockTime(new Date(updatedAt).toISOString(), now) : "";
  return (
    <p className="stale" role="alert">
      <strong>{failed ? "Out of date." : "Live updates are interrupted."}</strong>{" "}
      {failed
        ? `This is the list as of ${since || "an unknown time"}. New studies may be missing; look into PACS as well.`
        : "The list is asked for every 5 seconds instead."}{" "}
      Trying again by itself.
    </p>
  );
}

function ExpiryBanner({ session }: { session: Session }): ReactNode {
  const now = useNow();
  if (session.expires_at === null) return null;
  const left = (Date.parse(session.expires_at) - now) / 1000;
  if (left > ENDS_SOON_S || left < 0) return null;
  return (
    <p className="stale" role="status">
      Your login ends in {duration(left)}. Log out and in again to go on.
    </p>
  );
}
