import type { ReactNode } from "react";
import { useKeymap, type Command } from "./keymap";

/** The key of a command, beside the words of its button; nothing while keys are switched off. */
export function KeySign({ of }: { of: Command }): ReactNode {
  const { keys, isOn } = useKeymap();
  return isOn && <kbd aria-hidden="true">{keys[of]}</kbd>;
}

/** For `aria-keyshortcuts`. */
export function useShortcut(command: Command): string | undefined {
  const { keys, isOn } = useKeymap();
  return isOn ? keys[command] : undefined;
}
