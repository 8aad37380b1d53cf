/** For whoever manages accounts: who may log in, as what, and of which sites they see studies. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent, type ReactNode } from "react";
import { Table } from "../Table";
import { ApiError } from "../api";
import { useNow } from "../clock";
import { capitalised, clockTime } from "../words";
import { words } from "../words/language";
import { addAccount, changeAccount, fetchAccounts, newPassword, type Account, type Given } from "./peopleApi";
import "./people.css";

/** What was done, in words, and the password that came of it. */
interface Done {
  told: string;
  password: string | null;
}

type Change = (told: string, act: () => Promise<Given | null>) => void;

export function PeoplePage({ me }: { me: string }): ReactNode {
  const queries = useQueryClient();
  const found = useQuery({ queryKey: ["accounts"], queryFn: ({ signal }) => fetchAccounts(signal) });
  const step = useMutation({
    mutationFn: async ({ told, act }: { told: string; act: () => Promise<Given | null> }): Promise<Done> => ({
      told,
      password: (await act())?.password ?? null,
    }),
    onSettled: () => queries.invalidateQueries({ queryKey: ["accounts"] }),
  });
  const change: Change = (told, act) => step.mutate({ told, act });
  const error = step.error ?? found.error;
  return (
    <div className="scroller admin" tabIndex={0} role="region" aria-label={words.people.title}>
      <h2 className="page-title">{words.people.title}</h2>
      <p className="muted">{words.people.intro}</p>
      {error && <p role="alert">{error instanceof ApiError ? capitalised(error.message) : words.system.noAnswer}.</p>}
      {step.data && (
        <p role="status" className="account-done">
          {step.data.told}
          {step.data.password && (
            <>
              {" "}
              {words.people.passwordOnce} <code>{step.data.password}</code>
            </>
          )}
        </p>
      )}
      {found.isPending && <p className="muted">{words.frame.loading}</p>}
      {found.data && (
        <>
          <NewAccount roles={found.data.roles} isBusy={step.isPending} onChange={change} />
          <Table title={words.people.accounts} columns={words.people.columns}>
            {found.data.accounts.map((one) => (
              <AccountRow key={one.name} account={one} roles={found.data.roles} isMe={one.name === me} isBusy={step.isPending} onChange={change} />
            ))}
          </Table>
        </>
      )}
    </div>
  );
}

interface NewProps {
  roles: string[];
  isBusy: boolean;
  onChange: Change;
}

function NewAccount({ roles, isBusy, onChange }: NewProps): ReactNode {
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const [name, role] = [String(form.get("name")).trim(), String(form.get("role"))];
    onChange(words.people.added(name), () => addAccount(name, role));
    event.currentTarget.reset();
  };
  return (
    <form className="form account-new" onSubmit={submit}>
      <label>
        {words.frame.name}
        <input name="name" required maxLength={64} autoComplete="off" autoCapitalize="none" spellCheck={false} />
      </label>
      <label>
        {words.people.role}
        <select name="role" defaultValue="reader">
          <Roles roles={roles} />
        </select>
      </label>
      <button type="submit" className="button button-main" disabled={isBusy}>
        {words.people.add}
      </button>
    </form>
  );
}

interface RowProps extends NewProps {
  account: Account;
  isMe: boolean;
}

function AccountRow({ account, roles, isMe, isBusy, onChange }: RowProps): ReactNode {
  const now = useNow();
  const { name } = account;
  const told = words.people;
  return (
    <tr>
      <th scope="row">
        {name}
        {isMe && <span className="second">{told.you}</span>}
      </th>
      <td>
        <select
          aria-label={told.roleOf(name)}
          value={account.role}
          disabled={isMe || isBusy}
          onChange={(event) => {
            const role = event.currentTarget.value;
            onChange(told.roleGiven(name, told.roles[role] ?? role), () => changeAccount("role", { name, role }));
          }}
        >
          <Roles roles={roles} />
        </select>
      </td>
      <td>
        <Sites account={account} isBusy={isBusy} onChange={onChange} />
      </td>
      <td className={account.locked_until ? "over" : ""}>
        {account.locked_until ? told.lockedUntil(clockTime(account.locked_until, now)) : told.mayLogIn}
        {account.from_provider && <span className="second">{told.fromProvider}</span>}
      </td>
      <td>
        <span className="account-acts">
          {account.locked_until && (
            <Act label={told.unlock} of={name} isBusy={isBusy} onPress={() => onChange(told.unlocked(name), () => changeAccount("unlock", { name }))} />
          )}
          {!account.from_provider && (
            <Act label={told.newPassword} of={name} isBusy={isBusy} onPress={() => onChange(told.passwordGiven(name), () => newPassword(name))} />
          )}
          {!isMe && (
            <Removal name={name} isBusy={isBusy} onRemove={() => onChange(told.removed(name), () => changeAccount("remove", { name }))} />
          )}
        </span>
      </td>
    </tr>
  );
}

/** One line for each site; nothing: the account sees every site. */
function Sites({ account, isBusy, onChange }: Pick<RowProps, "account" | "isBusy" | "onChange">): ReactNode {
  const { name, sites } = account;
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const lines = String(new FormData(event.currentTarget).get("sites")).split("\n");
    const wanted = lines.map((line) => line.trim()).filter(Boolean);
    onChange(words.people.sitesGiven(name), () => changeAccount("sites", { name, sites: wanted.length ? wanted : null }));
    event.currentTarget.closest("details")?.removeAttribute("open");
  };
  return (
    <details>
      <summary>{sites === null ? words.people.everySite : sites.filter(Boolean).join(", ") || words.people.noSite}</summary>
      <form className="form" onSubmit={submit}>
        <label>
          {words.people.sitesOf(name)}
          <textarea name="sites" rows={3} defaultValue={sites?.join("\n") ?? ""} spellCheck={false} />
        </label>
        <button type="submit" className="button" disabled={isBusy}>
          {words.people.keepSites}
        </button>
      </form>
    </details>
  );
}

/** Asks once more, in the same place. */
function Removal({ name, isBusy, onRemove }: { name: string; isBusy: boolean; onRemove: () => void }): ReactNode {
  const [isAsked, setAsked] = useState(false);
  return (
    <Act
      label={isAsked ? words.people.reallyRemove : words.people.remove}
      of={name}
      isBusy={isBusy}
      onPress={() => (isAsked ? onRemove() : setAsked(true))}
      onBlur={() => setAsked(false)}
    />
  );
}

interface ActProps {
  label: string;
  of: string;
  isBusy: boolean;
  onPress: () => void;
  onBlur?: () => void;
}

function Act({ label, of, isBusy, onPress, onBlur }: ActProps): ReactNode {
  return (
    <button type="button" className="button" disabled={isBusy} aria-label={`${label}: ${of}`} onClick={onPress} onBlur={onBlur}>
      {label}
    </button>
  );
}

function Roles({ roles }: { roles: string[] }): ReactNode {
  return roles.map((role) => (
    <option key={role} value={role}>
      {words.people.roles[role] ?? role}
    </option>
  ));
}
