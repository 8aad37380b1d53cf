import type { ReactNode } from "react";
import { Button } from "react-aria-components";
import type { WorkWord } from "./acts";
import type { StudyDetail } from "./api";
import { useNow } from "./clock";
import { BAND_WORDS, clockTime, duration, isAnswered } from "./words";

interface Props {
  study: StudyDetail;
  me: string;
  onWork: (word: WorkWord) => void;
}

/** The acts of a reader, each a button that shows its key. */
export function WorkBar({ study, me, onWork }: Props): ReactNode {
  const answered = isAnswered(study);
  const flagged = study.findings.some((finding) => finding.flagged);
  const isMine = study.work.claim?.reader === me;
  const placed = study.findings.some((finding) => finding.regions.length > 0);
  return (
    <div className="workbar" role="group" aria-label="Your work on this study">
      <Act word="claim" letter="c" label={isMine ? "Give back" : "Claim"} onWork={onWork} />
      <Act word="read" letter="r" label={study.is_open ? "Mark read" : "Open again"} onWork={onWork} isMain={study.is_open} />
      <Act word="priority" letter="p" label="Priority" onWork={onWork} />
      <Act word="note" letter="t" label="Note" onWork={onWork} />
      <span className="workbar-break" />
      {answered && <Act word="agree" letter="a" label="Agree" onWork={onWork} />}
      {flagged && <Act word="disagree" letter="d" label="Disagree" onWork={onWork} />}
      {flagged && placed && <Act word="wrong_place" letter="w" label="Wrong place" onWork={onWork} />}
      <Act word="missed" letter="m" label="Missed finding" onWork={onWork} />
    </div>
  );
}

interface ActProps {
  word: WorkWord;
  letter: string;
  label: string;
  isMain?: boolean;
  onWork: (word: WorkWord) => void;
}

function Act({ word, letter, label, isMain, onWork }: ActProps): ReactNode {
  return (
    <Button className={isMain ? "button button-main" : "button"} onPress={() => onWork(word)} aria-keyshortcuts={letter}>
      {label} <kbd aria-hidden="true">{letter}</kbd>
    </Button>
  );
}

/** Who has the study, who read it, and who moved it, in one line each. */
export function WorkLines({ study, me }: { study: StudyDetail; me: string }): ReactNode {
  const now = useNow();
  const { claim, closing, override } = study.work;
  const left = claim ? (Date.parse(claim.expires_at) - now) / 1000 : 0;
  return (
    <>
      {claim && left > 0 && (
        <p className="work-line">
          {claim.reader === me ? "Yours" : `With ${claim.reader}`} for {duration(left)}
        </p>
      )}
      {closing && (
        <p className="work-line">
          Read by {closing.reader === me ? "you" : closing.reader}, {clockTime(closing.at, now)}
          {study.is_open && ", and open again: more images or a flag came afterwards"}
        </p>
      )}
      {override && (
        <p className="work-line">
          {BAND_WORDS[override.band]} until {clockTime(override.expires_at, now)} by {override.author}: {override.reason}. Its
          own band is {BAND_WORDS[study.own_band].toLowerCase()}.
        </p>
      )}
    </>
  );
}
