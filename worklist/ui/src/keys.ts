/** One hand on the keyboard is enough: what keys do on the list. */

import { useEffect, useRef, type RefObject } from "react";
import type { WorkWord } from "./acts";
import { commandOf } from "./keymap";
import type { WorklistHandle } from "./Worklist";

/** Done to the study that is open, or else to the row under the cursor. */
const WORK: ReadonlySet<string> = new Set<WorkWord>([
  "claim",
  "read",
  "agree",
  "disagree",
  "wrong_place",
  "missed",
  "priority",
  "note",
  "undo",
]);

interface Keys {
  list: RefObject<WorklistHandle | null>;
  panelIsOpen: boolean;
  isAside: boolean;
  onClose: () => void;
  onHelp: () => void;
  onApply: () => void;
  onWork: (word: WorkWord) => void;
  onOpenElsewhere: () => void;
}

export const SEARCH_ID = "search";

export function useListKeys(keys: Keys): void {
  const current = useRef(keys);
  current.current = keys;

  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || current.current.isAside) return;
      const act = actOf(event, current.current);
      if (!act) return;
      event.preventDefault();
      act();
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);
}

function actOf(event: KeyboardEvent, keys: Keys): (() => void) | undefined {
  const target = event.target as HTMLElement;
  const { list, panelIsOpen } = keys;
  if (event.key === "Escape" && panelIsOpen && !isTyping(target)) return keys.onClose;
  if (isTyping(target) || target.closest("[role=listbox],[role=menu],[role=dialog],[role=radiogroup]")) return undefined;
  const isOnList = target === document.body || target.closest("tbody") !== null;
  // With a study open the arrows belong to its images.
  if (isOnList && !panelIsOpen) {
    if (event.key === "ArrowDown") return () => list.current?.move(1);
    if (event.key === "ArrowUp") return () => list.current?.move(-1);
    if (event.key === "Home") return () => list.current?.move(-Infinity);
    if (event.key === "End") return () => list.current?.move(Infinity);
  }
  const command = commandOf(event.key);
  if (command === "next") return () => list.current?.move(1);
  if (command === "before") return () => list.current?.move(-1);
  if (command === "show_new") return keys.onApply;
  if (command === "elsewhere") return keys.onOpenElsewhere;
  if (command === "help") return keys.onHelp;
  if (command === "search") return () => document.getElementById(SEARCH_ID)?.focus();
  const isWork = command !== undefined && WORK.has(command) && !event.repeat;
  return isWork ? () => keys.onWork(command as WorkWord) : undefined;
}

function isTyping(target: HTMLElement): boolean {
  return target.matches("input:not([type=radio]):not([type=checkbox]):not([type=range]), textarea, select, [contenteditable=true]");
}
