"""fsck folds every borrower again: as far as the watcher came, beside the erased, and names the first difference."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from ledger.attestation.credit_kinds import Collateral, Enquiry
from ledger.node.fsck_risk import first_difference
from ledger.node.node import Node
from ledger.node.participants import DEPLOYMENT
from ledger.node.watcher import Watcher, shipped_rules
from ledger.risk.borrower import Own, Shared, Trace, decode_own, decode_shared, encode_part
from ledger.types import Subject
from tests.ledger.node.test_watcher import TODAY
from tests.support.checks import change, codes, ensure_sound, report_of
from tests.support.ledgers import Lender, TestDatabase


async def lend(node: Node, lender: Lender, subject: bytes | None = None, item: bytes | None = None) -> bytes:
    """A loan of a borrower, with a thing in pledge where one is named; gives the borrower."""
    loan = lender.new_loan(5_000, **({} if subject is None else {"subject": subject}), effective_date=TODAY)
    where = {"account": loan[0].envelope.account, "subject": loan[0].envelope.subject, "effective_date": TODAY}
    pledge = Collateral(currency="KES", item=item, kind="car", lien_rank=1, value=9, valued_on=TODAY)
    more = [] if item is None else [lender.attest("collateral", pledge, **where)]
    await node.publisher.publish(lender.name, *lender.batch([*loan, *more]))
    return loan[0].envelope.subject or b""


async def rewritten(database: TestDatabase, tenant: str, subject: bytes, edit: Callable[[Any], None]) -> None:
    """Change one member of a stored part, in the part's own form."""
    admin = await asyncpg.connect(database.admin_dsn)
    try:
        where = "WHERE tenant = $1 AND subject = $2"
        part = await admin.fetchval(f"SELECT part FROM risk_part {where}", tenant, subject)
        whole: Shared | Own = decode_shared(part) if tenant == DEPLOYMENT else decode_own(part)
        edit(whole)
        await admin.execute(f"UPDATE risk_part SET part = $3 {where}", tenant, subject, encode_part(whole))
    finally:
        await admin.close()


async def test_a_watcher_that_is_behind_is_compared_as_of_its_own_place(
    node: Node, acacia: Lender, database: TestDatabase
) -> None:
    subject, watcher = await lend(node, acacia), Watcher(node, shipped_rules())
    assert (await ensure_sound(database)).checked["risk_parts"] == 0
    await watcher.catch_up()
    assert (await ensure_sound(database)).checked["risk_parts"] == 2
    enquiry = Enquiry(depth="hard", purpose="origination")
    where = {"account": None, "role": None, "subject": subject, "effective_date": TODAY}
    await node.publisher.publish(acacia.name, *acacia.batch([acacia.attest("enquiry", enquiry, **where)]))
    await ensure_sound(database)
    await change(database, "UPDATE risk_cursor SET idx = idx + 1")
    assert [fault.message for fault in (await report_of(database)).faults] == [
        "total.enquiries.last is not the fold of the attestations"
    ]
    await change(database, "UPDATE risk_cursor SET idx = idx + 1")
    assert "risk_cursor_differs" in codes(await report_of(database))


def miss(part: Any) -> None:
    part.total.missed += 1


def drift(part: Any) -> None:
    part.by["acacia"].fast += 1


def forget(part: Any) -> None:
    part.trail.clear()


def invent(part: Any) -> None:
    part.trail.append(Trace("guarantor_miss", part.day, "acacia", bytes(32), -1, 0))


def pay(part: Any) -> None:
    next(iter(part.loans.values())).paid = 7


def raise_a_rule(part: Any) -> None:
    part.raised["first_miss"] = part.episodes["first_miss"] = 1


@pytest.mark.parametrize(
    ("tenant", "edit", "named"),
    [
        (DEPLOYMENT, miss, "total.missed is not the fold of the attestations"),
        (DEPLOYMENT, drift, "by[acacia].fast is not the fold of the attestations"),
        (DEPLOYMENT, forget, "trail is not the fold of the attestations"),
        (DEPLOYMENT, invent, "trail names a guarantor's miss that there was not"),
        ("acacia", pay, ".paid is not the fold of the attestations"),
        ("acacia", raise_a_rule, "episodes are not those of the alerts on the log"),
    ],
)  # fmt: skip
async def test_the_first_member_that_differs_is_named(
    node: Node, acacia: Lender, database: TestDatabase, tenant: str, edit: Callable[[Any], None], named: str
) -> None:
    subject = await lend(node, acacia)
    await Watcher(node, shipped_rules()).catch_up()
    await rewritten(database, tenant, subject, edit)
    report = await report_of(database)
    assert codes(report) == {"risk_part_differs"}
    assert any(fault.message.endswith(named) for fault in report.faults), report.faults
    assert subject.hex() not in report.faults[0].where
    assert report.faults[0].where.startswith(f"borrower {subject[:4].hex()}, part ")


async def test_beside_an_erased_borrower_everything_but_what_was_pledged_with_them_is_compared(
    node: Node, acacia: Lender, database: TestDatabase
) -> None:
    baobab, item = await Lender("baobab").enrol(node), os.urandom(32)
    stays, goes = await lend(node, acacia, item=item), await lend(node, baobab, item=item)
    await Watcher(node, shipped_rules()).catch_up()
    assert (await ensure_sound(database)).checked["risk_links"] == 2
    await node.authority.erase(Subject(goes), "law")
    await ensure_sound(database)
    await rewritten(database, DEPLOYMENT, stays, miss)
    assert codes(await report_of(database)) == {"risk_part_differs"}


async def test_a_borrower_who_came_back_is_folded_from_what_can_still_be_read(
    node: Node, acacia: Lender, database: TestDatabase
) -> None:
    subject, watcher = await lend(node, acacia), Watcher(node, shipped_rules())
    await watcher.catch_up()
    await node.authority.erase(Subject(subject), "law")
    await lend(node, acacia, subject)
    await watcher.catch_up()
    assert (await ensure_sound(database)).checked["risk_parts"] == 2


def test_the_first_difference_of_two_structures_is_a_path() -> None:
    assert first_difference(Shared(day=3), Shared(day=3)) is None
    assert first_difference(Shared(day=3), Shared(day=4)) == "day"
    assert first_difference({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}) == "[a][1][b]"
    assert first_difference({b"\x01\x02\x03\x04\x05": 1}, {}) == "[01020304]"
