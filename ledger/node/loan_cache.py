"""Loans that this process wrote or read lately, so that the next event of one needs no read.

Rules
- A cached loan may be stale, never wrong: it is written back under the version it was read at, and another process's
  change makes the write fail, whereupon everything is dropped and read again.
- A refusal that rests on cached loans is not given: everything is dropped and read from the store first.
- What a group changes enters when it is folded, before its COMMIT, for the group behind it in line. A group that fails
  drops everything, and those behind it find out before they write (commit_line.py). So does an epoch that moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from ledger.limits import LOANS_CACHED_MAX
from ledger.loan.state import LoanState
from ledger.types import AccountRef, TenantId

LoanKey = bytes
"""A loan's tenant and account in one value: bytes remember their hash, a pair of them would be hashed at each look-up."""

Place = tuple[UUID, int]


ACCOUNT_BYTES = 32
TENANTS_CACHED_MAX = 1_024
"""Names of lenders whose text is kept: a batch of a thousand loans names one of them a thousand times."""


def loan_key(tenant: str, account: bytes) -> LoanKey:
    """The key of a loan."""
    return tenant.encode() + account


def split_key(key: LoanKey) -> tuple[TenantId, AccountRef]:
    """(tenant, account) of a key."""
    return _tenant(key[:-ACCOUNT_BYTES]), key[-ACCOUNT_BYTES:]  # type: ignore[return-value]


@lru_cache(maxsize=TENANTS_CACHED_MAX)
def _tenant(name: bytes) -> TenantId:
    return TenantId(name.decode())


class CachedLoan(NamedTuple):
    """A loan as of its ``version``; ``last`` is its newest attestation as (batch id, position)."""

    version: int
    last: Place
    state: LoanState


class LoanCache:
    """A bounded map of loans. Old halves are dropped whole: no bookkeeping on the hot path."""

    def __init__(self) -> None:
        self._recent: dict[LoanKey, CachedLoan] = {}
        self._older: dict[LoanKey, CachedLoan] = {}

    def forget(self) -> None:
        """Drop everything."""
        self._recent, self._older = {}, {}

    def find(self, keys: Sequence[LoanKey | None]) -> tuple[dict[LoanKey, CachedLoan], list[LoanKey]]:
        """(the loans that are here, the keys that are not). None, and a key that came before, change nothing."""
        found: dict[Any, Any] = dict(zip(keys, map(self._recent.get, keys), strict=True))  # type: ignore[arg-type]
        missing = []
        for key in [key for key, loan in found.items() if loan is None]:
            loan = self._older.get(key)
            if loan is not None:
                found[key] = loan
                continue
            del found[key]
            if key is not None:
                missing.append(key)
        return found, missing

    def put(self, loans: dict[LoanKey, CachedLoan]) -> None:
        """Keep loans as the group that changed them will commit them."""
        if len(self._recent) + len(loans) > LOANS_CACHED_MAX // 2:
            self._older, self._recent = self._recent, {}
        self._recent.update(loans)
