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
import { AI_WORDS, BAND_WORDS, counted } from "./words";

interface TopBarProps {
  session: Session;
  theme: Theme;
  liveness: Liveness;
  attention: number;
  openPanel: string;
  onPanel: (panel: "attention" | "audit" | "admin" | "surveillance" | "validation") => void;
  onSearch: (text: string) => void;
  onSearchDone: () => void;
  onHelp: () => void;
  onTheme: () => void;
  onLogout: () => void;
}

const THEME_WORDS: Record<Theme, string> = { system: "Auto", dark: "Dark", light: "Light" };

export function TopBar(props: TopBarProps): ReactNode {
  return (
    <header className="topbar">
      <h1 className="brand">
        Acuity <span className="brand-sub">Reading list</span>
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
            Attention <span className="count">{props.attention}</span>
          </Button>
        )}
        {props.session.permissions.includes("see_alarms") && (
          <Button
            className="button button-quiet"
            aria-expanded={props.openPanel === "surveillance"}
            onPress={() => props.onPanel("surveillance")}
          >
            Surveillance
          </Button>
        )}
        {props.session.permissions.includes("see_validations") && (
          <Button
            className="button button-quiet"
            aria-expanded={props.openPanel === "validation"}
            onPress={() => props.onPanel("validation")}
          >
            Validation
          </Button>
        )}
        {props.session.permissions.includes("see_operations") && (
          <Button
            className="button button-quiet"
            aria-expanded={props.openPanel === "admin"}
            onPress={() => props.onPanel("admin")}
          >
            System
          </Button>
        )}
        {props.session.permissions.includes("see_audit") && (
          <Button
            className="button button-quiet"
            aria-expanded={props.openPanel === "audit"}
            onPress={() => props.onPanel("audit")}
          >
            Audit
          </Button>
        )}
        <Button className="button button-quiet" onPress={props.onTheme} aria-label={`Colours: ${THEME_WORDS[props.theme]}`}>
          {THEME_WORDS[props.theme]}
        </Button>
        <Button className="button button-quiet" onPress={props.onHelp} aria-label="? Help and keys">
          ?
        </Button>
        <Button className="button button-quiet" onPress={props.onLogout}>
          {props.session.name} · Log out
        </Button>
      </div>
    </header>
  );
}

const SEARCH_PAUSE_MS = 250;

function Search({ onSearch, onDone }: { onSearch: (text: string) => void; onDone: () => void }): ReactNode {
  const [text, setText] = useState("");
  useEffect(() => {
    const timer = window.setTimeout(() => onSearch(text.trim()), text ? SEARCH_PAUSE_MS : 0);
    return () => window.clearTimeout(timer);
  }, [text, onSearch]);
  return (
    <SearchField
      className="search"
      aria-label="Search name, ID, accession or description"
      value={text}
      onChange={setText}
      onSubmit={onDone}
      onKeyDown={(event) => {
        if (event.key === "Escape" && !text) onDone();
      }}
    >
      <SearchIcon />
      <Input id={SEARCH_ID} placeholder="Search name, ID, accession…  /" autoComplete="off" spellCheck={false} />
      {text && (
        <Button className="search-clear" aria-label="Clear the search">
          <CloseIcon />
        </Button>
      )}
    </SearchField>
  );
}

const LIVE_WORDS: Record<Liveness, string> = {
  connecting: "Connecting",
  live: "Live",
  late: "Not live",
  lost: "Not live",
};

function LiveSign({ liveness }: { liveness: Liveness }): ReactNode {
  return (
    <span className={`live live-${liveness}`} role="status" aria-label={`Updates: ${LIVE_WORDS[liveness]}`}>
      <span className="live-dot" aria-hidden="true" />
      {LIVE_WORDS[liveness]}
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
    <div className="filterbar" role="region" aria-label="Filters">
      <ToggleButtonGroup
        aria-label="Band"
        className="toggles"
        selectedKeys={view.band ? [view.band] : []}
        onSelectionChange={(keys: Set<Key>) => onView({ band: String([...keys][0] ?? "") })}
      >
        {BANDS.map((band) => (
          <ToggleButton key={band} id={band} className={`toggle band-${band.toLowerCase()}`}>
            <BandIcon band={band} /> {BAND_WORDS[band]}
          </ToggleButton>
        ))}
      </ToggleButtonGroup>
      <Choice
        label="AI state"
        every="AI: every state"
        value={view.ai}
        options={Object.entries(AI_WORDS)}
        onChange={(ai) => onView({ ai })}
      />
      <Choice
        label="Modality"
        every="Every modality"
        value={view.modality}
        options={withValue(MODALITIES, view.modality).map((name): [string, string] => [name, name])}
        onChange={(modality) => onView({ modality })}
      />
      <Choice
        label="Which studies"
        every="Waiting to be read"
        value={view.owner === me ? "mine" : view.reading}
        options={[
          ["mine", "Claimed by me"],
          ["read", "Read"],
          ["all", "All, read or not"],
        ]}
        onChange={(which) => onView(which === "mine" ? { owner: me, reading: "" } : { owner: "", reading: which })}
      />
      {sites.length > 1 && (
        <Choice
          label="Site"
          every="Every site"
          value={view.site}
          options={withValue(sites, view.site).map((name): [string, string] => [name, name])}
          onChange={(site) => onView({ site })}
        />
      )}
      {isFiltered && (
        <Button className="button button-quiet" onPress={() => onView(NOTHING_NARROWED)}>
          Clear filters
        </Button>
      )}
      <SavedViewsMenu view={view} onView={onView} />
      {props.children}
      <span className="shown-count" aria-live="off">
        {total === undefined ? "" : `${shown} of ${counted(total, "study", "studies")}`}
        {isFiltered || hasSearch ? " (filtered)" : ""}
      </span>
      <span className="waiting-slot" role="status">
        {waiting.moved && <WaitingButton waiting={waiting} onApply={onApply} />}
      </span>
    </div>
  );
}

function WaitingButton({ waiting, onApply }: { waiting: Waiting; onApply: () => void }): ReactNode {
  const said = waiting.fresh
    ? `${waiting.fresh} new${waiting.freshCritical ? `, ${waiting.freshCritical} critical` : ""}`
    : "Order has changed";
  return (
    <Button className={waiting.freshCritical ? "waiting waiting-critical" : "waiting"} onPress={onApply}>
      {waiting.freshCritical > 0 && <BandIcon band="CRITICAL" />}
      {said} <span className="waiting-show">Show</span> <kbd>n</kbd>
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
          {[["every", every] as [string, string], ...options].map(([key, words]) => (
            <ListBoxItem key={key} id={key} className="option">
              {words}
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
