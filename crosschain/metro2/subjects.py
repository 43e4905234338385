"""Who a record is about: named rules that make an identifier, from which the deployment makes a pseudonym.

- `national-id`: the social security number. `national-id-birth-date`: the number, a bar, the birth date.
- `account-number`: the account, with the lender's name before it, stands for its borrower: accounts of one person do
  not meet, and equal numbers of two lenders are not one person. J1 and J2 name nobody then.
- `assigned`: for de-identified files. Each account number is dealt by a seeded hash to one of a given number of
  invented borrowers, `assigned-000123`; with a third as many borrowers as accounts, each has about three. No two
  passes, no memory, the same answer at every lender. It says nothing true of real people: whoever uses it says so.
- A record that names nobody under the rule is refused (`subject_missing`); a J1 or J2 that names nobody is no party.
- The rule's spelling is the scheme's normalisation (ledger/subject/pseudonym.py), applied where pseudonyms are made.

    >>> subject_rule("assigned", tenant="acacia", borrowers=666).borrower(record)
    Identifier(scheme='account-number', value='assigned-000417')

It makes no pseudonyms: their key is the deployment's.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Final, NamedTuple

from crosschain.metro2.outline import J_KINDS
from crosschain.metro2.records import Record, Segment
from crosschain.metro2.values import day, field, identity
from ledger.errors import InvalidInput

ACCOUNTS_PER_BORROWER: Final = 3
"""Accounts that `assigned` gives a borrower on average, when the number of borrowers is taken from the accounts'."""

ASSIGNED_SEED: Final = 20190131
"""Default seed of `assigned`."""


class Identifier(NamedTuple):
    """What a pseudonym is made from: a scheme of the ledger and a value in that scheme."""

    scheme: str
    value: str


class SubjectRule(NamedTuple):
    """A named rule. `of` gives the identifier of one person: number 0 the record's own segment, else a J segment."""

    name: str
    field: str
    of: Callable[[Record, Segment, int], Identifier | None]

    def borrower(self, record: Record) -> Identifier:
        """The identifier of whom the record is about. Raises InvalidInput `subject_missing`."""
        found = self.of(record, record.base, 0)
        if found is None:
            raise InvalidInput(
                "subject_missing",
                f"the record names nobody under the rule {self.name}",
                path=self.field,
                advice="choose another rule for records that name nobody",
            )
        return found

    def parties(self, record: Record) -> list[Identifier | None]:
        """The identifier of each J1 and J2 segment, in order; None for one that names nobody."""
        named = [segment for segment in record.segments if segment.kind in J_KINDS]
        return [self.of(record, segment, number) for number, segment in enumerate(named, start=1)]


def _national_id(record: Record, segment: Segment, number: int) -> Identifier | None:
    found = identity(segment, "social_security_number")
    return None if found is None else Identifier("national-id", found)


def _national_id_birth_date(record: Record, segment: Segment, number: int) -> Identifier | None:
    found, born = identity(segment, "social_security_number"), day(segment, "date_of_birth")
    if found is None or born is None:
        return None
    return Identifier("national-id-birth-date", f"{found}|{born.isoformat()}")


def _account_number(tenant: str) -> Callable[[Record, Segment, int], Identifier | None]:
    def name(record: Record, segment: Segment, number: int) -> Identifier | None:
        account = field(record, "consumer_account_number").strip(" ")
        return Identifier("account-number", f"{tenant}/{account}") if number == 0 and account.strip("0") else None

    return name


def _assigned(seed: int, borrowers: int) -> Callable[[Record, Segment, int], Identifier]:
    def deal(record: Record, segment: Segment, number: int) -> Identifier:
        account = field(record, "consumer_account_number").strip(" ")
        drawn = int.from_bytes(sha256(f"{seed}|{account}|{number}".encode()).digest()[:8])
        return Identifier("account-number", f"assigned-{drawn % borrowers:06d}")

    return deal


RULES: Final = ("national-id", "national-id-birth-date", "account-number", "assigned")
"""Names of the rules."""


def subject_rule(name: str, *, tenant: str, borrowers: int = 0, seed: int = ASSIGNED_SEED) -> SubjectRule:
    """The rule called `name` for the file of `tenant`; `borrowers` and `seed` are for `assigned` alone.

    Raises InvalidInput `subject_rule_unknown`, or `borrowers_invalid` for `assigned` with less than one borrower.
    """
    if name == "assigned":
        if borrowers < 1:
            raise InvalidInput("borrowers_invalid", "the assigned rule needs a number of borrowers", found=borrowers)
        return SubjectRule(name, "base.consumer_account_number", _assigned(seed, borrowers))
    rules = {
        "national-id": SubjectRule(name, "base.social_security_number", _national_id),
        "national-id-birth-date": SubjectRule(name, "base.social_security_number", _national_id_birth_date),
        "account-number": SubjectRule(name, "base.consumer_account_number", _account_number(tenant)),
    }
    if name not in rules:
        raise InvalidInput("subject_rule_unknown", "no such rule", expected=", ".join(RULES), found=name)
    return rules[name]
