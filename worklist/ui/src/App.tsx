import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, type ReactNode } from "react";
import { ApiError, fetchSession, logOut } from "./api";
import { ListPage } from "./ListPage";
import { LoginPage } from "./LoginPage";
import { fetchPreferences, leavePreferences } from "./preferences";
import { takeKeys } from "./keymap";
import { showTheme } from "./theme";
import { speakAs, words } from "./words/language";

export function App(): ReactNode {
  const queries = useQueryClient();
  const session = useQuery({ queryKey: ["session"], queryFn: ({ signal }) => fetchSession(signal), staleTime: 60_000 });

  const settled = useQuery({
    queryKey: ["preferences"],
    queryFn: ({ signal }) => settle(signal),
    enabled: Boolean(session.data),
    staleTime: Infinity,
    retry: false,
  });

  const forget = useCallback(() => {
    leavePreferences();
    queries.removeQueries({ predicate: (query) => query.queryKey[0] !== "session" });
    queries.setQueryData(["session"], null);
  }, [queries]);
  const fromProvider = session.data?.from_provider ?? false;
  const leave = useCallback(() => {
    void logOut().finally(() => (fromProvider ? window.location.assign("/api/v1/session/provider/logout") : forget()));
  }, [forget, fromProvider]);

  if (session.isPending) return <p className="opening">{words.frame.opening}</p>;
  const loggedOut = session.data === null || (session.error instanceof ApiError && session.error.status === 401);
  if (loggedOut) return <LoginPage onLogin={(opened) => queries.setQueryData(["session"], opened)} />;
  if (!session.data)
    return (
      <main className="opening" role="alert">
        <p>{words.frame.noAnswer}</p>
        <button type="button" className="button" onClick={() => void session.refetch()}>
          {words.frame.tryAgain}
        </button>
      </main>
    );
  // Without an answer the page is as this browser knows it: the list does not wait for colours.
  if (settled.isPending) return <p className="opening">{words.frame.opening}</p>;
  return <ListPage session={session.data} onLogout={leave} onExpired={forget} />;
}

/** Make the page what the account has chosen. */
async function settle(signal: AbortSignal): Promise<true> {
  const chosen = await fetchPreferences(signal);
  takeKeys(chosen);
  showTheme(chosen.theme ?? undefined);
  await speakAs(chosen.language);
  return true;
}
