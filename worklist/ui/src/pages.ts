/** The pages beside the list, whom they are for, and which of them stand together under "Administration". */

import type { Permission } from "./api";
import { words } from "./words/language";

export type PageName = "" | "surveillance" | "validation" | "admin" | "rules" | "people" | "audit";

interface Page {
  name: PageName;
  needs: Permission;
  isAdministration: boolean;
}

const PAGES: readonly Page[] = [
  { name: "", needs: "see_list", isAdministration: false },
  { name: "surveillance", needs: "see_alarms", isAdministration: false },
  { name: "validation", needs: "see_validations", isAdministration: false },
  { name: "admin", needs: "see_operations", isAdministration: true },
  { name: "rules", needs: "see_operations", isAdministration: true },
  { name: "people", needs: "manage_users", isAdministration: true },
  { name: "audit", needs: "see_audit", isAdministration: true },
];

export function pagesFor(permissions: readonly Permission[]): Page[] {
  return PAGES.filter((page) => permissions.includes(page.needs));
}

/** Which page the address shows; without the list, what the account begins with. */
export function pageOf(panel: string, permissions: readonly Permission[]): PageName {
  const pages = pagesFor(permissions);
  const named = pages.find((page) => page.name === panel);
  return named?.name ?? (pages.some((page) => page.name === "") ? "" : "audit");
}

export function pageWords(name: PageName): string {
  return words.frame.pages[name];
}
