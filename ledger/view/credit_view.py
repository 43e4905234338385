"""One line of a credit view: what a consented reader is told of one loan, and what may be disclosed to prove it.

    line = line_of(state, lender="acacia", account=ref, as_of=date(2019, 1, 31))
    shown = apply_consent(line, artefact)           # None: the consent does not reach this loan
    places, complete = chosen(artefact, events)     # which attestations go with the line

Rules
- A line is a pure function of the loan's state and a day: the offline verifier computes it again from the attestations.
- What nobody said is absent, never zero.
- A loan that was bought shows the months of the accounts before it, where both sides name each other (continuity.py).
  They are its own now: a consent that reaches the loan reaches them, whichever lenders it names.
- ``SUMMARY`` shows the attestations that the headline rests on, and of the books only the newest snapshot;
  ``TRANSACTIONS`` shows every kind that may be shown at all; ``PROFILE`` shows none, only who lent what kind of loan.
- A list of fields narrows the figures. No attestation goes with such a line: one cannot be shown in part.
- A filter that names an absent or unknown figure, or cannot be compared with it, hides the line.
- The payment history is left out when it reaches outside the consent's own range of dates.

What this module does not do: decide whether the consent is in force (ledger.consent), or read anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final

import msgspec

from ledger.attestation.registry import SPECS
from ledger.attestation.sharing_kinds import Artefact, DataFilter
from ledger.limits import HISTORY_MONTHS
from ledger.loan.arrears import arrears
from ledger.loan.history import month_of, profile
from ledger.loan.state import LoanState, owed
from ledger.view.continuity import Holding, first_delinquency_of, grid_of


class Continued(msgspec.Struct, frozen=True, kw_only=True):
    """The account that a loan was before its sale, and whose it was."""

    account: bytes
    lender: str


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, rename="camel"):
    """The figures of one loan on ``as_of``. Amounts are minor units of ``currency``; None is unknown or not consented.

    ``history`` is newest first and begins with the month ``history_from``; ``since`` is the due date of the oldest
    instalment that is not met; ``first_delinquency`` is the date that a charge-off fixed. Of a loan that was bought,
    ``continues`` names the account before; its months and its date of first delinquency (also that of a sale in arrears)
    are in this line's. ``flags`` are sorted words: charged_off, closed, defaulted, disputed, forborne, paused.
    """

    account: bytes
    as_of: date
    balance: int | None = None
    closed: date | None = None
    collateral: bool | None = None
    continues: Continued | None = None
    currency: str | None = None
    delinquent_days: int | None = None
    dpd: int | None = None
    first_delinquency: date | None = None
    flags: tuple[str, ...] | None = None
    frequency: str | None = None
    history: str | None = None
    history_from: str | None = None
    instalments: int | None = None
    last_paid: date | None = None
    lender: str
    limit: int | None = None
    opened: date | None = None
    past_due: int | None = None
    portfolio_type: str | None = None
    principal: int | None = None
    product: str | None = None
    rate_ppm: int | None = None
    scheduled: int | None = None
    since: date | None = None
    stage: str | None = None
    status: str | None = None


IDENTITY: Final = frozenset({"account", "as_of", "lender"})
"""Members that every line has: without them it is about nothing."""

PROFILE_MEMBERS: Final = IDENTITY | {"closed", "currency", "opened", "portfolio_type", "product", "stage"}
"""What ``PROFILE`` shows: that there is a loan, of which kind, from whom, since when."""

SUMMARY_KINDS: Final = frozenset({
    "agreement", "charge_off", "closure", "correction", "cure", "default", "deletion", "dispute", "pause", "restructure",
    "resume", "reversal", "status_snapshot", "transfer",
})  # fmt: skip
"""Kinds that fix a line's terms, standing and flags; each loan has few of them."""

NAMES: Final[dict[str, str]] = dict(zip(Line.__struct_encode_fields__, Line.__struct_fields__, strict=True))
"""Member as it is written (``ratePpm``) -> attribute (``rate_ppm``): the names a consent's fields and filters use."""

_CATEGORY_OF_PRODUCT: Final = {"bnpl": "BNPL", "card": "CARD", "mobile_money": "MOBILE_MONEY", "utility": "UTILITY"}
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {"eq": eq, "ge": ge, "gt": gt, "le": le, "lt": lt, "ne": ne}


def line_of(state: LoanState, *, lender: str, account: bytes, as_of: date, earlier: Sequence[Holding] = ()) -> Line:
    """The line of a loan whose projection is ``state``, on the day ``as_of``; ``earlier`` are the accounts that it
    continues (continuity.py), nearest first. Pure; raises nothing."""
    late = arrears(state, as_of)
    newest, grid = grid_of(state, earlier)
    before = month_of(state.as_of or as_of)
    agreed = bool(state.portfolio_type)
    return Line(
        account=account,
        as_of=as_of,
        balance=owed(state),
        closed=state.closed,
        collateral=state.collateral if agreed else None,
        continues=Continued(account=earlier[0].account, lender=earlier[0].lender) if earlier else None,
        currency=state.currency or None,
        delinquent_days=late.delinquent_days,
        dpd=late.days,
        first_delinquency=first_delinquency_of(state, earlier),
        flags=flags_of(state, as_of),
        frequency=state.frequency or None,
        history=profile(newest, grid, before) if grid else None,
        history_from=_month_text(before - 1) if grid else None,
        instalments=state.instalments,
        last_paid=state.last_paid,
        lender=lender,
        limit=state.limit,
        opened=state.opened,
        past_due=late.amount,
        portfolio_type=state.portfolio_type or None,
        principal=state.principal if agreed else None,
        product=state.product or None,
        rate_ppm=state.rate_ppm,
        scheduled=state.scheduled,
        since=late.since,
        stage=state.stage,
        status=state.status or None,
    )


def flags_of(state: LoanState, as_of: date) -> tuple[str, ...]:
    """The words for what stands beside a loan's stage on ``as_of``, in alphabetical order.

    A pause covers its first day and not its last, as in the count of delinquent days. A default lasts until the
    probation that its cure names is over.
    """
    today = as_of.toordinal()
    standing = {
        "charged_off": state.charged_off is not None,
        "closed": state.closed is not None,
        "defaulted": state.defaulted is not None and (state.probation_end is None or as_of < state.probation_end),
        "disputed": state.disputed,
        "forborne": state.forborne,
        "paused": any(start <= today < until for start, until in state.pauses),
    }
    return tuple(word for word, holds in standing.items() if holds)


def disclosed(kind: str, detail: str) -> bool:
    """Whether an attestation of ``kind`` may be shown with a line at this ``detail`` of a consent."""
    spec = SPECS[kind]
    if detail == "PROFILE" or not spec.disclosed or spec.about != "account":
        return False
    return detail == "TRANSACTIONS" or kind in SUMMARY_KINDS


def chosen(artefact: Artefact, events: Sequence[tuple[str, date]]) -> tuple[list[int], bool]:
    """(places to disclose, whether that is all of the loan) among a loan's (kind, effective date) in log order.

    Of snapshots a summary takes the one with the newest date, the later of two. Kinds that no view shows (extensions)
    say nothing of the figures, so that a line is complete without them.
    """
    if artefact.fields:
        return [], False
    newest = max((day for kind, day in events if kind == "status_snapshot"), default=None)
    last = max((at for at, event in enumerate(events) if event == ("status_snapshot", newest)), default=-1)
    places = [
        at
        for at, (kind, day) in enumerate(events)
        if disclosed(kind, artefact.detail)
        and _within(artefact, day)
        and (artefact.detail == "TRANSACTIONS" or kind != "status_snapshot" or at == last)
    ]
    return places, len(places) == sum(SPECS[kind].disclosed for kind, _ in events)


def apply_consent(line: Line, artefact: Artefact) -> Line | None:
    """The line as far as the consent reaches: None when it is about another loan, else with the figures it names."""
    if artefact.providers and line.lender not in artefact.providers:
        return None
    if artefact.accounts and line.account not in artefact.accounts:
        return None
    if category_of(line) not in artefact.categories or not _overlaps(artefact, line):
        return None
    if not all(_passes(line, rule) for rule in artefact.filters):
        return None
    return _narrowed(line, artefact)


def category_of(line: Line) -> str:
    """The consent category of a loan: by its product's own word, else revolving credit is a card, the rest loans."""
    by_product = _CATEGORY_OF_PRODUCT.get((line.product or "").lower())
    return by_product or ("CARD" if line.portfolio_type == "revolving" else "LOAN")


def _narrowed(line: Line, artefact: Artefact) -> Line:
    shown = set(NAMES.values())
    if artefact.detail == "PROFILE":
        shown &= PROFILE_MEMBERS
    if artefact.fields:
        shown &= IDENTITY | {NAMES[name] for name in artefact.fields if name in NAMES}
    if line.history is not None and not _history_within(artefact, line):
        shown -= {"history", "history_from"}
    hidden = dict.fromkeys(set(NAMES.values()) - shown)
    return msgspec.structs.replace(line, **hidden) if hidden else line


def _within(artefact: Artefact, day: date) -> bool:
    return (artefact.data_from is None or day >= artefact.data_from) and (
        artefact.data_to is None or day <= artefact.data_to
    )


def _overlaps(artefact: Artefact, line: Line) -> bool:
    """Whether the loan lived at some time in the consent's range of dates; unknown ends are open."""
    if artefact.data_to is not None and line.opened is not None and line.opened > artefact.data_to:
        return False
    return artefact.data_from is None or line.closed is None or line.closed >= artefact.data_from


def _history_within(artefact: Artefact, line: Line) -> bool:
    year, _, number = str(line.history_from).partition("-")
    newest = int(year) * 12 + int(number) - 1
    starts_in_range = artefact.data_from is None or newest - HISTORY_MONTHS + 1 >= month_of(artefact.data_from)
    return starts_in_range and (artefact.data_to is None or newest <= month_of(artefact.data_to))


def _passes(line: Line, rule: DataFilter) -> bool:
    found = getattr(line, NAMES.get(rule.field, ""), None)
    if isinstance(found, tuple):
        return rule.operator in ("eq", "ne") and (rule.value in found) == (rule.operator == "eq")
    wanted = _like(found, rule.value)
    return wanted is not None and _COMPARE[rule.operator](found, wanted)


def _like(found: object, text: str) -> object:
    """``text`` as a value of the figure's own type; None when it is not one."""
    if isinstance(found, bool):
        return {"true": True, "false": False}.get(text)
    if isinstance(found, int):
        return int(text) if text.isascii() and text.removeprefix("-").isdigit() else None
    if isinstance(found, date):
        try:
            return date.fromisoformat(text)
        except ValueError:
            return None
    return text if isinstance(found, str) else None


def _month_text(month: int) -> str:
    return f"{month // 12:04}-{month % 12 + 1:02}"
