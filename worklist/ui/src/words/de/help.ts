import type { Words } from "../language";

export const help: Words["help"] = {
  title: "So liest sich die Liste",
  order:
    "Die zuerst fällige Studie steht zuerst. Wann sie fällig ist, folgt aus ihrer Stufe: der Priorität des Auftrags, angehoben, wo die " +
    "KI etwas vermutet. Die KI hebt eine Studie an; sie senkt oder verbirgt keine.",
  noFlag:
    "„KI: kein Hinweis“ heißt, dass kein Modell seinen Arbeitspunkt erreicht hat. Es heißt nicht unauffällig. Eine Studie, die nicht " +
    "analysiert wurde oder deren Analyse scheiterte, behält den Platz, den ihr der Auftrag gibt.",
  holds: "Solange eine Zeile den Fokus oder den Zeiger hat, bleiben die Zeilen stehen; Neues wartet auf „Zeigen“.",
  keys: "Tasten",
  fixed: [
    ["↑ ↓", "Zeile der Liste; bei offener Studie ihre Bilder"],
    ["Enter", "Studie öffnen"],
    ["Esc", "Offenes schließen, zurück zur Liste"],
    ["Bild ↑ ↓", "zehn Bilder zurück oder weiter"],
    ["⇧ ↑ ↓ ← →", "Bild verschieben"],
    ["1 2 3 4", "Fenster: Hirn, Subdural, Infarkt, Knochen"],
    ["Leertaste", "bewegten Ultraschall abspielen und anhalten"],
  ],
  commands: {
    next: "nächste Studie",
    before: "vorige Studie",
    claim: "Studie übernehmen oder zurückgeben",
    read: "als gelesen vermerken oder wieder öffnen",
    agree: "der KI zustimmen",
    disagree: "der KI widersprechen",
    wrong_place: "die KI zeigt die falsche Stelle",
    missed: "die KI hat einen Befund übersehen",
    priority: "Priorität ändern, mit Grund",
    note: "Notiz schreiben",
    undo: "das Letzte rückgängig machen",
    elsewhere: "im Bildbetrachter öffnen",
    show_new: "neue Studien und neue Reihenfolge zeigen",
    search: "suchen",
    help: "diese Hilfe",
    invert: "Bild invertieren",
    larger: "größer",
    smaller: "kleiner",
    reset: "Bild wie zuvor",
    places: "KI-Stellen ein und aus",
    next_series: "nächste Serie",
    series_before: "vorige Serie",
  },
  changeKey: (what, key) => `${key}: ${what}; andere Taste wählen`,
  pressKey: "Taste drücken …",
  howToChange: "Drücken Sie hier auf eine Taste, um ihr eine andere zu geben; ist sie schon vergeben, tauschen die beiden.",
  usualKeys: "Wieder die üblichen Tasten",
  lettersWork: "Tasten aus einem Buchstaben, einer Ziffer oder einem Zeichen wirken (beim Diktieren ausschalten)",
  backToList: "Zurück zur Liste",
};
