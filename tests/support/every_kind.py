"""A valid body for every kind of attestation, with as many members as it may have, and envelopes around them."""

from __future__ import annotations

from datetime import date
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from ledger.attestation import contract_kinds as contracting
from ledger.attestation import credit_kinds as credit
from ledger.attestation import risk_kinds as risk
from ledger.attestation import sharing_kinds as sharing
from ledger.attestation.fields import Body
from ledger.attestation.registry import SPECS

ID: Final = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
OTHER_ID: Final = UUID("01890a5d-ac96-774b-bcce-b302099a8058")
HASH: Final = bytes(range(32))
DAY: Final = date(2026, 1, 31)
NOW: Final = 1_769_904_000_000

ARTEFACT: Final = sharing.Artefact(
    accounts=(HASH,), categories=("LOAN", "CARD"), consent=ID, consumer="pesa-app", data_from=date(2024, 2, 29),
    data_life=sharing.Span(n=1, unit="MONTH"), data_to=DAY,
    delegate=sharing.Delegate(scope="all", until=NOW + 1, who=HASH), detail="TRANSACTIONS", expiry=NOW + 1_000,
    fetch="PERIODIC", fields=("balance",), filters=(sharing.DataFilter(field="balance", operator="ge", value="1"),),
    frequency=sharing.Span(n=0, unit="INF"), jurisdiction="KE", legal_basis="consent", mode="VIEW", notice_hash=HASH,
    onward_transfer=True, providers=("acacia",),
    purpose=sharing.Purpose(category="01", code="103", ref_uri="https://example.org/103", text='Räume "/\\" \u2028 😀\n'),
    start=NOW, subject=HASH, supersedes=1, version=2,
)  # fmt: skip

BODIES: Final[dict[str, Body]] = {
    "access": sharing.Access(
        consent=ID, consent_version=2, consumer="pesa-app", detail="SUMMARY", fields=("balance",), lines=3,
        purpose="103", read_at=NOW, request=ID, view_hash=HASH,
    ),
    "agreement": credit.Agreement(
        allocation_order=(
            "past_due_penalty", "past_due_fee", "past_due_interest", "past_due_principal", "due_penalty", "due_fee",
            "due_interest", "due_principal", "advance_penalty", "advance_fee", "advance_interest", "advance_principal",
        ),
        business_day_convention="MF", calendar="KE", collateral=True, currency="KES", day_count="30/360",
        excess_rule="next", first_due=DAY, frequency="monthly",
        grace_days=5, instalments=6, limit=2**53 - 1, parties=(credit.Party(role="guarantor", subject=HASH),),
        portfolio_type="instalment", predecessor=HASH, predecessor_lender="baobab", principal=6_000_000,
        product="asset", rate_ppm=145_000,
    ),
    "alert": risk.Alert(
        account=HASH, audience="acacia", baseline=-1,
        causes=(risk.AlertCause(batch=ID, commitment=HASH, index=7, position=0),), episode=2, reading=3,
        reasons=("enquiries_elsewhere", "pays_later"), rule="stacking_enquiries_7", rules=HASH, severity=3, threshold=3,
        unnamed=2,
    ),
    "alert_step": risk.AlertStep(
        alert=ID, audience="acacia", by="asha", outcome="false_alarm", step="closed"
    ),
    "alt_data": sharing.AltData(
        currency="UGX", due=1, inflow=2, on_time=False, outflow=3, paid=4, period_from=DAY, period_to=DAY,
        source="mobile_money",
    ),
    "application": credit.Application(amount=0, channel="branch", currency="JPY", product="cash", term_days=30),
    "charge": credit.Charge(amount=1, component="penalty", currency="KES", due=DAY, reason="late"),
    "charge_off": credit.ChargeOff(amount=1, currency="KES", first_delinquency=DAY, original_amount=2),
    "closure": credit.Closure(cause="refinanced", new_account=HASH),
    "collateral": credit.Collateral(
        currency="KES", item=HASH, kind="car", lien_rank=1, released=DAY, value=9, valued_on=DAY
    ),
    "consent": sharing.Consent(
        artefact=ARTEFACT, capture=sharing.Capture(at=NOW, authenticator="otp", channel="app"), consent=ID,
        signature="a.b.c", signed_by="borrower", signer_key=HASH, step="granted", version=2,
    ),
    "contract": contracting.Contract(
        account=HASH, contract=sha256(b"{}").digest(), document=b"{}", effect=HASH, lender="acacia", party="guarantor",
        reason="sold", signature="a.b.c", signer_key=HASH, step="accepted",
    ),
    "correction": sharing.Correction(
        cause="error", changes=(sharing.ChangedField(name="balance", new_hash=HASH, old_hash=HASH),), dispute=ID,
        replacement=OTHER_ID,
    ),
    "cure": credit.Cure(evidence=HASH, probation_end=DAY),
    "decision": credit.Decision(
        amount=1, automated=True, currency="KES", model="m 1", outcome="approved", reasons=("a", "b")
    ),
    "default": credit.Default(evidence=HASH, trigger="unlikely_to_pay"),
    "deletion": sharing.Deletion(cause="fraud", dispute=ID),
    "delinquency": credit.Delinquency(
        currency="KES", dpd_from=0, dpd_to=31, overdue=credit.Overdue(fee=1, interest=2, penalty=3, principal=4),
        since=DAY,
    ),
    "disbursement": credit.Disbursement(amount=1, currency="KES", tranche=1),
    "dispute": sharing.Dispute(claim="not mine", compliance_code="XB", state="opened", text_hash=HASH),
    "effect": contracting.Effect(
        account=HASH, after=1, arguments={"amount": -5, "reason": "late"},
        cause=contracting.Cause(batch=ID, commitment=HASH, index=7, position=3), contract=HASH, effect="penalty.apply",
        engine="cel-expr-python/0.1.3", id=HASH, inputs=HASH, lender="acacia", n=2, rule="late-fee", scope=4,
    ),
    "enquiry": credit.Enquiry(consent=ID, depth="hard", purpose="103", view_hash=HASH),
    "erasure": sharing.Erasure(attestations=12, law="KE DPA 40", request=ID),
    "extension": sharing.Extension(fields={"b": "2", "a.b": "", "a_c": "é"}, namespace="metro2", version=1),
    "guarantee": credit.Guarantee(cap=5, currency="KES", guarantor=HASH, released=DAY, type="personal"),
    "identity_link": sharing.IdentityLink(action="merge", evidence="document", first=HASH, second=HASH),
    "insolvency": credit.Insolvency(court_ref=HASH, discharged=DAY, filed=DAY, type="bankruptcy"),
    "key": sharing.KeyEvent(
        alg="EdDSA", compromised_from=NOW, kid="k" * 43, not_after=NOW + 2, not_before=NOW, owner="acacia",
        public_key=HASH, step="revoked",
    ),
    "model": risk.Model(
        approvals=tuple(risk.Approval(approver=name, kid="k" * 43, signature="a.b.c") for name in ("asha", "otieno")),
        card_hash=HASH, challenger=HASH, data_hash=HASH, fairness={"approval_ratio.sex": 9_580},
        metrics={"auc": 7_804, "ece": 140}, model=HASH, name="taiwan card", split_seed=20_240_101, step="promoted",
        version=2,
    ),
    "notice": sharing.Notice(channel="sms", kind="pre_negative", receipt=HASH, sent_at=NOW),
    "pause": credit.Pause(cause="flood", law_ref="Gazette 12", start=DAY, until=DAY),
    "recovery": credit.Recovery(cost=1, currency="KES", gross=2, source="collateral"),
    "repayment": credit.Repayment(
        allocated=credit.Allocation(excess=1, fee=2, interest=3, penalty=4, principal=5), amount=15, channel="mobile",
        currency="KES", external_ref=HASH, posting_date=DAY,
    ),
    "restructure": credit.Restructure(
        forborne=False, loss_bp=100, observation_start=DAY, schedule=ID, type="re_age"
    ),
    "resume": credit.Resume(cause="over"),
    "reversal": credit.Reversal(amount=1, cause="bounced", currency="KES"),
    "schedule": credit.Schedule(
        cause="initial", currency="KES",
        rows=(credit.ScheduleRow(due=DAY, fee=1, n=1), credit.ScheduleRow(due=DAY, interest=2, n=2, principal=3)),
        version=1,
    ),
    "score": sharing.Score(
        as_of=4, input_root=HASH, model="m", model_hash=HASH, model_version="1", reasons=("r",), scale_max=900,
        scale_min=-(2**53 - 1), valid_until=DAY, value=-5,
    ),
    "statement": sharing.Statement(text="I paid \u2013 see \U0001f4c4"),
    "status_snapshot": credit.StatusSnapshot(
        balance=1, currency="KES", dpd=0, history_code="0", paid=2, past_due=3, scheduled=4, status="current"
    ),
    "tick": contracting.Tick(
        calendars={"CN/2026": HASH, "KE/2026": HASH}, day=DAY,
        declared=(contracting.Declaration(days=30, document=HASH, region="KE-47"),),
    ),
    "transfer": credit.Transfer(balance=1, buyer="B Ltd", currency="KES", new_account=HASH, seller="A Ltd"),
    "waiver": credit.Waiver(amount=1, component="principal", currency="KES", reason="goodwill"),
}  # fmt: skip


def envelope_fields(kind: str, **fields: Any) -> dict[str, Any]:
    """What ``compose`` takes beside the body, with the members that the kind is about."""
    whole: dict[str, Any] = {
        "effective_date": DAY, "id": ID, "jurisdiction": "KE", "kind": kind, "legal_basis": "contract",
        "refs": (OTHER_ID,), "reported_at": NOW, "salt": bytes(16), "tenant": "acacia",
    }  # fmt: skip
    about = SPECS[kind].about
    whole |= {} if about == "nothing" else {"subject": HASH}
    whole |= {"account": HASH[::-1], "role": "borrower"} if about == "account" else {}
    return whole | fields
