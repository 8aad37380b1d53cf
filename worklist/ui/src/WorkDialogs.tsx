import { useState, type FormEvent, type ReactNode } from "react";
import { Button, Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import type { Band, StudyRow } from "./api";
import { BandIcon } from "./icons";
import { BAND_WORDS } from "./words";

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
    <Sheet title={`Priority of ${row.patient.name || "the study"}`} onClose={onClose}>
      <form className="form" onSubmit={submit}>
        <fieldset className="choices">
          <legend>Band</legend>
          {BANDS.map((one) => (
            <label key={one} className={`choice-line band-${one.toLowerCase()}`}>
              <input
                type="radio"
                name="band"
                checked={band === one}
                disabled={!allowed.includes(one)}
                onChange={() => setBand(one)}
              />
              <BandIcon band={one} /> {BAND_WORDS[one]}
              {one === row.own_band && <span className="muted"> its own</span>}
            </label>
          ))}
        </fieldset>
        <label>
          Reason
          <input name="reason" required maxLength={500} autoComplete="off" autoFocus />
        </label>
        <label>
          For
          <select value={hours} onChange={(event) => setHours(Number(event.currentTarget.value))}>
            {HOURS.map((one) => (
              <option key={one} value={one}>
                {one} h
              </option>
            ))}
          </select>
        </label>
        <p className="muted">A later AI flag still raises the study. Afterwards it has its own priority again.</p>
        <div className="form-end">
          <button type="submit" className="button button-main">
            Give this priority
          </button>
          {row.work.override && (
            <Button className="button" onPress={onRestore}>
              Its own priority again
            </Button>
          )}
          <Button className="button button-quiet" onPress={onClose}>
            Cancel
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
    <Sheet title={`Note on ${row.patient.name || "the study"}`} onClose={onClose}>
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
          Note, kept with the study and shown to all who open it
          <textarea name="note" required maxLength={2000} rows={5} autoFocus />
        </label>
        <div className="form-end">
          <button type="submit" className="button button-main">
            Keep the note <kbd>Ctrl Enter</kbd>
          </button>
          <Button className="button button-quiet" onPress={onClose}>
            Cancel
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
