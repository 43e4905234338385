"""Interest in a plan: flat on the amount lent, or declining with equal instalments; exact inside, whole units outside.

    interest = Interest(rate_ppm=120_000)
    declining(Terms(start=date(2022, 11, 1), every=1, unit="months", count=18, multiple=100), interest, 500_000)

Rules
- Flat: every row bears the same interest, that of one period on the amount lent.
- Declining: a row's interest is that of the balance before it; the instalment is the annuity of the first period's rate,
  rounded half to even to ``multiple``; the last row takes what is left.
- A period is a whole fraction of the year (``daily=False``) or counts its days over ``year_days``.
- Grace on principal: rows that bear interest alone. Grace on interest: it is not lost but due with the first row after.
- Early money (``paid``) lowers the balance from its own day, and where it is more than a row asks for, the row's
  principal is what was paid: the instalment is then computed anew, or stays and the loan ends earlier.
  ``rest="due_day"``: early money lowers the balance only from the due day that follows it.
- Fractions are exact; each row's interest is rounded half to even to the minor unit.

What this module does not do: tell late money from early (renewal.py), compounding, rates that change (the schedules of
the loan room).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import Final, Literal

from ledger.loan.servicing.amounts import rounded
from ledger.loan.servicing.movements import Row
from ledger.loan.servicing.plan import Terms, due_days, opening

PPM: Final = 1_000_000
_PERIODS: Final = {"months": 12, "years": 1, "weeks": 52, "days": 365}


@dataclass(frozen=True, kw_only=True)
class Interest:
    """How a plan bears interest. ``rate_ppm``: parts per million a year; ``grace_principal``, ``grace_interest``: rows."""

    rate_ppm: int
    daily: bool = False
    year_days: int = 365
    grace_principal: int = 0
    grace_interest: int = 0
    early: Literal["lower_instalment", "fewer_rows"] = "lower_instalment"
    rest: Literal["own_day", "due_day"] = "own_day"

    def yearly(self) -> Fraction:
        """The rate of a year."""
        return Fraction(self.rate_ppm, PPM)


def _half_even(value: Fraction, multiple: int = 1) -> int:
    return rounded(value.numerator, value.denominator, multiple)


def _period_rate(terms: Terms, interest: Interest, start: date, end: date) -> Fraction:
    if interest.daily:
        return interest.yearly() * (end - start).days / interest.year_days
    return interest.yearly() * terms.every / _PERIODS[terms.unit]


def flat(terms: Terms, interest: Interest, amount: int) -> tuple[Row, ...]:
    """Equal principal, and in every row one period's interest on the amount lent."""
    each = _half_even(amount * _period_rate(terms, interest, terms.start, due_days(terms)[0]))
    return tuple(row if row.kind == "down_payment" else replace(row, interest=each) for row in opening(terms, amount))


def instalment(amount: int, rate: Fraction, count: int, multiple: int) -> int:
    """The equal payment that repays ``amount`` in ``count`` periods at ``rate`` each, rounded to ``multiple``."""
    if not rate:
        return rounded(amount, count, multiple)
    return _half_even(amount * rate / (1 - (1 + rate) ** -count), multiple)


def declining(
    terms: Terms,
    interest: Interest,
    amount: int,
    paid: Sequence[tuple[date, int]] = (),
    in_fact: Mapping[date, int] | None = None,
) -> tuple[Row, ...]:
    """Rows on the declining balance; ``paid`` is (day, minor units) of money that came by its row's due date. ``in_fact``:
    first day of a period -> principal that was out then, where the period bears interest on that."""
    days = (terms.start, *due_days(terms))
    if interest.rest == "due_day":
        paid = [(min((due for due in days[1:] if due >= day), default=day), part) for day, part in paid]
    first_rate = _period_rate(terms, interest, days[0], days[1])
    each = instalment(amount, first_rate, terms.count - interest.grace_principal, terms.multiple)
    rows: list[Row] = []
    balance, deferred = amount, 0
    for n, (start, due) in enumerate(pairwise(days), 1):
        early = [(day, part) for day, part in paid if start < day < due or day == start == terms.start]
        base = (in_fact or {}).get(start, balance)
        bears = _half_even(_borne(terms, interest, base, start, due, early))
        asked = each - bears if n > interest.grace_principal else 0
        principal = max(asked, _brought(early, paid, due, bears), 0)
        if n == terms.count or principal >= balance:
            principal = balance
        shown, deferred = (0, deferred + bears) if n <= interest.grace_interest else (bears + deferred, 0)
        rows.append(Row(n=n, due=due, principal=principal, interest=shown))
        balance -= principal
        if not balance:
            break
        if principal != asked and interest.early == "lower_instalment" and n > interest.grace_principal:
            each = instalment(balance, first_rate, terms.count - n, terms.multiple)
    return tuple(rows)


def _borne(
    terms: Terms, interest: Interest, balance: int, start: date, due: date, early: Sequence[tuple[date, int]]
) -> Fraction:
    """Interest of one period, the balance falling with each early payment."""
    if not early:
        return balance * _period_rate(terms, interest, start, due)
    total, since = Fraction(0), start
    for day, part in sorted(early):
        total += balance * interest.yearly() * (day - since).days / interest.year_days
        balance, since = balance - part, day
    return total + balance * interest.yearly() * (due - since).days / interest.year_days


def _brought(early: Sequence[tuple[date, int]], paid: Sequence[tuple[date, int]], due: date, bears: int) -> int:
    """Principal that the money of one period brought: early money whole, on the due day what is left past interest."""
    before = sum(part for _, part in early)
    on_the_day = sum(part for day, part in paid if day == due)
    return before + on_the_day - bears if on_the_day else before
