"""What an A-ASSOCIATE-RQ proposes, and the PDU that accepts it; the encoding is pynetdicom's."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import PresentationContext, build_context, negotiate_unrestricted

from dicom_gateway.upper_layer.pdus import AbortReason, ControlPdu, PduKind, ProtocolViolation

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
_STORAGE_CLASSES = "1.2.840.10008.5.1.4.1.1."

_CANNOT_DECODE = (
    ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError, NotImplementedError,
    struct.error,
)  # fmt: skip
"""What pynetdicom's decoder raises on items whose inside makes no sense; it asserts some of it."""

_MOST_ITEMS = 4096
_PRESENTATION_CONTEXT_ITEM = 0x20
_USER_INFORMATION_ITEM = 0x50


@dataclass(frozen=True, slots=True)
class OwnIdentity:
    """What the acceptor says about itself; `services` are the SOP classes that it serves beside the storage classes."""

    implementation_class_uid: str
    implementation_version_name: str
    longest_data_pdu: int
    services: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AcceptedContext:
    """One presentation context that data may come in; with `may_send` the acceptor may send C-STOREs in it."""

    sop_class_uid: str
    transfer_syntax_uid: str
    may_send: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """A request that can be answered; `longest_data_pdu` is the peer's maximum, 0 for none."""

    calling_ae_title: str
    speaks_version_1: bool
    application_context: str
    longest_data_pdu: int
    primitive: A_ASSOCIATE

    @property
    def wants_only_an_echo(self) -> bool:
        """Whether nothing but Verification is proposed."""
        proposed = self.primitive.presentation_context_definition_list
        return all(context.abstract_syntax == VERIFICATION for context in proposed)

    @property
    def wants_only_to_store(self) -> bool:
        """Whether nothing but standard Storage SOP classes is proposed."""
        proposed = self.primitive.presentation_context_definition_list
        return all(str(context.abstract_syntax).startswith(_STORAGE_CLASSES) for context in proposed)


def read_proposal(pdu: ControlPdu) -> Proposal:
    """Return what an A-ASSOCIATE-RQ proposes.

    Raises:
        ProtocolViolation: the PDU cannot be decoded, or lacks the items that the standard requires.
    """
    _check_items(pdu.body)
    try:
        request = A_ASSOCIATE_RQ()
        request.decode(struct.pack(">BBL", PduKind.ASSOCIATE_RQ, 0, len(pdu.body)) + pdu.body)
        primitive = request.to_primitive()
        contexts = primitive.presentation_context_definition_list
        if not contexts or not all(one.abstract_syntax and one.transfer_syntax for one in contexts):
            raise ValueError("no presentation context, or one without its syntaxes")
        return Proposal(
            calling_ae_title=_printable(pdu.body[20:36]),
            speaks_version_1=bool(int.from_bytes(pdu.body[:2], "big") & 1),
            application_context=str(primitive.application_context_name or ""),
            longest_data_pdu=int(primitive.maximum_length_received or 0),
            primitive=primitive,
        )
    except _CANNOT_DECODE as error:
        raise _violation(f"A-ASSOCIATE-RQ of {len(pdu.body)} bytes: {error or type(error).__name__}") from error


def accept(proposal: Proposal, own: OwnIdentity) -> tuple[bytes, Mapping[int, AcceptedContext]]:
    """Return the A-ASSOCIATE-AC PDU and the accepted contexts by their ID.

    Verification and every storage class, private and unknown ones too, in the first syntax that is proposed.
    """
    requested = proposal.primitive
    roles = {
        item.sop_class_uid: (item.scu_role, item.scp_role)
        for item in requested.user_information
        if isinstance(item, SCP_SCU_RoleSelectionNegotiation) and item.sop_class_uid is not None
    }
    results, role_answers = negotiate_unrestricted(
        requested.presentation_context_definition_list, _supported(own.services), roles
    )  # fmt: skip
    answer = A_ASSOCIATE()
    answer.application_context_name = UID(APPLICATION_CONTEXT)
    answer.calling_ae_title, answer.called_ae_title = requested.calling_ae_title, requested.called_ae_title
    answer.result, answer.result_source = 0, 1
    answer.presentation_context_definition_results_list = results
    answer.user_information = [*_user_information(own), *role_answers]
    sending = {role.sop_class_uid for role in role_answers if role.scp_role}
    contexts = {
        context.context_id: AcceptedContext(
            str(context.abstract_syntax), str(context.transfer_syntax[0]), context.abstract_syntax in sending
        )
        for context in results
        if context.result == 0 and context.context_id is not None
    }
    return bytes(A_ASSOCIATE_AC(answer).encode()), contexts


def _check_items(body: bytes) -> None:
    """Refuse items that do not fill the request exactly, and more of them than any sound request has.

    pynetdicom takes long over thousands of items, and finds an item that is cut off by `assert` alone.
    """
    count = 0
    for kind, content in _items(body, 68):
        inner_start = {_PRESENTATION_CONTEXT_ITEM: 4, _USER_INFORMATION_ITEM: 0}.get(kind)
        count += 1 if inner_start is None else 1 + sum(1 for _ in _items(content, inner_start))
        if count > _MOST_ITEMS:
            raise _violation(f"A-ASSOCIATE-RQ of more than {_MOST_ITEMS} items")


def _items(body: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    position = start
    while position < len(body):
        if position + 4 > len(body):
            raise _violation(f"A-ASSOCIATE-RQ: {len(body) - position} bytes after the last item")
        kind, _, length = struct.unpack_from(">BBH", body, position)
        content = body[position + 4 : position + 4 + length]
        if len(content) < length:
            raise _violation(f"A-ASSOCIATE-RQ: item {kind:02X}H of {length} bytes, {len(content)} received")
        yield kind, content
        position += 4 + length


def _violation(found: str) -> ProtocolViolation:
    return ProtocolViolation(AbortReason.INVALID_PARAMETER, found)


def _supported(services: tuple[str, ...]) -> list[PresentationContext]:
    served = [build_context(uid, [ExplicitVRLittleEndian, ImplicitVRLittleEndian]) for uid in services]
    for context in served:
        # A requestor may take either role where it asks to: the reports of Storage Commitment come from a provider.
        context.scu_role = context.scp_role = True
    return [build_context(VERIFICATION), *served]


def _user_information(
    own: OwnIdentity,
) -> tuple[MaximumLengthNotification, ImplementationClassUIDNotification, ImplementationVersionNameNotification]:
    length = MaximumLengthNotification()
    length.maximum_length_received = own.longest_data_pdu
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID(own.implementation_class_uid)
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = own.implementation_version_name
    return length, implementation, version


def _printable(title: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "?" for byte in title).strip()
