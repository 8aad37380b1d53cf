/** One hand on the keyboard is enough: j k Enter / ? n Esc. */

import { useEffect, useRef, type RefObject } from "react";
import type { WorklistHandle } from "./Worklist";

interface Keys {
  list: RefObject<WorklistHandle | null>;
  panelIsOpen: boolean;
  isAside: boolean;
  onClose: () => void;
  onHelp: () => void;
  onApply: () => void;
}

export const SEARCH_ID = "search";

export function useListKeys(keys: Keys): void {
  const current = useRef(keys);
  current.current = keys;

  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const { list, panelIsOpen, isAside, onClose, onHelp, onApply } = current.current;
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isAside) return;
      const target = event.target as HTMLElement;
      if (event.key === "Escape" && panelIsOpen && !isTyping(target)) return done(event, onClose);
      if (isTyping(target) || target.closest("[role=listbox],[role=dialog]")) return;
      const isOnList = target === document.body || target.closest("tbody") !== null;
      if (event.key === "j" || (event.key === "ArrowDown" && isOnList)) return done(event, () => list.current?.move(1));
      if (event.key === "k" || (event.key === "ArrowUp" && isOnList)) return done(event, () => list.current?.move(-1));
      if (event.key === "Home" && isOnList) return done(event, () => list.current?.move(-Infinity));
      if (event.key === "End" && isOnList) return done(event, () => list.current?.move(Infinity));
      if (event.key === "n") return done(event, onApply);
      if (event.key === "?") return done(event, onHelp);
      if (event.key === "/") return done(event, () => document.getElementById(SEARCH_ID)?.focus());
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);
}

function done(event: KeyboardEvent, act: () => void): void {
  event.preventDefault();
  act();
}

function isTyping(target: HTMLElement): boolean {
  return target.matches("input, textarea, select, [contenteditable=true]");
}
