/** Surveillance: streams, charts, alarms. */
import type { AlarmCause, StreamKind } from "../../surveillance/surveillanceApi";

const SHARE = "share";

export const watch = {
  kinds: { health: "Arrivals", input: "Input", output: "Output", performance: "Performance", service: "Turnaround" } as Record<
    StreamKind,
    string
  >,
  causes: {
    false_alarm: "False alarm",
    protocol_change: "Change of protocol",
    equipment_change: "Change of equipment",
    case_mix: "Other patients or questions",
    outage: "Outage",
    model_fault: "Fault of the model",
    other: "Something else",
  } as Record<AlarmCause, string>,
  /** Name and unit of each stream; the unit "share" is told in percentage points. */
  streams: {
    silence: ["Silence", "h"],
    volume: ["Studies a day", "studies a day"],
    device: ["Device", "SD of rarity"],
    software: ["Software", "SD of rarity"],
    protocol: ["Protocol", "SD of rarity"],
    kernel: ["Kernel", "SD of rarity"],
    sex: ["Sex", "SD of rarity"],
    slice_thickness_mm: ["Slice thickness", "mm"],
    pixel_spacing_mm: ["Pixel spacing", "mm"],
    exposure_mas: ["Exposure", "mAs"],
    age_years: ["Age", "years"],
    quality_note: ["Quality notes", SHARE],
    out_of_scope: ["Out of scope", SHARE],
    embedding: ["Image embedding", "SD of distance"],
    novelty: ["Novelty", "of novelty"],
    score_logit: ["Scores", "of log odds"],
    flagged: ["Flagged", SHARE],
    estimated_accuracy: ["Estimated accuracy", SHARE],
    missed: ["Missed findings", SHARE],
    false_flag: ["False flags", SHARE],
    wrong_place: ["Wrong place", SHARE],
    triage_minutes: ["Time to triage", "min"],
    reading_minutes: ["Time to reading", "min"],
  } as Record<string, [string, string]>,
  percentagePoints: (points: string) => `${points} percentage points`,

  noStudy: "No study has been stored yet, so nothing is watched.",
  namelessSite: "Site without a name",
  modelOn: (scanner: string) => `model on ${scanner}`,
  scanner: "scanner",
  allScanners: "All scanners",
  wholeSite: "of the site together",
  longerHistory: "needs a longer history",
  alarms: (count: number) => `${count} alarms`,
  alarm: (number: number) => `Alarm ${number}`,
  silent: "Silent",
  noStudyComes: "no study comes",
  notEnough: "Not enough data",
  withinLimits: "Within limits",
  watched: (watched: number, share: string, learning: number) =>
    `${watched} watched, at most ${share} of the limit${learning ? `; ${learning} not enough data` : ""}`,

  title: "Surveillance",
  looking: "Looking at every stream…",
  noAlarm: (number: number) => `There is no alarm ${number}.`,
  lookedAt: (streams: number, time: string) =>
    `${streams} ${streams === 1 ? "stream" : "streams"}, looked at ${time}. A stream is green only while its chart is watched.`,
  openAlarms: "Open alarms",
  noneOpen: "No alarm is open.",
  closedAlarms: "Closed alarms",
  changedAbout: (day: string) => `changed about ${day}`,
  closedAs: (cause: string) => `Closed: ${cause.toLowerCase()}`,
  noCause: "no cause",
  looksAfter: (owner: string) => `${owner} looks after it`,
  notAcknowledged: (isOverdue: boolean, owner: string) =>
    `${isOverdue ? "Overdue, n" : "N"}ot acknowledged${owner ? `, given to ${owner}` : ""}`,

  back: "All scanners and models",
  headOf: (place: string, kind: string) => `${place}: ${kind.toLowerCase()}`,
  streamList: "Streams",
  notWatched: (stream: string) => `${stream} is not watched any more.`,
  needsHistory: "needs 90 days and 200 studies",
  ofTheLimit: (share: string) => `${share} of the limit`,
  chartOf: (stream: string) => `Chart of ${stream}`,
  noDailyChart: "Silence is counted in studies that failed to come and has no daily chart.",
  smallest: "Smallest change found",
  longestSilence: "the longest silence that can pass unnoticed",
  within28: "within 28 days on average, at this volume",
  now: "Now",
  sumOf: (sum: string, limit: string) => `${sum} of ${limit}`,
  sumAgainst: "sum against its limit",
  restsOn: "Rests on",
  noBaseline: "No baseline yet",
  baselineDays: (days: number) => `${days} days`,
  usualDay: (studies: string) => `${studies} studies on a usual day`,

  chartCaption:
    "Line: sum of what is beyond chance, rises above and falls below the centre; an alarm beyond the dashed limit. Points: the " +
    "days, in standard deviations. ",
  shaded: "Shaded: since the estimated day of the change. ",
  until: (day: string) => `Until ${day}.`,
  chartSummary: (name: string, first: string, last: string, sum: string, limit: string, beyond: number) =>
    `${name} from ${first} to ${last}: the sum is ${sum} now, its limit ${limit}; ` +
    (beyond ? `beyond the limit on ${beyond} ${beyond === 1 ? "day" : "days"}` : "never beyond the limit"),

  failedToCome: (count: string, day: string, limit: string) =>
    `${count} studies failed to come since ${day}; the limit is ${limit}.`,
  shifted: (isLower: boolean, size: string, day: string, sum: string, limit: string) =>
    `${isLower ? "Lower" : "Higher"} by ${size} standard deviations of a day since about ${day} (sum ${sum}, limit ${limit}).`,
  noticed: (noticed: string, opened: string) => `Noticed ${noticed}, opened ${opened}.`,
  action: (reference: string) => `Action: ${reference}.`,
  closedIt: (owner: string, time: string) => `${owner} closed it ${time}.`,
  stopsNoModel: "No alarm stops a model. To pause its flags and keep the list:",
  bestStudies: "Studies that show it best",
  take: "Acknowledge and take it",
  owner: "Owner",
  give: "Give it to them",
  closeAlarm: "Close the alarm",
  cause: "Cause",
  chooseCause: "Choose what was found",
  inWords: "In words",
  capa: "Reference of the action (CAPA)",
  changeStays: "The change stays: learn anew what is usual",
  closeIt: "Close it",

  concernReading: "Alarms that concern reading",
  hasChanged: {
    silence: "studies fail to come",
    volume: "the number of studies has changed",
    missed: "the share of missed findings has changed",
    false_flag: "the share of false flags has changed",
    wrong_place: "the share of wrong places has changed",
  } as Record<string, string>,
  streamChanged: (stream: string) => `${stream} changed`,
  banner: (change: string, day: string, isOpen: boolean, others: number) =>
    `${change} since about ${day}${isOpen ? "; nobody has acknowledged it yet." : "; somebody looks after it."}` +
    (others > 0 ? ` ${others} more.` : ""),
};
