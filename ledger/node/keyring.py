"""The deployment's own secrets: one file that only its user may read, or environment variables that name files.

Rules
- Made once from the system's randomness, written whole (new file, fsync, rename) with mode 0600, never overwritten.
- Lost, they cannot be found again: the log key proves who the ledger is, the master key opens what is sealed.
- They are never logged, printed or passed as arguments.
"""

from __future__ import annotations

import json
import os
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass, fields
from pathlib import Path

from ledger.attestation.keys import EDDSA, PrivateKey
from ledger.errors import InvalidInput
from ledger.log.note import NoteSigner

FILE_NAME = "keyring.json"


@dataclass(frozen=True, repr=False)
class Keyring:
    """32 random bytes each. ``log`` signs checkpoints, ``operator`` the deployment's own batches; ``master`` seals,
    ``pseudonym`` names subjects, ``wrapping`` keeps tenants' managed keys, ``cursor`` authenticates page cursors;
    ``app_password`` and ``audit_password`` open the embedded database."""

    log: bytes
    operator: bytes
    master: bytes
    pseudonym: bytes
    wrapping: bytes
    cursor: bytes
    app_password: bytes
    audit_password: bytes

    def signer(self, origin: str) -> NoteSigner:
        """The log's note signer; its name is the log's origin (C2SP tlog-checkpoint)."""
        return NoteSigner(origin, self.log)

    def operator_key(self) -> PrivateKey:
        """The deployment tenant's batch key."""
        return PrivateKey.from_random(EDDSA, self.operator)


def random_keyring() -> Keyring:
    """A fresh keyring that is kept nowhere."""
    return Keyring(**{field.name: secrets.token_bytes(32) for field in fields(Keyring)})


def load_keyring(home: Path) -> Keyring:
    """The keyring of a state folder; made on first use. Raises InvalidInput ``keyring_unreadable``."""
    path = home / FILE_NAME
    if not path.exists():
        _write_once(path, random_keyring())
    try:
        stored = json.loads(path.read_text(encoding="ascii"))
        return Keyring(**{field.name: b64decode(stored[field.name], validate=True) for field in fields(Keyring)})
    except (OSError, ValueError, KeyError) as error:
        raise InvalidInput(
            "keyring_unreadable", f"the keyring file cannot be used ({type(error).__name__})",
            advice="restore it from its backup: what was sealed and signed with it needs it",
        ) from None  # fmt: skip


def _write_once(path: Path, keyring: Keyring) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({field.name: b64encode(getattr(keyring, field.name)).decode() for field in fields(Keyring)})
    draft = path.with_suffix(f".{os.getpid()}.new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # fails when another process was first: its keyring stands
    except FileExistsError:
        pass
    finally:
        draft.unlink()
