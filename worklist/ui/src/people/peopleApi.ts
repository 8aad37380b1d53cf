/** The accounts, as those who manage them ask for them. */

import { ask } from "../api";

export interface Account {
  name: string;
  role: string;
  /** Null: every site. */
  sites: string[] | null;
  locked_until: string | null;
  from_provider: boolean;
}

export interface Accounts {
  accounts: Account[];
  roles: string[];
}

/** A generated password is told this once. */
export interface Given {
  password: string | null;
}

export function fetchAccounts(signal: AbortSignal): Promise<Accounts> {
  return ask("/api/v1/accounts", { signal });
}

export function addAccount(name: string, role: string): Promise<Given> {
  return ask("/api/v1/accounts", { method: "POST", body: { name, role } });
}

export async function changeAccount(act: "role" | "sites" | "unlock" | "remove", body: object): Promise<null> {
  await ask(`/api/v1/accounts/${act}`, { method: "POST", body });
  return null;
}

export function newPassword(name: string): Promise<Given> {
  return ask("/api/v1/accounts/password", { method: "POST", body: { name } });
}
