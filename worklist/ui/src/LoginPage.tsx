import { useState, type FormEvent, type ReactNode } from "react";
import { ApiError, logIn, type Session } from "./api";
import { ProviderLink } from "./ProviderLink";
import { RESEARCH_ONLY } from "./words";

export function LoginPage({ onLogin }: { onLogin: (session: Session) => void }): ReactNode {
  const [error, setError] = useState("");
  const [isBusy, setBusy] = useState(false);

  async function submit(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setError("");
    try {
      onLogin(await logIn(String(form.get("name")), String(form.get("password"))));
    } catch (reason) {
      setError(reason instanceof ApiError ? reason.message : "The server does not answer. Try again.");
    } finally {
      setBusy(false);
    }
  }

  return (
    <main className="login">
      <form className="login-card" onSubmit={(event) => void submit(event)}>
        <h1>Acuity</h1>
        <p className="muted">Log in to see who is due first.</p>
        <ProviderLink />
        <label>
          Name
          <input name="name" autoComplete="username" autoCapitalize="none" spellCheck={false} required autoFocus />
        </label>
        <label>
          Password
          <input name="password" type="password" autoComplete="current-password" required />
        </label>
        {error && (
          <p className="login-error" role="alert">
            {error}
          </p>
        )}
        <button type="submit" className="button button-main" disabled={isBusy}>
          {isBusy ? "Logging in…" : "Log in"}
        </button>
      </form>
      <p className="login-foot">{RESEARCH_ONLY}</p>
    </main>
  );
}
