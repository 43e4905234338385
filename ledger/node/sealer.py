"""Seals and opens attestations; keeps the data keys of recent subjects in memory, for one epoch.

Rules
- A subject's salt is made when its first attestation comes, in a small transaction of its own: a crash afterwards
  leaves an unused salt, never a sealed attestation without one.
- Erasure destroys the salt and moves the epoch: a process that still has the key in memory cannot commit with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from uuid import UUID

from ledger.attestation.envelope import Attestation, commitment_of
from ledger.errors import InvariantBroken, Unavailable
from ledger.limits import BREATH_ATTESTATIONS, SUBJECT_KEYS_CACHED_MAX
from ledger.node.clock import Sources
from ledger.store.attestation_rows import AttestationRow
from ledger.store.database import Database
from ledger.store.subject_rows import insert_salts, read_salts
from ledger.subject.sealing import NONCE_BYTES, SUBJECT_SALT_BYTES, DataKey, common_key, data_key, open_sealed, seal
from ledger.types import Subject


def digested(sealed: bytes, subject: bytes | None, id: UUID, kind: str) -> tuple[bytes, ...]:
    """What a batch's ``stored_digest`` covers of one row: what stays to be checked when its key is gone."""
    return sealed, subject or b"", id.bytes, kind.encode()


class Sealer:
    """The data keys of one process."""

    def __init__(self, database: Database, master: bytes, sources: Sources) -> None:
        self._database = database
        self._master = master
        self._sources = sources
        self._common = common_key(master)
        self._keys: dict[bytes, DataKey] = {}

    def forget(self) -> None:
        """Drop every key: the epoch moved. What is loading at this moment goes into the old dictionary."""
        self._keys = {}

    async def seal(self, attestations: Sequence[Attestation]) -> tuple[list[bytes], bytes]:
        """The sealed bytes of each attestation, and the SHA-256 over :func:`digested` of all of them in order."""
        keys = self._keys  # mostly all of them are in memory
        subjects = {attestation.envelope.subject for attestation in attestations}
        needed = {subject for subject in subjects if subject is not None}
        if not needed <= keys.keys():
            keys = await self._ensure(needed)
        nonces = self._sources.random(NONCE_BYTES * len(attestations))
        sealed: list[bytes] = []
        covered: list[bytes] = []
        common, at = self._common, 0
        for number, attestation in enumerate(attestations, 1):
            envelope, commitment = attestation.envelope, attestation.commitment
            subject = envelope.subject
            key = common if subject is None else keys[subject]
            whole = seal(key, nonces[at : at + NONCE_BYTES], attestation.data, commitment)
            at += NONCE_BYTES
            sealed.append(whole)
            covered += (whole, subject or b"", envelope.id.bytes, envelope.kind.encode())  # digested(), not called
            if not number % BREATH_ATTESTATIONS:
                await asyncio.sleep(0)
        return sealed, sha256(b"".join(covered)).digest()

    async def open(self, rows: Sequence[AttestationRow]) -> list[bytes | None]:
        """The bytes of stored attestations; None where the subject was erased.

        Raises Untrusted ``seal_broken``, InvariantBroken ``commitment_differs``.
        """
        keys = await self._load({row.subject for row in rows if row.subject is not None})
        return [self._open_one(row, self._common if row.subject is None else keys.get(row.subject)) for row in rows]

    def _open_one(self, row: AttestationRow, key: DataKey | None) -> bytes | None:
        if key is None or not key.sealed(row.sealed):
            return None  # erased, or sealed before an erasure after which the subject came back
        data = open_sealed(key, row.sealed, row.commitment)
        if commitment_of(data) != row.commitment:
            raise InvariantBroken("commitment_differs", "a stored attestation is not what was committed to")
        return data

    async def _ensure(self, needed: set[bytes]) -> dict[bytes, DataKey]:
        """The keys of subjects; a salt is made for each that has none."""
        keys = await self._load(needed)
        absent = sorted(needed - keys.keys())
        if not absent:
            return keys
        random = self._sources.random(SUBJECT_SALT_BYTES * len(absent))
        fresh = {
            subject: random[at * SUBJECT_SALT_BYTES : (at + 1) * SUBJECT_SALT_BYTES]
            for at, subject in enumerate(absent)
        }
        async with self._database.writing() as connection:
            await insert_salts(connection, fresh)
        keys |= await self._load(set(absent))
        if len(keys) != len(needed):
            raise Unavailable("subject_erased", "a subject was erased at this moment")
        return keys

    async def _load(self, subjects: set[bytes]) -> dict[bytes, DataKey]:
        """The keys of those subjects that have a salt, from memory or the store."""
        cached = self._keys  # ``forget`` puts another in its place: what is read for an older epoch stays out of it
        keys = {subject: cached[subject] for subject in subjects if subject in cached}
        missing = subjects - keys.keys()
        if not missing:
            return keys
        async with self._database.reading() as connection:
            salts = await read_salts(connection, [Subject(subject) for subject in missing])
        fresh = {subject: data_key(self._master, subject, salt) for subject, salt in salts.items()}
        if len(cached) + len(fresh) > SUBJECT_KEYS_CACHED_MAX:
            cached.clear()
        cached.update(fresh)
        return keys | fresh
