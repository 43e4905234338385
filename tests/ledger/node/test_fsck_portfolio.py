"""fsck makes a portfolio's rows again: those that are up to date, those that a lender has not asked about since."""

from __future__ import annotations

from datetime import date

import pytest

from ledger.node.node import Node
from ledger.node.portfolio import Portfolio
from ledger.types import Subject
from tests.support.checks import change, codes, ensure_sound, report_of, rows_of
from tests.support.furnished import keep_a_portfolio
from tests.support.ledgers import Lender, TestDatabase

CHANGES = {
    "a balance": ("UPDATE portfolio_loan SET balance = balance + 1", "balance is not what the loan gives"),
    "a step": (
        "UPDATE portfolio_loan SET step_overdue[1] = coalesce(step_overdue[1], 0) + 1",
        "step_overdue is not what the loan gives",
    ),
    "a past day": ("UPDATE portfolio_day SET dpd = dpd + 1", "dpd is not what the loan gives"),
    "a later version": ("UPDATE portfolio_loan SET version = version + 1", "version is not the loan's"),
    "another end": (
        "UPDATE portfolio_loan SET last_position = 77",
        "it ends with an attestation that is not the loan's",
    ),
    "another loan": ("UPDATE portfolio_loan SET account = sha256('x')", "there is no such loan"),
    "no loan": ("DELETE FROM portfolio_loan", "past days of a loan that the portfolio has not"),
}


@pytest.mark.parametrize("case", CHANGES)
async def test_a_row_that_is_not_what_its_loan_gives_is_named(
    node: Node, acacia: Lender, database: TestDatabase, case: str
) -> None:
    await keep_a_portfolio(node, acacia)
    checked = (await ensure_sound(database)).checked
    assert (checked["portfolio_loans"], checked["portfolio_days"]) == (1, 4)
    statement, named = CHANGES[case]
    await change(database, statement)
    report = await report_of(database)
    assert codes(report) == {"portfolio_differs"}
    assert named in {fault.message for fault in report.faults}


async def test_a_row_that_is_older_than_its_loan_is_held_against_the_chain_up_to_its_own_end(
    node: Node, acacia: Lender, database: TestDatabase
) -> None:
    loan = acacia.new_loan(5_000)
    await node.publisher.publish(acacia.name, *acacia.batch(loan))
    book = Portfolio(node.database, node.sealer)
    await book.refresh(acacia.name, [date(2026, 1, 1)])
    for _ in range(2):
        await node.publisher.publish(acacia.name, *acacia.batch([acacia.repayment(loan)]))
    assert await rows_of(database, "SELECT balance FROM portfolio_loan") == [(5_000,)]
    await ensure_sound(database)
    await change(database, "UPDATE portfolio_loan SET balance = 4000")
    assert codes(await report_of(database)) == {"portfolio_differs"}
    await change(database, "UPDATE portfolio_loan SET balance = 5000, version = 3")
    assert [fault.message for fault in (await report_of(database)).faults] == ["version is not before the loan's"]


async def test_an_emptied_portfolio_is_sound_and_an_erased_borrower_leaves_none(
    node: Node, acacia: Lender, database: TestDatabase
) -> None:
    await keep_a_portfolio(node, acacia)
    ((subject,),) = await rows_of(database, "SELECT subject FROM portfolio_loan")
    await node.authority.erase(Subject(subject), "law")
    assert (await ensure_sound(database)).checked["portfolio_loans"] == 0
    await keep_a_portfolio(node, acacia)
    await change(database, "DELETE FROM portfolio_day", "DELETE FROM portfolio_loan")
    await ensure_sound(database)
