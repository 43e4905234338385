"""RFC 8785 documents and numbers."""

from __future__ import annotations

import struct
from typing import Any

from ledger.attestation.canonical import canonical, double_text, parse_canonical, parse_strict

VECTORS = "jcs"


def test_every_document_gets_its_canonical_bytes(vectors: Any) -> None:
    files = sorted((vectors.folder / "input").glob("*.json"))
    assert files
    for file in files:
        want = (vectors.folder / "output" / file.name).read_bytes()
        value = parse_strict(file.read_bytes(), integers_as_doubles=True)
        vectors.check(file, canonical(value, integers_as_doubles=True) == want)
        as_hex = (vectors.folder / "outhex" / f"{file.stem}.txt").read_text(encoding="ascii")
        vectors.check(file.stem, want == bytes.fromhex(as_hex))
        assert parse_canonical(want, integers_as_doubles=True) == value


def test_every_number_is_written_as_ecmascript_writes_it(vectors: Any) -> None:
    files = sorted((vectors.folder / "numbers").glob("*.txt"))
    assert files
    for file in files:
        for line in file.read_text(encoding="ascii").splitlines():
            bits, want = line.split(",")
            [number] = struct.unpack(">d", int(bits, 16).to_bytes(8, "big"))
            vectors.check(line, double_text(number) == want)
