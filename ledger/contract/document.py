"""The contract document: what the parties sign, readable by people and by the engine.

    {"account": base64(32), "authority": {"alert.raise": ["lender"], "penalty.apply": ["lender", "borrower"]},
     "calendar": "CN/2026#<sha256>", "currency": "KES", "engine": "cel-expr-python/0.1.3", "expires": "2028-01-01",
     "parties": {"borrower": base64(32), "lender": "acacia"},
     "rules": [{"id": "late-fee", "prose": "A week late, ...", "on": ["tick.day"], "if": "loan.dpd >= 7",
                "do": [{"effect": "penalty.apply", "amount": "loan.overdue / 100", "code": "late"}],
                "once": "per-instalment"}],
     "schema": "loan-inputs/1", "terms": {"penalty_bp": 100}, "title": "...", "v": 1}

Rules
- The identity of a contract is the SHA-256 of its canonical bytes: RFC 8785, integers only, absent members left out.
  Never of anything compiled: two compilations of one text need not give the same bytes.
- Everything that could change what a rule does is in the document: the engine with its version, the vocabulary's
  (``schema``), the calendar with its hash, the terms. ``expires`` is the first day on which nothing fires any more.
- It is for one loan: parties and account are in it, so a signature cannot be carried to another loan.
- A rule has its prose beside it. ``once`` counts its firings: ``per-loan``, ``per-instalment`` (the event's instalment,
  else the oldest unmet one), ``per-day`` (never for a day before the last one), ``per-event``. ``deadline`` is the last
  day on which it may fire. ``otherwise`` belongs to a rule that waits for a consent.
- A source may be written in any order and spacing, with nulls; ``from_source`` gives the canonical document.

What this module does not do: know whether names, types and authority hold (check.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from ledger.attestation.canonical import parse_strict
from ledger.attestation.contract_kinds import EffectName, RuleId
from ledger.attestation.fields import Currency, Hash, Name
from ledger.attestation.sharing_kinds import TenantName
from ledger.contract.bounds import (
    DOCUMENT_BYTES_MAX,
    EFFECTS_PER_RULE_MAX,
    INTEGER_MAX,
    RULES_MAX,
    TERMS_MAX,
    TEXT_MAX,
    TRIGGERS_PER_RULE_MAX,
)
from ledger.contract.vocabulary import Role
from ledger.errors import InvalidInput

ENGINE: Final = "cel-expr-python/0.1.3"
"""The one engine that this version executes; it stands in every document and in every effect."""

SCHEMA: Final = "loan-inputs/1"
"""The version of the vocabulary. A name never changes its meaning inside one."""

Once = Literal["per-loan", "per-instalment", "per-day", "per-event"]
Prose = Annotated[str, Meta(min_length=1, max_length=TEXT_MAX)]
Whole = Annotated[int, Meta(ge=-INTEGER_MAX, le=INTEGER_MAX)]
TermName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}\Z")]
TermText = Annotated[str, Meta(max_length=128)]
ArgumentName = Annotated[str, Meta(pattern=r"^[a-z]{1,16}\Z")]
ArgumentText = Annotated[str, Meta(min_length=1, max_length=DOCUMENT_BYTES_MAX)]
Item = dict[ArgumentName, Whole | ArgumentText]
CalendarName = Annotated[str, Meta(pattern=r"^[A-Z]{2}[A-Za-z0-9/-]{2,30}#[0-9a-f]{64}\Z")]
_NAMES: Final = {"when": "if"}


class _Part(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    gc=False,
    rename=lambda name: _NAMES.get(name, name),
):
    """How every part of a document behaves."""


class Parties(_Part, frozen=True, kw_only=True):
    """Who signs: the lender by its tenant's name, the others by pseudonym."""

    borrower: Hash
    guarantor: Hash | None = None
    lender: TenantName

    def roles(self) -> tuple[Role, ...]:
        """The roles that this contract has."""
        return ("lender", "borrower") if self.guarantor is None else ("lender", "borrower", "guarantor")


class Rule(_Part, frozen=True, kw_only=True):
    """When one of ``on`` happens and ``if`` holds, ``do``. Each item of ``do`` is ``effect`` and its arguments: a whole
    number, a word, or (where an integer is due) an expression. ``otherwise`` is what is done in place of the effects that
    waited for a consent, when it does not come in time."""

    deadline: date | None = None
    do: Annotated[tuple[Item, ...], Meta(min_length=1, max_length=EFFECTS_PER_RULE_MAX)]
    id: RuleId
    when: Annotated[str, Meta(min_length=1)]
    on: Annotated[tuple[EffectName, ...], Meta(min_length=1, max_length=TRIGGERS_PER_RULE_MAX)]
    once: Once = "per-event"
    otherwise: Annotated[tuple[Item, ...], Meta(max_length=EFFECTS_PER_RULE_MAX)] = ()
    prose: Prose


class Document(_Part, frozen=True, kw_only=True):
    """One contract, decoded. ``authority``: effect -> whose signature grants it without a further question."""

    account: Hash
    authority: Annotated[dict[EffectName, Annotated[tuple[Role, ...], Meta(max_length=3)]], Meta(max_length=16)]
    calendar: CalendarName | None = None
    currency: Currency
    engine: Name
    expires: date
    model: Name | None = None
    parties: Parties
    rules: Annotated[tuple[Rule, ...], Meta(min_length=1, max_length=RULES_MAX)]
    schema: Name
    summary: Prose | None = None
    terms: Annotated[dict[TermName, Whole | bool | TermText], Meta(max_length=TERMS_MAX)] = msgspec.field(
        default_factory=dict
    )
    title: Prose
    v: Literal[1]


_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_DECODER: Final = msgspec.json.Decoder(Document)


def canonical_bytes(document: Document) -> bytes:
    """The one RFC 8785 text of a document."""
    return _ENCODER.encode(document)


def contract_hash(document: Document) -> bytes:
    """What the parties sign, and what every effect names: SHA-256 of the canonical bytes."""
    return sha256(canonical_bytes(document)).digest()


def read_document(data: bytes) -> Document:
    """A document from its canonical bytes, as they lie on the ledger.

    Raises InvalidInput: ``contract_long``, ``contract_malformed``, ``contract_not_canonical``.
    """
    _ensure_short(data)
    try:
        document = _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error) from None
    if canonical_bytes(document) != data:
        raise InvalidInput("contract_not_canonical", "the bytes are not RFC 8785 canonical JSON",
                           advice="Write the document with `tallystick contract check FILE --canonical`.")  # fmt: skip
    return document


def from_source(data: bytes) -> Document:
    """A document from JSON in any order and spacing, with nulls for absent members; no member twice.

    Raises InvalidInput: ``contract_long``, ``contract_malformed``, and the codes of ``parse_strict``.
    """
    _ensure_short(data)
    value = parse_strict(data)
    if not isinstance(value, dict):
        raise InvalidInput("contract_malformed", "a contract is one JSON object", path="$")
    return from_values(value)


def from_values(values: Mapping[str, Any]) -> Document:
    """A document from the values of a parsed source (JSON or TOML). Raises InvalidInput ``contract_malformed``."""
    try:
        return msgspec.convert(_without_nulls(values), Document)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _malformed(error) from None


def _without_nulls(value: Any) -> Any:
    if isinstance(value, float):
        raise InvalidInput("contract_malformed", "a contract has whole numbers only", found=value)
    if isinstance(value, dict):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    if isinstance(value, list):
        return [_without_nulls(member) for member in value]
    return value


def _ensure_short(data: bytes) -> None:
    if len(data) > DOCUMENT_BYTES_MAX:
        raise InvalidInput("contract_long", "a contract has at most 64 kB", expected=f"<= {DOCUMENT_BYTES_MAX}",
                           found=len(data), advice="Split it into two contracts.")  # fmt: skip


def _malformed(error: BaseException) -> InvalidInput:
    message, _, where = str(error).partition(" - at `")
    path = where.rpartition("` in `")[2].rstrip("`") or "$"
    return InvalidInput("contract_malformed", message or "not a contract", path=path)
