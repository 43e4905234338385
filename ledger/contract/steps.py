"""What a party signs when it takes a step in a contract, and the check of such a signature.

to_sign = step_payload(contract, "borrower", "signed", at_ms)       canonical JSON, signed as a compact JWS
"""

from __future__ import annotations

from typing import Final

import msgspec

from ledger.types import UnixMillis

CONTRACT_TYPE: Final = "tallystick-contract+jws"
"""The ``typ`` of a step's JWS: a signature of another purpose is none of a contract."""


class _Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    at: int
    contract: bytes
    effect: bytes | None = None
    party: str
    step: str


_ENCODER: Final = msgspec.json.Encoder()


def step_payload(contract: bytes, party: str, step: str, at: UnixMillis, effect: bytes | None = None) -> bytes:
    """The bytes that are signed: the document's hash, whose step it is, which, when, and the proposal it answers."""
    return _ENCODER.encode(_Step(at=at, contract=contract, effect=effect, party=party, step=step))
