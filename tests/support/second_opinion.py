"""A second judge of conditions, written from the language's definition and sharing nothing with the engine.

It reads the subset that contracts may use, and evaluates it over 64-bit integers, truth values and words. ``||`` and
``&&`` are decided by one side even where the other has no value; a failure anywhere else spreads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

TOKEN = re.compile(r"\s*(?:(\d+)|'([^']*)'|\"([^\"]*)\"|([A-Za-z_][\w.]*)|(==|!=|<=|>=|&&|\|\||[-!<>+*/%?:()\[\],]))")
LEVELS: tuple[tuple[str, ...], ...] = (("||",), ("&&",), ("==", "!=", "<", "<=", ">", ">=", "in"), ("+", "-"),
                                       ("*", "/", "%"))  # fmt: skip


class NoValue(Exception):
    """An expression has no value: overflow, or division by zero."""


def judge(text: str, values: Mapping[str, Any]) -> Any:
    """The value of an expression, or None when it has none."""
    try:
        return _Reader(text, values).whole()()
    except NoValue:
        return None


Thunk = Callable[[], Any]


class _Reader:
    def __init__(self, text: str, values: Mapping[str, Any]) -> None:
        self.tokens: list[tuple[str, Any]] = []
        self.values = values
        self.at = 0
        place = 0
        while place < len(text.rstrip()):
            match = TOKEN.match(text, place)
            assert match is not None, text[place:]
            number, single, double, name, sign = match.groups()
            kind = "number" if number else "name" if name else "sign" if sign else "text"
            value = int(number) if number else name or sign or (single if single is not None else double)
            self.tokens.append((kind, value))
            place = match.end()

    def peek(self) -> Any:
        return self.tokens[self.at][1] if self.at < len(self.tokens) and self.tokens[self.at][0] != "text" else None

    def take(self, *wanted: str) -> Any:
        kind, value = self.tokens[self.at]
        assert not wanted or (kind in ("sign", "name") and value in wanted), (wanted, value)
        self.at += 1
        return value

    def whole(self) -> Thunk:
        found = self.choice()
        assert self.at == len(self.tokens)
        return found

    def choice(self) -> Thunk:
        condition = self.level(0)
        if self.peek() != "?":
            return condition
        self.take("?")
        yes = self.level(0)
        self.take(":")
        no = self.choice()
        return lambda: yes() if condition() else no()

    def level(self, depth: int) -> Thunk:
        if depth == len(LEVELS):
            return self.prefix()
        left = self.level(depth + 1)
        while self.peek() in LEVELS[depth]:
            sign = self.take()
            left = _joined(sign, left, self.items() if sign == "in" else self.level(depth + 1))
        return left

    def items(self) -> Thunk:
        self.take("[")
        found = []
        while self.peek() != "]":
            found.append(self.choice())
            if self.peek() == ",":
                self.take(",")
        self.take("]")
        return lambda: [item() for item in found]

    def prefix(self) -> Thunk:
        if self.peek() == "!":
            self.take("!")
            denied = self.prefix()
            return lambda: not denied()
        if self.peek() == "-":
            self.take("-")
            negated = self.prefix()
            return lambda: _fits(-negated())
        return self.value()

    def value(self) -> Thunk:
        kind, value = self.tokens[self.at]
        self.at += 1
        if kind in ("number", "text"):
            return lambda: value
        if value == "(":
            inside = self.choice()
            self.take(")")
            return inside
        if value in ("math.least", "math.greatest"):
            self.take("(")
            parts = [self.choice()]
            while self.take(",", ")") == ",":
                parts.append(self.choice())
            pick = min if value == "math.least" else max
            return lambda: pick(part() for part in parts)
        if value in ("true", "false"):
            return lambda: value == "true"
        return lambda: self.values[value]


def _fits(number: int) -> int:
    if not -(2**63) <= number < 2**63:
        raise NoValue
    return number


def _divided(left: int, right: int) -> tuple[int, int]:
    if right == 0:
        raise NoValue
    quotient = _fits(abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1))
    return quotient, left - quotient * right


def _decided(sign: str, left: Thunk, right: Thunk) -> bool:
    deciding = sign == "||"
    outcomes = []
    for side in (left, right):
        try:
            outcomes.append(side())
        except NoValue:
            outcomes.append(None)
    if deciding in outcomes:
        return deciding
    if None in outcomes:
        raise NoValue
    return not deciding


def _joined(sign: str, left: Thunk, right: Thunk) -> Thunk:
    if sign in ("||", "&&"):
        return lambda: _decided(sign, left, right)
    return lambda: _SIGNS[sign](left(), right())


_SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b, ">=": lambda a, b: a >= b, "in": lambda a, b: a in b,
    "+": lambda a, b: _fits(a + b) if isinstance(a, int) else a + b, "-": lambda a, b: _fits(a - b),
    "*": lambda a, b: _fits(a * b), "/": lambda a, b: _divided(a, b)[0], "%": lambda a, b: _divided(a, b)[1],
}  # fmt: skip
