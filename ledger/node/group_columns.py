"""What a group of batches writes beside the log: its attestations and loans, a column at a time.

    attestation_columns(accepted), loan_columns(changed)        pieces of at most PIECE_ROWS rows, made as they are sent

A batch of thousands is put together in a fifth of the time that a row at a time takes (copy_format.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from ledger.limits import COPY_ATTESTATIONS_MIN
from ledger.loan.state import encode_state
from ledger.node.executor import tenants_of
from ledger.node.loan_cache import CachedLoan, LoanKey, split_key
from ledger.node.pending import Pending
from ledger.store.attestation_rows import AttestationColumns
from ledger.store.copy_format import PIECE_ROWS
from ledger.store.loan_rows import LoanColumns
from ledger.types import TenantId


def acting_tenants(group: list[Pending]) -> list[TenantId]:
    """The tenants that a group's transaction acts for."""
    return sorted({
        tenant for pending in group for tenant in (pending.key[0], *pending.tenants, *tenants_of(pending.concern))
    })  # fmt: skip


def is_small(group: list[Pending]) -> bool:
    """A group for one statement: few attestations, and nothing beside loans."""
    count = 0
    for pending in group:
        count += len(pending.sealed)
        if pending.effect or pending.idempotency or pending.consents or pending.concern:
            return False
    return count < COPY_ATTESTATIONS_MIN


_NOTHING_BEFORE: Final = (None, None)


def attestation_columns(accepted: Iterable[Pending]) -> Iterator[AttestationColumns]:
    """What a group adds, in pieces of one batch each."""
    for pending in accepted:
        tenant, batch = pending.key
        for first in range(0, len(pending.sealed), PIECE_ROWS):
            rows = slice(first, first + PIECE_ROWS)
            attestations = pending.batch.attestations[rows]
            envelopes = [attestation.envelope for attestation in attestations]
            before = [place or _NOTHING_BEFORE for place in pending.chain[rows]]
            yield AttestationColumns(
                tenant=[tenant] * len(envelopes),
                batch_id=[batch] * len(envelopes),
                position=range(first, first + len(envelopes)),
                id=[envelope.id for envelope in envelopes],
                kind=[envelope.kind for envelope in envelopes],
                subject=[envelope.subject for envelope in envelopes],
                previous_batch=[last for last, _ in before],
                previous_position=[position for _, position in before],
                commitment=[attestation.commitment for attestation in attestations],
                path=pending.batch.paths[rows],
                sealed=pending.sealed[rows],
            )


def single_rows(pending: Pending, loans: Mapping[LoanKey, CachedLoan]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """One attestation and the one loan that it changed: the values of their columns."""
    [(key, (version, last, state))] = loans.items()
    [attestation], [before] = pending.batch.attestations, pending.chain
    envelope = attestation.envelope
    row = (
        *pending.key, 0, envelope.id, envelope.kind, envelope.subject, *(before or _NOTHING_BEFORE),
        attestation.commitment, pending.batch.paths[0], pending.sealed[0],
    )  # fmt: skip
    return row, (*split_key(key), state.subject, version, *last, encode_state(state))


def loan_columns(loans: Mapping[LoanKey, CachedLoan]) -> Iterator[LoanColumns]:
    """Loans as the columns of their projection, in pieces."""
    keys, changed = list(loans), list(loans.values())
    for first in range(0, len(keys), PIECE_ROWS):
        versions, places, states = zip(*changed[first : first + PIECE_ROWS], strict=True)
        owners = [split_key(key) for key in keys[first : first + PIECE_ROWS]]
        yield LoanColumns(
            [tenant for tenant, _ in owners], [account for _, account in owners], [state.subject for state in states],
            versions, [batch for batch, _ in places], [position for _, position in places], list(map(encode_state, states)),
        )  # fmt: skip
