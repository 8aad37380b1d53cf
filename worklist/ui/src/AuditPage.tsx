import { useInfiniteQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { ApiError, fetchAudit, type AuditEvent } from "./api";
import { useNow } from "./clock";
import { capitalised, clockTime } from "./words";

/** The chain of events, newest first. */
export function AuditTable(): ReactNode {
  const audit = useInfiniteQuery({
    queryKey: ["audit"],
    queryFn: ({ signal, pageParam }) => fetchAudit(pageParam, signal),
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.next_before,
  });
  const events = audit.data?.pages.flatMap((page) => page.events) ?? [];
  return (
    <div className="scroller" tabIndex={0} role="region" aria-label="Audit">
      {audit.error && <p role="alert">{audit.error instanceof ApiError ? capitalised(audit.error.message) : "No answer."}</p>}
      <table className="worklist audit">
        <caption className="muted">
          Every login, view and act, newest first. Each event seals the one before it; “acuity audit verify” checks that none
          was changed.
        </caption>
        <thead>
          <tr>
            <th scope="col">Event</th>
            <th scope="col">When</th>
            <th scope="col">Who</th>
            <th scope="col">What</th>
            <th scope="col">Study</th>
            <th scope="col">Details</th>
          </tr>
        </thead>
        <tbody>
          {events.map((event) => (
            <EventRow key={event.number} event={event} />
          ))}
        </tbody>
      </table>
      {audit.hasNextPage && (
        <button type="button" className="button more" onClick={() => void audit.fetchNextPage()}>
          Show earlier events
        </button>
      )}
    </div>
  );
}

function EventRow({ event }: { event: AuditEvent }): ReactNode {
  const now = useNow();
  const details = Object.entries(event.details).map(([name, value]) => `${name} ${value}`);
  return (
    <tr>
      <td>{event.number}</td>
      <td>{clockTime(event.at, now)}</td>
      <td>
        <span className="first">{event.actor}</span>
        <span className="second">{event.role}</span>
      </td>
      <td className={event.succeeded ? "" : "over"}>
        {capitalised(event.action.replaceAll("_", " "))}
        {!event.succeeded && " (not allowed)"}
      </td>
      <td className="mono">{event.study_instance_uid ?? ""}</td>
      <td className="mono second">{details.join(", ")}</td>
    </tr>
  );
}
