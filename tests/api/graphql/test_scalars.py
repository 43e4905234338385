"""Scalars, ids and cursors: one text for each value, and a code for every other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.graphql.scalars import (
    Cursors,
    decode_global_id,
    encode_global_id,
    page_size,
    parse_base64,
    parse_date,
    parse_minor_units,
    parse_timestamp,
    parse_uuid,
    show_date,
    show_timestamp,
)
from ledger.errors import InvalidInput

CURSORS = Cursors(bytes(range(32)))


def test_good_texts_become_values_and_texts_again() -> None:
    assert show_date(parse_date("2024-02-29")) == show_date("2024-02-29") == "2024-02-29"
    assert parse_timestamp("2026-11-24T10:00:00.007Z") == 1_795_514_400_007
    assert show_timestamp(1_795_514_400_007) == "2026-11-24T10:00:00.007Z"
    assert show_timestamp(-1) == "1969-12-31T23:59:59.999Z"
    assert (parse_minor_units("-12345"), parse_minor_units("0")) == (-12_345, 0)
    assert parse_base64("AQ==") == b"\x01"
    assert parse_uuid("01890a5d-ac96-774b-bcce-b302099a8057") == "01890a5d-ac96-774b-bcce-b302099a8057"


BAD: list[tuple[Callable[[object], Any], str, list[object]]] = [
    (
        parse_date,
        "date_invalid",
        [
            "2023-02-29",
            "2024-2-9",
            "20240209",
            "2024-W05-1",
            "2024-02-09T00:00",
            " 2024-02-09",
            "٢024-02-09",
            20240209,
            None,
        ],
    ),
    (
        parse_timestamp,
        "timestamp_invalid",
        [
            "2026-11-24T10:00:00Z",
            "2026-11-24T10:00:00.000",
            "2026-11-24T10:00:00.000+00:00",
            "2026-11-24T24:00:00.000Z",
            7,
        ],
    ),
    (
        parse_minor_units,
        "minor_units_invalid",
        ["", "-0", "+1", "01", "1.0", "1e3", " 1", "1_000", "٣", "9007199254740992", "9" * 5_000, 5, True, None],
    ),
    (parse_base64, "base64_invalid", ["AQ", "AQ=", "AR==", "A-==", "AQ==\n", "é", 7, None]),
    (
        parse_uuid,
        "uuid_invalid",
        ["01890A5D-AC96-774B-BCCE-B302099A8057", "01890a5dac96774bbcceb302099a8057", "{01890a5d}", "", 7],
    ),
]


@pytest.mark.parametrize(
    ("parse", "code", "value"), [(parse, code, value) for parse, code, all_ in BAD for value in all_]
)
def test_every_other_text_is_refused_with_its_code(parse: Callable[[object], Any], code: str, value: object) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse(value)
    assert refusal.value.code == code


def test_a_global_id_says_type_and_key() -> None:
    assert decode_global_id(encode_global_id("Loan", "a:1"), "Loan", "Batch") == ("Loan", "a:1")


@pytest.mark.parametrize(
    "text",
    ["", "x", "Loan:a1", "TG9hbjphMQ==", "TG9hbjphMR", "TG9hbjo", "bG9hbjphMQ", "_w", "é", "TG9hbjphMQ\n", "A" * 600],
)
def test_a_text_that_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="global_id_invalid"):
        decode_global_id(text)


def test_an_id_of_another_type_is_refused() -> None:
    with pytest.raises(InvalidInput, match="global_id_type"):
        decode_global_id(encode_global_id("Loan", "a1"), "Batch")


@pytest.mark.parametrize("key", ["", "a b", "a\0", "é", "a" * 201])
def test_a_key_that_an_id_cannot_carry_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput, match="global_id_invalid"):
        encode_global_id("Loan", key)


def test_a_cursor_gives_its_position_back() -> None:
    assert CURSORS.decode("loans/acme", CURSORS.encode("loans/acme", 7, "k")) == (7, "k")


def test_a_cursor_of_another_list_or_key_or_spelling_is_refused() -> None:
    cursor = CURSORS.encode("loans/acme", 7)
    others = [
        CURSORS.encode("loans/bank", 7),
        Cursors(bytes(32)).encode("loans/acme", 7),
        cursor + "=",
        cursor[:-2],
        "",
    ]
    for text in others:
        with pytest.raises(InvalidInput, match="cursor_invalid"):
            CURSORS.decode("loans/acme", text)


def test_no_changed_letter_of_a_cursor_passes() -> None:
    cursor = CURSORS.encode("loans/acme", 7)
    for place, letter in enumerate(cursor):
        with pytest.raises(InvalidInput, match="cursor_invalid"):
            CURSORS.decode("loans/acme", cursor[:place] + ("A" if letter != "A" else "B") + cursor[place + 1 :])


@given(st.text(max_size=80))
def test_any_text_is_refused_in_one_way(text: str) -> None:
    for decode in (lambda: CURSORS.decode("loans/acme", text), lambda: decode_global_id(text, "Nothing")):
        with pytest.raises(InvalidInput):
            decode()


def test_a_short_key_is_refused() -> None:
    with pytest.raises(InvalidInput, match="cursor_key_short"):
        Cursors(bytes(31))


def test_a_page_has_one_to_a_hundred() -> None:
    assert (page_size(1), page_size(100)) == (1, 100)
    for size in (0, 101, -1):
        with pytest.raises(InvalidInput, match="page_size_invalid"):
            page_size(size)
