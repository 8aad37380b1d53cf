/** Which key does what: the usual ones, or those that the account has chosen; all of them can be switched off. */

import { useSyncExternalStore } from "react";
import type { WorkWord } from "./acts";
import { choose, type Preferences } from "./preferences";

export type Command =
  | WorkWord
  | "next"
  | "before"
  | "elsewhere"
  | "show_new"
  | "search"
  | "help"
  | "invert"
  | "larger"
  | "smaller"
  | "reset"
  | "places"
  | "next_series"
  | "series_before";

export type Keys = Record<Command, string>;

export const USUAL_KEYS: Readonly<Keys> = {
  next: "j",
  before: "k",
  claim: "c",
  read: "r",
  agree: "a",
  disagree: "d",
  wrong_place: "w",
  missed: "m",
  priority: "p",
  note: "t",
  undo: "u",
  elsewhere: "o",
  show_new: "n",
  search: "/",
  help: "?",
  invert: "i",
  larger: "+",
  smaller: "-",
  reset: "0",
  places: "b",
  next_series: "]",
  series_before: "[",
};

export const COMMANDS = Object.keys(USUAL_KEYS) as Command[];

interface Keymap {
  keys: Readonly<Keys>;
  /** Whether letters, digits and signs do anything; off for those who dictate (WCAG 2.1.4). */
  isOn: boolean;
}

const listeners = new Set<() => void>();
let keymap: Keymap = { keys: USUAL_KEYS, isOn: true };

export function useKeymap(): Keymap {
  return useSyncExternalStore(subscribe, currentKeymap);
}

export function currentKeymap(): Keymap {
  return keymap;
}

/** What `key` does; nothing while the keys are switched off. */
export function commandOf(key: string): Command | undefined {
  return keymap.isOn ? COMMANDS.find((one) => keymap.keys[one] === key) : undefined;
}

/** Whether a command can have the key: one visible sign that no preset of grey values has. */
export function isFree(key: string): boolean {
  return /^[^\s\p{Cc}1-9]$/u.test(key);
}

/** Give a command a key; the command that has it gets the other's. */
export function changeKey(command: Command, key: string): void {
  const other = COMMANDS.find((one) => keymap.keys[one] === key);
  const keys = { ...keymap.keys, [command]: key };
  if (other && other !== command) keys[other] = keymap.keys[command];
  keep({ ...keymap, keys });
}

export function restoreKeys(): void {
  keep({ ...keymap, keys: USUAL_KEYS });
}

export function switchKeys(isOn: boolean): void {
  keep({ ...keymap, isOn });
}

/** Let the keys be those that the account has chosen. */
export function takeKeys({ keys, letter_keys }: Preferences): void {
  use({ keys: whole(keys ?? {}), isOn: letter_keys ?? true });
}

function keep(next: Keymap): void {
  use(next);
  void choose({ keys: next.keys, letter_keys: next.isOn });
}

function use(next: Keymap): void {
  keymap = next;
  listeners.forEach((listener) => listener());
}

/** The chosen keys; the usual ones where what was kept does not give each command a key of its own. */
function whole(chosen: Record<string, string>): Readonly<Keys> {
  const wanted = COMMANDS.map((one) => chosen[one] ?? USUAL_KEYS[one]);
  const isWhole = wanted.every(isFree) && new Set(wanted).size === wanted.length;
  return isWhole ? (Object.fromEntries(COMMANDS.map((one, place) => [one, wanted[place]])) as Keys) : USUAL_KEYS;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
