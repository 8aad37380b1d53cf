import type { ReactNode } from "react";
import type { Session } from "./api";
import { useNow } from "./clock";
import type { Liveness } from "./events";
import { clockTime, duration } from "./words";
import { words } from "./words/language";

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
        <p>{words.frame.researchOnly}</p>
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
      <strong>{failed ? words.frame.outOfDate : words.frame.interrupted}</strong>{" "}
      {failed ? words.frame.listAsOf(since) : words.frame.askedInstead} {words.frame.triesAgain}
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
      {words.frame.loginEnds(duration(left))}
    </p>
  );
}
