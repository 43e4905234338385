"""Which texts may go to the engine at all: our own reading of an expression, before anything is compiled.

The engine knows more of CEL than a contract may use. What is left here is small enough to be read aloud: names, whole
numbers, quoted words, ``! - * / % + == != < <= > >= in && || ? :``, lists after ``in``, ``math.least`` and
``math.greatest`` of two to four values. Refused, each by name: floating point, other numbers' spellings, escapes and
anything beyond ASCII, comments, every other function and macro, names that the rule cannot see; and by bounds: length,
tokens, depth, chains, prefixes (bounds.py).

    >>> scan("loan.dpd >= 90 && !loan.disputed", {"loan.dpd", "loan.disputed"})
    Scan(names=('loan.dpd', 'loan.disputed'), refusal=None)
    >>> scan("loan.dpd > 1.5", {"loan.dpd"}).refusal.code
    'float_refused'

Time is linear in the text, memory a list of its tokens. It does not parse: what is well formed, and of which type, is
the engine's to say (conditions.py).
"""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Final, NamedTuple

from ledger.contract.bounds import (
    CHAIN_MAX,
    EXPRESSION_BYTES_MAX,
    EXPRESSION_TOKENS_MAX,
    LIST_ITEMS_MAX,
    NESTING_MAX,
    PREFIXES_MAX,
)

INT64_MAX: Final = 2**63 - 1
WORDS: Final = frozenset({"true", "false", "in"})
FUNCTIONS: Final = frozenset({"math.least", "math.greatest"})
FUNCTION_ARGUMENTS: Final = range(2, 5)

_TOKEN: Final = re.compile(
    r"(?P<blank>[ \n]+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)|(?P<number>[0-9][0-9A-Za-z_.]*)"
    r"|(?P<text>'[^'\\\n]{0,128}'|\"[^\"\\\n]{0,128}\")|(?P<sign>==|!=|<=|>=|&&|\|\||[!<>+\-*/%?:()\[\],])"
)
_ENDS_VALUE: Final = frozenset({"name", "number", "text"})
_LEVEL: Final = {
    "?": 0, ":": 0, "||": 1, "&&": 2, "==": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3, "+": 4, "-": 4, "*": 5,
    "/": 5, "%": 5,
}  # fmt: skip


class Refusal(NamedTuple):
    """Why an expression is not even compiled: a stable code, what, where (characters from 0) and the offending text."""

    code: str
    message: str
    at: int
    found: str


class Scan(NamedTuple):
    """The names in an expression, in order of first use; or why it was refused."""

    names: tuple[str, ...]
    refusal: Refusal | None


class _Refused(Exception):
    def __init__(self, code: str, message: str, at: int, found: str) -> None:
        super().__init__(code)
        self.refusal = Refusal(code, message, at, found[:32])


class Token(NamedTuple):
    """One word of an expression: its class, its text, where it begins."""

    kind: str
    text: str
    at: int


def scan(expression: str, known: Set[str]) -> Scan:
    """Reads an expression whose rule sees the names in ``known``."""
    try:
        tokens = _tokens(expression)
        names = _names(tokens, known)
        _shape(tokens)
    except _Refused as refused:
        return Scan((), refused.refusal)
    return Scan(names, None)


def _tokens(expression: str) -> list[Token]:
    if len(expression) > EXPRESSION_BYTES_MAX:
        raise _Refused(
            "expression_long", f"an expression has at most {EXPRESSION_BYTES_MAX} bytes", 0, str(len(expression))
        )
    if not expression.isascii():
        at = next(place for place, sign in enumerate(expression) if ord(sign) > 127)
        raise _Refused("expression_not_ascii", "an expression is plain ASCII", at, f"U+{ord(expression[at]):04X}")
    found, at = [], 0
    while at < len(expression):
        match = _TOKEN.match(expression, at)
        if match is None or match.lastgroup is None:
            raise _Refused(*_unreadable(expression, at))
        if match.lastgroup != "blank":
            found.append(Token(match.lastgroup, match.group(), at))
        at = match.end()
        if len(found) > EXPRESSION_TOKENS_MAX:
            raise _Refused("expression_long", f"an expression has at most {EXPRESSION_TOKENS_MAX} words", at, "")
    return found


def _unreadable(expression: str, at: int) -> tuple[str, str, int, str]:
    sign = expression[at]
    if sign == "." and expression[at + 1 : at + 2].isdecimal():
        return "float_refused", "whole numbers only", at, expression[at : at + 8]
    if sign == ".":
        return "function_refused", "a value has no members and no methods", at, expression[at : at + 32]
    if sign in "'\"":
        return (
            "text_refused",
            "a quoted word is closed, without escapes, on one line, up to 128 long",
            at,
            expression[at:],
        )
    return "sign_unknown", "no sign of this language", at, sign


def _names(tokens: list[Token], known: Set[str]) -> tuple[str, ...]:
    used: dict[str, None] = {}
    for place, token in enumerate(tokens):
        called = place + 1 < len(tokens) and tokens[place + 1].text == "("
        if token.kind == "number":
            _number(token)
        elif token.kind == "name" and called and token.text not in WORDS:
            if token.text not in FUNCTIONS:
                raise _Refused(
                    "function_refused", "only math.least and math.greatest are functions", token.at, token.text
                )
        elif token.kind == "name" and token.text not in WORDS:
            if token.text not in known:
                raise _Refused("name_unknown", "this rule sees no such name", token.at, token.text)
            used[token.text] = None
    return tuple(used)


def _number(token: Token) -> None:
    text = token.text
    if not text.isdecimal():
        code = "float_refused" if re.fullmatch(r"[0-9]+(\.[0-9A-Za-z_.]*|[eE][0-9]*)", text) else "number_refused"
        raise _Refused(code, "numbers are whole and decimal", token.at, text)
    if len(text) > 19 or int(text) > INT64_MAX:
        raise _Refused("number_large", "a number is below 2^63", token.at, text)


class _Level:
    """What is open: which bracket, how many items, and how many signs of each level stand in a row."""

    def __init__(self, opening: str, function: bool) -> None:
        self.opening = opening
        self.function = function
        self.items = 1
        self.chain: dict[int, int] = {}
        self.item_kind = ""


def _shape(tokens: list[Token]) -> None:
    """Bounds of depth, chains, prefixes and lists, in one pass with a stack of at most NESTING_MAX."""
    stack, prefixes, before = [_Level("", False)], 0, Token("sign", "(", 0)
    for token in tokens:
        _ensure_apart(before, token)
        prefix = token.text in ("!", "-") and before.kind not in _ENDS_VALUE and before.text not in (")", "]")
        prefixes = prefixes + 1 if prefix else 0
        if prefixes > PREFIXES_MAX:
            raise _Refused("expression_deep", f"at most {PREFIXES_MAX} of ! and - in a row", token.at, token.text)
        if stack[-1].opening == "[":
            _item(stack[-1], token)
        if token.text in ("(", "["):
            _open(stack, token, before)
        elif token.text in (")", "]"):
            _close(stack, token)
        elif token.text == ",":
            _comma(stack[-1], token)
        elif token.kind == "sign" and not prefix:
            _sign(stack[-1], token)
        before = token
    if len(stack) > 1:
        raise _Refused("expression_malformed", "a bracket is not closed", len(tokens), stack[-1].opening)


def _ensure_apart(before: Token, token: Token) -> None:
    """Two values with no sign between them, or two strokes, would be read otherwise by the engine: as a text of three
    quotes, as bytes, as a comment."""
    if token.kind in _ENDS_VALUE and before.kind in _ENDS_VALUE and "in" not in (before.text, token.text):
        raise _Refused("expression_malformed", "a sign is missing between two values", token.at, token.text)
    if before.text == token.text == "/":
        raise _Refused("comment_refused", "an expression has no comments; the prose is beside it", token.at, "//")


def _open(stack: list[_Level], token: Token, before: Token) -> None:
    if token.text == "[" and before.text != "in":
        raise _Refused("list_refused", "a list stands after in", token.at, "[")
    stack.append(_Level(token.text, token.text == "(" and before.text in FUNCTIONS))
    if len(stack) - 1 > NESTING_MAX:
        raise _Refused("expression_deep", f"at most {NESTING_MAX} brackets inside each other", token.at, token.text)


def _close(stack: list[_Level], token: Token) -> None:
    level = stack.pop()
    if level.opening != {")": "(", "]": "["}[token.text]:
        raise _Refused("expression_malformed", "a bracket closes what is not open", token.at, token.text)
    if level.function and level.items not in FUNCTION_ARGUMENTS:
        raise _Refused("function_refused", "math.least and math.greatest take two to four values", token.at, token.text)


def _item(level: _Level, token: Token) -> None:
    """A list has literals of one kind: the engine would take a mixture, and find nothing equal in it."""
    kind = token.kind if token.kind in _ENDS_VALUE else ""
    if kind == "name" or (kind and level.item_kind not in ("", kind)):
        raise _Refused("list_refused", "a list has only numbers or only quoted words", token.at, token.text)
    level.item_kind = level.item_kind or kind


def _comma(level: _Level, token: Token) -> None:
    level.items += 1
    level.chain.clear()
    if not level.function and level.opening != "[":
        raise _Refused("expression_malformed", "a comma outside of a list", token.at, ",")
    if level.items > LIST_ITEMS_MAX:
        raise _Refused("expression_deep", f"a list has at most {LIST_ITEMS_MAX} items", token.at, ",")


def _sign(level: _Level, token: Token) -> None:
    rank = _LEVEL.get(token.text)
    if rank is None:
        return
    level.chain[rank] = level.chain.get(rank, 0) + 1
    if level.chain[rank] > CHAIN_MAX:
        raise _Refused("expression_deep", f"at most {CHAIN_MAX} signs of one level in a row", token.at, token.text)
