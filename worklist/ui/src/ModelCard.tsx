import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Button, Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import { fetchCard, type InstalledModel } from "./api";
import { capitalised } from "./words";
import { words } from "./words/language";

/** The card as its author wrote it: text, never markup of ours. */
export function ModelCard({ model, onClose }: { model: InstalledModel; onClose: () => void }): ReactNode {
  const card = useQuery({ queryKey: ["card", model.id], queryFn: ({ signal }) => fetchCard(model.id, signal), retry: false });
  return (
    <ModalOverlay className="overlay" isOpen onOpenChange={(isOpen) => !isOpen && onClose()} isDismissable>
      <Modal className="modal modal-wide">
        <Dialog className="dialog">
          <Heading slot="title">
            {model.name} {model.version}
          </Heading>
          {card.error && <p role="alert">{capitalised(card.error.message)}.</p>}
          <pre className="model-card">{card.data ?? (card.isPending ? words.frame.loading : "")}</pre>
          <Button className="button" onPress={onClose}>
            {words.frame.close}
          </Button>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
