"""Seals and opens attestations; keeps the data keys of recent subjects in memory, for one epoch.

Rules
- A subject's salt is made when its first attestation comes, in a small transaction of its own: a crash afterwards
  leaves an unused salt, never a sealed attestation without one.
- Erasure destroys the salt and moves the epoch: a process that still has the key in memory cannot commit with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence, Set
from hashlib import sha256
from itertools import chain

from ledger.attestation.envelope import Attestation, Envelope, commitment_of
from ledger.errors import InvariantBroken, Unavailable
from ledger.limits import BREATH_ATTESTATIONS, SUBJECT_KEYS_CACHED_MAX
from ledger.node.clock import Sources
from ledger.store.attestation_rows import AttestationRow
from ledger.store.database import Database
from ledger.store.subject_rows import insert_salts, read_salts
from ledger.subject.sealing import NONCE_BYTES, SUBJECT_SALT_BYTES, DataKey, common_key, data_key, open_sealed, seal
from ledger.types import Subject


def digested(sealed: Sequence[bytes], rows: Sequence[Envelope] | Sequence[AttestationRow]) -> bytes:
    """What a batch's ``stored_digest`` covers of these rows: what stays to be checked when their keys are gone."""
    columns = zip(
        sealed,
        [row.subject or b"" for row in rows],
        [row.id.int.to_bytes(16, "big") for row in rows],
        [row.kind.encode() for row in rows],
        strict=True,
    )
    return b"".join(chain.from_iterable(columns))


Keys = dict[bytes | None, DataKey]
"""Data keys by subject; None: the key for what is about no subject."""


class Sealer:
    """The data keys of one process."""

    def __init__(self, database: Database, master: bytes, sources: Sources) -> None:
        self._database = database
        self._master = master
        self._sources = sources
        self._common = common_key(master)
        self._keys: Keys = {None: self._common}

    def forget(self) -> None:
        """Drop every key: the epoch moved. What is loading at this moment goes into the old dictionary."""
        self._keys = {None: self._common}

    async def seal(self, attestations: Sequence[Attestation]) -> tuple[list[bytes], bytes]:
        """The sealed bytes of each attestation, and the SHA-256 over what :func:`digested` gives of all of them."""
        keys = self._keys  # mostly all of them are in memory
        needed = {attestation.envelope.subject for attestation in attestations}
        if not needed <= keys.keys():
            keys = await self._ensure(needed)
        sealed: list[bytes] = []
        digest = sha256()
        for first in range(0, len(attestations), BREATH_ATTESTATIONS):
            if first:
                await asyncio.sleep(0)
            piece = attestations[first : first + BREATH_ATTESTATIONS]
            fresh = self._seal_some(piece, keys)
            envelopes = [attestation.envelope for attestation in piece]
            digest.update(digested(fresh, envelopes))
            sealed += fresh
        return sealed, digest.digest()

    def _seal_some(self, attestations: Sequence[Attestation], keys: Keys) -> list[bytes]:
        random = self._sources.random(NONCE_BYTES * len(attestations))
        nonces = [random[at : at + NONCE_BYTES] for at in range(0, len(random), NONCE_BYTES)]
        return [
            seal(keys[attestation.envelope.subject], nonce, attestation.data, attestation.commitment)
            for attestation, nonce in zip(attestations, nonces, strict=True)
        ]

    async def open(self, rows: Sequence[AttestationRow]) -> list[bytes | None]:
        """The bytes of stored attestations; None where the subject was erased.

        Raises Untrusted ``seal_broken``, InvariantBroken ``commitment_differs``.
        """
        keys = await self._load({row.subject for row in rows})
        return [self._open_one(row, keys.get(row.subject)) for row in rows]

    def _open_one(self, row: AttestationRow, key: DataKey | None) -> bytes | None:
        if key is None or not key.sealed(row.sealed):
            return None  # erased, or sealed before an erasure after which the subject came back
        data = open_sealed(key, row.sealed, row.commitment)
        if commitment_of(data) != row.commitment:
            raise InvariantBroken("commitment_differs", "a stored attestation is not what was committed to")
        return data

    async def _ensure(self, needed: Set[bytes | None]) -> Keys:
        """The keys of subjects; a salt is made for each that has none."""
        keys = await self._load(needed)
        absent = sorted(subject for subject in needed - keys.keys() if subject is not None)
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

    async def _load(self, subjects: Set[bytes | None]) -> Keys:
        """The keys of those subjects that have a salt, from memory or the store."""
        cached = self._keys  # ``forget`` puts another in its place: what is read for an older epoch stays out of it
        keys = {subject: cached[subject] for subject in subjects if subject in cached}
        missing = [Subject(subject) for subject in subjects - keys.keys() if subject is not None]
        if not missing:
            return keys
        async with self._database.reading() as connection:
            salts = await read_salts(connection, missing)
        fresh: Keys = {subject: data_key(self._master, subject, salt) for subject, salt in salts.items()}
        if len(cached) + len(fresh) <= SUBJECT_KEYS_CACHED_MAX:
            cached.update(fresh)
        elif cached is self._keys:
            self._keys = {None: self._common, **fresh}  # a new one: somebody may be sealing with the old
        return keys | fresh
