import { memo, type ReactNode } from "react";
import type { StudyRow } from "./api";
import { AiStatement } from "./AiStatement";
import { useNow } from "./clock";
import { BandIcon, DoneIcon, OverdueIcon, PersonIcon, Spinner } from "./icons";
import { ageWords, clockTime, duration, reasonWords, rowReasonWords, sexWords, withoutSimulated } from "./words";
import { words } from "./words/language";

interface Props {
  row: StudyRow;
  place: number;
  isStop: boolean;
  isOpen: boolean;
  isGone: boolean;
  me: string;
  onFocus: (uid: string) => void;
  onOpen: (uid: string) => void;
}

export const Row = memo(function Row({ row, place, isStop, isOpen, isGone, me, onFocus, onOpen }: Props): ReactNode {
  const uid = row.study_instance_uid;
  return (
    <tr
      role="row"
      data-uid={uid}
      className={`row row-${row.band.toLowerCase()}${isGone ? " row-gone" : ""}`}
      aria-rowindex={place + 2}
      aria-selected={isOpen}
      tabIndex={isStop ? 0 : -1}
      onFocus={() => onFocus(uid)}
      onClick={() => onOpen(uid)}
      onKeyDown={(event) => {
        if (event.key === "Enter") onOpen(uid);
      }}
    >
      <td role="gridcell" className="col-due">
        <DueIn deadline={row.deadline} />
      </td>
      <td role="gridcell" className="col-band">
        <span className={`band band-${row.band.toLowerCase()}`}>
          <BandIcon band={row.band} /> {words.list.bands[row.band]}
        </span>
        <span className="second">{words.list.order(row.order_priority)}</span>
        {row.work.override && <span className="second">{words.list.by(row.work.override.author)}</span>}
      </td>
      <td role="gridcell" className="col-why">
        <span className="clamped" title={reasonWords(row)}>
          {rowReasonWords(row)}
        </span>
      </td>
      <td role="gridcell" className="col-ai">
        <AiStatement row={row} />
      </td>
      <td role="gridcell" className="col-patient">
        <span className="first name" title={row.patient.name}>
          <bdi>{row.patient.name || words.list.noName}</bdi>
        </span>
        <span className="second">
          {patientParts(row).map((part) => (
            <bdi key={part} className="part">
              {part}
            </bdi>
          ))}
        </span>
        <span className="second compact">{[...row.modalities, ...row.body_parts].join(" ")}</span>
        <span className="compact">
          <Reader row={row} me={me} />
        </span>
      </td>
      <td role="gridcell" className="col-study">
        <span className="first">
          {[...row.modalities, ...row.body_parts].join(" ") || words.list.noImages}
        </span>
        <span className="second clamped" title={row.description}>
          <bdi>{withoutSimulated(row.description) || words.list.noDescription}</bdi>
        </span>
        {row.simulated && <span className="badge">{words.list.simulated}</span>}
      </td>
      <td role="gridcell" className="col-received">
        <Received row={row} />
      </td>
      <td role="gridcell" className="col-reader">{isGone ? <span className="second">{words.list.noLongerHere}</span> : <Reader row={row} me={me} />}</td>
    </tr>
  );
});

/** Age and sex stay together, and so does the ID: nobody reads half of a number. */
function patientParts(row: StudyRow): string[] {
  const { age, sex, patient_id: id } = row.patient;
  return [[ageWords(age), sexWords(sex)].filter(Boolean).join(" · "), id && `ID ${id}`].filter(Boolean);
}

export function DueIn({ deadline }: { deadline: string }): ReactNode {
  const seconds = Math.round((Date.parse(deadline) - useNow()) / 1000);
  if (seconds >= 0)
    return (
      <span className="due">
        <span className="due-word">{words.list.dueIn}</span> <span className="due-time">{duration(seconds)}</span>
      </span>
    );
  return (
    <span className="due due-over">
      <span className="due-word">
        <OverdueIcon /> {words.list.overBy}
      </span>{" "}
      <span className="due-time">{duration(seconds)}</span>
    </span>
  );
}

function Received({ row }: { row: StudyRow }): ReactNode {
  const now = useNow();
  const images = words.list.images(row.instances);
  return (
    <>
      <span className="first">{clockTime(row.received_at, now)}</span>
      {row.status === "RECEIVING" ? (
        <span className="second receiving">
          <Spinner /> {words.list.receiving(images)}
        </span>
      ) : (
        <span className="second">{images}</span>
      )}
    </>
  );
}

function Reader({ row, me }: { row: StudyRow; me: string }): ReactNode {
  const now = useNow();
  const { claim, closing } = row.work;
  const left = claim ? Math.ceil((Date.parse(claim.expires_at) - now) / 60_000) : 0;
  if (claim && left > 0)
    return (
      <>
        <span className={claim.reader === me ? "first reader reader-me" : "first reader"}>
          <PersonIcon /> {claim.reader === me ? words.list.you : claim.reader}
        </span>
        <span className="second">{words.list.minutesLeft(left)}</span>
      </>
    );
  if (closing)
    return (
      <>
        <span className="first">
          <DoneIcon /> {row.is_open ? words.list.openAgain : words.list.read}
        </span>
        <span className="second">{closing.reader === me ? words.list.byYou : words.list.by(closing.reader)}</span>
      </>
    );
  return null;
}
