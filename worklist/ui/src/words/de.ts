/** The words of the page in German. */

import { frame } from "./de/frame";
import { help } from "./de/help";
import { list } from "./de/list";
import { people } from "./de/people";
import { rules } from "./de/rules";
import { sentences } from "./de/sentences";
import { study } from "./de/study";
import { system } from "./de/system";
import { validation } from "./de/validation";
import { watch } from "./de/watch";
import { work } from "./de/work";
import type { Words } from "./language";

export const de: Words = { frame, help, list, people, rules, study, system, validation, sentences, watch, work };
