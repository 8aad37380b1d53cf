/** Dark unless the system or the person asks for light. */

import { useEffect, useState } from "react";

export type Theme = "system" | "dark" | "light";

const KEY = "acuity-theme";
const NEXT: Record<Theme, Theme> = { system: "dark", dark: "light", light: "system" };

function kept(): Theme {
  const value = window.localStorage.getItem(KEY);
  return value === "dark" || value === "light" ? value : "system";
}

export function useTheme(): [Theme, () => void] {
  const [theme, setTheme] = useState<Theme>(kept);
  useEffect(() => {
    window.localStorage.setItem(KEY, theme);
    document.documentElement.dataset["theme"] = theme;
  }, [theme]);
  return [theme, () => setTheme((before) => NEXT[before])];
}
