import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "./api";
import { App } from "./App";
import { showTheme } from "./theme";
import { chosenLanguage, speak } from "./words/language";
import "./style/colours.css";
import "./style/controls.css";
import "./style/bars.css";
import "./style/list.css";
import "./style/panel.css";
import "./style/viewer.css";
import "./style/edges.css";
import "./style/admin.css";
import "./style/phone.css";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (failures, error) => !(error instanceof ApiError && error.status < 500) && failures < 2,
      refetchOnWindowFocus: true,
      networkMode: "always",
    },
  },
});

showTheme();
const place = document.getElementById("page");
function render(place: HTMLElement): void {
  createRoot(place).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <App />
      </QueryClientProvider>
    </StrictMode>,
  );
}

if (place) void speak(chosenLanguage()).then(() => render(place));
