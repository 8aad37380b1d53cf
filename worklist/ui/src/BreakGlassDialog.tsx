/** Asks why a study of another site is opened, and says that the auditor sees it. */

import { useState, type FormEvent, type ReactNode } from "react";
import { Button, Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import { ApiError, breakGlass } from "./api";
import { capitalised } from "./words";
import { words } from "./words/language";

const CAUSES = ["emergency", "cover", "second_opinion", "other"] as const;

interface DialogProps {
  uid: string | undefined;
  sites: string[];
  onClose: () => void;
  onOpened: (uid: string) => void;
}

export function BreakGlassDialog({ uid, sites, onClose, onOpened }: DialogProps): ReactNode {
  const [cause, setCause] = useState("emergency");
  const [error, setError] = useState("");
  const [isBusy, setBusy] = useState(false);

  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setError("");
    void breakGlass(uid ?? String(form.get("asked")).trim(), cause, String(form.get("note")))
      .then((opening) => onOpened(opening.study_instance_uid))
      .catch((reason: unknown) => {
        setError(reason instanceof ApiError ? reason.message : words.system.noAnswer);
        setBusy(false);
      });
  };
  return (
    <ModalOverlay className="overlay" isOpen onOpenChange={(open) => !open && onClose()} isDismissable>
      <Modal className="modal">
        <Dialog className="dialog">
          <Heading slot="title">{words.work.openOther}</Heading>
          <p>
            {words.work.whatGlassMeans(sites.filter(Boolean).join(", "))}
          </p>
          <form className="form" onSubmit={submit}>
            {uid === undefined && (
              <label>
                {words.work.accessionOrUid}
                <input name="asked" required maxLength={64} autoComplete="off" spellCheck={false} autoFocus />
              </label>
            )}
            <fieldset className="choices">
              <legend>{words.work.reason}</legend>
              {CAUSES.map((name) => (
                <label key={name} className="choice-line">
                  <input type="radio" name="cause" checked={cause === name} onChange={() => setCause(name)} />
                  {words.work.causes[name]}
                </label>
              ))}
            </fieldset>
            <label>
              {cause === "other" ? words.work.inWords : words.work.inWordsIfYouLike}
              <input name="note" required={cause === "other"} maxLength={500} autoComplete="off" />
            </label>
            {error && <p role="alert">{capitalised(error)}.</p>}
            <div className="form-end">
              <button type="submit" className="button button-main" disabled={isBusy}>
                {words.work.openStudy}
              </button>
              <Button className="button button-quiet" onPress={onClose}>
                {words.frame.cancel}
              </Button>
            </div>
          </form>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
