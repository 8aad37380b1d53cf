import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Suspense, useCallback, useEffect, useRef, useState, type ReactNode } from "react";
import { ApiError, fetchIncidents, fetchWorklist, type Permission, type Session, type StudyRow } from "./api";
import { arriving } from "./arriving";
import { BreakGlassButton } from "./BreakGlass";
import { setServerTime } from "./clock";
import { useEvents } from "./events";
import { isNarrowed, useView, type View } from "./filters";
import { Footer } from "./Footer";
import { useStableRows } from "./order";
import { useRefresh } from "./refresh";
import { AlarmBanner } from "./surveillance/AlarmBanner";
import { useBell } from "./bell";
import { FilterBar } from "./FilterBar";
import { pageOf, type PageName } from "./pages";
import { TopBar } from "./TopBar";
import { useListKeys } from "./keys";
import { NoticeBar } from "./NoticeBar";
import { useWork } from "./work";
import { words } from "./words/language";
import { WaitingNotice } from "./WaitingNotice";
import { Worklist, type WorklistHandle } from "./Worklist";

const AttentionPanel = arriving(async () => (await import("./AttentionPanel")).AttentionPanel);
const HelpDialog = arriving(async () => (await import("./HelpDialog")).HelpDialog);
const StudyPanel = arriving(async () => (await import("./StudyPanel")).StudyPanel);
const AdminPage = arriving(async () => (await import("./AdminPage")).AdminPage);
const AuditPage = arriving(async () => (await import("./AuditPage")).AuditPage);
const SurveillancePage = arriving(async () => (await import("./surveillance/SurveillancePage")).SurveillancePage);
const PeoplePage = arriving(async () => (await import("./people/PeoplePage")).PeoplePage);
const RulesPage = arriving(async () => (await import("./rules/RulesPage")).RulesPage);
const ValidationPage = arriving(async () => (await import("./validation/ValidationPage")).ValidationPage);

const PAGE_ROWS = 200;
const NONE_GONE: ReadonlySet<string> = new Set();
const MOST_ROWS = 1000;

interface Props {
  session: Session;
  onLogout: () => void;
  onExpired: () => void;
}

export function ListPage({ session, onLogout, onExpired }: Props): ReactNode {
  const [view, changeView] = useView();
  const [q, setQ] = useState("");
  const [limit, setLimit] = useState(PAGE_ROWS);
  const [isHeld, setHeld] = useState(false);
  const [helpIsOpen, setHelpOpen] = useState(false);
  const list = useRef<WorklistHandle>(null);

  const seesList = session.permissions.includes("see_list");
  const refresh = useRefresh();
  const liveness = useEvents(refresh, seesList);

  const wanted = {
    limit,
    q,
    band: view.band,
    modality: view.modality,
    ai_state: view.ai,
    reading: view.reading,
    owner: view.owner,
    site: view.site,
  };
  const page = useQuery({
    queryKey: ["worklist", wanted],
    queryFn: ({ signal }) => fetchWorklist(wanted, signal),
    placeholderData: keepPreviousData,
    enabled: seesList,
    refetchInterval: (query) => pauseFor(query.state.data?.rows, liveness === "live"),
  });
  const incidents = useQuery({
    queryKey: ["incidents"],
    queryFn: ({ signal }) => fetchIncidents(signal),
    refetchInterval: 15_000,
    enabled: session.permissions.includes("see_incidents"),
  });

  useExpiry([page.error, incidents.error], onExpired);
  useEffect(() => {
    if (page.data) setServerTime(page.data.server_time);
  }, [page.data]);

  const viewName = JSON.stringify({ ...wanted, limit: 0 });
  const settled = page.isPlaceholderData ? undefined : page.data?.rows;
  const stable = useStableRows(settled, viewName, isHeld);
  const rows = settled ? stable.rows : (page.data?.rows ?? []);

  const open = useCallback((uid: string) => changeView({ study: uid, panel: "" }), [changeView]);
  const close = useCallback(() => {
    changeView({ study: "", panel: "" });
    list.current?.focusCurrent();
  }, [changeView]);
  const work = useWork({ session, refresh, rows, openStudy: view.study, list, onMoved: stable.applyNext });
  useListKeys({
    list,
    onWork: work.start,
    onOpenElsewhere: work.openElsewhere,
    panelIsOpen: Boolean(view.study || view.panel),
    isAside: helpIsOpen || work.dialog !== null,
    onClose: close,
    onHelp: () => setHelpOpen(true),
    onApply: stable.apply,
  });
  useTitle(rows);

  const bell = useBell(seesList);
  const current = pageOf(view.panel, session.permissions);
  const isList = current === "";
  const canGrow = page.data !== undefined && page.data.total > limit && limit < MOST_ROWS;
  return (
    <div className={view.study || view.panel === "attention" ? "page with-panel" : "page"}>
      <TopBar
        session={session}
        liveness={liveness}
        bell={bell}
        page={current}
        attention={total(incidents.data?.counts)}
        attentionIsOpen={view.panel === "attention" && !view.study}
        onPage={(panel) => changeView({ panel, study: "", alarm: "" })}
        onAttention={() => changeView({ panel: view.panel === "attention" ? "" : "attention", study: "", alarm: "" })}
        onSearch={setQ}
        onSearchDone={() => list.current?.focusCurrent()}
        onHelp={() => setHelpOpen(true)}
        onLogout={onLogout}
      />
      {isList && (
      <FilterBar
        view={view}
        me={session.name}
        sites={sitesOf(page.data?.rows)}
        onView={changeView}
        shown={rows.length}
        total={page.data?.total}
        hasSearch={q !== ""}
      >
        <BreakGlassButton session={session} onOpened={open} />
      </FilterBar>
      )}
      <main className="list-area">
        {isList && <WaitingNotice waiting={stable.waiting} onApply={stable.apply} />}
        {isList ? (
        <Worklist
          ref={list}
          rows={rows}
          total={page.data?.total ?? 0}
          isLoading={page.isPending}
          openStudy={view.study}
          me={session.name}
          gone={settled ? stable.gone : NONE_GONE}
          isFiltered={Boolean(q) || isNarrowed(view)}
          onOpen={open}
          onHeld={setHeld}
          onMore={canGrow ? () => setLimit((before) => Math.min(MOST_ROWS, before + PAGE_ROWS)) : undefined}
        />
        ) : (
        <Suspense fallback={<p className="opening">{words.frame.openingPage}</p>}>
          <OtherPage name={current} session={session} view={view} onView={changeView} />
        </Suspense>
        )}
      </main>
      <Suspense fallback={<aside className={view.study ? "panel panel-wide" : "panel"} aria-busy="true" aria-label={words.frame.openingPage} />}>
        {view.study && (
          <StudyPanel uid={view.study} session={session} acts={work.acts} onWork={work.start} onPlaces={work.setPlaces} onClose={close} />
        )}
        {view.panel === "attention" && !view.study && (
          <AttentionPanel
            incidents={incidents}
            handles={session.permissions.includes("handle_incidents")}
            onHandled={refresh}
            onOpen={open}
            onClose={close}
          />
        )}
      </Suspense>
      <Footer
        liveness={liveness}
        updatedAt={page.dataUpdatedAt}
        failed={page.isError || page.isRefetchError}
        session={session}
        banner={
          isList &&
          session.permissions.includes("see_alarms") && (
            <AlarmBanner onOpen={(number) => changeView({ panel: "surveillance", study: "", alarm: String(number) })} />
          )
        }
      >
        <NoticeBar notice={work.acts.notice} onUndo={() => work.acts.undo(undefined)} onForget={work.acts.forget} />
      </Footer>
      <Suspense>{helpIsOpen && <HelpDialog onClose={() => setHelpOpen(false)} />}</Suspense>
      {work.dialog}
    </div>
  );
}

interface OtherProps {
  name: PageName;
  session: Session;
  view: View;
  onView: (change: Partial<View>) => void;
}

function OtherPage({ name, session, view, onView }: OtherProps): ReactNode {
  const may = (permission: Permission): boolean => session.permissions.includes(permission);
  switch (name) {
    case "surveillance":
      return (
        <SurveillancePage
          alarm={Number(view.alarm)}
          handles={may("handle_alarms")}
          onAlarm={(number) => onView({ alarm: number ? String(number) : "" })}
          onStudy={may("see_list") ? (uid) => onView({ study: uid, panel: "", alarm: "", reading: "all" }) : undefined}
        />
      );
    case "validation":
      return <ValidationPage />;
    case "admin":
      return <AdminPage replays={may("handle_incidents")} />;
    case "rules":
      return <RulesPage />;
    case "people":
      return <PeoplePage me={session.name} />;
    default:
      return <AuditPage />;
  }
}

/** Images that arrive change no study's state, so the count of a study that receives is asked for. */
function pauseFor(rows: StudyRow[] | undefined, isLive: boolean): number {
  if (!isLive) return 5_000;
  return rows?.some((row) => row.status === "RECEIVING") ? 3_000 : 30_000;
}

function useExpiry(errors: unknown[], onExpired: () => void): void {
  const isExpired = errors.some((error) => error instanceof ApiError && error.status === 401);
  useEffect(() => {
    if (isExpired) onExpired();
  }, [isExpired, onExpired]);
}

function sitesOf(rows: StudyRow[] | undefined): string[] {
  return [...new Set(rows?.map((row) => row.institution).filter(Boolean))].sort();
}

function useTitle(rows: StudyRow[]): void {
  const critical = rows.filter((row) => row.band === "CRITICAL").length;
  useEffect(() => {
    document.title = critical ? `${words.list.critical(critical)} · Acuity` : "Acuity";
  }, [critical]);
}

function total(counts: Partial<Record<string, number>> | undefined): number {
  return Object.values(counts ?? {}).reduce<number>((sum, count) => sum + (count ?? 0), 0);
}
