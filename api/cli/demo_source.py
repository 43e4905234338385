"""The file that ``tallystick demo`` publishes: written, or looked at, and the borrower that the story is about.

- A file whose records mostly name nobody is de-identified: its borrowers come from the seeded `assigned` rule, about
  three accounts each. Else the national id names them.
- Accounts are dealt to the three lenders by the hash of their number, so one account is always one lender's.
- The borrower is one with loans at as many lenders as possible, and about four loans.

    source = look_at(Path("accounts.zip"))
    source.rule, source.borrower
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from crosschain.metro2.reader import Header, Line, Reject, open_input, read
from crosschain.metro2.subjects import ACCOUNTS_PER_BORROWER, Identifier, subject_rule
from crosschain.metro2.synthetic import write_synthetic
from crosschain.metro2.values import day, field, identity
from ledger.errors import InvalidInput

LENDERS: Final = {"acacia": "Acacia Bank", "baobab": "Baobab Microfinance", "cedar": "Cedar Mobile Credit"}
"""Three lenders that do not exist, by the name of their tenant."""

SYNTHETIC_SEED: Final = 7
SYNTHETIC_DAY: Final = date(2026, 1, 31)
LINES_WANTED: Final = 4
"""The borrower is chosen to have about so many loans: enough to see, few enough to read."""

CHOICE_RECORDS_MAX: Final = 100_000
"""Records looked at to choose a borrower; a larger file has one among these."""


def write_input(path: Path, accounts: int) -> None:
    """Write the synthetic file: the same on every machine."""
    with path.open("wb") as out:
        write_synthetic(out, accounts=accounts, seed=SYNTHETIC_SEED, as_of=SYNTHETIC_DAY)


class Source(NamedTuple):
    """The file: its day, its rule for borrowers, how many borrowers, rejects of its reader, and whom to look at."""

    path: Path
    as_of: date
    rule: str
    borrowers: int
    rejects: int
    borrower: Identifier


def lender_of(line: Line) -> str:
    """The lender that a record's account falls to."""
    number = field(line.record, "consumer_account_number").strip(" ")
    return list(LENDERS)[sha256(number.encode()).digest()[0] % len(LENDERS)]


def look_at(path: Path) -> Source:
    """Read the file and choose a borrower with loans at several lenders. Raises InvalidInput ``demo_no_records``."""
    as_of, records, named, rejects = datetime.now(UTC).date(), 0, 0, 0
    with open_input(path) as stream:
        for item in read(stream):
            if isinstance(item, Header):
                as_of = _day_of(item) or as_of
            elif isinstance(item, Line):
                records += 1
                named += identity(item.record.base, "social_security_number") is not None
            rejects += isinstance(item, Reject)
    if not records:
        raise InvalidInput("demo_no_records", "the file has no record that can be read", path=str(path))
    rule, borrowers = "national-id" if 2 * named > records else "assigned", max(1, records // ACCOUNTS_PER_BORROWER)
    return Source(path, as_of, rule, borrowers, rejects, _choose(path, rule, borrowers))


def _day_of(header: Header) -> date | None:
    for name in ("activity_date", "date_created"):
        try:
            found = day(header.record.base, name)
        except InvalidInput:
            continue
        if found is not None:
            return found
    return None


def _choose(path: Path, rule_name: str, borrowers: int) -> Identifier:
    # Both rules are the same at every lender: one tenant's stands for all.
    rule = subject_rule(rule_name, tenant="demo", borrowers=borrowers)
    held, owing = dict[Identifier, list[str]](), set[Identifier]()
    with open_input(path) as stream:
        lines = (item for item in read(stream) if isinstance(item, Line))
        for line, _ in zip(lines, range(CHOICE_RECORDS_MAX), strict=False):
            found = rule.of(line.record, line.record.base, 0)
            if found is not None:
                held.setdefault(found, []).append(lender_of(line))
                owing |= {found} if _owes(line) else set()
    return max(held, key=lambda who: (len(set(held[who])), who in owing, -abs(len(held[who]) - LINES_WANTED)))


def _owes(line: Line) -> bool:
    """Whether the account is paid as agreed and something is left to pay: a repayment can be shown on it."""
    balance = field(line.record, "current_balance").strip("0 ")
    return field(line.record, "account_status") == "11" and bool(balance)
