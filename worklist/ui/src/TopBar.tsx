/** The bar above every page: where one is, the search, whether the list is live, what needs a person, and the account. */

import { useEffect, useState, type ReactNode } from "react";
import { Button, Input, SearchField } from "react-aria-components";
import { AccountMenu } from "./AccountMenu";
import type { Session } from "./api";
import type { Bell } from "./bell";
import type { Liveness } from "./events";
import { AttentionIcon, CloseIcon, SearchIcon } from "./icons";
import { useKeymap } from "./keymap";
import { SEARCH_ID } from "./keys";
import { PageNav } from "./PageNav";
import { pagesFor, type PageName } from "./pages";
import { words } from "./words/language";

interface Props {
  session: Session;
  liveness: Liveness;
  bell: Bell | undefined;
  page: PageName;
  attention: number;
  attentionIsOpen: boolean;
  onPage: (name: PageName) => void;
  onAttention: () => void;
  onSearch: (text: string) => void;
  onSearchDone: () => void;
  onHelp: () => void;
  onLogout: () => void;
}

export function TopBar(props: Props): ReactNode {
  const { session, attention } = props;
  return (
    <header className="topbar">
      <h1 className="brand">Acuity</h1>
      <PageNav pages={pagesFor(session.permissions)} current={props.page} onPage={props.onPage} />
      {/* Other pages have nothing to search; what was typed is there again with the list. */}
      <Search isHidden={props.page !== ""} onSearch={props.onSearch} onDone={props.onSearchDone} />
      <div className="topbar-end">
        <LiveSign liveness={props.liveness} />
        {session.permissions.includes("see_incidents") && (
          <Button
            className={attention ? "button button-attention" : "button button-quiet"}
            aria-label={`${words.frame.attention}: ${attention}`}
            aria-expanded={props.attentionIsOpen}
            onPress={props.onAttention}
          >
            <AttentionIcon /> <span className="attention-word">{words.frame.attention}</span>{" "}
            <span className="count">{attention}</span>
          </Button>
        )}
        <Button className="button button-quiet help-button" onPress={props.onHelp} aria-label={`? ${words.frame.help}`}>
          ?
        </Button>
        <AccountMenu session={session} bell={props.bell} onHelp={props.onHelp} onLogout={props.onLogout} />
      </div>
    </header>
  );
}

const SEARCH_PAUSE_MS = 250;

interface SearchProps {
  isHidden: boolean;
  onSearch: (text: string) => void;
  onDone: () => void;
}

function Search({ isHidden, onSearch, onDone }: SearchProps): ReactNode {
  const [text, setText] = useState("");
  const { keys, isOn } = useKeymap();
  useEffect(() => {
    const timer = window.setTimeout(() => onSearch(text.trim()), text ? SEARCH_PAUSE_MS : 0);
    return () => window.clearTimeout(timer);
  }, [text, onSearch]);
  return (
    <SearchField
      className={isHidden ? "search search-hidden" : "search"}
      aria-label={words.list.search}
      value={text}
      onChange={setText}
      onSubmit={onDone}
      onKeyDown={(event) => {
        if (event.key === "Escape" && !text) onDone();
      }}
    >
      <SearchIcon />
      <Input id={SEARCH_ID} placeholder={words.list.searchShort} autoComplete="off" spellCheck={false} />
      {text ? (
        <Button className="search-clear" aria-label={words.list.clearSearch}>
          <CloseIcon />
        </Button>
      ) : (
        isOn && (
          <kbd className="search-key" aria-hidden="true">
            {keys.search}
          </kbd>
        )
      )}
    </SearchField>
  );
}

function LiveSign({ liveness }: { liveness: Liveness }): ReactNode {
  return (
    <span className={`live live-${liveness}`} role="status" aria-label={words.frame.updates(words.frame.liveness[liveness])}>
      <span className="live-dot" aria-hidden="true" />
      {words.frame.liveness[liveness]}
    </span>
  );
}
