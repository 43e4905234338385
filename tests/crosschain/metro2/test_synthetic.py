from __future__ import annotations

import hashlib
import io
from collections import Counter
from datetime import date
from itertools import pairwise

import pytest

from crosschain.metro2.invented import person_of
from crosschain.metro2.reader import Line, Trailer, read
from crosschain.metro2.rules import warnings
from crosschain.metro2.synthetic import synthetic_records, write_synthetic
from crosschain.metro2.totals import Totals
from crosschain.metro2.values import day, field
from ledger.errors import InvalidInput

AS_OF = date(2026, 1, 31)


def _file(accounts: int, seed: int) -> bytes:
    out = io.BytesIO()
    write_synthetic(out, accounts=accounts, seed=seed, as_of=AS_OF)
    return out.getvalue()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_gives_others() -> None:
    digest = hashlib.sha256(_file(50, 7)).hexdigest()
    assert digest == "1694ce4f55677ee8a3a18fd34ac597ad2abcfdfc50be277f67b117133fcdee74"
    assert _file(50, 8) != _file(50, 7)


def test_every_record_is_accepted_without_a_warning_and_the_trailer_is_true() -> None:
    items, totals = list(read(io.BytesIO(_file(2000, 3)))), Totals()
    assert len([item for item in items if isinstance(item, Line)]) == 2000
    assert len(items) == 2002
    for item in items:
        assert not hasattr(item, "rule")
        totals.add(item.record)
        assert warnings(item.record) == []
    assert isinstance(items[-1], Trailer)
    assert totals.compare(items[-1].record) == ()


def test_about_four_in_five_are_current_and_a_borrower_has_about_three_accounts() -> None:
    records = list(synthetic_records(accounts=3000, seed=5, as_of=AS_OF))
    statuses = Counter(field(record, "account_status") for record in records)
    owners = Counter(field(record, "social_security_number") for record in records)
    assert 0.77 < statuses["11"] / 3000 < 0.83
    assert len(statuses) == 12
    assert len(owners) == 1000
    assert all(owner[0] == "9" and 10 <= int(owner[3:5]) <= 39 for owner in owners)
    assert {part.kind for record in records for part in record.segments} == {
        "J1",
        "J2",
        "K1",
        "K2",
        "K3",
        "K4",
        "L1",
        "N1",
    }


def test_history_status_and_dates_tell_the_same_life() -> None:
    level = {"71": 1, "78": 2, "80": 3, "82": 4, "83": 5, "84": 6}
    for record in synthetic_records(accounts=2000, seed=9, as_of=AS_OF):
        status, history = field(record, "account_status"), field(record, "payment_history_profile")
        opened, closed = day(record.base, "date_opened"), day(record.base, "date_closed")
        first_late = day(record.base, "date_of_first_delinquency")
        assert opened is not None and opened < AS_OF
        assert "B" not in history.rstrip("B")
        now = str(level[status]) if status in level else history[0]
        # From one month to the next, arrears grow by at most one step, and only six months late goes on to loss.
        for newer, older in pairwise(now + history):
            if newer.isdigit() and older.isdigit():
                assert int(newer) <= int(older) + 1
            if newer in "LG":
                assert older in (newer, "6")
        if status in level:
            assert first_late is not None
            late_days = (AS_OF - first_late).days
            assert late_days >= 30 * level[status]
            assert status == "84" or late_days < 30 * (level[status] + 1)
        if first_late is not None:
            assert first_late >= opened
        assert (closed is not None) == (status in ("13", "05", "64"))


def test_a_borrower_is_the_same_person_on_every_account() -> None:
    seen: dict[str, tuple[str, ...]] = {}
    for record in synthetic_records(accounts=300, seed=2, as_of=AS_OF):
        person = tuple(field(record, name) for name in ("surname", "first_name", "date_of_birth", "address_line_1"))
        assert seen.setdefault(field(record, "social_security_number"), person) == person


def test_distinct_people_have_distinct_national_ids() -> None:
    assert len({person_of(1, number).social_security_number for number in range(5000)}) == 5000


@pytest.mark.parametrize("accounts", [0, -1, 20_000_001])
def test_an_impossible_number_of_accounts_is_refused(accounts: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        write_synthetic(io.BytesIO(), accounts=accounts, seed=1, as_of=AS_OF)
    assert caught.value.code == "accounts_invalid"
