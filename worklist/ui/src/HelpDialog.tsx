import type { ReactNode } from "react";
import { Button, Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import { NOT_A_DIAGNOSIS, RESEARCH_ONLY } from "./words";

const KEYS: [string, string][] = [
  ["j  or  ↓", "next study (↓ only while none is open)"],
  ["k  or  ↑", "study before"],
  ["Enter", "open the study"],
  ["↑ ↓", "scroll its images; PgUp PgDn by ten"],
  ["1 2 3 4", "window: brain, subdural, stroke, bone"],
  ["i  +  -  0", "invert, larger, smaller, reset"],
  ["Space", "play and stop a moving ultrasound"],
  ["b  [  ]", "AI places on and off; other series"],
  ["Esc", "close what is open, back to the list"],
  ["c", "claim the study, or give it back"],
  ["r", "mark it as read, or open it again"],
  ["a", "agree with the AI"],
  ["d", "disagree with the AI"],
  ["w", "the AI shows the wrong place"],
  ["m", "the AI missed a finding"],
  ["p", "change its priority, with a reason"],
  ["t", "write a note"],
  ["u", "undo what you did last"],
  ["o", "open it in the image viewer"],
  ["n", "show new studies and the new order"],
  ["/", "search"],
  ["?", "this help"],
];

interface Props {
  isOpen: boolean;
  lettersAreOn: boolean;
  onLetters: (areOn: boolean) => void;
  onClose: () => void;
}

export function HelpDialog({ isOpen, lettersAreOn, onLetters, onClose }: Props): ReactNode {
  return (
    <ModalOverlay className="overlay" isOpen={isOpen} onOpenChange={(open) => !open && onClose()} isDismissable>
      <Modal className="modal">
        <Dialog className="dialog">
          <Heading slot="title">How to read the list</Heading>
          <p>
            The study that is due first stands first. When it is due follows from its band: the order’s own priority,
            raised where the AI suspects something. AI raises a study and never lowers or hides one.
          </p>
          <p>
            “AI: no flag” means that no model reached its operating point. It does not mean normal. A study that is
            not analysed, or whose analysis failed, keeps the place that its order gives it.
          </p>
          <p>While a row has the focus or the pointer, rows stay where they are; what is new waits for “Show”.</p>
          <dl className="keys">
            {KEYS.map(([key, meaning]) => (
              <div key={key}>
                <dt>
                  <kbd>{key}</kbd>
                </dt>
                <dd>{meaning}</dd>
              </div>
            ))}
          </dl>
          <label className="choice-line">
            <input type="checkbox" checked={lettersAreOn} onChange={(event) => onLetters(event.currentTarget.checked)} />
            Keys that are single letters work (switch them off when you dictate)
          </label>
          <p className="muted">
            {NOT_A_DIAGNOSIS}. {RESEARCH_ONLY}.
          </p>
          <Button className="button button-main" onPress={onClose} autoFocus>
            Back to the list
          </Button>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
