"""What is published in a measurement: loans of one lender, and signed batches of repayments on them, made beforehand.

Deterministic up to ids and times: a seed chooses the loans of each batch. Each attestation went through the same checks
as the server's, so that none is refused.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ledger.attestation.batch import Statement, sign_statement
from ledger.attestation.credit_kinds import Agreement, Allocation, Disbursement, Repayment
from ledger.attestation.envelope import Attestation, compose
from ledger.attestation.fields import Body
from ledger.attestation.keys import PrivateKey
from ledger.log.merkle import root_of
from ledger.node.clock import Sources

ACCOUNTS_PER_BORROWER = 3
SOURCES = Sources()


@dataclass(frozen=True)
class SignedBatch:
    """A batch ready to post, with what the floor needs to write the same rows."""

    token: bytes
    body: bytes
    loans: list[int]
    attestations: list[Attestation]


@dataclass
class Workload:
    """One lender's book."""

    lender: str
    origin: str
    seed: int = 1
    key: PrivateKey = field(default_factory=lambda: PrivateKey.from_random("EdDSA", os.urandom(32)))
    accounts: list[bytes] = field(default_factory=list)
    subjects: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def new_loans(self, count: int, batch_size: int = 1_000) -> list[SignedBatch]:
        """Batches that open ``count`` more loans: agreement and disbursement each."""
        first = len(self.accounts)
        self.accounts += [self._random.randbytes(32) for _ in range(count)]
        while len(self.subjects) * ACCOUNTS_PER_BORROWER < len(self.accounts):
            self.subjects.append(self._random.randbytes(32))
        events = []
        for loan in range(first, first + count):
            events.append(self._attest("agreement", _AGREEMENT, loan))
            events.append(self._attest("disbursement", _DISBURSEMENT, loan))
        loans = [loan for loan in range(first, first + count) for _ in range(2)]
        return [
            self.signed(events[at : at + batch_size], loans[at : at + batch_size])
            for at in range(0, len(events), batch_size)
        ]

    def repayments(self, count: int) -> SignedBatch:
        """One batch of repayments on ``count`` different loans chosen at random."""
        loans = self._random.sample(range(len(self.accounts)), count)
        return self.signed([self._attest("repayment", _REPAYMENT, loan) for loan in loans], loans)

    def _attest(self, kind: str, body: Body, loan: int) -> Attestation:
        fields: dict[str, Any] = {
            "account": self.accounts[loan], "effective_date": date(2026, 1, 31), "id": SOURCES.new_id(),
            "jurisdiction": "KE", "kind": kind, "legal_basis": "contract", "reported_at": SOURCES.now(),
            "role": "borrower", "salt": self._random.randbytes(16),
            "subject": self.subjects[loan // ACCOUNTS_PER_BORROWER], "tenant": self.lender,
        }  # fmt: skip
        return compose(fields, body)

    def signed(self, attestations: Sequence[Attestation], loans: Sequence[int] = ()) -> SignedBatch:
        """A batch of these attestations, signed now."""
        statement = Statement(
            batch=SOURCES.new_id(), count=len(attestations), ledger=self.origin,
            root=root_of([a.commitment for a in attestations]), tenant=self.lender, time=SOURCES.now(),
        )  # fmt: skip
        body = b"".join(a.data + b"\n" for a in attestations)
        return SignedBatch(sign_statement(statement, self.key), body, list(loans), list(attestations))


_AGREEMENT = Agreement(currency="KES", portfolio_type="instalment", principal=9_000_000_000_000)
_DISBURSEMENT = Disbursement(amount=9_000_000_000_000, currency="KES", tranche=1)
_REPAYMENT = Repayment(allocated=Allocation(principal=25_000), amount=25_000, channel="mobile", currency="KES")
