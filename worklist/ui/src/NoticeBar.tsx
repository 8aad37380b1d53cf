import type { ReactNode } from "react";
import { Button } from "react-aria-components";
import type { Notice } from "./acts";
import { CloseIcon } from "./icons";
import { KeySign } from "./KeySign";
import { words } from "./words/language";

interface Props {
  notice: Notice | null;
  onUndo: () => void;
  onForget: () => void;
}

/** Tells what was just done and stays until the next act: nobody is hurried to take something back. */
export function NoticeBar({ notice, onUndo, onForget }: Props): ReactNode {
  return (
    <div className="notice-slot" role="status" aria-live="polite">
      {notice && (
        <p className={notice.isError ? "notice-bar notice-error" : "notice-bar"}>
          <span>{notice.words}</span>
          {notice.act && (
            <Button className="button" onPress={onUndo}>
              {words.frame.undo} <KeySign of="undo" />
            </Button>
          )}
          <Button className="button button-quiet button-icon" onPress={onForget} aria-label={words.frame.closeNotice}>
            <CloseIcon />
          </Button>
        </p>
      )}
    </div>
  );
}
