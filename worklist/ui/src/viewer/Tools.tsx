import type { ReactNode } from "react";
import type { Frame, SeriesImages, StudyImages } from "./frames";
import type { View } from "./paint";
import type { Commands } from "./viewerKeys";

interface Props {
  images: StudyImages;
  series: SeriesImages;
  place: number;
  frame: Frame | undefined;
  view: View;
  loaded: number;
  hasFailed: boolean;
  marks: number[];
  placesAreShown: boolean;
  isPlaying: boolean;
  commands: Commands;
  onSeries: (series: SeriesImages) => void;
  onWindow: (centre: number, width: number) => void;
}

export function Tools(props: Props): ReactNode {
  const { images, series, place, frame, loaded, hasFailed, marks, placesAreShown, commands } = props;
  const count = series.frames.length;
  const nextMark = marks.find((mark) => mark > place) ?? marks[0];
  return (
    <div className="tools" role="group" aria-label="Image">
      <div className="tools-line">
        <output className="tools-place" aria-live="off">
          {place + 1} / {count}
        </output>
        <input
          type="range"
          className="tools-slider"
          aria-label="Image number"
          aria-valuetext={`image ${place + 1} of ${count}`}
          min={0}
          max={Math.max(0, count - 1)}
          value={place}
          disabled={count < 2}
          onChange={(event) => commands.goTo(Number(event.currentTarget.value))}
        />
        {isMoving(series) && (
          <Tool letter="space" label={props.isPlaying ? "Stop" : "Play"} isOn={props.isPlaying} onPress={commands.play} />
        )}
      </div>
      <div className="tools-line">
        {series.windows.map((preset, number) => (
          <Tool
            key={preset.name}
            letter={String(number + 1)}
            label={preset.name}
            isOn={preset.centre === props.view.centre && preset.width === props.view.width}
            onPress={() => commands.preset(number)}
          />
        ))}
        <Tool letter="i" label="Invert" isOn={props.view.isInverted} onPress={commands.invert} />
        <Tool letter="+" label="Larger" onPress={() => commands.zoom(1.25)} />
        <Tool letter="-" label="Smaller" onPress={() => commands.zoom(0.8)} />
        <Tool letter="0" label="Reset" onPress={commands.reset} />
        {marks.length > 0 && (
          <>
            <Tool letter="b" label="AI places" isOn={placesAreShown} onPress={commands.places} />
            {nextMark !== undefined && nextMark !== place && (
              <button type="button" className="button" onClick={() => commands.goTo(nextMark)}>
                Go to image {nextMark + 1}
              </button>
            )}
          </>
        )}
      </div>
      {frame?.about.kind === "grey" && <Grey {...props} frame={frame} />}
      {images.series.length > 1 && (
        <label className="tools-line">
          Series
          <select
            value={series.series_instance_uid}
            onChange={(event) => {
              const next = images.series.find((one) => one.series_instance_uid === event.currentTarget.value);
              if (next) props.onSeries(next);
            }}
          >
            {images.series.map((one) => (
              <option key={one.series_instance_uid} value={one.series_instance_uid}>
                {one.modality} {one.description || "series"} ({one.frames.length})
              </option>
            ))}
          </select>
        </label>
      )}
      <p className="second tools-words">
        {hasFailed ? "This image cannot be shown. " : loaded < count && `${loaded} of ${count} loaded. `}
        {frame && frame.about.reduced > 1 && `Shown at 1/${frame.about.reduced} of its size. `}
        Open the full study to report or to measure.
      </p>
    </div>
  );
}

function Grey({ frame, view, onWindow }: Props & { frame: Frame }): ReactNode {
  const { slope = 1, intercept = 0, unit } = frame.about;
  const reach = unit === "HU" ? [-1000, 2000] : [intercept, intercept + slope * 4095];
  return (
    <div className="tools-line tools-window">
      <label>
        Centre
        <input
          type="range"
          min={reach[0]}
          max={reach[1]}
          step="any"
          value={view.centre}
          onChange={(event) => onWindow(Number(event.currentTarget.value), view.width)}
        />
      </label>
      <label>
        Width
        <input
          type="range"
          min={1}
          max={(reach[1] ?? 1) - (reach[0] ?? 0)}
          step="any"
          value={view.width}
          onChange={(event) => onWindow(view.centre, Number(event.currentTarget.value))}
        />
      </label>
      <span className="second">
        {Math.round(view.centre)} / {Math.round(view.width)} {unit}
      </span>
    </div>
  );
}

interface ToolProps {
  letter: string;
  label: string;
  isOn?: boolean;
  onPress: () => void;
}

function Tool({ letter, label, isOn, onPress }: ToolProps): ReactNode {
  return (
    <button
      type="button"
      className={isOn ? "button tool tool-on" : "button tool"}
      aria-pressed={isOn}
      aria-keyshortcuts={letter === "space" ? "Space" : letter}
      onClick={onPress}
    >
      {label} <kbd aria-hidden="true">{letter}</kbd>
    </button>
  );
}

/** Frames of one run, as in ultrasound, move; slices of a stack are scrolled. */
function isMoving(series: SeriesImages): boolean {
  return series.frames.length > 1 && (series.modality === "US" || series.modality === "XA" || series.modality === "RF");
}
