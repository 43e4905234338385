"""What effects mean for the loan, and which of them a lender is warned of."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints
from uuid import UUID

import pytest

from ledger.attestation.contract_kinds import Cause, Effect
from ledger.attestation.registry import SPECS
from ledger.attestation.risk_kinds import AlertCause
from ledger.attestation.sharing_kinds import Notice
from ledger.contract.document import ENGINE
from ledger.contract.landing import CONTRACT_RULE, LANDED_KINDS, NOTICES, alert_of, landed
from ledger.contract.vocabulary import EFFECTS
from ledger.node.watcher import shipped_rules
from tests.support.contracts import BATCH, DAY, document

CAUSE = AlertCause(batch=UUID(int=BATCH.int), commitment=bytes(32), index=7, position=1)
NOW = 1_770_000_000_000


def effect(name: str, **arguments: int | str) -> Effect:
    """An effect of the contract of tests."""
    cause = Cause(batch=BATCH, commitment=bytes(32), index=1, position=0)
    return Effect(
        account=bytes(32), arguments=arguments, cause=cause, contract=b"c" * 32, effect=name, engine=ENGINE, id=b"i" * 32,
        inputs=bytes(32), lender="acacia", n=0, rule="r1",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "arguments", "kinds"),
    [
        ("penalty.apply", {"amount": 5, "code": "late"}, ["charge"]),
        ("discount.apply", {"amount": 5, "code": "early"}, ["waiver"]),
        ("terms.change", {"what": "rate_ppm", "by": -5, "code": "x"}, ["restructure"]),
        ("terms.change", {"what": "grace_days", "by": 5, "code": "x"}, []),
        ("collateral.release", {"code": "paid"}, ["collateral"]),
        ("attestation.emit", {"kind": "pause", "code": "disaster", "days": 3}, ["pause"]),
        ("attestation.emit", {"kind": "closure", "code": "paid"}, ["closure"]),
        ("attestation.emit", {"kind": "notice", "code": "pre_negative"}, ["notice"]),
        ("attestation.emit", {"kind": "notice", "code": "else"}, []),
        ("attestation.emit", {"kind": "classification", "code": "x"}, []),
        ("proposal.open", {"code": "x"}, []),
        ("offer.accepted", {"code": "x", "offer": "restructure", "what": "term_days", "by": 30}, ["restructure"]),
        ("offer.accepted", {"code": "x", "offer": "refinance"}, ["restructure"]),
        ("offer.accepted", {"code": "x", "offer": "settlement", "amount": 5}, []),
        ("offer.accepted", {"code": "x", "offer": "guarantor_call", "amount": 5}, []),
        ("consent.require", {"code": "103"}, []),
        ("consent.met", {"code": "103"}, []),
        ("consent.lapsed", {"code": "103"}, []),
        ("rule.failed", {"code": "overflow", "at": "if"}, []),
    ],
)
def test_what_an_effect_means_is_published_or_is_a_record_alone(name: str, arguments: Any, kinds: list[str]) -> None:
    found = landed(effect(name, **arguments), document(), DAY, NOW)
    assert [landing.kind for landing in found] == kinds
    assert all(type(landing.body) is SPECS[landing.kind].body for landing in found)
    assert set(kinds) <= LANDED_KINDS


@pytest.mark.parametrize(("arguments", "kind", "forborne"), [
    ({"offer": "restructure", "what": "term_days", "by": 30}, "extend", True),
    ({"offer": "restructure", "what": "term_days", "by": -30}, "re_amortise", True),
    ({"offer": "restructure", "what": "rate_ppm", "by": -5}, "rate_cut", True),
    ({"offer": "restructure", "what": "rate_ppm", "by": 5}, "re_amortise", True),
    ({"offer": "refinance", "what": "rate_ppm", "by": -5}, "refinance", False),
])  # fmt: skip
def test_an_accepted_offer_has_the_name_of_what_it_eases_and_help_is_forbearance(
    arguments: Any, kind: str, forborne: bool
) -> None:
    (landing,) = landed(effect("offer.accepted", code="x", **arguments), document(), DAY, NOW)
    assert (landing.body.type, landing.body.forborne, landing.body.loss_bp) == (kind, forborne, 0)  # type: ignore[attr-defined]


def test_a_warning_for_the_lender_is_an_alert_of_the_contract() -> None:
    alert = alert_of(effect("alert.raise", code="STRESS", severity=3, to="lender"), CAUSE, episode=4)
    assert alert is not None
    assert (alert.audience, alert.rule, alert.rules, alert.reasons) == ("acacia", "contract", b"c" * 32, ("STRESS",))
    assert (alert.severity, alert.episode, alert.causes, alert.account) == (3, 4, (CAUSE,), bytes(32))
    assert alert_of(effect("alert.raise", code="STRESS", severity=3), CAUSE, episode=1) is not None
    assert alert_of(effect("alert.raise", code="STRESS", severity=3, to="borrower"), CAUSE, episode=1) is None
    assert alert_of(effect("penalty.apply", code="late", amount=3), CAUSE, episode=1) is None


def test_words_are_those_of_the_kinds() -> None:
    assert set(get_args(get_type_hints(Notice)["kind"])) == NOTICES
    assert set(SPECS) >= LANDED_KINDS
    assert CONTRACT_RULE not in {rule.code for rule in shipped_rules().rules}
    assert {"alert.raise", "attestation.emit", "penalty.apply", "terms.change"} <= EFFECTS.keys()
