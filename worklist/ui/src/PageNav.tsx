/** The way from page to page: in one row where there is room for it, else behind one button that says where one is. */

import type { ReactNode } from "react";
import { Button, Menu, MenuItem, MenuTrigger, Popover } from "react-aria-components";
import { ChevronIcon } from "./icons";
import { pageWords, type PageName } from "./pages";
import { words } from "./words/language";

interface Props {
  pages: readonly { name: PageName; isAdministration: boolean }[];
  current: PageName;
  onPage: (name: PageName) => void;
}

export function PageNav({ pages, current, onPage }: Props): ReactNode {
  const names = pages.map((page) => page.name);
  const administration = pages.filter((page) => page.isAdministration).map((page) => page.name);
  // A menu of one page would hide it.
  const inMenu = administration.length > 1 ? administration : [];
  const inRow = names.filter((name) => !inMenu.includes(name));
  if (names.length < 2) return null;
  return (
    <nav className="nav" aria-label={words.frame.navigation}>
      <div className="nav-row">
        {inRow.map((name) => (
          <Button key={name} className="nav-page" aria-current={name === current ? "page" : "false"} onPress={() => onPage(name)}>
            {pageWords(name)}
          </Button>
        ))}
        {inMenu.length > 0 && (
          <PageMenu
            label={words.frame.administration}
            names={inMenu}
            current={current}
            isHere={inMenu.includes(current)}
            onPage={onPage}
          />
        )}
      </div>
      <div className="nav-one">
        <PageMenu label={pageWords(current)} names={names} current={current} isHere onPage={onPage} />
      </div>
    </nav>
  );
}

interface MenuProps {
  label: string;
  names: readonly PageName[];
  current: PageName;
  isHere: boolean;
  onPage: (name: PageName) => void;
}

function PageMenu({ label, names, current, isHere, onPage }: MenuProps): ReactNode {
  return (
    <MenuTrigger>
      <Button className={isHere ? "nav-page nav-here" : "nav-page"}>
        {label} <ChevronIcon />
      </Button>
      <Popover className="popover">
        {/* Outside of the page's own landmarks, so it is one itself. */}
        <nav aria-label={label}>
          <Menu className="listbox" aria-label={label} onAction={(key) => onPage(String(key).slice(1) as PageName)}>
            {names.map((name) => (
              // A key must not be empty, and the list has no name in the address.
              <MenuItem key={name} id={`/${name}`} className="option" aria-current={name === current ? "page" : undefined}>
                {pageWords(name)}
              </MenuItem>
            ))}
          </Menu>
        </nav>
      </Popover>
    </MenuTrigger>
  );
}
