import { useInfiniteQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { ApiError, fetchAudit, type AuditEvent } from "./api";
import { useNow } from "./clock";
import { capitalised, clockTime, roleWords } from "./words";
import { words } from "./words/language";

/** The chain of events, newest first. */
export function AuditPage(): ReactNode {
  const audit = useInfiniteQuery({
    queryKey: ["audit"],
    queryFn: ({ signal, pageParam }) => fetchAudit(pageParam, signal),
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.next_before,
  });
  const events = audit.data?.pages.flatMap((page) => page.events) ?? [];
  return (
    <div className="scroller" tabIndex={0} role="region" aria-label={words.system.audit}>
      {audit.error && <p role="alert">{audit.error instanceof ApiError ? capitalised(audit.error.message) : words.frame.noAnswer}</p>}
      <div className="page-head">
        <h2 className="page-title">{words.system.audit}</h2>
        <p className="muted">{words.system.auditCaption}</p>
      </div>
      {audit.isPending && <p className="page-head muted">{words.frame.loading}</p>}
      <table className="worklist audit" aria-label={words.system.audit}>
        <thead>
          <tr>
            {words.system.auditColumns.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
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
          {words.system.earlier}
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
        <span className="second">{roleWords(event.role)}</span>
      </td>
      <td className={event.succeeded ? "" : "over"}>
        {capitalised(words.system.actions[event.action] ?? event.action.replaceAll("_", " "))}
        {!event.succeeded && words.system.notAllowed}
      </td>
      <td className="mono">{event.study_instance_uid ?? ""}</td>
      <td className="mono">
        <span className="second">{details.join(", ")}</span>
      </td>
    </tr>
  );
}
