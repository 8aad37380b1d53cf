"""Everything that can go wrong, as one tree: each class says whether trying again can help."""

from datetime import datetime


class AcuityError(Exception):
    """Base of every error that Acuity raises on purpose; the message names object, value found and value needed."""


class RetriableError(AcuityError):
    """The same step may succeed later: a peer is away, a disk is full, the database restarts."""


class PermanentError(AcuityError):
    """Trying again gives the same answer; a person or a new input must change something first."""


class InvalidSetting(PermanentError):
    """A setting is missing, misspelt or out of range."""


class UnreadableInstance(PermanentError):
    """The bytes of an instance do not parse as the DICOM object they claim to be."""


class UnknownStudy(PermanentError):
    """No study with this UID has been received."""


class ActNotPossible(PermanentError):
    """What a reader wants to do with a study cannot be done as it stands."""


class TakenByAnother(PermanentError):
    """Another reader has the study in hand."""


class NotPermitted(PermanentError):
    """Who asks may not do this."""


class LoginRefused(PermanentError):
    """Somebody who comes from an identity provider is not let in; the message is one word that says why."""


class StatusNotAllowed(PermanentError):
    """A study cannot go from its present status to the wanted one."""


class NoSuitableSeries(PermanentError):
    """No series of the study is what a model may see."""


class InvalidGeometry(PermanentError):
    """The slices of a series do not form one regular volume."""


class UnsupportedPixels(PermanentError):
    """The pixel data cannot be decoded or is of a kind that no reader here understands."""


class CannotDeidentify(PermanentError):
    """An object may say who it is of in a place that cannot be cleaned."""


class InvalidBundle(PermanentError):
    """A model bundle is incomplete, damaged or contradicts itself."""


class UnknownModel(PermanentError):
    """No registered model is called so, or more than one is."""


class ModelStateNotAllowed(PermanentError):
    """A model cannot go from its present state to the wanted one."""


class VerdictNeeded(PermanentError):
    """A model has no accepted verdict, and nobody gave a reason to activate it without one."""


class ProviderUnavailable(PermanentError):
    """The execution provider that the settings ask for is not there."""


class InvalidDataset(PermanentError):
    """A data set for validation is incomplete or contradicts its own description."""


class PdfUnavailable(PermanentError):
    """A report is wanted as PDF, and a library that writes it is missing on this machine."""


class InvalidPlan(PermanentError):
    """A plan of a comparison does not say what it must, or was not locked before the data were used."""


class InvalidDesign(PermanentError):
    """What is asked of a chart or of a queue is out of range, or nothing answers it."""


class StorageFull(RetriableError):
    """Less space is free than the settings keep in reserve."""


class StoreUnavailable(RetriableError):
    """The database did not answer."""


class WorkerLost(RetriableError):
    """A process that was answering ended before it had."""


class NotAnswered(RetriableError):
    """Workers of the platform did not answer what a validation asks; the message says why."""


class WorkerStops(RetriableError):
    """A worker ends, and leaves what is not done to others."""


class ProviderAway(RetriableError):
    """The identity provider did not answer as one."""


class DestinationUnavailable(RetriableError):
    """A destination did not accept a result now: no connection, no association, or a transient status."""


class ObjectPostponed(DestinationUnavailable):
    """A destination answered that it could not take this one object now; it may well take others."""


class DestinationPaused(DestinationUnavailable):
    """A destination failed several times in a row, so nobody tries it before `retry_at`."""

    def __init__(self, message: str, retry_at: datetime) -> None:
        super().__init__(message)
        self.retry_at = retry_at


class DestinationRefused(PermanentError):
    """A destination refused a result for good."""


class TooBusy(RetriableError):
    """More is asked at once than can be done at once."""
