"""The rule of the overdue fifth over a shared ledger: who learns what, and what of it the borrower sees."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import pytest

from ledger.attestation.credit_kinds import Agreement, Disbursement, Schedule, ScheduleRow
from ledger.errors import InvalidInput, NotFound, Refused
from ledger.node.market_rules import PURPOSE
from ledger.node.node import Node
from ledger.store.tenant_rows import TenantRow
from ledger.types import AccountRef, Subject, TenantId
from tests.support.checks import artefact_for, ensure_sound, grant
from tests.support.ledgers import Lender, TestDatabase

DEBTOR = Subject(b"d" * 32)
LONG_AGO, LATER = date(2024, 1, 10), date(2060, 1, 10)


async def enrol(node: Node, name: str, country: str = "CN") -> Lender:
    """A lender of a country."""
    lender = Lender(name)
    await node.authority.enrol_tenant(TenantRow(lender.name, name.title(), "lender", country), lender.key.public_jwk())
    return lender


async def lend(node: Node, lender: Lender, amount: int, due: date, **rest: Any) -> AccountRef:
    """A loan of ``amount``, due in one sum."""
    account = AccountRef(lender.name.encode().ljust(32, b"."))
    where: dict[str, Any] = {"account": account, "subject": DEBTOR, "effective_date": date(2024, 1, 1)} | rest
    row = ScheduleRow(due=due, n=1, principal=amount)
    bodies = [
        ("agreement", Agreement(currency="CNY", portfolio_type="instalment", principal=amount)),
        ("disbursement", Disbursement(amount=amount, currency="CNY", tranche=1)),
        ("schedule", Schedule(cause="initial", currency="CNY", rows=(row,), version=1)),
    ]  # fmt: skip
    told = [lender.attest(kind, body, **where) for kind, body in bodies]
    await node.publisher.publish(lender.name, *lender.batch(told))
    return account


@pytest.fixture
async def mine(node: Node) -> AccountRef:
    """Acacia's own loan of 1,000, not due; baobab's of 500, long overdue; cedar's of 700, not due."""
    account = await lend(node, await enrol(node, "acacia"), 1_000, LATER)
    await lend(node, await enrol(node, "baobab"), 500, LONG_AGO)
    await lend(node, await enrol(node, "cedar"), 700, LATER)
    return account


ACACIA = TenantId("acacia")


async def test_by_law_a_lender_learns_that_the_rule_applied_and_counts(node: Node, mine: AccountRef) -> None:
    answer = await node.market_rules.pulled(ACACIA, mine, retail=False)
    assert (answer.code, answer.at_least, answer.basis) == ("applied", "substandard", "law")
    assert (answer.claims_counted, answer.claims_bad, answer.lenders_counted) == (3, 1, 3)
    assert "art. 10" in answer.evidence


async def test_the_borrower_sees_who_looked_and_by_which_right(
    node: Node, mine: AccountRef, database: TestDatabase
) -> None:
    await node.market_rules.pulled(ACACIA, mine, retail=False)
    (seen,) = await node.reader.accesses(DEBTOR, limit=5)
    assert (seen.access.consumer, seen.access.purpose, seen.access.consent) == ("acacia", PURPOSE, None)
    assert (seen.access.lines, seen.access.detail) == (3, "PROFILE")
    await ensure_sound(database)


async def test_a_share_of_a_fifth_does_not_pull(node: Node) -> None:
    account = await lend(node, await enrol(node, "acacia"), 400, LATER)
    await lend(node, await enrol(node, "baobab"), 100, LONG_AGO)
    answer = await node.market_rules.pulled(ACACIA, account, retail=False)
    assert (answer.code, answer.applied, answer.claims_counted) == ("not_applied", False, None)


async def test_a_consumer_is_exempt(node: Node, mine: AccountRef) -> None:
    assert (await node.market_rules.pulled(ACACIA, mine, retail=True)).code == "retail_exempt"


async def test_where_the_law_has_no_such_rule_nothing_is_read_and_nothing_recorded(node: Node) -> None:
    account = await lend(node, await enrol(node, "acacia", "KE"), 400, LATER)
    await lend(node, await enrol(node, "baobab"), 9_000, LONG_AGO)
    size = (await node.log.head()).size
    answer = await node.market_rules.pulled(ACACIA, account, retail=False)
    assert (answer.code, answer.applied) == ("value_none", None)
    assert (await node.log.head()).size == size
    assert await node.reader.accesses(DEBTOR, limit=5) == []


async def test_a_lender_of_a_country_without_a_pack_is_told_so(node: Node) -> None:
    account = await lend(node, await enrol(node, "acacia", "BR"), 400, LATER)
    with pytest.raises(NotFound) as refused:
        await node.market_rules.pulled(ACACIA, account, retail=False)
    assert refused.value.code == "pack_unknown"


async def test_a_lender_learns_nothing_of_who_is_not_its_own_debtor(node: Node, mine: AccountRef) -> None:
    await enrol(node, "dogwood")
    with pytest.raises(NotFound) as refused:
        await node.market_rules.pulled(TenantId("dogwood"), mine, retail=False)
    assert refused.value.code == "loan_unknown"
    assert await node.reader.accesses(DEBTOR, limit=5) == []


async def consented(node: Node, **rest: Any) -> UUID:
    """The id of a granted consent of the debtor's to acacia."""
    artefact = artefact_for(DEBTOR, "acacia", **({"categories": ("LOAN", "CARD"), "detail": "SUMMARY"} | rest))
    await grant(node, artefact)
    return artefact.consent


async def test_by_consent_the_read_is_the_consents_own(node: Node, mine: AccountRef) -> None:
    consent = await consented(node)
    answer = await node.market_rules.pulled(ACACIA, mine, retail=False, consent=consent)
    assert (answer.code, answer.basis, answer.evidence) == ("applied", "consent", str(consent))
    (seen,) = await node.reader.accesses(DEBTOR, limit=5)
    assert seen.access.consent == consent


@pytest.mark.parametrize(
    "rest", [{"providers": ("baobab",)}, {"categories": ("LOAN",)}, {"detail": "PROFILE"}, {"fields": ("dpd",)}]
)
async def test_a_consent_to_a_part_is_refused(node: Node, mine: AccountRef, rest: dict[str, Any]) -> None:
    consent = await consented(node, **rest)
    with pytest.raises(Refused) as refused:
        await node.market_rules.pulled(ACACIA, mine, retail=False, consent=consent)
    assert refused.value.code == "consent_narrowed"


async def test_another_borrowers_consent_is_refused(node: Node, mine: AccountRef) -> None:
    artefact = artefact_for(b"e" * 32, "acacia", categories=("LOAN", "CARD"), detail="SUMMARY")
    await grant(node, artefact)
    with pytest.raises(Refused) as refused:
        await node.market_rules.pulled(ACACIA, mine, retail=False, consent=artefact.consent)
    assert refused.value.code == "consent_other_borrower"


async def test_an_unknown_consent_is_not_found(node: Node, mine: AccountRef) -> None:
    with pytest.raises(NotFound) as refused:
        await node.market_rules.pulled(ACACIA, mine, retail=False, consent=UUID(int=7))
    assert refused.value.code == "consent_unknown"


async def test_debts_in_two_currencies_have_no_share(node: Node, mine: AccountRef) -> None:
    dollar = await enrol(node, "elder")
    body = Agreement(currency="USD", portfolio_type="instalment", principal=5)
    where: dict[str, Any] = {"account": b"x" * 32, "subject": DEBTOR, "effective_date": date(2024, 1, 1)}
    told = [dollar.attest("agreement", body, **where),
            dollar.attest("disbursement", Disbursement(amount=5, currency="USD", tranche=1), **where)]  # fmt: skip
    await node.publisher.publish(dollar.name, *dollar.batch(told))
    with pytest.raises(InvalidInput) as refused:
        await node.market_rules.pulled(ACACIA, mine, retail=False)
    assert refused.value.code == "currency_mixed"
