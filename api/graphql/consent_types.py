"""What a consent looks like: its states, its terms, and the inputs that ask for one or decide over one."""

from __future__ import annotations

from enum import Enum
from typing import Any

import strawberry

from api.auth.permissions import Permission
from api.graphql.connections import Node
from api.graphql.context import Info
from api.graphql.fields import guarded_field, guarded_type, open_type
from api.graphql.payloads import IDEMPOTENCY, BorrowerInput
from api.graphql.scalars import UUID, Base64, Date, Timestamp, encode_global_id
from api.graphql.tenants import Tenant, find_tenant
from ledger.attestation.sharing_kinds import Artefact
from ledger.attestation.sharing_kinds import Span as SpanBody
from ledger.consent.artefact import grant_payload, read_artefact, state_at
from ledger.node.consents import KnownConsent
from ledger.store.consent_rows import ConsentRow
from ledger.types import UnixMillis


@strawberry.enum(description="Where a consent is in its life.")
class ConsentState(Enum):
    """Where a consent is in its life."""

    ACTIVE = strawberry.enum_value("active", description="Granted: reads are allowed within its terms.")
    EXPIRED = strawberry.enum_value("expired", description="Its time is over.")
    PAUSED = strawberry.enum_value("paused", description="No reads until the borrower resumes it.")
    REJECTED = strawberry.enum_value("rejected", description="The borrower said no.")
    REQUESTED = strawberry.enum_value("requested", description="The borrower has not decided.")
    REVOKED = strawberry.enum_value("revoked", description="The borrower ended it.")
    SUPERSEDED = strawberry.enum_value("superseded", description="A newer version took its place.")


@strawberry.enum(description="How much of each loan a consent shows.")
class ConsentDetail(Enum):
    """How much of each loan a consent shows."""

    PROFILE = strawberry.enum_value("PROFILE", description="That there is a loan, of which kind, from whom.")
    SUMMARY = strawberry.enum_value("SUMMARY", description="Its figures, with the attestations they rest on.")
    TRANSACTIONS = strawberry.enum_value("TRANSACTIONS", description="Its figures, with every attestation.")


@strawberry.enum(description="How often a consent may be used.")
class ConsentFetch(Enum):
    """How often a consent may be used."""

    ONETIME = strawberry.enum_value("ONETIME", description="Once.")
    PERIODIC = strawberry.enum_value("PERIODIC", description="Again and again, as its frequency says.")


@strawberry.enum(description="A unit of time.")
class SpanUnit(Enum):
    """A unit of time."""

    HOUR = strawberry.enum_value("HOUR", description="3,600 seconds.")
    DAY = strawberry.enum_value("DAY", description="24 hours.")
    MONTH = strawberry.enum_value("MONTH", description="30 days.")
    YEAR = strawberry.enum_value("YEAR", description="365 days.")
    INF = strawberry.enum_value("INF", description="Without end; goes with 0.")


@strawberry.enum(description="What kind of credit a consent is about.")
class CreditCategory(Enum):
    """What kind of credit a consent is about."""

    BNPL = strawberry.enum_value("BNPL", description="Buy now, pay later.")
    CARD = strawberry.enum_value("CARD", description="Revolving credit.")
    LOAN = strawberry.enum_value("LOAN", description="Everything that is none of the others.")
    MOBILE_MONEY = strawberry.enum_value("MOBILE_MONEY", description="Credit through a mobile wallet.")
    UTILITY = strawberry.enum_value("UTILITY", description="Utility accounts.")


@open_type(description="A length of time.")
class Span:
    """A length of time."""

    n: int = strawberry.field(description="How many units.")
    unit: SpanUnit = strawberry.field(description="Of what.")


@open_type(description="Why data is asked for.")
class ConsentPurpose:
    """Why data is asked for."""

    code: str = strawberry.field(description="Code of the purpose, of the Account Aggregator list or a local one.")
    category: str = strawberry.field(description="Its category.")
    text: str = strawberry.field(description="What the borrower is told.")


@strawberry.type
class ConsentTerms:
    """What one version of a consent says, and where it is in its life."""

    version: int = strawberry.field(description="The number of these terms, from 1.")
    supersedes: int | None = strawberry.field(description="The version that these terms take the place of.")
    state: ConsentState = strawberry.field(description="Where it is in its life.")
    purpose: ConsentPurpose = strawberry.field(description="Why data is asked for.")
    detail: ConsentDetail = strawberry.field(description="How much of each loan it shows.")
    fetch: ConsentFetch = strawberry.field(description="How often it may be used.")
    frequency: Span = strawberry.field(description="For a periodic one: n reads in each unit.")
    data_life: Span = strawberry.field(description="How long the consumer may keep what it read.")
    starts_at: UnixMillis = strawberry.field(description="Reads are allowed from here on.")
    expires_at: UnixMillis = strawberry.field(description="No reads from here on.")
    data_from: Date | None = strawberry.field(description="Only data from this day on; null: all.")
    data_to: Date | None = strawberry.field(description="Only data up to this day; null: all.")
    categories: list[CreditCategory] = strawberry.field(description="What kinds of credit.")
    fields: list[str] = strawberry.field(description="Only these figures of a line; none: all of the detail.")
    accounts: list[Base64] = strawberry.field(description="Only these accounts; none: all.")
    jurisdiction: str = strawberry.field(description="ISO 3166 alpha-2 code whose law applies.")
    reads: int = strawberry.field(description="Reads so far: in all, or in the window of the last one.")
    last_read_at: UnixMillis | None = strawberry.field(description="When it was read last.")
    changed_at: UnixMillis = strawberry.field(description="When its state changed last.")
    to_sign: Base64 = guarded_field(
        permission=Permission.CONSENTS_DECIDE,
        description="What a grant signs, should the borrower sign with an own key: the canonical artefact.",
    )
    consumer_name: strawberry.Private[str]
    provider_names: strawberry.Private[tuple[str, ...]]

    @strawberry.field(description="Who asked.")
    async def consumer(self, info: Info) -> Tenant:
        """Who asked."""
        return await find_tenant(info, self.consumer_name)

    @strawberry.field(description="Only loans of these lenders; none: of all.")
    async def providers(self, info: Info) -> list[Tenant]:
        """Only loans of these lenders."""
        return [await find_tenant(info, name) for name in self.provider_names]


@guarded_type(permission=Permission.CONSENTS_READ, description="One version of a consent: its terms and its life.")
class ConsentVersion(ConsentTerms):
    """One version of a consent."""


@guarded_type(
    permission=Permission.CONSENTS_READ,
    description="A consent, to its consumer and to its borrower: the version in force, that is the active or paused "
    "one, else the newest that was granted once, else the newest.",
)
class Consent(Node, ConsentTerms):
    """A consent, to its consumer and to its borrower."""

    consent: UUID = strawberry.field(description="Its id in the ledger, the same in every version.")
    requested: ConsentVersion | None = strawberry.field(
        description="The version that waits for the borrower: what consentGrant and consentReject decide over."
    )
    versions: list[ConsentVersion] = strawberry.field(description="Every version, newest first, at most 100.")


@strawberry.input(description="A length of time.")
class SpanInput:
    """A length of time."""

    n: int = strawberry.field(description="How many units; 0 goes with INF.")
    unit: SpanUnit = strawberry.field(description="Of what.")

    def body(self) -> SpanBody:
        """As the artefact has it."""
        return SpanBody(n=self.n, unit=self.unit.value)


@strawberry.input(description="Why data is asked for.")
class ConsentPurposeInput:
    """Why data is asked for."""

    code: str = strawberry.field(description="Code of the purpose, 1 to 32 characters.")
    category: str = strawberry.field(description="Its category, 1 to 32 characters.", default="credit")
    text: str = strawberry.field(description="What the borrower is told, 1 to 2,000 characters.")


@strawberry.input(description="What a consumer asks a borrower for.")
class ConsentRequestInput:
    """What a consumer asks a borrower for."""

    idempotency_key: strawberry.ID = strawberry.field(description=IDEMPOTENCY)
    borrower: BorrowerInput = strawberry.field(description="Whom.")
    purpose: ConsentPurposeInput = strawberry.field(description="Why.")
    detail: ConsentDetail = strawberry.field(description="How much of each loan.")
    fetch: ConsentFetch = strawberry.field(description="How often.")
    expires_at: Timestamp = strawberry.field(description="No reads from here on; at most five years after the start.")
    starts_at: Timestamp | None = strawberry.field(description="Reads from here on; absent: at once.", default=None)
    frequency: SpanInput | None = strawberry.field(description="Reads in each unit; absent: 1 DAY.", default=None)
    data_life: SpanInput | None = strawberry.field(description="How long data is kept; absent: 1 MONTH.", default=None)
    data_from: Date | None = strawberry.field(description="Only data from this day on.", default=None)
    data_to: Date | None = strawberry.field(description="Only data up to this day.", default=None)
    categories: list[CreditCategory] | None = strawberry.field(description="Absent: every kind.", default=None)
    providers: list[str] = strawberry.field(
        description="Short names of lenders, at most 64; none: every lender.", default_factory=list
    )
    accounts: list[Base64] = strawberry.field(
        description="References of accounts, at most 64; none: every account.", default_factory=list
    )
    fields: list[str] = strawberry.field(
        description="Figures of a line, at most 64; none: every one of the detail.", default_factory=list
    )
    jurisdiction: str | None = strawberry.field(description="Absent: the consumer's country.", default=None)
    replaces: UUID | None = strawberry.field(
        description="A consent of the caller with this borrower, active or paused, whose terms are to change: these "
        "are its next version. The version in force stays so until the borrower grants this one.",
        default=None,
    )


@strawberry.input(description="A signature by the party's own key.")
class OwnSignatureInput:
    """A signature by the party's own key."""

    jws: str = strawberry.field(
        description="Compact JWS. For a consent of type tallystick-consent+jws, over toSign (grant) or "
        '{"at":milliseconds,"consent":id,"step":step,"version":version} (any other step). For a contract of type '
        'tallystick-contract+jws, over {"at":milliseconds,"contract":hash,"effect":proposal,"party":party,"step":step}: '
        "hashes in Base64, effect only in an answer, step signed, withdrawn, terminated, accepted or declined."
    )
    kty: str = strawberry.field(description="The key's kty: OKP or EC.")
    crv: str = strawberry.field(description="The key's crv: Ed25519 or P-256.")
    x: str = strawberry.field(description="The key's x in unpadded Base64url.")
    y: str | None = strawberry.field(description="The key's y, for P-256 only.", default=None)
    at: Timestamp = strawberry.field(description="When it was signed.")


@strawberry.input(description="A borrower's step.")
class ConsentStepInput:
    """A borrower's step."""

    idempotency_key: strawberry.ID = strawberry.field(description=IDEMPOTENCY)
    consent: strawberry.ID = strawberry.field(description="Global id of the consent.")
    channel: str = strawberry.field(description="How the borrower was asked: app, web, ussd, branch.", default="app")
    authenticator: str = strawberry.field(description="How the borrower was authenticated.", default="token")
    signature: OwnSignatureInput | None = strawberry.field(
        description="The borrower's own signature; absent: the deployment signs after it authenticated the borrower.",
        default=None,
    )


def _span(span: SpanBody) -> Span:
    return Span(n=span.n, unit=SpanUnit(span.unit))


def consent_of(known: KnownConsent, now: UnixMillis) -> Consent:
    """A consent as the API shows it at ``now``."""
    current, requested = known.current, known.requested
    return Consent(
        id=strawberry.ID(encode_global_id("Consent", str(current.consent))),
        consent=UUID(str(current.consent)),
        requested=None if requested is None else ConsentVersion(**_terms_of(requested, now)),
        versions=[ConsentVersion(**_terms_of(row, now)) for row in reversed(known.versions)],
        **_terms_of(current, now),
    )


def _terms_of(row: ConsentRow, now: UnixMillis) -> dict[str, Any]:
    terms: Artefact = read_artefact(row.artefact)
    return {
        "version": row.version,
        "supersedes": terms.supersedes,
        "state": ConsentState(state_at(row.state, terms, now).value),
        "purpose": ConsentPurpose(code=terms.purpose.code, category=terms.purpose.category, text=terms.purpose.text),
        "detail": ConsentDetail(terms.detail),
        "fetch": ConsentFetch(terms.fetch),
        "frequency": _span(terms.frequency),
        "data_life": _span(terms.data_life),
        "starts_at": UnixMillis(terms.start),
        "expires_at": UnixMillis(terms.expiry),
        "data_from": terms.data_from,
        "data_to": terms.data_to,
        "categories": [CreditCategory(name) for name in terms.categories if name in CreditCategory.__members__],
        "fields": list(terms.fields),
        "accounts": [Base64(account) for account in terms.accounts],
        "jurisdiction": terms.jurisdiction,
        "reads": row.reads,
        "last_read_at": None if row.last_read is None else UnixMillis(row.last_read),
        "changed_at": UnixMillis(row.changed_at),
        "to_sign": Base64(grant_payload(terms)),
        "consumer_name": terms.consumer,
        "provider_names": terms.providers,
    }
