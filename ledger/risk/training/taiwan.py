"""Reads the Taiwanese card accounts of 2005 (I-Cheng Yeh, UCI Machine Learning Repository 2009, doi 10.24432/C55S3H).

    accounts = read_accounts(csv_bytes)
    accounts[0].inputs["delay_1"], accounts[0].defaulted

Rules
- Lines end in CR alone, LF, or both; a quoted cell is the cell; ``1.00E+05`` is 100000, and a fraction is refused.
- The columns of months are given newest first and counted from 1: ``delay_1`` is ``PAY_0`` (there is no ``PAY_1``),
  ``bill_1`` is ``BILL_AMT1``, ``paid_1`` is ``PAY_AMT1``. Delays of -2, -1 and 0 all mean not late.
- ``inputs`` holds no protected attribute. They are in ``groups`` alone, for the fairness report.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from ledger.errors import InvalidInput

MONTHS: Final = range(1, 7)
COLUMNS: Final = {
    "LIMIT_BAL": "limit",
    **{f"PAY_{0 if month == 1 else month}": f"delay_{month}" for month in MONTHS},
    **{f"BILL_AMT{month}": f"bill_{month}" for month in MONTHS},
    **{f"PAY_AMT{month}": f"paid_{month}" for month in MONTHS},
}
"""Column of the file -> input of a card."""

LABEL: Final = "default.payment.next.month"
SHA256: Final = "e3d893c1b4a9dc73220d01e18975ea04adb79fd8e0cebed1aea739e77797224e"
"""Of the file that the card was fitted on, uncompressed."""

TEST_SHARE: Final = (3, 10)
SPLIT_SEED: Final = 20240101
"""The held-out rows: ``stratified_split(labels, test_share=TEST_SHARE, seed=SPLIT_SEED)``."""


class Account(NamedTuple):
    """One borrower: inputs of a card, whether the next payment was missed, and groups for the fairness report."""

    inputs: dict[str, int]
    defaulted: int
    groups: dict[str, str]


def read_accounts(data: bytes) -> list[Account]:
    """Every account of the file. Raises InvalidInput ``taiwan_header``, ``taiwan_row``, ``taiwan_number``."""
    lines = data.decode("ascii").replace("\r\n", "\n").replace("\r", "\n").splitlines()
    header = _cells(lines[0]) if lines else []
    needed = {*COLUMNS, LABEL, "SEX", "AGE", "EDUCATION", "MARRIAGE"}
    if not needed <= set(header):
        raise InvalidInput("taiwan_header", "columns are missing", found=", ".join(sorted(needed - set(header))))
    return [_account(header, _cells(line), at) for at, line in enumerate(lines[1:], 2) if line.strip()]


def _cells(line: str) -> list[str]:
    return [cell.strip().strip('"') for cell in line.split(",")]


def _account(header: list[str], cells: list[str], at: int) -> Account:
    if len(cells) != len(header):
        raise InvalidInput("taiwan_row", "cells are missing or too many", path=f"line {at}", found=len(cells))
    row = {name: _whole(cell, at) for name, cell in zip(header, cells, strict=True)}
    inputs = {ours: row[theirs] for theirs, ours in COLUMNS.items()}
    return Account(inputs, row[LABEL], _groups(row["SEX"], row["AGE"], row["EDUCATION"], row["MARRIAGE"]))


def _whole(cell: str, at: int) -> int:
    try:
        number = Decimal(cell)
        whole = int(number)
    except (InvalidOperation, ValueError, OverflowError):
        raise InvalidInput("taiwan_number", "not a number", path=f"line {at}", found=cell[:32]) from None
    if whole != number:
        raise InvalidInput("taiwan_number", "not a whole number", path=f"line {at}", found=cell[:32])
    return whole


def _groups(sex: int, age: int, education: int, marriage: int) -> dict[str, str]:
    return {
        "sex": {1: "male", 2: "female"}.get(sex, "other"),
        "age": "under 25" if age < 25 else "25 to 59" if age < 60 else "60 and over",
        "education": {1: "graduate school", 2: "university", 3: "high school"}.get(education, "other"),
        "marriage": {1: "married", 2: "single"}.get(marriage, "other"),
    }
