"""A signed POST to an address of the department: an on-call system, a chat, a pager gateway."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field

import httpx

from triage.errors import DestinationRefused, DestinationUnavailable
from triage.notifications import EventKind, Message

_TIMEOUT_S = 10.0
_MAY_PASS = frozenset({408, 425, 429})
_ENCODED_SECRET = "whsec_"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Posts messages to `url`; satisfies `triage.notifications.Messenger`.

    Each request carries `webhook-id` and `Idempotency-Key` (the message's id, the same at each try),
    `webhook-timestamp` (Unix seconds) and `webhook-signature`: "v1," and the HMAC-SHA256 in base64 of
    "id.timestamp.body" under the secret, after the Standard Webhooks specification.
    """

    name: str
    url: str
    secret: str = field(repr=False)

    def send(self, message: Message) -> None:
        body = json.dumps(_content(message)).encode()
        try:
            answer = httpx.post(self.url, content=body, headers=self._headers(message.id, body), timeout=_TIMEOUT_S)
        except httpx.TransportError as error:
            raise DestinationUnavailable(f"{self.name}: {type(error).__name__}: {error}") from error
        if answer.is_success:
            return
        told = f"{self.name}: answered {answer.status_code}, 2xx needed"
        if answer.is_server_error or answer.status_code in _MAY_PASS:
            raise DestinationUnavailable(told)
        # A redirect is an answer of this kind, too: where the message goes is the administrator's to say.
        raise DestinationRefused(told)

    def _headers(self, uid: str, body: bytes) -> dict[str, str]:
        at = str(int(time.time()))
        return {
            "Content-Type": "application/json",
            "Idempotency-Key": uid,
            "webhook-id": uid,
            "webhook-timestamp": at,
            "webhook-signature": f"v1,{signature(self.secret, uid, at, body)}",
        }


def signature(secret: str, uid: str, at: str, body: bytes) -> str:
    """Return the signature in base64; a secret that begins with "whsec_" is base64, any other one is text."""
    encoded = secret.removeprefix(_ENCODED_SECRET)
    key = base64.b64decode(encoded) if encoded != secret else secret.encode()
    return base64.b64encode(hmac.digest(key, f"{uid}.{at}.".encode() + body, hashlib.sha256)).decode()


def _content(message: Message) -> dict[str, str | int]:
    told: dict[str, str | int] = {
        "type": "trial" if message.is_trial else message.kind.value,
        "timestamp": message.at.isoformat(),
        "step": message.step,
        "message": message.words,
        "link": message.link,
    }
    if message.kind is EventKind.CRITICAL_STUDY:
        told["band"] = "CRITICAL"
    if message.accession_number:
        told["accession_number"] = message.accession_number
    return told
