/** Keys of the image: arrows scroll, digits choose a window; the other signs are those of the keymap. */

import { useEffect, useRef } from "react";
import { commandOf, currentKeymap, type Command } from "../keymap";

export interface Commands {
  go: (step: number) => void;
  goTo: (place: number) => void;
  nextSeries: (step: number) => void;
  preset: (number: number) => void;
  invert: () => void;
  zoom: (factor: number) => void;
  pan: (x: number, y: number) => void;
  reset: () => void;
  play: () => void;
  places: () => void;
}

const STEP_PX = 30;
const ZOOM = 1.25;

export function useViewerKeys(commands: Commands): void {
  const current = useRef(commands);
  current.current = commands;
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      const target = event.target as HTMLElement;
      if (target.closest("[role=dialog],[role=listbox],input,textarea,select")) return;
      const isButton = target.closest("button") !== null;
      if (isButton && (event.key === " " || event.key === "Enter")) return;
      const act = actOf(event, current.current);
      if (!act) return;
      event.preventDefault();
      act();
    };
    document.addEventListener("keydown", pressed, true);
    return () => document.removeEventListener("keydown", pressed, true);
  }, []);
}

function actOf(event: KeyboardEvent, commands: Commands): (() => void) | undefined {
  if (event.shiftKey) {
    const pans: Record<string, [number, number]> = {
      ArrowLeft: [-STEP_PX, 0],
      ArrowRight: [STEP_PX, 0],
      ArrowUp: [0, -STEP_PX],
      ArrowDown: [0, STEP_PX],
    };
    const pan = pans[event.key];
    if (pan) return () => commands.pan(...pan);
  }
  if (/^[1-9]$/.test(event.key)) return currentKeymap().isOn ? () => commands.preset(Number(event.key) - 1) : undefined;
  const moves: Record<string, () => void> = {
    ArrowDown: () => commands.go(1),
    ArrowRight: () => commands.go(1),
    ArrowUp: () => commands.go(-1),
    ArrowLeft: () => commands.go(-1),
    PageDown: () => commands.go(10),
    PageUp: () => commands.go(-10),
    Home: () => commands.goTo(0),
    End: () => commands.goTo(Number.MAX_SAFE_INTEGER),
    " ": commands.play,
  };
  const acts: Partial<Record<Command, () => void>> = {
    next_series: () => commands.nextSeries(1),
    series_before: () => commands.nextSeries(-1),
    larger: () => commands.zoom(ZOOM),
    smaller: () => commands.zoom(1 / ZOOM),
    reset: commands.reset,
    invert: commands.invert,
    places: commands.places,
  };
  const command = commandOf(event.key);
  return moves[event.key] ?? (command && acts[command]);
}
