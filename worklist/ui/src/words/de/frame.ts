import type { Words } from "../language";

export const frame: Words["frame"] = {
  opening: "Die Liste wird geöffnet …",
  noAnswer: "Der Server antwortet nicht.",
  tryAgain: "Noch einmal versuchen",
};
