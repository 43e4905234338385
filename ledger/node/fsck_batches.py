"""fsck's look into batches: each signed statement, and every attestation under it, in log order.

Rules
- A statement's key is judged by what the log had said of keys before it: the key attestations are replayed in order.
  The first entry is signed by the deployment's own key, which the keyring holds.
- A batch's commitments give its signed root, each stored path is the recomputed one, the stored digest covers the
  sealed bytes: these hold for erased attestations too.
- Whatever still has a key opens to canonical bytes that match commitment and columns. What has none belongs to an
  erased subject, and then a tombstone stands later in the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final

from ledger.attestation.batch import Statement, verify_statement
from ledger.attestation.envelope import Attestation, parse
from ledger.attestation.keys import ES256, KeyHistory, PublicKey
from ledger.attestation.registry import SPECS
from ledger.attestation.sharing_kinds import KeyEvent
from ledger.errors import TallystickError, Untrusted
from ledger.limits import BATCH_ATTESTATIONS_MAX
from ledger.log.merkle import leaf_hash, paths_of
from ledger.node.fsck_report import FsckReport
from ledger.node.keyring import Keyring
from ledger.node.participants import DEPLOYMENT
from ledger.node.projection import PUBLISHING_ROLES
from ledger.node.sealer import digested
from ledger.store.attestation_rows import AttestationRow
from ledger.store.database import Connection
from ledger.store.fsck_rows import attestations_of_entries
from ledger.store.log_rows import EntryRow
from ledger.store.subject_rows import read_salts
from ledger.store.tenant_rows import TenantRow
from ledger.subject.sealing import DataKey, common_key, data_key, open_sealed
from ledger.types import Subject, UnixMillis

VOIDING_KINDS: Final = frozenset({"contract", "erasure", "key"})
"""Kinds whose batches move the epoch: what processes cached of keys, salts or contracts in force is void then."""

KEYS_KEPT_MAX: Final = 4_096
"""Subjects whose data keys an opener remembers: all of a small ledger's, so that each look at it need not ask again."""


@dataclass
class Opener:
    """Opens stored attestations with the keyring and the salts that are left. ``last_erasure`` is an entry's index.

    It is of one snapshot: a salt that was read, or was not there, is not asked for again.
    """

    connection: Connection
    keyring: Keyring
    last_erasure: int
    _kept: dict[bytes, DataKey | None] = field(default_factory=dict, init=False, repr=False)

    async def keys_of(self, rows: Sequence[AttestationRow]) -> dict[bytes | None, DataKey]:
        """The data keys of these rows' subjects, and of no subject."""
        subjects = {row.subject for row in rows if row.subject is not None}
        found = {subject: self._kept[subject] for subject in subjects & self._kept.keys()}
        if asked := subjects - found.keys():
            found |= await self._read(asked)
        keys: dict[bytes | None, DataKey] = {None: common_key(self.keyring.master)}
        return keys | {subject: key for subject, key in found.items() if key is not None}

    async def _read(self, subjects: set[bytes]) -> dict[bytes, DataKey | None]:
        """The keys of these subjects, None for each without a salt."""
        salts = await read_salts(self.connection, [Subject(subject) for subject in subjects])
        master = self.keyring.master
        found = {each: data_key(master, each, salts[each]) if each in salts else None for each in subjects}
        if len(self._kept) + len(found) > KEYS_KEPT_MAX:
            self._kept.clear()
        if len(found) <= KEYS_KEPT_MAX:
            self._kept |= found
        return found

    def opened(self, row: AttestationRow, keys: Mapping[bytes | None, DataKey], idx: int) -> Attestation | None:
        """The attestation, or None when its subject was erased since. Raises Untrusted or InvalidInput.

        A subject who came back after an erasure has a new salt: what was sealed before stays closed.
        """
        key = keys.get(row.subject)
        if key is None:
            if idx < self.last_erasure:
                return None
            raise Untrusted("salt_missing", "no key opens it, and no erasure says why")
        try:
            data = open_sealed(key, row.sealed, row.commitment)
        except Untrusted:
            if row.subject is not None and idx < self.last_erasure:
                return None
            raise
        return parse(data)


class BatchCheck:
    """Checks entries one after the other; keeps the key histories between them."""

    def __init__(self, report: FsckReport, opener: Opener, tenants: Mapping[str, TenantRow]) -> None:
        self._report = report
        self._opener = opener
        self._tenants = tenants
        operator = opener.keyring.operator_key()
        first = PublicKey(operator.kid, operator.alg, operator.raw, UnixMillis(0))
        self.histories: dict[str, dict[str, PublicKey]] = {DEPLOYMENT: {first.kid: first}}
        self.epoch = 0
        """How often the log's own entries made every process forget its keys."""

    async def check(self, entries: Sequence[EntryRow]) -> None:
        """Check these entries, in order."""
        for part in _parts(entries):
            rows = await attestations_of_entries(self._opener.connection, part)
            keys = await self._opener.keys_of([row for batch in rows.values() for row in batch])
            for entry in part:
                self._check_entry(entry, rows.get((entry.tenant, entry.batch_id), []), keys)

    def _check_entry(self, entry: EntryRow, rows: list[AttestationRow], keys: Mapping[bytes | None, DataKey]) -> None:
        report, where = self._report, f"entry {entry.idx}"
        report.count("statements")
        report.equal(
            leaf_hash(entry.statement), entry.leaf_hash, "leaf_differs", where, "not the hash of its statement"
        )
        try:
            history = KeyHistory(self.histories.get(entry.tenant, {}).values())
            statement, _ = verify_statement(entry.statement, history, now=None)
            self._check_statement(entry, statement)
        except TallystickError as error:
            report.add("statement_untrusted", where, f"{error.code}: {error.message}")
        self._check_rows(entry, rows)
        opened = [self._open(entry, row, keys) for row in rows]
        bodies = [attestation.body for attestation in opened if attestation is not None]
        self.epoch += any(row.kind in VOIDING_KINDS for row in rows)
        for body in bodies:
            if isinstance(body, KeyEvent):
                self._learn(body, where)

    def _check_statement(self, entry: EntryRow, statement: Statement) -> None:
        claimed = (statement.ledger, statement.tenant, statement.batch, statement.root, statement.count)
        stored = (self._report.origin, entry.tenant, entry.batch_id, entry.root, entry.count)
        self._report.equal(stored, claimed, "statement_differs", f"entry {entry.idx}", "columns are not as signed")

    def _check_rows(self, entry: EntryRow, rows: list[AttestationRow]) -> None:
        """What holds whether or not a key is left."""
        report, where = self._report, f"entry {entry.idx}"
        report.count("attestations", len(rows))
        places = [row.position for row in rows]
        report.equal(places, list(range(entry.count)), "attestations_missing", where, "not the signed number of rows")
        digest = sha256(digested([row.sealed for row in rows], rows)).digest()
        report.equal(
            digest, entry.stored_digest, "sealed_differs", where, "the sealed bytes are not those stored first"
        )
        try:
            root, paths = paths_of([row.commitment for row in rows])
        except TallystickError as error:
            report.add("commitment_malformed", where, error.message)
            return
        report.equal(root, entry.root, "root_differs", where, "the commitments do not give the signed root")
        for row, path in zip(rows, paths, strict=True):
            report.equal(row.path, path, "path_differs", _place(where, row), "the stored path is not the batch's")
            if row.kind not in SPECS:
                report.add("kind_unknown", _place(where, row), "no such kind")

    def _open(self, entry: EntryRow, row: AttestationRow, keys: Mapping[bytes | None, DataKey]) -> Attestation | None:
        report, where = self._report, _place(f"entry {entry.idx}", row)
        try:
            attestation = self._opener.opened(row, keys, entry.idx)
        except TallystickError as error:
            report.add(error.code if error.code == "salt_missing" else "sealed_broken", where, error.message)
            return None
        if attestation is None:
            report.count("erased")
            return None
        report.count("opened")
        envelope = attestation.envelope
        stored = (row.commitment, row.kind, row.id, row.subject, row.tenant)
        inside = (attestation.commitment, envelope.kind, envelope.id, envelope.subject, envelope.tenant)
        report.equal(stored, inside, "columns_differ", where, "columns are not what the attestation says")
        if envelope.account is None:
            pointer = (row.previous_batch, row.previous_position)
            report.equal(pointer, (None, None), "chain_differs", where, "about no account, yet in a chain")
        self._check_publisher(row, where)
        return attestation

    def _check_publisher(self, row: AttestationRow, where: str) -> None:
        tenant = self._tenants.get(row.tenant)
        if tenant is None or row.kind not in SPECS:
            self._report.add("tenant_unknown", where, "published by nobody who takes part")
        elif tenant.role not in PUBLISHING_ROLES[SPECS[row.kind].publisher]:
            self._report.add("kind_reserved", where, "a tenant of this role does not publish this kind")

    def _learn(self, body: KeyEvent, where: str) -> None:
        """Take one key attestation into the histories."""
        keys = self.histories.setdefault(body.owner, {})
        known = keys.get(body.kid)
        try:
            if body.step == "enrolled":
                raw = body.public_key[1:] if body.alg == ES256 else body.public_key
                keys[body.kid] = PublicKey(body.kid, body.alg, raw, UnixMillis(body.not_before))
            elif known is None:
                self._report.add("key_unknown", where, "ends a key that was never enrolled")
            elif body.compromised_from is not None:
                keys[body.kid] = known.revoked(UnixMillis(body.compromised_from))
            elif body.not_after is not None:
                until = body.not_after if known.not_after_ms is None else min(known.not_after_ms, body.not_after)
                keys[body.kid] = replace(known, not_after_ms=UnixMillis(until))
        except TallystickError as error:
            self._report.add("key_malformed", where, error.message)


def _parts(entries: Sequence[EntryRow]) -> list[list[EntryRow]]:
    """Entries in runs whose attestations fit into memory together."""
    parts: list[list[EntryRow]] = [[]]
    count = 0
    for entry in entries:
        if count + entry.count > BATCH_ATTESTATIONS_MAX and parts[-1]:
            parts.append([])
            count = 0
        parts[-1].append(entry)
        count += entry.count
    return parts


def _place(where: str, row: AttestationRow) -> str:
    return f"{where}, attestation {row.position}"
