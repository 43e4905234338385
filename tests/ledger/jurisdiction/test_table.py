"""The table of one integer and many codes, cell by cell: both edges of every row, and every edge inside a cell."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from ledger.jurisdiction.classification import classify
from ledger.jurisdiction.packs import packs
from ledger.jurisdiction.standing import Standing

DAY = date(2026, 3, 31)
NEVER = 5_000

COLUMNS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "metro2_status": ("US", "metro2_status", {}),
    "metro2_history": ("US", "metro2_history", {}),
    "pboc": ("CN", "pboc_month", {}),
    "cn_general": ("CN", "cn_general", {}),
    "cn_card": ("CN", "cn_card", {"portfolio": "card"}),
    "ifrs9": ("EU", "ifrs9_stage", {}),
    "eu_default": ("EU", "eu_default", {"currency": "EUR", "amount_past_due": 50_000, "exposure": 1_000_000}),
    "eu_immaterial": ("EU", "eu_default", {"currency": "EUR", "amount_past_due": 9_999, "exposure": 1_000_000}),
}
"""Column -> pack, list, and what else the loan is."""

ROWS = {"0": (0, 0), "1-29": (1, 29), "30-59": (30, 59), "60-89": (60, 89), "90-119": (90, 119),
        "120-149": (120, 149), "150-179": (150, 179), "180+": (180, NEVER)}  # fmt: skip

_NORMAL, _MENTION, _SUB, _DOUBT, _LOSS = "normal", "special_mention", "substandard", "doubtful", "loss"

TABLE: dict[str, dict[str, dict[int, str]]] = {
    "0": {
        "metro2_status": {0: "11"},
        "metro2_history": {0: "0"},
        "pboc": {0: "N"},
        "cn_general": {0: _NORMAL},
        "cn_card": {0: _NORMAL},
        "ifrs9": {0: "1"},
        "eu_default": {0: "no"},
        "eu_immaterial": {0: "no"},
    },
    "1-29": {
        "metro2_status": {1: "11", 29: "11"},
        "metro2_history": {1: "0", 29: "0"},
        "pboc": {1: "1", 29: "1"},
        "cn_general": {1: _MENTION, 29: _MENTION},
        "cn_card": {1: _MENTION, 29: _MENTION},
        "ifrs9": {1: "1", 29: "1"},
        "eu_default": {1: "no", 29: "no"},
        "eu_immaterial": {1: "no", 29: "no"},
    },
    "30-59": {
        "metro2_status": {30: "71", 59: "71"},
        "metro2_history": {30: "1", 59: "1"},
        "pboc": {30: "1", 31: "2", 59: "2"},
        "cn_general": {30: _MENTION, 59: _MENTION},
        "cn_card": {30: _MENTION, 59: _MENTION},
        "ifrs9": {30: "1", 31: "2", 59: "2"},
        "eu_default": {30: "no", 59: "no"},
        "eu_immaterial": {30: "no", 59: "no"},
    },
    "60-89": {
        "metro2_status": {60: "78", 89: "78"},
        "metro2_history": {60: "2", 89: "2"},
        "pboc": {60: "2", 61: "3", 89: "3"},
        "cn_general": {60: _MENTION, 89: _MENTION},
        "cn_card": {60: _MENTION, 89: _MENTION},
        "ifrs9": {60: "2", 89: "2"},
        "eu_default": {60: "no", 89: "no"},
        "eu_immaterial": {60: "no", 89: "no"},
    },
    "90-119": {
        "metro2_status": {90: "80", 119: "80"},
        "metro2_history": {90: "3", 119: "3"},
        "pboc": {90: "3", 91: "4", 119: "4"},
        "cn_general": {90: _MENTION, 91: _SUB, 119: _SUB},
        "cn_card": {90: _MENTION, 91: _SUB, 119: _SUB},
        "ifrs9": {90: "3", 119: "3"},
        "eu_default": {90: "no", 91: "yes", 119: "yes"},
        "eu_immaterial": {90: "no", 91: "no", 119: "no"},
    },
    "120-149": {
        "metro2_status": {120: "82", 149: "82"},
        "metro2_history": {120: "4", 149: "4"},
        "pboc": {120: "4", 121: "5", 149: "5"},
        "cn_general": {120: _SUB, 149: _SUB},
        "cn_card": {120: _SUB, 121: _DOUBT, 149: _DOUBT},
        "ifrs9": {120: "3", 149: "3"},
        "eu_default": {120: "yes", 149: "yes"},
        "eu_immaterial": {120: "no", 149: "no"},
    },
    "150-179": {
        "metro2_status": {150: "83", 179: "83"},
        "metro2_history": {150: "5", 179: "5"},
        "pboc": {150: "5", 151: "6", 179: "6"},
        "cn_general": {150: _SUB, 179: _SUB},
        "cn_card": {150: _DOUBT, 179: _DOUBT},
        "ifrs9": {150: "3", 179: "3"},
        "eu_default": {150: "yes", 179: "yes"},
        "eu_immaterial": {150: "no", 179: "no"},
    },
    "180+": {
        "metro2_status": {180: "84", NEVER: "84"},
        "metro2_history": {180: "6", NEVER: "6"},
        "pboc": {180: "6", 181: "7", NEVER: "7"},
        "cn_general": {180: _SUB, 270: _SUB, 271: _DOUBT, 360: _DOUBT, 361: _LOSS, NEVER: _LOSS},
        "cn_card": {180: _DOUBT, 181: _LOSS, NEVER: _LOSS},
        "ifrs9": {180: "3", NEVER: "3"},
        "eu_default": {180: "yes", NEVER: "yes"},
        "eu_immaterial": {180: "no", NEVER: "no"},
    },
}
"""Row -> column -> day -> code, as the table has them; where a cell has an edge inside, both of its sides."""

CELLS = [
    pytest.param(column, day, code, id=f"{row}-{column}-{day}")
    for row, cells in TABLE.items() for column, days in cells.items() for day, code in days.items()
]  # fmt: skip


def code_of(column: str, dpd: int) -> str | None:
    """The code that a column's pack gives on these days past due."""
    pack, scheme, rest = COLUMNS[column]
    return classify(packs()[pack], Standing(as_of=DAY, dpd=dpd, **rest)).of(scheme)


@pytest.mark.parametrize(("column", "day", "code"), CELLS)
def test_each_cell_of_the_table(column: str, day: int, code: str) -> None:
    assert code_of(column, day) == code


def test_the_table_has_every_cell_and_both_edges_of_each_row() -> None:
    assert TABLE.keys() == ROWS.keys()
    for row, (first, last) in ROWS.items():
        assert TABLE[row].keys() == COLUMNS.keys()
        for column, days in TABLE[row].items():
            assert {first, last} <= days.keys(), (row, column)


@pytest.mark.parametrize("column", COLUMNS)
def test_between_two_listed_days_nothing_changes(column: str) -> None:
    listed = {day: code for row in TABLE.values() for day, code in row[column].items()}
    edges = sorted(listed)
    for day in range(401):
        before = max(edge for edge in edges if edge <= day)
        assert code_of(column, day) == listed[before], day


@pytest.mark.parametrize(
    ("dpd", "code"),
    [(0, "standard"), (1, "SMA-0"), (30, "SMA-0"), (31, "SMA-1"), (60, "SMA-1"), (61, "SMA-2"), (90, "SMA-2"),
     (91, "NPA"), (NEVER, "NPA")],
)  # fmt: skip
def test_india_has_three_special_mentions_before_the_non_performing_asset(dpd: int, code: str) -> None:
    assert classify(packs()["IN"], Standing(as_of=DAY, dpd=dpd)).of("in_sma") == code


@pytest.mark.parametrize(
    ("lender", "dpd", "code"),
    [("bank", 89, "performing"), ("bank", 90, "non_performing"),
     ("microfinance", 29, "performing"), ("microfinance", 30, "non_performing")],
)  # fmt: skip
def test_kenya_calls_a_banks_loan_bad_at_90_days_and_a_microlenders_at_30(lender: Any, dpd: int, code: str) -> None:
    found = classify(packs()["KE"], Standing(as_of=DAY, dpd=dpd, lender=lender))
    assert found.of(f"ke_npl_{lender}") == code
    assert [one.scheme for one in found.codes] == [f"ke_npl_{lender}", "ifrs9_stage"]


METRO2_HISTORY = {
    "before_history": "B", "no_data": "D", "zero_balance": "E", "collection": "G", "foreclosed": "H",
    "surrendered": "J", "repossessed": "K", "charged_off": "L", "too_new": "Z",
}  # fmt: skip
METRO2_STATUS = {
    "transferred": "05", "closed": "13", "paid_was_surrendered": "61", "paid_was_collection": "62",
    "paid_was_repossessed": "63", "paid_was_charged_off": "64", "paid_was_foreclosed": "65", "government_claim": "88",
    "deed_in_lieu": "89", "collection": "93", "foreclosed": "94", "surrendered": "95", "repossessed": "96",
    "charged_off": "97", "deleted": "DA", "deleted_fraud": "DF",
}  # fmt: skip
PBOC = {
    "not_open": "/", "none_due": "*", "guarantor_paid": "D", "asset_paid": "Z", "settled": "C", "ended": "G",
    "unknown": "#", "bad_debt": "B",
}  # fmt: skip


@pytest.mark.parametrize(
    ("pack", "scheme", "fact", "code"),
    [
        *(("US", "metro2_history", fact, code) for fact, code in METRO2_HISTORY.items()),
        *(("US", "metro2_status", fact, code) for fact, code in METRO2_STATUS.items()),
        *(("CN", "pboc_month", fact, code) for fact, code in PBOC.items()),
    ],
)
def test_each_other_character_of_the_table_replaces_the_band(pack: str, scheme: str, fact: str, code: str) -> None:
    standing = Standing(as_of=DAY, dpd=95, facts=frozenset({fact}))
    assert classify(packs()[pack], standing).of(scheme) == code


@pytest.mark.parametrize("status", sorted(METRO2_STATUS))
def test_a_word_in_the_books_gives_its_metro_2_status(status: str) -> None:
    assert (
        classify(packs()["US"], Standing(as_of=DAY, dpd=0, status=status)).of("metro2_status") == METRO2_STATUS[status]
    )
