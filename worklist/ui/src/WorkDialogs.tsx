import { useState, type FormEvent, type ReactNode } from "react";
import { Button, Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import type { Band, StudyRow } from "./api";
import { BandIcon } from "./icons";
import { words } from "./words/language";

const BANDS: Band[] = ["CRITICAL", "URGENT", "ROUTINE"];
const HOURS = [1, 2, 4, 8, 24];

interface PriorityProps {
  row: StudyRow;
  leads: boolean;
  onClose: () => void;
  onGive: (band: Band, reason: string, hours: number) => void;
  onRestore: () => void;
}

/** Asks for a band, a reason and how long it holds; a band below the study's own only of those who lead. */
export function PriorityDialog({ row, leads, onClose, onGive, onRestore }: PriorityProps): ReactNode {
  const allowed = BANDS.filter((band) => leads || BANDS.indexOf(band) <= BANDS.indexOf(row.own_band));
  const [band, setBand] = useState<Band>(allowed[0] ?? "CRITICAL");
  const [hours, setHours] = useState(4);
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    onGive(band, String(new FormData(event.currentTarget).get("reason")), hours);
  };
  return (
    <Sheet title={words.work.priorityOf(row.patient.name || words.work.theStudy)} onClose={onClose}>
      <form className="form" onSubmit={submit}>
        <fieldset className="choices">
          <legend>{words.work.band}</legend>
          {BANDS.map((one) => (
            <label key={one} className={`choice-line band-${one.toLowerCase()}`}>
              <input
                type="radio"
                name="band"
                checked={band === one}
                disabled={!allowed.includes(one)}
                onChange={() => setBand(one)}
              />
              <BandIcon band={one} /> {words.list.bands[one]}
              {one === row.own_band && <span className="muted"> {words.work.itsOwn}</span>}
            </label>
          ))}
        </fieldset>
        <label>
          {words.work.reason}
          <input name="reason" required maxLength={500} autoComplete="off" autoFocus />
        </label>
        <label>
          {words.work.for}
          <select value={hours} onChange={(event) => setHours(Number(event.currentTarget.value))}>
            {HOURS.map((one) => (
              <option key={one} value={one}>
                {words.work.hours(one)}
              </option>
            ))}
          </select>
        </label>
        <p className="muted">{words.work.flagStillRaises}</p>
        <div className="form-end">
          <button type="submit" className="button button-main">
            {words.work.give}
          </button>
          {row.work.override && (
            <Button className="button" onPress={onRestore}>
              {words.work.restore}
            </Button>
          )}
          <Button className="button button-quiet" onPress={onClose}>
            {words.frame.cancel}
          </Button>
        </div>
      </form>
    </Sheet>
  );
}

interface NoteProps {
  row: StudyRow;
  onClose: () => void;
  onWrite: (note: string) => void;
}

export function NoteDialog({ row, onClose, onWrite }: NoteProps): ReactNode {
  return (
    <Sheet title={words.work.noteOn(row.patient.name || words.work.theStudy)} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          onWrite(String(new FormData(event.currentTarget).get("note")));
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.currentTarget.requestSubmit();
        }}
      >
        <label>
          {words.work.noteShown}
          <textarea name="note" required maxLength={2000} rows={5} autoFocus />
        </label>
        <div className="form-end">
          <button type="submit" className="button button-main">
            {words.work.keepNote} <kbd>Ctrl Enter</kbd>
          </button>
          <Button className="button button-quiet" onPress={onClose}>
            {words.frame.cancel}
          </Button>
        </div>
      </form>
    </Sheet>
  );
}

function Sheet({ title, onClose, children }: { title: string; onClose: () => void; children: ReactNode }): ReactNode {
  return (
    <ModalOverlay className="overlay" isOpen onOpenChange={(open) => !open && onClose()} isDismissable>
      <Modal className="modal">
        <Dialog className="dialog">
          <Heading slot="title">{title}</Heading>
          {children}
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
