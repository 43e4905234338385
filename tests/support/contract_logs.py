"""A log with contracts in it, made without a database: lenders' batches, ticks, contract steps, and the effects that the
engine gives, each behind its cause as the ledger puts them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec

from ledger.attestation import contract_kinds as contracting
from ledger.attestation import credit_kinds as credit
from ledger.attestation import sharing_kinds as sharing
from ledger.attestation.envelope import Attestation, compose
from ledger.attestation.fields import Body
from ledger.contract.document import Document, Parties, canonical_bytes, contract_hash
from ledger.contract.folded_loans import FoldedLoans
from ledger.contract.library import agree, load, names
from ledger.contract.replay import LogAttestation, Replayed, Replayer

DEPLOYMENT = "tally"
FIRST_DAY = date(2026, 1, 1)
CHUNK = 50_000
INSTALMENT = 60_000


def uuid7(number: int) -> UUID:
    """A UUIDv7 that is this number."""
    return UUID(int=(0x01890A5DAC96 << 80) | (7 << 76) | (2 << 62) | number)


class LogBuilder:
    """Attestations in log order, one batch each; a replayer that runs along tells which effects follow."""

    def __init__(self) -> None:
        self.entries: list[LogAttestation] = []
        self.along = Replayer(DEPLOYMENT, FoldedLoans(), {})
        self._published = 0

    def say(self, kind: str, body: Body, day: date, tenant: str, **about: Any) -> None:
        """Publish one attestation, and behind it the effects that it has."""
        self._append(self._made(kind, body, day, tenant, about))
        due = self.along.due(self._published)
        for effect in due:
            subject = about.get("subject") or sha256(effect.account).digest()
            self._append(self._made("effect", effect, day, DEPLOYMENT, {"subject": subject}))
        self._published += len(due)

    def _made(self, kind: str, body: Body, day: date, tenant: str, about: dict[str, Any]) -> Attestation:
        number = len(self.entries)
        salt = sha256(b"salt%d" % number).digest()[:16]
        return compose({"effective_date": day, "id": uuid7(number), "jurisdiction": "KE", "kind": kind,
                        "legal_basis": "contract", "reported_at": number, "salt": salt, "tenant": tenant, **about},
                       body)  # fmt: skip

    def _append(self, attestation: Attestation) -> None:
        entry = LogAttestation(len(self.entries), uuid7(len(self.entries)), 0, attestation)
        self.entries.append(entry)
        self.along.see(entry)


def replay(entries: Iterable[LogAttestation], **options: Any) -> Replayed:
    """A fresh replay of a log."""
    replayer = Replayer(DEPLOYMENT, FoldedLoans(), options.pop("documents", {}), **options)
    for entry in entries:
        replayer.see(entry)
    return replayer.report()


def busy_log(events: int, seed: int) -> LogBuilder:
    """At least this many attestations: loans under the eight shipped contracts, paid well and badly, day by day."""
    builder, rng = LogBuilder(), random.Random(seed)
    loans = max(events // 50, 8)
    for number in range(loans):
        _open(builder, number, load(names()[number % 8]).document)
    day = FIRST_DAY
    while len(builder.entries) < events:
        day += timedelta(1)
        builder.say("tick", _tick(day, rng), day, DEPLOYMENT)
        for number in range(loans):
            _live(builder, rng, number, day)
    return builder


def _tick(day: date, rng: random.Random) -> contracting.Tick:
    declared = (contracting.Declaration(days=30, document=bytes(32), region="KE-47"),) if rng.random() < 0.01 else ()
    return contracting.Tick(calendars={}, day=day, declared=declared)


def account_of(number: int) -> bytes:
    """The account of a loan of the busy log."""
    return sha256(b"account%d" % number).digest()


def about(number: int) -> dict[str, Any]:
    """The members of an envelope about that loan."""
    return {"account": account_of(number), "subject": sha256(account_of(number)).digest(), "role": "borrower"}


def _open(builder: LogBuilder, number: int, template: Document) -> None:
    subject = sha256(account_of(number)).digest()
    guarantor = bytes([number % 256]) * 32 if template.parties.guarantor else None
    agreed = agree(template, parties=Parties(borrower=subject, guarantor=guarantor, lender="acacia"),
                   account=account_of(number), currency="KES", expires=date(2031, 1, 1))  # fmt: skip
    rows = tuple(
        credit.ScheduleRow(due=FIRST_DAY + timedelta(15 * n + number % 14), interest=10_000, n=n, principal=CHUNK)
        for n in range(1, 25)
    )
    for kind, body in (
        ("agreement", credit.Agreement(collateral=True, currency="KES", portfolio_type="instalment",
                                       principal=24 * CHUNK, rate_ppm=180_000)),
        ("disbursement", credit.Disbursement(amount=24 * CHUNK, currency="KES", tranche=1)),
        ("schedule", credit.Schedule(cause="initial", currency="KES", rows=rows, version=1)),
    ):  # fmt: skip
        builder.say(kind, body, FIRST_DAY, "acacia", **about(number))
    for step in steps_of(agreed):
        builder.say("contract", step, FIRST_DAY, DEPLOYMENT, subject=subject)


def steps_of(agreed: Document) -> Iterator[contracting.Contract]:
    """The steps that bring a contract in force."""
    same: dict[str, Any] = {"account": agreed.account, "contract": contract_hash(agreed), "lender": "acacia"}
    yield contracting.Contract(document=canonical_bytes(agreed), party="lender", step="proposed", **same)
    for role in agreed.parties.roles():
        yield contracting.Contract(party=role, signature="a.b.c", step="signed", **same)


def _live(builder: LogBuilder, rng: random.Random, number: int, day: date) -> None:
    """What happens to one loan on one day: most days nothing."""
    chance = rng.random()
    if chance < 0.120:
        amount = INSTALMENT // 2 if chance < 0.110 else rng.randrange(1, INSTALMENT)
        value_date = day - timedelta(rng.randrange(1, 10) if chance < 0.004 else 0)
        builder.say("repayment", credit.Repayment(amount=amount, channel="mobile", currency="KES"), value_date,
                    "acacia", **about(number))  # fmt: skip
    elif chance < 0.122:
        builder.say("dispute", sharing.Dispute(claim="not-mine", state="opened"), day, "acacia", **about(number))


def changed(entry: LogAttestation, **members: Any) -> LogAttestation:
    """The entry with another body: what a log would hold if its executor had cheated."""
    attestation = entry.attestation
    body = msgspec.structs.replace(attestation.body, **members)
    return LogAttestation(entry.index, entry.batch, entry.position,
                          Attestation(attestation.envelope, body, attestation.data, attestation.commitment))  # fmt: skip
