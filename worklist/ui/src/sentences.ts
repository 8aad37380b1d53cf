/** What the server says in English, told in the language of the page: the English sentence is the key, {} are its values. */

import { words } from "./words/language";

/** The English sentence, and how it is told; {} stand for values in their order, or {0}, {1}, … by number. */
export type Sentence = readonly [english: string, told: string];

const MARKED = /^([^:]{1,100}): (.+)$/s;
const compiled = new Map<readonly Sentence[], [RegExp, string][]>();

/** What the language has no words for stays as it is: an honest English sentence, never half of one. */
export function told(sentence: string): string {
  const known = knownSentence(sentence);
  if (known !== undefined) return known;
  const parts = sentence.split("; ");
  if (parts.length > 1) return parts.map(told).join("; ");
  // What it is about stands before: a model, an instance, a series.
  const [, about = "", said = ""] = MARKED.exec(sentence) ?? [];
  return said ? `${knownSentence(about) ?? about}: ${told(said)}` : sentence;
}

function knownSentence(sentence: string): string | undefined {
  for (const [pattern, told] of patterns(words.sentences)) {
    const found = pattern.exec(sentence);
    if (found) return filled(told, found.slice(1));
  }
  return undefined;
}

function filled(template: string, values: string[]): string {
  let next = 0;
  return template.replace(/\{(\d*)\}/g, (_, place: string) => valueWords(values[place ? Number(place) : next++] ?? ""));
}

/** A value may be a sentence itself; of numbers the language decides the sign before the decimals. */
function valueWords(value: string): string {
  return /^-?\d+\.\d+$/.test(value) ? value.replace(".", words.frame.decimalSign) : told(value);
}

function patterns(sentences: readonly Sentence[]): [RegExp, string][] {
  const known = compiled.get(sentences) ?? sentences.map(([english, told]): [RegExp, string] => [patternOf(english), told]);
  compiled.set(sentences, known);
  return known;
}

function patternOf(english: string): RegExp {
  const parts = english.split("{}").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join("(.+?)")}$`, "is");
}
