"""Attestations at rest: AES-256-GCM under a key that exists only while the subject's salt does.

    key = data_key(master, subject, salt)
    sealed = seal(key, nonce, data, commitment)       -> 8-byte key tag + 12-byte nonce + ciphertext + 16-byte tag
    open_sealed(key, sealed, commitment)              -> data, or Untrusted

Rules
- The data key is HMAC-SHA-256(master, domain || subject || salt): the extract step of HKDF (RFC 5869 section 2.2) is all
  that is needed, since master is uniform and one key comes out. Without the salt it cannot be found again.
- Each nonce is 96 random bits and used once (NIST SP 800-38D section 8.2.2); the commitment is associated data, so that
  a ciphertext moved to another row does not open.
- The key tag says which of a subject's keys it was: one who was erased and came back has a new salt, and what was
  sealed before stays closed rather than looking broken.
- What is about nobody (keys, tombstones) is sealed under a key of its own that needs no salt.
"""

from __future__ import annotations

import hmac
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.errors import Untrusted

NONCE_BYTES: Final = 12
SUBJECT_SALT_BYTES: Final = 32
_DOMAIN: Final = b"tallystick/seal/v1"
KEY_TAG_BYTES: Final = 8
_BODY: Final = KEY_TAG_BYTES + NONCE_BYTES


class DataKey(NamedTuple):
    """A data key ready for use (making its cipher costs more than sealing with it) and the tag that tells it apart."""

    cipher: AESGCM
    tag: bytes

    def sealed(self, data: bytes) -> bool:
        """Whether these sealed bytes say that they are under this key."""
        return data.startswith(self.tag)


def data_key(master: bytes, subject: bytes, salt: bytes) -> DataKey:
    """The key of one subject."""
    return _key(hmac.digest(master, _DOMAIN + subject + salt, "sha256"))


def common_key(master: bytes) -> DataKey:
    """The key for what is about no subject."""
    return _key(hmac.digest(master, _DOMAIN, "sha256"))


def _key(secret: bytes) -> DataKey:
    return DataKey(AESGCM(secret), hmac.digest(secret, b"tallystick/key-tag/v1", "sha256")[:KEY_TAG_BYTES])


def seal(key: DataKey, nonce: bytes, data: bytes, commitment: bytes) -> bytes:
    """Encrypt one attestation; ``nonce`` is 12 fresh random bytes."""
    return key.tag + nonce + key.cipher.encrypt(nonce, data, commitment)


def open_sealed(key: DataKey, sealed: bytes, commitment: bytes) -> bytes:
    """Decrypt one attestation. Raises Untrusted ``seal_broken`` when any bit, the key or the row is wrong."""
    try:
        if not key.sealed(sealed):
            raise InvalidTag
        return key.cipher.decrypt(sealed[KEY_TAG_BYTES:_BODY], sealed[_BODY:], commitment)
    except (InvalidTag, ValueError):
        raise Untrusted("seal_broken", "a stored attestation does not open: its bytes or its key changed") from None
