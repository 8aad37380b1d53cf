import type { Words } from "../language";

const SHARE = "share";

export const watch: Words["watch"] = {
  kinds: { health: "Eingang", input: "Eingabe", output: "Ausgabe", performance: "Güte", service: "Durchlauf" },
  causes: {
    false_alarm: "Fehlalarm",
    protocol_change: "Geändertes Protokoll",
    equipment_change: "Geändertes Gerät",
    case_mix: "Andere Patienten oder Fragestellungen",
    outage: "Ausfall",
    model_fault: "Fehler des Modells",
    other: "Etwas anderes",
  },
  streams: {
    silence: ["Stille", "h"],
    volume: ["Studien am Tag", "Studien am Tag"],
    device: ["Gerät", "SD der Seltenheit"],
    software: ["Software", "SD der Seltenheit"],
    kernel: ["Faltungskern", "SD der Seltenheit"],
    sex: ["Geschlecht", "SD der Seltenheit"],
    slice_thickness_mm: ["Schichtdicke", "mm"],
    exposure_mas: ["Exposition", "mAs"],
    age_years: ["Alter", "Jahre"],
    quality_note: ["Qualitätsvermerke", SHARE],
    out_of_scope: ["Außerhalb des Einsatzbereichs", SHARE],
    novelty: ["Neuartigkeit", "der Neuartigkeit"],
    score_logit: ["Werte", "der Log-Odds"],
    flagged: ["Mit Hinweis", SHARE],
    missed: ["Übersehene Befunde", SHARE],
    false_flag: ["Falsche Hinweise", SHARE],
    wrong_place: ["Falsche Stelle", SHARE],
    triage_minutes: ["Zeit bis zur Triage", "min"],
    reading_minutes: ["Zeit bis zur Befundung", "min"],
  },
  percentagePoints: (points) => `${points} Prozentpunkte`,

  noStudy: "Noch ist keine Studie gespeichert, also wird nichts überwacht.",
  namelessSite: "Standort ohne Namen",
  modelOn: (scanner) => `Modell an ${scanner}`,
  scanner: "Gerät",
  longerHistory: "braucht mehr Vorgeschichte",
  alarms: (count) => `${count} Alarme`,
  alarm: (number) => `Alarm ${number}`,
  silent: "Still",
  noStudyComes: "keine Studie kommt",
  notEnough: "Zu wenig Daten",
  withinLimits: "Innerhalb der Grenzen",
  watched: (watched, share, learning) =>
    `${watched} überwacht, höchstens ${share} der Grenze${learning ? `; ${learning} mit zu wenig Daten` : ""}`,

  title: "Überwachung",
  looking: "Jeder Strom wird geprüft …",
  noAlarm: (number) => `Es gibt keinen Alarm ${number}.`,
  lookedAt: (streams, time) =>
    `${streams} ${streams === 1 ? "Strom" : "Ströme"}, geprüft ${time}. Ein Strom ist nur grün, solange seine Karte überwacht wird.`,
  openAlarms: "Offene Alarme",
  noneOpen: "Kein Alarm ist offen.",
  closedAlarms: "Geschlossene Alarme",
  changedAbout: (day) => `geändert etwa am ${day}`,
  closedAs: (cause) => `Geschlossen: ${cause}`,
  noCause: "ohne Ursache",
  looksAfter: (owner) => `${owner} kümmert sich`,
  notAcknowledged: (isOverdue, owner) =>
    `${isOverdue ? "Überfällig, nicht bestätigt" : "Nicht bestätigt"}${owner ? `, übergeben an ${owner}` : ""}`,

  back: "Alle Geräte und Modelle",
  headOf: (place, kind) => `${place}: ${kind}`,
  streamList: "Ströme",
  notWatched: (stream) => `${stream} wird nicht mehr überwacht.`,
  needsHistory: "braucht 90 Tage und 200 Studien",
  ofTheLimit: (share) => `${share} der Grenze`,
  chartOf: (stream) => `Karte: ${stream}`,
  noDailyChart: "Stille zählt ausgebliebene Studien und hat keine Tageskarte.",
  smallest: "Kleinste erkannte Änderung",
  longestSilence: "die längste Stille, die unbemerkt bleiben kann",
  within28: "im Mittel binnen 28 Tagen, bei diesem Aufkommen",
  now: "Jetzt",
  sumOf: (sum, limit) => `${sum} von ${limit}`,
  sumAgainst: "Summe gegen ihre Grenze",
  restsOn: "Beruht auf",
  noBaseline: "Noch keine Grundlage",
  baselineDays: (days) => `${days} Tagen`,
  usualDay: (studies) => `${studies} Studien an einem üblichen Tag`,

  chartCaption:
    "Linie: Summe dessen, was über den Zufall hinausgeht, Anstiege über und Abfälle unter der Mitte; ein Alarm jenseits der gestrichelten " +
    "Grenze. Punkte: die Tage, in Standardabweichungen. ",
  shaded: "Schattiert: seit dem geschätzten Tag der Änderung. ",
  until: (day) => `Bis ${day}.`,
  chartSummary: (name, first, last, sum, limit, beyond) =>
    `${name} vom ${first} bis zum ${last}: die Summe ist jetzt ${sum}, ihre Grenze ${limit}; ` +
    (beyond ? `jenseits der Grenze an ${beyond} ${beyond === 1 ? "Tag" : "Tagen"}` : "nie jenseits der Grenze"),

  failedToCome: (count, day, limit) => `${count} Studien blieben seit dem ${day} aus; die Grenze ist ${limit}.`,
  shifted: (isLower, size, day, sum, limit) =>
    `${isLower ? "Niedriger" : "Höher"} um ${size} Standardabweichungen eines Tages seit etwa dem ${day} (Summe ${sum}, Grenze ${limit}).`,
  noticed: (noticed, opened) => `Bemerkt am ${noticed}, geöffnet ${opened}.`,
  action: (reference) => `Maßnahme: ${reference}.`,
  closedIt: (owner, time) => `Geschlossen von ${owner}, ${time}.`,
  stopsNoModel: "Kein Alarm hält ein Modell an. Um seine Hinweise auszusetzen und die Liste zu behalten:",
  bestStudies: "Studien, die es am besten zeigen",
  take: "Bestätigen und übernehmen",
  owner: "Zuständig",
  give: "Übergeben",
  closeAlarm: "Alarm schließen",
  cause: "Ursache",
  chooseCause: "Wählen Sie, was gefunden wurde",
  inWords: "In Worten",
  capa: "Verweis auf die Maßnahme (CAPA)",
  changeStays: "Die Änderung bleibt: neu lernen, was üblich ist",
  closeIt: "Schließen",

  concernReading: "Alarme, die das Befunden betreffen",
  hasChanged: {
    silence: "Studien bleiben aus",
    volume: "die Zahl der Studien hat sich geändert",
    missed: "der Anteil übersehener Befunde hat sich geändert",
    false_flag: "der Anteil falscher Hinweise hat sich geändert",
    wrong_place: "der Anteil falscher Stellen hat sich geändert",
  },
  streamChanged: (stream) => `${stream} hat sich geändert`,
  banner: (change, day, isOpen, others) =>
    `${change}, seit etwa ${day}${isOpen ? "; noch hat es niemand bestätigt." : "; jemand kümmert sich darum."}` +
    (others > 0 ? ` ${others} weitere.` : ""),
};
