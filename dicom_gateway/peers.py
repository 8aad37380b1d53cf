"""Who may send and who may ask: a list of AE titles with their hosts; anybody may ask for an echo."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address


@dataclass(frozen=True, slots=True)
class Peer:
    """A system that may store, by its AE title and the address that it calls from.

    `port` is where it listens itself, 0 where it does not, and `tls` whether it does so over TLS. Only with
    `may_query` may it ask what is here and have it sent.
    """

    ae_title: str
    host: str
    port: int = 0
    may_query: bool = False
    tls: bool = False


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

    def listening(self, ae_title: str) -> Peer | None:
        """Return the listed system of this name that has a port of its own."""
        return next((one for one in self.peers if one.ae_title == ae_title and one.port), None)
