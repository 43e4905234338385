"""Short lives of a loan for the rules' tests: one chain, in log order, with a log index each."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from ledger.attestation import credit_kinds as credit
from ledger.attestation import sharing_kinds as sharing
from ledger.attestation.fields import Body
from ledger.loan.account import Account, account, replayed
from ledger.loan.fold import fold
from ledger.loan.state import LoanState, NeedsReplay
from ledger.loan.supersession import Told
from tests.verifier.small_ledger import SmallLedger, agreement

ACCOUNT = b"\x0c" * 32
KES: dict[str, Any] = {"currency": "KES"}


class Life:
    """One loan: each event is recorded as the ledger would, one a batch."""

    def __init__(self) -> None:
        self.ledger = SmallLedger()
        self.told: list[Told] = []
        self.state: LoanState | None = None

    def say(self, body: Body, on: str, *refs: UUID, **fields: Any) -> UUID:
        """Record one event; what the ledger refuses is raised and not recorded. Gives its id."""
        named = {"refs": refs} if refs else {}
        attestation = self.ledger.attest("acacia", body, on, ACCOUNT, **named, **fields)
        told = [*self.told, Told(len(self.told), attestation)]
        try:
            self.state = fold(self.state, attestation.envelope, attestation.body)
        except NeedsReplay:
            self.state = replayed(told)
        self.told = told
        return attestation.envelope.id

    def on(self, day: str, known_at: int | None = None) -> Account:
        """The account on a day."""
        return account(self.told, as_of=date.fromisoformat(day), known_at=known_at)

    def days(self, day: str, known_at: int | None = None) -> tuple[int, int]:
        """(days past due, delinquent days) on a day."""
        late = self.on(day, known_at).arrears
        return late.days, late.delinquent_days

    def overdue(self, day: str) -> int | None:
        """What is past due on a day, minor units."""
        return self.on(day).arrears.amount

    def stage(self, day: str) -> str:
        """The stage on a day."""
        return self.on(day).state.stage

    # -- events ------------------------------------------------------------------------------------------------------

    def pays(self, amount: int, on: str, **fields: Any) -> UUID:
        """A repayment."""
        return self.say(credit.Repayment(amount=amount, channel="cash", **KES, **fields), on)

    def takes_back(self, repayment: UUID, amount: int, on: str, cause: Any = "bounced") -> UUID:
        """A reversal."""
        return self.say(credit.Reversal(amount=amount, cause=cause, **KES), on, repayment)

    def charges(self, amount: int, on: str, due: str, component: Any = "fee") -> UUID:
        """A charge."""
        body = credit.Charge(amount=amount, component=component, due=date.fromisoformat(due), reason="late", **KES)
        return self.say(body, on)

    def plans(self, on: str, *rows: tuple[str, int, int], cause: Any = "initial") -> UUID:
        """A version of the plan: rows of (due, principal, interest)."""
        made = tuple(
            credit.ScheduleRow(due=date.fromisoformat(due), interest=interest, n=n, principal=principal)
            for n, (due, principal, interest) in enumerate(rows, 1)
        )
        return self.say(credit.Schedule(cause=cause, rows=made, version=1, **KES), on)

    def books(self, on: str, **facts: Any) -> UUID:
        """A snapshot of the lender's books."""
        return self.say(credit.StatusSnapshot(**({"status": "current"} | facts)), on)

    def deletes(self, target: UUID, on: str) -> UUID:
        """A deletion."""
        return self.say(sharing.Deletion(cause="error"), on, target)

    def corrects(self, target: UUID, replacement: UUID | None, on: str) -> UUID:
        """A correction that puts ``replacement`` in the place of ``target``."""
        change = sharing.ChangedField(name="amount", new_hash=bytes(32), old_hash=bytes(32))
        return self.say(sharing.Correction(cause="error", changes=(change,), replacement=replacement), on, target)


def loan(**terms: Any) -> Life:
    """300 lent on 1 January 2019, to be repaid in three instalments of 100 and 10 interest on the tenth of each month."""
    life = Life()
    life.say(agreement(**({"grace_days": 0, "principal": 300} | terms)), "2019-01-01")
    life.say(credit.Disbursement(amount=300, tranche=1, **KES), "2019-01-01")
    life.plans("2019-01-01", ("2019-01-10", 100, 10), ("2019-02-10", 100, 10), ("2019-03-10", 100, 10))
    return life
