"""Which purposes a borrower allows a lender on a day, from the steps of consents alone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
import pytest

from ledger.attestation.envelope import compose
from ledger.attestation.sharing_kinds import Artefact, Consent
from ledger.contract.consents import DAY_MS, Consents
from tests.support.contract_logs import uuid7
from tests.support.every_kind import ARTEFACT

SUBJECT = b"s" * 32
DAY = date(2026, 3, 1)
BEGINS = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp() * 1000)
Step = Literal["requested", "granted", "rejected", "paused", "resumed", "revoked", "expired", "superseded"]


def terms(**members: Any) -> Artefact:
    """A consent of the borrower to acacia, for three days from noon on."""
    whole = {"consumer": "acacia", "expiry": BEGINS + 3 * DAY_MS + 1, "start": BEGINS + DAY_MS // 2, "subject": SUBJECT,
             "supersedes": None, "version": 1}  # fmt: skip
    return msgspec.structs.replace(ARTEFACT, **(whole | members))


def said(step: Step, artefact: Artefact, number: int = 1) -> Any:
    body = Consent(
        artefact=artefact if step in ("requested", "granted") else None, consent=artefact.consent,
        signed_by="deployment", step=step, version=artefact.version,
    )  # fmt: skip
    return compose({"effective_date": DAY, "id": uuid7(number), "jurisdiction": "KE", "kind": "consent",
                    "legal_basis": "consent", "reported_at": number, "role": "borrower", "salt": bytes(16),
                    "subject": artefact.subject, "tenant": "tally"}, body)  # fmt: skip


def after(*steps: Step, **members: Any) -> Consents:
    consents = Consents()
    for step in steps:
        consents.see(said(step, terms(**members)))
    return consents


def standing(consents: Consents, days: int = 0, consumer: str = "acacia") -> set[str]:
    return set(consents.standing(SUBJECT, consumer, DAY.toordinal() + days))


CODE = ARTEFACT.purpose.code


@pytest.mark.parametrize(("steps", "stands"), [
    ((), False), (("requested",), False), (("requested", "granted"), True), (("requested", "rejected"), False),
    (("requested", "granted", "paused"), False), (("requested", "granted", "paused", "resumed"), True),
    (("requested", "granted", "revoked"), False), (("requested", "granted", "expired"), False),
    (("requested", "granted", "superseded"), False), (("granted",), False), (("requested", "revoked", "granted"), True),
])  # fmt: skip
def test_a_consent_stands_while_its_last_step_left_it_active(steps: tuple[Step, ...], stands: bool) -> None:
    assert standing(after(*steps)) == ({CODE} if stands else set())


def test_it_stands_on_the_days_of_its_start_and_its_expiry_and_between() -> None:
    consents = after("requested", "granted")
    assert [bool(standing(consents, days)) for days in range(-1, 5)] == [False, True, True, True, True, False]
    midnight = after("requested", "granted", expiry=BEGINS + 3 * DAY_MS)
    assert [bool(standing(midnight, days)) for days in (2, 3)] == [True, False]


def test_another_consumer_and_another_borrower_have_nothing_of_it() -> None:
    consents = after("requested", "granted")
    assert standing(consents, consumer="baobab") == set()
    assert consents.standing(bytes(32), "acacia", DAY.toordinal()) == frozenset()
    consents.see(said("requested", terms(subject=bytes(32))))
    consents.see(said("granted", terms(subject=bytes(32))))
    consents.see(said("revoked", terms(subject=bytes(32))))
    assert standing(consents) == {CODE}  # the same id, of another borrower


def test_what_moved_is_told_with_its_terms() -> None:
    consents = after("requested", "granted")
    moved = consents.see(said("revoked", terms()))
    assert moved is not None
    assert (moved.artefact, moved.state) == (terms(), "revoked")
    assert consents.see(said("revoked", terms())) is None
    assert consents.see(said("revoked", terms(consent=UUID(int=terms().consent.int + 1)))) is None


def test_what_is_stored_counts_until_something_newer_was_seen() -> None:
    consents = Consents()
    consents.learn(terms(), "active")
    assert standing(consents) == {CODE}
    consents.see(said("paused", terms()))
    consents.learn(terms(), "active")
    assert standing(consents) == set()
