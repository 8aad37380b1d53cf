/** Who is logged in, what they have chosen of the page, and the way out. */

import { useContext, type ReactNode } from "react";
import { Button, DialogTrigger, OverlayTriggerStateContext, Popover } from "react-aria-components";
import type { Session } from "./api";
import type { Bell } from "./bell";
import { BellIcon, ChevronIcon, PersonIcon } from "./icons";
import { LanguageChoice } from "./LanguageChoice";
import { useIsKept } from "./preferences";
import { THEMES, changeTheme, useTheme } from "./theme";
import { roleWords } from "./words";
import { words } from "./words/language";

interface Props {
  session: Session;
  bell: Bell | undefined;
  onHelp: () => void;
  onLogout: () => void;
}

export function AccountMenu({ session, bell, onHelp, onLogout }: Props): ReactNode {
  return (
    <DialogTrigger>
      <Button className="button button-quiet account-button" aria-label={words.frame.accountOf(session.name)}>
        <PersonIcon /> <span className="account-name">{session.name}</span> <ChevronIcon />
      </Button>
      {/* The popover is the dialog: one inside of it would leave its own button to dismiss outside of every landmark. */}
      <Popover className="popover" placement="bottom end">
        <Choices session={session} bell={bell} onHelp={onHelp} onLogout={onLogout} />
      </Popover>
    </DialogTrigger>
  );
}

function Choices({ session, bell, onHelp, onLogout }: Props): ReactNode {
  const isKept = useIsKept();
  const popover = useContext(OverlayTriggerStateContext);
  return (
    <div className="account-menu">
      <p>
        <strong>{session.name}</strong>
        <span className="second">{roleWords(session.role)}</span>
      </p>
      {bell && (
        <label className="choice-line">
          <input type="checkbox" checked={bell.isOn} onChange={(event) => bell.change(event.currentTarget.checked)} />
          <BellIcon isOn={bell.isOn} /> {words.frame.notifyMe}
        </label>
      )}
      <ThemeChoice />
      <LanguageChoice />
      {!isKept && <p role="alert">{words.frame.notKept}</p>}
      <div className="account-acts">
        <Button
          className="button"
          onPress={() => {
            popover?.close();
            onHelp();
          }}
        >
          {words.frame.help}
        </Button>
        <Button className="button" onPress={onLogout}>
          {words.frame.logOut}
        </Button>
      </div>
    </div>
  );
}

function ThemeChoice(): ReactNode {
  const theme = useTheme();
  return (
    <fieldset className="choices themes">
      <legend>{words.frame.colours}</legend>
      {THEMES.map((one) => (
        <label key={one} className="choice-line">
          <input type="radio" name="theme" checked={one === theme} onChange={() => changeTheme(one)} />
          {words.frame.themes[one]}
        </label>
      ))}
    </fieldset>
  );
}
