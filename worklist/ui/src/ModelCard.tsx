import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Button, Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import { fetchCard } from "./api";
import { capitalised } from "./words";
import { words } from "./words/language";

interface Props {
  title: string;
  /** Where the card is: "models/7/card" for who looks after models, "cards/DIGEST" for who reads. */
  path: string;
  onClose: () => void;
}

/** The card as its author wrote it: text, never markup of ours. */
export function ModelCard({ title, path, onClose }: Props): ReactNode {
  const card = useQuery({ queryKey: ["card", path], queryFn: ({ signal }) => fetchCard(path, signal), retry: false });
  return (
    <ModalOverlay className="overlay" isOpen onOpenChange={(isOpen) => !isOpen && onClose()} isDismissable>
      <Modal className="modal modal-wide">
        <Dialog className="dialog">
          <Heading slot="title">{words.system.cardOf(title)}</Heading>
          {words.system.cardIsEnglish && <p className="muted">{words.system.cardIsEnglish}</p>}
          {card.error && <p role="alert">{capitalised(card.error.message)}.</p>}
          <pre className="model-card" lang="en" tabIndex={0}>{card.data ?? (card.isPending ? words.frame.loading : "")}</pre>
          <Button className="button" onPress={onClose} autoFocus>
            {words.frame.close}
          </Button>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
