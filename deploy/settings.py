"""The settings: one TOML file and a few environment variables, read once, checked whole, then frozen."""

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dicom_gateway.peers import fingerprint
from triage.errors import InvalidSetting
from triage.notifications import EventKind
from triage.priority import TargetTimes
from worklist.roles import Role

AeTitle = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[\x21-\x7e][\x20-\x5b\x5d-\x7e]*$")]
Fingerprint = Annotated[str, AfterValidator(fingerprint)]
Port = Annotated[int, Field(ge=0, le=65535)]
Retained = Literal["dates", "device", "patient", "descriptors", "safe-private"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PeerSection(_Section):
    """One system that may store, and what else it may."""

    ae_title: AeTitle = Field(description="AE title that the system calls with")
    host: str = Field(description="address that the system calls from")
    port: Port = Field(0, description="DICOM port of the system, for commitment reports and C-MOVE; 0: it has none")
    answers_queries: bool = Field(
        False, description="ask the system by C-FIND how many images a study has, and fetch from it by C-MOVE"
    )
    may_query: bool = Field(
        False, description="the system may ask by C-FIND, and get by C-GET and C-MOVE, what is here"
    )
    tls: bool = Field(False, description="speak to the system over TLS alone, with what dicom.tls names")
    certificates: frozenset[Fingerprint] = Field(frozenset(), description="SHA-256 of those it may show; empty: any")


class TlsSection(_Section):
    """DICOM over TLS (PS3.15 B.12, BCP 195)."""

    certificate: str = Field("", description="PEM file, this receiver's certificate and those between it and its root")
    key: str = Field("", description="PEM file, the private key of the certificate")
    authorities: str = Field("", description="PEM file, the authorities that sign the peers' certificates")
    require_peer_certificate: bool = Field(True, description="refuse peers without a certificate of the authorities")

    @model_validator(mode="after")
    def _whole(self) -> "TlsSection":
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key are needed together")
        if self.certificate and self.require_peer_certificate and not self.authorities:
            raise ValueError("authorities are needed to check the peers' certificates")
        if self.authorities and not self.certificate:
            raise ValueError("certificate and key are needed for TLS")
        return self


class DicomSection(_Section):
    """The DICOM door."""

    ae_title: AeTitle = Field("ACUITY", description="AE title that scanners send to")
    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 for every interface")
    port: Port = Field(11112, description="port to listen on; 0 takes a free one")
    receivers: int = Field(1, ge=1, le=64, description="receiver processes that share the port")
    associations: int = Field(100, ge=1, le=1000, description="associations that may store, for each receiver process")
    associations_per_address: int = Field(50, ge=1, le=1000, description="of these, how many from one address")
    echo_associations: int = Field(8, ge=1, le=100, description="associations kept for C-ECHO beside those that store")
    request_timeout_s: float = Field(10.0, gt=0, description="seconds from a connection to its association request")
    idle_timeout_s: float = Field(60.0, gt=0, description="seconds without a byte until an abort")
    storage_commitment: bool = Field(
        False, description="answer requests for storage commitment; a scanner may then delete what it sent"
    )
    peers: tuple[PeerSection, ...] = Field((), description="who may store; empty: loopback may, nobody else")
    tls: TlsSection = TlsSection()


class DestinationSection(_Section):
    """One PACS that results are sent to."""

    name: str = Field(min_length=1, description="name shown on the page")
    ae_title: AeTitle = Field(description="AE title of the PACS")
    host: str = Field(description="address of the PACS")
    port: Port = Field(description="DICOM port of the PACS")
    send: frozenset[str] = Field(frozenset({"sr"}), description='kinds of result to send: "sr", "seg", "sc"')
    retain: frozenset[Retained] = Field(
        frozenset(),
        description='what de-identified copies keep: "dates", "device", "patient", "descriptors", "safe-private"',
    )
    tls: bool = Field(False, description="speak to the PACS over TLS alone, with what dicom.tls names")
    confirm: bool = Field(False, description="ask the PACS by storage commitment whether it keeps what was delivered")


class CompletenessSection(_Section):
    """When a study counts as complete."""

    quiet_period_s: float = Field(
        5.0, gt=0, description="seconds without a new instance after which a study is complete"
    )
    settle_period_s: float = Field(
        0.3, ge=0, description="seconds without a new instance once the needed series is whole and released"
    )
    shortest_quiet_period_s: float = Field(
        2.0, gt=0, description="seconds that a quiet period learned from a scanner's own silences has at least"
    )
    longest_quiet_period_s: float = Field(60.0, gt=0, description="seconds that a learned quiet period has at most")


class TargetSection(_Section):
    """How soon a study should be read."""

    critical_minutes: float = Field(15, gt=0, description="minutes from arrival for critical studies")
    urgent_minutes: float = Field(60, gt=0, description="minutes from arrival for urgent studies")
    routine_minutes: float = Field(240, gt=0, description="minutes from arrival for routine studies")


class WebSection(_Section):
    """The page and its API."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: Port = Field(8380, description="port to listen on; 0 takes a free one")
    https: bool = Field(False, description="people reach the page over https, through a proxy; cookies are then Secure")
    allowed_hosts: tuple[str, ...] = Field((), description="host names that browsers may use; loopback always may")
    page_url: str = Field(
        "", pattern="^$|^https?://[^?#]+$", description="address that people reach the page at; empty: host and port"
    )
    viewer_url: str = Field(
        "",
        pattern=r"^$|^https?://\S*\{study_uid\}\S*$",
        description="address that the key o opens, such as https://pacs.example/viewer?StudyInstanceUIDs={study_uid}",
    )


class DatabaseSection(_Section):
    """PostgreSQL."""

    url: str = Field("", description="postgresql://…; empty starts the embedded server in the data folder")


class StorageSection(_Section):
    """The disk."""

    min_free_gb: float = Field(2.0, ge=0, description="gigabytes kept free; below, instances are refused with A700")
    retention_days: float = Field(0, ge=0, description="days after which the images of a finished study go; 0: never")
    retention_days_by_modality: dict[str, Annotated[float, Field(ge=0)]] = Field(
        {}, description="days for single modalities, as {CT = 90, US = 0}; the longest of a study's modalities counts"
    )
    retention_of_unread: bool = Field(False, description="also studies that nobody marked as read")


class InferenceSection(_Section):
    """The models' runtime."""

    device: str = Field("cpu", pattern="^(cpu|cuda)$", description='"cuda" refuses to start without a GPU')
    workers: int = Field(1, ge=1, le=64, description="worker processes for triage")
    threads: int = Field(2, ge=1, le=256, description="threads of one worker's inference session")
    bundles: str = Field("", description="folder of further model bundles; empty: only those that come with Acuity")


class ModelsSection(_Section):
    """Whose models are taken."""

    trusted_keys: tuple[str, ...] = Field(
        (), description="PEM files, Ed25519 public keys one of which signed each model that does not ship; empty: any"
    )


class SiteSection(_Section):
    """The department."""

    time_zone: str = Field("UTC", description="zone of dates and times in results, as Europe/Zurich")

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError("not a time zone; one like Europe/Zurich is needed")
        return name


class SurveillanceSection(_Section):
    """The watch over drift."""

    years_between_false_alarms: float = Field(
        1.0, gt=0, le=100, description="years between false alarms of all streams of a site together"
    )
    baseline_days: int = Field(90, ge=28, description="days from which each stream learns what is usual")
    history_days: int = Field(1096, ge=60, description="days of stored studies that the monitor looks at")
    interval_minutes: float = Field(15.0, gt=0, description="minutes between two looks at every stream")
    escalates_after_hours: float = Field(
        24.0, gt=0, description="hours after which an alarm that nobody acknowledged escalates"
    )
    pause_flags_from_change: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="rise of the share of missed findings, false flags or wrong places, as readers say, from which on "
        "the model goes into the shadow: its flags pause, the list goes on; absent: never",
    )


class ProviderSection(_Section):
    """An identity provider that people log in at (OpenID Connect)."""

    name: str = Field("", description="how the log-in page calls the provider; empty: local accounts alone")
    issuer: str = Field(
        "",
        pattern=r"^$|^https://[^?#]+$|^http://(127\.0\.0\.1|localhost)[:/][^?#]*$",
        description="address of the provider, exactly as its tokens say it",
    )
    client_id: str = Field("", description="what the provider calls this Acuity")
    client_secret_file: str = Field("", description="file with the client's secret; empty: a public client")
    scopes: str = Field("openid profile", description="what is asked for, with blanks between")
    name_claim: str = Field("preferred_username", description="claim of the ID token that becomes the account's name")
    role_claim: str = Field(
        "roles", description="claim with the person's groups or roles; realm_access.roles reaches in"
    )
    roles: dict[str, Role] = Field(
        {}, description="which value of that claim gives which role; the first that is there"
    )
    site_claim: str = Field("", description="claim with the sites whose studies the person may see; empty: every site")
    sites: dict[str, str] = Field({}, description="which value of that claim gives which site; empty: values are sites")

    @model_validator(mode="after")
    def _whole(self) -> "ProviderSection":
        if self.name and not (self.issuer and self.client_id and self.roles):
            raise ValueError("issuer, client_id and roles are needed with a name")
        return self


class BreakGlassSection(_Section):
    """Opening a study of another site in an emergency."""

    allowed: bool = Field(False, description="readers may open studies of other sites, with a reason")
    hours: float = Field(4.0, gt=0, le=72, description="hours for which a study is then open to the reader")


class NotificationTargetSection(_Section):
    """One target that is told: a webhook or an address of mail."""

    name: str = Field(min_length=1, description="name that the steps of the ladder use")
    url: str = Field("", pattern="^$|^https?://", description="address of a webhook that takes a signed POST")
    secret_file: str = Field("", description="file with the secret that the webhook's requests are signed with")
    mail_to: str = Field("", pattern=r"^$|^[^\s@,;<>]+@[^\s@,;<>]+$", description="address that mail goes to")

    @model_validator(mode="after")
    def _one_way(self) -> "NotificationTargetSection":
        if bool(self.url) == bool(self.mail_to):
            raise ValueError("one of url and mail_to is needed")
        if self.url and not self.secret_file:
            raise ValueError("secret_file is needed for a webhook")
        return self


class NotificationStepSection(_Section):
    """One step of the ladder."""

    after_minutes: float = Field(0.0, ge=0, description="minutes after the event, if nobody has acknowledged it")
    targets: tuple[str, ...] = Field(min_length=1, description="names of the targets that are told")
    events: frozenset[EventKind] = Field(
        frozenset(EventKind),
        description="of what: a new critical study, a drift alarm, one that nobody acknowledged in time, a delivery "
        "refused for good",
    )


class NotificationMailSection(_Section):
    """The mail server."""

    host: str = Field("", description="server that mail is handed to")
    port: Port = Field(587, description="port of the server")
    sender: str = Field("", description="address that mail comes from")
    starttls: bool = Field(True, description="refuse to hand over mail without STARTTLS")
    authorities: str = Field("", description="PEM file that the server's certificate is checked with; empty: system's")
    user: str = Field("", description="account on the server; empty: none is needed")
    password_file: str = Field("", description="file with the password of the account")


class NotificationsSection(_Section):
    """Who is told of what cannot wait; without steps, nobody is."""

    accession_number: bool = Field(False, description="tell the accession number of a study, too; it is patient data")
    targets: tuple[NotificationTargetSection, ...] = ()
    steps: tuple[NotificationStepSection, ...] = ()
    mail: NotificationMailSection = NotificationMailSection()

    @model_validator(mode="after")
    def _whole(self) -> "NotificationsSection":
        names = [one.name for one in self.targets]
        if len(set(names)) < len(names):
            raise ValueError("each target needs a name of its own")
        if unknown := {name for step in self.steps for name in step.targets} - set(names):
            raise ValueError(f"steps name {', '.join(sorted(unknown))}; the targets are {', '.join(names) or 'none'}")
        if any(one.mail_to for one in self.targets) and not (self.mail.host and self.mail.sender):
            raise ValueError("mail.host and mail.sender are needed for targets with mail_to")
        return self


class SettingsFile(_Section):
    """The whole file."""

    site: SiteSection = SiteSection()
    dicom: DicomSection = DicomSection()
    destinations: tuple[DestinationSection, ...] = ()
    completeness: CompletenessSection = CompletenessSection()
    targets: TargetSection = TargetSection()
    web: WebSection = WebSection()
    database: DatabaseSection = DatabaseSection()
    storage: StorageSection = StorageSection()
    inference: InferenceSection = InferenceSection()
    models: ModelsSection = ModelsSection()
    surveillance: SurveillanceSection = SurveillanceSection()
    notifications: NotificationsSection = NotificationsSection()
    provider: ProviderSection = ProviderSection()
    break_glass: BreakGlassSection = BreakGlassSection()

    @model_validator(mode="after")
    def _certified(self) -> "SettingsFile":
        own = self.dicom.tls
        wanted = [one.name for one in self.destinations if one.tls]
        wanted += [one.ae_title for one in self.dicom.peers if one.tls]
        if wanted and not (own.certificate and own.authorities):
            raise ValueError(f"dicom.tls: certificate, key and authorities are needed to speak to {wanted[0]} over TLS")
        bound = [one.ae_title for one in self.dicom.peers if one.certificates]
        if bound and not own.authorities:
            raise ValueError(f"dicom.tls: certificate, key and authorities are needed to see {bound[0]}'s certificate")
        return self


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings file, where everything is written, and the secrets that came from the environment."""

    home: Path
    file: SettingsFile
    config_path: Path | None = None
    admin_password: str | None = field(default=None, repr=False)

    @property
    def page_url(self) -> str:
        """The address that people reach the page at, without a slash at its end."""
        web = self.file.web
        return (web.page_url or f"{'https' if web.https else 'http'}://{web.host}:{web.port}").rstrip("/")

    @property
    def target_times(self) -> TargetTimes:
        targets = self.file.targets
        return TargetTimes(
            timedelta(minutes=targets.critical_minutes),
            timedelta(minutes=targets.urgent_minutes),
            timedelta(minutes=targets.routine_minutes),
        )


def read_settings(config: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings from `config`, or from acuity.toml in $ACUITY_HOME (default ./var).

    Raises:
        InvalidSetting: every mistake of the file in one message, each with its place and what was expected.
    """
    environment = os.environ if environment is None else environment
    home = Path(environment.get("ACUITY_HOME", "var")).absolute()
    path = config or home / "acuity.toml"
    if config is not None and not config.is_file():
        raise InvalidSetting(f"{config}: no such settings file")
    table = _parse(path) if path.is_file() else {}
    if url := environment.get("ACUITY_DATABASE_URL"):
        table = {**table, "database": {"url": url}}
    try:
        file = SettingsFile.model_validate(table)
    except ValidationError as error:
        raise InvalidSetting(_all_mistakes(path, error)) from error
    return Settings(home, file, path if path.is_file() else None, environment.get("ACUITY_ADMIN_PASSWORD") or None)


def _parse(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        table: dict[str, Any] = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        return table
    except (ValueError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"{path}: not readable: {error}") from error


def _all_mistakes(path: Path, error: ValidationError) -> str:
    mistakes = []
    for one in error.errors(include_url=False):
        # What spans sections has the whole file as its input, the password of the database with it.
        found = "" if isinstance(one["input"], dict) else f", found {one['input']!r}"
        mistakes.append(": ".join(filter(None, (".".join(map(str, one["loc"])), one["msg"] + found))))
    return f"{path}: " + "; ".join(mistakes)
