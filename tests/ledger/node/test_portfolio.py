"""A lender's portfolio in SQL equals what its loans come to one by one, on every day and whatever came in between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from ledger.attestation.credit_kinds import Agreement, Disbursement, Pause, Repayment, Schedule, ScheduleRow
from ledger.errors import InvalidInput, NotFound
from ledger.jurisdiction.packs import packs
from ledger.loan.account import account
from ledger.loan.course import states_on
from ledger.loan.supersession import Told
from ledger.node.node import Node
from ledger.node.portfolio import BUCKETS, question_days, share_bp
from ledger.node.portfolio_refresh import day_of, month_ends
from ledger.store.portfolio_rows import PortfolioDay, PortfolioLoan
from ledger.types import AccountRef
from tests.support.checks import ensure_sound, rows_of
from tests.support.ledgers import Lender, TestDatabase
from tests.support.portfolio_book import BookLoan, Stands, generate, happening, opening, stands

DAY = timedelta(days=1)
LOANS = 240
SEED = 20260401
CUT = date(2026, 5, 17)
END = date(2026, 10, 31)
DAYS = [date(2026, 2, 28), date(2026, 3, 31), CUT, date(2026, 6, 30), date(2026, 8, 13), END, date(2027, 1, 15)]


async def publish(node: Node, lender: Lender, attestations: Sequence[Any]) -> None:
    """In batches, as a lender sends them."""
    for start in range(0, len(attestations), 500):
        await node.publisher.publish(lender.name, *lender.batch(attestations[start : start + 500]))


def history(lender: Lender, book: Sequence[BookLoan], first: date, last: date) -> list[Any]:
    """Everything dated from ``first`` to ``last``, day by day."""
    dated: list[tuple[date, int, Any]] = []
    for loan in book:
        if first <= loan.opened <= last:
            dated += [(loan.opened, 0, each) for each in opening(lender, loan)]
        dated += [(event[0], 1, happening(lender, loan, event)) for event in loan.events if first <= event[0] <= last]
    return [each for _, _, each in sorted(dated, key=lambda entry: entry[:2])]


@pytest.fixture
async def book(node: Node, acacia: Lender) -> list[BookLoan]:
    """A book on the ledger, asked for half-way, so that rows were made before the second half came."""
    loans = generate(SEED, LOANS)
    await publish(node, acacia, history(acacia, loans, date.min, CUT))
    await node.portfolio.refresh(acacia.name, question_days(CUT, 3))
    await publish(node, acacia, history(acacia, loans, CUT + DAY, date.max))
    return loans


def running(book: Sequence[BookLoan], day: date) -> list[tuple[BookLoan, Stands]]:
    """The loans that run on a day."""
    found = [(loan, stands(loan, day)) for loan in book]
    return [(loan, one) for loan, one in found if one is not None and one.stage == "active"]


def bucket(dpd: int) -> str:
    """The bucket of days past due."""
    return BUCKETS[0] if dpd == 0 else next(
        name for name, last in zip(BUCKETS[1:], (29, 59, 89, 119, 149, 179, 10**6), strict=True) if dpd <= last
    )  # fmt: skip


def test_the_generated_book_has_something_of_everything() -> None:
    book = generate(SEED, LOANS)
    found = [stands(loan, END) for loan in book]
    stages = {one.stage for one in found if one is not None}
    assert stages == {"active", "paid", "written_off"}
    assert {bucket(one.dpd) for one in found if one is not None} >= {"0", "60-89", "180+"}
    assert any(one is not None and one.charged_off and one.stage == "active" for one in found)


async def test_the_balance_at_risk_on_each_day(node: Node, acacia: Lender, book: list[BookLoan]) -> None:
    for day in DAYS:
        (risk,) = await node.portfolio.at_risk(acacia.name, as_of=day)
        loans = running(book, day)
        kept = [one for _, one in loans if not one.charged_off]
        figures = risk.figures
        assert (figures.currency, figures.loans, figures.unknown) == ("KES", len(kept), 0), day
        assert figures.balance == sum(one.balance for one in kept), day
        assert figures.late == sum(one.dpd > 0 for one in kept), day
        assert figures.overdue == sum(one.overdue for one in kept), day
        assert figures.over_30 == sum(one.balance for one in kept if one.dpd > 30), day
        assert figures.over_90 == sum(one.balance for one in kept if one.dpd > 90), day
        assert figures.charged_off == sum(one.balance for _, one in loans if one.charged_off), day
        assert risk.par_30_bp == share_bp(figures.over_30, figures.balance)


@pytest.mark.parametrize(
    ("country", "scheme", "edges"),
    [
        ("KE", "ke_npl_bank", [(0, "performing"), (90, "non_performing")]),
        (
            "CN",
            "cn_general",
            [(0, "normal"), (1, "special_mention"), (91, "substandard"), (271, "doubtful"), (361, "loss")],
        ),
        ("IN", "in_sma", [(0, "standard"), (1, "SMA-0"), (31, "SMA-1"), (61, "SMA-2"), (91, "NPA")]),
    ],
)
async def test_the_balance_by_class_on_each_day(
    node: Node, acacia: Lender, book: list[BookLoan], country: str, scheme: str, edges: list[tuple[int, str]]
) -> None:
    for day in (CUT, END):
        expected: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        for _, one in running(book, day):
            code = [code for first, code in edges if one.dpd >= first][-1]
            code = edges[-1][1] if one.charged_off else code
            sums = expected[code]
            sums[0], sums[1], sums[2] = sums[0] + 1, sums[1] + one.balance, sums[2] + one.overdue
        found = await node.portfolio.by_class(acacia.name, packs()[country], scheme, as_of=day)
        assert {row.code: [row.loans, row.balance, row.overdue] for row in found} == expected, day
        order = [code for _, code in edges]
        assert [row.code for row in found] == sorted(expected, key=order.index)


async def test_floors_in_another_currency_leave_loans_over_90_days_without_a_class(
    node: Node, acacia: Lender, book: list[BookLoan]
) -> None:
    found = await node.portfolio.by_class(acacia.name, packs()["EU"], "eu_default", as_of=END)
    kept = [one for _, one in running(book, END) if not one.charged_off]
    assert {(row.code, row.label): row.loans for row in found} == {
        ("no", "not in default"): sum(one.dpd <= 90 for one in kept),
        ("yes", "in default"): sum(one.charged_off for _, one in running(book, END)),
        (None, "currency_unconverted"): sum(one.dpd > 90 for one in kept),
    }


async def test_the_heat_map_month_by_month(node: Node, acacia: Lender, book: list[BookLoan]) -> None:
    expected: dict[tuple[date, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    days = question_days(END, 8)
    for day in days:
        for _, one in running(book, day):
            sums = expected[day, "charged_off" if one.charged_off else bucket(one.dpd)]
            sums[0], sums[1], sums[2] = sums[0] + 1, sums[1] + one.balance, sums[2] + one.overdue
    found = await node.portfolio.heat_map(acacia.name, as_of=END, months=8)
    assert {(row.day, row.bucket): [row.loans, row.balance, row.overdue] for row in found} == expected
    assert len(days) == 9 and len(found) == len(expected) > 30


async def test_the_roll_of_balances_between_two_days(node: Node, acacia: Lender, book: list[BookLoan]) -> None:
    for start, end in ((date(2026, 4, 30), date(2026, 5, 31)), (CUT, END), (END, date(2026, 11, 30))):
        expected: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        whole: dict[str, int] = defaultdict(int)
        for loan, one in running(book, start):
            then = stands(loan, end)
            if one.charged_off or then is None:
                continue
            target = then.stage if then.stage != "active" else "charged_off" if then.charged_off else bucket(then.dpd)
            sums = expected[bucket(one.dpd), target]
            sums[0], sums[1] = sums[0] + 1, sums[1] + one.balance
            whole[bucket(one.dpd)] += one.balance
        found = await node.portfolio.roll_rates(acacia.name, start=start, end=end)
        assert {(cell.origin, cell.target): [cell.loans, cell.balance] for cell in found} == expected
        assert all(cell.share_bp == share_bp(cell.balance, whole[cell.origin]) for cell in found)


async def test_vintages_by_the_month_of_opening(node: Node, acacia: Lender, book: list[BookLoan]) -> None:
    expected: dict[tuple[date, date], list[int]] = defaultdict(lambda: [0] * 6)
    for day in question_days(END, 9):
        for loan in book:
            one = stands(loan, day)
            if one is None:
                continue
            runs = one.stage == "active" and not one.charged_off
            lost = one.charged_off or one.stage == "written_off"
            sums = expected[loan.opened.replace(day=1), day]
            added = (1, loan.lent, one.balance * runs, one.balance * (runs and one.dpd > 30),
                     one.balance * (runs and one.dpd > 90), one.balance * lost)  # fmt: skip
            for at, figure in enumerate(added):
                sums[at] += figure
    found = await node.portfolio.vintages(acacia.name, as_of=END, months=9)
    assert {(cell.opened, cell.day): [cell.loans, cell.lent, cell.balance] for cell in found} == {
        key: sums[:3] for key, sums in expected.items()
    }
    for cell in found:
        lent, _, over_30, over_90, lost = expected[cell.opened, cell.day][1:]
        assert (cell.over_30_bp, cell.over_90_bp, cell.lost_bp) == (
            share_bp(over_30, lent), share_bp(over_90, lent), share_bp(lost, lent),
        )  # fmt: skip
        assert cell.age == (cell.day.year - cell.opened.year) * 12 + cell.day.month - cell.opened.month


async def test_the_worklist_page_by_page(node: Node, acacia: Lender, book: list[BookLoan]) -> None:
    late = [(loan, one) for loan, one in running(book, END) if one.dpd >= 30]
    expected = sorted(late, key=lambda each: (-each[1].dpd, -each[1].overdue, each[0].account))
    found: list[Any] = []
    after = None
    while page := await node.portfolio.worklist(acacia.name, as_of=END, limit=17, days=(30, 36_500), after=after):
        found += page
        after = page[-1].dpd, page[-1].overdue, page[-1].account
    assert [(item.account, item.dpd, item.since, item.overdue, item.balance, item.charged_off) for item in found] == [
        (loan.account, one.dpd, one.since, one.overdue, one.balance, one.charged_off) for loan, one in expected
    ]
    assert len(found) > 40


async def test_a_back_dated_payment_is_counted_on_the_days_it_was_there(
    node: Node, acacia: Lender, book: list[BookLoan], database: TestDatabase
) -> None:
    loan = next(loan for loan, one in running(book, END) if one.dpd > 150 and not one.charged_off)
    for day in DAYS:
        await node.portfolio.at_risk(acacia.name, as_of=day)
    event = (date(2026, 6, 1), "repayment", 700)
    await publish(node, acacia, [happening(acacia, loan, event)])
    loan.events.append(event)
    for day in DAYS:
        (risk,) = await node.portfolio.at_risk(acacia.name, as_of=day)
        kept = [one for _, one in running(book, day) if not one.charged_off]
        assert risk.figures.overdue == sum(one.overdue for one in kept), day
        assert risk.figures.balance == sum(one.balance for one in kept), day
    await ensure_sound(database)


async def test_days_of_grace_and_of_pauses_are_left_out_as_in_a_loans_own_line(node: Node, acacia: Lender) -> None:
    number, subject = b"p" * 32, b"s" * 32

    def told(day: date, kind: str, body: Any) -> Any:
        return acacia.attest(kind, body, account=number, subject=subject, effective_date=day)

    opened = date(2026, 1, 10)
    row = ScheduleRow(due=date(2026, 2, 10), n=1, principal=9_000)
    agreed = Agreement(currency="KES", grace_days=7, portfolio_type="instalment", principal=9_000)
    pauses = [Pause(cause="flood", start=date(2026, 2, 1), until=date(2026, 3, 1)),
              Pause(cause="flood", start=date(2026, 2, 20), until=date(2026, 3, 11))]  # fmt: skip
    await publish(node, acacia, [
        told(opened, "agreement", agreed),
        told(opened, "disbursement", Disbursement(amount=9_000, currency="KES", tranche=1)),
        told(opened, "schedule", Schedule(cause="initial", currency="KES", rows=(row,), version=1)),
        *(told(date(2026, 2, 1), "pause", pause) for pause in pauses),
        told(date(2026, 5, 5), "repayment", Repayment(amount=10, channel="cash", currency="KES")),
    ])  # fmt: skip
    for day in (date(2026, 3, 20), date(2026, 5, 5), date(2026, 9, 9)):
        (item,) = await node.portfolio.worklist(acacia.name, as_of=day, limit=5)
        line = await node.reader.lender_loan(acacia.name, AccountRef(number), as_of=day)
        assert (item.dpd, item.delinquent) == (line.dpd, line.delinquent_days)
        assert item.delinquent == (day - row.due).days - 7 - (date(2026, 3, 11) - row.due).days


async def test_only_what_moved_is_made_again(node: Node, acacia: Lender, book: list[BookLoan]) -> None:
    assert await node.portfolio.refresh(acacia.name) > 0
    assert await node.portfolio.refresh(acacia.name) == 0
    loan = next(loan for loan, one in running(book, END) if one.overdue > 10)
    await publish(node, acacia, [happening(acacia, loan, (END, "repayment", 3))])
    assert await node.portfolio.refresh(acacia.name) == 1


async def test_a_lender_that_looks_each_month_has_nothing_folded_again(
    node: Node, acacia: Lender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The month ends are kept from the rows as they were before the loans moved on."""
    book = generate(7, 30, 3)
    month = date(2025, 12, 31)
    for end in month_ends(date(2026, 1, 1), date(2026, 12, 1)):
        await publish(node, acacia, history(acacia, book, month + DAY, end))
        await node.portfolio.refresh(acacia.name)
        month = end
    monkeypatch.setattr("ledger.node.portfolio_refresh.past_rows", None)
    found = await node.portfolio.heat_map(acacia.name, as_of=month, months=6)
    assert sum(row.loans for row in found) == sum(len(running(book, day)) for day in question_days(month, 6))


async def test_another_lender_counts_its_own_loans_only(node: Node, acacia: Lender, book: list[BookLoan]) -> None:
    baobab = await Lender("baobab").enrol(node)
    assert await node.portfolio.at_risk(baobab.name, as_of=END) == []
    loans = generate(3, 5, 1)
    await publish(node, baobab, history(baobab, loans, date.min, date.max))
    (risk,) = await node.portfolio.at_risk(baobab.name, as_of=END)
    assert risk.figures.loans == sum(not one.charged_off for _, one in running(loans, END))
    (mine,) = await node.portfolio.at_risk(acacia.name, as_of=END)
    assert mine.figures.loans == sum(not one.charged_off for _, one in running(book, END))


async def test_an_erased_borrower_is_in_no_portfolio(node: Node, acacia: Lender, database: TestDatabase) -> None:
    book = generate(11, 12, 2)
    await publish(node, acacia, history(acacia, book, date.min, date.max))
    await node.portfolio.heat_map(acacia.name, as_of=END, months=6)
    gone = book[0]
    await node.authority.erase(gone.subject, "KE DPA 40")  # type: ignore[arg-type]
    for table in ("portfolio_loan", "portfolio_day"):
        assert await rows_of(database, f"SELECT 1 FROM {table} WHERE subject = $1", gone.subject) == []
    found = await node.portfolio.heat_map(acacia.name, as_of=END, months=6)
    assert sum(row.loans for row in found) == sum(len(running(book[1:], day)) for day in question_days(END, 6))


async def test_two_questions_at_once_wait_for_each_other_and_agree(
    node: Node, acacia: Lender, book: list[BookLoan]
) -> None:
    import asyncio

    asked = [node.portfolio.at_risk(acacia.name, as_of=END) for _ in range(12)]
    answers = await asyncio.gather(*asked)
    assert answers == [answers[0]] * 12


async def test_a_row_tells_of_later_days_what_the_statement_works_out(
    node: Node, acacia: Lender, book: list[BookLoan], database: TestDatabase
) -> None:
    await node.portfolio.refresh(acacia.name)
    columns = ", ".join(PortfolioLoan._fields)
    rows = [PortfolioLoan(*row) for row in await rows_of(database, f"SELECT {columns} FROM portfolio_loan")]
    by_account = {loan.account: loan for loan in book}
    assert len(rows) == LOANS
    for row in rows:
        for day in (row.newest, row.newest + DAY, row.newest + 45 * DAY, date(2027, 5, 5)):
            one, told = stands(by_account[row.account], day), day_of(row, day)
            assert one is not None
            assert (told.stage, told.dpd, told.since) == (one.stage, one.dpd, one.since), day
            assert (told.overdue or 0, told.charged_off) == (one.overdue, one.charged_off)


def test_a_fold_forwards_says_the_same_of_each_day_as_a_fold_for_each_day() -> None:
    lender, days = Lender("acacia"), month_ends(date(2025, 12, 1), date(2027, 6, 30))
    for loan in generate(SEED, LOANS):
        chain = [*opening(lender, loan), *(happening(lender, loan, event) for event in loan.events)]
        told = [Told(n, each) for n, each in enumerate(chain)]
        states = states_on(told, days)
        then = [account(told, as_of=day) for day in days]
        assert states == [each.state if each.counted else None for each in then]


def test_month_ends_lie_between_two_days() -> None:
    assert month_ends(date(2026, 1, 31), date(2026, 3, 31)) == [date(2026, 1, 31), date(2026, 2, 28)]
    assert month_ends(date(2026, 2, 1), date(2026, 2, 28)) == []
    assert question_days(date(2026, 3, 31), 2) == [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31)]


def test_shares_are_rounded_half_to_even_and_of_nothing_there_is_none() -> None:
    assert [share_bp(1, 3), share_bp(2, 3), share_bp(1, 20_000), share_bp(3, 20_000), share_bp(0, 5)] == [
        3333,
        6667,
        0,
        2,
        0,
    ]
    assert share_bp(1, 0) is None


async def test_what_cannot_be_asked_is_refused(node: Node, acacia: Lender) -> None:
    with pytest.raises(NotFound) as unknown:
        await node.portfolio.by_class(acacia.name, packs()["KE"], "cn_general", as_of=END)
    assert unknown.value.code == "pack_list_unknown"
    with pytest.raises(InvalidInput) as reversed_days:
        await node.portfolio.roll_rates(acacia.name, start=END, end=END)
    assert reversed_days.value.code == "days_reversed"
    with pytest.raises(InvalidInput) as many:
        await node.portfolio.heat_map(acacia.name, as_of=END, months=37)
    assert many.value.code == "out_of_range"


def test_a_day_row_has_the_columns_of_the_book() -> None:
    assert {"dpd", "delinquent", "overdue", "stage"} <= set(PortfolioDay._fields)
