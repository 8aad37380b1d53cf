"""Who may send and who may ask: a list of AE titles with their hosts; anybody may ask for an echo."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address


def fingerprint(text: str) -> str:
    """Return a SHA-256 in lower-case hex, from hex in either case with or without colons; raises ValueError."""
    found = text.replace(":", "").lower()
    if not re.fullmatch("[0-9a-f]{64}", found):
        raise ValueError("64 hex digits needed, as `openssl x509 -noout -fingerprint -sha256` prints them")
    return found


@dataclass(frozen=True, slots=True)
class Peer:
    """A system that may store, by its AE title and the address that it calls from.

    `port` is where it listens itself, 0 where it does not, and `tls` whether it does so over TLS. Only with
    `may_query` may it ask what is here and have it sent. With `certificates`, SHA-256 fingerprints in lower-case hex,
    it must show one of them over TLS.
    """

    ae_title: str
    host: str
    port: int = 0
    may_query: bool = False
    tls: bool = False
    certificates: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PeerList:
    """The systems that may store; with no entry at all, this machine's loopback may and nobody else."""

    peers: Sequence[Peer] = ()

    def may_store(self, ae_title: str, host: str) -> bool:
        if not self.peers:
            return ip_address(host).is_loopback
        return self.find(ae_title, host) is not None

    def find(self, ae_title: str, host: str) -> Peer | None:
        """Return the listed system that calls by this name from this address."""
        return next((one for one in self.peers if (one.ae_title, one.host) == (ae_title.strip(), host)), None)

    def believes(self, ae_title: str, host: str, fingerprint: str) -> bool:
        """Return whether who shows this certificate, "" for none, may call by this name.

        Anybody may by a name that is bound to no certificate. A bound name from an address that is not listed is
        believed with any of its certificates, and is then an unlisted system.
        """
        peer = self.find(ae_title, host)
        bound = [peer] if peer else [one for one in self.peers if one.ae_title == ae_title.strip()]
        return not bound or any(not one.certificates or fingerprint in one.certificates for one in bound)

    def listening(self, ae_title: str) -> Peer | None:
        """Return the listed system of this name that has a port of its own."""
        return next((one for one in self.peers if one.ae_title == ae_title and one.port), None)
