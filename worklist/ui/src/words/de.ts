/** The words of the page in German. */

import { frame } from "./de/frame";
import type { Words } from "./language";

export const de: Words = { frame };
