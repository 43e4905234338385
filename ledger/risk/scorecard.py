"""A scorecard: a small document of integers that says the whole way from a borrower's columns to points and reasons.

    card = load_card(document_bytes)                      # its SHA-256, card.digest, is the model's name on the ledger
    scored = score(card, {"limit": 50_000, "delay_1": 2, ...})
    scored.points, scored.probability_ppm, scored.reasons

Rules
- **Document.** Canonical JSON (RFC 8785): ``sha256sum`` of the file is the model's hash. Inputs with bounds; features,
  each a named derivation (derivations.py), cuts and points; a table from points to probability. No fractions anywhere.
- **Bins.** A feature's bin is the number of its cuts that are <= its reading: a cut belongs to the bin above it.
- **Monotone.** ``adverse`` says which readings are worse, and points never rise in that direction. The reason must be one
  whose meaning is that direction (reasons.py), so no sign can be wrong.
- **Points.** ``base`` plus the points of each feature's bin. More is better: the probability never rises with points.
- **Reasons.** Points lost against a feature's best bin; the four largest losses, equal ones in the document's order. A
  feature that lost nothing is no reason.
- **Law.** A feature of restricted data (``data``) needs that kind to be among ``allowed``, which the jurisdiction's pack
  decides; without a word it is refused. Protected attributes are never inputs.

The same integers come out in any language. What this module does not do: fit (training/), or know whose data it reads.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Annotated, Final, Literal, NamedTuple, get_args

import msgspec
from msgspec import Meta

from ledger.attestation.canonical import canonical, parse_canonical
from ledger.errors import InvalidInput
from ledger.risk.derivations import OPERATIONS, Derivation, derivation
from ledger.risk.reasons import REASONS, Adverse

FORMAT: Final = "tallystick-scorecard/1"
CARD_BYTES_MAX: Final = 64 * 1024
"""Bytes of a document; ours has 6 kB."""
REASONS_MAX: Final = 4
"""Reasons given (12 CFR 1002.9(b)(2), comment 2: more are not likely to be helpful)."""
POINTS_MAX: Final = 10_000
"""Largest points of one bin, either sign: a card's scale stays readable and its table short."""
SCALE_MAX: Final = 4_096
"""Widest scale, from the worst to the best score: one table entry each."""
INPUT_MAX: Final = 10**15
"""Largest input, either sign: its ten-thousandfold stays an integer of 64 bits in other languages."""

PROTECTED: Final = frozenset({
    "age", "colour", "education", "ethnicity", "gender", "marital_status", "marriage", "national_origin", "race",
    "religion", "sex",
})  # fmt: skip
"""Names that no input may have (15 U.S.C. 1691(a)); education besides, which stands in for several of them."""

Name = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[a-z][a-z0-9_]*\Z")]
Whole = Annotated[int, Meta(ge=-INPUT_MAX, le=INPUT_MAX)]
Points = Annotated[int, Meta(ge=-POINTS_MAX, le=POINTS_MAX)]
Ppm = Annotated[int, Meta(ge=0, le=1_000_000)]
DataKind = Literal["credit_history", "deposits", "income", "insurance", "phone_contacts", "social_network", "tax"]
RESTRICTED: Final = frozenset(get_args(DataKind)) - {"credit_history"}
"""Kinds of data that a model may read only where the law, and sometimes a consent, says so."""


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A part of the document: nothing unknown in it."""


class Input(_Part, frozen=True, kw_only=True):
    """A column that the card reads; ``least`` and ``most`` are inclusive, and a value outside is refused."""

    least: Whole
    most: Whole
    name: Name


class Derive(_Part, frozen=True, kw_only=True):
    """How a feature is made: an operation of derivations.py, over the inputs ``of``."""

    at: Whole | None = None
    of: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=64)]
    op: Name
    over: Name | None = None


class Feature(_Part, frozen=True, kw_only=True):
    """A reading, cut into bins with points: ``points`` has one more entry than ``cuts``."""

    adverse: Adverse
    cuts: Annotated[tuple[Whole, ...], Meta(min_length=1, max_length=64)]
    data: DataKind = "credit_history"
    derive: Derive
    name: Name
    points: Annotated[tuple[Points, ...], Meta(min_length=2, max_length=65)]
    reason: Name


class Calibration(_Part, frozen=True, kw_only=True):
    """Points -> probability of default in parts per million: ``ppm[0]`` is for ``first`` points, and so on by ones."""

    first: int
    ppm: Annotated[tuple[Ppm, ...], Meta(min_length=2, max_length=SCALE_MAX)]


class Document(_Part, frozen=True, kw_only=True):
    """The whole card as it is written. ``target`` says in words what the probability is of."""

    base: Points
    calibration: Calibration
    features: Annotated[tuple[Feature, ...], Meta(min_length=1, max_length=64)]
    format: Literal["tallystick-scorecard/1"]
    inputs: Annotated[tuple[Input, ...], Meta(min_length=1, max_length=128)]
    name: Name
    target: Annotated[str, Meta(min_length=1, max_length=200)]
    version: Annotated[int, Meta(ge=1, le=1_000_000)]


class Scored(NamedTuple):
    """A score: ``reasons`` are ids of reasons.py, at most four, and ``lost`` the points that each cost."""

    points: int
    probability_ppm: int
    reasons: tuple[str, ...]
    lost: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Scorecard:
    """A card ready to score. ``worst`` and ``best`` are the ends of its scale."""

    document: Document
    data: bytes
    digest: bytes
    worst: int
    best: int
    derivations: tuple[Derivation, ...]
    losses: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    """For each feature: its cuts, and the points that each bin loses against the best one."""


def load_card(data: bytes, *, allowed: Collection[str] = ()) -> Scorecard:
    """Read a card from its canonical bytes. ``allowed`` are the restricted kinds of data that the law permits here.

    Raises InvalidInput ``card_*`` with the path of what is wrong, and the codes of ``parse_canonical``.
    """
    if len(data) > CARD_BYTES_MAX:
        raise InvalidInput("card_long", "too many bytes", expected=f"<= {CARD_BYTES_MAX}", found=len(data))
    try:
        document = msgspec.convert(parse_canonical(data), Document)
    except msgspec.ValidationError as error:
        raise InvalidInput("card_malformed", f"not a scorecard: {error}", path="$") from None
    check_inputs(document.inputs)
    _check_features(document, frozenset(allowed))
    worst = document.base + sum(min(feature.points) for feature in document.features)
    best = document.base + sum(max(feature.points) for feature in document.features)
    _check_calibration(document.calibration, worst, best)
    return Scorecard(
        document, data, sha256(data).digest(), worst, best,
        derivations_of(document.inputs, [feature.derive for feature in document.features]),
        tuple((f.cuts, tuple(max(f.points) - points for points in f.points)) for f in document.features),
    )  # fmt: skip


def card_bytes(document: Document) -> bytes:
    """The canonical bytes of a document: what ``load_card`` reads and what the model's hash is over."""
    return canonical(msgspec.to_builtins(document))


def read_inputs(card: Scorecard, inputs: Mapping[str, int]) -> tuple[int, ...]:
    """The inputs in the card's order. Raises InvalidInput ``input_missing``, ``input_unknown``, ``input_not_integer``,
    ``input_range``, each with the input's path."""
    wanted = card.document.inputs
    try:
        row = tuple([inputs[each.name] for each in wanted])
    except KeyError as error:
        raise InvalidInput("input_missing", "the card needs this input", path=f"$.inputs.{error.args[0]}") from None
    if len(inputs) != len(row):
        unknown = min(str(name) for name in inputs.keys() - {each.name for each in wanted})
        raise InvalidInput("input_unknown", "the card has no such input", path="$.inputs", found=unknown[:32])
    for each, value in zip(wanted, row, strict=True):
        if type(value) is not int:
            raise InvalidInput("input_not_integer", "an input is an integer", path=f"$.inputs.{each.name}")
        if not each.least <= value <= each.most:
            raise InvalidInput(
                "input_range", "outside what the card was made for", path=f"$.inputs.{each.name}",
                expected=f"{each.least} to {each.most}", found=value,
            )  # fmt: skip
    return row


def derive(card: Scorecard, row: tuple[int, ...]) -> tuple[int, ...]:
    """The readings of every feature, in the document's order, from inputs as ``read_inputs`` gives them."""
    return tuple([make(row) for make in card.derivations])


def score_features(card: Scorecard, readings: tuple[int, ...]) -> Scored:
    """Points, probability and reasons for readings as ``derive`` gives them."""
    points = card.best
    lost: list[tuple[int, int]] = []
    for place, (cuts, losses) in enumerate(card.losses):
        loss = losses[bisect_right(cuts, readings[place])]
        if loss:
            points -= loss
            lost.append((-loss, place))
    lost.sort()
    features, worst = card.document.features, lost[:REASONS_MAX]
    return Scored(
        points, card.document.calibration.ppm[points - card.worst],
        tuple([features[place].reason for _, place in worst]), tuple([-loss for loss, _ in worst]),
    )  # fmt: skip


def score(card: Scorecard, inputs: Mapping[str, int]) -> Scored:
    """Score one borrower from raw inputs. Raises InvalidInput ``input_*``."""
    return score_features(card, derive(card, read_inputs(card, inputs)))


def bins(card: Scorecard, readings: tuple[int, ...]) -> tuple[int, ...]:
    """The bin of each feature, for drift: the number of its cuts that are <= its reading."""
    return tuple([bisect_right(cuts, value) for (cuts, _), value in zip(card.losses, readings, strict=True)])


def derivations_of(inputs: Sequence[Input], rules: Sequence[Derive]) -> tuple[Derivation, ...]:
    """What makes each reading from a row of these inputs. ``check_derive`` found no fault in the rules."""
    place = {each.name: at for at, each in enumerate(inputs)}
    return tuple(
        derivation(
            rule.op, tuple(place[name] for name in rule.of), at=rule.at or 0,
            over=place[rule.over] if rule.over is not None else 0,
        )
        for rule in rules
    )  # fmt: skip


def check_inputs(inputs: Sequence[Input]) -> None:
    """Raises InvalidInput ``card_input_protected``, ``card_name_twice``, ``card_bounds_reversed``."""
    names = [each.name for each in inputs]
    for at, each in enumerate(inputs):
        path = f"$.inputs[{at}]"
        if each.name in PROTECTED:
            raise InvalidInput("card_input_protected", "a protected attribute", path=f"{path}.name", found=each.name)
        if names.index(each.name) != at:
            raise InvalidInput("card_name_twice", "an input's name stands twice", path=f"{path}.name", found=each.name)
        if each.most < each.least:
            raise InvalidInput("card_bounds_reversed", "the greatest value is below the least", path=f"{path}.most")


def _check_features(document: Document, allowed: frozenset[str]) -> None:
    inputs = {each.name: each for each in document.inputs}
    seen: set[str] = set()
    for at, feature in enumerate(document.features):
        path = f"$.features[{at}]"
        for name in {feature.name, f"reason {feature.reason}"} & seen:
            raise InvalidInput("card_name_twice", "a feature's name or reason stands twice", path=path, found=name)
        seen |= {feature.name, f"reason {feature.reason}"}
        check_data(feature.data, allowed, path)
        check_derive(feature.derive, inputs, f"{path}.derive")
        _check_bins(feature, path)
        _check_reason(feature, path)


def check_data(kind: str, allowed: Collection[str], path: str) -> None:
    """Raises InvalidInput ``card_data_forbidden`` for restricted data that is not among ``allowed``."""
    if kind != "credit_history" and kind not in allowed:
        raise InvalidInput(
            "card_data_forbidden", "the law here does not let this data be used", path=f"{path}.data",
            found=kind, advice="Use a card without it, or a pack that permits it.",
        )  # fmt: skip


def check_derive(rule: Derive, inputs: Mapping[str, Input], path: str) -> None:
    """Raises InvalidInput ``card_derivation_*``, ``card_input_unknown``, ``card_divisor_zero``."""
    operation = OPERATIONS.get(rule.op)
    if operation is None:
        raise InvalidInput("card_derivation_unknown", "no such derivation", path=f"{path}.op", found=rule.op)
    for name in (*rule.of, *([] if rule.over is None else [rule.over])):
        if name not in inputs:
            raise InvalidInput("card_input_unknown", "the card has no such input", path=path, found=name)
    if len(rule.of) < operation.least or (operation.most and len(rule.of) > operation.most):
        raise InvalidInput("card_derivation_inputs", "too many inputs or too few", path=f"{path}.of")
    if (rule.at is not None) != operation.at:
        raise InvalidInput("card_derivation_inputs", "needs a threshold, or takes none", path=f"{path}.at")
    if (rule.over is not None) != operation.over:
        raise InvalidInput("card_derivation_inputs", "needs a divisor, or takes none", path=f"{path}.over")
    if rule.over is not None and inputs[rule.over].least < 1:
        raise InvalidInput("card_divisor_zero", "a divisor is at least 1", path=f"{path}.over", found=rule.over)


def _check_bins(feature: Feature, path: str) -> None:
    if any(after <= before for before, after in pairwise(feature.cuts)):
        raise InvalidInput("card_cuts_order", "cuts go upwards", path=f"{path}.cuts")
    if len(feature.points) != len(feature.cuts) + 1:
        raise InvalidInput(
            "card_points_count", "one more than there are cuts", path=f"{path}.points",
            expected=len(feature.cuts) + 1, found=len(feature.points),
        )  # fmt: skip
    sign = -1 if feature.adverse == "higher" else 1
    if any(sign * (after - before) < 0 for before, after in pairwise(feature.points)):
        raise InvalidInput("card_not_monotone", "points rise where readings get worse", path=f"{path}.points")
    if feature.points[0] == feature.points[-1]:
        raise InvalidInput("card_feature_idle", "all bins have the same points", path=f"{path}.points")


def _check_reason(feature: Feature, path: str) -> None:
    reason = REASONS.get(feature.reason)
    if reason is None:
        raise InvalidInput("card_reason_unknown", "no such reason", path=f"{path}.reason", found=feature.reason)
    if reason.adverse != feature.adverse:
        raise InvalidInput(
            "card_wrong_sign", "the reason means the other direction", path=f"{path}.adverse",
            expected=reason.adverse, found=feature.adverse,
        )  # fmt: skip


def _check_calibration(table: Calibration, worst: int, best: int) -> None:
    if best - worst >= SCALE_MAX:
        raise InvalidInput("card_scale_wide", "too many different scores", path="$.features", found=best - worst + 1)
    if table.first != worst or len(table.ppm) != best - worst + 1:
        raise InvalidInput(
            "card_calibration_range", "one entry for every possible score", path="$.calibration",
            expected=f"{worst} to {best}", found=f"{table.first} to {table.first + len(table.ppm) - 1}",
        )  # fmt: skip
    if any(after > before for before, after in pairwise(table.ppm)):
        raise InvalidInput("card_not_monotone", "probability rises with points", path="$.calibration.ppm")
