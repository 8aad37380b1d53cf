/** For the administrator of the PACS: is anything stuck, who sends, where results go, which models answer. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { ApiError, fetchGateway, fetchModels, replayDeliveries, type Gateway, type InstalledModel } from "./api";
import { useNow } from "./clock";
import { FailedIcon } from "./icons";
import { ModelCard } from "./ModelCard";
import { Nothing, Table } from "./Table";
import { capitalised, clockTime, decimal, duration } from "./words";
import { words } from "./words/language";

export function AdminPage({ replays }: { replays: boolean }): ReactNode {
  const gateway = useQuery({ queryKey: ["gateway"], queryFn: ({ signal }) => fetchGateway(signal), refetchInterval: 5_000 });
  const models = useQuery({ queryKey: ["models"], queryFn: ({ signal }) => fetchModels(signal), refetchInterval: 30_000 });
  const error = gateway.error ?? models.error;
  return (
    <div className="scroller admin" tabIndex={0} role="region" aria-label={words.frame.pages.admin}>
      <h2 className="page-title">{words.frame.pages.admin}</h2>
      {error && <p role="alert">{error instanceof ApiError ? capitalised(error.message) : words.system.noAnswer}.</p>}
      {gateway.data && (
        <>
          <Tiles gateway={gateway.data} />
          <Senders senders={gateway.data.senders} />
          <Destinations destinations={gateway.data.destinations} replays={replays} />
        </>
      )}
      {models.data && <Models models={models.data} />}
    </div>
  );
}

/** In the order in which a study goes through them. */
const STAGES = ["receiving", "triage", "delivery"];

/** Each destination has a queue of its own, "delivery:NAME". */
function queueWords(name: string): string {
  const destination = name.startsWith("delivery:") ? name.slice("delivery:".length) : "";
  return destination ? words.system.waitingFor(destination) : capitalised(name);
}

function Tiles({ gateway }: { gateway: Gateway }): ReactNode {
  const open = gateway.senders.reduce((sum, one) => sum + one.open, 0);
  const oldest = Math.max(0, ...Object.values(gateway.oldest_waiting_s));
  return (
    <div className="tiles">
      <Tile title={words.system.openAssociations} value={String(open)} note={words.system.senders(gateway.senders.length)} />
      {gateway.queues.map((queue) => (
        <Tile
          key={queue.name}
          title={words.system.queues[queue.name] ?? queueWords(queue.name)}
          value={String(queue.waiting)}
          note={words.system.atWork(queue.working) + (queue.name === "triage" && oldest > 0 ? words.system.oldest(duration(oldest)) : "")}
        />
      ))}
      {STAGES.flatMap((name) => gateway.stages.filter((one) => one.stage === name)).map((stage) => (
        <Tile
          key={stage.stage}
          title={words.system.lastHour(words.system.stages[stage.stage] ?? stage.stage)}
          value={`${decimal(stage.median_s, 1)} s`}
          note={words.system.medianOf(words.list.studies(stage.studies), decimal(stage.p95_s, 1))}
        />
      ))}
      {gateway.disk && <Disk disk={gateway.disk} />}
    </div>
  );
}

function Disk({ disk }: { disk: NonNullable<Gateway["disk"]> }): ReactNode {
  const isFull = disk.free_bytes < disk.kept_free_bytes;
  const isNear = disk.free_bytes < 3 * disk.kept_free_bytes;
  const said = isFull ? words.system.diskFull : isNear ? words.system.diskNear : words.system.diskOf(gigabytes(disk.total_bytes));
  return (
    <Tile
      title={words.system.diskFree}
      value={gigabytes(disk.free_bytes)}
      note={words.system.refusedBelow(said, gigabytes(disk.kept_free_bytes))}
      isWrong={isFull || isNear}
    />
  );
}

function Tile({ title, value, note, isWrong }: { title: string; value: string; note: string; isWrong?: boolean }): ReactNode {
  return (
    <div className={isWrong ? "tile tile-wrong" : "tile"}>
      <p className="muted">
        {isWrong && <FailedIcon />} {title}
      </p>
      <p className="tile-value">{value}</p>
      <p className="second">{note}</p>
    </div>
  );
}

function Senders({ senders }: { senders: Gateway["senders"] }): ReactNode {
  const now = useNow();
  return (
    <Table title={words.system.sendersTitle} columns={words.system.senderColumns}>
      {senders.map((one) => (
        <tr key={`${one.ae_title} ${one.host}`}>
          <th scope="row">{one.ae_title}</th>
          <td className="mono">{one.host}</td>
          <td>{one.open}</td>
          <td>{one.associations}</td>
          <td className={one.unfinished ? "over" : ""}>{one.unfinished}</td>
          <td>{clockTime(one.last_at, now)}</td>
        </tr>
      ))}
      {senders.length === 0 && <Nothing columns={6}>{words.system.nobodySent}</Nothing>}
    </Table>
  );
}

function Destinations({ destinations, replays }: { destinations: Gateway["destinations"]; replays: boolean }): ReactNode {
  const now = useNow();
  const queries = useQueryClient();
  const replay = useMutation({
    mutationFn: replayDeliveries,
    onSettled: () => queries.invalidateQueries({ queryKey: ["gateway"] }),
  });
  return (
    <>
      <Table title={words.system.destinations} columns={words.system.destinationColumns}>
        {destinations.map((one) => (
          <tr key={one.name}>
            <th scope="row">{one.name}</th>
            <td>{one.address || words.system.notInSettings}</td>
            <td>
              {one.retry_at ? words.system.notBefore(clockTime(one.retry_at, now)) : words.system.inUse}
              {one.retry_at && one.last_error && <span className="second">{one.last_error}</span>}
            </td>
            <td>{one.planned}</td>
            <td>{one.delivered}</td>
            <td className={one.refused ? "over" : ""}>{one.refused}</td>
            <td>{one.last_delivered_at ? clockTime(one.last_delivered_at, now) : words.system.never}</td>
            <td>
              {replays && one.refused > 0 && (
                <button
                  type="button"
                  className="button"
                  disabled={replay.isPending}
                  aria-label={words.system.sendAgainOf(one.name)}
                  onClick={() => replay.mutate(one.name)}
                >
                  {words.system.sendAgain}
                </button>
              )}
            </td>
          </tr>
        ))}
        {destinations.length === 0 && <Nothing columns={8}>{words.system.noDestination}</Nothing>}
      </Table>
      {replay.data && <p role="status">{words.system.onTheWay(replay.data.replayed)}</p>}
      {replay.error && <p role="alert">{replay.error instanceof ApiError ? capitalised(replay.error.message) : words.system.noAnswer}.</p>}
    </>
  );
}

function Models({ models }: { models: InstalledModel[] }): ReactNode {
  const [shown, setShown] = useState<InstalledModel | null>(null);
  const now = useNow();
  return (
    <>
      <Table title={words.system.models} columns={words.system.modelColumns}>
        {models.map((one) => (
          <tr key={one.id}>
            <th scope="row">
              {one.name} {one.version}
              <span className="second mono">{one.digest.slice(0, 12)}…</span>
            </th>
            <td>{one.task}</td>
            <td>
              <span className={`state state-${one.state}`}>{words.system.modelStates[one.state] ?? one.state}</span>
            </td>
            <td>{one.modalities.join(", ")}</td>
            <td>{one.licence}</td>
            <td>
              {clockTime(one.registered_at, now)}
              <span className="second">{one.origin}</span>
            </td>
            <td>
              <button type="button" className="button" aria-label={words.system.cardOf(`${one.name} ${one.version}`)} onClick={() => setShown(one)}>
                {words.system.card}
              </button>
            </td>
          </tr>
        ))}
        {models.length === 0 && <Nothing columns={7}>{words.system.noModel}</Nothing>}
      </Table>
      {shown && <ModelCard title={`${shown.name} ${shown.version}`} path={`models/${shown.id}/card`} onClose={() => setShown(null)} />}
    </>
  );
}

function gigabytes(bytes: number): string {
  return `${decimal(bytes / 1e9, bytes < 1e11 ? 1 : 0)} GB`;
}
