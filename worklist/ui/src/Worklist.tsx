import {
  useCallback,
  useImperativeHandle,
  useLayoutEffect,
  useRef,
  useState,
  type FocusEvent,
  type ReactNode,
  type Ref,
  type RefObject,
} from "react";
import type { StudyRow } from "./api";
import { Row } from "./Row";
import { words } from "./words/language";

export interface WorklistHandle {
  /** Put the focus `step` rows further; beyond the ends it stays on the last row there. */
  move: (step: number) => void;
  focusCurrent: () => void;
  /** The row under the cursor. */
  currentUid: () => string | undefined;
}

interface Props {
  ref: Ref<WorklistHandle>;
  rows: StudyRow[];
  total: number;
  isLoading: boolean;
  isFiltered: boolean;
  openStudy: string;
  me: string;
  gone: ReadonlySet<string>;
  onOpen: (uid: string) => void;
  onHeld: (isHeld: boolean) => void;
  onMore: (() => void) | undefined;
}

export function Worklist({ ref, rows, total, isLoading, isFiltered, openStudy, me, gone, onOpen, onHeld, onMore }: Props): ReactNode {
  const [current, setCurrent] = useState(openStudy);
  const scroller = useRef<HTMLDivElement>(null);
  const held = useRef({ focus: false, hover: false });

  const hold = useCallback(
    (part: Partial<{ focus: boolean; hover: boolean }>) => {
      Object.assign(held.current, part);
      onHeld(held.current.focus || held.current.hover);
    },
    [onHeld],
  );
  const elementOf = (uid: string): HTMLElement | null =>
    scroller.current?.querySelector<HTMLElement>(`tr[data-uid="${CSS.escape(uid)}"]`) ?? null;

  const stop = rows.some((row) => row.study_instance_uid === current) ? current : (rows[0]?.study_instance_uid ?? "");
  useKeptPlace(rows, current, scroller);

  useImperativeHandle(ref, () => ({
    move: (step) => {
      const place = rows.findIndex((row) => row.study_instance_uid === current);
      const start = place < 0 ? (step > 0 ? -1 : 0) : place;
      const next = rows[Math.max(0, Math.min(rows.length - 1, Number.isFinite(step) ? start + step : step))];
      if (!next) return;
      setCurrent(next.study_instance_uid);
      const element = elementOf(next.study_instance_uid);
      element?.scrollIntoView({ block: "nearest" });
      element?.focus({ preventScroll: true });
      if (openStudy) onOpen(next.study_instance_uid);
    },
    focusCurrent: () => elementOf(stop)?.focus(),
    currentUid: () => rows.find((row) => row.study_instance_uid === current)?.study_instance_uid,
  }));

  const left = (event: FocusEvent): void => {
    if (!event.currentTarget.contains(event.relatedTarget)) hold({ focus: false });
  };
  return (
    <div className="scroller" ref={scroller}>
      <table className="worklist" role="grid" aria-label={words.list.title} aria-rowcount={total + 1}>
        <thead>
          <tr>
            {Object.entries(words.list.columns).map(([column, name]) => (
              <th key={column} scope="col" className={`col-${column}`}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody
          onFocus={() => hold({ focus: true })}
          onBlur={left}
          onPointerEnter={() => hold({ hover: true })}
          onPointerLeave={() => hold({ hover: false })}
        >
          {rows.map((row, place) => (
            <Row
              key={row.study_instance_uid}
              row={row}
              place={place}
              isStop={row.study_instance_uid === stop}
              isOpen={row.study_instance_uid === openStudy}
              isGone={gone.has(row.study_instance_uid)}
              me={me}
              onFocus={setCurrent}
              onOpen={onOpen}
            />
          ))}
        </tbody>
      </table>
      {rows.length === 0 && <p className="empty">{emptyWords(isLoading, isFiltered)}</p>}
      {onMore && (
        <button type="button" className="button more" onClick={onMore}>
          {words.list.showMore}
        </button>
      )}
    </div>
  );
}

function emptyWords(isLoading: boolean, isFiltered: boolean): string {
  if (isLoading) return words.list.loading;
  return isFiltered ? words.list.noMatch : words.list.noneYet;
}

/** After a new order, leave the focused row focused and at the same height of the screen. */
function useKeptPlace(
  rows: StudyRow[],
  current: string,
  scroller: RefObject<HTMLDivElement | null>,
): void {
  const before = useRef<{ top: number; hadFocus: boolean } | null>(null);
  const place = (): HTMLElement | null =>
    current ? (scroller.current?.querySelector<HTMLElement>(`tr[data-uid="${CSS.escape(current)}"]`) ?? null) : null;
  const order = rows.map((row) => row.study_instance_uid).join(" ");

  useLayoutEffect(() => {
    const row = place();
    if (row && scroller.current && before.current?.hadFocus) {
      scroller.current.scrollTop += row.getBoundingClientRect().top - before.current.top;
      if (document.activeElement !== row && document.activeElement === document.body) row.focus({ preventScroll: true });
    }
    return () => {
      const kept = place();
      before.current = kept && { top: kept.getBoundingClientRect().top, hadFocus: kept === document.activeElement };
    };
    // The order alone decides when this runs; the current row is read then.
  }, [order]);
}
