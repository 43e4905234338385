"""Checkpoint bodies: the specification's answer, not that of a more lenient reader."""

from __future__ import annotations

import json
from typing import Any

from ledger.errors import InvalidInput
from ledger.log.checkpoint import Checkpoint

VECTORS = "checkpoint"


def test_a_body_parses_exactly_when_the_specification_allows_it(vectors: Any) -> None:
    for case in json.loads((vectors.folder / "parse.json").read_text(encoding="utf-8"))["cases"]:
        body = case["body"].encode()
        try:
            valid = Checkpoint.parse(body).encode() == body
        except InvalidInput:
            valid = False
        vectors.check(case, valid == case["spec_valid"])
