import type { ReactNode } from "react";
import { useEffect, useState } from "react";
import {
  Button,
  Input,
  ListBox,
  ListBoxItem,
  Popover,
  SearchField,
  Select,
  SelectValue,
  ToggleButton,
  ToggleButtonGroup,
  type Key,
} from "react-aria-components";
import type { Band, Session } from "./api";
import { CriticalBell } from "./CriticalBell";
import type { Liveness } from "./events";
import { NOTHING_NARROWED, isNarrowed, type View } from "./filters";
import { BandIcon, ChevronIcon, CloseIcon, SearchIcon } from "./icons";
import { SEARCH_ID } from "./keys";
import type { Waiting } from "./order";
import { SavedViewsMenu } from "./SavedViewsMenu";
import type { Theme } from "./theme";
import { KeySign } from "./KeySign";
import { useKeymap } from "./keymap";
import { words } from "./words/language";

interface TopBarProps {
  session: Session;
  theme: Theme;
  liveness: Liveness;
  attention: number;
  openPanel: string;
  onPanel: (panel: "attention" | "audit" | "admin" | "surveillance" | "validation" | "people" | "rules") => void;
  onSearch: (text: string) => void;
  onSearchDone: () => void;
  onHelp: () => void;
  onTheme: () => void;
  onLogout: () => void;
}

export function TopBar(props: TopBarProps): ReactNode {
  return (
    <header className="topbar">
      <h1 className="brand">
        Acuity <span className="brand-sub">{words.frame.readingList}</span>
      </h1>
      <Search onSearch={props.onSearch} onDone={props.onSearchDone} />
      <div className="topbar-end">
        <LiveSign liveness={props.liveness} />
        {props.session.permissions.includes("see_list") && <CriticalBell />}
        {props.session.permissions.includes("see_incidents") && (
          <Button
            className={props.attention ? "button button-attention" : "button"}
            aria-expanded={props.openPanel === "attention"}
            onPress={() => props.onPanel("attention")}
          >
            {words.frame.attention} <span className="count">{props.attention}</span>
          </Button>
        )}
        {props.session.permissions.includes("see_alarms") && (
          <Button
            className="button button-quiet"
            aria-expanded={props.openPanel === "surveillance"}
            onPress={() => props.onPanel("surveillance")}
          >
            {words.frame.surveillance}
          </Button>
        )}
        {props.session.permissions.includes("see_validations") && (
          <Button
            className="button button-quiet"
            aria-expanded={props.openPanel === "validation"}
            onPress={() => props.onPanel("validation")}
          >
            {words.frame.validation}
          </Button>
        )}
        {props.session.permissions.includes("see_operations") && (
          <Button
            className="button button-quiet"
            aria-expanded={props.openPanel === "admin"}
            onPress={() => props.onPanel("admin")}
          >
            {words.frame.system}
          </Button>
        )}
        {props.session.permissions.includes("see_operations") && (
          <Button
            className="button button-quiet"
            aria-expanded={props.openPanel === "rules"}
            onPress={() => props.onPanel("rules")}
          >
            {words.frame.rules}
          </Button>
        )}
        {props.session.permissions.includes("manage_users") && (
          <Button
            className="button button-quiet"
            aria-expanded={props.openPanel === "people"}
            onPress={() => props.onPanel("people")}
          >
            {words.frame.people}
          </Button>
        )}
        {props.session.permissions.includes("see_audit") && (
          <Button
            className="button button-quiet"
            aria-expanded={props.openPanel === "audit"}
            onPress={() => props.onPanel("audit")}
          >
            {words.frame.audit}
          </Button>
        )}
        <Button className="button button-quiet" onPress={props.onTheme} aria-label={words.frame.colours(words.frame.themes[props.theme])}>
          {words.frame.themes[props.theme]}
        </Button>
        <Button className="button button-quiet" onPress={props.onHelp} aria-label={`? ${words.frame.help}`}>
          ?
        </Button>
        <Button className="button button-quiet" onPress={props.onLogout}>
          {props.session.name} · {words.frame.logOut}
        </Button>
      </div>
    </header>
  );
}

const SEARCH_PAUSE_MS = 250;

function Search({ onSearch, onDone }: { onSearch: (text: string) => void; onDone: () => void }): ReactNode {
  const [text, setText] = useState("");
  const { keys, isOn } = useKeymap();
  useEffect(() => {
    const timer = window.setTimeout(() => onSearch(text.trim()), text ? SEARCH_PAUSE_MS : 0);
    return () => window.clearTimeout(timer);
  }, [text, onSearch]);
  return (
    <SearchField
      className="search"
      aria-label={words.list.search}
      value={text}
      onChange={setText}
      onSubmit={onDone}
      onKeyDown={(event) => {
        if (event.key === "Escape" && !text) onDone();
      }}
    >
      <SearchIcon />
      <Input id={SEARCH_ID} placeholder={`${words.list.searchShort}${isOn ? `  ${keys.search}` : ""}`} autoComplete="off" spellCheck={false} />
      {text && (
        <Button className="search-clear" aria-label={words.list.clearSearch}>
          <CloseIcon />
        </Button>
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

interface FilterBarProps {
  view: View;
  me: string;
  sites: string[];
  onView: (change: Partial<View>) => void;
  waiting: Waiting;
  onApply: () => void;
  shown: number;
  total: number | undefined;
  hasSearch: boolean;
  children?: ReactNode;
}

const BANDS: Band[] = ["CRITICAL", "URGENT", "ROUTINE"];
const MODALITIES = ["CT", "MR", "US", "DX", "CR"];

export function FilterBar(props: FilterBarProps): ReactNode {
  const { view, me, sites, onView, waiting, onApply, shown, total, hasSearch } = props;
  const isFiltered = isNarrowed(view);
  return (
    <div className="filterbar" role="region" aria-label={words.list.filters}>
      <ToggleButtonGroup
        aria-label={words.list.band}
        className="toggles"
        selectedKeys={view.band ? [view.band] : []}
        onSelectionChange={(keys: Set<Key>) => onView({ band: String([...keys][0] ?? "") })}
      >
        {BANDS.map((band) => (
          <ToggleButton key={band} id={band} className={`toggle band-${band.toLowerCase()}`}>
            <BandIcon band={band} /> {words.list.bands[band]}
          </ToggleButton>
        ))}
      </ToggleButtonGroup>
      <Choice
        label={words.list.aiState}
        every={words.list.everyAiState}
        value={view.ai}
        options={Object.entries(words.list.ai)}
        onChange={(ai) => onView({ ai })}
      />
      <Choice
        label={words.list.modality}
        every={words.list.everyModality}
        value={view.modality}
        options={withValue(MODALITIES, view.modality).map((name): [string, string] => [name, name])}
        onChange={(modality) => onView({ modality })}
      />
      <Choice
        label={words.list.which}
        every={words.list.waitingToBeRead}
        value={view.owner === me ? "mine" : view.reading}
        options={[
          ["mine", words.list.mine],
          ["read", words.list.read],
          ["all", words.list.allStudies],
        ]}
        onChange={(which) => onView(which === "mine" ? { owner: me, reading: "" } : { owner: "", reading: which })}
      />
      {sites.length > 1 && (
        <Choice
          label={words.list.site}
          every={words.list.everySite}
          value={view.site}
          options={withValue(sites, view.site).map((name): [string, string] => [name, name])}
          onChange={(site) => onView({ site })}
        />
      )}
      {isFiltered && (
        <Button className="button button-quiet" onPress={() => onView(NOTHING_NARROWED)}>
          {words.list.clearFilters}
        </Button>
      )}
      <SavedViewsMenu view={view} onView={onView} />
      {props.children}
      <span className="shown-count" aria-live="off">
        {total === undefined ? "" : words.list.shownOf(shown, words.list.studies(total))}
        {isFiltered || hasSearch ? words.list.filtered : ""}
      </span>
      <span className="waiting-slot" role="status">
        {waiting.moved && <WaitingButton waiting={waiting} onApply={onApply} />}
      </span>
    </div>
  );
}

function WaitingButton({ waiting, onApply }: { waiting: Waiting; onApply: () => void }): ReactNode {
  const said = waiting.fresh ? words.list.new(waiting.fresh, waiting.freshCritical) : words.list.orderChanged;
  return (
    <Button className={waiting.freshCritical ? "waiting waiting-critical" : "waiting"} onPress={onApply}>
      {waiting.freshCritical > 0 && <BandIcon band="CRITICAL" />}
      {said} <span className="waiting-show">{words.list.show}</span> <KeySign of="show_new" />
    </Button>
  );
}

interface ChoiceProps {
  label: string;
  every: string;
  value: string;
  options: [string, string][];
  onChange: (value: string) => void;
}

function Choice({ label, every, value, options, onChange }: ChoiceProps): ReactNode {
  return (
    <Select
      className="choice"
      aria-label={label}
      value={value || "every"}
      onChange={(key) => onChange(key === "every" ? "" : String(key))}
    >
      <Button className={value ? "button choice-active" : "button"}>
        <SelectValue /> <ChevronIcon />
      </Button>
      <Popover className="popover">
        <ListBox className="listbox">
          {[["every", every] as [string, string], ...options].map(([key, said]) => (
            <ListBoxItem key={key} id={key} className="option">
              {said}
            </ListBoxItem>
          ))}
        </ListBox>
      </Popover>
    </Select>
  );
}

function withValue(values: string[], value: string): string[] {
  return !value || values.includes(value) ? values : [...values, value];
}
