/** The help: how to read the list, and the keys. */
import type { Command } from "../../keymap";

export const help = {
  title: "How to read the list",
  order:
    "The study that is due first stands first. When it is due follows from its band: the order’s own priority, raised where " +
    "the AI suspects something. AI raises a study and never lowers or hides one.",
  noFlag:
    "“AI: no flag” means that no model reached its operating point. It does not mean normal. A study that is not analysed, " +
    "or whose analysis failed, keeps the place that its order gives it.",
  holds: "While a row has the focus or the pointer, rows stay where they are; what is new waits for “Show”.",
  keys: "Keys",
  fixed: [
    ["↑ ↓", "row of the list; images while a study is open"],
    ["Enter", "open the study"],
    ["Esc", "close what is open, back to the list"],
    ["PgUp PgDn", "ten images back or on"],
    ["⇧ ↑ ↓ ← →", "move the image"],
    ["1 2 3 4", "window: brain, subdural, stroke, bone"],
    ["Space", "play and stop a moving ultrasound"],
  ] as [string, string][],
  commands: {
    next: "next study",
    before: "study before",
    claim: "claim the study, or give it back",
    read: "mark it as read, or open it again",
    agree: "agree with the AI",
    disagree: "disagree with the AI",
    wrong_place: "the AI shows the wrong place",
    missed: "the AI missed a finding",
    priority: "change its priority, with a reason",
    note: "write a note",
    undo: "undo what you did last",
    elsewhere: "open it in the image viewer",
    show_new: "show new studies and the new order",
    search: "search",
    help: "this help",
    invert: "invert the image",
    larger: "larger",
    smaller: "smaller",
    reset: "image as it was",
    places: "AI places on and off",
    next_series: "next series",
    series_before: "series before",
  } as Record<Command, string>,
  changeKey: (what: string, key: string) => `${key}: ${what}; choose another key`,
  pressKey: "Press a key…",
  howToChange: "Press a key here to give its act another one; if another act has that key, the two change places.",
  usualKeys: "The usual keys again",
  lettersWork: "Keys that are single letters, digits or signs work (switch them off when you dictate)",
  backToList: "Back to the list",
};
