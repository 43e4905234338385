"""The examples in the docstrings of scoring give what they say."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["derivations", "drift", "fairness", "model_rules", "training.split"])
def test_every_example_gives_what_it_says(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"ledger.risk.{name}"), raise_on_error=True)
    assert result.attempted > 0
