"""The kinds around a loan: who may see it, who looked, what is disputed, and what the ledger says of its own keys.

Consent follows the Account Aggregator artefact (ReBIT 1.1.2) with the additions of ISO/IEC TS 27560 receipts: the whole
artefact is in the attestation that asks for it and in the one that grants it, and it is never edited. A change is a new
``version`` that supersedes the old one.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from ledger.attestation.fields import Body, Code, Count, Currency, Hash, Millis, Money, Name, Reasons, SignedMoney, Text
from ledger.limits import CONSENT_FIELDS_MAX, EXTENSION_FIELDS_MAX

TenantName = Annotated[str, Meta(min_length=1, max_length=63, pattern=r"^[a-z][a-z0-9-]{0,62}\Z")]
FieldName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z][A-Za-z0-9_.]*\Z")]
Version = Annotated[int, Meta(ge=1, le=1_000_000)]

# -- consent ----------------------------------------------------------------------------------------------------


class Purpose(Body, frozen=True, kw_only=True):
    """Why the data is asked for; ``code`` after the Account Aggregator list (101 to 105) or a pack's own."""

    category: Code
    code: Code
    ref_uri: Name | None = None
    text: Text


class Span(Body, frozen=True, kw_only=True):
    """A length of time, for data life and frequency. ``INF`` needs ``n`` 0."""

    n: Annotated[int, Meta(ge=0, le=10_000)]
    unit: Literal["HOUR", "DAY", "MONTH", "YEAR", "INF"]


class Capture(Body, frozen=True, kw_only=True):
    """How the borrower was asked: the channel, how they were authenticated, and when."""

    at: Millis
    authenticator: Code
    channel: Code


class Delegate(Body, frozen=True, kw_only=True):
    """Someone who acts for the borrower, for part of it, until a time."""

    scope: Code
    until: Millis
    who: Hash


class DataFilter(Body, frozen=True, kw_only=True):
    """Only lines whose ``field`` stands in this relation to ``value`` are shown."""

    field: FieldName
    operator: Literal["eq", "ne", "lt", "le", "gt", "ge"]
    value: Code


class Artefact(Body, frozen=True, kw_only=True):
    """The terms of one consent. Empty ``providers`` means every lender, empty ``accounts`` every account, empty
    ``fields`` every field of the chosen ``detail``. Times are UTC milliseconds; ``expiry`` is exclusive."""

    accounts: Annotated[tuple[Hash, ...], Meta(max_length=CONSENT_FIELDS_MAX)] = ()
    categories: Annotated[
        tuple[Literal["LOAN", "CARD", "BNPL", "UTILITY", "MOBILE_MONEY", "SCORE"], ...],
        Meta(min_length=1, max_length=6),
    ]
    consent: UUID
    consumer: TenantName
    data_from: date | None = None
    data_life: Span
    data_to: date | None = None
    delegate: Delegate | None = None
    detail: Literal["PROFILE", "SUMMARY", "TRANSACTIONS"]
    expiry: Millis
    fetch: Literal["ONETIME", "PERIODIC"]
    fields: Annotated[tuple[FieldName, ...], Meta(max_length=CONSENT_FIELDS_MAX)] = ()
    filters: Annotated[tuple[DataFilter, ...], Meta(max_length=CONSENT_FIELDS_MAX)] = ()
    frequency: Span
    jurisdiction: Annotated[str, Meta(min_length=2, max_length=2)]
    legal_basis: Literal["consent", "contract", "legal_obligation", "legitimate_interest", "court_order"]
    mode: Literal["VIEW", "STORE", "QUERY", "STREAM"]
    notice_hash: Hash | None = None
    onward_transfer: bool = False
    providers: Annotated[tuple[TenantName, ...], Meta(max_length=CONSENT_FIELDS_MAX)] = ()
    purpose: Purpose
    start: Millis
    subject: Hash
    supersedes: Version | None = None
    version: Version


class Consent(Body, frozen=True, kw_only=True):
    """One step in the life of a consent. ``artefact`` is there when it is requested and when it is granted;
    ``signature`` is a compact JWS over the canonical artefact (grant) or over the step itself (all others),
    ``signedBy`` says whose: the borrower's own key (then it stands in ``signerKey``), or the deployment's after it
    authenticated the borrower; ``capture`` says how."""

    artefact: Artefact | None = None
    capture: Capture | None = None
    consent: UUID
    signature: Annotated[str, Meta(max_length=16_384)] | None = None
    signed_by: Literal["borrower", "consumer", "deployment"]
    signer_key: Annotated[bytes, Meta(min_length=32, max_length=65)] | None = None
    step: Literal["requested", "granted", "rejected", "paused", "resumed", "revoked", "expired", "superseded"]
    version: Version


class Access(Body, frozen=True, kw_only=True):
    """Somebody read: published before the answer leaves, so that the borrower sees who looked and can prove it."""

    consent: UUID | None = None
    consent_version: Version | None = None
    consumer: TenantName
    detail: Literal["PROFILE", "SUMMARY", "TRANSACTIONS"]
    fields: Annotated[tuple[FieldName, ...], Meta(max_length=CONSENT_FIELDS_MAX)] = ()
    lines: Count
    purpose: Code
    read_at: Millis
    request: UUID
    view_hash: Hash


# -- disputes, corrections, notices -----------------------------------------------------------------------------


class Dispute(Body, frozen=True, kw_only=True):
    """The borrower contests what ``refs`` name (none: the whole account). ``state`` follows the pack's clock."""

    claim: Code
    compliance_code: Annotated[str, Meta(min_length=2, max_length=2)] | None = None
    state: Literal["opened", "verified", "corrected", "deleted", "unverifiable", "withdrawn"]
    text_hash: Hash | None = None


class Statement(Body, frozen=True, kw_only=True):
    """The borrower's own words beside the record, at most a hundred of them (Kenya, United States)."""

    text: Text


class ChangedField(Body, frozen=True, kw_only=True):
    """One member that a correction changes, by hash: the old value need not be readable any more."""

    name: FieldName
    new_hash: Hash
    old_hash: Hash


class Correction(Body, frozen=True, kw_only=True):
    """What ``refs`` name is superseded; history stays. ``replacement`` is the attestation that states it right: it is
    on the account already and takes the place of the first of ``refs``; absent: nothing takes its place."""

    cause: Code
    changes: Annotated[tuple[ChangedField, ...], Meta(min_length=1, max_length=64)]
    dispute: UUID | None = None
    replacement: UUID | None = None


class Deletion(Body, frozen=True, kw_only=True):
    """What ``refs`` name no longer counts and is no longer shown."""

    cause: Code
    dispute: UUID | None = None


class Notice(Body, frozen=True, kw_only=True):
    """The borrower was told."""

    channel: Code
    kind: Literal["pre_negative", "adverse_action", "access", "retention", "correction"]
    receipt: Hash | None = None
    sent_at: Millis


# -- other evidence ---------------------------------------------------------------------------------------------


class Score(Body, frozen=True, kw_only=True):
    """A number from a model, with its reasons and the root of what it was computed from. ``modelHash`` is the SHA-256 of
    the model's document and ``asOf`` the number of log entries that were known, where the ledger computed it."""

    as_of: Annotated[int, Meta(ge=0, le=2**53 - 1)] | None = None
    input_root: Hash
    model: Name
    model_hash: Hash | None = None
    model_version: Name
    reasons: Reasons = ()
    scale_max: SignedMoney
    scale_min: SignedMoney
    valid_until: date
    value: SignedMoney


class AltData(Body, frozen=True, kw_only=True):
    """A utility, telecom, rent or mobile-money fact; either due and paid, or sums of flows over a period."""

    currency: Currency
    due: Money | None = None
    inflow: Money | None = None
    on_time: bool | None = None
    outflow: Money | None = None
    paid: Money | None = None
    period_from: date
    period_to: date
    source: Literal["utility", "telecom", "rent", "mobile_money"]


class IdentityLink(Body, frozen=True, kw_only=True):
    """Two pseudonyms are, or are no longer held to be, the same person."""

    action: Literal["merge", "split"]
    evidence: Code
    first: Hash
    second: Hash


class Extension(Body, frozen=True, kw_only=True):
    """What a foreign format says and this vocabulary has no word for, so that nothing is lost on the way back.
    Never shown in a view: only the tenant that published it reads it."""

    fields: Annotated[dict[FieldName, Annotated[str, Meta(max_length=8_192)]], Meta(max_length=EXTENSION_FIELDS_MAX)]
    namespace: Code
    version: Version


# -- the ledger about itself ------------------------------------------------------------------------------------


class KeyEvent(Body, frozen=True, kw_only=True):
    """A tenant's batch-signing key became known, was retired, or was revoked from a date on. ``publicKey`` is raw
    (Ed25519) or uncompressed SEC1 (P-256). A statement timed at or after ``compromisedFrom`` does not count."""

    alg: Literal["EdDSA", "ES256"]
    compromised_from: Millis | None = None
    kid: Annotated[str, Meta(min_length=43, max_length=43)]
    not_after: Millis | None = None
    not_before: Millis
    owner: TenantName
    public_key: Annotated[bytes, Meta(min_length=32, max_length=65)]
    step: Literal["enrolled", "retired", "revoked"]


class Erasure(Body, frozen=True, kw_only=True):
    """The tombstone: a subject's data keys were destroyed, under which law, and how many attestations it closed."""

    attestations: Count
    law: Name
    request: UUID
