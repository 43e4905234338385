"""Which attestations are events, and what they keep."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from ledger.attestation.envelope import compose
from ledger.attestation.registry import SPECS
from ledger.node.watch_round import FOLLOWED_KINDS
from ledger.risk.borrower import Event
from ledger.risk.events import Link, event_of, links_of
from tests.support.every_kind import BODIES, DAY, HASH, envelope_fields

SEEN = DAY.toordinal() + 3
ACCOUNT = HASH[::-1]


def event(kind: str, **changes: object) -> Event | None:
    body = msgspec.structs.replace(BODIES[kind], **changes)
    made = compose(envelope_fields(kind), body)
    return event_of(made.envelope, made.body, seen=SEEN, index=7, position=2)


def test_the_watcher_follows_exactly_what_is_an_event_or_makes_a_link() -> None:
    events = {kind for kind in SPECS if event(kind) is not None}
    links = {kind for kind in SPECS if links_of(compose(envelope_fields(kind), BODIES[kind]).envelope, BODIES[kind])}
    assert set(FOLLOWED_KINDS) == events | links | {"consent"}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("application", {"kind": "application", "amount": 0}),
        ("closure", {"kind": "closure"}),
        ("collateral", {"kind": "collateral", "item": HASH}),
        ("default", {"kind": "arrears", "amount": 90}),
        ("delinquency", {"kind": "arrears", "amount": 31}),
        ("disbursement", {"kind": "disbursement", "amount": 1}),
        ("repayment", {"kind": "repayment", "amount": 15}),
        ("reversal", {"kind": "reversal", "amount": 1}),
        ("schedule", {"kind": "schedule", "rows": ((DAY.toordinal(), 1), (DAY.toordinal(), 5))}),
        ("status_snapshot", {"kind": "arrears", "amount": 0}),
        ("transfer", {"kind": "closure"}),
    ],
)
def test_each_kind_keeps_what_a_feature_needs(kind: str, expected: dict[str, object]) -> None:
    whole = {
        "seen": SEEN, "day": DAY.toordinal(), "lender": "acacia", "account": ACCOUNT, "index": 7, "position": 2,
    }  # fmt: skip
    assert event(kind) == Event(**(whole | expected))  # type: ignore[arg-type]


def test_only_a_hard_enquiry_says_that_credit_was_asked_for() -> None:
    hard = event("enquiry")
    assert hard is not None
    assert (hard.kind, hard.account) == ("enquiry", b"")
    assert event("enquiry", depth="soft") is None


def test_a_snapshot_without_days_past_due_says_nothing() -> None:
    assert event("status_snapshot", dpd=None) is None


def test_what_is_dated_later_than_it_was_learnt_counts_as_that_day() -> None:
    made = compose(envelope_fields("repayment", effective_date=date(2030, 1, 1)), BODIES["repayment"])
    found = event_of(made.envelope, made.body, seen=SEEN, index=0, position=0)
    assert found is not None
    assert found.day == SEEN


def test_guarantees_and_pledges_make_links() -> None:
    envelope = compose(envelope_fields("guarantee"), BODIES["guarantee"]).envelope
    assert links_of(envelope, BODIES["guarantee"]) == Link("guarantor", HASH)
    assert links_of(envelope, BODIES["collateral"]) == Link("item", HASH)
    assert links_of(envelope, msgspec.structs.replace(BODIES["collateral"], item=None)) is None
