"""The contracts' projection against a replay of the log: documents, memories, where effects lie, and the days that began.

Every contract is executed again (replaying.py); what its row says must be what the replay came to, and each effect on the
log must be the one that was due. A deployment without contracts pays for one look at its own batches.

A contract that pins another engine is not executed: of its row everything but the memory is compared, and where its
effects lie; ``unexecuted`` counts such contracts.
"""

from __future__ import annotations

from typing import Any

from ledger.attestation.contract_kinds import Effect, Tick
from ledger.contract.document import Document, canonical_bytes
from ledger.contract.memory import Memory, encode_memory
from ledger.contract.replay import LogAttestation, Replayer
from ledger.node.fsck_batches import Opener
from ledger.node.fsck_report import FsckReport, Progress
from ledger.node.replaying import replay_into
from ledger.store.contract_rows import ContractRow, all_contracts, all_effects, all_ticks


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
    documents = {key: contract.document for key, (contract, _) in replayer.memories().items()}
    documents |= {key: document for key, (document, _) in replayer.unexecuted().items()}
    await _check_rows(report, opener, replayer, documents)
    effects = {key: (*place, _guarantor(documents, place[0])) for key, place in effects.items()}
    stored = {(row.tenant, row.effect): tuple(row[2:]) for row in await all_effects(opener.connection)}
    for key in sorted(effects.keys() | stored.keys()):
        report.count("effects")
        where = f"effect {key[1].hex()[:16]} of {key[0]}"
        report.equal(stored.get(key), effects.get(key), "effect_row_differs", where, "not where the log has it")
    days = dict(await all_ticks(opener.connection))
    report.equal(days, ticks, "tick_row_differs", "ticks", "not the days that began on the log")


def _guarantor(documents: dict[bytes, Document], contract: bytes) -> bytes | None:
    return documents[contract].parties.guarantor if contract in documents else None


async def _check_rows(report: FsckReport, opener: Opener, replayer: Replayer, documents: dict[bytes, Document]) -> None:
    rows = {(row.tenant, row.contract): row for row in await all_contracts(opener.connection)}
    unexecuted = replayer.unexecuted()
    remembered = {key: memory for key, (_, memory) in (replayer.memories() | unexecuted).items()}
    expected = {(document.parties.lender, key): document for key, document in documents.items()}
    for key in sorted(rows.keys() | expected.keys()):
        report.count("contracts")
        row, where = rows.get(key), f"contract {key[1].hex()[:16]} of {key[0]}"
        if row is None or key not in expected:
            report.add("contract_row_differs", where, "its row is missing, or speaks of none on the log")
            continue
        document, memory = expected[key], remembered[key[1]]
        said, due = _said(row), _due(document, memory)
        if key[1] in unexecuted:
            report.count("unexecuted")
        else:
            said, due = (*said, row.memory), (*due, encode_memory(memory))
        report.equal(said, due, "contract_row_differs", where, "not what a replay of the log gives")


def _said(row: ContractRow) -> tuple[Any, ...]:
    return row.account, row.subject, row.guarantor, row.state, row.document


def _due(document: Document, memory: Memory) -> tuple[Any, ...]:
    parties = document.parties
    return document.account, parties.borrower, parties.guarantor, memory.state, canonical_bytes(document)
