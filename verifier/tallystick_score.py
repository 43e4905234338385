#!/usr/bin/env python3
"""Scores one borrower by a tallystick-scorecard/1 document, with the standard library alone: a second opinion on a score.

    python3 verifier/tallystick_score.py CARD.json INPUTS.json

Prints one JSON value: the card's SHA-256, points, probability in parts per million, and up to four reasons with the points
that each cost. Compare the hash with the ``model`` of the ``score`` attestation. Exit 0, or 2 with a line on stderr.

It is written from the document's format (docs/scoring.md) and shares no code with the ledger: bins are counted cut by
cut, points are added up from the base, and reasons are picked one by one.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any


def reading(rule: dict[str, Any], inputs: dict[str, int]) -> int:
    """The reading of a feature."""
    values = [inputs[name] for name in rule["of"]]
    op = rule["op"]
    if op == "value":
        return values[0]
    if op == "positive":
        return max(0, values[0])
    if op == "positive_rise":
        return max(0, max(0, values[0]) - max(0, values[1]))
    if op == "sum":
        return sum(values)
    if op in ("min", "max"):
        return sorted(values)[0 if op == "min" else -1]
    if op == "count_at_least":
        return sum(1 for value in values if not value < rule["at"])
    if op == "count_at_most":
        return sum(1 for value in values if not value > rule["at"])
    if op == "first_at_least":
        place = 0
        while place < len(values) and values[place] < rule["at"]:
            place += 1
        return place
    if op == "mean_share_bp":
        return (10_000 * sum(values)) // (inputs[rule["over"]] * len(values))
    if op == "headroom":
        return min(inputs[rule["over"]] - value for value in values)
    raise ValueError(f"no such derivation: {op}")


def evaluate(card: dict[str, Any], inputs: dict[str, int]) -> dict[str, Any]:
    """Points, probability and reasons. Raises ValueError (inputs out of bounds) or KeyError (missing)."""
    for each in card["inputs"]:
        value = inputs[each["name"]]
        if type(value) is not int or value < each["least"] or value > each["most"]:
            raise ValueError(f"not a value that the card was made for: {each['name']}")
    points = card["base"]
    losses: list[list[Any]] = []
    for feature in card["features"]:
        value, place = reading(feature["derive"], inputs), 0
        for cut in feature["cuts"]:
            if value >= cut:
                place += 1
        points += feature["points"][place]
        losses.append([max(feature["points"]) - feature["points"][place], feature["reason"]])
    reasons: list[dict[str, Any]] = []
    while len(reasons) < 4 and max(loss for loss, _ in losses) > 0:
        largest = max(loss for loss, _ in losses)
        chosen = next(each for each in losses if each[0] == largest)
        reasons.append({"lost": chosen[0], "reason": chosen[1]})
        chosen[0] = 0
    table = card["calibration"]
    return {"points": points, "probability_ppm": table["ppm"][points - table["first"]], "reasons": reasons}


def main(arguments: list[str]) -> int:
    """The command line."""
    if len(arguments) != 2:
        print("usage: tallystick_score.py CARD.json INPUTS.json", file=sys.stderr)
        return 2
    try:
        with open(arguments[0], "rb") as file:  # noqa: PTH123 - one plain script
            data = file.read()
        with open(arguments[1], "rb") as file:  # noqa: PTH123
            inputs = json.load(file)
        card = json.loads(data)
        if card["format"] != "tallystick-scorecard/1":
            raise ValueError("another format")
        found = evaluate(card, inputs)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        print(f"cannot score: {error!r}", file=sys.stderr)
        return 2
    print(json.dumps({"card": hashlib.sha256(data).hexdigest(), **found}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
