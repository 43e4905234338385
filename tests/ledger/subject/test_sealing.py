"""Sealing: opens with the one key and the one row, and with nothing else."""

from __future__ import annotations

import pytest

from ledger.errors import Untrusted
from ledger.subject.sealing import DataKey, common_key, data_key, open_sealed, seal

MASTER, SUBJECT, SALT = b"m" * 32, b"s" * 32, b"t" * 32
KEY = data_key(MASTER, SUBJECT, SALT)
SEALED = seal(KEY, b"n" * 12, b"data", b"c" * 32)


def test_what_was_sealed_opens() -> None:
    assert open_sealed(KEY, SEALED, b"c" * 32) == b"data"
    assert len(SEALED) == 8 + 12 + 4 + 16 and b"data" not in SEALED


def test_each_part_of_the_key_matters() -> None:
    keys = [KEY, data_key(b"x" * 32, SUBJECT, SALT), data_key(MASTER, b"x" * 32, SALT),
            data_key(MASTER, SUBJECT, b"x" * 32), common_key(MASTER)]  # fmt: skip
    assert len({seal(key, b"n" * 12, b"data", b"c" * 32) for key in keys}) == 5


@pytest.mark.parametrize("place", range(len(SEALED)))
def test_any_flipped_bit_keeps_it_closed(place: int) -> None:
    flipped = bytearray(SEALED)
    flipped[place] ^= 1
    with pytest.raises(Untrusted) as caught:
        open_sealed(KEY, bytes(flipped), b"c" * 32)
    assert caught.value.code == "seal_broken"


@pytest.mark.parametrize(
    ("key", "sealed", "row"),
    [
        (common_key(MASTER), SEALED, b"c" * 32),
        (KEY, SEALED, b"d" * 32),
        (KEY, SEALED[:20], b"c" * 32),
        (KEY, b"", b"c" * 32),
    ],
    ids=["key", "row", "cut", "empty"],
)
def test_another_key_another_row_or_less_of_it_stays_closed(key: DataKey, sealed: bytes, row: bytes) -> None:
    with pytest.raises(Untrusted) as caught:
        open_sealed(key, sealed, row)
    assert caught.value.code == "seal_broken"
