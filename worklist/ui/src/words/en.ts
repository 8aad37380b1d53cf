/** The words of the page in English, by area; other languages have the same shape. */

import { frame } from "./en/frame";
import { help } from "./en/help";
import { list } from "./en/list";
import { people } from "./en/people";
import { rules } from "./en/rules";
import { study } from "./en/study";
import { system } from "./en/system";
import { validation } from "./en/validation";
import { watch } from "./en/watch";
import { work } from "./en/work";
import type { Sentence } from "../sentences";

/** The server speaks English, so there is nothing to put in its place. */
const sentences: readonly Sentence[] = [];

export const en = { frame, help, list, people, rules, study, system, validation, sentences, watch, work };
