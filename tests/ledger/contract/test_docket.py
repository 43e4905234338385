"""The contracts in hand: at the commit they do what a replay finds due, and they are asked only what concerns them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from ledger.attestation import contract_kinds as contracting
from ledger.attestation import credit_kinds as credit
from ledger.attestation import sharing_kinds as sharing
from ledger.attestation.envelope import encode_body
from ledger.base64_strict import encode_standard
from ledger.contract import docket as room
from ledger.contract.docket import ContractKey, Docket, Held, LoanRef, Placed
from ledger.contract.document import Document, canonical_bytes, contract_hash
from ledger.contract.engine import BLIND, execute
from ledger.contract.folded_loans import FoldedLoans
from ledger.contract.replay import LogAttestation
from ledger.errors import InvalidInput, Refused
from tests.support.contract_logs import DEPLOYMENT, FIRST_DAY, LogBuilder, about, account_of, busy_log, steps_of
from tests.support.contracts import ALERT, IN_FORCE, document, rule
from tests.support.every_kind import ARTEFACT


class Committing:
    """Takes a log in as a committer does: loans folded, then the docket."""

    def __init__(self) -> None:
        self.docket, self.loans = Docket(DEPLOYMENT, 0), FoldedLoans()

    def take(self, entry: LogAttestation) -> tuple[contracting.Effect, ...]:
        """What an attestation of the log makes the contracts do."""
        attestation, envelope = entry.attestation, entry.attestation.envelope
        before = self.loans.of(envelope.tenant, envelope.account) if envelope.account else None
        self.loans.see(entry.index, attestation)
        placed = Placed(entry.index, entry.batch, entry.position, attestation, before)
        return self.docket.take(placed, lambda ref: self.loans.of(*ref))


def test_a_docket_does_what_a_replay_finds_due_and_remembers_the_same() -> None:
    log, committing = busy_log(4_000, 7), Committing()
    done: list[contracting.Effect] = []
    for entry in log.entries:
        if not isinstance(entry.attestation.body, contracting.Effect):
            done += committing.take(entry)
    due = log.along.due()
    assert len(due) > 100
    assert [encode_body(one) for one in done] == [encode_body(one) for one in due]
    remembered = {key.hash: held.memory for key, held in committing.docket.changed()}
    assert remembered == {key: memory for key, (_, memory) in log.along.memories().items()}


def in_hand(whole: Document) -> tuple[Docket, ContractKey]:
    """A docket with one contract in force."""
    docket, key = Docket(DEPLOYMENT, 0), ContractKey("acacia", contract_hash(whole))
    docket.put(key, Held(canonical_bytes(whole), whole.parties.borrower, IN_FORCE))
    return docket, key


def test_loans_are_looked_at_only_where_a_rule_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def watching(contract: Any, memory: Any, event: Any, inputs: Any) -> Any:
        seen.append(inputs)
        return execute(contract, memory, event, inputs)

    log = busy_log(400, 7)
    monkeypatch.setattr(room, "execute", watching)
    of_payments = document(rule(on=["repayment.received"]), account="QUFB" * 10 + "QUE=")
    docket, key = in_hand(of_payments)
    ticks = [entry for entry in log.entries if entry.attestation.envelope.kind == "tick"]
    asked: list[LoanRef] = []
    for entry in ticks:
        placed = Placed(entry.index, entry.batch, entry.position, entry.attestation)
        assert docket.take(placed, asked.append) == ()  # type: ignore[arg-type, func-returns-value]
    assert (len(ticks) > 0, asked, seen) == (True, [], [])  # a contract of payments is not asked about days
    of_days, _ = in_hand(document(rule(on=["repayment.missed"], **{"if": "loan.dpd > 0"})))
    entry = ticks[0]
    of_days.take(Placed(entry.index, entry.batch, entry.position, entry.attestation), lambda ref: None)
    assert seen == [BLIND]
    assert docket.held(key) is not None


def test_a_contract_that_cannot_be_executed_here_hears_nothing_takes_its_steps_and_is_not_proposed() -> None:
    foreign = document(engine="cel-expr-python/0.0.9")
    docket, key = in_hand(foreign)
    held = docket.held(key)
    assert held is not None and (held.contract, held.document) == (None, foreign)
    builder = LogBuilder()
    builder.say("tick", contracting.Tick(calendars={}, day=FIRST_DAY), FIRST_DAY, DEPLOYMENT)
    proposed, *_ = steps_of(foreign)
    step = contracting.Contract(
        account=foreign.account, contract=key.hash, lender="acacia", party="deployment", reason="upgrade",
        signature=proposed.signature, step="terminated",
    )  # fmt: skip
    for body in (step, proposed):
        builder.say("contract", body, FIRST_DAY, DEPLOYMENT, subject=foreign.parties.borrower, role="borrower")
    tick, ended, again = (Placed(one.index, one.batch, one.position, one.attestation) for one in builder.entries)
    assert (docket.take(tick, lambda ref: None), docket.changed()) == ((), [])
    assert docket.take(ended, lambda ref: None) == ()
    assert [(moved, one.memory and one.memory.state) for moved, one in docket.changed()] == [(key, "terminated")]
    with pytest.raises(InvalidInput) as refused:
        Docket(DEPLOYMENT, 0).take(again, lambda ref: None)
    assert refused.value.code == "contract_invalid"


def test_a_contract_that_is_not_there_takes_no_step_and_a_strangers_is_refused() -> None:
    agreed, builder, committing = document(), LogBuilder(), Committing()
    for step in list(steps_of(agreed))[1:]:
        builder.say("contract", step, FIRST_DAY, DEPLOYMENT, subject=agreed.parties.borrower, role="borrower")
    with pytest.raises(Refused) as unknown:
        committing.take(builder.entries[0])
    assert unknown.value.code == "contract_unknown"
    stranger = LogBuilder()
    where = about(1) | {"account": None}
    stranger.say("contract", next(iter(steps_of(agreed))), FIRST_DAY + timedelta(1), DEPLOYMENT, **where)
    with pytest.raises(InvalidInput) as differs:
        committing.take(stranger.entries[0])
    assert differs.value.code == "contract_mismatch"
    assert account_of(1) != agreed.account


def test_a_docket_that_learns_the_stored_consents_does_what_a_replay_finds_due() -> None:
    asking = rule(on=["repayment.received"], do=[{"effect": "consent.require", "code": "103", "days": 5}, ALERT],
                  once="per-event")  # fmt: skip
    both = ["lender", "borrower"]
    agreed = document(
        asking, account=encode_standard(account_of(0)), authority={"alert.raise": both, "consent.require": both},
        parties={"borrower": encode_standard(about(0)["subject"]), "lender": "acacia"},
    )  # fmt: skip
    builder, subject, where = LogBuilder(), about(0)["subject"], {"subject": about(0)["subject"], "role": "borrower"}
    purpose = msgspec.structs.replace(ARTEFACT.purpose, code="103")
    terms = msgspec.structs.replace(
        ARTEFACT, consumer="acacia", expiry=2**42, purpose=purpose, start=0, subject=subject, supersedes=None, version=1
    )
    steps: tuple[Any, ...] = ("requested", "granted", "revoked", "paused")
    consents = [
        sharing.Consent(artefact=terms if step in steps[:2] else None, consent=terms.consent, signed_by="deployment",
                        step=step, version=1) for step in steps
    ]  # fmt: skip
    paid = credit.Repayment(amount=5, channel="cash", currency="KES")
    builder.say("agreement", credit.Agreement(currency="KES", portfolio_type="instalment", principal=9), FIRST_DAY,
                "acacia", **about(0))  # fmt: skip
    builder.say("disbursement", credit.Disbursement(amount=9, currency="KES", tranche=1), FIRST_DAY, "acacia",
                **about(0))  # fmt: skip
    for step in consents[:2]:
        builder.say("consent", step, FIRST_DAY, DEPLOYMENT, **where)
    for contract_step in steps_of(agreed):
        builder.say("contract", contract_step, FIRST_DAY, DEPLOYMENT, subject=subject)
    begun = len(builder.entries)
    builder.say("repayment", paid, FIRST_DAY, "acacia", **about(0))
    builder.say("consent", consents[2], FIRST_DAY, DEPLOYMENT, **where)
    builder.say("consent", consents[3], FIRST_DAY, "acacia", **where)  # not the deployment's word
    builder.say("repayment", paid, FIRST_DAY, "acacia", **about(0))
    due = [one.effect for one in builder.along.due()]
    assert due == ["consent.met", "alert.raise", "consent.require"]
    for learns, done in ((True, due), (False, ["consent.require"])):
        committing, key = Committing(), ContractKey("acacia", contract_hash(agreed))
        memory = msgspec.structs.replace(IN_FORCE, began=FIRST_DAY.toordinal())
        committing.docket.put(key, Held(canonical_bytes(agreed), subject, memory))
        if learns:
            committing.docket.learn_consent(terms, "active")
        told: list[str] = []
        for entry in builder.entries[:2]:
            committing.loans.see(entry.index, entry.attestation)
        for entry in builder.entries[begun:]:
            if not isinstance(entry.attestation.body, contracting.Effect):
                told += [one.effect for one in committing.take(entry)]
        assert told == done
