import type { ReactNode } from "react";
import { Button } from "react-aria-components";
import { BandIcon } from "./icons";
import { KeySign } from "./KeySign";
import type { Waiting } from "./order";
import { words } from "./words/language";

/** What is new while rows are held still; it stands over the head of the list, so that no bar and no row moves for it. */
export function WaitingNotice({ waiting, onApply }: { waiting: Waiting; onApply: () => void }): ReactNode {
  const said = waiting.fresh ? words.list.new(waiting.fresh, waiting.freshCritical) : words.list.orderChanged;
  return (
    <div className="waiting-slot" role="status">
      {waiting.moved && (
        <Button className={waiting.freshCritical ? "waiting waiting-critical" : "waiting"} onPress={onApply}>
          {waiting.freshCritical > 0 && <BandIcon band="CRITICAL" />}
          {said} <span className="waiting-show">{words.list.show}</span> <KeySign of="show_new" />
        </Button>
      )}
    </div>
  );
}
