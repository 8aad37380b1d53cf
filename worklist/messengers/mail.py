"""An e-mail, by the department's own mail server."""

import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime

from triage.errors import DestinationRefused, DestinationUnavailable
from triage.notifications import Message

_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class MailServer:
    """The server that mail is handed to; `authorities` is a PEM file, empty for those of this system."""

    host: str
    port: int
    sender: str
    starttls: bool = True
    authorities: str = ""
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Mail:
    """Sends messages to one address; satisfies `triage.notifications.Messenger`.

    The Message-ID is made of the message's id, so that a mail that had to be sent twice is known by it.
    """

    name: str
    address: str
    server: MailServer

    def send(self, message: Message) -> None:
        try:
            self._hand_over(self._letter(message))
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
            code, words = _answer(error)
            # RFC 5321 4.2.1: 4yz may pass, 5yz will not.
            failure = DestinationRefused if code >= 500 else DestinationUnavailable
            raise failure(f"{self.name}: {self.server.host} answered {code} {words}") from error
        except smtplib.SMTPNotSupportedError as error:
            raise DestinationRefused(f"{self.name}: {self.server.host}: {error}") from error
        except (smtplib.SMTPException, OSError) as error:
            raise DestinationUnavailable(f"{self.name}: {self.server.host}: {error}") from error

    def _hand_over(self, letter: EmailMessage) -> None:
        server = self.server
        with smtplib.SMTP(server.host, server.port, timeout=_TIMEOUT_S) as connection:
            if server.starttls:
                connection.starttls(context=ssl.create_default_context(cafile=server.authorities or None))
            if server.user:
                connection.login(server.user, server.password)
            connection.send_message(letter)

    def _letter(self, message: Message) -> EmailMessage:
        letter = EmailMessage()
        letter["From"], letter["To"] = self.server.sender, self.address
        letter["Subject"] = f"Acuity: {message.words}"
        letter["Date"] = format_datetime(message.at)
        letter["Message-ID"] = f"<{message.id}@acuity>"
        letter["Auto-Submitted"] = "auto-generated"
        lines = [f"{message.words}, {message.at:%H:%M:%S} UTC, step {message.step} of the ladder.", message.link]
        if message.accession_number:
            lines.append(f"Accession number {message.accession_number}")
        lines.append("Research use only, not a medical device. Nobody reads answers to this address.")
        letter.set_content("\n\n".join(line for line in lines if line))
        return letter


def _answer(error: smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused) -> tuple[int, str]:
    if isinstance(error, smtplib.SMTPResponseException):
        code, words = error.smtp_code, error.smtp_error
    else:
        code, words = next(iter(error.recipients.values()))
    return code, words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
