"""How much memory a large import takes: a synthetic file of any size, through the real importer, to a ledger that answers.

    python -m tests.evidence.large_import --gigabytes 1 --seed 7              a line, and the figures as JSON
    python -m tests.evidence.large_import --gigabytes 1 --seed 7 --json       the JSON alone

- The file is the project's own synthetic one (crosschain/metro2/synthetic.py): the seed and the size make every byte.
- Three processes: this one writes the file, ``stand_in`` checks and answers every batch, ``importing`` runs
  ``import_file`` as ``tallystick import metro2`` does, and measures itself.
- It ends with 0 when every record was published, the two sides counted alike, and the importer stayed under PEAK_MAX.

Seconds are those of the machine and of whatever else it does; the peak and the counts are not. Linux alone, since the
peak is read from /proc.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final

from api.settings import REPOSITORY
from crosschain.metro2.synthetic import write_synthetic
from ledger.attestation.keys import EDDSA, PrivateKey
from ledger.base64_strict import encode_standard

PEAK_MAX: Final = 300 * 10**6
"""Bytes that the importer may hold at its peak, whatever the size of the file."""

AS_OF: Final = date(2026, 1, 31)
SAMPLE: Final = 2_000
"""Accounts that are written to learn how long one is."""

TENANT: Final = "acacia"
ORIGIN: Final = "tallystick.local/stand-in"


class Promise(AssertionError):
    """Something that has to hold did not."""


def write_file(path: Path, size: int, seed: int) -> int:
    """Write a synthetic file of ``size`` bytes, to within a few hundredths; gives how many accounts it has."""
    sample = BytesIO()
    write_synthetic(sample, accounts=SAMPLE, seed=seed, as_of=AS_OF)
    accounts = max(1, size * SAMPLE // len(sample.getvalue()))
    with path.open("wb") as out:
        write_synthetic(out, accounts=accounts, seed=seed, as_of=AS_OF)
    return accounts


def measure(folder: Path, size: int, seed: int) -> dict[str, Any]:
    """Everything in ``folder``; the figures. Raises Promise."""
    file, credentials = folder / "accounts.txt", folder / "lender.json"
    began, commit = time.monotonic(), _commit()
    accounts = write_file(file, size, seed)
    written = time.monotonic() - began
    _write_credentials(credentials, seed, "http://127.0.0.1")
    with _started("tests.evidence.stand_in", "--credentials", credentials) as server:
        try:
            url = f"http://127.0.0.1:{int(_line(server))}"
            _write_credentials(credentials, seed, url)
            with _started("tests.evidence.importing", file, "--as-of", AS_OF, "--credentials", credentials) as importer:
                report = json.loads(_line(importer) or "null")
            if report is None:
                raise Promise(f"the importer ended with {importer.returncode}")
            with urllib.request.urlopen(f"{url}/tally", timeout=30) as answer:
                tally = json.load(answer)
        finally:
            server.terminate()
    _check(report, tally, accounts)
    return {
        "seed": seed,
        "commit": commit,
        "file_bytes": file.stat().st_size,
        "file_sha256": _digest(file),
        "records": report["records_published"],
        "attestations": report["attestations"],
        "batches": tally["batches"],
        "batch_bytes": tally["bytes"],
        "root": tally["root"],
        "seconds_writing": round(written, 1),
        "seconds": report["seconds"],
        "attestations_per_s": report["attestations_per_s"],
        "retries": report["retries"],
        "peak_bytes": report["peak_bytes"],
        "peak_max_bytes": PEAK_MAX,
    }


def told(figures: dict[str, Any]) -> str:
    """The figures as one line."""
    return (
        f"{figures['file_bytes'] / 1e9:.3f} GB, seed {figures['seed']}: {figures['records']:,} records, "
        f"{figures['attestations']:,} attestations in {figures['seconds']:,} s; "
        f"the importer held {figures['peak_bytes'] / 1e6:.0f} MB at most (bound {PEAK_MAX / 1e6:.0f} MB)"
    )


def _check(report: dict[str, Any], tally: dict[str, Any], accounts: int) -> None:
    counts = (report["records_in"], report["records_published"], report["rejected_count"], report["duplicates"])
    if counts != (accounts, accounts, 0, 0):
        raise Promise(f"records in, published, rejected, repeated: {counts}, of {accounts}")
    if not report["retries"] and (report["attestations"], report["batches"]) != (
        tally["attestations"], tally["batches"],
    ):  # fmt: skip
        raise Promise(f"the importer counted {report['attestations']}, the ledger {tally['attestations']}")
    if report["peak_bytes"] >= PEAK_MAX:
        raise Promise(f"the importer held {report['peak_bytes']} bytes")


def _write_credentials(path: Path, seed: int, url: str) -> None:
    """A lender's credentials file whose key follows from the seed: the same batches on every machine."""
    secret = hashlib.sha256(f"tallystick/large-import/{seed}".encode()).digest()
    given = {
        "tenant": TENANT,
        "ledger": ORIGIN,
        "url": url,
        "jwk": PrivateKey.from_random(EDDSA, secret).private_jwk(),
        "accountSalt": encode_standard(secret),
        "token": secret.hex(),
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(given), encoding="utf-8")


def _started(module: str, *words: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", module, *map(str, words)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE)


def _line(process: subprocess.Popen[bytes]) -> bytes:
    if process.stdout is None:
        raise Promise("a process without an output")
    return process.stdout.readline()


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return _sha256(stream)


def _sha256(stream: BinaryIO) -> str:
    return hashlib.file_digest(stream, "sha256").hexdigest()


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return found.stdout.strip()


def main(words: Sequence[str]) -> int:
    """Measure and tell; 0 when everything held."""
    parser = argparse.ArgumentParser(prog="python -m tests.evidence.large_import", description="Import a large file.")
    parser.add_argument("--gigabytes", type=float, default=1.0, help="10^9 bytes; a fraction is a smaller file")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="the figures alone, without the line")
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="tallystick-import-") as folder:
        try:
            figures = measure(Path(folder), round(options.gigabytes * 10**9), options.seed)
        except Promise as broken:
            print(f"broken: {broken}", file=sys.stderr)
            return 1
    if not options.json:
        print(told(figures))
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
