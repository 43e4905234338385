from __future__ import annotations

import pytest

from crosschain.metro2.layout import LAYOUTS, field_of
from ledger.errors import InvalidInput

LENGTHS = {
    "header": (426, 366),
    "base": (426, 366),
    "trailer": (426, 366),
    "J1": (100, 100),
    "J2": (200, 200),
    "K1": (34, 34),
    "K2": (34, 34),
    "K3": (40, 40),
    "K4": (30, 30),
    "L1": (54, 54),
    "N1": (146, 146),
}


def test_every_layout_has_the_length_of_the_standard_in_both_forms() -> None:
    assert {kind: (layout.length, layout.packed_length) for kind, layout in LAYOUTS.items()} == LENGTHS


@pytest.mark.parametrize("kind", LENGTHS)
def test_fields_follow_each_other_without_gap_and_cut_a_text_into_its_parts(kind: str) -> None:
    layout = LAYOUTS[kind]
    text = "".join(chr(0x21 + place % 90) for place in range(layout.length))
    parts = layout.split(text)
    assert "".join(parts) == text
    assert [len(part) for part in parts] == [field.length for field in layout.fields]
    assert len(layout.place_of) == len(layout.fields)


@pytest.mark.parametrize(
    ("kind", "name", "start", "length", "packed_start"),
    [
        ("base", "consumer_account_number", 43, 30, 37),
        ("base", "account_status", 124, 2, 99),
        ("base", "payment_history_profile", 127, 24, 102),
        ("base", "date_of_first_delinquency", 190, 8, 150),
        ("base", "consumer_transaction_type", 231, 1, 182),
        ("base", "surname", 232, 25, 183),
        ("base", "telephone_number", 315, 10, 259),
        ("base", "residence_code", 426, 1, 366),
        ("J2", "postal_code", 188, 9, 188),
        ("trailer", "total_status_97", 255, 9, 147),
        ("trailer", "total_telephone_numbers", 399, 9, 227),
    ],
)
def test_known_fields_stand_where_the_standard_puts_them(
    kind: str, name: str, start: int, length: int, packed_start: int
) -> None:
    field = field_of(kind, name)
    assert (field.start, field.length, field.packed_start) == (start, length, packed_start)


def test_fields_that_point_to_a_person_are_marked() -> None:
    assert field_of("base", "surname").personal
    assert field_of("J1", "social_security_number").personal
    assert not field_of("base", "account_status").personal


@pytest.mark.parametrize(
    ("kind", "name", "code"), [("base", "nonsense", "field_unknown"), ("X9", "surname", "segment_unknown")]
)
def test_an_unknown_name_is_refused_with_a_code(kind: str, name: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        field_of(kind, name)
    assert caught.value.code == code
