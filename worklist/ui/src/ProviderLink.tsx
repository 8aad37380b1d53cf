/** "Sign in with …", and in words why the identity provider or Acuity did not let somebody in. */

import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { fetchProvider } from "./api";
import { words } from "./words/language";

export function ProviderLink(): ReactNode {
  const provider = useQuery({ queryKey: ["provider"], queryFn: ({ signal }) => fetchProvider(signal), staleTime: Infinity });
  const reason = new URLSearchParams(window.location.search).get("login");
  if (!provider.data?.name) return null;
  return (
    <>
      {reason !== null && (
        <p className="login-error" role="alert">
          {words.frame.whyNotIn[reason] ?? words.frame.untrusted}
        </p>
      )}
      <a className="button" href="/api/v1/session/provider/start">
        {words.frame.signInWith(provider.data.name)}
      </a>
      <p className="login-or muted">{words.frame.orWithAccount}</p>
    </>
  );
}
