"""Reads jurisdiction packs strictly, and finds the one that a country's loans go by.

    pack = pack_for("DE")                # the EU's, with Germany's own retention
    pack.ruling(pack.document.dispute.answer, "dispute.answer").source

Rules
- A pack with an unknown key, a missing source or date, a wrong unit, a source that nobody declared, bands with a gap, or
  a value neither given nor said to be absent is refused, with a code and the path: half a pack is worse than none.
- A pack is its bytes: ``digest`` is their SHA-256 and stands beside every answer, so that an answer can be repeated.
- A country without a pack has none: the caller gets None and says so (``pack_unknown``); nothing is guessed.
- A member state has the union's pack with its own national values on top.

It opens no file but the package's own data, once.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

import msgspec

from ledger.currency import MINOR_DIGITS
from ledger.errors import InvalidInput
from ledger.jurisdiction.document import EXPECTED, Absent, Alternative, Cited, Document, Retention, Scheme, Source

PACK_BYTES_MAX: Final = 256 * 1024
"""One pack's text; the longest of ours has 30 kB."""

SHIPPED: Final = ("CN", "EU", "IN", "KE", "US")
"""Packs that come with the product."""


@dataclass(frozen=True)
class Ruling:
    """Which rule gave an answer, and who says so. ``rule`` is the pack's own path of the value."""

    rule: str
    source: str
    at: str
    date: date
    grade: str
    address: str = ""
    note: str = ""


@dataclass(frozen=True)
class Decision:
    """Yes or no, with a stable code, and the rule that said so (None: no rule speaks of it)."""

    allowed: bool
    code: str
    ruling: Ruling | None = None


@dataclass(frozen=True)
class Pack:
    """A pack as it is used. ``country`` is the country asked for: the pack's own code, or a member's."""

    document: Document
    digest: str
    country: str
    absent: Mapping[str, Absent] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """Which pack: CN, EU, IN, KE or US."""
        return self.document.pack.code

    @property
    def version(self) -> int:
        """The pack's own version, counted from 1."""
        return self.document.pack.version

    def ruling(self, value: Cited, rule: str) -> Ruling:
        """Who says this value of the pack."""
        source = self.document.sources[value.source]
        return Ruling(rule, source.title, value.at, value.date, value.grade, source.address, value.note)

    def why_absent(self, key: str) -> str:
        """``value_none``, ``value_national`` or ``value_unverified``: why the pack does not give this value."""
        found = self.absent.get(key)
        return f"value_{found.why}" if found else "value_none"


def read_pack(data: bytes, *, name: str = "pack") -> Pack:
    """A pack from its TOML text. Raises InvalidInput ``pack_*`` with the path of what is wrong."""
    if len(data) > PACK_BYTES_MAX:
        raise InvalidInput("pack_long", "too many bytes", path=name, expected=f"<= {PACK_BYTES_MAX}", found=len(data))
    try:
        plain = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput("pack_malformed", f"not TOML: {error}", path=name) from None
    try:
        document = msgspec.convert(plain, Document, strict=True)
    except msgspec.ValidationError as error:
        raise _explained(str(error), plain) from None
    _check(document)
    return Pack(document, sha256(data).hexdigest(), document.pack.code, {gap.key: gap for gap in document.absent})


@lru_cache(maxsize=1)
def packs() -> dict[str, Pack]:
    """Every pack that comes with the product, by its code."""
    folder = files("ledger.jurisdiction") / "packs"
    found = [read_pack((folder / f"{code}.toml").read_bytes(), name=code) for code in SHIPPED]
    return {pack.code: pack for pack in found}


@lru_cache(maxsize=512)
def pack_for(jurisdiction: str) -> Pack | None:
    """The pack for a country by its ISO 3166 code (EU for the union itself); None where there is none."""
    own = packs().get(jurisdiction)
    if own is not None:
        return own
    for pack in packs().values():
        if jurisdiction in pack.document.pack.members:
            return _of_member(pack, jurisdiction)
    return None


def _of_member(pack: Pack, country: str) -> Pack:
    national = pack.document.national.get(country)
    if national is None:
        return replace(pack, country=country)
    retention: Any = pack.document.retention | national.retention
    document = msgspec.structs.replace(pack.document, retention=retention)
    return replace(pack, document=document, country=country)


# -- what makes a pack unfit --------------------------------------------------------------------------------------
_CODES: Final = (
    ("unknown field", "pack_key_unknown"),
    ("field `source`", "pack_source_missing"),
    ("field `date`", "pack_date_missing"),
    ("field `grade`", "pack_grade_missing"),
    ("field `unit`", "pack_unit_missing"),
    ("missing required field", "pack_value_missing"),
)


def _explained(text: str, plain: dict[str, Any]) -> InvalidInput:
    """One of the decoder's sentences as our error."""
    message, _, where = text.partition(" - at `")
    path = where.rstrip("`") or "$"
    key = path.rpartition(" in `")[2] if path.startswith("key`") else path
    code = next((code for needle, code in _CODES if needle in message), None)
    if code is None:
        code = "pack_unit_wrong" if key.endswith(".unit") else "pack_value_invalid"
    if path.startswith("key`"):
        code = "pack_key_unknown"
    return InvalidInput(code, message.replace("Object ", ""), path=_named(key, plain))


def _named(path: str, plain: dict[str, Any]) -> str:
    """The decoder writes ``[...]`` for any key of a table of tables: here the first key that fails takes its place."""
    head, dots, tail = path.partition("[...]")
    name = head.removeprefix("$.")
    table = plain.get(name)
    if not dots or not isinstance(table, dict):
        return path
    for key, value in table.items():
        try:
            msgspec.convert(plain | {name: {key: value}}, Document, strict=True)
        except msgspec.ValidationError as error:
            if "[...]" in str(error):
                return f"{head}.{key}{tail}"
    return path


def _check(document: Document) -> None:
    """The rules beyond the types, in the order of the document."""
    head = document.pack
    for key in head.laws:
        _known_source(document, key, "$.pack.laws")
    if head.currency not in MINOR_DIGITS:
        raise InvalidInput("pack_currency_unknown", "not an ISO 4217 code", path="$.pack.currency", found=head.currency)
    for path, value in cited_values(document):
        _known_source(document, value.source, path)
        if value.date > head.reviewed:
            raise InvalidInput("pack_date_ahead", "a source is not dated after the review", path=f"{path}.date",
                               expected=f"<= {head.reviewed}", found=value.date)  # fmt: skip
        currency = getattr(value, "currency", None)
        if currency is not None and currency not in MINOR_DIGITS:
            raise InvalidInput("pack_currency_unknown", "not an ISO 4217 code", path=f"{path}.currency", found=currency)
    for name, scheme in document.classification.items():
        _check_scheme(scheme, f"$.classification.{name}")
    for name, retention in document.retention.items():
        _check_retention(retention, f"$.retention.{name}")
    if "social_network" not in document.data:
        raise InvalidInput("pack_value_missing", "whether social-network data may be used is always said",
                           path="$.data.social_network")  # fmt: skip
    _check_absent(document)
    _check_pulls(document)


def _known_source(document: Document, key: str, path: str) -> None:
    if key not in document.sources:
        raise InvalidInput("pack_source_unknown", "no such source in the pack", path=path, found=key)


def _check_scheme(scheme: Scheme, path: str) -> None:
    expected = 0
    for place, band in enumerate(scheme.bands):
        if band.from_days != expected:
            raise InvalidInput("pack_bands_gap", "bands cover every number of days once", path=f"{path}.bands[{place}]",
                               expected=expected, found=band.from_days)  # fmt: skip
        last = place == len(scheme.bands) - 1
        if (band.to_days is None) != last or (band.to_days is not None and band.to_days < band.from_days):
            raise InvalidInput("pack_bands_end", "each band ends after it begins, and only the last has no end",
                               path=f"{path}.bands[{place}].to", found=band.to_days)  # fmt: skip
        if place == 0 and band.rebuttable:
            raise InvalidInput("pack_bands_rebuttable", "the first band has none before it", path=f"{path}.bands[0]")
        expected = (band.to_days or 0) + 1
    known = {band.code for band in scheme.bands}
    for place, rule in enumerate(scheme.at_least):
        if rule.code not in known:
            raise InvalidInput("pack_code_unknown", "only a code of the bands can be reached by raising",
                               path=f"{path}.at_least[{place}].code", found=rule.code)  # fmt: skip


def _check_retention(retention: Retention, path: str) -> None:
    open_ended = retention.unit in ("unlimited", "purpose")
    if open_ended != (retention.value == 0):
        raise InvalidInput("pack_unit_wrong", "a number needs a unit of time, and a unit of time a number",
                           path=f"{path}.unit", found=retention.unit)  # fmt: skip
    if open_ended == bool(retention.anchors):
        raise InvalidInput("pack_anchor_missing", "a retention says from which event it counts", path=f"{path}.from")


def _check_absent(document: Document) -> None:
    absent = {gap.key for gap in document.absent}
    if absent - set(EXPECTED):
        raise InvalidInput("pack_absent_unknown", "not a value that packs are expected to give", path="$.absent",
                           found=", ".join(sorted(absent - set(EXPECTED))))  # fmt: skip
    for key in EXPECTED:
        if (_at(document, key) is None) != (key in absent):
            raise InvalidInput("pack_value_unsaid", "a value is given, or it is said why not, and not both",
                               path=f"$.{key}")  # fmt: skip


def _check_pulls(document: Document) -> None:
    codes = {band.code for scheme in document.classification.values() for band in scheme.bands}
    for name, pull in document.pulling.items():
        if pull.to not in codes:
            raise InvalidInput("pack_code_unknown", "no such code", path=f"$.pulling.{name}.to", found=pull.to)
        if bool(pull.disclosure) != pull.across:
            raise InvalidInput("pack_disclosure_wrong", "a rule across lenders says on which basis it may be told",
                               path=f"$.pulling.{name}.disclosure")  # fmt: skip


def _at(document: Document, key: str) -> object:
    found: Any = document
    for name in key.split("."):
        found = found.get(name) if isinstance(found, Mapping) else getattr(found, name, None)
        if found is None:
            return None
    return found


def cited_values(value: object, path: str = "$") -> Iterator[tuple[str, Cited | Alternative]]:
    """(path, value) of everything in a document that carries a source."""
    if isinstance(value, Cited | Alternative):
        yield path, value
    if isinstance(value, Source):
        return
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from cited_values(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield from cited_values(member, f"{path}.{name}")
    elif isinstance(value, tuple):
        for place, member in enumerate(value):
            yield from cited_values(member, f"{path}[{place}]")
