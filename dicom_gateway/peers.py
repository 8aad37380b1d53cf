"""Who may send: a list of AE titles with their hosts; anybody may ask for an echo."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address


@dataclass(frozen=True, slots=True)
class Peer:
    """A system that may store, by its AE title and the address that it calls from."""

    ae_title: str
    host: str


@dataclass(frozen=True, slots=True)
class PeerList:
    """The systems that may store; with no entry at all, this machine's loopback may and nobody else."""

    peers: Sequence[Peer] = ()

    def may_store(self, ae_title: str, host: str) -> bool:
        if not self.peers:
            return ip_address(host).is_loopback
        return Peer(ae_title.strip(), host) in self.peers
