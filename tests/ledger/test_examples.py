"""The examples in the docstrings of the cryptographic floor give what they say."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "name",
    [
        "ledger.base64_strict",
        "ledger.signatures",
        "ledger.log.merkle",
        "ledger.log.tiles",
        "ledger.log.right_edge",
        "ledger.log.note",
        "ledger.log.checkpoint",
        "ledger.attestation.canonical",
        "ledger.attestation.keys",
        "ledger.attestation.jws",
    ],
)
def test_every_example_gives_what_it_says(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), raise_on_error=True)
    assert result.attempted > 0
