import type { ReactNode } from "react";
import type { WorkWord } from "./acts";
import type { StudyDetail } from "./api";
import { useNow } from "./clock";
import { KeySign, useShortcut } from "./KeySign";
import { clockTime, duration, isAnswered } from "./words";
import { words } from "./words/language";

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
    <div className="workbar" role="group" aria-label={words.work.group}>
      <Act word="claim" label={isMine ? words.work.giveBack : words.work.claim} onWork={onWork} />
      <Act word="read" label={study.is_open ? words.work.markRead : words.work.openAgain} onWork={onWork} isMain={study.is_open} />
      <Act word="priority" label={words.work.priority} onWork={onWork} />
      <Act word="note" label={words.work.note} onWork={onWork} />
      <span className="workbar-break" />
      {answered && <Act word="agree" label={words.work.agree} onWork={onWork} />}
      {flagged && <Act word="disagree" label={words.work.disagree} onWork={onWork} />}
      {flagged && placed && <Act word="wrong_place" label={words.work.wrongPlace} onWork={onWork} />}
      <Act word="missed" label={words.work.missed} onWork={onWork} />
    </div>
  );
}

interface ActProps {
  word: WorkWord;
  label: string;
  isMain?: boolean;
  onWork: (word: WorkWord) => void;
}

function Act({ word, label, isMain, onWork }: ActProps): ReactNode {
  const shortcut = useShortcut(word);
  return (
    <button type="button" className={isMain ? "button button-main" : "button"} onClick={() => onWork(word)} aria-keyshortcuts={shortcut}>
      {label} <KeySign of={word} />
    </button>
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
          {words.work.heldFor(claim.reader === me ? null : claim.reader, duration(left))}
        </p>
      )}
      {closing && (
        <p className="work-line">
          {words.work.readBy(closing.reader === me ? null : closing.reader, clockTime(closing.at, now))}
          {study.is_open && words.work.openedSince}
        </p>
      )}
      {override && (
        <p className="work-line">
          {words.work.moved(
            words.list.bands[override.band],
            clockTime(override.expires_at, now),
            override.author,
            override.reason,
            words.list.bands[study.own_band],
          )}
        </p>
      )}
    </>
  );
}
