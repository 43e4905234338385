"""What has to be true after a storm over contracts, whatever was killed when.

- Every acknowledged batch is in the log, at its index, with its leaf, once; every acknowledged step and day is there once.
- Besides, lenders' batches hold nothing but what effects mean, each naming its effect, no effect named twice.
- Each warning for a lender stands in its list, once.
- A replay from the stored attestations alone finds every effect byte for byte; a second one, by command, has the same root.
- fsck is clean, and one history was told.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import msgspec

from ledger.attestation.contract_kinds import Effect, Tick
from ledger.attestation.envelope import compose, parse
from ledger.contract.landing import LANDED_KINDS
from ledger.contract.replay import LogAttestation, Replayed
from ledger.log.merkle import leaf_hash
from ledger.node.fsck_batches import Opener
from ledger.node.keyring import load_keyring
from ledger.node.participants import DEPLOYMENT
from ledger.node.replaying import replay_into
from ledger.store.database import Database
from ledger.store.fsck_rows import begin_snapshot, last_erasure
from ledger.store.migrate import AUDIT
from ledger.subject.sealing import data_key, open_sealed, seal
from tests.chaos.storm import Storm


@dataclass
class Seen:
    """What the log itself says of effects, days and steps."""

    effects: Counter[bytes] = field(default_factory=Counter)
    bodies: list[Effect] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    records: set[UUID] = field(default_factory=set)
    landed: Counter[UUID] = field(default_factory=Counter)
    landed_in: set[str] = field(default_factory=set)
    days: Counter[date] = field(default_factory=Counter)
    steps: int = 0
    warnings: int = 0

    def see(self, placed: LogAttestation) -> None:
        """One attestation that the replay was shown."""
        envelope, body = placed.attestation.envelope, placed.attestation.body
        if isinstance(body, Effect):
            self.effects[body.id] += 1
            self.bodies.append(body)
            self.kinds[body.effect] += 1
            self.warnings += body.effect == "alert.raise" and body.arguments.get("to", "lender") == "lender"
            self.records.add(envelope.id)
        elif isinstance(body, Tick):
            self.days[body.day] += 1
        elif envelope.kind == "contract":
            self.steps += 1
        elif envelope.kind in LANDED_KINDS and self.records.intersection(envelope.refs):
            self.landed.update(self.records.intersection(envelope.refs))
            if envelope.tenant != DEPLOYMENT:
                self.landed_in.add(str(placed.batch))


async def replayed(storm: Storm, seen: Seen) -> Replayed:
    """A replay in this process, which tells ``seen`` of everything that it is shown."""
    keyring = load_keyring(storm.home)
    connection = await Database(storm.postgres.dsn(AUDIT, keyring.audit_password.hex(), "postgres")).dedicated()
    try:
        await begin_snapshot(connection)
        size = await connection.fetchval("SELECT size FROM head")
        opener = Opener(connection, keyring, await last_erasure(connection))
        return (await replay_into(opener, size, seen=seen.see)).report()
    finally:
        await connection.close(timeout=5)


async def by_command(storm: Storm, *command: str) -> tuple[int, dict[str, Any], float, int]:
    """(exit code, its JSON, seconds, the most memory it held in MB) of a command over the storm's home."""
    began = time.monotonic()
    code, out, kilobytes = await asyncio.to_thread(_measured, storm, command)
    return code, json.loads(out), time.monotonic() - began, kilobytes // 1024


_MEASURE = """
import resource, subprocess, sys
done = subprocess.run([sys.executable, "-P", "-m", "api.cli.main", *sys.argv[1:]])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(done.returncode)
"""


def _measured(storm: Storm, command: tuple[str, ...]) -> tuple[int, str, int]:
    done = subprocess.run(
        [sys.executable, "-P", "-c", _MEASURE, *command, "--json"], env=storm.environment, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, int(done.stderr.split()[-1])


async def judge(
    storm: Storm, client: httpx.AsyncClient, load: Any, first: int
) -> tuple[dict[str, Any], list[Effect]]:  # fmt: skip
    """Everything that has to hold: its figures, and the effects. Raises AssertionError at what does not. ``first`` is the
    load's first index."""
    rows = await storm._entries()
    assert [row["idx"] for row in rows] == list(range(len(rows)))
    assert all(leaf_hash(row["statement"]) == row["leaf_hash"] for row in rows)
    promised = {ack.batch: (ack.index, ack.leaf) for ack in storm.acks}
    assert len(promised) == len(storm.acks)
    by_lenders = {
        str(row["batch_id"]): (row["idx"], row["leaf_hash"])
        for row in rows if row["idx"] >= first and row["tenant"] != DEPLOYMENT
    }  # fmt: skip
    assert promised.items() <= by_lenders.items()  # nothing lost, nothing moved
    for ack in [ack for ack in storm.acks if ack.again is not None][:40]:
        answer = await ack.again() if ack.again else {}
        assert (answer["index"], answer["duplicate"]) == (ack.index, True)
    server_mb = _peak_mb(load.server_pid)
    seen, began = Seen(), time.monotonic()
    found = await replayed(storm, seen)
    took = time.monotonic() - began
    assert found.faults == (), found.faults[:5]
    assert set(seen.effects.values()) <= {1}  # nothing doubled
    assert sum(seen.effects.values()) == found.effects
    assert set(seen.landed.values()) <= {1}  # what an effect means is there at most once
    assert by_lenders.keys() - promised.keys() == seen.landed_in  # nothing that nobody sent and nothing caused
    assert set(seen.days.values()) == {1} and len(seen.days) == load.days
    assert seen.steps == load.steps
    assert await storm._value("SELECT count(*) FROM contract_effect") == found.effects
    assert await storm._value("SELECT count(*) FROM risk_alert") == seen.warnings
    assert sum(row["count"] for row in rows) == await storm._value("SELECT count(*) FROM attestation")
    consistent = await storm._one_history(client, [row["leaf_hash"] for row in rows])
    code, again, seconds, megabytes = await by_command(storm, "replay")
    assert (code, again["faults"], again["root"]) == (0, [], found.root.hex())
    code, report, fsck_seconds, fsck_mb = await by_command(storm, "fsck")
    assert (code, report["ok"]) == (0, True), report
    figures = {
        "entries": len(rows), "attestations": sum(row["count"] for row in rows), "contracts": found.contracts,
        "executions": found.executions, "effects": found.effects, "effects_by_kind": dict(sorted(seen.kinds.items())),
        "landed_events": sum(seen.landed.values()), "replay_root": found.root.hex(), "checkpoints": consistent,
        "retries": storm.retries, "internal_errors": storm.internal_errors, "server_peak_mb": server_mb,
        "replay_seconds": [round(took, 1), round(seconds, 1)], "replay_peak_mb": megabytes,
        "fsck": "clean", "fsck_seconds": round(fsck_seconds, 1), "fsck_peak_mb": fsck_mb,
    }  # fmt: skip
    return figures, seen.bodies


def _peak_mb(pid: int) -> int:
    """The most memory that a running process held, megabytes."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


# -- what a replay must find -----------------------------------------------------------------------------------------


async def alter(storm: Storm, effect: Effect) -> None:
    """Write another amount into an effect's attestation, sealed and committed to as if it had always been so."""
    master = load_keyring(storm.home).master
    async with _intruder(storm) as connection:
        place = await connection.fetchrow(_PLACE, effect.id)
        salt = await connection.fetchval("SELECT salt FROM subject_salt WHERE subject = $1", place["subject"])
        key = data_key(master, place["subject"], salt)
        old = parse(open_sealed(key, place["sealed"], place["commitment"]))
        changed = msgspec.structs.replace(effect, arguments={**effect.arguments, "amount": 1})
        members = {
            name: getattr(old.envelope, name)
            for name in old.envelope.__struct_fields__
            if name not in ("body", "schema")
        }
        new = compose(members, changed)
        sealed = seal(key, bytes(12), new.data, new.commitment)
        await connection.execute(_REWRITE, place["id"], sealed, new.commitment)


async def delete(storm: Storm, effect: Effect) -> None:
    """Delete an effect's attestation."""
    async with _intruder(storm) as connection:
        place = await connection.fetchrow(_PLACE, effect.id)
        await connection.execute("DELETE FROM attestation WHERE id = $1", place["id"])


_PLACE = """
SELECT a.* FROM contract_effect e JOIN attestation a USING (log_id, batch_id, position)
 WHERE e.effect = $1 AND a.kind = 'effect'
"""
_REWRITE = "UPDATE attestation SET sealed = $2, commitment = $3 WHERE id = $1"


@asynccontextmanager
async def _intruder(storm: Storm) -> AsyncIterator[Any]:
    """A superuser whom triggers and foreign keys do not stop."""
    connection = await asyncpg.connect(storm.postgres.admin_dsn())
    try:
        await connection.execute("SET session_replication_role = replica")
        yield connection
    finally:
        await connection.close()
