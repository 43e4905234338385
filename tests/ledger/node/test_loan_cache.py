"""The cache of loans: what was put is found, what was dropped is not, and it stays within its bound."""

from __future__ import annotations

from uuid import UUID

import pytest

from ledger.loan.state import LoanState
from ledger.node import loan_cache
from ledger.node.loan_cache import CachedLoan, LoanCache, LoanKey, loan_key, split_key


def key(number: int, tenant: str = "acacia") -> LoanKey:
    return loan_key(tenant, number.to_bytes(32, "big"))


def loan(version: int = 1) -> CachedLoan:
    return CachedLoan(version, (UUID(int=version), 0), LoanState())


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> LoanCache:
    """A cache of at most 8 loans."""
    monkeypatch.setattr(loan_cache, "LOANS_CACHED_MAX", 8)
    return LoanCache()


def known(cache: LoanCache, *numbers: int) -> list[int]:
    found, missing = cache.find([key(number) for number in numbers])
    assert sorted([*found, *missing]) == sorted(key(number) for number in numbers)
    return [number for number in numbers if key(number) in found]


@pytest.mark.parametrize("tenant", ["a", "acacia", "a" * 63])
def test_a_key_gives_back_tenant_and_account(tenant: str) -> None:
    assert split_key(loan_key(tenant, bytes(range(32)))) == (tenant, bytes(range(32)))


def test_tenants_do_not_share_a_loan() -> None:
    assert len({key(1), key(1, "acaci"), key(1, "baobab"), key(2)}) == 4
    cache = LoanCache()
    cache.put({key(1): loan()})
    assert cache.find([key(1, "baobab")]) == ({}, [key(1, "baobab")])


def test_what_was_put_is_found_and_the_rest_is_named() -> None:
    cache, first = LoanCache(), loan()
    cache.put({key(1): first, key(2): loan(2)})
    found, missing = cache.find([key(3), key(1), key(4)])
    assert found == {key(1): first}
    assert found[key(1)] is first
    assert missing == [key(3), key(4)]
    assert cache.find([]) == ({}, [])


def test_the_newest_put_counts_also_when_an_older_one_is_in_the_other_half(small: LoanCache) -> None:
    small.put({key(1): loan(1)})
    small.put({key(number): loan() for number in (2, 3, 4, 5)})
    small.put({key(1): loan(7)})
    assert small.find([key(1)])[0][key(1)].version == 7


def test_old_halves_are_dropped_whole(small: LoanCache) -> None:
    for number in range(1, 5):
        small.put({key(number): loan()})
    assert known(small, *range(1, 10)) == [1, 2, 3, 4]
    small.put({key(5): loan()})
    assert known(small, *range(1, 10)) == [1, 2, 3, 4, 5]
    for number in range(6, 10):
        small.put({key(number): loan()})
    assert known(small, *range(1, 10)) == [5, 6, 7, 8, 9]


def test_it_stays_within_its_bound(small: LoanCache) -> None:
    for number in range(100):
        small.put({key(number): loan()})
        assert len(known(small, *range(100))) <= 8


def test_forgetting_drops_everything(small: LoanCache) -> None:
    small.put({key(1): loan()})
    small.put({key(number): loan() for number in (2, 3, 4, 5)})
    small.forget()
    assert known(small, 1, 2, 3, 4, 5) == []
    small.put({key(1): loan()})
    assert known(small, 1) == [1]
