"""A contract ready to execute: every expression compiled, every argument known to fit.

``compile_rules`` is the last step of the check (check.py calls it on a document that has no other fault). Compiled
contracts are values: nothing of one execution stays in them, so that one may serve many threads and a million events.
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from ledger.contract.bounds import FAULTS_MAX
from ledger.contract.conditions import Program, TermTypes, compile_expression, environment, term_types
from ledger.contract.document import Document, Rule, contract_hash
from ledger.contract.vocabulary import (
    EFFECTS,
    EVENT_INPUTS,
    STANDING_INPUTS,
    TRIGGERS,
    Argument,
    Role,
    Type,
    event_inputs,
)
from ledger.errors import InvalidInput

_WORD: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")


@dataclass(frozen=True)
class Fault:
    """What is wrong with a document, and where; ``code`` is stable (docs/contracts.md)."""

    code: str
    path: str
    message: str
    expected: str | None = None
    found: str | None = None

    def as_dict(self) -> dict[str, str]:
        """The fault as JSON values, absent members left out."""
        whole = {"code": self.code, "path": self.path, "message": self.message, "expected": self.expected,
                 "found": self.found}  # fmt: skip
        return {name: value for name, value in whole.items() if value is not None}


@dataclass(frozen=True)
class CompiledEffect:
    """One item of a rule's ``do``: constant arguments, programs for computed ones, and whether it lands at once."""

    name: str
    constants: dict[str, int | str]
    programs: tuple[tuple[str, Argument, Program], ...]
    granted: bool
    becomes: str | None
    needs: tuple[Role, ...]


@dataclass(frozen=True)
class CompiledRule:
    """One rule. ``deadline`` is the ordinal of the last day on which it may fire."""

    id: str
    when: Program
    do: tuple[CompiledEffect, ...]
    once: str
    deadline: int
    otherwise: tuple[CompiledEffect, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether it may wait for a consent."""
        return any(effect.name == "consent.require" for effect in self.do)


@dataclass(frozen=True)
class CompiledContract:
    """A contract. ``by_trigger`` lists the rules of each trigger in the document's order; ``names`` is every input that
    any expression reads, sorted: exactly these are bound and hashed, so that a later vocabulary changes no old hash.
    ``waits``: some rule may wait for a consent."""

    document: Document
    hash: bytes
    rules: dict[str, CompiledRule]
    by_trigger: dict[str, tuple[CompiledRule, ...]]
    waits: bool
    names: tuple[str, ...]
    terms: dict[str, Any]
    calendar: tuple[str, str] | None
    environment: Any


def compile_rules(document: Document, faults: list[Fault]) -> CompiledContract:
    """Compile a document; what does not compile is added to ``faults``, up to FAULTS_MAX. With a fault, from here or
    from before, the result is not to be executed. Raises Unavailable.
    """
    types = term_types(document.terms)
    rules: dict[str, CompiledRule] = {}
    by_trigger: dict[str, list[CompiledRule]] = {}
    names: set[str] = set()
    for place, rule in enumerate(document.rules):
        compiled = _rule(document, rule, types, f"$.rules[{place}]", faults)
        if compiled is None:
            if len(faults) >= FAULTS_MAX:
                break
            continue
        done = (*compiled.do, *compiled.otherwise)
        names.update(compiled.when.names, *(program.names for effect in done for _, _, program in effect.programs))
        rules[rule.id] = compiled
        for trigger in rule.on:
            by_trigger.setdefault(trigger, []).append(compiled)
    name, _, digest = (document.calendar or "").partition("#")
    return CompiledContract(
        document=document, hash=contract_hash(document), rules=rules,
        by_trigger={trigger: tuple(those) for trigger, those in by_trigger.items()},
        waits=any(rule.waits for rule in rules.values()), names=tuple(sorted(names)),
        terms={f"contract.{name}": value for name, value in document.terms.items()},
        calendar=(name, digest) if name else None, environment=environment(types),
    )  # fmt: skip


def seen_by(rule: Rule, types: TermTypes) -> Set[str]:
    """The names that a rule may use: the standing ones, its terms, and what every one of its triggers tells."""
    told = [event_inputs(trigger).keys() for trigger in rule.on if trigger in TRIGGERS] or [EVENT_INPUTS.keys()]
    shared = set(told[0]).intersection(*told[1:])
    return shared | STANDING_INPUTS.keys() | {f"contract.{name}" for name, _ in types}


def _rule(document: Document, rule: Rule, types: TermTypes, path: str, faults: list[Fault]) -> CompiledRule | None:
    seen, before = seen_by(rule, types), len(faults)
    when = _program(rule.when, types, seen, "BOOL", f"{path}.if", faults)
    do, otherwise = (
        tuple(
            _effect(document, item, types, seen, f"{path}.{member}[{number}]", faults)
            for number, item in enumerate(items)
            if item.get("effect") in EFFECTS
        )
        for member, items in (("do", rule.do), ("otherwise", rule.otherwise))
    )
    if when is None or len(faults) > before:
        return None
    deadline = (rule.deadline or document.expires).toordinal()
    return CompiledRule(rule.id, when, do, rule.once, deadline, otherwise)


def _effect(
    document: Document, item: dict[str, int | str], types: TermTypes, seen: Set[str], path: str, faults: list[Fault]
) -> CompiledEffect:
    name = str(item["effect"])
    effect = EFFECTS[name]
    constants: dict[str, int | str] = {}
    programs = []
    for argument, wanted in effect.arguments.items():
        value = item.get(argument)
        if wanted.type == "INT" and isinstance(value, str):
            program = _program(value, types, seen, "INT", f"{path}.{argument}", faults)
            if program is not None:
                programs.append((argument, wanted, program))
        elif value is not None:
            constants[argument] = value
            faults += _constant(wanted, value, f"{path}.{argument}")
    return CompiledEffect(
        name, constants, tuple(programs), name in document.authority, effect.becomes, effect.needs
    )  # fmt: skip


def _program(text: str, types: TermTypes, seen: Set[str], want: Type, path: str, faults: list[Fault]) -> Program | None:
    if len(faults) >= FAULTS_MAX:
        return None
    try:
        return compile_expression(text, types, seen, want)
    except InvalidInput as error:
        expected = None if error.expected is None else str(error.expected)
        if error.code == "name_unknown":
            expected = _nearest(error, seen)
        faults.append(
            Fault(error.code, path, error.message, expected, None if error.found is None else str(error.found))
        )
        return None


def _nearest(error: InvalidInput, seen: Set[str]) -> str | None:
    """The known name that was probably meant."""
    close = get_close_matches(str(error.found).partition("'")[2].partition("'")[0], sorted(seen), n=1)
    return f"{close[0]}?" if close else None


def _constant(wanted: Argument, value: int | str, path: str) -> list[Fault]:
    if wanted.type == "INT":
        fits = isinstance(value, int) and wanted.least <= value <= wanted.most
        expected = f"{wanted.least} to {wanted.most}, or an expression"
    elif wanted.words:
        fits, expected = value in wanted.words, ", ".join(wanted.words)
    else:
        fits = isinstance(value, str) and _WORD.fullmatch(value) is not None
        expected = "1 to 32 of a-z A-Z 0-9 . _ -"
    return [] if fits else [Fault("argument_invalid", path, wanted.meaning, expected, str(value)[:32])]
