import type { ReactNode } from "react";
import { choose } from "./preferences";
import { LANGUAGES, changeLanguage, chosenLanguage, words, type Language } from "./words/language";

export function LanguageChoice(): ReactNode {
  return (
    <label className="choice-line language">
      {words.frame.language}
      <select value={chosenLanguage()} onChange={(event) => change(event.currentTarget.value as Language)}>
        {Object.entries(LANGUAGES).map(([language, name]) => (
          <option key={language} value={language} lang={language}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function change(language: Language): void {
  void choose({ language }).then(() => changeLanguage(language));
}
