"""A batch: up to 4,096 attestations of one tenant under one signature. The signed statement is the log entry.

    token = sign_statement(Statement(...), key)
    batch = open_batch(token, lines, keys, origin=..., now=...)
    batch.root, batch.paths, batch.attestations

Rules
- The statement is canonical JSON {batch, count, ledger, root, tenant, time}, signed as a compact JWS of type
  ``tallystick-batch+jws``. ``root`` is the RFC 6962 root over the commitments in the order of the body's lines.
- The body is NDJSON: canonical lines, each ended by one line feed.
- Every attestation names the statement's tenant; the statement names this ledger's origin.
- The key is valid at the statement's time and not known to be compromised by now: a thief can write any time into a
  statement, so a key revoked today signs nothing new, whatever date it claims.
- An attestation's id stands once in a batch.

It does not look at what is stored already: that a batch came before, or an id, is the committer's to find.
"""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from ledger.attestation.envelope import Attestation, parse_lines
from ledger.attestation.fields import Hash, Millis, Name
from ledger.attestation.jws import sign_jws, verify_jws
from ledger.attestation.keys import KeyHistory, PrivateKey
from ledger.attestation.registry import Kind
from ledger.attestation.sharing_kinds import TenantName
from ledger.errors import InvalidInput, Untrusted
from ledger.limits import (
    BATCH_ATTESTATIONS_MAX,
    BATCH_BYTES_MAX,
    CLOCK_AHEAD_MS_MAX,
    STATEMENT_AGE_MS_MAX,
    STATEMENT_BYTES_MAX,
)
from ledger.log.merkle import leaf_hash, paths_of
from ledger.types import UnixMillis

STATEMENT_TYPE: Final = "tallystick-batch+jws"


class Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a tenant signs of a batch. ``time`` is UTC milliseconds."""

    batch: UUID
    count: Annotated[int, Meta(ge=1, le=BATCH_ATTESTATIONS_MAX)]
    ledger: Name
    root: Hash
    tenant: TenantName
    time: Millis


class Batch(msgspec.Struct, frozen=True):
    """A batch that holds together: its statement, its signed token (the log entry), the entry's leaf hash, and each
    attestation with its path to the root (concatenated 32-byte hashes, leaf side first); and which kinds there are."""

    statement: Statement
    token: bytes
    leaf: bytes
    kid: str
    attestations: list[Attestation]
    paths: list[bytes]
    kinds: frozenset[Kind]


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Statement)


def sign_statement(statement: Statement, key: PrivateKey) -> bytes:
    """The compact JWS over a statement."""
    return sign_jws(_ENCODER.encode(statement), key, STATEMENT_TYPE)


def read_statement(payload: bytes) -> Statement:
    """A statement from its canonical bytes. Raises InvalidInput ``statement_malformed``."""
    try:
        statement = _DECODER.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise InvalidInput("statement_malformed", "not a batch statement", path="statement") from None
    if _ENCODER.encode(statement) != payload:
        raise InvalidInput("statement_malformed", "the statement is not canonical", path="statement")
    return statement


def verify_statement(token: bytes, keys: KeyHistory, *, now: UnixMillis | None) -> tuple[Statement, str]:
    """The statement in a token and its key's id. With ``now`` the key must also not be revoked by then.

    Raises Untrusted (``key_*``, ``jws_*``) and InvalidInput (``jws_*``, ``statement_*``).
    """
    if len(token) > STATEMENT_BYTES_MAX:
        raise InvalidInput("statement_long", "the signed statement is too long", expected=f"<= {STATEMENT_BYTES_MAX}")
    read: list[Statement] = []

    def time_of(payload: bytes) -> UnixMillis:
        read.append(read_statement(payload))
        return UnixMillis(read[0].time)

    header, _, key = verify_jws(token, keys, typ=STATEMENT_TYPE, at_ms=time_of)
    if now is not None and key.revoked_from_ms is not None and now >= key.revoked_from_ms:
        raise Untrusted("key_revoked", "the key is known to be compromised", advice="sign with a newer key")
    return read[0], header["kid"]


def split_lines(body: bytes) -> list[bytes]:
    """The lines of an NDJSON body. Raises InvalidInput ``body_*``."""
    if len(body) > BATCH_BYTES_MAX:
        raise InvalidInput("body_long", "the batch body is too long", expected=f"<= {BATCH_BYTES_MAX}", found=len(body))
    if not body.endswith(b"\n"):
        raise InvalidInput("body_unterminated", "every line ends with a line feed", path="body")
    return body[:-1].split(b"\n")


def assemble(statement: Statement, token: bytes, kid: str, attestations: list[Attestation], origin: str) -> Batch:
    """Hold a verified statement against the attestations it speaks of. Raises InvalidInput or Untrusted."""
    if statement.ledger != origin:
        raise InvalidInput("ledger_differs", "the statement is for another ledger", expected=origin, path="$.ledger")
    if statement.count != len(attestations):
        raise InvalidInput("count_differs", "the body has another number of attestations", path="$.count",
                           expected=statement.count, found=len(attestations))  # fmt: skip
    tenant = statement.tenant
    for number, attestation in enumerate(attestations):
        if attestation.envelope.tenant != tenant:
            raise InvalidInput("tenant_differs", "an attestation names another tenant", path=f"$[{number}].tenant")
    if len({attestation.envelope.id.int for attestation in attestations}) != len(attestations):
        raise InvalidInput("attestation_twice", "an attestation's id stands twice in the batch", path="$.id")
    root, paths = paths_of([attestation.commitment for attestation in attestations])
    if root != statement.root:
        raise Untrusted("root_differs", "the signed root is not the root of these attestations", path="$.root")
    kinds = frozenset({attestation.envelope.kind for attestation in attestations})
    return Batch(statement, token, leaf_hash(token), kid, attestations, paths, kinds)


def ensure_timely(statement: Statement, now: UnixMillis) -> None:
    """The statement's time is near ours. Raises InvalidInput ``time_ahead`` or ``time_old``."""
    if statement.time > now + CLOCK_AHEAD_MS_MAX:
        raise InvalidInput("time_ahead", "the statement is from the future", path="$.time", expected=f"<= {now}")
    if statement.time < now - STATEMENT_AGE_MS_MAX:
        raise InvalidInput("time_old", "the statement is too old to be taken now", path="$.time",
                           advice="sign the same attestations again in a new batch")  # fmt: skip


def read_head(token: bytes, body: bytes, keys: KeyHistory, *, now: UnixMillis) -> tuple[Statement, str, list[bytes]]:
    """(statement, key id, lines) of a batch: everything but the attestations. Raises InvalidInput or Untrusted."""
    statement, kid = verify_statement(token, keys, now=now)
    ensure_timely(statement, now)
    lines = split_lines(body)
    if len(lines) != statement.count:
        raise InvalidInput("count_differs", "the body has another number of lines", path="$.count",
                           expected=statement.count, found=len(lines))  # fmt: skip
    return statement, kid, lines


def open_batch(token: bytes, body: bytes, keys: KeyHistory, *, origin: str, now: UnixMillis) -> Batch:
    """Read and check a whole batch, as it came. Raises InvalidInput or Untrusted with the first fault."""
    statement, kid, lines = read_head(token, body, keys, now=now)
    return assemble(statement, token, kid, parse_lines(lines), origin)
