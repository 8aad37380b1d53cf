/** The language of the page: the one that was chosen here, else the browser's, else English. */

import { en } from "./en";

export type Words = typeof en;
export type Language = "en" | "de";

export const LANGUAGES: Record<Language, string> = { en: "English", de: "Deutsch" };

const CHOSEN = "acuity-language";

/** Read while rendering, never kept: `speak` puts another language here. */
export let words: Words = en;

export function chosenLanguage(): Language {
  const wanted = window.localStorage.getItem(CHOSEN) ?? window.navigator.language.slice(0, 2);
  return wanted === "de" ? "de" : "en";
}

/** Must be done before the page is rendered first. */
export async function speak(language: Language): Promise<void> {
  if (language === "de") words = (await import("./de")).de;
  document.documentElement.lang = language;
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
