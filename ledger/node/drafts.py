"""Batches that the deployment writes itself, under a key that it holds: from drafts to a signed whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from ledger.attestation.batch import Batch, Statement, assemble, sign_statement
from ledger.attestation.envelope import Attestation, compose
from ledger.attestation.fields import Body
from ledger.attestation.keys import PrivateKey
from ledger.log.merkle import root_of
from ledger.node.clock import Sources
from ledger.types import TenantId


@dataclass(frozen=True, kw_only=True)
class Draft:
    """An attestation before it has an id, a salt and a time of its own."""

    kind: str
    body: Body
    effective_date: date
    jurisdiction: str
    legal_basis: str = "contract"
    account: bytes | None = None
    subject: bytes | None = None
    role: str | None = None
    refs: tuple[UUID, ...] = ()


def finish(tenant: TenantId, draft: Draft, sources: Sources) -> Attestation:
    """A draft with an id, a salt and a time. Raises InvalidInput."""
    fields: dict[str, Any] = {
        "account": draft.account, "effective_date": draft.effective_date, "id": sources.new_id(),
        "jurisdiction": draft.jurisdiction, "kind": draft.kind, "legal_basis": draft.legal_basis,
        "refs": draft.refs, "reported_at": sources.now(), "role": draft.role,
        "salt": sources.random(16), "subject": draft.subject, "tenant": tenant,
    }  # fmt: skip
    return compose(fields, draft.body)


def own_batch(
    tenant: TenantId,
    key: PrivateKey,
    attestations: Sequence[Attestation],
    sources: Sources,
    origin: str,
    batch_id: UUID | None = None,
) -> Batch:
    """Attestations of ``tenant`` under one statement signed with ``key``. Raises InvalidInput."""
    statement = Statement(
        batch=batch_id or sources.new_id(), count=len(attestations), ledger=origin,
        root=root_of([attestation.commitment for attestation in attestations]), tenant=tenant, time=sources.now(),
    )  # fmt: skip
    return assemble(statement, sign_statement(statement, key), key.kid, list(attestations), origin)
