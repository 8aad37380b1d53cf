"""Tells people of what cannot wait: climbs the ladder in the monitor, and sends as a job of the delivery workers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

import structlog
from procrastinate import App

from deploy.jobs import BackOff
from deploy.secret_files import secret_in
from deploy.settings import NotificationMailSection, NotificationTargetSection, Settings
from storage.notifications import Notification, Outbox
from storage.work_queue import NOTIFICATION_QUEUE, NOTIFICATION_TASK
from triage.errors import DestinationRefused, DestinationUnavailable
from triage.notifications import EventKind, Message, Messenger, Step, decide
from triage.ports import Clock
from worklist.messengers.mail import Mail, MailServer
from worklist.messengers.webhook import Webhook

log = structlog.get_logger(__name__)

SENT_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Telling:
    """Sends what the outbox holds, one notification at a time."""

    outbox: Outbox
    clock: Clock
    messengers: Mapping[str, Messenger]
    page_url: str
    tells_accession_number: bool

    def send(self, uid: str) -> None:
        """Send one notification unless nobody needs it any more.

        A process that dies between sending and noting sends it again, with the same id.

        Raises:
            DestinationUnavailable: the target did not take it now; try again.
        """
        one = self.outbox.find(uid)
        if one is None or one.state != "planned":
            return
        if not one.is_wanted:
            self.outbox.mark(one, "dropped", "", self.clock.now())
            return
        try:
            self._messenger(one.target).send(self._message(one))
        except DestinationUnavailable as error:
            self.outbox.mark(one, "planned", str(error), self.clock.now())
            raise
        except DestinationRefused as error:
            self.outbox.mark(one, "refused", str(error), self.clock.now())
            log.error("notification_refused", target=one.target, kind=one.kind, step=one.step, reason=str(error))
        else:
            self.outbox.mark(one, "sent", "", self.clock.now())
            log.info("notification_sent", target=one.target, kind=one.kind, step=one.step)

    def _messenger(self, target: str) -> Messenger:
        found = self.messengers.get(target)
        if found is None:
            raise DestinationRefused(f"{target}: the settings name no such target")
        return found

    def _message(self, one: Notification) -> Message:
        kind = EventKind(one.kind)
        is_study = kind is EventKind.CRITICAL_STUDY
        accession = self.outbox.accession_number_of(one.subject) if is_study and self.tells_accession_number else ""
        link = f"{self.page_url}/?{urlencode(_shown_by(kind, one.subject))}"
        return Message(one.id, kind, one.subject, one.at, one.step, link, accession)


def _shown_by(kind: EventKind, subject: str) -> Mapping[str, str]:
    """Return what the page's address asks for to show what a message is about."""
    if kind is EventKind.CRITICAL_STUDY:
        return {"study": subject}
    if kind is EventKind.DEAD_LETTER:
        return {"panel": "attention"}
    return {"panel": "surveillance", "alarm": subject}


def telling_of(settings: Settings, outbox: Outbox, clock: Clock) -> Telling:
    """Return what sends to the targets of the settings; raises InvalidSetting where a secret cannot be read."""
    section = settings.file.notifications
    return Telling(outbox, clock, messengers_of(settings), settings.page_url, section.accession_number)


def messengers_of(settings: Settings) -> dict[str, Messenger]:
    """Return a way to each target of the settings, by its name."""
    section = settings.file.notifications
    return {one.name: _messenger(one, section.mail) for one in section.targets}


def ladder_of(settings: Settings) -> tuple[Step, ...]:
    """Return the steps of the settings."""
    steps = settings.file.notifications.steps
    return tuple(Step(timedelta(minutes=one.after_minutes), one.targets, one.events) for one in steps)


def climb(outbox: Outbox, ladder: Sequence[Step], clock: Clock) -> int:
    """Plan what is due of every open event, end what needs nobody any more; return how many messages are new."""
    planned = 0
    for event in outbox.open_events():
        decision = decide(event, ladder)
        planned += sum(outbox.plan(event.number, number, step) for number, step in decision.due)
        if decision.ending is not None:
            outbox.end(event.number, decision.ending, event.acknowledged_by, clock.now())
    return planned


def add_notifications(queue: App, telling: Telling) -> None:
    """Let workers of `queue` send notifications; what may pass is tried again until somebody acknowledges."""

    @queue.task(name=NOTIFICATION_TASK, queue=NOTIFICATION_QUEUE, retry=BackOff())
    def send_notification(notification: str) -> None:
        telling.send(notification)


def _messenger(target: NotificationTargetSection, mail: NotificationMailSection) -> Messenger:
    if target.url:
        return Webhook(target.name, target.url, secret_in(target.secret_file, f"target {target.name}: secret_file"))
    password = secret_in(mail.password_file, "notifications.mail.password_file") if mail.password_file else ""
    server = MailServer(mail.host, mail.port, mail.sender, mail.starttls, mail.authorities, mail.user, password)
    return Mail(target.name, target.mail_to, server)
