"""Signed notes: a text and who signed it, in one readable file (C2SP signed-note, tlog-cosignature).

Rules
- A note is a text that ends with a newline, an empty line, and signature lines ``— <name> <Base64(key ID ||
  signature)>``. The last empty line divides them. UTF-8; no control character but the newline.
- A key has a name (not empty, no white space, no ``+``) and a 4-byte ID over name, type and key; the pair names it.
- Signatures of keys that were not given are set aside, never judged. A bad signature of a known key spoils the whole
  note. None good: the note says nothing. At most 100 signatures.
- Types: 0x01 Ed25519 over the text; 0x02 ECDSA (verified only); 0x04 Ed25519 cosignature with a time, over
  ``cosignature/v1``, the time and the text. A key of one type never verifies a signature of another.
- Key texts: ``name+hash+base64`` to verify, ``PRIVATE+KEY+name+hash+base64`` to sign. One spelling for each key.
- Strict Base64: a signature line whose last bits are not zero is malformed.

>>> signer = NoteSigner("ledger.example/main", bytes(32))
>>> open_note(sign_note(b"hello\\n", [signer]), [signer.verifier]).verified_names
('ledger.example/main',)

It keeps no keys and knows no time; who signs when is decided elsewhere.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.base64_strict import decode_standard, encode_standard
from ledger.errors import InvalidInput, Untrusted
from ledger.signatures import ed25519_key_fault, verify_ed25519

ED25519: Final = 0x01
"""Type byte of Ed25519 signatures over the note's text."""

ECDSA: Final = 0x02
"""Type byte of ECDSA signatures with SHA-256, DER; verified for the sake of others' logs, never made."""

COSIGNATURE_V1: Final = 0x04
"""Type byte of Ed25519 cosignatures with a time (C2SP tlog-cosignature)."""

MAX_SIGNATURES: Final = 100
"""Most signature lines in a note: bounds the work; the specification asks for at least 16."""

_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line. ``timestamp_s`` is Unix seconds, for verified cosignatures; None for all others."""

    name: str
    key_id: int
    signature: bytes
    timestamp_s: int | None = None

    def line(self) -> str:
        """The line as it stands in a note, with its newline."""
        return f"— {self.name} {encode_standard(self.key_id.to_bytes(4, 'big') + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """A note of which at least one signature was verified. Both tuples are in the note's order, repetitions dropped."""

    text: bytes
    verified: tuple[NoteSignature, ...]
    unverified: tuple[NoteSignature, ...]

    @property
    def verified_names(self) -> tuple[str, ...]:
        """Names of the keys whose signatures hold."""
        return tuple(signature.name for signature in self.verified)

    @property
    def unverified_names(self) -> tuple[str, ...]:
        """Names on signatures of keys that were not asked about."""
        return tuple(signature.name for signature in self.unverified)


@dataclass(frozen=True, slots=True)
class NoteVerifier:
    """A public key under a name. ``public_key``: 32 bytes for Ed25519 types, SubjectPublicKeyInfo DER for ECDSA.

    Raises ``InvalidInput`` ``vkey_invalid`` for a bad name, an unknown type, or a key that may not be trusted.
    """

    name: str
    algorithm: int
    public_key: bytes

    def __post_init__(self) -> None:
        ensure_key_name(self.name)
        if self.algorithm == ECDSA:
            _ecdsa_key(self.public_key)
        elif self.algorithm not in (ED25519, COSIGNATURE_V1):
            raise _bad_vkey("unknown signature type")
        elif (fault := ed25519_key_fault(self.public_key)) is not None:
            raise _bad_vkey(fault)

    @property
    def key_id(self) -> int:
        """The 32-bit key ID, which with the name identifies the key."""
        if self.algorithm == ECDSA:  # over the key alone, by the specification
            return _id_of(self.public_key)
        return key_id_of(self.name, bytes([self.algorithm]) + self.public_key)

    def encode(self) -> str:
        """The key's text, ``name+hash+base64``."""
        return f"{self.name}+{self.key_id:08x}+{encode_standard(bytes([self.algorithm]) + self.public_key)}"

    @staticmethod
    def parse(vkey: str) -> NoteVerifier:
        """Inverse of ``encode``; raises ``InvalidInput`` ``vkey_invalid`` for any text that is not a key's own."""
        name, key = _parse_key_text(vkey)
        verifier = NoteVerifier(name, key[0], key[1:])
        if verifier.encode() != vkey:
            raise _bad_vkey("key ID does not match")
        return verifier

    def verifies(self, text: bytes, signature: bytes) -> bool:
        """Whether ``signature`` (without its key ID) is this key's over ``text``. Raises nothing."""
        if self.algorithm == ECDSA:
            return _verify_ecdsa(self.public_key, text, signature)
        if self.algorithm == ED25519:
            return verify_ed25519(self.public_key, text, signature)
        return verify_ed25519(self.public_key, cosigned_message(text, _time_of(signature)), signature[8:])


class NoteSigner:
    """An Ed25519 key (32-byte seed, RFC 8032 section 5.1.5) that signs notes under a name.

    ``algorithm`` is ``ED25519`` for a log's own signature or ``COSIGNATURE_V1`` for a cosigner's. Raises
    ``InvalidInput`` ``skey_invalid`` or ``vkey_invalid``. The seed never shows in ``repr``.
    """

    __slots__ = ("_key_id", "_private", "_seed", "verifier")

    def __init__(self, name: str, seed: bytes, algorithm: int = ED25519) -> None:
        if len(seed) != 32 or algorithm not in (ED25519, COSIGNATURE_V1):
            raise _bad_skey()
        self._seed = seed
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = NoteVerifier(name, algorithm, self._private.public_key().public_bytes_raw())
        self._key_id = self.verifier.key_id

    @staticmethod
    def parse(skey: str) -> NoteSigner:
        """The signer of a text ``PRIVATE+KEY+name+hash+base64``; raises ``InvalidInput`` ``skey_invalid``."""
        prefix = "PRIVATE+KEY+"
        if not skey.startswith(prefix):
            raise _bad_skey()
        try:
            name, key = _parse_key_text(skey.removeprefix(prefix))
            signer = NoteSigner(name, key[1:], key[0])
        except InvalidInput:
            raise _bad_skey() from None
        if signer.private_text() != skey:
            raise _bad_skey()
        return signer

    def private_text(self) -> str:
        """The secret text form; whoever has it can sign."""
        verifier = self.verifier
        secret = encode_standard(bytes([verifier.algorithm]) + self._seed)
        return f"PRIVATE+KEY+{verifier.name}+{verifier.key_id:08x}+{secret}"

    def sign(self, text: bytes) -> NoteSignature:
        """This key's signature over a note's text; raises ``InvalidInput`` ``note_malformed``, ``skey_invalid``."""
        _ensure_text(text)
        return self._signature(text)

    def cosign(self, text: bytes, *, timestamp_s: int) -> NoteSignature:
        """A cosignature at Unix seconds ``timestamp_s``.

        Raises ``InvalidInput`` ``note_malformed``, ``skey_invalid`` (a key of another type, a time out of range).
        """
        _ensure_text(text)
        if self.verifier.algorithm != COSIGNATURE_V1 or not 0 <= timestamp_s < 2**63:
            raise _bad_skey()
        signature = timestamp_s.to_bytes(8, "big") + self._private.sign(cosigned_message(text, timestamp_s))
        return NoteSignature(self.verifier.name, self._key_id, signature, timestamp_s)

    def _signature(self, text: bytes) -> NoteSignature:
        """Over a text that was looked at."""
        if self.verifier.algorithm != ED25519:
            raise _bad_skey()
        return NoteSignature(self.verifier.name, self._key_id, self._private.sign(text))

    def __repr__(self) -> str:
        return f"NoteSigner({self.verifier.encode()!r})"


def sign_note(text: bytes, signers: Sequence[NoteSigner]) -> bytes:
    """The note over ``text``, signatures in the signers' order; raises ``InvalidInput`` ``note_malformed``."""
    _ensure_text(text)
    return _joined(text, [signer._signature(text) for signer in signers])


def join_note(text: bytes, signatures: Sequence[NoteSignature]) -> bytes:
    """The note of a text and signatures made elsewhere; raises ``InvalidInput`` ``note_malformed``."""
    _ensure_text(text)
    return _joined(text, signatures)


def _joined(text: bytes, signatures: Sequence[NoteSignature]) -> bytes:
    if not 0 < len(signatures) <= MAX_SIGNATURES:
        raise _malformed("one to 100 signatures")
    return text + b"\n" + "".join(signature.line() for signature in signatures).encode()


def open_note(note: bytes, verifiers: Sequence[NoteVerifier]) -> OpenedNote:
    """Verify a note with the keys one trusts.

    Raises ``InvalidInput`` ``note_malformed``; ``Untrusted``: ``signature_invalid`` (of a known key),
    ``verifier_ambiguous`` (two of ``verifiers`` have the name and ID of a signature), ``note_unsigned`` (no known key).
    """
    text, signatures = parse_note(note)
    known: dict[tuple[str, int], list[NoteVerifier]] = {}
    for verifier in verifiers:
        known.setdefault((verifier.name, verifier.key_id), []).append(verifier)
    verified: dict[tuple[str, int], NoteSignature] = {}
    unverified: dict[NoteSignature, None] = {}
    for signature in signatures:
        key = (signature.name, signature.key_id)
        if key in known:
            verified.setdefault(key, _checked(text, signature, known[key]))
        else:
            unverified[signature] = None
    if not verified:
        raise Untrusted("note_unsigned", "no signature of a known key")
    return OpenedNote(text, tuple(verified.values()), tuple(unverified))


def parse_note(note: bytes) -> tuple[bytes, list[NoteSignature]]:
    """A note's text and its signatures, nothing verified; raises ``InvalidInput`` ``note_malformed``."""
    text, separator, lines = _decode(note).rpartition("\n\n")
    if not separator or not lines.endswith("\n"):
        raise _malformed("no signature lines after an empty line")
    signature_lines = lines[:-1].split("\n")
    if len(signature_lines) > MAX_SIGNATURES:
        raise _malformed("more than 100 signatures")
    return f"{text}\n".encode(), [_parse_line(line) for line in signature_lines]


def cosigned_message(text: bytes, timestamp_s: int) -> bytes:
    """What a cosignature signs: label, time in Unix seconds, and the note's whole text (C2SP tlog-cosignature)."""
    return b"cosignature/v1\ntime %d\n" % timestamp_s + text


def key_id_of(name: str, typed_key: bytes) -> int:
    """Key ID of a name and type || key: the first 4 bytes of SHA-256(name || 0x0A || type || key)."""
    return _id_of(name.encode() + b"\n" + typed_key)


def ensure_key_name(name: str) -> None:
    """Check a key name: not empty, no white space, ``+`` or control character.

    Raises ``InvalidInput`` ``vkey_invalid``.
    """
    if not name or "+" in name or any(char.isspace() for char in name) or has_control_characters(name):
        raise _bad_vkey("a key name has no white space and no plus")


def has_control_characters(text: str) -> bool:
    """Whether a text cannot stand in a line of a note: control characters (newline too), or no UTF-8."""
    return _NOT_IN_A_LINE.search(text) is not None


_NOT_IN_A_LINE: Final = re.compile("[\x00-\x1f\ud800-\udfff]")


def _checked(text: bytes, signature: NoteSignature, candidates: list[NoteVerifier]) -> NoteSignature:
    if len(candidates) > 1:
        raise Untrusted("verifier_ambiguous", "two keys have one name and ID", found=signature.name)
    verifier = candidates[0]
    if not verifier.verifies(text, signature.signature):
        raise Untrusted("signature_invalid", "a known key's signature does not hold", found=signature.name)
    if verifier.algorithm != COSIGNATURE_V1:
        return signature
    timestamp_s = _time_of(signature.signature)
    return NoteSignature(signature.name, signature.key_id, signature.signature, timestamp_s)


def _parse_line(line: str) -> NoteSignature:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—":
        raise _malformed("a signature line of another form")
    try:
        ensure_key_name(parts[1])
        data = decode_standard(parts[2])
    except InvalidInput:
        raise _malformed("a signature line with a bad name or Base64") from None
    if len(data) < 5:
        raise _malformed("a signature that is too short")
    return NoteSignature(parts[1], int.from_bytes(data[:4], "big"), data[4:])


def _decode(note: bytes) -> str:
    try:
        text = note.decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("not UTF-8") from None
    if has_control_characters(text.replace("\n", "")):
        raise _malformed("a control character")
    return text


def _ensure_text(text: bytes) -> None:
    if not _decode(text).endswith("\n"):
        raise _malformed("a text without its last newline")


def _parse_key_text(text: str) -> tuple[str, bytes]:
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise _bad_vkey("not three parts")
    try:
        key = decode_standard(parts[2])
    except InvalidInput:
        raise _bad_vkey("not Base64") from None
    if not key:
        raise _bad_vkey("no key")
    return parts[0], key


def _id_of(data: bytes) -> int:
    return int.from_bytes(hashlib.sha256(data).digest()[:4], "big")


def _time_of(signature: bytes) -> int:
    return int.from_bytes(signature[:8], "big")


def _ecdsa_key(der: bytes) -> ec.EllipticCurvePublicKey:
    try:
        key = serialization.load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        raise _bad_vkey("not a public key") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, _CURVES):
        raise _bad_vkey("not a P-256, P-384 or P-521 key")
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    if key.public_bytes(serialization.Encoding.DER, form) != der:
        raise _bad_vkey("another encoding of the key")
    return key


def _verify_ecdsa(der: bytes, text: bytes, signature: bytes) -> bool:
    try:
        _ecdsa_key(der).verify(signature, text, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _bad_vkey(why: str) -> InvalidInput:
    return InvalidInput("vkey_invalid", f"not a verifier key: {why}")


def _bad_skey() -> InvalidInput:
    return InvalidInput("skey_invalid", "not a signing key, or not of the type that is asked for")


def _malformed(why: str) -> InvalidInput:
    return InvalidInput("note_malformed", f"not a signed note: {why}")
