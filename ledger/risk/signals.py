"""Signals with reasons: rules over features, as a document of data, and when each is raised and armed again.

    book = read_rules(document_bytes)                       # its SHA-256 stands in every alert
    signals = judge(book, state, "acacia", day, reach)      # newly raised for acacia, each once
    signals[0].rule.code, .reading, .reasons, .causes

Rules
- A rule is a row: a reading, an ordinary value (``baseline``), a ``threshold``, reasons, and which events are its causes.
- **Hysteresis.** A rule is raised when its reading reaches the threshold, and once more only after the reading came down
  to the baseline. Each raising is an *episode*, numbered from 1 per rule, lender and loan: no episode is told twice.
- **Reach.** What other lenders' counts say is told only to whom consent or law permits (``Reach``). The counts of lenders
  outside the reach are not in the reading at all, and a rule that hears ``elsewhere`` is not evaluated without reach.
- At most four reasons: the rule's own, then those of other rules raised at that moment, most severe first.

What this module does not do: know whether somebody may hear of something, or publish.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from ledger.errors import InvalidInput
from ledger.risk.borrower import EventKind, Loan, Own, State, Trace
from ledger.risk.features import AMOUNTS, FEATURES, Vector, as_of
from ledger.risk.folding import dpd

REASONS_MAX: Final = 4
"""Reasons of one alert (Regulation B, comment 9(b)(2): more are not likely to be helpful)."""

RULES_MAX: Final = 64
"""Rules of one document."""

RULES_BYTES_MAX: Final = 64 * 1024
"""Bytes of a rules document."""

Code = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[a-z][a-z0-9_]*\Z")]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of the table; see the document itself for what each member means."""

    code: Code
    reading: Code
    per: Literal["borrower", "loan"] = "borrower"
    baseline: int
    threshold: int
    severity: Annotated[int, Meta(ge=1, le=4)]
    hears: Literal["own", "elsewhere"]
    reasons: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=REASONS_MAX)]
    causes: tuple[EventKind, ...]
    days: Annotated[int, Meta(ge=1, le=36_500)]


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    rule: Annotated[tuple[Rule, ...], Meta(min_length=1, max_length=RULES_MAX)]


class RuleBook(NamedTuple):
    """The rules and the SHA-256 of the document that states them."""

    rules: tuple[Rule, ...]
    digest: bytes


class Reach(NamedTuple):
    """What a lender may hear of a borrower from other lenders. ``among``: whose counts (None: all, empty: nobody's);
    ``shown``: whose attestations it may read as well, so that they are named as causes (None: everybody's)."""

    among: frozenset[str] | None = frozenset()
    shown: frozenset[str] | None = frozenset()

    def hears(self) -> bool:
        """Whether anything from elsewhere may be told."""
        return self.among is None or bool(self.among)

    def counts(self, lender: str) -> bool:
        """Whether that lender's events may be counted."""
        return self.among is None or lender in self.among

    def shows(self, lender: str) -> bool:
        """Whether that lender's attestations may be named."""
        return self.shown is None or lender in self.shown


NOTHING_ELSEWHERE: Final = Reach()
EVERYBODY: Final = Reach(None, None)
"""For simulations, and for a deployment with one lender."""


class Signal(NamedTuple):
    """A rule raised for a lender. ``causes`` are those it may read, newest first; ``unnamed`` how many more there are."""

    rule: Rule
    account: bytes
    reading: int
    episode: int
    reasons: tuple[str, ...]
    causes: tuple[Trace, ...]
    unnamed: int


CAUSES_MAX: Final = 8
"""Causes named in one alert; the rest are counted."""

NEVER_SHOWN: Final = ("application", "enquiry", "guarantor_miss", "pledged_elsewhere")
"""Events of other lenders that no credit view shows, or that are about another borrower: counted, never named."""

JOINED: Final = ("evergreens_90", "round_trips_90", "pledged_elsewhere", "guarantor_misses_90")
"""Readings that join the lender's own events with others'; every other reading from elsewhere leaves its own out."""

LOAN_READINGS: Final[dict[str, Callable[[Loan, int], int]]] = {
    "dpd": dpd,
    "missed": lambda loan, day: loan.missed,
}
"""What can be read of one loan on a day."""


def read_rules(document: bytes) -> RuleBook:
    """The rules of a TOML document. Raises InvalidInput ``rules_*``."""
    if len(document) > RULES_BYTES_MAX:
        raise InvalidInput("rules_long", "too many bytes", expected=f"<= {RULES_BYTES_MAX}", found=len(document))
    try:
        rules = msgspec.convert(tomllib.loads(document.decode()), _Document).rule
    except (msgspec.ValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput("rules_malformed", f"not a document of rules: {error}", path="rules") from None
    codes: set[str] = set()
    for place, rule in enumerate(rules):
        _check(rule, codes, f"rule[{place}]")
    return RuleBook(rules, sha256(document).digest())


def _check(rule: Rule, codes: set[str], path: str) -> None:
    known = FEATURES if rule.per == "borrower" else tuple(LOAN_READINGS)
    if rule.reading not in known or rule.reading in AMOUNTS:
        raise InvalidInput("rules_reading", "no such reading", path=f"{path}.reading", found=rule.reading)
    if rule.code in codes:
        raise InvalidInput("rules_twice", "two rules have one code", path=f"{path}.code", found=rule.code)
    if rule.baseline >= rule.threshold:
        raise InvalidInput("rules_threshold", "a baseline lies below its threshold", path=f"{path}.baseline",
                           expected=f"< {rule.threshold}", found=rule.baseline)  # fmt: skip
    if rule.per == "loan" and rule.hears == "elsewhere":
        raise InvalidInput("rules_reach", "a rule about one loan hears its own lender", path=f"{path}.hears")
    codes.add(rule.code)


def judge(book: RuleBook, state: State, lender: str, day: int, reach: Reach) -> list[Signal]:
    """What is newly raised for ``lender`` on ``day``; the lender's part remembers it, so that it is raised once.

    ``day`` must have passed in the state (``advance``).
    """
    own = state.own.get(lender)
    if own is None:
        return []
    vector = as_of(state, lender, day, among=reach.among)
    hears, quiet = reach.hears(), not own.raised
    found = []
    for rule in book.rules:
        if rule.hears == "elsewhere" and not hears:
            continue
        for account, reading in _readings(rule, vector, own, day):
            if quiet and reading < rule.threshold:
                continue  # by far the most: nothing is raised, and nothing begins
            if _raised(own, _key(rule, account), rule, reading):
                found.append((rule, account, reading))
    return [_signal(book, state, lender, day, reach, *each) for each in found]


def _readings(rule: Rule, vector: Vector, own: Own, day: int) -> Iterable[tuple[bytes, int]]:
    if rule.per == "borrower":
        return ((b"", getattr(vector, rule.reading)),)
    read = LOAN_READINGS[rule.reading]  # an ended loan reads as ordinary, so that its rules are armed again
    return [(account, rule.baseline if loan.ended else read(loan, day)) for account, loan in own.loans.items()]


def _key(rule: Rule, account: bytes) -> str:
    return f"{rule.code}:{account.hex()}" if account else rule.code


def _raised(own: Own, key: str, rule: Rule, reading: int) -> bool:
    """Whether this reading begins an episode; remembers it, and arms the rule again at the baseline."""
    if key in own.raised:
        if reading <= rule.baseline:
            del own.raised[key]
        return False
    if reading < rule.threshold:
        return False
    own.episodes[key] = own.raised[key] = own.episodes.get(key, 0) + 1
    return True


def _signal(
    book: RuleBook, state: State, lender: str, day: int, reach: Reach, rule: Rule, account: bytes, reading: int
) -> Signal:
    own = state.own[lender]
    causes = [trace for trace in reversed(state.shared.trail) if _is_cause(trace, rule, lender, account, day, reach)]
    named = [trace for trace in causes if trace.entry >= 0 and _may_read(trace, lender, reach)]
    named = named[:CAUSES_MAX]
    return Signal(
        rule,
        account,
        reading,
        own.episodes[_key(rule, account)],
        _reasons(book, own, rule),
        tuple(named),
        len(causes) - len(named),
    )


def _is_cause(trace: Trace, rule: Rule, lender: str, account: bytes, day: int, reach: Reach) -> bool:
    if trace.kind not in rule.causes or day - trace.day >= rule.days:
        return False
    if trace.lender == lender:
        return (rule.hears == "own" or rule.reading in JOINED) and (not account or trace.account == account)
    return rule.hears == "elsewhere" and reach.counts(trace.lender)


def _may_read(trace: Trace, lender: str, reach: Reach) -> bool:
    return trace.lender == lender or (trace.kind not in NEVER_SHOWN and reach.shows(trace.lender))


def _reasons(book: RuleBook, own: Own, rule: Rule) -> tuple[str, ...]:
    codes = {key.partition(":")[0] for key in own.raised} - {rule.code}
    others = sorted((other for other in book.rules if other.code in codes), key=lambda other: -other.severity)
    every = [reason for each in (rule, *others) for reason in each.reasons]
    return tuple(dict.fromkeys(every))[:REASONS_MAX]
