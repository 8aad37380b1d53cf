import type { ReactNode } from "react";
import { LANGUAGES, changeLanguage, chosenLanguage, words, type Language } from "./words/language";

export function LanguageChoice(): ReactNode {
  return (
    <label className="choice-line language">
      {words.frame.language}
      <select value={chosenLanguage()} onChange={(event) => changeLanguage(event.currentTarget.value as Language)}>
        {Object.entries(LANGUAGES).map(([language, name]) => (
          <option key={language} value={language} lang={language}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
