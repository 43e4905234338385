"""The table of kinds: complete, in canonical order, and the rules beyond types."""

from __future__ import annotations

from datetime import date
from typing import Any, get_args

import msgspec
import pytest

from ledger.attestation.credit_kinds import ScheduleRow
from ledger.attestation.fields import Body
from ledger.attestation.registry import SPECS, Kind, check_body, every_structure
from ledger.attestation.sharing_kinds import Statement
from ledger.errors import InvalidInput
from tests.support.every_kind import BODIES, DAY, OTHER_ID


def changed(kind: str, **changes: Any) -> Body:
    return msgspec.structs.replace(BODIES[kind], **changes)


def rows(*days: date, first: int = 1) -> tuple[ScheduleRow, ...]:
    return tuple(ScheduleRow(due=day, n=n) for n, day in enumerate(days, first))


def test_the_table_has_the_kinds_of_the_type_in_their_order() -> None:
    assert tuple(SPECS) == get_args(Kind) == tuple(sorted(SPECS))


def test_no_two_kinds_share_a_structure() -> None:
    assert len({spec.body for spec in SPECS.values()}) == len(SPECS) == 43


def test_only_the_deployment_speaks_of_consent_access_erasure_and_keys() -> None:
    by_deployment = {kind for kind, spec in SPECS.items() if spec.publisher == "deployment"}
    assert by_deployment == {
        "access", "alert", "alert_step", "consent", "contract", "effect", "erasure", "key", "model", "tick",
    }  # fmt: skip


def test_what_a_view_never_shows() -> None:
    hidden = {kind for kind, spec in SPECS.items() if not spec.disclosed}
    assert hidden == {
        "access", "alert", "alert_step", "consent", "contract", "effect", "erasure", "extension", "identity_link", "key",
        "model", "tick",
    }  # fmt: skip


def test_what_each_kind_is_about() -> None:
    of_subject = {kind for kind, spec in SPECS.items() if spec.about == "subject"}
    assert of_subject == {
        "access", "alert", "alert_step", "alt_data", "consent", "contract", "effect", "enquiry", "identity_link",
        "insolvency", "notice", "score", "statement",
    }  # fmt: skip
    assert {kind for kind, spec in SPECS.items() if spec.about == "nothing"} == {"erasure", "key", "model", "tick"}


@pytest.mark.parametrize("structure", every_structure(), ids=lambda structure: structure.__name__)
def test_members_stand_in_ascii_order_and_none_is_unknown_null_or_a_float(structure: type[Body]) -> None:
    names = list(structure.__struct_encode_fields__)
    assert names == sorted(names)
    assert structure.__struct_config__.forbid_unknown_fields
    assert structure.__struct_config__.omit_defaults
    assert structure.__struct_config__.frozen
    assert "float" not in str(structure.__annotations__)


def test_every_structure_is_looked_at() -> None:
    assert {spec.body for spec in SPECS.values()} < set(every_structure())
    assert len({structure.__name__ for structure in every_structure()}) == len(every_structure())


@pytest.mark.parametrize("kind", sorted(SPECS))
def test_each_example_keeps_the_rules(kind: str) -> None:
    check_body(kind, BODIES[kind], 1)


ALLOCATED = msgspec.structs.replace(BODIES["repayment"].allocated, excess=0)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "changes", "code", "path"),
    [
        ("repayment", {"amount": 16}, "allocation_mismatch", "$.body.allocated"),
        ("repayment", {"allocated": ALLOCATED}, "allocation_mismatch", "$.body.allocated"),
        ("schedule", {"rows": rows(DAY, first=0)}, "schedule_order", "$.body.rows[0].n"),
        ("schedule", {"rows": rows(DAY) + rows(DAY)}, "schedule_order", "$.body.rows[1].n"),
        ("schedule", {"rows": rows(DAY, date(2026, 1, 30))}, "schedule_order", "$.body.rows[1].due"),
        ("pause", {"until": date(2026, 1, 30)}, "period_reversed", "$.body.until"),
        ("alt_data", {"period_to": date(2026, 1, 30)}, "period_reversed", "$.body.periodTo"),
        ("decision", {"amount": None}, "field_missing", "$.body.amount"),
        ("decision", {"currency": None}, "field_missing", "$.body.amount"),
        ("consent", {"artefact": None}, "field_missing", "$.body.artefact"),
        ("consent", {"artefact": None, "step": "requested"}, "field_missing", "$.body.artefact"),
        ("consent", {"version": 3}, "consent_mismatch", "$.body.artefact"),
        ("consent", {"consent": OTHER_ID}, "consent_mismatch", "$.body.artefact"),
        ("contract", {"contract": bytes(32)}, "contract_mismatch", "$.body.contract"),
        ("contract", {"effect": None}, "field_missing", "$.body.effect"),
        ("contract", {"step": "signed"}, "field_missing", "$.body.effect"),
        ("alert", {"reading": 2}, "alert_reading", "$.body.reading"),
        ("alert", {"baseline": 3}, "alert_reading", "$.body.reading"),
        ("alert_step", {"outcome": None}, "alert_step_member", "$.body.step"),
        ("alert_step", {"snoozed_until": DAY}, "alert_step_member", "$.body.step"),
        ("alert_step", {"step": "opened"}, "alert_step_member", "$.body.step"),
        ("model", {"approvals": BODIES["model"].approvals[:1]}, "model_unapproved", "$.body.approvals"),
        ("model", {"approvals": BODIES["model"].approvals[:1] * 2}, "model_unapproved", "$.body.approvals"),
        ("model", {"challenger": None}, "model_unapproved", "$.body.approvals"),
        ("score", {"value": 901}, "score_range", "$.body.value"),
        ("score", {"value": -(2**53)}, "score_range", "$.body.value"),
        ("statement", {"text": "word " * 101}, "statement_long", "$.body.text"),
    ],
)
def test_each_rule_refuses_what_breaks_it(kind: str, changes: dict[str, Any], code: str, path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_body(kind, changed(kind, **changes), 1)
    assert (caught.value.code, caught.value.path) == (code, path)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("repayment", {"allocated": None}),
        ("schedule", {"rows": rows(DAY, DAY, date(2026, 2, 1))}),
        ("pause", {"until": DAY}),
        ("decision", {"amount": None, "currency": None, "outcome": "declined"}),
        ("consent", {"artefact": None, "step": "revoked"}),
        ("alert_step", {"outcome": None, "step": "snoozed", "snoozed_until": DAY}),
        ("alert_step", {"outcome": None, "step": "opened"}),
        ("model", {"approvals": (), "challenger": None, "step": "registered"}),
        ("score", {"value": 900}),
        ("score", {"value": -(2**53 - 1)}),
        ("statement", {"text": "word " * 100}),
    ],
)
def test_the_edge_of_each_rule_is_inside(kind: str, changes: dict[str, Any]) -> None:
    check_body(kind, changed(kind, **changes), 1)


@pytest.mark.parametrize("kind", ["correction", "deletion", "reversal"])
def test_what_takes_something_back_says_what(kind: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_body(kind, BODIES[kind], 0)
    assert (caught.value.code, caught.value.path) == ("reference_missing", "$.refs")


@pytest.mark.parametrize("kind", sorted(kind for kind in BODIES if hasattr(BODIES[kind], "currency")))
@pytest.mark.parametrize("currency", ["XXX", "XTS", "XAU", "kes", "DEM"])
def test_a_currency_that_is_not_in_use_is_refused_in_every_kind_that_has_one(kind: str, currency: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_body(kind, changed(kind, currency=currency), 1)
    assert (caught.value.code, caught.value.path) == ("currency_unknown", "$.body.currency")


def test_a_statement_counts_words_whatever_stands_between_them() -> None:
    check_body("statement", Statement(text="\n\t ".join(["word"] * 100)), 0)
