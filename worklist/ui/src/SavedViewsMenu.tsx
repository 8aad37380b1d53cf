/** The filters that somebody keeps under a name; the server keeps them for the account. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent, type ReactNode } from "react";
import { Button, Dialog, DialogTrigger, Popover } from "react-aria-components";
import { ApiError, fetchViews, forgetView, keepView } from "./api";
import { NOTHING_NARROWED, isNarrowed, type View } from "./filters";
import { ChevronIcon, CloseIcon } from "./icons";
import { capitalised } from "./words";
import { words } from "./words/language";

interface Props {
  view: View;
  onView: (change: Partial<View>) => void;
}

type Name = keyof typeof NOTHING_NARROWED;
const NAMES = Object.keys(NOTHING_NARROWED) as Name[];

export function SavedViewsMenu({ view, onView }: Props): ReactNode {
  const queries = useQueryClient();
  const views = useQuery({ queryKey: ["views"], queryFn: ({ signal }) => fetchViews(signal), staleTime: 60_000 });
  const [error, setError] = useState("");

  const change = (done: Promise<void>): void => {
    setError("");
    void done
      .then(() => queries.invalidateQueries({ queryKey: ["views"] }))
      .catch((reason: unknown) => setError(reason instanceof ApiError ? reason.message : words.system.noAnswer));
  };
  const keep = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = event.currentTarget;
    const name = String(new FormData(form).get("name")).trim();
    if (!name) return;
    change(keepView(name, Object.fromEntries(NAMES.filter((one) => view[one]).map((one) => [one, view[one]]))));
    form.reset();
  };
  const kept = Object.entries(views.data ?? {});
  return (
    <DialogTrigger>
      <Button className="button">
        {words.list.views} <ChevronIcon />
      </Button>
      <Popover className="popover">
        <Dialog className="views" aria-label={words.list.savedViews}>
          {({ close }) => (
            <>
              {kept.length === 0 && <p className="muted">{words.list.noView}</p>}
              <ul>
                {kept.map(([name, filters]) => (
                  <li key={name}>
                    <Button
                      className="button button-quiet"
                      aria-current={NAMES.every((one) => view[one] === (filters[one] ?? ""))}
                      onPress={() => {
                        onView({ ...NOTHING_NARROWED, ...filters });
                        close();
                      }}
                    >
                      {name}
                    </Button>
                    <Button
                      className="button button-quiet button-icon"
                      aria-label={words.list.removeView(name)}
                      onPress={() => change(forgetView(name))}
                    >
                      <CloseIcon />
                    </Button>
                  </li>
                ))}
              </ul>
              {isNarrowed(view) ? (
                <form className="form" onSubmit={keep}>
                  <label>
                    {words.list.keepFiltersAs}
                    <input name="name" maxLength={60} pattern="[^\/]+" required autoComplete="off" />
                  </label>
                  <button type="submit" className="button">
                    {words.list.keep}
                  </button>
                </form>
              ) : (
                <p className="muted">{words.list.chooseFilters}</p>
              )}
              {error && <p role="alert">{capitalised(error)}.</p>}
            </>
          )}
        </Dialog>
      </Popover>
    </DialogTrigger>
  );
}
