"""Real servers on the loopback that messages go to: one takes webhooks, one takes mail with STARTTLS."""

import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class WebhookListener:
    """Keeps each request's headers and body; answers 204, or what stands first in `answers`."""

    url: str = ""
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    before_answer: Callable[[], None] = lambda: None


@contextmanager
def webhook_listener() -> Iterator[WebhookListener]:
    listener = WebhookListener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            listener.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
            listener.before_answer()
            self.send_response(listener.answers.pop(0) if listener.answers else 204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    with _serving(server):
        yield listener


@dataclass
class MailListener:
    """Keeps each letter, and whether it came over TLS; `refusals` are answers to RCPT, used up one by one."""

    port: int = 0
    authority: Path = Path()
    letters: list[Message] = field(default_factory=list)
    over_tls: list[bool] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


@contextmanager
def mail_listener(folder: Path, offers_tls: bool = True) -> Iterator[MailListener]:
    listener = MailListener(authority=folder / "mail.pem")
    key = _certificate(listener.authority, folder / "mail.key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(listener.authority, key)

    class Handler(socketserver.StreamRequestHandler):
        tls = False

        def handle(self) -> None:
            self._say("220 mail.test")
            while line := self.rfile.readline().decode().strip():
                word = line.split(" ")[0].upper()
                if word == "QUIT":
                    return self._say("221 bye")
                getattr(self, f"on_{word.lower()}", lambda: self._say("250 ok"))()
            return None

        def on_ehlo(self) -> None:
            self._say("250-mail.test\r\n250 STARTTLS" if offers_tls and not self.tls else "250 mail.test")

        def on_starttls(self) -> None:
            self._say("220 go on")
            self.request = context.wrap_socket(self.request, server_side=True)
            self.rfile, self.wfile, self.tls = self.request.makefile("rb"), self.request.makefile("wb", 0), True

        def on_rcpt(self) -> None:
            self._say(listener.refusals.pop(0) if listener.refusals else "250 ok")

        def on_data(self) -> None:
            self._say("354 go on")
            lines = iter(self.rfile.readline, b".\r\n")
            listener.letters.append(message_from_bytes(b"".join(lines), policy=default))
            listener.over_tls.append(self.tls)
            self._say("250 taken")

        def finish(self) -> None:
            super().finish()
            self.request.close()

        def _say(self, words: str) -> None:
            self.wfile.write(f"{words}\r\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    listener.port = server.server_address[1]
    with _serving(server):
        yield listener


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _certificate(path: Path, key_path: Path) -> Path:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key_path.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return key_path
