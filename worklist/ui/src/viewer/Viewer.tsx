import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState, type PointerEvent, type ReactNode } from "react";
import type { Finding, Region } from "../api";
import { probability } from "../words";
import { words } from "../words/language";
import { FrameStore, fetchImages, sameFrame, type Frame, type SeriesImages, type StudyImages } from "./frames";
import { paint, windowed, type Box, type View } from "./paint";
import { Tools } from "./Tools";
import { useViewerKeys } from "./viewerKeys";

interface Props {
  uid: string;
  findings: (Finding & { regions: Region[] })[];
  onPlaces: (areShown: boolean) => void;
}

/** The key image as the server draws it, at once; then every frame of every series, to scroll through. */
export function Viewer({ uid, findings, onPlaces }: Props): ReactNode {
  const images = useQuery({
    queryKey: ["images", uid],
    queryFn: ({ signal }) => fetchImages(uid, signal),
    staleTime: Infinity,
  });
  if (images.error) return <p className="viewer-words">{words.study.cannotShowImages}</p>;
  if (images.data && images.data.series.length === 0) return <p className="viewer-words">{words.study.noImage}</p>;
  return (
    <div className="viewer">
      {images.data ? (
        <Stage uid={uid} images={images.data} findings={findings} onPlaces={onPlaces} />
      ) : (
        <div className="stage">
          <KeyImage uid={uid} />
        </div>
      )}
    </div>
  );
}

function KeyImage({ uid }: { uid: string }): ReactNode {
  const [hasFailed, setFailed] = useState(false);
  if (hasFailed) return <p className="viewer-words">{words.study.cannotShowHere}</p>;
  const address = `/api/v1/studies/${uid}/key-image`;
  return <img className="key-image" src={address} alt={words.study.keyImage} onError={() => setFailed(true)} />;
}

const UNTOUCHED: View = { centre: 0, width: 0, isInverted: false, zoom: 1, panX: 0, panY: 0 };

function Stage({ uid, images, findings, onPlaces }: Props & { images: StudyImages }): ReactNode {
  const [seriesUid, setSeriesUid] = useState(images.key_series ?? images.series[0]?.series_instance_uid ?? "");
  const series = images.series.find((one) => one.series_instance_uid === seriesUid) ?? images.series[0];
  const [place, setPlace] = useState(() => placeOf(series, images));
  const [view, setView] = useState<View>(UNTOUCHED);
  const [placesAreShown, setPlacesShown] = useState(true);
  const [isPlaying, setPlaying] = useState(false);
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const store = useStore(uid, series, redraw);
  const frame = store?.get(place);
  const shown = useRef<Frame | undefined>(undefined);
  if (frame) shown.current = frame;
  const visible = frame ?? shown.current;

  useEffect(() => store?.want(place), [store, place]);
  const effective = useMemo(() => effectiveView(view, series, visible), [view, series, visible]);
  const marked = useMemo(() => markedPlaces(series, findings), [series, findings]);
  const boxes = placesAreShown ? (marked.get(place) ?? []) : [];
  const hasPlaces = marked.size > 0;
  // Together with the screen itself: a verdict must say what was really to be seen when it was given.
  useLayoutEffect(() => {
    onPlaces(hasPlaces && placesAreShown);
    return () => onPlaces(false);
  }, [hasPlaces, placesAreShown, onPlaces]);

  const count = series?.frames.length ?? 0;
  const go = useCallback((to: number) => setPlace(Math.max(0, Math.min(count - 1, to))), [count]);
  useCine(isPlaying, count, shown.current?.about.frame_time_ms ?? null, store, setPlace);
  const choose = (next: SeriesImages): void => {
    setSeriesUid(next.series_instance_uid);
    setPlace(placeOf(next, images));
    setView(UNTOUCHED);
    setPlaying(false);
    shown.current = undefined;
  };
  const commands = {
    go: (step: number) => go(place + step),
    goTo: go,
    nextSeries: (step: number) => {
      const at = images.series.findIndex((one) => one === series) + step;
      const next = images.series[at];
      if (next) choose(next);
    },
    preset: (number: number) => {
      const preset = series?.windows[number];
      if (preset) setView({ ...view, centre: preset.centre, width: preset.width });
    },
    invert: () => setView({ ...view, isInverted: !view.isInverted }),
    zoom: (factor: number) => setView({ ...view, zoom: Math.max(0.5, Math.min(10, view.zoom * factor)) }),
    pan: (x: number, y: number) => setView({ ...view, panX: view.panX + x, panY: view.panY + y }),
    reset: () => setView(UNTOUCHED),
    play: () => setPlaying(!isPlaying),
    places: () => setPlacesShown(!placesAreShown),
  };
  useViewerKeys(commands);
  if (!series) return null;
  return (
    <>
      <Screen uid={uid} frame={visible} view={effective} boxes={boxes} onView={setView} onScroll={(step) => go(place + step)} />
      <Tools
        images={images}
        series={series}
        place={place}
        frame={visible}
        view={effective}
        loaded={store?.loaded() ?? 0}
        hasFailed={store?.hasFailed(place) ?? false}
        marks={[...marked.keys()].sort((a, b) => a - b)}
        placesAreShown={placesAreShown}
        isPlaying={isPlaying}
        commands={commands}
        onSeries={choose}
        onWindow={(centre, width) => setView({ ...view, centre, width })}
      />
    </>
  );
}

function useStore(uid: string, series: SeriesImages | undefined, onChange: () => void): FrameStore | undefined {
  const [store, setStore] = useState<FrameStore>();
  useEffect(() => {
    if (!series) return undefined;
    const opened = new FrameStore(uid, series.frames, onChange);
    setStore(opened);
    return () => opened.close();
  }, [uid, series, onChange]);
  return store;
}

const USUAL_FRAME_MS = 66;

function useCine(
  isPlaying: boolean,
  count: number,
  frameTimeMs: number | null,
  store: FrameStore | undefined,
  setPlace: (next: (before: number) => number) => void,
): void {
  useEffect(() => {
    if (!isPlaying || count < 2) return undefined;
    const pause = Math.max(20, frameTimeMs ?? USUAL_FRAME_MS);
    const timer = window.setInterval(() => {
      setPlace((before) => {
        const next = (before + 1) % count;
        // Waits for a frame that is still on its way rather than skip it.
        return store?.get(next) ? next : before;
      });
    }, pause);
    return () => window.clearInterval(timer);
  }, [isPlaying, count, frameTimeMs, store, setPlace]);
}

interface ScreenProps {
  uid: string;
  frame: Frame | undefined;
  view: View;
  boxes: Box[];
  onView: (change: (before: View) => View) => void;
  onScroll: (step: number) => void;
}

function Screen({ uid, frame, view, boxes, onView, onScroll }: ScreenProps): ReactNode {
  const canvas = useRef<HTMLCanvasElement>(null);
  const stage = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState("");
  useEffect(() => {
    const watched = stage.current;
    if (!watched) return undefined;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setSize(`${Math.round(entry.contentRect.width)}x${Math.round(entry.contentRect.height)}`);
    });
    observer.observe(watched);
    return () => observer.disconnect();
  }, []);
  const { centre, width, isInverted } = view;
  const source = useMemo(() => frame && windowed(frame, { ...UNTOUCHED, centre, width, isInverted }), [frame, centre, width, isInverted]);
  useEffect(() => {
    const screen = canvas.current;
    if (!screen || !frame || !source || !stage.current) return;
    const ratio = window.devicePixelRatio;
    screen.width = Math.round(stage.current.clientWidth * ratio);
    screen.height = Math.round(stage.current.clientHeight * ratio);
    paint(screen, source, frame, view, boxes);
  }, [frame, source, view, boxes, size]);
  useWheel(stage, onScroll);

  const drag = (event: PointerEvent): void => {
    if (event.buttons === 0) return;
    const [x, y] = [event.movementX, event.movementY];
    const adjusts = event.buttons === 2 || event.shiftKey;
    onView((before) =>
      adjusts
        ? { ...before, centre: view.centre + (y * view.width) / 300, width: Math.max(1, view.width * (1 + x / 300)) }
        : { ...before, panX: before.panX + x, panY: before.panY + y },
    );
  };
  return (
    <div
      className="stage"
      ref={stage}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={drag}
      onContextMenu={(event) => event.preventDefault()}
    >
      {frame ? <canvas ref={canvas} role="img" aria-label={words.study.imageOfStudy} /> : <KeyImage uid={uid} />}
    </div>
  );
}

/** React listens to the wheel passively, and then the page would scroll as well. */
function useWheel(stage: React.RefObject<HTMLDivElement | null>, onScroll: (step: number) => void): void {
  const handler = useRef(onScroll);
  handler.current = onScroll;
  useEffect(() => {
    const turned = (event: WheelEvent): void => {
      event.preventDefault();
      handler.current(Math.sign(event.deltaY));
    };
    const watched = stage.current;
    watched?.addEventListener("wheel", turned, { passive: false });
    return () => watched?.removeEventListener("wheel", turned);
  }, [stage]);
}

function placeOf(series: SeriesImages | undefined, images: StudyImages): number {
  const found = series?.frames.findIndex((one) => sameFrame(one, images.key_frame)) ?? -1;
  return found >= 0 ? found : Math.floor((series?.frames.length ?? 0) / 2);
}

/** The window that somebody set, else the usual one of the series, else the frame's own. */
function effectiveView(view: View, series: SeriesImages | undefined, frame: Frame | undefined): View {
  if (view.width > 0) return view;
  const preset = series?.windows[0];
  const [centre, width] = preset ? [preset.centre, preset.width] : (frame?.about.window ?? [128, 256]);
  return { ...view, centre, width };
}

/** What the models mark on each frame of the series; the server tells places only where a model may show them. */
function markedPlaces(series: SeriesImages | undefined, findings: Props["findings"]): Map<number, Box[]> {
  const marked = new Map<number, Box[]>();
  for (const finding of findings)
    for (const region of finding.regions) {
      const place = series?.frames.findIndex((one) => sameFrame(one, region)) ?? -1;
      if (place < 0) continue;
      const said = words.study.aiAt(probability(region.probability));
      marked.set(place, [...(marked.get(place) ?? []), { box: region.box, words: said }]);
    }
  return marked;
}
