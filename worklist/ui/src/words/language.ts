/** The language of the page: the one that was chosen here, else the browser's, else English. */

import type { en } from "./en";

export type Words = typeof en;
export type Language = "en" | "de";

export const LANGUAGES: Record<Language, string> = { en: "English", de: "Deutsch" };

const CHOSEN = "acuity-language";

/** Read while rendering, never kept: `speak` puts a language here before anything is rendered. */
export let words: Words;

export function chosenLanguage(): Language {
  const wanted = window.localStorage.getItem(CHOSEN) ?? window.navigator.language.slice(0, 2);
  return wanted === "de" ? "de" : "en";
}

/** Must be done before what is to be told is rendered; `changeLanguage` and `speakAs` have the browser remember it. */
export async function speak(language: Language): Promise<void> {
  words = language === "de" ? (await import("./de")).de : (await import("./en")).en;
  document.documentElement.lang = language;
}

/** Speak what an account has chosen; nothing is kept where it has chosen nothing. */
export async function speakAs(chosen: Language | null): Promise<void> {
  if (chosen) window.localStorage.setItem(CHOSEN, chosen);
  if (chosen && chosen !== document.documentElement.lang) await speak(chosen);
}

/** The page is loaded again: every word changes at once, and a half-read study is in the address. */
export function changeLanguage(language: Language): void {
  window.localStorage.setItem(CHOSEN, language);
  window.location.reload();
}

/** For dates and numbers: the browser's own variant of the language, such as de-CH. */
export function locale(): string {
  const spoken = document.documentElement.lang;
  return window.navigator.language.startsWith(spoken) ? window.navigator.language : spoken;
}
