/** The way to a study of another site in an emergency, for those who may go it. */

import { Suspense, useState, type ReactNode } from "react";
import { Button } from "react-aria-components";
import type { Session } from "./api";
import { arriving } from "./arriving";
import { words } from "./words/language";

const BreakGlassDialog = arriving(async () => (await import("./BreakGlassDialog")).BreakGlassDialog);

interface Props {
  session: Session;
  /** The study that was refused; without it the dialog asks which one. */
  uid?: string;
  onOpened: (uid: string) => void;
}

export function BreakGlassButton({ session, uid, onOpened }: Props): ReactNode {
  const [isOpen, setOpen] = useState(false);
  if (!session.may_break_glass || session.sites === null) return null;
  return (
    <>
      <Button className={uid ? "button button-main" : "button"} onPress={() => setOpen(true)}>
        {uid ? words.work.inEmergency : words.work.otherSite}
      </Button>
      <Suspense>
        {isOpen && (
          <BreakGlassDialog
            uid={uid}
            sites={session.sites}
            onClose={() => setOpen(false)}
            onOpened={(opened) => {
              setOpen(false);
              onOpened(opened);
            }}
          />
        )}
      </Suspense>
    </>
  );
}
