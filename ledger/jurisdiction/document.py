"""The form of a jurisdiction pack: a TOML document in which every value says where it comes from.

    [dispute.answer]
    value = 20
    unit = "days"
    source = "reg631"        # a key of [sources]
    at = "art. 25"
    date = 2013-03-15        # since when the source says so
    grade = "page"           # how well we know it

Rules
- A value is a table of its own: ``value``, its ``unit`` where it is a number, then ``source``, ``at`` (the clause),
  ``date`` and ``grade``. Nothing is inherited: a line can be checked by itself.
- Grades: ``primary`` the law's own text was read at its publisher; ``page`` a page that quotes or tells of it was read;
  ``general`` it is general knowledge, to be confirmed before a decision rests on it.
- Where sources disagree the value we apply stands first and the others stand in ``alternatives``.
- What a pack does not give it says so in ``absent``, with why: the law sets ``none``, it is ``national`` law of a member
  state, or it is ``unverified``. A missing value is therefore never mistaken for a permission.
- Units are in the types: a clock in the wrong unit is refused when the pack is read (packs.py).

What a value does is said where it is used (classification.py, clocks.py, ...).
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from ledger.jurisdiction.words import DataKind, Fact

Grade = Literal["primary", "page", "general"]
Key = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*$")]
Text = Annotated[str, Meta(min_length=1)]
Natural = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
MonthDay = Annotated[int, Meta(ge=1, le=31)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}$")]
Lender = Literal["any", "bank", "microfinance"]
Portfolio = Literal["any", "general", "card"]
Counting = Literal["dpd", "delinquent_days", "material_days"]
Anchor = Literal[
    "event_end", "event", "reported", "first_delinquency", "final_payment", "write_off", "order_for_relief", "discharge"
]
"""Events that a retention counts from."""

NoticeKind = Literal["pre_negative", "post_negative", "access", "adverse_action"]
Timing = Literal["before", "at", "after", "logged", "on_request"]
RetentionKey = Literal["negative", "positive", "bankruptcy", "discharged"]
PullKey = Literal["lender", "market", "exposure"]
Basis = Literal["consent", "law"]
"""Why a lender may learn that a rule across lenders applied."""


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table that has no members but these."""


class Alternative(Strict, frozen=True, kw_only=True):
    """What another source says of the same value."""

    value: int | str
    unit: str = ""
    source: Key
    at: str = ""
    date: date
    grade: Grade
    note: str = ""


class Cited(Strict, frozen=True, kw_only=True):
    """The members that every value carries."""

    source: Key
    at: str = ""
    date: date
    grade: Grade
    note: str = ""
    alternatives: tuple[Alternative, ...] = ()


class Span(Cited, frozen=True, kw_only=True):
    """A length of time."""

    value: Positive
    unit: Literal["days", "business_days", "months", "years"]


class Days(Cited, frozen=True, kw_only=True):
    """A number of calendar days."""

    value: Positive
    unit: Literal["days"]


class Amount(Cited, frozen=True, kw_only=True):
    """Money."""

    value: Natural
    unit: Literal["minor"]
    currency: Currency


class Ratio(Cited, frozen=True, kw_only=True):
    """A share in basis points: 100 are one per cent."""

    value: Annotated[int, Meta(ge=0, le=10_000)]
    unit: Literal["bp"]


class Count(Cited, frozen=True, kw_only=True):
    """A plain number; ``unit`` says of what."""

    value: Positive
    unit: Literal["words", "a_year", "reasons", "periods"]


class Switch(Cited, frozen=True, kw_only=True):
    """Yes or no."""

    value: bool


class Wording(Cited, frozen=True, kw_only=True):
    """A rule that is not a number, in a sentence."""

    value: Text


class Source(Strict, frozen=True, kw_only=True):
    """A text that values are taken from. ``date`` is the text's own: when it was made, or came into force."""

    title: Text
    date: date
    address: str = ""


class Head(Strict, frozen=True, kw_only=True):
    """What the pack is. ``members`` are the countries it is also for; ``reviewed`` is when a person last read it."""

    code: Country
    title: Text
    version: Positive
    currency: Currency
    reviewed: date
    laws: Annotated[tuple[Key, ...], Meta(min_length=1)]
    members: tuple[Country, ...] = ()


class Band(Cited, frozen=True, kw_only=True, rename={"from_days": "from", "to_days": "to"}):
    """One code and the days it stands for, both ends included; no ``to`` is no end. A ``rebuttable`` one gives way to
    the band before it when the lender has shown otherwise."""

    code: Text
    label: Text
    from_days: Natural
    to_days: Natural | None = None
    rebuttable: bool = False


class FactRule(Cited, frozen=True, kw_only=True):
    """A code that follows from a fact beside the days."""

    when: Fact
    code: Text
    label: str = ""


class Scheme(Strict, frozen=True, kw_only=True):
    """One list of codes. ``bands`` cover every number of days once; the first of ``instead`` that holds replaces the
    band; each of ``at_least`` that holds raises the code, in the order of the bands, never lowers it."""

    title: Text
    portfolio: Portfolio = "any"
    lender: Lender = "any"
    counts: Counting = "dpd"
    bands: Annotated[tuple[Band, ...], Meta(min_length=2)]
    instead: tuple[FactRule, ...] = ()
    at_least: tuple[FactRule, ...] = ()


class Default(Strict, frozen=True, kw_only=True):
    """When a debtor is in default, and when no longer. More than ``days`` on end with arrears above both floors."""

    days: Days
    absolute_retail: Amount
    absolute_other: Amount
    relative: Ratio
    probation: Span
    probation_forborne: Span
    forborne_non_performing: Span | None = None
    forborne_probation: Span | None = None
    loss: Ratio | None = None
    technical_factoring: Days | None = None


class Pull(Cited, frozen=True, kw_only=True):
    """More than ``value`` basis points of a debtor's claims that are bad pull all of them to at least ``to``.

    ``bad`` says what counts: non-performing claims, or claims more than ``days`` past due. ``across`` counts the claims
    of every lender; ``disclosure`` is then on which basis a lender may be told that the rule applied."""

    value: Annotated[int, Meta(ge=1, le=10_000)]
    unit: Literal["bp"]
    bad: Literal["non_performing", "past_due"]
    days: Natural = 0
    retail: bool
    across: bool
    to: Text
    disclosure: tuple[Basis, ...] = ()


class Upgrade(Strict, frozen=True, kw_only=True):
    """What a bad loan needs to be called good: nothing overdue, then ``periods`` due dates met and ``at_least``, the
    longer of the two."""

    periods: Count | None = None
    at_least: Span | None = None
    arrears_cleared: Switch


class Restructuring(Strict, frozen=True, kw_only=True):
    """How long a restructured loan is watched, from the first new due date on, and the class it may not leave."""

    observation: Span
    periods: Count


class Retention(Cited, frozen=True, kw_only=True, rename={"anchors": "from"}):
    """How long a record is kept, from the ``pick`` of its anchors that are known, ``after_days`` later."""

    value: Natural
    unit: Literal["days", "months", "years", "unlimited", "purpose"]
    anchors: tuple[Anchor, ...] = ()
    pick: Literal["earliest", "latest"] = "latest"
    after_days: Natural = 0


class Notice(Cited, frozen=True, kw_only=True):
    """A message that the law asks for: ``days`` before or after the event, none where it names no number."""

    timing: Timing
    days: Natural | None = None
    channels: tuple[Literal["sms", "email", "letter", "any"], ...] = ("any",)


class Dispute(Strict, frozen=True, kw_only=True):
    """The clocks of a dispute, all from the day it is opened."""

    answer: Span | None = None
    extension: Span | None = None
    furnisher: Span | None = None
    told_furnisher: Span | None = None
    flagged: Switch | None = None
    look_back: Span | None = None


class Compensation(Cited, frozen=True, kw_only=True):
    """What a late answer costs: an amount a day after ``after_days``, or damages that a court sets."""

    kind: Literal["daily", "damages", "statutory_damages"]
    value: Natural = 0
    unit: Literal["minor"] = "minor"
    currency: Currency | None = None
    after_days: Natural = 0


class Statement(Strict, frozen=True, kw_only=True):
    """The borrower's own words beside a record."""

    allowed: Switch
    words: Count | None = None


class Adverse(Strict, frozen=True, kw_only=True):
    """What a borrower is told when credit is refused."""

    explain: Wording
    reasons_max: Count | None = None
    enquiries_extra: Count | None = None
    within: Span | None = None


class DayOfMonth(Cited, frozen=True, kw_only=True):
    """A day of the month."""

    value: MonthDay
    unit: Literal["day_of_month"]


class Calendar(Cited, frozen=True, kw_only=True):
    """Days of the month on which data are made up (31 is the last day), and days until they are filed."""

    days: Annotated[tuple[MonthDay, ...], Meta(min_length=1)]
    file_within_days: Natural


class Update(Strict, frozen=True, kw_only=True):
    """How often lenders furnish."""

    cycle: Wording
    longest: Span | None = None
    calendar: Calendar | None = None
    full_file_by: DayOfMonth | None = None


class Listing(Strict, frozen=True, kw_only=True):
    """Below which amounts nobody is listed as late."""

    floor: Amount | None = None
    relative: Ratio | None = None


class DataRule(Cited, frozen=True, kw_only=True):
    """May this kind of data be used in a credit decision?"""

    use: Literal["forbidden", "warned_consent", "consent", "allowed"]


class Residency(Cited, frozen=True, kw_only=True):
    """Where the data may be."""

    value: Literal["in_country", "transfer_rules", "unrestricted"]


class Reading(Cited, frozen=True, kw_only=True):
    """What a reader needs before it reads."""

    value: Literal["written_consent", "consent", "member_and_purpose", "legal_basis", "permissible_purpose"]


class Absent(Strict, frozen=True, kw_only=True):
    """A value that the pack does not give, and why."""

    key: Text
    why: Literal["none", "national", "unverified"]
    date: date
    note: str = ""


class National(Strict, frozen=True, kw_only=True):
    """What one member state's law says where the pack leaves it to it."""

    retention: dict[RetentionKey, Retention] = {}


class Document(Strict, frozen=True, kw_only=True):
    """A whole pack."""

    pack: Head
    sources: dict[Key, Source]
    classification: Annotated[dict[Key, Scheme], Meta(min_length=1)]
    default: Default | None = None
    pulling: dict[PullKey, Pull] = {}
    upgrade: Upgrade | None = None
    restructuring: Restructuring | None = None
    retention: dict[RetentionKey, Retention]
    notice: dict[NoticeKind, Notice]
    dispute: Dispute
    compensation: Compensation | None = None
    statement: Statement
    free_reports: Count | None = None
    adverse: Adverse
    update: Update
    listing: Listing
    data: dict[DataKind, DataRule]
    residency: Residency | None = None
    reading: Reading
    absent: tuple[Absent, ...] = ()
    national: dict[Country, National] = {}


EXPECTED: Final = (
    "adverse.reasons_max", "adverse.within", "compensation", "default", "dispute.answer", "dispute.extension",
    "dispute.flagged", "dispute.furnisher", "dispute.look_back", "dispute.told_furnisher", "free_reports",
    "listing.floor", "notice.access", "notice.adverse_action", "notice.post_negative", "notice.pre_negative",
    "pulling.lender", "pulling.market", "pulling.exposure", "residency", "restructuring", "retention.bankruptcy",
    "retention.negative", "retention.positive", "statement.words", "update.longest", "upgrade",
)  # fmt: skip
"""Values that a pack gives, or says why not. ``data.social_network`` it must give: it is a switch, never a default."""
