"""The bundle that leaves the house: a view's lines with everything that proves them, as one canonical JSON object.

    figures = view_hash(lines)                        goes into the access record, which is published first
    bundle = build_bundle(origin=..., lines=[LineEvidence(line, rows, complete=True)], ...)

Rules
- RFC 8785 bytes, no newline at the end. ``verifier/tallystick_verify.py`` is the other side of this format.
- Each tree node stands once (``hashes``), each batch once (``batches``), each attestation once (``evidence``); paths
  and lines are indexes. Whatever is not used is not there: the verifier refuses a bundle with leftovers.
- Evidence of a line is in log order. ``complete`` says that every attestation that a view may show is there, so that
  the figures can be computed again; a line may also go out with a part of its evidence, or none.
- The access record is one of ``consent_evidence``. It binds reader, consent and figures; a bundle without it verifies
  only as far as "cannot tell".
- Member names are ASCII and in order, numbers are integers: encoding the structures in order *is* RFC 8785.

What this module does not do: choose what may be shown (credit_view.py), read rows, or verify anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

import msgspec

from ledger.errors import InvariantBroken
from ledger.log.merkle import HASH_BYTES
from ledger.view.credit_view import Line

VIEW_FORMAT: Final = "tallystick-view/1"
RECEIPT_FORMAT: Final = "tallystick-receipt/1"


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One attestation as it is stored: where its batch stands in the log, the batch's signed statement, its own place
    and path (32-byte hashes run together, leaf side first) in the batch, and its exact bytes."""

    index: int
    statement: bytes
    position: int
    attestation: bytes
    path: bytes


class LineEvidence(NamedTuple):
    """A line, what proves it in log order, and whether that is every attestation of the loan that may be shown."""

    line: Line
    rows: Sequence[EvidenceRow]
    complete: bool


@dataclass(frozen=True)
class ConsentUsed:
    """The consent under which a view was read, as the access record names it."""

    consent: UUID
    detail: Literal["PROFILE", "SUMMARY", "TRANSACTIONS"]
    version: int


class _Figures(msgspec.Struct, frozen=True):
    complete: bool
    evidence: list[int]
    figures: Line


_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


def view_hash(lines: Sequence[Line]) -> bytes:
    """SHA-256 over the canonical array of the lines' figures, in the bundle's order: what the access record names."""
    return sha256(_ENCODER.encode(lines)).digest()


def build_bundle(
    *,
    origin: str,
    subject: bytes,
    consumer: str,
    consent: ConsentUsed,
    as_of: date,
    checkpoint_note: bytes,
    lines: Sequence[LineEvidence],
    keys: Sequence[EvidenceRow],
    consent_evidence: Sequence[EvidenceRow],
    log_paths: Mapping[int, bytes | Sequence[bytes]],
) -> bytes:
    """The bundle's canonical bytes.

    ``keys`` are the ``key`` attestations of every lender in the view; ``consent_evidence`` the access record and, where
    they may be shown, the consent's own steps; ``log_paths`` each batch's inclusion path in the checkpoint's tree, by
    log index. Raises InvariantBroken ``bundle_path_missing`` when a batch has no path.
    """
    evidence = _Evidence(log_paths)
    parts = {
        "keys": evidence.add_all(keys),
        "consent": {
            "consent": consent.consent, "detail": consent.detail, "version": consent.version,
            "evidence": evidence.add_all(consent_evidence),
        },
        "lines": [_Figures(row.complete, evidence.add_all(row.rows), row.line) for row in lines],
    }  # fmt: skip
    return _ENCODER.encode(
        parts
        | evidence.members()
        | {
            "asOf": as_of, "checkpoint": checkpoint_note.decode(), "consumer": consumer, "format": VIEW_FORMAT,
            "ledger": origin, "subject": subject,
        }
    )  # fmt: skip


def build_receipt(
    *, origin: str, index: int, statement: bytes, path: bytes | Sequence[bytes], checkpoint_note: bytes
) -> bytes:
    """The proof, for whoever published a batch, that its statement is entry ``index`` of the log."""
    return _ENCODER.encode(
        {
            "checkpoint": checkpoint_note.decode(), "format": RECEIPT_FORMAT, "index": index, "ledger": origin,
            "path": _nodes(path), "statement": statement.decode(),
        }
    )  # fmt: skip


class _Evidence:
    """Collects attestations, batches and tree nodes, each once, and answers with indexes."""

    def __init__(self, log_paths: Mapping[int, bytes | Sequence[bytes]]) -> None:
        self._log_paths = log_paths
        self._hashes: dict[bytes, int] = {}
        self._batches: dict[int, int] = {}
        self._rows: dict[tuple[int, int], int] = {}
        self._written_batches: list[dict[str, Any]] = []
        self._written_rows: list[dict[str, Any]] = []

    def add_all(self, rows: Iterable[EvidenceRow]) -> list[int]:
        """The places of these rows among the evidence."""
        return [self._add(row) for row in rows]

    def members(self) -> dict[str, Any]:
        """The bundle's shared members."""
        return {"batches": self._written_batches, "evidence": self._written_rows, "hashes": list(self._hashes)}

    def _add(self, row: EvidenceRow) -> int:
        key = (row.index, row.position)
        place = self._rows.get(key)
        if place is None:
            place = self._rows[key] = len(self._written_rows)
            self._written_rows.append(
                {
                    "attestation": row.attestation.decode(), "batch": self._batch(row),
                    "path": self._places(_nodes(row.path)), "position": row.position,
                }
            )  # fmt: skip
        return place

    def _batch(self, row: EvidenceRow) -> int:
        place = self._batches.get(row.index)
        if place is None:
            path = self._log_paths.get(row.index)
            if path is None:
                raise InvariantBroken("bundle_path_missing", "no inclusion path for a batch", found=row.index)
            place = self._batches[row.index] = len(self._written_batches)
            self._written_batches.append(
                {"index": row.index, "path": self._places(_nodes(path)), "statement": row.statement.decode()}
            )
        return place

    def _places(self, nodes: Sequence[bytes]) -> list[int]:
        add: Callable[[bytes, int], int] = self._hashes.setdefault
        return [add(node, len(self._hashes)) for node in nodes]


def _nodes(path: bytes | Sequence[bytes]) -> Sequence[bytes]:
    """A path as its hashes, whichever way it is given."""
    if isinstance(path, bytes):
        return [path[at : at + HASH_BYTES] for at in range(0, len(path), HASH_BYTES)]
    return path
