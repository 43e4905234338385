"""A ledger in memory, built from the product's own pure rooms: enough to make real bundles to verify and to spoil."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from ledger.attestation import credit_kinds as credit
from ledger.attestation import sharing_kinds as sharing
from ledger.attestation.batch import Statement, sign_statement
from ledger.attestation.envelope import Attestation, compose
from ledger.attestation.fields import Body
from ledger.attestation.keys import PrivateKey
from ledger.attestation.registry import SPECS
from ledger.base64_strict import encode_url
from ledger.loan.account import replayed
from ledger.loan.state import LoanState
from ledger.loan.supersession import Told
from ledger.log.checkpoint import Checkpoint, sign_checkpoint
from ledger.log.merkle import leaf_hash, paths_of
from ledger.log.note import NoteSigner
from ledger.view.bundle import ConsentUsed, EvidenceRow, LineEvidence, build_bundle, view_hash
from ledger.view.credit_view import disclosed, line_of

ORIGIN = "ledger.example/test"
OPERATOR = "tallystick"
SUBJECT = b"\x05" * 32
CONSENT = UUID("0190a6c0-0000-7000-8000-0000000000c0")
NOON = 1_548_936_000_000
KINDS: dict[type[Body], str] = {spec.body: kind for kind, spec in SPECS.items()}


def uuid7(number: int) -> UUID:
    """A valid UUIDv7 that differs for each number."""
    return UUID(int=(0x0190_A6C0_0000_7000_8000 << 48) | number)


def day(text: str) -> date:
    return date.fromisoformat(text)


@dataclass
class SmallLedger:
    """Batches in order, with what is needed to prove each."""

    keys: dict[str, PrivateKey] = field(default_factory=dict)
    tokens: list[bytes] = field(default_factory=list)
    events: dict[tuple[str, bytes], list[tuple[Attestation, EvidenceRow]]] = field(default_factory=dict)
    key_rows: list[EvidenceRow] = field(default_factory=list)
    consent_rows: list[EvidenceRow] = field(default_factory=list)
    made: int = 0

    def __post_init__(self) -> None:
        self.signer = NoteSigner(ORIGIN, b"\x07" * 32)
        self.keys[OPERATOR] = PrivateKey.from_random("EdDSA", b"\x01" * 32)

    def enrol(self, tenant: str, alg: str = "EdDSA", **window: Any) -> None:
        """A key for a tenant and the key attestation that names it."""
        seed = bytes([len(self.keys) + 1]) * 32
        self.keys[tenant] = PrivateKey.from_random(alg, seed)
        self.name_key(tenant, step="enrolled", **window)

    def name_key(self, tenant: str, *, step: str, publisher: str = OPERATOR, **window: Any) -> None:
        key = self.keys[tenant]
        body = sharing.KeyEvent(
            alg=key.alg, kid=key.kid, owner=tenant, step=step, public_key=b"\x04" * (key.alg == "ES256") + key.raw,
            not_before=window.pop("not_before", 0), **window,
        )  # fmt: skip
        self.key_rows += self.publish(publisher, [self.attest(publisher, body, "2019-01-01")])

    def attest(self, tenant: str, body: Body, on: str, account: bytes | None = None, **fields: Any) -> Attestation:
        """One attestation of the right shape for its kind."""
        self.made += 1
        kind = KINDS[type(body)]
        about = SPECS[kind].about
        envelope = {
            "account": account, "effective_date": day(on), "id": uuid7(self.made), "jurisdiction": "KE", "kind": kind,
            "legal_basis": "contract", "reported_at": NOON, "salt": self.made.to_bytes(16, "big"), "tenant": tenant,
            "subject": None if about == "nothing" else SUBJECT, "role": "borrower" if about == "account" else None,
        }  # fmt: skip
        if kind in ("reversal", "correction", "deletion"):
            envelope["refs"] = (uuid7(1),)
        return compose(envelope | fields, body)

    def publish(self, tenant: str, batch: list[Attestation], *, time: int = NOON, key: str = "") -> list[EvidenceRow]:
        """One batch becomes an entry of the log."""
        root, paths = paths_of([attestation.commitment for attestation in batch])
        statement = Statement(
            batch=uuid7(10_000 + len(self.tokens)), count=len(batch), ledger=ORIGIN, root=root, tenant=tenant, time=time
        )
        token = sign_statement(statement, self.keys[key or tenant])
        index = len(self.tokens)
        self.tokens.append(token)
        rows = []
        for at, (attestation, path) in enumerate(zip(batch, paths, strict=True)):
            rows.append(EvidenceRow(index, token, at, attestation.data, path))
            account = attestation.envelope.account
            if account is not None:
                self.events.setdefault((tenant, account), []).append((attestation, rows[-1]))
        return rows

    def state(self, tenant: str, account: bytes) -> LoanState:
        return replayed([Told(row.index, attestation) for attestation, row in self.events[tenant, account]])

    def line(self, tenant: str, account: bytes, as_of: date, detail: str = "TRANSACTIONS") -> LineEvidence:
        """A line with its evidence as far as ``detail`` goes."""
        events = self.events[tenant, account]
        rows = [row for attestation, row in events if disclosed(attestation.envelope.kind, detail)]
        complete = detail == "TRANSACTIONS"
        return LineEvidence(
            line_of(self.state(tenant, account), lender=tenant, account=account, as_of=as_of), rows, complete
        )

    def record_access(self, rows: list[LineEvidence], detail: str = "TRANSACTIONS", **changed: Any) -> None:
        """The access record of a view, published by the operator."""
        facts: dict[str, Any] = {
            "consent": CONSENT, "consent_version": 1, "consumer": "pesa-app", "detail": detail, "lines": len(rows),
            "purpose": "underwriting", "read_at": NOON, "request": uuid7(9_999),
            "view_hash": view_hash([row.line for row in rows]),
        }  # fmt: skip
        body = sharing.Access(**(facts | changed))
        self.consent_rows += self.publish(OPERATOR, [self.attest(OPERATOR, body, "2019-01-31")])

    def note(self) -> tuple[bytes, list[bytes]]:
        """The signed checkpoint over everything, and each entry's path."""
        root, paths = paths_of([leaf_hash(token) for token in self.tokens])
        return sign_checkpoint(Checkpoint(ORIGIN, len(self.tokens), root), self.signer), paths

    def bundle(self, lines: list[LineEvidence], as_of: date, detail: str = "TRANSACTIONS", **changed: Any) -> bytes:
        """The bundle over these lines, with the consent rows that were published."""
        note, paths = self.note()
        parts: dict[str, Any] = {
            "origin": ORIGIN, "subject": SUBJECT, "consumer": "pesa-app", "as_of": as_of, "checkpoint_note": note,
            "consent": ConsentUsed(CONSENT, detail, 1), "lines": lines, "keys": self.key_rows,
            "consent_evidence": self.consent_rows, "log_paths": dict(enumerate(paths)),
        }  # fmt: skip
        return build_bundle(**(parts | changed))

    def trust(self) -> dict[str, Any]:
        """The trust file of this ledger."""
        operator = {"crv": "Ed25519", "kty": "OKP", "x": encode_url(self.keys[OPERATOR].raw)}
        log = self.signer.verifier.encode()
        return {"format": "tallystick-trust/1", "log": log, "operator": operator, "operatorTenant": OPERATOR}


def agreement(**changed: Any) -> credit.Agreement:
    facts: dict[str, Any] = {
        "currency": "KES", "frequency": "monthly", "grace_days": 3, "instalments": 6, "portfolio_type": "instalment",
        "principal": 60_000, "product": "term", "rate_ppm": 120_000,
    }  # fmt: skip
    return credit.Agreement(**(facts | changed))


def two_lenders() -> tuple[SmallLedger, list[LineEvidence], date]:
    """Two loans at two lenders of different key types, late and current, with an access record."""
    ledger, as_of, a, b = SmallLedger(), day("2019-01-31"), b"\x0a" * 32, b"\x0b" * 32
    ledger.enrol("acacia")
    ledger.enrol("baobab", "ES256")
    say = ledger.attest
    plan = [credit.ScheduleRow(due=date(2018, 8 + n, 15), n=n + 1, principal=10_000, interest=500) for n in range(5)]
    ledger.publish("acacia", [
        say("acacia", agreement(), "2018-07-15", a),
        say("acacia", credit.Disbursement(amount=60_000, currency="KES", tranche=1), "2018-07-15", a),
        say("acacia", credit.Schedule(cause="initial", currency="KES", rows=tuple(plan), version=1), "2018-07-15", a),
        say("acacia", credit.Repayment(amount=10_500, channel="cash", currency="KES"), "2018-08-14", a),
        say("acacia", credit.Repayment(amount=4_000, channel="cash", currency="KES"), "2018-09-20", a),
    ])  # fmt: skip
    books = [say("baobab", agreement(portfolio_type="revolving", limit=90_000), "2017-01-02", b)]
    for month in range(1, 13):
        late = 35 if month > 10 else 0
        books.append(say("baobab", credit.StatusSnapshot(
            balance=30_000 + month, currency="KES", dpd=late, past_due=late * 100, scheduled=900,
            status="past_due" if late else "current"), f"2018-{month:02}-28", b))  # fmt: skip
    ledger.publish("baobab", books)
    ledger.publish("acacia", [say("acacia", credit.Pause(
        cause="flood", start=day("2018-10-01"), until=day("2018-10-11")), "2018-10-01", a)])  # fmt: skip
    lines = [ledger.line("acacia", a, as_of), ledger.line("baobab", b, as_of)]
    ledger.record_access(lines)
    return ledger, lines, as_of
