"""A line's standing: only what the line shows, and nothing where the consent leaves out what a class rests on."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from ledger.jurisdiction.standing import Standing
from ledger.view.credit_view import Line
from ledger.view.standing import standing_of_line

DAY = date(2026, 3, 31)


def line(**rest: Any) -> Line:
    """A late loan."""
    whole: dict[str, Any] = {
        "account": bytes(32), "as_of": DAY, "lender": "acacia", "dpd": 95, "delinquent_days": 90, "stage": "active",
        "flags": (), "past_due": 20_000, "balance": 100_000, "currency": "EUR", "status": "past_due",
    }  # fmt: skip
    return Line(**(whole | rest))


def test_a_lines_figures_become_the_standing() -> None:
    assert standing_of_line(line(), lender="microfinance", retail=False) == Standing(
        as_of=DAY, dpd=95, delinquent_days=90, amount_past_due=20_000, exposure=100_000, currency="EUR",
        lender="microfinance", retail=False, status="past_due",
    )  # fmt: skip


def test_flags_become_facts() -> None:
    found = standing_of_line(line(flags=("charged_off", "defaulted", "forborne")))
    assert found is not None
    assert (found.charged_off, found.defaulted, found.forborne) == (True, True, True)


@pytest.mark.parametrize(
    ("rest", "portfolio"),
    [
        ({"portfolio_type": "revolving"}, "card"),
        ({"product": "card"}, "card"),
        ({"portfolio_type": "mortgage"}, "general"),
    ],
)
def test_a_revolving_line_is_a_card(rest: dict[str, Any], portfolio: str) -> None:
    found = standing_of_line(line(**rest))
    assert found is not None and found.portfolio == portfolio


@pytest.mark.parametrize("withheld", ["dpd", "stage", "flags"])
def test_a_figure_that_is_withheld_leaves_no_class(withheld: str) -> None:
    assert standing_of_line(line(**{withheld: None})) is None
