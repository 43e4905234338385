"""A challenger: boosted trees as a document of integers, which runs beside a card in shadow and never decides.

    trees = load_trees(document_bytes)                    # its SHA-256, trees.digest, is its name on the ledger
    probability_ppm(trees, row)                           # from the very row of inputs that the card was scored on

Rules
- **Document.** Canonical JSON (RFC 8785), format ``tallystick-trees/1``: inputs and derivations as in a card
  (scorecard.py), features each with a direction, trees, and a curve. ``role`` is ``challenger``: there is no other.
- **Trees.** Split ``n`` asks whether the reading of feature ``features[n]`` is at least ``cuts[n]``: then ``high[n]`` is
  next, else ``low[n]``. Below zero it is a leaf, ``-1`` the first. A split comes before what it leads to, so it always
  ends; the first split is the root.
- **Unit.** A leaf is millionths of the log-odds of default (``unit``); a borrower's are the sum of one leaf a tree.
- **Curve.** From log-odds to probability in parts per million: ``ppm`` at ``first``, ``first + step`` and so on, straight
  lines between, rounded down. It covers every sum that the trees can give.
- **Monotone.** Everything behind the worse side of a split is at least as bad as everything behind the other, whatever
  the borrower: hence no sign can be wrong. A document where that does not hold is refused, whoever fitted it.

The same integers come out in any language. What this module does not do: fit (training/), give reasons, decide.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from ledger.attestation.canonical import canonical, parse_canonical
from ledger.errors import InvalidInput
from ledger.risk.derivations import Derivation
from ledger.risk.reasons import Adverse
from ledger.risk.scorecard import (
    DataKind,
    Derive,
    Input,
    Name,
    Ppm,
    Whole,
    check_data,
    check_derive,
    check_inputs,
    derivations_of,
)

FORMAT: Final = "tallystick-trees/1"
TREES_BYTES_MAX: Final = 256 * 1024
"""Bytes of a document; ours has 28 kB."""
LEAF_MAX: Final = 10_000_000
"""Largest leaf, either sign: ten log-odds, odds of 22,000 to one by a single tree."""
TREES_MAX: Final = 1_000
SPLITS_MAX: Final = 255
"""Splits of one tree."""
CURVE_MAX: Final = 4_096

Leaf = Annotated[int, Meta(ge=-LEAF_MAX, le=LEAF_MAX)]
Place = Annotated[int, Meta(ge=-SPLITS_MAX - 1, le=SPLITS_MAX)]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A part of the document: nothing unknown in it."""


class TreeFeature(_Part, frozen=True, kw_only=True):
    """A reading that trees split by; ``adverse`` says which readings are worse."""

    adverse: Adverse
    data: DataKind = "credit_history"
    derive: Derive
    name: Name


class Tree(_Part, frozen=True, kw_only=True):
    """One tree, split by split (the rules above). ``leaves`` has one entry more than there are splits."""

    cuts: Annotated[tuple[Whole, ...], Meta(min_length=1, max_length=SPLITS_MAX)]
    features: Annotated[tuple[Annotated[int, Meta(ge=0, le=127)], ...], Meta(min_length=1, max_length=SPLITS_MAX)]
    high: Annotated[tuple[Place, ...], Meta(min_length=1, max_length=SPLITS_MAX)]
    leaves: Annotated[tuple[Leaf, ...], Meta(min_length=2, max_length=SPLITS_MAX + 1)]
    low: Annotated[tuple[Place, ...], Meta(min_length=1, max_length=SPLITS_MAX)]


class Curve(_Part, frozen=True, kw_only=True):
    """Log-odds (millionths) -> probability of default: ``ppm[0]`` at ``first``, the next one ``step`` further."""

    first: Annotated[int, Meta(ge=-(10**10), le=10**10)]
    ppm: Annotated[tuple[Ppm, ...], Meta(min_length=2, max_length=CURVE_MAX)]
    step: Annotated[int, Meta(ge=1, le=1_000_000)]


class TreeDocument(_Part, frozen=True, kw_only=True):
    """The whole challenger as it is written. ``target`` says in words what the probability is of."""

    curve: Curve
    features: Annotated[tuple[TreeFeature, ...], Meta(min_length=1, max_length=128)]
    format: Literal["tallystick-trees/1"]
    inputs: Annotated[tuple[Input, ...], Meta(min_length=1, max_length=128)]
    name: Name
    role: Literal["challenger"]
    target: Annotated[str, Meta(min_length=1, max_length=200)]
    trees: Annotated[tuple[Tree, ...], Meta(min_length=1, max_length=TREES_MAX)]
    unit: Literal["micro_log_odds"]
    version: Annotated[int, Meta(ge=1, le=1_000_000)]


Node = Any
"""A leaf (int), or (place of the reading, cut, node below the cut, node from the cut on)."""


@dataclass(frozen=True, slots=True)
class Trees:
    """A challenger ready to run. ``least`` and ``most`` are the ends of its log-odds."""

    document: TreeDocument
    data: bytes
    digest: bytes
    least: int
    most: int
    derivations: tuple[Derivation, ...]
    roots: tuple[Node, ...]


def load_trees(data: bytes, *, allowed: Collection[str] = ()) -> Trees:
    """Read a challenger from its canonical bytes. ``allowed`` are the restricted kinds of data that the law permits here.

    Raises InvalidInput ``trees_*`` and ``card_*`` with the path of what is wrong, and the codes of ``parse_canonical``.
    """
    if len(data) > TREES_BYTES_MAX:
        raise InvalidInput("trees_long", "too many bytes", expected=f"<= {TREES_BYTES_MAX}", found=len(data))
    try:
        document = msgspec.convert(parse_canonical(data), TreeDocument)
    except msgspec.ValidationError as error:
        raise InvalidInput("trees_malformed", f"not a challenger: {error}", path="$") from None
    check_inputs(document.inputs)
    _check_features(document, allowed)
    ends = [_ends(document, tree, f"$.trees[{at}]") for at, tree in enumerate(document.trees)]
    least, most = sum(low for low, _ in ends), sum(high for _, high in ends)
    _check_curve(document.curve, least, most)
    return Trees(
        document, data, sha256(data).digest(), least, most,
        derivations_of(document.inputs, [feature.derive for feature in document.features]),
        tuple(_node(tree, 0) for tree in document.trees),
    )  # fmt: skip


def trees_bytes(document: TreeDocument) -> bytes:
    """The canonical bytes of a document: what ``load_trees`` reads and what the model's hash is over."""
    return canonical(msgspec.to_builtins(document))


def log_odds(trees: Trees, row: tuple[int, ...]) -> int:
    """Millionths of the log-odds of default, for inputs in the document's order as ``read_inputs`` checked them."""
    readings = [make(row) for make in trees.derivations]
    total = 0
    for node in trees.roots:
        while node.__class__ is tuple:
            place, cut, low, high = node
            node = high if readings[place] >= cut else low
        total += node
    return total


def probability_ppm(trees: Trees, row: tuple[int, ...]) -> int:
    """The challenger's probability of default in parts per million, for a row as ``log_odds`` takes it."""
    return on_curve(trees.document.curve, log_odds(trees, row))


def on_curve(curve: Curve, total: int) -> int:
    """The probability at these log-odds, which the curve covers.

    >>> on_curve(Curve(first=-10, step=10, ppm=(100, 200, 400)), -5), on_curve(Curve(first=0, step=1, ppm=(1, 2)), 1)
    (150, 2)
    """
    place, rest = divmod(total - curve.first, curve.step)
    below = curve.ppm[place]
    return below + (curve.ppm[place + 1] - below) * rest // curve.step if rest else below


def _node(tree: Tree, place: int) -> Node:
    if place < 0:
        return tree.leaves[~place]
    return tree.features[place], tree.cuts[place], _node(tree, tree.low[place]), _node(tree, tree.high[place])


def _check_features(document: TreeDocument, allowed: Collection[str]) -> None:
    inputs = {each.name: each for each in document.inputs}
    seen: set[str] = set()
    for at, feature in enumerate(document.features):
        path = f"$.features[{at}]"
        if feature.name in seen:
            raise InvalidInput("card_name_twice", "a feature's name stands twice", path=path, found=feature.name)
        seen.add(feature.name)
        check_data(feature.data, allowed, path)
        check_derive(feature.derive, inputs, f"{path}.derive")


def _ends(document: TreeDocument, tree: Tree, path: str) -> tuple[int, int]:
    """The least and the greatest leaf of a tree that is one, and monotone."""
    count = len(tree.cuts)
    if not len(tree.features) == len(tree.high) == len(tree.low) == len(tree.leaves) - 1 == count:
        raise InvalidInput("trees_shape", "one of each for every split, and one leaf more", path=path)
    if sorted((*tree.low, *tree.high)) != [*range(-count - 1, 0), *range(1, count)]:
        raise InvalidInput("trees_shape", "every split but the first, and every leaf, is led to once", path=path)
    found: list[tuple[int, int]] = [(0, 0)] * count
    for place in range(count - 1, -1, -1):
        sides = []
        for child in (tree.low[place], tree.high[place]):
            if 0 <= child <= place:
                raise InvalidInput("trees_shape", "a split comes before what it leads to", path=path, found=place)
            sides.append(found[child] if child >= 0 else (tree.leaves[~child],) * 2)
        _check_split(document, tree, place, sides, path)
        found[place] = min(side[0] for side in sides), max(side[1] for side in sides)
    return found[0]


def _check_split(document: TreeDocument, tree: Tree, place: int, sides: list[tuple[int, int]], path: str) -> None:
    if tree.features[place] >= len(document.features):
        raise InvalidInput("trees_shape", "no such feature", path=f"{path}.features[{place}]",
                           found=tree.features[place])  # fmt: skip
    better, worse = sides if document.features[tree.features[place]].adverse == "higher" else sides[::-1]
    if better[1] > worse[0]:
        raise InvalidInput("trees_not_monotone", "the odds of default fall where readings get worse",
                           path=f"{path}.cuts[{place}]")  # fmt: skip


def _check_curve(curve: Curve, least: int, most: int) -> None:
    last = curve.first + curve.step * (len(curve.ppm) - 1)
    if curve.first > least or last < most:
        raise InvalidInput("trees_curve_range", "the curve covers every sum of leaves", path="$.curve",
                           expected=f"{least} to {most}", found=f"{curve.first} to {last}")  # fmt: skip
    if any(after < before for before, after in pairwise(curve.ppm)):
        raise InvalidInput("trees_not_monotone", "probability falls where the odds rise", path="$.curve.ppm")
