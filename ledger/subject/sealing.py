"""Attestations at rest: AES-256-GCM under a key that exists only while the subject's salt does.

    key = data_key(master, subject, salt)
    sealed = seal(key, nonce, data, commitment)       -> 12-byte nonce + ciphertext + 16-byte tag
    open_sealed(key, sealed, commitment)              -> data, or Untrusted

Rules
- The data key is HMAC-SHA-256(master, domain || subject || salt): the extract step of HKDF (RFC 5869 section 2.2) is all
  that is needed, since master is uniform and one key comes out. Without the salt it cannot be found again.
- Each nonce is 96 random bits and used once (NIST SP 800-38D section 8.2.2); the commitment is associated data, so that
  a ciphertext moved to another row does not open.
- What is about nobody (keys, tombstones) is sealed under a key of its own that needs no salt.
"""

from __future__ import annotations

import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.errors import Untrusted

NONCE_BYTES: Final = 12
SUBJECT_SALT_BYTES: Final = 32
_DOMAIN: Final = b"tallystick/seal/v1"


DataKey = AESGCM
"""A data key ready for use: making one costs more than sealing with it."""


def data_key(master: bytes, subject: bytes, salt: bytes) -> DataKey:
    """The key of one subject."""
    return AESGCM(hmac.digest(master, _DOMAIN + subject + salt, "sha256"))


def common_key(master: bytes) -> DataKey:
    """The key for what is about no subject."""
    return AESGCM(hmac.digest(master, _DOMAIN, "sha256"))


def seal(key: DataKey, nonce: bytes, data: bytes, commitment: bytes) -> bytes:
    """Encrypt one attestation; ``nonce`` is 12 fresh random bytes."""
    return nonce + key.encrypt(nonce, data, commitment)


def open_sealed(key: DataKey, sealed: bytes, commitment: bytes) -> bytes:
    """Decrypt one attestation. Raises Untrusted ``seal_broken`` when any bit, the key or the row is wrong."""
    try:
        return key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], commitment)
    except (InvalidTag, ValueError):
        raise Untrusted("seal_broken", "a stored attestation does not open: its bytes or its key changed") from None
