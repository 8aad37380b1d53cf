/** How to read the list, the keys, and the place where they are changed. */

import { useState, type KeyboardEvent, type ReactNode } from "react";
import { Button, Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import { COMMANDS, changeKey, isFree, restoreKeys, switchKeys, useKeymap, type Command } from "./keymap";
import { LanguageChoice } from "./LanguageChoice";
import { words } from "./words/language";

export function HelpDialog({ onClose }: { onClose: () => void }): ReactNode {
  return (
    <ModalOverlay className="overlay" isOpen onOpenChange={(open) => !open && onClose()} isDismissable>
      <Modal className="modal modal-wide">
        <Dialog className="dialog">
          <Heading slot="title">{words.help.title}</Heading>
          <p>{words.help.order}</p>
          <p>{words.help.noFlag}</p>
          <p>{words.help.holds}</p>
          <h3>{words.help.keys}</h3>
          <KeyList />
          <LanguageChoice />
          <p className="muted">
            {words.frame.notADiagnosis}. {words.frame.researchOnly}.
          </p>
          <Button className="button button-main" onPress={onClose} autoFocus>
            {words.help.backToList}
          </Button>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

function KeyList(): ReactNode {
  const { keys, isOn } = useKeymap();
  const [asked, setAsked] = useState<Command | null>(null);
  const pressed = (event: KeyboardEvent): void => {
    if (!asked || event.ctrlKey || event.metaKey || event.altKey || ["Shift", "Tab", "AltGraph"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    if (isFree(event.key)) changeKey(asked, event.key);
    if (isFree(event.key) || event.key === "Escape") setAsked(null);
  };
  return (
    <>
      <dl className="keys">
        {words.help.fixed.map(([key, meaning]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
        {COMMANDS.map((command) => (
          <div key={command}>
            <dt onKeyDownCapture={pressed}>
              <button
                type="button"
                className="key-change"
                disabled={!isOn}
                aria-label={words.help.changeKey(words.help.commands[command], keys[command])}
                onClick={() => setAsked(command)}
                onBlur={() => setAsked(null)}
              >
                <kbd>{asked === command ? words.help.pressKey : keys[command]}</kbd>
              </button>
            </dt>
            <dd>{words.help.commands[command]}</dd>
          </div>
        ))}
      </dl>
      <p className="muted">
        {words.help.howToChange}{" "}
        <button type="button" className="button button-quiet" onClick={restoreKeys}>
          {words.help.usualKeys}
        </button>
      </p>
      <label className="choice-line">
        <input type="checkbox" checked={isOn} onChange={(event) => switchKeys(event.currentTarget.checked)} />
        {words.help.lettersWork}
      </label>
    </>
  );
}
