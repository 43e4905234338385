"""The file's traps: line ends, exponents, the missing PAY_1, negative bills."""

from __future__ import annotations

import pytest

from ledger.errors import InvalidInput
from ledger.risk.training.taiwan import COLUMNS, read_accounts

HEADER = (
    "ID,LIMIT_BAL,SEX,EDUCATION,MARRIAGE,AGE,PAY_0,PAY_2,PAY_3,PAY_4,PAY_5,PAY_6,BILL_AMT1,BILL_AMT2,BILL_AMT3,"
    "BILL_AMT4,BILL_AMT5,BILL_AMT6,PAY_AMT1,PAY_AMT2,PAY_AMT3,PAY_AMT4,PAY_AMT5,PAY_AMT6,default.payment.next.month"
)
ROW = "1,1.00E+05,2,3,1,24,2,-2,-1,0,0,0,-165,3102,689,0,0,0,0,689,0,0,0,0,1"


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_lines_may_end_in_any_way(end: str) -> None:
    accounts = read_accounts(f"{HEADER}{end}{ROW}{end}{ROW}{end}".encode())
    assert len(accounts) == 2
    first = accounts[0]
    assert (first.inputs["limit"], first.inputs["delay_1"], first.inputs["delay_2"]) == (100_000, 2, -2)
    assert (first.inputs["bill_1"], first.inputs["paid_2"], first.defaulted) == (-165, 689, 1)
    assert first.groups == {"sex": "female", "age": "under 25", "education": "high school", "marriage": "married"}


def test_no_protected_attribute_is_an_input() -> None:
    assert len(COLUMNS) == 19
    account = read_accounts(f"{HEADER}\n{ROW}".encode())[0]
    assert sorted(account.inputs) == sorted(COLUMNS.values())


def test_a_quoted_cell_is_the_cell() -> None:
    assert (
        read_accounts(f'"{HEADER.replace(",", chr(34) + "," + chr(34))}"\n{ROW}'.encode())[0].inputs["limit"] == 100_000
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a,b\n1,2", "taiwan_header"), ("", "taiwan_header"), (f"{HEADER}\n1,2", "taiwan_row"),
        (f"{HEADER}\n{ROW.replace('689', 'x', 1)}", "taiwan_number"),
        (f"{HEADER}\n{ROW.replace('689', '0.5', 1)}", "taiwan_number"),
        (f"{HEADER}\n{ROW.replace('689', 'NaN', 1)}", "taiwan_number"),
        (f"{HEADER}\n{ROW.replace('689', 'Infinity', 1)}", "taiwan_number"),
    ],
)  # fmt: skip
def test_a_file_of_another_shape_is_refused(text: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_accounts(text.encode())
    assert caught.value.code == code
