"""Conditions and amounts: CEL through cel-expr-python, under rules that leave nothing to the engine's mood.

    program = compile_expression("loan.dpd >= contract.days", {"days": "INT"}, seen, "BOOL")
    run(program, environment({"days": "INT"}).Activation({"loan.dpd": 90, "contract.days": 7}))   -> True

Rules
- A text is read by our own scanner first (tokens.py): what it refuses never reaches the engine.
- Every name of the vocabulary is declared INT, BOOL or STRING under its flat, dotted name, the document's terms too. The
  engine checks types before anything runs. A condition is BOOL, an amount is INT, by the engine's own word.
- A result counts by its *type*: the engine returns an error as a value, and that value is truthy. Overflow, division by
  zero and whatever else goes wrong is a ``Failure`` with a code, part of the outcome like any other.
- Whole numbers are 64 bits; division truncates towards zero; ``||`` and ``&&`` may pass over a failing side when the
  other decides (the language's definition).
- The engine's version is pinned. Without it, or with another one, nothing is evaluated: ``Unavailable``
  ``contract_engine_missing`` or ``contract_engine_differs``; there is no second way that could judge differently.

Compiled programs are cached by their text and the types of the terms, in this process only.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from typing import Any, Final, NamedTuple

from ledger.contract.document import ENGINE
from ledger.contract.tokens import scan
from ledger.contract.vocabulary import EVENT_INPUTS, STANDING_INPUTS, Type
from ledger.errors import InvalidInput, Unavailable

PROGRAMS_CACHED_MAX: Final = 8_192
"""Compiled expressions kept, a few kilobytes each: contracts of one lender share nearly all of theirs."""

TermTypes = tuple[tuple[str, Type], ...]
"""Names and types of a document's terms, sorted."""


class Failure(NamedTuple):
    """An expression that has no value: ``integer_overflow``, ``division_by_zero`` or ``evaluation_error``."""

    code: str


@dataclass(frozen=True)
class Program:
    """A compiled expression, the names that it reads, and the type of its value as the engine reports it."""

    text: str
    names: tuple[str, ...]
    code: Any
    type: Any


def term_types(terms: Mapping[str, object]) -> TermTypes:
    """The types of a document's terms."""
    types: dict[type, Type] = {bool: "BOOL", int: "INT", str: "STRING"}
    return tuple(sorted((name, types[type(value)]) for name, value in terms.items()))


@lru_cache(maxsize=1)
def _engine() -> Any:
    """The engine's module, at the pinned version. Raises Unavailable."""
    name, _, wanted = ENGINE.partition("/")
    try:
        found = metadata.version(name)
        from cel_expr_python import cel
        from cel_expr_python.ext import ext_math
    except ImportError:
        raise Unavailable("contract_engine_missing", f"{name} {wanted} is not installed for this platform",
                          advice="Install it, or run contracts on a node that has it.") from None  # fmt: skip
    if found != wanted:
        raise Unavailable("contract_engine_differs", f"contracts are bound to {name} {wanted}, found {found}",
                          advice=f"Install {name}=={wanted}.")  # fmt: skip
    return cel, ext_math.ExtMath()


@lru_cache(maxsize=256)
def environment(terms: TermTypes) -> Any:
    """The engine with every name of the vocabulary and of ``terms`` declared. Raises Unavailable."""
    cel, mathematics = _engine()
    kinds = {"INT": cel.Type.INT, "BOOL": cel.Type.BOOL, "STRING": cel.Type.STRING}
    declared = {name: kinds[value.type] for name, value in (EVENT_INPUTS | STANDING_INPUTS).items()}
    declared |= {f"contract.{name}": kinds[kind] for name, kind in terms}
    return cel.NewEnv(variables=declared, extensions=[mathematics])


def compile_expression(expression: str, terms: TermTypes, seen: Set[str], want: Type) -> Program:
    """A checked program of type ``want`` over the names in ``seen``.

    Raises InvalidInput (a code of tokens.py, ``expression_type`` or ``expression_malformed``; ``found`` says where) and
    Unavailable.
    """
    names, refusal = scan(expression, seen)
    if refusal is not None:
        raise InvalidInput(
            refusal.code, refusal.message, found=f"{refusal.found!r} at character {refusal.at + 1}".strip()
        )
    return _compiled(expression, terms, want, names)


@lru_cache(maxsize=PROGRAMS_CACHED_MAX)
def _compiled(expression: str, terms: TermTypes, want: Type, names: tuple[str, ...]) -> Program:
    try:
        code = environment(terms).compile(expression)
    except (RuntimeError, ValueError) as error:
        code, message = _said(str(error))
        raise InvalidInput(
            code, message, advice="Compare the types: whole numbers, true or false, quoted words."
        ) from None
    if code.return_type().name() != want:
        raise InvalidInput(
            "expression_type", f"must be {_SPOKEN[want]}", expected=want, found=code.return_type().name()
        )
    return Program(expression, names, code, code.return_type())


def run(program: Program, activation: Any) -> bool | int | Failure:
    """The value of a program, of exactly its declared type, or why it has none. Raises nothing."""
    try:
        result = program.code.eval(activation)
    except (RuntimeError, ValueError, TypeError, UnicodeError):
        return Failure("evaluation_error")
    if result.type() == program.type:
        value: bool | int = result.value()
        return value
    return Failure(_failure_code(str(result.value())))


def _failure_code(text: str) -> str:
    if "overflow" in text:
        return "integer_overflow"
    return "division_by_zero" if "by zero" in text else "evaluation_error"


_SPOKEN: Final = {"BOOL": "true or false", "INT": "a whole number", "STRING": "a word"}


def _said(text: str) -> tuple[str, str]:
    """(code, sentence) of the engine's complaint, its drawing of the line left out."""
    sentence = text.partition("\n")[0].partition("<input>:")[2] or text.partition("\n")[0]
    sentence = sentence.partition(" (in container")[0].removesuffix(" [INVALID_ARGUMENT]")
    sentence = sentence.partition(" expecting ")[0]
    if "no matching overload" in text:
        return "expression_type", f"types do not fit, {sentence}"
    if "recursion" in text:
        return "expression_deep", "too many levels for the engine"
    return "expression_malformed", f"cannot be read, {sentence}"
