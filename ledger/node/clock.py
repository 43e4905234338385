"""Time, randomness and ids, as the long-running parts take them. Tests put their own in."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from ledger.types import UnixMillis


def uuid7(now: UnixMillis, random: bytes) -> UUID:
    """A UUIDv7 (RFC 9562 section 5.7) of a time and ten random bytes."""
    number = (now << 80) | int.from_bytes(random, "big")
    number = (number & ~(0xF << 76)) | (7 << 76)
    return UUID(int=(number & ~(3 << 62)) | (2 << 62))


@dataclass(frozen=True)
class Sources:
    """Where time and randomness come from."""

    now: Callable[[], UnixMillis] = lambda: UnixMillis(time.time_ns() // 1_000_000)
    random: Callable[[int], bytes] = os.urandom

    def new_id(self) -> UUID:
        """A fresh UUIDv7."""
        return uuid7(self.now(), self.random(10))
