/** "Sign in with …", and in words why the identity provider or Acuity did not let somebody in. */

import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { fetchProvider } from "./api";

const WHY: Record<string, string> = {
  away: "The identity provider does not answer. Try again, or use an account of Acuity.",
  declined: "The identity provider did not let you in.",
  role: "Your account there gives you no role here. Ask your administrator.",
  site: "Your account there is for no site here. Ask your administrator.",
  name: "The identity provider does not say what your account is called. Ask your administrator.",
  taken: "Another account here has your name. Ask your administrator.",
  state: "This login took too long, or was begun in another window. Begin again.",
};
const UNTRUSTED = "What the identity provider said cannot be trusted, so nobody was let in. Ask your administrator.";

export function ProviderLink(): ReactNode {
  const provider = useQuery({ queryKey: ["provider"], queryFn: ({ signal }) => fetchProvider(signal), staleTime: Infinity });
  const reason = new URLSearchParams(window.location.search).get("login");
  if (!provider.data?.name) return null;
  return (
    <>
      {reason !== null && (
        <p className="login-error" role="alert">
          {WHY[reason] ?? UNTRUSTED}
        </p>
      )}
      <a className="button" href="/api/v1/session/provider/start">
        Sign in with {provider.data.name}
      </a>
      <p className="login-or muted">or with an account of Acuity</p>
    </>
  );
}
