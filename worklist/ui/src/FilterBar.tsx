import type { ReactNode } from "react";
import {
  Button,
  ListBox,
  ListBoxItem,
  Popover,
  Select,
  SelectValue,
  ToggleButton,
  ToggleButtonGroup,
  type Key,
} from "react-aria-components";
import type { Band } from "./api";
import { NOTHING_NARROWED, isNarrowed, type View } from "./filters";
import { BandIcon, ChevronIcon } from "./icons";
import { SavedViewsMenu } from "./SavedViewsMenu";
import { words } from "./words/language";

interface FilterBarProps {
  view: View;
  me: string;
  sites: string[];
  onView: (change: Partial<View>) => void;
  shown: number;
  total: number | undefined;
  hasSearch: boolean;
  children?: ReactNode;
}

const BANDS: Band[] = ["CRITICAL", "URGENT", "ROUTINE"];
const MODALITIES = ["CT", "MR", "US", "DX", "CR"];

export function FilterBar(props: FilterBarProps): ReactNode {
  const { view, me, sites, onView, shown, total, hasSearch } = props;
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
    </div>
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
