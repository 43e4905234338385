"""Whether a contract may be signed at all: every fault by code and path, and a proof that it always ends.

    faults = examine(document)          -> [Fault("name_unknown", "$.rules[0].if", ...), ...], empty: it may be signed
    contract = compile_contract(document)   the same, raising InvalidInput ``contract_invalid`` on the first one

What is checked, in this order
1. The document pins this engine and this vocabulary, a real currency, and parties that differ.
2. ``authority`` names effects of the vocabulary and roles of this contract, and grants nothing by fewer signatures
   than the effect needs. An offer is accepted by those whose signatures what is offered needs, the grant's counted.
3. Terms do not take the names that the ledger itself provides.
4. Each rule: its id is its own; its triggers and effects are of the vocabulary; each effect that does not touch money
   is granted (one that does and is not becomes a proposal: a note, no fault); arguments are there, known, in range.
   ``otherwise`` stands only where a rule waits for a consent, and does not wait again.
5. Each effect's stratum is above each trigger's of its rule. An effect is an event of its own stratum, strata are
   whole numbers from 0 to 6: so no chain is longer than 6 and every cause ends.
6. The worst case of effects of one cause, effects of effects and all that waits counted, is computed and bounded.
7. Each expression compiles, to the type that its place needs, over names that *every* trigger of its rule tells.

At most FAULTS_MAX are named; expressions are compiled only while there are fewer, so a hostile document is cheap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ledger.contract.bounds import CONTRACTS_CACHED_MAX, EFFECTS_PER_CAUSE_MAX, FAULTS_MAX
from ledger.contract.document import ENGINE, SCHEMA, Document, Item, Rule, read_document
from ledger.contract.program import CompiledContract, Fault, compile_rules
from ledger.contract.vocabulary import (
    CAUSES,
    EFFECTS,
    OFFER_ACCEPTED,
    OFFER_TERMS,
    OFFERS,
    ROLES,
    STANDING_INPUTS,
    TRIGGERS,
)
from ledger.currency import MINOR_DIGITS
from ledger.errors import InvalidInput, NotFound
from ledger.loan.calendars import HASHES, calendar_named


@dataclass(frozen=True)
class Examined:
    """What a document is found to be. ``contract`` is None when there is a fault. ``notes`` are sentences that whoever
    signs should know; ``effects_per_cause`` is the proven worst case."""

    faults: tuple[Fault, ...]
    notes: tuple[str, ...]
    effects_per_cause: int
    contract: CompiledContract | None


def examine(document: Document) -> Examined:
    """Every fault of a document, its notes, and its compiled form when it has none. Raises Unavailable only."""
    faults: list[Fault] = []
    for fault in _faults(document):
        faults.append(fault)
        if len(faults) >= FAULTS_MAX:
            break
    worst = 0 if faults else effects_per_cause(document)
    if worst > EFFECTS_PER_CAUSE_MAX:
        faults.append(Fault("contract_explodes", "$.rules", "one event could have too many effects",
                            expected=f"<= {EFFECTS_PER_CAUSE_MAX}", found=str(worst)))  # fmt: skip
    contract = compile_rules(document, faults)
    if "event.business_day" in contract.names and document.calendar is None:
        faults.append(Fault("calendar_missing", "$.calendar", "event.business_day needs a holiday list to go by"))
    return Examined(tuple(faults[:FAULTS_MAX]), tuple(_notes(document)), worst, None if faults else contract)


def compile_contract(document: Document) -> CompiledContract:
    """A document ready to execute. Raises InvalidInput ``contract_invalid`` naming the first fault, Unavailable."""
    examined = examine(document)
    if examined.contract is None:
        first = examined.faults[0]
        raise InvalidInput("contract_invalid", f"{first.code}: {first.message}", path=first.path,
                           expected=first.expected, found=first.found,
                           advice="Run `tallystick contract check FILE` to see every fault.")  # fmt: skip
    return examined.contract


@lru_cache(maxsize=CONTRACTS_CACHED_MAX)
def compiled(data: bytes) -> CompiledContract:
    """A contract from its canonical bytes, ready to execute; kept in this process.

    Raises the errors of ``read_document`` and ``compile_contract``.
    """
    return compile_contract(read_document(data))


@lru_cache(maxsize=CONTRACTS_CACHED_MAX)
def executable(data: bytes) -> CompiledContract | None:
    """``compiled``, with None for a contract that this version cannot execute: one that pins another engine or another
    vocabulary, or that was sound by rules of another time.

    Raises Unavailable, where the engine itself is missing here: that passes, so nothing may be concluded from it.
    """
    try:
        return compiled(data)
    except InvalidInput:
        return None


def pins_this_engine(document: Document) -> bool:
    """Whether a document is to be executed by this very version, so that there is no excuse if it cannot be."""
    return document.engine == ENGINE and document.schema == SCHEMA


def effects_per_cause(document: Document) -> int:
    """The most effects that one event may have: for each trigger, those of its rules and of what they trigger; and those
    that waited for a consent, since any number of rules may go on at once.

    Ends because an effect's trigger has the effect's stratum, which is above that of the rule's own trigger.
    """
    known: dict[str, int] = {}

    def cost(items: Iterable[Item]) -> int:
        return sum(1 + known.get(EFFECTS[str(item["effect"])].becomes or "", 0) for item in items)

    for trigger in sorted(TRIGGERS, key=lambda name: -TRIGGERS[name].stratum):
        known[trigger] = sum(cost(rule.do) for rule in document.rules if trigger in rule.on)
    waiting = sum(1 + max(cost(rule.do), cost(rule.otherwise)) for rule in document.rules if _waits(rule))
    together = (sum(times * known[trigger] for trigger, times in causes.items()) for causes in CAUSES)
    offers = any(item["effect"] == "proposal.open" for rule in document.rules for item in (*rule.do, *rule.otherwise))
    accepted = 1 + known[OFFER_ACCEPTED] + known["terms.changed"] if offers else 0
    return waiting + max(*together, *known.values(), accepted)


def _waits(rule: Rule) -> bool:
    return any(item.get("effect") == "consent.require" for item in rule.do)


def _faults(document: Document) -> Iterator[Fault]:
    yield from _header(document)
    yield from _authority(document)
    for name in document.terms:
        if f"contract.{name}" in STANDING_INPUTS:
            yield Fault("term_reserved", f"$.terms.{name}", "the ledger itself provides this name")
    seen: set[str] = set()
    for place, rule in enumerate(document.rules):
        path = f"$.rules[{place}]"
        if rule.id in seen:
            yield Fault("rule_twice", f"{path}.id", "two rules have one id", found=rule.id)
        seen.add(rule.id)
        yield from _rule(document, rule, path)


def _header(document: Document) -> Iterator[Fault]:
    if document.engine != ENGINE:
        yield Fault("engine_unknown", "$.engine", "another engine might judge otherwise", ENGINE, document.engine)
    if document.schema != SCHEMA:
        yield Fault("schema_unknown", "$.schema", "another version of the vocabulary", SCHEMA, document.schema)
    if document.currency not in MINOR_DIGITS:
        yield Fault("currency_unknown", "$.currency", "not an active ISO 4217 code", found=document.currency)
    if document.calendar is not None:
        try:
            calendar_named(document.calendar)
        except NotFound:
            yield Fault("calendar_unknown", "$.calendar", "no such holiday list is frozen here", ", ".join(HASHES),
                        document.calendar[:16])  # fmt: skip
    if document.parties.guarantor == document.parties.borrower:
        yield Fault("party_twice", "$.parties.guarantor", "nobody is guarantor of their own debt")


def _authority(document: Document) -> Iterator[Fault]:
    roles = document.parties.roles()
    for effect, granting in document.authority.items():
        path = f"$.authority['{effect}']"
        if effect not in EFFECTS:
            yield Fault("effect_unknown", path, "no effect of the vocabulary", ", ".join(EFFECTS), effect)
            continue
        if len(set(granting)) != len(granting):
            yield Fault("authority_twice", path, "a role stands twice")
        strangers = [role for role in granting if role not in roles]
        if strangers:
            yield Fault(
                "party_missing", path, "this contract has no such party", ", ".join(roles), ", ".join(strangers)
            )
        if not set(EFFECTS[effect].needs) <= set(granting):
            yield Fault("authority_missing", path, "granted by fewer signatures than the effect needs",
                        ", ".join(EFFECTS[effect].needs), ", ".join(granting) or "nobody")  # fmt: skip


def _rule(document: Document, rule: Rule, path: str) -> Iterator[Fault]:
    for trigger in rule.on:
        if trigger not in TRIGGERS:
            yield Fault("trigger_unknown", f"{path}.on", "no trigger of the vocabulary", ", ".join(TRIGGERS), trigger)
    if len(set(rule.on)) != len(rule.on):
        yield Fault("trigger_twice", f"{path}.on", "a trigger stands twice")
    if rule.deadline is not None and rule.deadline >= document.expires:
        yield Fault("deadline_late", f"{path}.deadline", "the contract expires before", f"< {document.expires}",
                    str(rule.deadline))  # fmt: skip
    for number, item in enumerate(rule.do):
        yield from _effect(document, rule, item, f"{path}.do[{number}]")
    for number, item in enumerate(rule.otherwise):
        yield from _effect(document, rule, item, f"{path}.otherwise[{number}]")
        if item.get("effect") == "consent.require":
            yield Fault("otherwise_misplaced", f"{path}.otherwise[{number}]", "what is done without a consent cannot wait "
                        "for one")  # fmt: skip
    if rule.otherwise and not _waits(rule):
        yield Fault("otherwise_misplaced", f"{path}.otherwise", "the rule waits for nothing; it needs consent.require")


def _effect(document: Document, rule: Rule, item: Item, path: str) -> Iterator[Fault]:
    name = item.get("effect")
    effect = EFFECTS.get(name) if isinstance(name, str) else None
    if effect is None:
        yield Fault(
            "effect_unknown", f"{path}.effect", "no effect of the vocabulary", ", ".join(EFFECTS), str(name)[:32]
        )
        return
    if name not in document.authority and not effect.money:
        yield Fault("authority_missing", f"{path}.effect", "nobody grants this effect; name it in `authority`",
                    ", ".join(effect.needs), "nobody")  # fmt: skip
    for trigger in rule.on:
        if trigger in TRIGGERS and TRIGGERS[trigger].stratum >= effect.stratum:
            yield Fault("stratum_low", f"{path}.effect", "could go in circles: an effect stands above its trigger",
                        f"> {TRIGGERS[trigger].stratum} ({trigger})", f"{effect.stratum} ({name})")  # fmt: skip
    if item.get("to") in ROLES and item["to"] not in document.parties.roles():
        yield Fault("party_missing", f"{path}.to", "this contract has no such party",
                    ", ".join(document.parties.roles()), str(item["to"]))  # fmt: skip
    for argument in item.keys() - effect.arguments.keys() - {"effect"}:
        yield Fault("argument_unknown", f"{path}.{argument}", f"{name} takes no such argument",
                    ", ".join(effect.arguments), argument)  # fmt: skip
    for argument, wanted in effect.arguments.items():
        if argument not in item and not wanted.optional:
            yield Fault("argument_missing", f"{path}.{argument}", f"{name} needs it: {wanted.meaning}")
    if name == "proposal.open" and item.get("offer") in OFFERS:
        yield from _offer(document, item, path)


def _offer(document: Document, item: Item, path: str) -> Iterator[Fault]:
    """An offer says what is offered, and is made to whoever's signature is still needed."""
    offer = OFFERS[str(item["offer"])]
    for argument in sorted(OFFER_TERMS):
        if argument in offer.asks and argument not in item:
            yield Fault("argument_missing", f"{path}.{argument}", f"{item['offer']} needs it: it is what is offered")
        if argument in item and argument not in (*offer.asks, *offer.more):
            yield Fault("argument_unknown", f"{path}.{argument}", f"{item['offer']} takes no such argument",
                        ", ".join((*offer.asks, *offer.more)), argument)  # fmt: skip
    if "by" in offer.more and ("by" in item) != ("what" in item):
        yield Fault("argument_missing", f"{path}.by", "what moves and by how much go together")
    behind = {*document.authority.get("proposal.open", ()), item.get("to")}
    if not set(offer.needs) <= behind:
        yield Fault("authority_missing", f"{path}.to", "accepted by fewer signatures than what is offered needs",
                    ", ".join(offer.needs), ", ".join(sorted(map(str, behind))))  # fmt: skip


def _notes(document: Document) -> Iterator[str]:
    for rule in document.rules:
        for item in (*rule.do, *rule.otherwise):
            effect = EFFECTS.get(str(item.get("effect")))
            if effect is not None and effect.money and item["effect"] not in document.authority:
                yield (f"rule {rule.id}: {item['effect']} is not granted in advance; each time it waits for "
                       f"{' and '.join(effect.needs)} to sign")  # fmt: skip
            if item.get("effect") == "consent.require":
                does = "does otherwise" if rule.otherwise else "lapses"
                yield (f"rule {rule.id}: waits until the borrower consents to {item.get('code')}; after "
                       f"{item.get('days')} days it {does}")  # fmt: skip


CHAIN_MAX: Final = max(effect.stratum for effect in EFFECTS.values())
"""Longest chain of effects of effects, whatever a document says."""
