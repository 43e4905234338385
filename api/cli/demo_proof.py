"""What a client of the ledger checks by itself: from an attestation's bytes up to a checkpoint that the log signed.

    trust = await fetch_trust(api, origin)
    entry = await logged(api, token, where.index)
    statement = check(where, entry, trust)      # Untrusted at the first step that does not hold

Rules, bottom up
1. The commitment is the leaf hash of the bytes, where the reader may see the bytes.
2. The path leads from the commitment to the root that the batch's statement holds.
3. The statement is signed, with a key of the tenant that it names; the deployment's is the one in ``/trust.json``.
4. The statement is an entry of the log: the audit path leads to the checkpoint's root.
5. The checkpoint is of this ledger, signed with the log's key of ``/trust.json``.

What it does not do: prove that a lender's key was enrolled. It takes lenders' keys as ``/.well-known/jwks.json`` shows
them; the offline verifier proves them from the log.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ledger.attestation.batch import Statement, verify_statement
from ledger.attestation.keys import KeyHistory, admit_public_key
from ledger.base64_strict import decode_standard, decode_url
from ledger.errors import InvalidInput, Untrusted
from ledger.log.checkpoint import open_checkpoint
from ledger.log.merkle import leaf_hash, verify_inclusion
from ledger.log.note import NoteVerifier
from ledger.types import UnixMillis

_HEAD: Final = "{ ledgerHead { size checkpoint } }"
_ENTRY: Final = """query ($index: Int!, $size: Int!) {
  entry(index: $index) { statement inclusionProof(treeSize: $size) { path } } }"""


class Asks(Protocol):
    """Whoever can ask the server: the demo's Api."""

    async def ask(self, document: str, token: str, /, **variables: Any) -> dict[str, Any]:
        """The payload of a document with one root field."""

    async def file(self, path: str) -> bytes:
        """A plain file that the server publishes."""


@dataclass(frozen=True)
class Trust:
    """What is known beforehand: the ledger's name, the log's key, and the signing keys of each tenant."""

    origin: str
    log: NoteVerifier
    keys: dict[str, KeyHistory]


@dataclass(frozen=True)
class Placed:
    """An attestation at its place, as an answer of the API names it; ``data`` None: another lender's bytes."""

    index: int
    position: int
    commitment: bytes
    path: bytes
    data: bytes | None


@dataclass(frozen=True)
class Logged:
    """An entry of the log, with what proves that it is there: its path to a signed checkpoint."""

    index: int
    statement: bytes
    path: bytes
    checkpoint: bytes


def placed(answer: dict[str, Any], index: int | None = None) -> Placed:
    """The place in an answer that has ``commitment``, ``position``, ``path``, maybe ``data`` and ``index``."""
    data = answer.get("data")
    return Placed(
        answer["index"] if index is None else index, answer["position"], decode_standard(answer["commitment"]),
        b"".join(map(decode_standard, answer["path"])), None if data is None else data.encode(),
    )  # fmt: skip


async def fetch_trust(api: Asks, origin: str) -> Trust:
    """The keys of a running ledger: the log's and the deployment's from its trust file, the tenants' as it shows them."""
    trusted = json.loads(await api.file("/trust.json"))
    operator = admit_public_key(trusted["operator"], not_before_ms=UnixMillis(0))
    keys = {trusted["operatorTenant"]: KeyHistory([operator])}
    for jwk in json.loads(await api.file("/.well-known/jwks.json"))["keys"]:
        tenant, public = jwk["tenant"], {name: jwk[name] for name in ("kty", "crv", "x", "y") if name in jwk}
        if tenant != trusted["operatorTenant"]:
            key = admit_public_key(public, not_before_ms=UnixMillis(jwk["notBefore"]))
            keys[tenant] = keys.get(tenant, KeyHistory()).with_key(key)
    return Trust(origin, NoteVerifier.parse(trusted["log"]), keys)


async def logged(api: Asks, token: str, index: int) -> Logged:
    """Ask for an entry and its proof, against the newest checkpoint."""
    head = await api.ask(_HEAD, token)
    entry = await api.ask(_ENTRY, token, index=index, size=head["size"])
    path = b"".join(map(decode_standard, entry["inclusionProof"]["path"]))
    return Logged(index, entry["statement"].encode(), path, head["checkpoint"].encode())


def check_entry(entry: Logged, trust: Trust) -> Statement:
    """Rules 3 to 5: the signed batch statement that an entry is.

    Raises Untrusted (``demo_proof_unsigned`` and the codes of signatures, proofs and checkpoints) and InvalidInput for
    what is malformed.
    """
    checkpoint = open_checkpoint(entry.checkpoint, [trust.log], origin=trust.origin).checkpoint
    leaf = leaf_hash(entry.statement)
    verify_inclusion(index=entry.index, size=checkpoint.size, leaf=leaf, path=entry.path, root=checkpoint.root)
    tenant = _tenant_of(entry.statement)
    if tenant not in trust.keys:
        raise Untrusted("demo_proof_unsigned", "nobody vouches for this tenant's keys", path="statement", found=tenant)
    return verify_statement(entry.statement, trust.keys[tenant], now=None)[0]


def check(where: Placed, entry: Logged, trust: Trust) -> Statement:
    """Rules 1 to 5: the batch statement under which an attestation is proven.

    Raises Untrusted ``demo_proof_differs``, and what ``check_entry`` raises.
    """
    if where.data is not None and leaf_hash(where.data) != where.commitment:
        raise Untrusted("demo_proof_differs", "these are not the bytes that were committed to", path="data")
    if where.index != entry.index:
        raise Untrusted("demo_proof_differs", "an entry of another place", path="index", expected=where.index)
    statement = check_entry(entry, trust)
    verify_inclusion(
        index=where.position, size=statement.count, leaf=where.commitment, path=where.path, root=statement.root
    )  # fmt: skip
    return statement


def _tenant_of(token: bytes) -> str:
    """Whose statement it claims to be: only tells which keys to try, so that nothing rests on it."""
    try:
        return str(json.loads(decode_url(token.split(b".")[1].decode("ascii")))["tenant"])
    except (IndexError, InvalidInput, KeyError, TypeError, ValueError):
        raise Untrusted("demo_proof_unsigned", "not a batch statement", path="statement") from None
