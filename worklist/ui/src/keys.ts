/** One hand on the keyboard is enough; letters can be switched off for those who dictate (WCAG 2.1.4). */

import { useEffect, useRef, useState, type RefObject } from "react";
import type { WorkWord } from "./acts";
import type { WorklistHandle } from "./Worklist";

/** What a letter does to the study that is open, or else to the row under the cursor. */
export const WORK_KEYS: Record<string, WorkWord> = {
  c: "claim",
  r: "read",
  a: "agree",
  d: "disagree",
  w: "wrong_place",
  m: "missed",
  p: "priority",
  t: "note",
  u: "undo",
};

const LETTERS = "acuity-letter-keys";

export function useLetterKeys(): [boolean, (isOn: boolean) => void] {
  const [isOn, setOn] = useState(window.localStorage.getItem(LETTERS) !== "off");
  const change = (wanted: boolean): void => {
    window.localStorage.setItem(LETTERS, wanted ? "on" : "off");
    setOn(wanted);
  };
  return [isOn, change];
}

interface Keys {
  list: RefObject<WorklistHandle | null>;
  panelIsOpen: boolean;
  isAside: boolean;
  onClose: () => void;
  onHelp: () => void;
  onApply: () => void;
  onWork: (word: WorkWord) => void;
  onOpenElsewhere: () => void;
  lettersAreOn: boolean;
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
  if (isTyping(target) || target.closest("[role=listbox],[role=dialog],[role=radiogroup]")) return undefined;
  const isOnList = target === document.body || target.closest("tbody") !== null;
  // With a study open the arrows belong to its images.
  if (isOnList && !panelIsOpen) {
    if (event.key === "ArrowDown") return () => list.current?.move(1);
    if (event.key === "ArrowUp") return () => list.current?.move(-1);
    if (event.key === "Home") return () => list.current?.move(-Infinity);
    if (event.key === "End") return () => list.current?.move(Infinity);
  }
  if (!keys.lettersAreOn) return undefined;
  if (event.key === "j") return () => list.current?.move(1);
  if (event.key === "k") return () => list.current?.move(-1);
  if (event.key === "n") return keys.onApply;
  if (event.key === "o") return keys.onOpenElsewhere;
  if (event.key === "?") return keys.onHelp;
  if (event.key === "/") return () => document.getElementById(SEARCH_ID)?.focus();
  const word = event.repeat ? undefined : WORK_KEYS[event.key];
  return word && (() => keys.onWork(word));
}

function isTyping(target: HTMLElement): boolean {
  return target.matches("input:not([type=radio]):not([type=checkbox]):not([type=range]), textarea, select, [contenteditable=true]");
}
