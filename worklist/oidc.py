"""Logging in at an identity provider: OpenID Connect, authorization code with PKCE, state and nonce."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote_plus, urlencode

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import (
    BadSignatureError,
    ExpiredTokenError,
    InvalidClaimError,
    InvalidKeyIdError,
    JoseError,
    MissingClaimError,
)
from joserfc.jwk import KeySet

from triage.errors import LoginRefused, ProviderAway
from worklist.auth import is_account_name
from worklist.roles import Role

CALLBACK_PATH = "/api/v1/session/provider/callback"
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures that only the provider can make: neither "none" nor a secret that we know, too."""

_TIMEOUT_S = 10.0
_KEPT_S = 3600.0
_LEEWAY_S = 60
_CLAIMS = {"nonce": "nonce", "aud": "audience", "azp": "audience", "iss": "issuer"}


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """What the administrator decided about the provider.

    Attributes:
        name: how the log-in page calls it.
        issuer: its address, exactly as its tokens say it.
        page_url: the address that people reach the page at, where the provider sends them back to.
        role_claim: the claim with groups or roles; "a.b" also reaches into an object.
        roles: which value gives which role; the first that a person has counts, and who has none is not let in.
        site_claim: the claim that says whose studies a person may see; empty: those of every site.
        sites: which value gives which site; empty: the values are the sites.
    """

    name: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    page_url: str
    scopes: str
    name_claim: str
    role_claim: str
    roles: Mapping[str, Role]
    site_claim: str = ""
    sites: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Beginning:
    """A login that has begun: what must come back, and where the browser goes."""

    state: str
    nonce: str
    code_verifier: str


@dataclass(frozen=True, slots=True)
class ProvenPerson:
    """Who somebody is, by the word of the provider; `subject` names them there for ever, `sites` None: every site."""

    issuer: str
    subject: str
    name: str
    role: Role
    sites: tuple[str, ...] | None


@dataclass(slots=True)
class Provider:
    """One identity provider; its description and its keys are asked for again after an hour."""

    settings: ProviderSettings
    _described: tuple[float, dict[str, Any]] | None = None
    _keys: tuple[float, KeySet] | None = None

    def address(self, begun: Beginning) -> str:
        """Return where the browser goes to log in; raises ProviderAway."""
        address = prepare_grant_uri(
            self._describe()["authorization_endpoint"],
            client_id=self.settings.client_id,
            response_type="code",
            redirect_uri=self._redirect_uri(),
            scope=self.settings.scopes,
            state=begun.state,
            nonce=begun.nonce,
            code_challenge=create_s256_code_challenge(begun.code_verifier),
            code_challenge_method="S256",
        )
        return str(address)

    def prove(self, code: str, begun: Beginning) -> ProvenPerson:
        """Return who came back with `code`.

        Raises:
            LoginRefused: "code", "signature", "expired", "nonce", "audience", "issuer", "token", "name"; and as
                NotAdmitted "role", "site".
            ProviderAway: the provider does not answer, or not as one.
        """
        settings, token = self.settings, self._fetch_token(code, begun)
        if "id_token" not in token:
            raise LoginRefused("token")
        claims = self._verified(str(token["id_token"]), str(token.get("access_token", "")), begun.nonce)
        subject, wanted = str(claims["sub"]), _values(claims, settings.role_claim)
        role = next((role for value, role in settings.roles.items() if value in wanted), None)
        if role is None:
            raise NotAdmitted("role", subject)
        name = claims.get(settings.name_claim)
        if not isinstance(name, str) or not is_account_name(name):
            raise LoginRefused("name")
        return ProvenPerson(settings.issuer, subject, name, role, self._sites(claims))

    def _sites(self, claims: Mapping[str, Any]) -> tuple[str, ...] | None:
        settings = self.settings
        if not settings.site_claim:
            return None
        values = _values(claims, settings.site_claim)
        sites = {settings.sites[one] for one in values if one in settings.sites} if settings.sites else values
        if not sites:
            raise NotAdmitted("site", str(claims["sub"]))
        return tuple(sorted(sites))

    def address_of_logout(self) -> str:
        """Return where the browser goes to log out at the provider, too; the page where there is no such place."""
        back = f"{self.settings.page_url}/"
        endpoint = self._describe().get("end_session_endpoint")
        asked = {"client_id": self.settings.client_id, "post_logout_redirect_uri": back}
        return f"{endpoint}?{urlencode(asked)}" if endpoint else back

    def _redirect_uri(self) -> str:
        return f"{self.settings.page_url}{CALLBACK_PATH}"

    def _fetch_token(self, code: str, begun: Beginning) -> dict[str, Any]:
        settings, endpoint = self.settings, str(self._describe()["token_endpoint"])
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri(),
            "client_id": settings.client_id,
            "code_verifier": begun.code_verifier,
        }
        # RFC 6749 2.3.1: both parts are encoded as in a form before they are joined.
        auth = (quote_plus(settings.client_id), quote_plus(settings.client_secret)) if settings.client_secret else None
        try:
            answer = httpx.post(endpoint, data=form, auth=auth, timeout=_TIMEOUT_S)
            told = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderAway(f"{endpoint}: {type(error).__name__}: {error}") from error
        if answer.is_client_error:
            raise LoginRefused("code")
        if not answer.is_success or not isinstance(told, dict):
            raise ProviderAway(f"{endpoint}: answered {answer.status_code}, a token needed")
        return told

    def _verified(self, id_token: str, access_token: str, nonce: str) -> Mapping[str, Any]:
        settings = self.settings
        try:
            token = self._decoded(id_token)
            claims = CodeIDToken(
                token.claims,
                token.header,
                {"iss": {"essential": True, "value": settings.issuer}, "aud": {"value": settings.client_id}},
                {"nonce": nonce, "client_id": settings.client_id, "access_token": access_token},
            )
            claims.validate(leeway=_LEEWAY_S)
        except ExpiredTokenError as error:
            raise LoginRefused("expired") from error
        except (InvalidClaimError, MissingClaimError) as error:
            raise LoginRefused(_CLAIMS.get(error.claim, "token")) from error
        except BadSignatureError as error:
            raise LoginRefused("signature") from error
        except (JoseError, ValueError) as error:
            raise LoginRefused("token") from error
        return dict(claims)

    def _decoded(self, id_token: str) -> jwt.Token:
        try:
            return jwt.decode(id_token, self._signing_keys(), algorithms=ALGORITHMS)
        except (BadSignatureError, InvalidKeyIdError, ValueError):
            # The provider may have changed its keys since they were asked for.
            self._keys = None
            return jwt.decode(id_token, self._signing_keys(), algorithms=ALGORITHMS)

    def _signing_keys(self) -> KeySet:
        if self._keys is None or time.monotonic() - self._keys[0] > _KEPT_S:
            told = _json_at(str(self._describe()["jwks_uri"]))
            self._keys = (time.monotonic(), KeySet.import_key_set({"keys": told.get("keys", [])}))
        return self._keys[1]

    def _describe(self) -> dict[str, Any]:
        if self._described is None or time.monotonic() - self._described[0] > _KEPT_S:
            address = f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration"
            told = _json_at(address)
            if told.get("issuer") != self.settings.issuer:
                raise ProviderAway(f"{address}: issuer {told.get('issuer')!r}, needed {self.settings.issuer!r}")
            if missing := {"authorization_endpoint", "token_endpoint", "jwks_uri"} - told.keys():
                raise ProviderAway(f"{address}: lacks {', '.join(sorted(missing))}")
            self._described = (time.monotonic(), told)
        return self._described[1]


class ProviderPeople(Protocol):
    """Accounts that the provider vouches for, and logins there that have begun."""

    def begin(self, state_sha256: str, nonce: str, code_verifier: str, at: datetime, expires_at: datetime) -> None: ...

    def take(self, state_sha256: str, at: datetime) -> tuple[str, str] | None:
        """Return nonce and code verifier of a login that has begun, once."""

    def admit(self, person: ProvenPerson, at: datetime) -> str | None:
        """Return the name of the person's account, made or changed; None where the name belongs to somebody else."""

    def withdraw(self, issuer: str, subject: str) -> str | None:
        """End the person's sessions."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """Logging in elsewhere: the provider, and what is kept of its people."""

    provider: Provider
    people: ProviderPeople


class NotAdmitted(LoginRefused):
    """The provider knows the person, and says nothing that the settings map to a role, or to a site."""

    def __init__(self, reason: str, subject: str) -> None:
        super().__init__(reason)
        self.subject = subject


def _json_at(address: str) -> dict[str, Any]:
    try:
        answer = httpx.get(address, timeout=_TIMEOUT_S)
        answer.raise_for_status()
        told = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise ProviderAway(f"{address}: {type(error).__name__}: {error}") from error
    if not isinstance(told, dict):
        raise ProviderAway(f"{address}: no JSON object")
    return told


def _values(claims: Mapping[str, Any], path: str) -> set[str]:
    """Return the strings of a claim; a path with dots reaches into objects where no claim is called so."""
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for name in path.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return {found}
    return {one for one in found if isinstance(one, str)} if isinstance(found, list) else set()
