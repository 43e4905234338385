"""How a scoring model comes onto the ledger, and how it comes to decide: registered by hash, promoted by two people.

    registration = read_registration(load_model(document), figures_bytes, expected=model_hash)
    payload = approval_payload(model_hash, challenger_hash, registration.digest)   # what an approver signs
    approvals = check_approvals(tokens, keys_by_approver, payload, now=...)        # two at least, or refused
    body = model_body(registration, step="promoted", approvals=approvals)

Rules
- A model is the SHA-256 of its document's bytes. Whoever registers names the hash, and it has to be that of the bytes.
- The registration says, all by hash or integer: training data, split seed, model card, metrics, fairness. A model whose
  approval ratio is below four fifths for any attribute is not registered.
- A promotion needs the hash of a challenger it was compared with, and signatures of two different approvers with two
  different keys, each over the model's, the challenger's and the figures' hashes. One person with two keys, two people
  with one key, a key that was retired or revoked, or a signature over something else do not count.
- The document's format says which of two roles a model has: a scorecard may come to decide, trees are a challenger and
  never do. A challenger is registered by the same rules, compared with a registered card whose inputs it has, all of
  them in the card's order: it runs on the same snapshot. Its registration alone sets it beside that card.
- ``shadow`` compares the two on held-out borrowers, at the same share of declines; ``comparison`` does on live ones.

What this module does not do: keep models (the node does), or fit them (training/).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from ledger.attestation.canonical import canonical
from ledger.attestation.jws import verify_jws
from ledger.attestation.keys import KeyHistory
from ledger.attestation.risk_kinds import Approval, Model
from ledger.attestation.sharing_kinds import Score
from ledger.errors import InvalidInput, Refused
from ledger.risk.fairness import FOUR_FIFTHS_BP, cutoff
from ledger.risk.scorecard import Scorecard, Scored, load_card
from ledger.risk.trees import FORMAT as TREES_FORMAT
from ledger.risk.trees import Trees, load_trees
from ledger.types import UnixMillis

APPROVAL_TYP: Final = "tally-model+jws"
"""The ``typ`` of an approval: no other statement can be taken for one (RFC 8725 section 3.11)."""

APPROVERS_MIN: Final = 2
FIGURES_BYTES_MAX: Final = 64 * 1024

BasisPoints = Annotated[int, Meta(ge=0, le=1_000_000)]


class Figures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was measured of a model: its figures in basis points, and the hashes (hex) of what they were measured on.
    ``model`` has to be the model's own hash. ``challenger`` is the hash of the model that it was compared with."""

    approval_ratio_bp: Annotated[dict[str, BasisPoints], Meta(min_length=1, max_length=32)]
    challenger: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    challenger_auc_bp: BasisPoints
    data: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    metrics_bp: Annotated[dict[str, BasisPoints], Meta(min_length=1, max_length=32)]
    model: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    model_card: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    split_seed: Annotated[int, Meta(ge=0, le=2**53 - 1)]


@dataclass(frozen=True)
class Registration:
    """A model and what was measured of it, checked against each other. ``digest`` is of the figures' bytes."""

    model: Scorecard | Trees
    figures: Figures
    digest: bytes

    @property
    def beside(self) -> bytes | None:
        """The card that a challenger runs beside: the one it was compared with. None: this is no challenger."""
        return bytes.fromhex(self.figures.challenger) if isinstance(self.model, Trees) else None


class _Head(msgspec.Struct):
    """Of a document, only what it is."""

    format: str = ""


def load_model(document: bytes, *, allowed: Collection[str] = ()) -> Scorecard | Trees:
    """A model from its canonical bytes, by its format. Raises InvalidInput ``card_*``, ``trees_*``, and the codes of
    ``parse_canonical``."""
    try:
        trees = msgspec.json.decode(document, type=_Head).format == TREES_FORMAT
    except (msgspec.DecodeError, UnicodeDecodeError):
        trees = False  # the card's loader says what is wrong
    return load_trees(document, allowed=allowed) if trees else load_card(document, allowed=allowed)


def read_registration(model: Scorecard | Trees, figures: bytes, *, expected: bytes) -> Registration:
    """Check a model's figures. ``expected`` is the hash that the registrar names.

    Raises InvalidInput ``model_hash_differs``, ``figures_malformed``; Refused ``model_unfair``.
    """
    if model.digest != expected:
        raise InvalidInput(
            "model_hash_differs", "not the hash of these bytes", path="$.model", found=model.digest.hex()
        )
    if len(figures) > FIGURES_BYTES_MAX:
        raise InvalidInput("figures_malformed", "too many bytes", path="$.figures", expected=f"<= {FIGURES_BYTES_MAX}")
    try:
        found = msgspec.json.decode(figures, type=Figures)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput("figures_malformed", f"not a model's figures: {error}", path="$.figures") from None
    if found.model != model.digest.hex():
        raise InvalidInput("model_hash_differs", "the figures are another model's", path="$.figures.model")
    for attribute, ratio in sorted(found.approval_ratio_bp.items()):
        if ratio < FOUR_FIFTHS_BP:
            raise Refused("model_unfair", "a group is approved at less than four fifths of the best group's rate",
                          path=f"$.figures.approval_ratio_bp.{attribute}", expected=f">= {FOUR_FIFTHS_BP}",
                          found=ratio)  # fmt: skip
    return Registration(model, found, sha256(figures).digest())


def ensure_same_inputs(challenger: Trees, card: Scorecard | Trees) -> None:
    """A challenger runs on a card's own snapshot. Raises InvalidInput ``challenger_inputs``."""
    if isinstance(card, Trees) or challenger.document.inputs != card.document.inputs:
        raise InvalidInput("challenger_inputs", "not the inputs of the card that it was compared with",
                           path="$.document.inputs")  # fmt: skip


def approval_payload(model: bytes, challenger: bytes, figures: bytes) -> bytes:
    """What an approver signs (compact JWS, ``typ`` APPROVAL_TYP): canonical JSON of three SHA-256, hex.

    >>> approval_payload(bytes(32), bytes(32), bytes(32))[:24]
    b'{"challenger":"000000000'
    """
    return canonical({"challenger": challenger.hex(), "figures": figures.hex(), "model": model.hex()})


def check_approvals(
    tokens: Mapping[str, bytes], keys: Mapping[str, KeyHistory], payload: bytes, *, now: UnixMillis
) -> tuple[Approval, ...]:
    """Verify approvals: ``tokens`` are approver -> signature, ``keys`` the keys that each has on the ledger. ``now`` is UTC
    milliseconds: a key must be good at this moment.

    Raises Refused ``approvals_few``, ``approvals_one_key``, ``approval_other``; Untrusted and InvalidInput of the
    signature's own.
    """
    if len(tokens) < APPROVERS_MIN:
        raise Refused("approvals_few", "two different approvers sign", path="$.approvals", expected=">= 2",
                      found=len(tokens))  # fmt: skip
    found = []
    for approver in sorted(tokens):
        known = keys.get(approver, KeyHistory())
        signed = verify_jws(tokens[approver], known, typ=APPROVAL_TYP, at_ms=now)
        if signed.payload != payload:
            raise Refused("approval_other", "a signature over another model, challenger or figures",
                          path="$.approvals", found=approver)  # fmt: skip
        found.append(Approval(approver=approver, kid=signed.key.kid, signature=tokens[approver].decode()))
    if len({approval.kid for approval in found}) < APPROVERS_MIN:
        raise Refused("approvals_one_key", "two approvers sign with two keys", path="$.approvals")
    return tuple(found)


def model_body(
    registration: Registration, *, step: Literal["registered", "promoted"], approvals: Sequence[Approval] = ()
) -> Model:
    """The ``model`` attestation's body."""
    figures, document = registration.figures, registration.model.document
    return Model(
        approvals=tuple(approvals), card_hash=bytes.fromhex(figures.model_card),
        challenger=bytes.fromhex(figures.challenger), data_hash=bytes.fromhex(figures.data),
        fairness={f"approval_ratio.{name}": value for name, value in figures.approval_ratio_bp.items()},
        metrics={**figures.metrics_bp, "challenger_auc": figures.challenger_auc_bp}, model=registration.model.digest,
        name=document.name, split_seed=figures.split_seed, step=step, version=document.version,
    )  # fmt: skip


def snapshot_root(model: bytes, inputs: Mapping[str, int], as_of: int) -> bytes:
    """SHA-256 of what a score was computed from: the model, the inputs, and the number of log entries known then."""
    return sha256(canonical({"asOf": as_of, "inputs": dict(inputs), "model": model.hex()})).digest()


def score_body(card: Scorecard, scored: Scored, *, root: bytes, as_of: int, valid_until: date) -> Score:
    """The ``score`` attestation's body: model by name and hash, points on the card's own scale, reasons, snapshot."""
    document = card.document
    return Score(
        as_of=as_of, input_root=root, model=document.name, model_hash=card.digest,
        model_version=str(document.version), reasons=scored.reasons, scale_max=card.best, scale_min=card.worst,
        valid_until=valid_until, value=scored.points,
    )  # fmt: skip


class Shadow(NamedTuple):
    """How a challenger would have decided beside the card, on the same borrowers and at the same share of declines."""

    borrowers: int
    both_decline: int
    only_card: int
    only_challenger: int

    @property
    def differ_bp(self) -> int:
        """The share of borrowers whom the two would treat differently, in basis points."""
        return 0 if not self.borrowers else (self.only_card + self.only_challenger) * 10_000 // self.borrowers


def shadow(points: Sequence[int], challenger_ppm: Sequence[int], *, decline_share: tuple[int, int]) -> Shadow:
    """Compare the card's points with a challenger's probabilities of default, borrower by borrower."""
    other = [-ppm for ppm in challenger_ppm]
    ours, theirs = cutoff(points, decline_share=decline_share), cutoff(other, decline_share=decline_share)
    pairs = [(a < ours, b < theirs) for a, b in zip(points, other, strict=True)]
    return Shadow(len(pairs), pairs.count((True, True)), pairs.count((True, False)), pairs.count((False, True)))
