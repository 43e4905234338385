"""Where the public samples are, and a few records that every test of this folder may use."""

from __future__ import annotations

import io
import os
import zipfile
from datetime import date
from pathlib import Path

import pytest

from crosschain.metro2.synthetic import write_synthetic

_ROOT = Path(__file__).resolve().parents[3]


def _data(name: str) -> Path:
    folder = Path(os.environ.get("TALLYSTICK_SHARED", _ROOT.parent / "shared")) / "data" / name
    if not folder.is_dir():
        pytest.skip(f"the shared data folder {name} is not here (set TALLYSTICK_SHARED)")
    return folder


@pytest.fixture(scope="session")
def cfpb() -> Path:
    return _data("cfpb-metro2")


@pytest.fixture(scope="session")
def moov() -> Path:
    return _data("moov-metro2")


@pytest.fixture(scope="session")
def main_zip(cfpb: Path) -> Path:
    return cfpb / "test_local_zipped" / "m2_2k_lines_deidentified.TXT.zip"


@pytest.fixture(scope="session")
def main_bytes(main_zip: Path) -> bytes:
    with zipfile.ZipFile(main_zip) as archive:
        return archive.read(archive.namelist()[0])


@pytest.fixture(scope="session")
def invented_lines() -> list[bytes]:
    """Header, 300 records of every status, trailer: each a line without its ending."""
    out = io.BytesIO()
    write_synthetic(out, accounts=300, seed=11, as_of=date(2026, 1, 31))
    return out.getvalue().splitlines()
