"""The contracts' projection against a replay of the log: documents, memories, where effects lie, and the days that began.

Every contract is executed again (replaying.py); what its row says must be what the replay came to, and each effect on the
log must be the one that was due. A deployment without contracts pays for one look at its own batches.
"""

from __future__ import annotations

from typing import Any

from ledger.attestation.contract_kinds import Effect, Tick
from ledger.contract.document import canonical_bytes
from ledger.contract.memory import encode_memory
from ledger.contract.replay import LogAttestation
from ledger.node.fsck_batches import Opener
from ledger.node.fsck_report import FsckReport, Progress
from ledger.node.replaying import replay_into
from ledger.store.contract_rows import all_contracts, all_effects, all_ticks


async def check_contracts(report: FsckReport, opener: Opener, size: int, progress: Progress) -> None:
    """Compare the contracts of a ledger of ``size`` entries with a replay."""
    effects: dict[tuple[str, bytes], tuple[Any, ...]] = {}
    ticks: dict[Any, int] = {}

    def seen(placed: LogAttestation) -> None:
        body, envelope = placed.attestation.body, placed.attestation.envelope
        if isinstance(body, Effect):
            place = (body.contract, envelope.subject, placed.index, placed.batch, placed.position)
            effects[body.lender, body.id] = place
        elif isinstance(body, Tick):
            ticks[body.day] = placed.index

    replayer = await replay_into(opener, size, progress=progress, seen=seen)
    for fault in replayer.report().faults:
        report.add(fault.code, f"entry {fault.index}, contract {fault.contract.hex()[:16]}", "not what a replay gives")
    await _check_rows(report, opener, replayer.memories())
    stored = {(row.tenant, row.effect): tuple(row[2:]) for row in await all_effects(opener.connection)}
    for key in sorted(effects.keys() | stored.keys()):
        report.count("effects")
        where = f"effect {key[1].hex()[:16]} of {key[0]}"
        report.equal(stored.get(key), effects.get(key), "effect_row_differs", where, "not where the log has it")
    days = dict(await all_ticks(opener.connection))
    report.equal(days, ticks, "tick_row_differs", "ticks", "not the days that began on the log")


async def _check_rows(report: FsckReport, opener: Opener, known: dict[bytes, Any]) -> None:
    rows = {(row.tenant, row.contract): row for row in await all_contracts(opener.connection)}
    expected = {
        (contract.document.parties.lender, key): (contract, memory) for key, (contract, memory) in known.items()
    }
    for key in sorted(rows.keys() | expected.keys()):
        report.count("contracts")
        row, where = rows.get(key), f"contract {key[1].hex()[:16]} of {key[0]}"
        if row is None or key not in expected:
            report.add("contract_row_differs", where, "its row is missing, or speaks of none on the log")
            continue
        contract, memory = expected[key]
        document = contract.document
        said = (row.account, row.subject, row.state, row.document, row.memory)
        due = (
            document.account, document.parties.borrower, memory.state, canonical_bytes(document), encode_memory(memory),
        )  # fmt: skip
        report.equal(said, due, "contract_row_differs", where, "not what a replay of the log gives")
