"""Kill -9 under contracts: loans with schedules, contracts in force on them, days that begin, and events that reach them.

    figures = await rage(events=20_000, kills=6, seed=7)

- Lenders publish batches over HTTP about loans on which contracts are in force; each batch is repeated byte for byte until
  it is answered. Lenders and borrowers propose, sign, answer and end contracts, an operator begins days and declares
  disasters, all through GraphQL under idempotency keys. Meanwhile the server is killed at random moments, also while it
  starts; now and then the database's postmaster is killed with it.
- Loans come in generations, so that a loan's chain is as long as that of a real one with many payments.
- What has to be true afterwards is in contract_judge.py.

An event is an attestation that reaches at least one contract in force. Everything random comes from the seed, save keys,
salts and the scheduling of processes.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import httpx

from ledger.attestation.contract_kinds import Effect
from ledger.attestation.credit_kinds import (
    Agreement,
    Collateral,
    Disbursement,
    Enquiry,
    Repayment,
    Reversal,
    Schedule,
    ScheduleRow,
)
from ledger.attestation.envelope import Attestation
from ledger.attestation.sharing_kinds import Dispute
from ledger.base64_strict import decode_standard, encode_standard, encode_url
from ledger.contract.document import Parties, canonical_bytes, contract_hash
from tests.chaos.contract_terms import PAIRS, agreed_on
from tests.chaos.storm import START_S, Acknowledged, Servers, Storm, running_storm, strike
from tests.support.ledgers import Lender

LENDERS: Final = ("acacia", "baobab", "cedar")
PUBLISHERS: Final = 6
INSTALMENTS: Final = 18
DAYS_APART: Final = 3
"""Between two due dates; a generation of loans lives for INSTALMENTS of them."""

DAYS_OF_A_GENERATION: Final = INSTALMENTS * DAYS_APART + 6
EVENTS_OF_A_LOAN: Final = 500
INSTALMENT: Final = 300_000
SIZES: Final = (1, 20, 80, 200, 300, 400)
"""Events in a batch."""

NOTES_KEPT: Final = 400
"""Checkpoints of answers that are held against the final log, about."""

STEP_WEIGHT: Final = 20
"""A step of a contract counts like so many events when the moments of the kills are drawn."""

STEP: Final = """mutation ($input: Contract%sInput!) { contract%s(input: $input) {
  contract { hash state proposals { id needs } } errors { code reason } } }"""
ASK: Final = """mutation ($input: ConsentRequestInput!) { consentRequest(input: $input) {
  consent { id } errors { code reason } } }"""
GRANT: Final = "mutation ($input: ConsentStepInput!) { consentGrant(input: $input) { errors { code reason } } }"
DAY_BEGIN: Final = "mutation ($input: DayBeginInput!) { dayBegin(input: $input) { index errors { code reason } } }"
OPERATOR: Final = ("tallystick", "operator")


@dataclass
class Loan:
    """One loan of the storm, and what its publisher knows of it."""

    lender: Lender
    account: bytes
    subject: bytes
    habit: float
    contracts: tuple[bytes, ...] = ()
    repaid: list[tuple[Any, int]] = field(default_factory=list)
    tranches: int = 1
    disputed: bool = False

    def where(self, day: date, **fields: Any) -> dict[str, Any]:
        """The envelope's fields of an event about it."""
        return {"account": self.account, "subject": self.subject, "effective_date": day} | fields


@dataclass
class Load:
    """What was asked for and what was promised: the other half of ``Storm``."""

    storm: Storm
    client: httpx.AsyncClient
    dice: random.Random
    target: int
    loans_at_once: int
    day: date
    lenders: list[Lender] = field(default_factory=list)
    loans: list[list[Loan]] = field(default_factory=list)
    events: int = 0
    steps: int = 0
    days: int = 0
    generation: int = 0
    answered: int = 0
    consents: int = 0
    allowed: int = 0
    """How many events may be sent so far: publishers wait for the next day at this many."""
    sent: int = 0
    server_pid: int = 0
    over: bool = False
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def generations(self) -> int:
        """How many generations of loans there are."""
        return max(1, -(-self.target // (self.loans_at_once * EVENTS_OF_A_LOAN)))

    @property
    def usual(self) -> int:
        """A payment with which a loan is paid just when its last instalment is due."""
        events = self.target // (self.loans_at_once * self.generations)
        return INSTALMENT * INSTALMENTS * sum(_KINDS.values()) // (max(events, 1) * _KINDS["repayment"])

    # -- one generation ------------------------------------------------------------------------------------------------

    async def begin_generation(self) -> None:
        """New loans, and contracts in force on them."""
        ended, self.loans = [loan for part in self.loans for loan in part], []
        self.generation += 1
        fresh = [self._new_loan(number) for number in range(self.loans_at_once)]
        self.loans = [
            [loan for number, loan in enumerate(fresh) if number % PUBLISHERS == part] for part in range(PUBLISHERS)
        ]
        await self._together(self._lend(part) for part in self.loans)
        await self._together(self._agree(part, random.Random(f"{self.storm.seed}/{self.generation}/{number}"))
                             for number, part in enumerate(self.loans))  # fmt: skip
        await self._together(self._end(ended[part::PUBLISHERS]) for part in range(PUBLISHERS))

    def _new_loan(self, number: int) -> Loan:
        draw = self.dice.randbytes
        lender = self.lenders[number % PUBLISHERS % len(self.lenders)]
        return Loan(lender, draw(32), draw(32), self.dice.choice((0.4, 0.8, 1.0, 1.1)))

    async def _lend(self, loans: list[Loan]) -> None:
        first = self.day + timedelta(DAYS_APART)
        rows = tuple(
            ScheduleRow(due=first + timedelta(n * DAYS_APART), interest=INSTALMENT // 10, n=n + 1,
                        principal=INSTALMENT - INSTALMENT // 10) for n in range(INSTALMENTS)
        )  # fmt: skip
        principal = sum(row.principal for row in rows)
        signed: list[Attestation] = []
        for loan in loans:
            terms = Agreement(
                collateral=True, currency="KES", portfolio_type="instalment", principal=principal, rate_ppm=180_000
            )
            bodies = (
                ("agreement", terms), ("disbursement", Disbursement(amount=principal, currency="KES", tranche=1)),
                ("schedule", Schedule(cause="initial", currency="KES", rows=rows, version=1)),
            )  # fmt: skip
            signed += [loan.lender.attest(kind, body, **loan.where(self.day)) for kind, body in bodies]
        await self._publish(loans[0].lender, signed)

    async def _agree(self, loans: list[Loan], dice: random.Random) -> None:
        for loan in loans:
            agreed = []
            for name in dice.choice(PAIRS):
                document = agreed_on(name, loan.account, Parties(borrower=loan.subject, lender=str(loan.lender.name)))
                lender, key = (str(loan.lender.name), "lender"), contract_hash(document)
                parties = [lender, _borrower(loan.subject)]
                await self._step("Propose", lender, key, document=canonical_bytes(document).decode())
                for party in dice.sample(parties, len(parties)):
                    await self._step("Sign", party, key, contract=encode_standard(key))
                agreed.append(key)
            loan.contracts = tuple(agreed)

    async def _end(self, loans: list[Loan]) -> None:
        """A part of an earlier generation's contracts ends; the others go on hearing of the days."""
        for loan in loans:
            for key in loan.contracts if loan.account[0] % 3 else ():
                for party in (_borrower(loan.subject), (str(loan.lender.name), "lender")):
                    await self._step("Terminate", party, key, contract=encode_standard(key))

    async def _step(self, step: str, who: tuple[str, ...], key: bytes, **asked: Any) -> Any:
        asked["idempotencyKey"] = f"{step}-{asked.get('proposal', '')[:16]}-{key.hex()[:32]}-{who[-1][:8]}"
        payload = await self.storm.ask(self.client, who, STEP % (_INPUTS.get(step, "Step"), step), input=asked)
        if payload["errors"]:
            raise AssertionError(payload["errors"])
        self.steps += 1
        self.moved.set()
        return payload["contract"]

    # -- days ----------------------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Generation after generation, day after day, until all events are sent and answered."""
        generations = self.generations
        for number in range(1, generations + 1):
            await self.begin_generation()
            begun, whole = self.allowed, self.target * number // generations
            for day in range(1, DAYS_OF_A_GENERATION + 1):
                self.allowed = begun + (whole - begun) * day // DAYS_OF_A_GENERATION
                await self._begin_day()
                await self._answer_some()
                await self._together(self._until_sent(part) for part in range(PUBLISHERS))
        self.over = True
        self.moved.set()

    async def _begin_day(self) -> None:
        self.day += timedelta(1)
        declared = []
        if self.dice.random() < 0.1:
            declared = [{"region": "KE-30", "days": 2, "document": encode_standard(self.dice.randbytes(32))}]
        asked = {"idempotencyKey": f"day-{self.day}", "day": self.day.isoformat(), "declared": declared}
        payload = await self.storm.ask(self.client, OPERATOR, DAY_BEGIN, input=asked)
        if payload["errors"]:
            raise AssertionError(payload["errors"])
        self.days += 1

    async def _answer_some(self) -> None:
        """A few proposals are accepted or declined by those whose answer they wait for, a few consents given."""
        query = """query ($hash: Base64!) { contract(hash: $hash) {
          proposals { id needs accepted until } waits { id purpose } } }"""
        for loan in self.dice.sample([loan for part in self.loans for loan in part], 3):
            for key in loan.contracts:
                lender = (str(loan.lender.name), "lender")
                found = await self.storm.ask(self.client, lender, query, hash=encode_standard(key))
                who = {"lender": lender, "borrower": _borrower(loan.subject)}
                for proposal in found["proposals"]:
                    waiting = [party for party in proposal["needs"] if party not in proposal["accepted"]]
                    if waiting and proposal["until"] >= self.day.isoformat() and self.dice.random() < 0.7:
                        asked = {"contract": encode_standard(key), "proposal": proposal["id"]}
                        accepts = self.dice.random() < 0.8
                        await self._step("Answer", who[waiting[0]], key, **asked, accepts=accepts)
                        self.answered += 1
                for wait in found["waits"]:
                    if self.dice.random() < 0.7:
                        await self._consent(loan, wait)

    async def _consent(self, loan: Loan, wait: dict[str, str]) -> None:
        """The lender asks for the consent that a rule waits for, and the borrower gives it."""
        asked: dict[str, Any] = {
            "idempotencyKey": f"ask-{wait['id'][:32]}", "borrower": {"subject": encode_standard(loan.subject)},
            "purpose": {"code": wait["purpose"], "text": "to help"}, "detail": "SUMMARY", "fetch": "PERIODIC",
            "startsAt": f"{self.day}T00:00:00.000Z", "expiresAt": "2029-01-01T00:00:00.000Z",
        }  # fmt: skip
        told = await self.storm.ask(self.client, (str(loan.lender.name), "app"), ASK, input=asked)
        asked = {"idempotencyKey": f"give-{wait['id'][:32]}", "consent": told["consent"]["id"]}
        given = await self.storm.ask(self.client, _borrower(loan.subject), GRANT, input=asked)
        if told["errors"] or given["errors"]:
            raise AssertionError(told["errors"] + given["errors"])
        self.consents += 1

    async def _until_sent(self, part: int) -> None:
        """One publisher's batches of this day."""
        while self.sent < self.allowed:
            size = min(self.dice.choice(SIZES), self.allowed - self.sent)
            self.sent += size
            signed = [self._event(self.dice.choice(self.loans[part])) for _ in range(size)]
            await self._publish(self.loans[part][0].lender, signed)
            self.events += size
            self.moved.set()

    def _event(self, loan: Loan) -> Attestation:
        kind = self.dice.choices(tuple(_KINDS), tuple(_KINDS.values()))[0]
        attest, day = loan.lender.attest, self.day
        if kind == "repayment" or (kind == "reversal" and not loan.repaid):
            amount = max(1, int(self.usual * loan.habit * self.dice.uniform(0.5, 1.5)))
            paid = attest("repayment", Repayment(amount=amount, channel="mobile", currency="KES"), **loan.where(day))
            loan.repaid.append((paid.envelope.id, amount))
            return paid
        if kind == "reversal":
            ref, amount = loan.repaid.pop()
            back = Reversal(amount=amount, cause="bounced", currency="KES")
            return attest("reversal", back, **loan.where(day, refs=(ref,)))
        if kind == "disbursement":
            loan.tranches += 1
            more = Disbursement(amount=self.dice.randint(1, 500), currency="KES", tranche=loan.tranches)
            return attest("disbursement", more, **loan.where(day))
        if kind == "dispute":
            loan.disputed = not loan.disputed
            said = Dispute(claim="paid-already", state="opened" if loan.disputed else "withdrawn")
            return attest("dispute", said, **loan.where(day))
        if kind == "collateral":
            value = Collateral(
                currency="KES", kind="motorcycle", lien_rank=1, value=self.dice.randint(1, 9_000_000), valued_on=day
            )
            return attest("collateral", value, **loan.where(day))
        asked = Enquiry(depth="hard", purpose="origination")
        return attest("enquiry", asked, **loan.where(day, account=None, role=None))

    # -- parts ---------------------------------------------------------------------------------------------------------

    async def _publish(self, lender: Lender, signed: list[Attestation]) -> None:
        token, body = lender.batch(signed)
        request = {
            "content": body,
            "headers": {"tallystick-statement": token.decode(), "content-type": "application/x-ndjson"},
        }
        who = (str(lender.name), "lender")

        async def again() -> dict[str, Any]:
            return await self.storm.send(self.client, who, "/v1/batches", **dict(request))

        kept = again if self.dice.random() < 0.02 else None
        answer = await again()
        if self.dice.random() < NOTES_KEPT / (self.target / 200):
            self.storm.notes.add(answer["checkpoint"].encode())
        self.storm.acks.append(
            Acknowledged(answer["batch"], answer["index"], decode_standard(answer["leafHash"]), kept)
        )

    async def _together(self, acts: Iterable[Awaitable[None]]) -> None:
        async with asyncio.TaskGroup() as group:
            for act in acts:
                group.create_task(_running(act))


_INPUTS: Final = {"Answer": "Answer", "Propose": "Propose"}
_KINDS: Final = {
    "repayment": 600, "collateral": 150, "enquiry": 130, "dispute": 80, "disbursement": 30, "reversal": 4,
}  # fmt: skip
"""How often each kind comes, of a thousand or so."""


async def _running(act: Awaitable[None]) -> None:
    await act


def _borrower(subject: bytes) -> tuple[str, str, str]:
    return ("tallystick", "borrower", encode_url(subject))


async def _kill(kills: int, load: Load, servers: Servers, planned: int) -> int:
    """Kills when so much is done, at moments drawn before; gives how many took the postmaster along."""
    dice, storm, postmasters = random.Random(f"{load.storm.seed}/kills"), load.storm, 0
    moments = sorted(dice.uniform(0, planned) for _ in range(kills))
    for number, moment in enumerate(moments):
        while not load.over and load.events + load.steps * STEP_WEIGHT < moment:
            load.moved.clear()
            await load.moved.wait()
        await asyncio.sleep(dice.uniform(0, 0.15))
        postmasters += await strike(number % 4 == 3, storm, servers)
        if number % 5 == 2 and number + 1 < kills:
            await servers.spawn()
            await asyncio.sleep(dice.uniform(0, START_S))
            servers.kill()
        await servers.start()
    return postmasters


async def rage(
    events: int, kills: int, seed: int, *, loans: int | None = None,
    then: Callable[[Storm, list[Effect]], Awaitable[None]] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """A whole storm; its figures. ``then`` goes on with the ledger that it left and the effects in it.

    Raises AssertionError when a promise is broken.
    """
    from tests.chaos.contract_judge import judge

    began, at_once = time.monotonic(), loans or max(36, min(300, events // EVENTS_OF_A_LOAN))
    generations = max(1, -(-events // (at_once * EVENTS_OF_A_LOAN)))
    first_day = datetime.now(UTC).date() - timedelta(generations * DAYS_OF_A_GENERATION + 1)
    async with running_storm(seed, options=("--no-days",)) as (storm, servers), httpx.AsyncClient(timeout=60) as client:
        await servers.start()
        load = Load(storm, client, random.Random(seed), events, at_once, first_day)
        load.lenders = await storm.enrol(client, list(LENDERS))
        first = await storm._value("SELECT size FROM head")
        planned = events + generations * at_once * 3 * STEP_WEIGHT
        killing = asyncio.create_task(_kill(kills, load, servers, planned))
        living = asyncio.create_task(load.live())
        try:
            await asyncio.wait({killing, living}, return_when=asyncio.FIRST_EXCEPTION)
            for task in (living, killing):
                if task.done():
                    task.result()
            postmasters = await killing
            await living
        finally:
            for task in (killing, living):
                task.cancel()
            await asyncio.gather(killing, living, return_exceptions=True)
        raged = time.monotonic() - began
        told = {
            "events": load.events, "kills": kills, "postmaster_kills": postmasters, "seed": seed,
            "lenders": len(LENDERS), "loans": at_once * load.generation, "days": load.days, "steps": load.steps,
            "answers": load.answered, "consents": load.consents, "events_a_second_under_load": round(load.events / raged),
            "seconds_under_load": round(raged, 1),
        }  # fmt: skip
        load.server_pid = servers.pid
        held, effects = await judge(storm, client, load, first)
        told |= held
        if then is not None:
            await then(storm, effects)
    return told | {"seconds": round(time.monotonic() - began, 1)}
