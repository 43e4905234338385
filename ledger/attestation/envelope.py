"""One attestation: strict bytes in, the same bytes out, and the commitment that stands for it in the log.

An attestation is one RFC 8785 canonical JSON object of at most 16 KiB on one line:

    {"account": base64(32), "body": {...}, "effectiveDate": "2026-01-31", "id": UUIDv7, "jurisdiction": "KE",
     "kind": "repayment", "legalBasis": "contract", "reportedAt": 1769904000000, "role": "borrower",
     "salt": base64(16), "schema": 1, "subject": base64(32), "tenant": "acacia"}

Rules
- Members stand in ASCII order, absent members are left out (never null), there are no floats, no blanks. Since every
  member name is ASCII and every number an integer below 2**53, decoding into a typed structure, encoding again and
  comparing the bytes *is* the check that the bytes are canonical (RFC 8785 section 3.2).
- Duplicate and unknown members, wrong types, dates that do not exist and ids that are not UUIDv7 are refused, with the
  field's path.
- The commitment is the RFC 6962 leaf hash of the bytes. The 128-bit salt keeps it from being guessed.
- The signature is not in here: one JWS covers a whole batch (batch.py) and names the key.

What this module does not do: know whether the tenant may say so (publisher.py) or what it means (ledger.loan).
"""

from __future__ import annotations

from datetime import date
from hashlib import sha256
from string import ascii_uppercase
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from ledger.attestation.fields import Body, Millis, Role
from ledger.attestation.registry import SPECS, Kind, check_body
from ledger.errors import InvalidInput
from ledger.limits import ATTESTATION_BYTES_MAX, REFS_MAX, SALT_BYTES

SCHEMA_VERSION: Final = 1
LEAF_PREFIX: Final = b"\x00"

_UUID_FORM: Final = 0xF << 76 | 3 << 62
_UUID_V7: Final = 7 << 76 | 2 << 62
"""Where a UUID says its version and variant, and what a UUIDv7 says there."""
_COUNTRIES: Final = frozenset(first + second for first in ascii_uppercase for second in ascii_uppercase)
"""Every pair of capital letters: which of them are countries changes, and is not the ledger's to say."""

LegalBasis = Literal["consent", "contract", "legal_obligation", "legitimate_interest", "court_order"]
Hash32 = Annotated[bytes, Meta(min_length=32, max_length=32)]


class Envelope(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel", gc=False
):
    """What every attestation carries around its body. ``effective_date`` is in the lender's business zone,
    ``reported_at`` in UTC milliseconds, ``jurisdiction`` an ISO 3166 alpha-2 code."""

    account: Hash32 | None = None
    body: msgspec.Raw
    effective_date: date
    id: UUID
    jurisdiction: Annotated[str, Meta(min_length=2, max_length=2)]
    kind: Kind
    legal_basis: LegalBasis
    refs: Annotated[tuple[UUID, ...], Meta(max_length=REFS_MAX)] = ()
    reported_at: Millis
    role: Role | None = None
    salt: Annotated[bytes, Meta(min_length=SALT_BYTES, max_length=SALT_BYTES)]
    schema: Literal[1]
    subject: Hash32 | None = None
    tenant: Annotated[str, Meta(min_length=1, max_length=63)]
    # no pattern, it would cost a tenth of the reading: the batch's statement names the same tenant and has one


class Attestation(msgspec.Struct, frozen=True, gc=False):
    """An accepted attestation: its envelope, its typed body, its exact bytes and their commitment."""

    envelope: Envelope
    body: Body
    data: bytes
    commitment: bytes


_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_ENVELOPES: Final = msgspec.json.Decoder(Envelope)
_BODIES: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    kind: msgspec.json.Decoder(spec.body) for kind, spec in SPECS.items()
}


def commitment_of(data: bytes) -> bytes:
    """RFC 6962 section 2.1 leaf hash of an attestation's bytes: what its batch's root is made of."""
    return sha256(LEAF_PREFIX + data).digest()


def encode_body(body: Body) -> bytes:
    """Canonical bytes of a body alone."""
    return _ENCODER.encode(body)


def encode_envelope(envelope: Envelope) -> bytes:
    """Canonical bytes of an envelope, its raw body included as it stands."""
    return _ENCODER.encode(envelope)


def compose(envelope_fields: dict[str, Any], body: Body) -> Attestation:
    """Make an attestation from typed values; ``envelope_fields`` are Envelope's fields but ``body``, ``schema``.

    The result went through the same checks as one that came from outside. Raises InvalidInput.
    """
    raw = msgspec.Raw(_ENCODER.encode(body))
    return parse(_ENCODER.encode(Envelope(body=raw, schema=SCHEMA_VERSION, **envelope_fields)))


def parse(data: bytes) -> Attestation:
    """Read one attestation strictly. Raises InvalidInput: ``attestation_*``, or the code of the kind's own rule."""
    if len(data) > ATTESTATION_BYTES_MAX:
        raise InvalidInput(
            "attestation_long", "too many bytes", expected=f"<= {ATTESTATION_BYTES_MAX}", found=len(data)
        )
    envelope = _decode(_ENVELOPES, data, "$")
    body = _decode(_BODIES[envelope.kind], bytes(envelope.body), "$.body")
    if _ENCODER.encode(body) != bytes(envelope.body) or _ENCODER.encode(envelope) != data:
        raise _not_canonical(data)
    check_envelope(envelope, body)
    return Attestation(envelope, body, data, commitment_of(data))


def parse_lines(lines: list[bytes], first: int = 0) -> list[Attestation]:
    """Read the lines of a batch body; the fast path of :func:`parse`, with ``$[n]`` before the path of an error,
    counted from ``first``.

    One typed decode and one encode for envelope and body each, a few microseconds an attestation.
    """
    encode, envelopes, accepted = _ENCODER.encode, _ENVELOPES.decode, []
    for number, data in enumerate(lines, first):
        try:
            envelope = envelopes(data)
            raw = bytes(envelope.body)
            body = _BODIES[envelope.kind].decode(raw)
            if encode(body) != raw or encode(envelope) != data or len(data) > ATTESTATION_BYTES_MAX:
                parse(data)
            check_envelope(envelope, body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidInput):
            raise _at_line(number, data) from None
        accepted.append(Attestation(envelope, body, data, sha256(LEAF_PREFIX + data).digest()))
    return accepted


def check_envelope(envelope: Envelope, body: Body) -> None:
    """The envelope's rules beyond its types, then those of its kind. Raises InvalidInput."""
    if envelope.id.int & _UUID_FORM != _UUID_V7:
        raise InvalidInput("id_not_uuidv7", "an attestation's id is a UUIDv7 (RFC 9562 section 5.7)", path="$.id")
    country = envelope.jurisdiction
    if country not in _COUNTRIES:
        raise InvalidInput("jurisdiction_unknown", "an ISO 3166 alpha-2 code", path="$.jurisdiction", found=country)
    about = SPECS[envelope.kind].about
    if about == "account":
        if envelope.account is None or envelope.subject is None or envelope.role is None:
            raise InvalidInput("field_missing", f"{envelope.kind} needs account, subject and role", path="$.account")
    elif about == "subject":
        if envelope.subject is None or envelope.account is not None:
            raise InvalidInput("field_missing", f"{envelope.kind} is about a subject and no account", path="$.subject")
    elif envelope.subject is not None or envelope.account is not None:
        raise InvalidInput("field_unknown", f"{envelope.kind} is about neither account nor subject", path="$.subject")
    check_body(envelope.kind, body, len(envelope.refs))


def _at_line(number: int, data: bytes) -> InvalidInput:
    """The error that :func:`parse` gives for this line, with the line's number in its path."""
    try:
        parse(data)
    except InvalidInput as error:
        error.path = f"$[{number}]" + (error.path or "$")[1:]
        return error
    return InvalidInput("attestation_invalid", "the line cannot be read", path=f"$[{number}]")


def _decode(decoder: msgspec.json.Decoder[Any], data: bytes, root: str) -> Any:
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise _explained(str(error), root) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidInput("json_malformed", "not one JSON object in UTF-8", path=root) from None


_CODES: Final = (
    ("unknown field", "field_unknown"),
    ("missing required field", "field_missing"),
    ("Invalid enum value", "value_unknown"),
    ("Expected `date`", "date_invalid"),
    ("RFC3339", "date_invalid"),
    ("Invalid UUID", "id_not_uuidv7"),
    ("base64", "base64_invalid"),
    ("length", "length_wrong"),
    (">=", "out_of_range"),
    ("<=", "out_of_range"),
    ("matching regex", "value_unknown"),
    ("Expected", "type_wrong"),
)


def _explained(text: str, root: str) -> InvalidInput:
    """One of the decoder's sentences as our error. It names types and paths, never the value."""
    message, _, where = text.partition(" - at `")
    where = where.rpartition("` in `")[2].rstrip("`")  # a member's name inside a map is `key` in `$.fields`
    path = root + where[1:] if where else root
    code = next((code for needle, code in _CODES if needle in message), "value_invalid")
    return InvalidInput(code, message.replace("Object ", ""), path=path)


def _not_canonical(data: bytes) -> InvalidInput:
    """Says why bytes that decode are not canonical: a member twice, or another spelling of the same value."""
    names: list[str] = []

    def see(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: set[str] = set()
        names.extend(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        return dict(pairs)

    import json

    try:
        json.loads(data, object_pairs_hook=see, parse_int=str)
    except (ValueError, RecursionError):  # a first body under the one that counts was never looked into
        names.append("body")
    if names:
        return InvalidInput("member_duplicated", "a member stands twice", path=f"$..{names[0]}")
    return InvalidInput(
        "not_canonical", "the bytes are not RFC 8785 canonical JSON",
        advice="sort members by name, leave out blanks and absent members, write integers plainly",
    )  # fmt: skip
