"""An invented Metro 2 file: the same seed gives the same bytes on every machine.

- Nobody real: names are made of syllables, national ids lie in the range 9xx with a middle part of 10 to 39, which was
  never issued, telephone numbers are 555-01xx.
- About three accounts a borrower; a borrower's name, birth date and address are the same on each.
- Each account is lived through, month by month: the 24-month history, the status, the amounts past due, the date of
  first delinquency and the closing dates are read off that life, so they agree.
- About 80 % current; the rest late by one to six months, paid, charged off, in collection, sold, disputed, with
  co-borrowers, employers and mortgages among them.
- Every record passes our own rules without reject or warning, and the trailer's counts are true.

    >>> write_synthetic(out, accounts=2000, seed=7, as_of=date(2026, 1, 31)).found()["total_base_records"]
    2000

It is not a portfolio to learn rates from: the mix is declared here (`_MIX`), not observed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import BinaryIO, Final

from crosschain.metro2.invented import Draw, Person, person_of
from crosschain.metro2.records import Record, Segment
from crosschain.metro2.totals import Totals
from crosschain.metro2.values import Value, assemble, segment_of
from crosschain.metro2.writer import header_record, write_file
from ledger.errors import InvalidInput

ACCOUNTS_PER_BORROWER: Final = 3
"""Accounts that share one borrower, on average."""

MOST_ACCOUNTS: Final = 20_000_000
"""With a borrower and a co-borrower for each, all national ids are still distinct (30 million exist)."""

_MIX: Final = (
    ("11", 800),
    ("71", 50),
    ("78", 20),
    ("80", 12),
    ("82", 8),
    ("83", 5),
    ("84", 10),
    ("13", 60),
    ("97", 18),
    ("93", 7),
    ("64", 5),
    ("05", 5),
)
"""Status and its share in a thousand."""

_LEVEL: Final = {"71": 1, "78": 2, "80": 3, "82": 4, "83": 5, "84": 6}
_PORTFOLIO: Final = (("I", "01"), ("I", "02"), ("R", "18"), ("M", "26"), ("C", "47"), ("O", "00"))
_DISPUTES: Final = ("XB", "XC", "XH", "XR")
_MONTH: Final = timedelta(days=30)


def write_synthetic(out: BinaryIO, *, accounts: int, seed: int, as_of: date) -> Totals:
    """Write a character file of `accounts` invented accounts as of `as_of`; the counts that its trailer states.

    Raises InvalidInput `accounts_invalid` outside 1 to 20,000,000.
    """
    if not 1 <= accounts <= MOST_ACCOUNTS:
        raise InvalidInput("accounts_invalid", "too few or too many", expected=f"1..{MOST_ACCOUNTS}", found=accounts)
    header = header_record(
        {
            "transunion_program_identifier": "SYNTHETIC",
            "activity_date": as_of,
            "date_created": as_of,
            "program_date": date(2020, 1, 1),
            "program_revision_date": date(2020, 1, 1),
            "reporter_name": "INVENTED LENDER",
            "reporter_address": "1 NOWHERE STREET, NO TOWN",
            "reporter_telephone_number": "5555550100",
            "software_vendor_name": "TALLYSTICK SYNTHETIC",
        }
    )
    return write_file(out, header, synthetic_records(accounts=accounts, seed=seed, as_of=as_of))


def synthetic_records(*, accounts: int, seed: int, as_of: date) -> Iterator[Record]:
    """The base records of write_synthetic, one at a time; each depends on the seed and its own number alone."""
    borrowers = max(1, accounts // ACCOUNTS_PER_BORROWER)
    for number in range(accounts):
        draw = Draw(seed, "account", number)
        borrower = number if number < borrowers else draw.below(borrowers)
        yield _account(draw, number, person_of(seed, borrower), person_of(seed, borrowers + number), as_of)


def _account(draw: Draw, number: int, person: Person, other: Person, as_of: date) -> Record:
    status = _drawn_status(draw)
    before = _before(draw, status)
    age = draw.between(max(9, len(before) + 2), 60)
    levels = _life(draw, before, age)
    values = _terms(draw, age, as_of) | {
        "processing_indicator": "1",
        "time_stamp": datetime(as_of.year, as_of.month, as_of.day, 2, tzinfo=UTC),
        "correction_indicator": "0",
        "identification_number": "INVENTED",
        "consumer_account_number": f"SYN{number:012d}",
        "account_status": status,
        "payment_history_profile": "".join(levels),
        "date_of_account_information": as_of,
    }
    amounts = _amounts(draw, status, levels, values, as_of)
    flags: dict[str, Value] = {}
    if draw.chance(20):
        flags["compliance_condition_code"] = draw.pick(_DISPUTES)
    if draw.chance(10):
        flags["consumer_information_indicator"] = draw.pick(("A", "D"))
    joint = draw.chance(140)
    base = segment_of("base", values | amounts | person.fields() | flags | {"ecoa_code": "2" if joint else "1"})
    portfolio = str(values["portfolio_type"])
    return assemble(base, _appended(draw, status, portfolio, person, other if joint else None, as_of))


def _drawn_status(draw: Draw) -> str:
    ticket = draw.below(sum(share for _, share in _MIX))
    for status, share in _MIX:
        if ticket < share:
            return status
        ticket -= share
    return "11"


def _life(draw: Draw, before: list[str], age: int) -> list[str]:
    """The 24 months before this one, newest first, as the account lived them; B before it was opened."""
    months = list(before)
    while len(months) < 24:
        # A clean month, or now and then a slip of one month that was made good.
        months += ["0", "1"] if draw.chance(15) else ["0"]
    lived = months[: min(24, age - 1)]
    if len(lived) < 24:
        lived[-1] = "0"
    return lived + ["B"] * (24 - len(lived))


def _before(draw: Draw, status: str) -> list[str]:
    """The months that lead to `status`, newest first: arrears grow by one a month."""
    if status in _LEVEL:
        level = _LEVEL[status]
        plateau = ["6"] * draw.below(6) if level == 6 else []
        return plateau + [str(n) for n in range(level - 1, -1, -1)]
    fall = ["6", "5", "4", "3", "2", "1", "0"]
    if status in ("97", "64"):
        return ["L"] * draw.between(1, 12) + fall
    if status == "93":
        return ["G"] * draw.between(1, 12) + fall
    return ["0"]


def _terms(draw: Draw, age: int, as_of: date) -> dict[str, Value]:
    portfolio, account_type = draw.pick(_PORTFOLIO)
    revolving = portfolio in "RC"
    principal = draw.between(5, 300) * (1_000 if portfolio == "M" else 100)
    months = 360 if portfolio == "M" else draw.pick((12, 24, 36, 48, 60, 72))
    terms = {"R": "REV", "C": "LOC", "O": "001"}.get(portfolio, f"{months:03d}")
    return {
        "portfolio_type": portfolio,
        "account_type": account_type,
        "date_opened": as_of - age * _MONTH - timedelta(days=draw.below(28)),
        "credit_limit": principal if revolving else 0,
        "highest_credit": principal,
        "terms_duration": terms,
        "terms_frequency": "M",
        "scheduled_monthly_payment": max(5, principal // (40 if revolving else months)),
        "interest_type": draw.pick(("F", "V")),
    }


def _amounts(draw: Draw, status: str, levels: list[str], terms: dict[str, Value], as_of: date) -> dict[str, Value]:
    """Balance, payments, amounts lost and the dates that go with the status."""
    principal, scheduled = _whole(terms["highest_credit"]), _whole(terms["scheduled_monthly_payment"])
    balance = max(scheduled, principal * draw.between(10, 95) // 100)
    paid_on = as_of - timedelta(days=draw.between(1, 25))
    ended = as_of - timedelta(days=draw.between(1, 28))
    # How long ago the unbroken run of arrears (or of loss) began: its months in the history, and this month.
    run = next((place for place, level in enumerate(levels) if level in "0B"), len(levels))
    first_late = max(as_of - (run + 1) * _MONTH, _day(terms["date_opened"]))
    common: dict[str, Value] = {"current_balance": balance, "actual_payment": 0, "date_of_last_payment": first_late}
    if status == "11":
        return common | {"actual_payment": scheduled, "date_of_last_payment": paid_on}
    if status in ("13", "05"):
        rated: dict[str, Value] = {"payment_rating": "0", "date_closed": ended, "date_of_last_payment": ended}
        return rated | {"current_balance": 0, "actual_payment": scheduled}
    if status in _LEVEL:
        late = min(balance, scheduled * _LEVEL[status])
        return common | {"amount_past_due": late, "date_of_first_delinquency": first_late}
    lost: dict[str, Value] = {"original_chargeoff_amount": balance, "date_of_first_delinquency": first_late}
    if status == "64":
        return common | lost | {"current_balance": 0, "date_closed": ended, "date_of_last_payment": ended}
    return common | lost | {"amount_past_due": balance}


def _appended(
    draw: Draw, status: str, portfolio: str, person: Person, other: Person | None, as_of: date
) -> Iterator[Segment]:
    """The segments that go with the account, in the standard's order."""
    if other is not None:
        kind = draw.pick(("J1", "J2"))
        yield segment_of(kind, other.fields(address=kind == "J2") | {"ecoa_code": "2"})
    if status == "93":
        yield segment_of("K1", {"original_creditor_name": "INVENTED BANK", "creditor_classification": 3})
    if status == "05":
        yield segment_of("K2", {"portfolio_indicator": "2", "purchased_or_sold_name": "INVENTED BUYER"})
    if portfolio == "M":
        number = f"{draw.below(10**15):018d}"
        yield segment_of("K3", {"agency_identifier": "00", "mortgage_identification_number": number})
    if portfolio == "I" and status == "11" and draw.chance(30):
        start = as_of + 2 * _MONTH
        yield segment_of("K4", {"specialized_payment_indicator": "02", "deferred_payment_start_date": start})
    if draw.chance(10):
        renamed = f"SYNNEW{draw.below(10**9):09d}"
        yield segment_of("L1", {"change_indicator": "1", "new_consumer_account_number": renamed})
    if draw.chance(50):
        yield segment_of("N1", person.employer_fields())


def _whole(value: Value) -> int:
    return value if isinstance(value, int) else 0


def _day(value: Value) -> date:
    return value if isinstance(value, date) else date.min
