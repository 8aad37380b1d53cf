import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, type ReactNode } from "react";
import { ApiError, fetchSession, logOut } from "./api";
import { ListPage } from "./ListPage";
import { LoginPage } from "./LoginPage";
import { useTheme } from "./theme";
import { words } from "./words/language";

export function App(): ReactNode {
  const [theme, nextTheme] = useTheme();
  const queries = useQueryClient();
  const session = useQuery({ queryKey: ["session"], queryFn: ({ signal }) => fetchSession(signal), staleTime: 60_000 });

  const forget = useCallback(() => {
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
  return <ListPage session={session.data} theme={theme} onTheme={nextTheme} onLogout={leave} onExpired={forget} />;
}
