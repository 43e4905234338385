"""Finds the shared vectors, and says at the end how many of each set were met."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.vector_counts import count_vector

_SHARED = Path(os.environ.get("TALLYSTICK_SHARED") or Path(__file__).parents[2].parent / "shared")


class VectorSet:
    """The folder of one set, and the count of its vectors that were met."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = _SHARED / "vectors" / name

    def check(self, case: object, met: bool) -> None:
        """Count one vector; fail with the vector itself when it is not met."""
        count_vector(self.name, met=met)
        assert met, f"{self.name}: {case}"


@pytest.fixture
def vectors(request: pytest.FixtureRequest) -> VectorSet:
    """The set that the module's ``VECTORS`` names."""
    found = VectorSet(request.module.VECTORS)
    if not found.folder.is_dir():
        pytest.skip(f"the shared vectors are not here: {found.folder} (set TALLYSTICK_SHARED)")
    return found
