import { useState, type FormEvent, type ReactNode } from "react";
import { ApiError, logIn, type Session } from "./api";
import { LanguageChoice } from "./LanguageChoice";
import { ProviderLink } from "./ProviderLink";
import { words } from "./words/language";

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
      setError(reason instanceof ApiError ? (reason.status === 401 ? words.frame.wrongLogin : reason.message) : words.frame.noAnswerTryAgain);
    } finally {
      setBusy(false);
    }
  }

  return (
    <main className="login">
      <form className="login-card" onSubmit={(event) => void submit(event)}>
        <h1>Acuity</h1>
        <p className="muted">{words.frame.logInToSee}</p>
        <ProviderLink />
        <label>
          {words.frame.name}
          <input name="name" autoComplete="username" autoCapitalize="none" spellCheck={false} required autoFocus />
        </label>
        <label>
          {words.frame.password}
          <input name="password" type="password" autoComplete="current-password" required />
        </label>
        {error && (
          <p className="login-error" role="alert">
            {error}
          </p>
        )}
        <button type="submit" className="button button-main" disabled={isBusy}>
          {isBusy ? words.frame.loggingIn : words.frame.logIn}
        </button>
      </form>
      <p className="login-foot">{words.frame.researchOnly}</p>
      <LanguageChoice />
    </main>
  );
}
