import type { ReactNode } from "react";
import { KeySign, useShortcut } from "../KeySign";
import { useKeymap, type Command } from "../keymap";
import { words } from "../words/language";
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
  const { isOn: digitsWork } = useKeymap();
  const nextMark = marks.find((mark) => mark > place) ?? marks[0];
  return (
    <div className="tools" role="group" aria-label={words.study.image}>
      <div className="tools-line">
        <output className="tools-place" aria-live="off">
          {place + 1} / {count}
        </output>
        <input
          type="range"
          className="tools-slider"
          aria-label={words.study.imageNumber}
          aria-valuetext={words.study.imageOf(place + 1, count)}
          min={0}
          max={Math.max(0, count - 1)}
          value={place}
          disabled={count < 2}
          onChange={(event) => commands.goTo(Number(event.currentTarget.value))}
        />
        {isMoving(series) && (
          <Tool sign="␣" label={props.isPlaying ? words.study.stop : words.study.play} isOn={props.isPlaying} onPress={commands.play} />
        )}
      </div>
      <div className="tools-line">
        {series.windows.map((preset, number) => (
          <Tool
            key={preset.name}
            sign={digitsWork ? String(number + 1) : ""}
            label={words.study.windows[preset.name] ?? preset.name}
            isOn={preset.centre === props.view.centre && preset.width === props.view.width}
            onPress={() => commands.preset(number)}
          />
        ))}
        <CommandTool command="invert" label={words.study.invert} isOn={props.view.isInverted} onPress={commands.invert} />
        <CommandTool command="larger" label={words.study.larger} onPress={() => commands.zoom(1.25)} />
        <CommandTool command="smaller" label={words.study.smaller} onPress={() => commands.zoom(0.8)} />
        <CommandTool command="reset" label={words.study.reset} onPress={commands.reset} />
        {marks.length > 0 && (
          <>
            <CommandTool command="places" label={words.study.aiPlaces} isOn={placesAreShown} onPress={commands.places} />
            {nextMark !== undefined && nextMark !== place && (
              <button type="button" className="button" onClick={() => commands.goTo(nextMark)}>
                {words.study.goToImage(nextMark + 1)}
              </button>
            )}
          </>
        )}
      </div>
      {frame?.about.kind === "grey" && <Grey {...props} frame={frame} />}
      {images.series.length > 1 && (
        <label className="tools-line">
          {words.study.series}
          <select
            value={series.series_instance_uid}
            onChange={(event) => {
              const next = images.series.find((one) => one.series_instance_uid === event.currentTarget.value);
              if (next) props.onSeries(next);
            }}
          >
            {images.series.map((one) => (
              <option key={one.series_instance_uid} value={one.series_instance_uid}>
                {one.modality} {one.description || words.study.oneSeries} ({one.frames.length})
              </option>
            ))}
          </select>
        </label>
      )}
      <p className="second tools-words">
        {hasFailed ? words.study.cannotShowThis : loaded < count && words.study.loadedOf(loaded, count)}
        {frame && frame.about.reduced > 1 && words.study.reduced(frame.about.reduced)}
        {words.study.openFull}
      </p>
    </div>
  );
}

function Grey({ frame, view, onWindow }: Props & { frame: Frame }): ReactNode {
  const { slope = 1, intercept = 0, unit } = frame.about;
  const levels = (frame.about.window?.[1] ?? 4096) <= 256 ? 255 : 4095;
  const reach = unit === "HU" ? [-1000, 2000] : [intercept, intercept + slope * levels];
  return (
    <div className="tools-line tools-window">
      <label>
        {words.study.centre}
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
        {words.study.width}
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
  label: string;
  isOn?: boolean;
  onPress: () => void;
}

/** A tool with a key of its own choice. */
function CommandTool({ command, label, isOn, onPress }: ToolProps & { command: Command }): ReactNode {
  return (
    <button type="button" className={toolClass(isOn)} aria-pressed={isOn} aria-keyshortcuts={useShortcut(command)} onClick={onPress}>
      {label} <KeySign of={command} />
    </button>
  );
}

/** A tool whose key stays: the space bar, or a digit. */
function Tool({ sign, label, isOn, onPress }: ToolProps & { sign: string }): ReactNode {
  return (
    <button
      type="button"
      className={toolClass(isOn)}
      aria-pressed={isOn}
      aria-keyshortcuts={sign === "␣" ? "Space" : sign || undefined}
      onClick={onPress}
    >
      {label} {sign && <kbd aria-hidden="true">{sign}</kbd>}
    </button>
  );
}

function toolClass(isOn: boolean | undefined): string {
  return isOn ? "button tool tool-on" : "button tool";
}

/** Frames of one run, as in ultrasound, move; slices of a stack are scrolled. */
function isMoving(series: SeriesImages): boolean {
  return series.frames.length > 1 && (series.modality === "US" || series.modality === "XA" || series.modality === "RF");
}
