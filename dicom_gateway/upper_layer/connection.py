"""One TCP or TLS connection with a deadline: nobody holds it by saying nothing, or by saying it slowly."""

import hashlib
import select
import socket
import ssl
import struct
import sys
import time
from contextlib import suppress

from dicom_gateway.upper_layer.pdus import ConnectionLost
from triage.errors import PermanentError

_TICK_S = 0.5
_GOODBYE_S = 1.0
_GOODBYE_BYTES = 1 << 22


class ReadEnded(PermanentError):
    """The peer let the deadline pass, or this process stops."""


class Connection:
    """A connected socket whose reads end at a deadline; the owner moves the deadline as the association goes on."""

    def __init__(self, connected: socket.socket, address: str, send_timeout_s: float) -> None:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A kernel time-out wakes the reader without a poll before each read, as Python's own time-outs need.
        connected.settimeout(None)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(_TICK_S))
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(send_timeout_s))
        self._socket = connected
        self._send_timeout_s = send_timeout_s
        self._stopping = False
        self._received = 0
        self.address = address
        self.peer_certificate = ""
        self.deadline = time.monotonic() + send_timeout_s

    @property
    def received_bytes(self) -> int:
        """Bytes received so far, after decryption."""
        return self._received

    def secure(self, context: ssl.SSLContext, within_s: float) -> None:
        """Go on in TLS, as the server; `peer_certificate` is then its SHA-256 in hex, "" where none was shown.

        Raises:
            OSError: the handshake failed; ssl.SSLError is one.
        """
        self._socket.settimeout(within_s)
        secured = context.wrap_socket(self._socket, server_side=True)
        self._socket = secured
        if shown := secured.getpeercert(binary_form=True):
            self.peer_certificate = hashlib.sha256(shown).hexdigest()
        self._socket.settimeout(_TICK_S)

    def receive_into(self, buffer: memoryview) -> int:
        """Return how many bytes came, 0 at the end of the stream.

        Raises:
            ReadEnded: nothing came before the deadline, or `interrupt` was called.
            ConnectionLost: the connection broke.
        """
        while True:
            try:
                count = self._socket.recv_into(buffer)
                break
            except (BlockingIOError, TimeoutError, ssl.SSLWantReadError) as error:
                if self._stopping or time.monotonic() > self.deadline:
                    raise ReadEnded(f"{self.address}: nothing within the time-out") from error
            except OSError as error:
                raise ConnectionLost(f"{self.address}: {error}") from error
        if self._stopping and not count:
            raise ReadEnded(f"{self.address}: interrupted")
        # Bytes that drip in never let a read time out.
        if time.monotonic() > self.deadline:
            raise ReadEnded(f"{self.address}: too slow")
        self._received += count
        self._acknowledge_at_once()
        return count

    def has_input(self) -> bool:
        """Return whether a read would find something at once, be it the end of the stream."""
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return True
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        return bool(waiting.poll(0))

    def send(self, data: bytes) -> None:
        """Send everything; raises ConnectionLost when the peer is gone or does not read."""
        try:
            if isinstance(self._socket, ssl.SSLSocket):
                self._socket.settimeout(self._send_timeout_s)
                self._socket.sendall(data)
                self._socket.settimeout(_TICK_S)
            else:
                self._socket.sendall(data)
        except OSError as error:
            raise ConnectionLost(f"{self.address}: {error}") from error

    def interrupt(self) -> None:
        """Make the reading thread stop soon; callable from another thread."""
        self._stopping = True
        with suppress(OSError):
            # Not the TLS socket's own `shutdown`, which would end TLS for the sending side too.
            socket.socket.shutdown(self._socket, socket.SHUT_RD)

    def say_goodbye(self) -> None:
        """Give the peer a moment to read what was sent last, before `close` may reset the connection."""
        until, scrap = time.monotonic() + _GOODBYE_S, memoryview(bytearray(1 << 16))
        most = self._received + _GOODBYE_BYTES
        self.deadline = until
        with suppress(OSError, ConnectionLost, ReadEnded):
            self._socket.shutdown(socket.SHUT_WR)
            while time.monotonic() < until and self._received < most and self.receive_into(scrap):
                pass

    def close(self) -> None:
        """Close the socket."""
        with suppress(OSError):
            self._socket.close()

    def _acknowledge_at_once(self) -> None:
        # A sender with Nagle's algorithm on, as DCMTK's by default, waits 40 ms for our delayed ACK otherwise. The
        # kernel forgets the option, so it is set again after each read.
        if sys.platform == "linux":
            with suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def _timeval(seconds: float) -> bytes:
    return struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))
