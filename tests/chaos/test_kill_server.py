"""A server that is killed loses nothing, doubles nothing and tells one history."""

from __future__ import annotations

import pytest

from tests.chaos.storm import rage

pytestmark = pytest.mark.chaos

SEED = 20260131


async def test_fifty_kills_under_load_lose_nothing_double_nothing_and_leave_one_history() -> None:
    figures = await rage(50, SEED)
    print(figures)
    assert (figures["kills"], figures["fsck"], figures["internal_errors"]) == (50, "clean", 0)
    assert figures["acknowledged"] > 100
    assert figures["retries"] > 50
