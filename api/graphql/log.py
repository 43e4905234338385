"""The shared log, for anybody: its head, its entries, and proofs about them; and the caller's own batches.

Rules
- An entry is public: the statement says who signed what root, and nothing of what is under it.
- A proof is over the tree of the size that is asked for, the committed head's by default.
- A receipt is a proof of one entry with the checkpoint to check it against; ``tallystick verify`` checks it offline.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID as Uuid

import msgspec
import strawberry

from api.auth.permissions import Permission
from api.graphql.connections import Node
from api.graphql.context import Info
from api.graphql.fields import guarded_field, guarded_type, open_type
from api.graphql.scalars import UUID, Base64, encode_global_id
from api.graphql.tenants import Tenant, find_tenant
from ledger.base64_strict import encode_standard
from ledger.errors import InvalidInput, NotFound
from ledger.log.tiles import bundle_of
from ledger.node.publications import Stored
from ledger.node.publisher import Receipt as NodeReceipt
from ledger.store.log_rows import EntryRow
from ledger.types import UnixMillis

RECEIPT_FORMAT = "tallystick-receipt/1"

Index = Annotated[int, strawberry.argument(description="Zero-based position in the log.")]
Size = Annotated[int | None, strawberry.argument(description="Entries of the tree; absent: all that are committed.")]


@guarded_type(permission=Permission.LEDGER_READ, description="The committed end of the log.")
class LedgerHead:
    """The committed end of the log."""

    origin: str = strawberry.field(description="The log's name: first line of each checkpoint.")
    size: int = strawberry.field(description="How many entries the log has.")
    root: Base64 = strawberry.field(description="RFC 6962 root over them.")
    checkpoint: str = strawberry.field(description="Both, as a signed note (C2SP tlog-checkpoint).")
    committed_at: UnixMillis = strawberry.field(description="When the newest entry was committed.")


@guarded_type(permission=Permission.LEDGER_READ, description="Proof that an entry is in the log.")
class InclusionProof:
    """Proof that an entry is in the log."""

    index: int = strawberry.field(description="The entry.")
    tree_size: int = strawberry.field(description="Entries of the tree that it is proven for.")
    path: list[Base64] = strawberry.field(description="RFC 6962 audit path, lowest node first: at most 40 nodes.")


@guarded_type(permission=Permission.LEDGER_READ, description="Proof that a tree is the beginning of a larger one.")
class ConsistencyProof:
    """Proof that a tree is the beginning of a larger one."""

    old_size: int = strawberry.field(description="Entries of the smaller tree.")
    new_size: int = strawberry.field(description="Entries of the larger tree.")
    path: list[Base64] = strawberry.field(description="RFC 6962 consistency proof: at most 80 nodes.")


@guarded_type(permission=Permission.LEDGER_READ, description="One entry of the log: a tenant's signed batch statement.")
class Entry(Node):
    """One entry of the log."""

    index: int = strawberry.field(description="Its position in the log.")
    batch: UUID = strawberry.field(description="The batch's id, chosen by its tenant.")
    count: int = strawberry.field(description="How many attestations the batch has.")
    root: Base64 = strawberry.field(description="RFC 6962 root over their commitments.")
    statement: str = strawberry.field(description="What the tenant signed (compact JWS): exactly the entry's bytes.")
    leaf_hash: Base64 = strawberry.field(description="RFC 6962 hash of the entry.")
    committed_at: UnixMillis = strawberry.field(description="When it was committed.")
    tenant_name: strawberry.Private[str]

    @strawberry.field(description="Who published it.")
    async def tenant(self, info: Info) -> Tenant:
        """Who published it."""
        return await find_tenant(info, self.tenant_name)

    @strawberry.field(description="Proof that it is in the log.")
    async def inclusion_proof(self, info: Info, tree_size: Size = None) -> InclusionProof:
        """Proof that it is in the log."""
        return await prove_inclusion(info, self.index, tree_size)

    @strawberry.field(description="Path, below the server's address, of the file that holds it (C2SP tlog-tiles).")
    async def bundle_path(self, info: Info) -> str:
        """Path of its bundle."""
        return bundle_of(self.index, (await info.context.node.log.head()).size).path


@open_type(description="The answer to a publication: where the batch stands, and the proof.")
class Receipt:
    """The answer to a publication."""

    index: int = strawberry.field(description="Index of the log entry.")
    tree_size: int = strawberry.field(description="Entries of the tree that the proof is for.")
    batch: UUID = strawberry.field(description="The batch's id.")
    leaf_hash: Base64 = strawberry.field(description="RFC 6962 hash of the entry.")
    root: Base64 = strawberry.field(description="RFC 6962 root over the batch's commitments.")
    count: int = strawberry.field(description="How many attestations the batch has.")
    committed_at: UnixMillis = strawberry.field(description="When it was committed.")
    path: list[Base64] = strawberry.field(description="Audit path from the entry to the checkpoint's root.")
    checkpoint: str = strawberry.field(description="Signed note over that tree.")
    statement: str = strawberry.field(description="The entry: the batch statement, a compact JWS.")
    duplicate: bool = strawberry.field(description="Whether this batch was committed by an earlier request.")
    document: str = strawberry.field(description="All of it as a file that 'tallystick verify' checks offline.")


@guarded_type(permission=Permission.BATCHES_READ, description="One attestation of the caller's tenant, with its proof.")
class Attestation:
    """One attestation of the caller's tenant."""

    attestation: UUID = strawberry.field(description="Its id.")
    kind: str = strawberry.field(description="What it says: agreement, repayment and so on.")
    position: int = strawberry.field(description="Its place in its batch, from 0.")
    data: str = strawberry.field(description="Its exact bytes: RFC 8785 canonical JSON.")
    commitment: Base64 = strawberry.field(description="RFC 6962 leaf hash of the bytes.")
    path: list[Base64] = strawberry.field(description="From the commitment to the batch's root: at most 12 nodes.")
    entry: Entry = strawberry.field(description="The log entry of its batch.")


def receipt_of(receipt: NodeReceipt, origin: str) -> Receipt:
    """A receipt as the API shows it."""
    return Receipt(
        index=receipt.index,
        tree_size=receipt.tree_size,
        batch=UUID(str(receipt.batch_id)),
        leaf_hash=Base64(receipt.leaf_hash),
        root=Base64(receipt.root),
        count=receipt.count,
        committed_at=UnixMillis(receipt.committed_at),
        path=[Base64(node) for node in receipt.path],
        checkpoint=receipt.checkpoint.decode(),
        statement=receipt.statement.decode(),
        duplicate=receipt.duplicate,
        document=receipt_document(receipt, origin),
    )


def receipt_document(receipt: NodeReceipt, origin: str) -> str:
    """A receipt as the verifier reads it: canonical JSON."""
    document = {
        "checkpoint": receipt.checkpoint.decode(),
        "format": RECEIPT_FORMAT,
        "index": receipt.index,
        "ledger": origin,
        "path": [encode_standard(node) for node in receipt.path],
        "statement": receipt.statement.decode(),
    }
    return msgspec.json.encode(document, order="sorted").decode()


def entry_of(row: EntryRow) -> Entry:
    """An entry as the API shows it."""
    return Entry(
        id=strawberry.ID(encode_global_id("Entry", str(row.idx))),
        index=row.idx,
        batch=UUID(str(row.batch_id)),
        count=row.count,
        root=Base64(row.root),
        statement=row.statement.decode(),
        leaf_hash=Base64(row.leaf_hash),
        committed_at=row.committed_at,
        tenant_name=row.tenant,
    )


def attestation_of(stored: Stored) -> Attestation:
    """An attestation as the API shows it."""
    return Attestation(
        attestation=UUID(str(stored.row.id)),
        kind=stored.row.kind,
        position=stored.row.position,
        data=stored.data.decode(),
        commitment=Base64(stored.row.commitment),
        path=[Base64(node) for node in stored.path],
        entry=entry_of(stored.entry),
    )


async def prove_inclusion(info: Info, index: int, tree_size: int | None) -> InclusionProof:
    """Raises InvalidInput ``index_out_of_range``, ``size_out_of_range``."""
    log = info.context.node.log
    committed = (await log.head()).size
    size = committed if tree_size is None else tree_size
    if size > committed:
        raise InvalidInput("size_out_of_range", "the log has not so many entries", path="$.treeSize",
                           expected=f"at most {committed}")  # fmt: skip
    path = await log.inclusion(index, size)
    return InclusionProof(index=index, tree_size=size, path=[Base64(node) for node in path])


@strawberry.type
class LogQuery:
    """The log."""

    @guarded_field(permission=Permission.LEDGER_READ, description="The committed end of the log, signed.")
    async def ledger_head(self, info: Info) -> LedgerHead:
        """The committed end of the log."""
        log = info.context.node.log
        head = await log.head()
        return LedgerHead(
            origin=head.origin,
            size=head.size,
            root=Base64(head.root),
            checkpoint=log.signed(head).decode(),
            committed_at=UnixMillis(head.committed_at),
        )

    @guarded_field(permission=Permission.LEDGER_READ, description="An entry of the log by its index; null: not there.")
    async def entry(self, info: Info, index: Index) -> Entry | None:
        """An entry by its index."""
        try:
            return entry_of(await info.context.services.publications.entry(index))
        except NotFound:
            return None

    @guarded_field(permission=Permission.LEDGER_READ, description="Proof that an entry is in the log.")
    async def inclusion_proof(self, info: Info, index: Index, tree_size: Size = None) -> InclusionProof:
        """Proof that an entry is in the log."""
        return await prove_inclusion(info, index, tree_size)

    @guarded_field(permission=Permission.LEDGER_READ, description="Proof that the log only grew between two sizes.")
    async def consistency_proof(
        self,
        info: Info,
        old_size: Annotated[int, strawberry.argument(description="Entries of the smaller tree, at least 1.")],
        new_size: Annotated[int, strawberry.argument(description="Entries of the larger tree.")],
    ) -> ConsistencyProof:
        """Proof that the log only grew."""
        path = await info.context.node.log.consistency(old_size, new_size)
        return ConsistencyProof(old_size=old_size, new_size=new_size, path=[Base64(node) for node in path])

    @guarded_field(permission=Permission.BATCHES_READ, description="The receipt of one of the caller's own batches.")
    async def batch(
        self, info: Info, batch: Annotated[UUID, strawberry.argument(description="The batch's id.")]
    ) -> Receipt | None:
        """The receipt of an own batch; null when there is none."""
        context = info.context
        try:
            receipt = await context.services.publications.receipt(context.tenant, Uuid(batch))
        except NotFound:
            return None
        return receipt_of(receipt, context.node.origin)

    @guarded_field(permission=Permission.BATCHES_READ, description="One of the caller's own attestations.")
    async def attestation(
        self, info: Info, attestation: Annotated[UUID, strawberry.argument(description="The attestation's id.")]
    ) -> Attestation | None:
        """An own attestation; null when there is none."""
        context = info.context
        try:
            found = await context.services.publications.attestation(context.tenant, Uuid(attestation))
        except NotFound:
            return None
        return attestation_of(found)
