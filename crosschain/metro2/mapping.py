"""One Metro 2 record as claims of the ledger's kinds, and those claims as the very record again.

A base record becomes, in this order, which is the order that the loan's fold accepts from a new account:

1. `agreement`, effective on the day opened: portfolio, product, highest credit, limit, terms, the roles of J1 and J2.
2. `status_snapshot` for each month of the 24-month history, oldest first, effective on the month's last day, with the
   month's character alone. The first character is the month before the date of account information. The unbroken `B`s
   at the old end ("before the history begins") become nothing.
3. `status_snapshot` effective on the date of account information: word, days past due (the least that the code
   allows), balance, scheduled, paid and past due in minor units. Negative and blank amounts are not claimed.
4. `charge_off` for 97, 64 or rating L, effective no later than which it happened: the end of the oldest month of the
   unbroken run of `L`. `dispute` for a compliance condition code. `transfer` for 05 with a buyer in K2, or `closure`
   for 13, 6x, DF and 05 without one, effective on the date closed, else on the date of account information.
5. `extension` in the namespace `metro2`, always last.

Nothing is lost, by construction: the claims 1 to 4 alone determine an outline of the record, and each field whose text
differs from the outline stands in the extension. So `record_of(claims_of(record, ...)) == record`.

Members of the extension: `form`, `import`, `line`; `segments` (their kinds in order), `block`, `padding` (number of
blanks), `ending` (`crlf` or `none`) where there is something to say; `base.<field>` and `<kind>.<n>.<field>` for
fields, n counting segments from 1, trailing blanks dropped; `<kind>.<n>` for a whole segment where there are too many.
Names, ids, addresses, telephone and account numbers stand there alone: an extension is never shown in a view.

    >>> [claim.kind for claim in claims_of(record, Place("7d...", 3), seller="acacia")][::24]
    ['agreement', 'status_snapshot']

It does not know who is meant (subjects.py), and makes no envelope, id or signature (importer.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

from crosschain.metro2 import codes
from crosschain.metro2.layout import BASE, SEGMENTS, Form, Layout
from crosschain.metro2.outline import J_KINDS, Claim, cents_of, day_of, fill, outline
from crosschain.metro2.records import Record, Segment
from ledger.attestation.credit_kinds import Agreement, ChargeOff, Closure, Party, StatusSnapshot, Transfer
from ledger.attestation.sharing_kinds import Dispute, Extension
from ledger.errors import InvalidInput
from ledger.loan.history import month_of

NAMESPACE: Final = "metro2"
"""Namespace of our extensions."""

EXTENSION_VERSION: Final = 1
PARTIES_MAX: Final = 32
"""Parties of one agreement; those of further segments stay in the extension."""

_FIELDS_MAX: Final = 480
_BYTES_MAX: Final = 12_000
_LINE_ENDS: Final = {b"\n": "", b"\r\n": "crlf", b"": "none"}
_ENDINGS: Final = {word: ending for ending, word in _LINE_ENDS.items()}
_CHARGED_OFF_RUN: Final = re.compile("[DL]*L")


class Place(NamedTuple):
    """Where a record stood: the import's id (text form), the line from 1, and the line end that followed."""

    import_id: str
    line: int
    ending: bytes = b"\n"


class Restored(NamedTuple):
    """A record that was rebuilt, and where it stood."""

    place: Place
    record: Record


def claims_of(
    record: Record, place: Place, *, seller: str, parties: Sequence[bytes | None] = (), currency: str = "USD"
) -> tuple[Claim, ...]:
    """The claims that a base record makes, in the order in which they are to be published.

    `seller` is the lender's name for a transfer; `parties` the pseudonyms of the J1 and J2 segments in order, None for
    one that names nobody. Raises InvalidInput `not_mappable` for a date of account information before the year 4.
    """
    text = record.base.as_dict()
    as_of = day_of(text["date_of_account_information"])
    if as_of is None or as_of.year < 4:
        raise InvalidInput("not_mappable", "no 24 months lie before this date", path="base.date_of_account_information")
    role = codes.ROLES.get(text["ecoa_code"], "borrower")
    claims = [
        Claim("agreement", day_of(text["date_opened"]) or as_of, role, _agreement(record, text, parties, currency)),
        *_history(text["payment_history_profile"], month_of(as_of), role, currency),
        Claim("status_snapshot", as_of, role, _snapshot(text, currency)),
        *_standing(text, as_of, role, currency),
        *_ending(record, text, as_of, role, seller, currency),
    ]
    claims.append(Claim("extension", as_of, role, _extension(record, claims, place)))
    return tuple(claims)


def record_of(claims: Sequence[Claim]) -> Record:
    """The record that the claims came from. Raises InvalidInput `claims_incomplete` or `extension_invalid`."""
    return restore(claims).record


def restore(claims: Sequence[Claim]) -> Restored:
    """The record and where it stood. Raises InvalidInput `claims_incomplete` or `extension_invalid`."""
    last = claims[-1].body if claims else None
    if not isinstance(last, Extension) or last.namespace != NAMESPACE or last.version != EXTENSION_VERSION:
        raise InvalidInput("claims_incomplete", "no metro2 extension of this version at the end", path="$.kind")
    kept = last.fields
    try:
        form = Form(kept["form"])
        place = Place(kept["import"], int(kept["line"]), _ENDINGS[kept.get("ending", "")])
        layouts = [SEGMENTS[kind] for kind in kept.get("segments", "").split()]
        padding = " " * int(kept.get("padding", "0"))
        base, segments = outline(claims, layouts, form)
        fill(BASE, base, kept, "base")
        for number, (layout, texts) in enumerate(zip(layouts, segments, strict=True), start=1):
            fill(layout, texts, kept, f"{layout.kind.lower()}.{number}")
    except (KeyError, ValueError) as fault:
        raise InvalidInput("extension_invalid", "not an extension of a Metro 2 record", path="$.body.fields") from fault
    appended = tuple(Segment(layout.kind, tuple(texts)) for layout, texts in zip(layouts, segments, strict=True))
    return Restored(place, Record(form, kept.get("block", ""), Segment(BASE.kind, tuple(base)), appended, padding))


# -- from the record to claims ------------------------------------------------------------------------------------


def _agreement(record: Record, text: Mapping[str, str], parties: Sequence[bytes | None], currency: str) -> Agreement:
    terms = text["terms_duration"]
    named = [segment for segment in record.segments if segment.kind in J_KINDS] if parties else []
    values: dict[str, Any] = {
        "currency": currency,
        "collateral": text["account_type"] in codes.SECURED_TYPES or text["portfolio_type"] == "M",
        "frequency": codes.FREQUENCIES.get(text["terms_frequency"]),
        "instalments": int(terms) or None if terms.isdigit() else None,
        "limit": cents_of(text["credit_limit"]) or None,
        "parties": tuple(
            [
                Party(role=_role(segment), subject=who)
                for segment, who in zip(named, parties, strict=False)
                if who is not None
            ][:PARTIES_MAX]
        ),
        "portfolio_type": codes.PORTFOLIOS[text["portfolio_type"]],
        "principal": cents_of(text["highest_credit"]) or 0,
        "product": codes.PRODUCTS.get(text["account_type"]),
    }
    return Agreement(**values)


def _role(segment: Segment) -> Any:
    return codes.ROLES.get(segment.text_of("ecoa_code"), "co_borrower")


@lru_cache(maxsize=4_096)
def last_day_of(month: int) -> date:
    """The last day of a month number (year * 12 + month - 1): what a month of the history is dated by."""
    following = month + 1
    return date(following // 12, following % 12 + 1, 1) - timedelta(days=1)


@lru_cache(maxsize=256)
def _month_alone(character: str, currency: str) -> StatusSnapshot:
    return StatusSnapshot(currency=currency, history_code=character)


def _history(profile: str, month: int, role: str, currency: str) -> Iterator[Claim]:
    for back in range(len(profile.rstrip("B")), 0, -1):
        yield Claim("status_snapshot", last_day_of(month - back), role, _month_alone(profile[back - 1], currency))


def _snapshot(text: Mapping[str, str], currency: str) -> StatusSnapshot:
    word, days = codes.STATUS_WORDS[text["account_status"]]
    rating = text["payment_rating"]
    if text["account_status"] in codes.RATED_WITH_DAYS and rating.isdigit():
        days = int(rating) * 30
    status: Any = word
    return StatusSnapshot(
        balance=cents_of(text["current_balance"]),
        currency=currency,
        dpd=days,
        paid=cents_of(text["actual_payment"]),
        past_due=cents_of(text["amount_past_due"]),
        scheduled=cents_of(text["scheduled_monthly_payment"]),
        status=status,
    )


def _standing(text: Mapping[str, str], as_of: date, role: str, currency: str) -> Iterator[Claim]:
    """What stands beside the loan's stage: a charge-off, a dispute."""
    if text["account_status"] in codes.CHARGED_OFF or text["payment_rating"] == "L":
        lost = cents_of(text["original_chargeoff_amount"]) or 0
        first = day_of(text["date_of_first_delinquency"])
        body = ChargeOff(amount=lost, currency=currency, first_delinquency=first, original_amount=lost)
        yield Claim("charge_off", _charged_off_by(text["payment_history_profile"], as_of), role, body)
    code = text["compliance_condition_code"]
    if code in codes.DISPUTES:
        state: Any = codes.DISPUTES[code]
        yield Claim("dispute", as_of, role, Dispute(claim=codes.DISPUTE_CLAIM, compliance_code=code, state=state))


def _charged_off_by(profile: str, as_of: date) -> date:
    run = _CHARGED_OFF_RUN.match(profile)
    return as_of if run is None else last_day_of(month_of(as_of) - run.end())


def _ending(
    record: Record, text: Mapping[str, str], as_of: date, role: str, seller: str, currency: str
) -> Iterator[Claim]:
    """How the account ended, if it did."""
    status, on = text["account_status"], day_of(text["date_closed"]) or as_of
    buyer = _buyer(record) if status == "05" else ""
    if buyer:
        balance = cents_of(text["current_balance"]) or 0
        yield Claim("transfer", on, role, Transfer(balance=balance, buyer=buyer, currency=currency, seller=seller))
        return
    cause: Any = {"05": "transferred", "DF": "fraud"}.get(status, "")
    if status in codes.PAID_AND_CLOSED:
        cause = "settled_short" if text["special_comment"] == codes.SETTLED_COMMENT else "paid"
    if cause:
        yield Claim("closure", on, role, Closure(cause=cause))


def _buyer(record: Record) -> str:
    sold = (segment for segment in record.segments if segment.kind == "K2")
    return next(
        (
            segment.text_of("purchased_or_sold_name").strip()
            for segment in sold
            if segment.text_of("portfolio_indicator") == "2"
        ),
        "",
    )


def _extension(record: Record, claims: Sequence[Claim], place: Place) -> Extension:
    layouts = [SEGMENTS[segment.kind] for segment in record.segments]
    base, segments = outline(claims, layouts, record.form)
    fields = {"form": record.form.value, "import": place.import_id, "line": str(place.line)}
    for name, value in (
        ("segments", " ".join([layout.kind for layout in layouts])),
        ("block", record.block),
        ("padding", str(len(record.padding) or "")),
        ("ending", _LINE_ENDS[place.ending]),
    ):
        if value:
            fields[name] = value
    fields |= _differing(record.base, base, "base")
    parts: dict[str, str] = {}
    for number, (segment, texts) in enumerate(zip(record.segments, segments, strict=True), start=1):
        parts |= _differing(segment, texts, f"{segment.kind.lower()}.{number}")
    if len(fields) + len(parts) > _FIELDS_MAX or sum(map(len, parts)) + sum(map(len, parts.values())) > _BYTES_MAX:
        parts = {
            f"{segment.kind.lower()}.{number}": "".join(segment.fields).rstrip(" ")
            for number, segment in enumerate(record.segments, start=1)
        }
    return Extension(fields=fields | parts, namespace=NAMESPACE, version=EXTENSION_VERSION)


def _differing(segment: Segment, outline: Sequence[str], prefix: str) -> dict[str, str]:
    return {
        f"{prefix}.{name}": stood.rstrip(" ")
        for name, stood, foreseen in zip(_layout_of(segment).place_of, segment.fields, outline, strict=True)
        if stood != foreseen
    }


def _layout_of(segment: Segment) -> Layout:
    return BASE if segment.kind == BASE.kind else SEGMENTS[segment.kind]
