"""What every test may ask for: one real PostgreSQL for the whole run, and the folder of shared vectors and data."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.store.embedded import EmbeddedPostgres

pytest_plugins = ["tests.support.vector_counts"]

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def postgres_programs() -> Path | None:
    """The PostgreSQL to test against: None for the wheel, or the folder TALLYSTICK_TEST_PG_BIN names."""
    named = os.environ.get("TALLYSTICK_TEST_PG_BIN")
    return Path(named) if named else None


@pytest.fixture(scope="session")
def postgres(postgres_programs: Path | None) -> Iterator[EmbeddedPostgres]:
    """A running server with an empty cluster in a short-lived home."""
    home = Path(tempfile.mkdtemp(prefix="tallystick-test-"))
    home.chmod(0o711)
    server = EmbeddedPostgres(home, postgres_programs)
    try:
        server.start()
        yield server
    finally:
        server.stop("immediate")
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with vectors/ and data/, kept beside the checkout and never copied into it."""
    folder = Path(os.environ.get("TALLYSTICK_SHARED") or REPOSITORY.parent / "shared")
    if not folder.is_dir():
        pytest.skip(f"no shared vectors and data: {folder} is not there (name the folder in TALLYSTICK_SHARED)")
    return folder
