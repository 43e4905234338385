"""Loans that are sold: the history follows the loan, in the view and for its lender; claims of one side show nothing."""

from __future__ import annotations

import os
from datetime import date
from typing import Any

import pytest

from ledger.attestation import credit_kinds as credit
from ledger.attestation.envelope import Attestation
from ledger.attestation.fields import Body
from ledger.errors import NotFound
from ledger.loan.state import Links, decode_state
from ledger.node.node import Node
from ledger.types import AccountRef, Subject
from ledger.view.credit_view import Continued, Line
from tests.support.checks import artefact_for, enrol_app, ensure_sound, grant, rows_of
from tests.support.ledgers import Lender, TestDatabase
from verifier.tallystick_verify import Report, verify_document

KES: dict[str, Any] = {"currency": "KES"}
A, B, C = b"\x0a" * 32, b"\x0b" * 32, b"\x0c" * 32
DOFD = date(2025, 9, 10)
TODAY = date(2026, 4, 20)


class Market:
    """Three lenders and one borrower."""

    def __init__(self, node: Node, acacia: Lender, baobab: Lender, cedar: Lender) -> None:
        self.node, self.acacia, self.baobab, self.cedar = node, acacia, baobab, cedar
        self.subject = os.urandom(32)

    async def say(self, lender: Lender, account: bytes, on: date, *bodies: Body, subject: bytes = b"") -> None:
        """Publish what a lender says of an account, one batch."""
        told: list[Attestation] = [
            lender.attest(
                _kind(body), body, account=account, subject=subject or self.subject, effective_date=on
            )
            for body in bodies
        ]  # fmt: skip
        await self.node.publisher.publish(lender.name, *lender.batch(told))

    async def lends(self, lender: Lender, account: bytes, on: date, **terms: Any) -> None:
        """An agreement, and money."""
        agreed = credit.Agreement(portfolio_type="instalment", principal=900, **KES, **terms)
        await self.say(lender, account, on, agreed, credit.Disbursement(amount=900, tranche=1, **KES))

    async def reports(self, lender: Lender, account: bytes, *months: tuple[date, str]) -> None:
        """The books of several month ends, each with its character."""
        for on, character in months:
            books = credit.StatusSnapshot(balance=900, status="past_due", history_code=character, **KES)
            await self.say(lender, account, on, books)

    async def sells(self, seller: Lender, account: bytes, on: date, buyer: str, to: bytes | None) -> None:
        """A transfer."""
        sale = credit.Transfer(balance=900, buyer=buyer, new_account=to, seller=seller.name, **KES)
        await self.say(seller, account, on, sale)

    async def line(self, lender: Lender, account: bytes, on: date = TODAY) -> Line:
        """A lender's own line."""
        return await self.node.reader.lender_loan(lender.name, AccountRef(account), as_of=on)

    async def first(self, *, buyer: str = "baobab", to: bytes | None = B) -> None:
        """Acacia's loan of October 2025, charged off, sold on 15 January 2026."""
        await self.lends(self.acacia, A, date(2025, 10, 1))
        await self.reports(self.acacia, A, (date(2025, 11, 30), "1"), (date(2025, 12, 31), "L"))
        await self.say(self.acacia, A, date(2025, 12, 31), credit.ChargeOff(
            amount=900, first_delinquency=DOFD, original_amount=900, **KES))  # fmt: skip
        await self.sells(self.acacia, A, date(2026, 1, 15), buyer, to)

    async def second(self, **link: Any) -> None:
        """Baobab's loan from 15 January on."""
        named = link or {"predecessor": A, "predecessor_lender": "acacia"}
        await self.lends(self.baobab, B, date(2026, 1, 15), **named)
        await self.reports(self.baobab, B, (date(2026, 2, 28), "3"), (date(2026, 3, 31), "4"))


def _kind(body: Body) -> str:
    names = {"ChargeOff": "charge_off", "StatusSnapshot": "status_snapshot"}
    return names.get(type(body).__name__, type(body).__name__.lower())


@pytest.fixture
async def market(node: Node, acacia: Lender) -> Market:
    """Three lenders."""
    return Market(node, acacia, await Lender("baobab").enrol(node), await Lender("cedar").enrol(node))


async def test_the_months_before_a_sale_are_in_the_buyers_line_and_fsck_agrees(
    market: Market, database: TestDatabase
) -> None:
    await market.first()
    await market.second()
    found = await market.line(market.baobab, B)
    assert (found.history_from, found.history) == ("2026-02", "3DL1" + "B" * 20)
    assert (found.first_delinquency, found.continues) == (DOFD, Continued(account=A, lender="acacia"))
    assert (found.flags, found.stage, found.balance) == ((), "active", 900)
    (listed,) = await market.node.reader.lender_loans(market.baobab.name, after=b"", limit=10, as_of=TODAY)
    (acacias, own) = sorted(await market.node.reader.own_lines(Subject(market.subject), as_of=TODAY), key=str)
    assert listed == own == found
    assert acacias == await market.line(market.acacia, A)
    assert (acacias.stage, acacias.history, acacias.continues) == ("sold", "1" + "B" * 23, None)
    states = [decode_state(row[0]) for row in await rows_of(database, "SELECT state FROM loan ORDER BY account")]
    assert [state.links for state in states] == [
        Links(successor=B, buyer="baobab"), Links(predecessor=A, predecessor_lender="acacia"),
    ]  # fmt: skip
    await ensure_sound(database)


async def test_the_sale_counts_from_its_day_on_and_from_its_log_index_on(market: Market) -> None:
    await market.lends(market.baobab, B, date(2026, 1, 10), predecessor=A, predecessor_lender="acacia")
    await market.first()
    size = (await market.node.log.head()).size
    before, after = await market.line(market.baobab, B, date(2026, 1, 14)), await market.line(market.baobab, B)
    assert (before.continues, before.history, before.first_delinquency) == (None, None, None)
    assert after.continues == Continued(account=A, lender="acacia")
    own = market.node.reader.lender_account
    unsold = await own(market.baobab.name, AccountRef(B), as_of=TODAY, known_at=size - 2)
    assert (unsold.line.continues, unsold.account.predecessor) == (None, ("acacia", A))
    known = await own(market.baobab.name, AccountRef(B), as_of=TODAY, known_at=size - 1)
    assert known.line == after
    assert (known.line.history_from, known.line.history) == ("2026-03", "DDDL1" + "B" * 19)


@pytest.mark.parametrize("seller", [{"buyer": "cedar"}, {"to": C}, {"to": None}])
async def test_a_buyer_that_the_seller_does_not_name_reads_nothing(market: Market, seller: dict[str, Any]) -> None:
    await market.first(**seller)
    await market.second()
    found = await market.line(market.baobab, B)
    assert (found.history, found.first_delinquency, found.continues) == ("3" + "B" * 23, None, None)


@pytest.mark.parametrize("buyer", [
    {"predecessor": A}, {"predecessor": A, "predecessor_lender": "cedar"},
    {"predecessor": C, "predecessor_lender": "acacia"}, {"predecessor_lender": "acacia"},
])  # fmt: skip
async def test_a_past_that_the_buyer_does_not_take_over_is_not_hung_on_its_loan(
    market: Market, buyer: dict[str, Any]
) -> None:
    await market.first()
    await market.second(**buyer)
    found = await market.line(market.baobab, B)
    assert (found.history, found.first_delinquency, found.continues) == ("3" + "B" * 23, None, None)


async def test_a_loan_of_another_borrower_is_not_continued(market: Market) -> None:
    await market.first()
    market.subject = os.urandom(32)
    await market.second()
    assert (await market.line(market.baobab, B)).continues is None


async def test_a_claim_on_a_loan_that_was_not_sold_reads_nothing(market: Market) -> None:
    await market.lends(market.acacia, A, date(2025, 10, 1))
    await market.reports(market.acacia, A, (date(2025, 11, 30), "1"))
    await market.second()
    assert (await market.line(market.baobab, B)).continues is None


async def test_two_sales_make_one_history_and_a_broken_link_ends_it(market: Market, database: TestDatabase) -> None:
    await market.first()
    await market.second()
    await market.sells(market.baobab, B, date(2026, 4, 1), "cedar", C)
    await market.lends(market.cedar, C, date(2026, 4, 1), predecessor=B, predecessor_lender="baobab")
    found = await market.line(market.cedar, C, date(2026, 5, 20))
    assert (found.history_from, found.history) == ("2026-04", "D43DL1" + "B" * 18)
    assert (found.first_delinquency, found.continues) == (DOFD, Continued(account=B, lender="baobab"))
    await market.say(market.baobab, B, date(2026, 4, 2), credit.Agreement(
        portfolio_type="instalment", predecessor=C, predecessor_lender="acacia", principal=900, **KES))  # fmt: skip
    found = await market.line(market.cedar, C, date(2026, 5, 20))
    assert (found.history, found.first_delinquency) == ("D43" + "B" * 21, None)
    await ensure_sound(database)


async def test_two_accounts_that_claim_to_be_each_others_past_make_no_circle(market: Market) -> None:
    for lender, here, other, there in (
        (market.acacia, A, market.baobab, B), (market.baobab, B, market.acacia, A)
    ):  # fmt: skip
        await market.lends(lender, here, date(2026, 1, 1), predecessor=there, predecessor_lender=other.name)
        await market.reports(lender, here, (date(2026, 1, 31), "1"))
        await market.sells(lender, here, date(2026, 2, 1), other.name, there)
    found = await market.line(market.acacia, A)
    assert (found.continues, found.history) == (Continued(account=B, lender="baobab"), "B" * 24)


async def viewed(market: Market, **terms: Any) -> tuple[tuple[Line, ...], Report]:
    """What a consented reader gets, and what the verifier says of it."""
    app, artefact = await enrol_app(market.node), artefact_for(market.subject, **terms)
    await grant(market.node, artefact)
    view = await market.node.reader.credit_view(app, artefact.consent, as_of=TODAY)
    return view.lines, verify_document(view.bundle, market.node.trust())


async def test_a_consented_view_shows_the_history_that_followed_and_the_verifier_does_not_contradict_it(
    market: Market,
) -> None:
    await market.first()
    await market.second()
    (_, found), report = await viewed(market)
    assert (found.history, found.first_delinquency, found.continues) == (
        "3DL1" + "B" * 20, DOFD, Continued(account=A, lender="acacia"),
    )  # fmt: skip
    assert report.code == 3
    assert [(step.ok, step.detail.partition(": ")[2]) for step in report.steps[-2:]] == [
        (True, "all figures agree"), (None, "cannot tell: firstDelinquency, history, historyFrom"),
    ]  # fmt: skip


async def test_a_consent_for_the_buyer_alone_reaches_the_history_of_its_loan_and_not_the_sellers_line(
    market: Market,
) -> None:
    await market.first()
    await market.second()
    lines, report = await viewed(market, providers=("baobab",))
    assert [(line.lender, line.history) for line in lines] == [("baobab", "3DL1" + "B" * 20)]
    assert report.code == 3


async def test_who_bought_what_goes_with_the_details_of_a_loan_and_not_with_its_profile(market: Market) -> None:
    await market.first()
    await market.second()
    lines, report = await viewed(market, detail="PROFILE")
    assert [(line.continues, line.first_delinquency, line.history) for line in lines] == [(None, None, None)] * 2
    assert report.code == 0


async def test_a_lender_hears_of_its_borrowers_insolvency_from_itself_alone(market: Market) -> None:
    await market.lends(market.acacia, A, date(2026, 1, 1))
    await market.lends(market.baobab, B, date(2026, 1, 1))
    filed = credit.Insolvency(filed=date(2026, 2, 1), type="bankruptcy", court_ref=b"\x07" * 32)
    told = market.acacia.attest(
        "insolvency", filed, account=None, subject=market.subject, effective_date=date(2026, 2, 2)
    )
    await market.node.publisher.publish(market.acacia.name, *market.acacia.batch([told]))
    index = (await market.node.log.head()).size - 1
    own = market.node.reader.lender_account
    found = await own(market.acacia.name, AccountRef(A), as_of=TODAY)
    assert found.account.insolvencies == [filed]
    assert (found.account.state.events, found.account.state.moved) == (2, date(2026, 1, 1).toordinal())
    assert (await own(market.acacia.name, AccountRef(A), as_of=date(2026, 2, 1))).account.insolvencies == []
    early = await own(market.acacia.name, AccountRef(A), as_of=TODAY, known_at=index - 1)
    assert early.account.insolvencies == []
    assert (await own(market.baobab.name, AccountRef(B), as_of=TODAY)).account.insolvencies == []
    with pytest.raises(NotFound):
        await own(market.acacia.name, AccountRef(A), as_of=date(2025, 12, 31))


async def test_a_loan_sold_in_arrears_conveys_their_first_day_until_they_are_made_good(
    market: Market, database: TestDatabase
) -> None:
    await market.lends(market.acacia, A, date(2025, 10, 1))
    plan = (credit.ScheduleRow(due=date(2025, 11, 10), n=1, principal=300),
            credit.ScheduleRow(due=date(2026, 12, 10), n=2, principal=600))  # fmt: skip
    await market.say(market.acacia, A, date(2025, 10, 1), credit.Schedule(cause="initial", rows=plan, version=1, **KES))
    await market.sells(market.acacia, A, date(2026, 1, 15), "baobab", B)
    await market.lends(market.baobab, B, date(2026, 1, 15), predecessor=A, predecessor_lender="acacia")
    found = await market.line(market.baobab, B)
    assert (found.first_delinquency, found.continues) == (
        date(2025, 11, 10), Continued(account=A, lender="acacia"),
    )  # fmt: skip
    own = market.node.reader.lender_account
    size = (await market.node.log.head()).size
    await market.say(market.baobab, B, date(2026, 3, 1), credit.Repayment(amount=300, channel="cash", **KES))
    assert (await market.line(market.baobab, B)).first_delinquency is None
    assert (await market.line(market.baobab, B, date(2026, 2, 28))).first_delinquency == date(2025, 11, 10)
    known = await own(market.baobab.name, AccountRef(B), as_of=TODAY, known_at=size - 1)
    assert known.line == found
    acacias = await market.line(market.acacia, A)
    assert acacias.first_delinquency is None, "its own line has days and the amount"
    assert (acacias.stage, acacias.since, acacias.past_due) == ("sold", date(2025, 11, 10), 300)
    await ensure_sound(database)


async def test_of_two_sales_in_arrears_the_first_day_follows_to_the_last_owner(market: Market) -> None:
    await market.lends(market.acacia, A, date(2025, 10, 1))
    late = {"balance": 900, "dpd": 40, "past_due": 200, "status": "past_due"}
    await market.say(market.acacia, A, date(2025, 12, 31), credit.StatusSnapshot(**late, **KES))
    await market.sells(market.acacia, A, date(2026, 1, 15), "baobab", B)
    await market.lends(market.baobab, B, date(2026, 1, 15), predecessor=A, predecessor_lender="acacia")
    await market.say(market.baobab, B, date(2026, 2, 1), credit.Repayment(amount=150, channel="cash", **KES))
    await market.sells(market.baobab, B, date(2026, 2, 15), "cedar", C)
    await market.lends(market.cedar, C, date(2026, 2, 15), predecessor=B, predecessor_lender="baobab")
    assert (await market.line(market.cedar, C)).first_delinquency == date(2025, 11, 21)
    await market.say(market.cedar, C, date(2026, 3, 1), credit.Repayment(amount=50, channel="cash", **KES))
    assert (await market.line(market.cedar, C)).first_delinquency is None
