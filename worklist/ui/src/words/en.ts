/** The words of the page in English, by area; other languages have the same shape. */

import { frame } from "./en/frame";

export const en = { frame };
