"""A contract as a person writes it: TOML or JSON, with sample events and what is expected of each.

    title = "A late fee with a cap"
    ...                                  the document (document.py), in any order
    [[samples]]
    say = "Eight days late"
    day = 2026-03-09
    on = "tick.day"                      and event = { ... }, loan = { ... }; or answer = { ... }
    expect = ["penalty.apply amount=10000 code=late"]

Rules
- ``samples`` is no part of the document and of its hash: it is there for readers and for `contract check`.
- Samples are one story: they happen in order, to one contract that came in force on the first one's day.
- What a sample does not say of the loan has the value of a loan of which nothing is known; of the event, 0, true or an
  empty word.
- A sample's ``answer`` is a party's answer to the oldest open proposal.
"""

from __future__ import annotations

import re
import tomllib
from datetime import date
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta

from ledger.attestation.canonical import parse_strict
from ledger.contract.bounds import DOCUMENT_BYTES_MAX, SAMPLES_MAX, TEXT_MAX
from ledger.contract.document import Document, from_values
from ledger.contract.inputs import LoanInputs
from ledger.contract.vocabulary import TRIGGERS, Role
from ledger.errors import InvalidInput

_KINDS: Final = {"INT": int, "BOOL": bool, "STRING": str}
Whole = Annotated[int, Meta(ge=-(2**53 - 1), le=2**53 - 1)]


class SampleAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A party's answer to the oldest open proposal."""

    accepts: bool
    party: Role


class Sample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One event to try a contract on. ``expect``: the effects, as ``effect name=value name=value``, names in order."""

    answer: SampleAnswer | None = None
    day: date
    event: dict[str, Whole | bool | str] = msgspec.field(default_factory=dict)
    expect: tuple[str, ...] | None = None
    loan: LoanInputs = LoanInputs()
    on: str | None = None
    say: Annotated[str, Meta(max_length=TEXT_MAX)] = ""


_DOTTED: Final = re.compile(r"(?<![\w\"'-])(?:[\w\"'-]++[ \t]*+\.[ \t]*+){16}")
"""A name of many parts, which the reader of TOML would take quadratic time and memory for."""

_SAMPLES: Final[Any] = Annotated[tuple[Sample, ...], Meta(max_length=SAMPLES_MAX)]


class Source(NamedTuple):
    """A document and its samples."""

    document: Document
    samples: tuple[Sample, ...]


def read_source(data: bytes) -> Source:
    """A source file, TOML or JSON (it begins with ``{``).

    Raises InvalidInput: ``contract_long``, ``contract_malformed``, ``sample_malformed``, and those of ``parse_strict``.
    """
    if len(data) > DOCUMENT_BYTES_MAX:
        raise InvalidInput("contract_long", "a contract has at most 64 kB", expected=f"<= {DOCUMENT_BYTES_MAX}",
                           found=len(data), advice="Split it into two contracts.")  # fmt: skip
    values = parse_strict(data) if data.lstrip()[:1] in (b"{", b"[") else _toml(data)
    if not isinstance(values, dict):
        raise InvalidInput("contract_malformed", "a contract is one object", path="$")
    samples = values.pop("samples", None) or []
    return Source(from_values(values), read_samples(samples))


def read_samples(values: Any) -> tuple[Sample, ...]:
    """Samples from parsed values. Raises InvalidInput ``sample_malformed``."""
    try:
        found: tuple[Sample, ...] = msgspec.convert(values, _SAMPLES)
    except (msgspec.MsgspecError, RecursionError) as error:
        message, _, where = str(error).partition(" - at `$")
        raise InvalidInput("sample_malformed", message, path=f"$.samples{where.rstrip('`')}") from None
    for place, sample in enumerate(found):
        _ensure_told(sample, f"$.samples[{place}]")
    return found


def _ensure_told(sample: Sample, path: str) -> None:
    """The event of a sample tells what its trigger tells."""
    if (sample.on is None) == (sample.answer is None):
        raise InvalidInput("sample_malformed", "a sample has either a trigger or an answer", path=f"{path}.on")
    if sample.on is None:
        return
    if sample.on not in TRIGGERS:
        raise InvalidInput("sample_malformed", "no trigger of the vocabulary", path=f"{path}.on",
                           expected=", ".join(TRIGGERS), found=sample.on)  # fmt: skip
    inputs = TRIGGERS[sample.on].inputs
    for name, value in sample.event.items():
        if name not in inputs or type(value) is not _KINDS[inputs[name].type]:
            raise InvalidInput("sample_malformed", f"{sample.on} tells no such value", path=f"{path}.event.{name}",
                               expected=", ".join(f"{key} ({known.type})" for key, known in inputs.items()))  # fmt: skip


def _toml(data: bytes) -> dict[str, Any]:
    try:
        text = data.decode("utf-8")
        if _DOTTED.search(text):
            raise InvalidInput("contract_malformed", "a dotted name has at most 16 parts", path="$")
        return tomllib.loads(text)
    except UnicodeDecodeError:
        raise InvalidInput("contract_malformed", "the file is not UTF-8", path="$") from None
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise InvalidInput("contract_malformed", f"neither TOML nor JSON: {error}"[:200], path="$") from None
