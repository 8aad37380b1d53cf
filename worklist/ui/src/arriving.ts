/** Parts of the page that come when they are first opened, so that the list is quick. */

import { lazy, type ComponentType, type LazyExoticComponent } from "react";

const ASK_AGAIN_MS = 2_000;

/** A part that is asked for until it comes: whoever opens it while the connection is lost waits, and loses nothing. */
export function arriving<Props>(load: () => Promise<ComponentType<Props>>): LazyExoticComponent<ComponentType<Props>> {
  const persistently = async (): Promise<{ default: ComponentType<Props> }> => {
    for (;;) {
      try {
        return { default: await load() };
      } catch {
        await new Promise((resume) => window.setTimeout(resume, ASK_AGAIN_MS));
      }
    }
  };
  return lazy(persistently);
}
