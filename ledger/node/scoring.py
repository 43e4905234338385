"""Scoring on one node: models registered and promoted, and scores given, each an attestation on the ledger.

    model = await models.register(document, figures, None, expected=digest, request=request)      # the operator
    model = await models.promote(digest, {"asha": jws, "otieno": jws}, request=request)
    given = await scoring.score("acacia", Asked(account, inputs, consent, ...), request)          # a lender

Rules
- A model decides only after its promotion; the newest promoted version of a name is the one in force.
- An approver is a tenant that takes part, with a key of its own on the ledger: anybody can check the two signatures, and a
  key that was revoked approves nothing. A key that the deployment keeps does not approve: its operator could sign with it.
- A lender scores its own borrower, on inputs that *it* supplies as a snapshot, under the borrower's consent (category
  SCORE, in force, this lender's). The consent is looked at again, under its lock, in the transaction that publishes.
- The score says model, points, reasons and ``asOf``; the inputs themselves stay with the lender. Who is shown them can
  compute the snapshot's hash and the points again (verifier/tallystick_score.py).
- Data that the law of the lender's country restricts is refused with the card's own code. Social-network data is off where
  the pack forbids it or there is no pack; where the pack wants consent, the consent has to name it among its fields.
- What a lender's borrowers of a month looked like is counted in that same transaction, for drift.
- A challenger is registered by the same rules and never promoted. It runs beside its card on the same inputs, and what it
  made of them is kept in that same transaction, as a row of the lender's (shadow.py); the score does not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from uuid import UUID

import msgspec

from ledger.attestation.fields import Body
from ledger.attestation.sharing_kinds import Artefact
from ledger.consent.artefact import ConsentState, read_artefact, version_in_force
from ledger.consent.decision import Use, decide
from ledger.errors import Conflict, InvalidInput, NotFound, Refused
from ledger.node.drafts import Draft
from ledger.node.idempotent import Request, record_of
from ledger.node.node import Node
from ledger.node.participants import DEPLOYMENT
from ledger.node.pending import Effect
from ledger.node.shadow import allowed_kinds, shadow_ppm
from ledger.risk.drift import EMPTY_MONTH, Drift, Month, fold, read_baseline, report
from ledger.risk.model_rules import (
    Registration,
    approval_payload,
    check_approvals,
    ensure_same_inputs,
    load_model,
    model_body,
    read_registration,
    score_body,
    snapshot_root,
)
from ledger.risk.scorecard import RESTRICTED, Scorecard, Scored, bins, derive, load_card, read_inputs, score_features
from ledger.risk.trees import Trees
from ledger.store.consent_rows import ConsentRow, consent_versions, lock_consents
from ledger.store.database import Connection
from ledger.store.loan_rows import read_loan
from ledger.store.model_rows import (
    ModelRow,
    challenger_beside,
    insert_model,
    lock_month,
    managed_kids,
    promote_model,
    read_model,
    read_models,
    read_month,
    write_month,
)
from ledger.store.shadow_rows import ShadowRow, insert_shadow
from ledger.types import AccountRef, Subject, TenantId, UnixMillis

CARDS_CACHED_MAX: Final = 64
"""Cards kept ready to score by, each for a country and a consent's kinds of data: about 30 kB each."""

MODELS_MAX: Final = 200
"""Models listed: every version of everything that a deployment is likely to try."""

VALID_DAYS_MAX: Final = 92
"""How long a score may be called valid: a quarter; its inputs are six months at most."""


@dataclass(frozen=True)
class Asked:
    """What a lender asks: ``inputs`` is its snapshot, ``model`` None the newest promoted version of ``name``."""

    account: AccountRef
    inputs: Mapping[str, int]
    consent: UUID
    name: str
    model: bytes | None = None
    valid_days: int = 30


class Given(msgspec.Struct, frozen=True):
    """A score on the ledger: its batch, and the hashes (hex) of model and snapshot. It is the answer that a repetition
    of the same request gets, from ``read_given``."""

    batch: str
    model: str
    snapshot: str
    as_of: int
    points: int
    probability_ppm: int
    reasons: tuple[str, ...]
    lost: tuple[int, ...]


class Models:
    """The models of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def all(self) -> list[ModelRow]:
        """Every model, by name and version."""
        async with self._node.database.reading() as connection:
            return await read_models(connection, MODELS_MAX)

    async def one(self, digest: bytes) -> ModelRow:
        """A model by its hash. Raises NotFound ``model_unknown``."""
        async with self._node.database.reading() as connection:
            row = await read_model(connection, digest)
        if row is None:
            raise NotFound("model_unknown", "no such model is registered", path="$.model")
        return row

    async def register(
        self, document: bytes, figures: bytes, baseline: bytes | None, *, expected: bytes, request: Request
    ) -> ModelRow:
        """Register a card or a challenger. Raises InvalidInput (``card_*``, ``trees_*``, ``model_hash_differs``,
        ``figures_malformed``, ``baseline_malformed``, ``challenger_inputs``), NotFound ``model_unknown`` (the card that a
        challenger was compared with), Refused ``model_unfair``, Conflict ``model_exists``, ``idempotency_*``."""
        registration = read_registration(load_model(document, allowed=RESTRICTED), figures, expected=expected)
        if isinstance(registration.model, Trees) and registration.beside is not None:
            beside = await self.one(registration.beside)
            ensure_same_inputs(registration.model, load_model(beside.document, allowed=RESTRICTED))
        if baseline is not None and read_baseline(baseline).card != expected.hex():
            raise InvalidInput("baseline_malformed", "the baseline is another model's", path="$.baseline.card")
        head, now = registration.model.document, self._node.sources.now()
        row = ModelRow(expected, head.name, head.version, document, figures, baseline, now, None, registration.beside)

        async def effect(connection: Connection) -> None:
            if not await insert_model(connection, row):
                raise Conflict("model_exists", "this model, or this name and version, is registered already",
                               advice="a changed model has a new version")  # fmt: skip

        await self._publish(model_body(registration, step="registered"), effect, request)
        return await self.one(expected)

    async def promote(self, digest: bytes, approvals: Mapping[str, bytes], *, request: Request) -> ModelRow:
        """Promote a model: ``approvals`` are approver (tenant) -> compact JWS over ``payload_of``.

        Raises NotFound ``model_unknown``, Refused (``model_never_decides``, ``approvals_*``, ``approval_*``,
        ``tenant_unknown``), Untrusted (the signature's), Conflict ``model_promoted``."""
        row = await self.one(digest)
        if row.beside is not None:
            raise Refused("model_never_decides", "a challenger runs in shadow and is not promoted", path="$.model")
        registration = registration_of(row)
        participants = await self._node.publisher.participants(*approvals)
        keys = {name: participants.keys_of(participants.tenant(name).tenant) for name in approvals}
        now = self._node.sources.now()
        checked = check_approvals(approvals, keys, payload_of(row), now=now)
        for approval in checked:
            await self._ensure_own(TenantId(approval.approver), approval.kid)

        async def effect(connection: Connection) -> None:
            if not await promote_model(connection, digest, now):
                raise Conflict("model_promoted", "this model was promoted before")

        await self._publish(model_body(registration, step="promoted", approvals=checked), effect, request)
        return await self.one(digest)

    async def in_force(self, name: str, digest: bytes | None) -> ModelRow:
        """The promoted model that is asked for. Raises NotFound ``model_unknown``, Refused ``model_not_promoted``."""
        if digest is not None:
            row = await self.one(digest)
            if row.promoted_at is None:
                raise Refused("model_not_promoted", "the model is registered and may not decide", path="$.model")
            return row
        promoted = [row for row in await self.all() if row.name == name and row.promoted_at is not None]
        if not promoted:
            raise NotFound("model_unknown", "no model of this name was promoted", path="$.name")
        return promoted[-1]

    async def _ensure_own(self, approver: TenantId, kid: str) -> None:
        async with self._node.database.reading(tenants=(approver,)) as connection:
            managed = await managed_kids(connection, approver)
        if approver == DEPLOYMENT or kid in managed:
            raise Refused("approval_key_managed", "an approver signs with a key that the deployment does not keep",
                          path="$.approvals", found=approver)  # fmt: skip

    async def _publish(self, body: Body, effect: Effect, request: Request) -> None:
        node, batch = self._node, self._node.sources.new_id()
        now = node.sources.now()
        deployment = (await node.publisher.participants()).tenant(DEPLOYMENT)
        draft = Draft(kind="model", body=body, effective_date=_day(now), jurisdiction=deployment.country)
        record = record_of(request, author=DEPLOYMENT, batch_id=batch, answer=str(batch), now=now)
        await node.publisher.publish_own(
            DEPLOYMENT, node.authority.operator, [draft], tenants=(request.tenant,), idempotency=record, effect=effect,
            batch_id=batch,
        )  # fmt: skip


class Scoring:
    """Scores and drift on one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._models = Models(node)

    async def score(self, lender: TenantId, asked: Asked, request: Request) -> Given:
        """Score a borrower of the lender's and publish it. The recorded answer is what it gives.

        Raises InvalidInput (``input_*``, ``card_data_forbidden``, ``valid_days``), NotFound (``loan_unknown``,
        ``model_unknown``, ``consent_unknown``), Refused (``consent_*``, ``model_not_promoted``, ``key_not_managed``).
        """
        if not 1 <= asked.valid_days <= VALID_DAYS_MAX:
            raise InvalidInput("valid_days", "a score is valid for a quarter at most", path="$.validDays",
                               expected=f"1 to {VALID_DAYS_MAX}", found=asked.valid_days)  # fmt: skip
        row = await self._models.in_force(asked.name, asked.model)
        country = (await self._node.publisher.participants(lender)).tenant(lender).country
        subject = await self._subject(lender, asked.account)
        named = await self._ensure_consented(lender, asked.consent, subject)
        card = _card(row.document, country, named)
        inputs = read_inputs(card, asked.inputs)
        readings = derive(card, inputs)
        scored, head = score_features(card, readings), await self._node.log.head()
        root, now = snapshot_root(card.digest, asked.inputs, head.size), self._node.sources.now()
        day, batch = _day(now), self._node.sources.new_id()
        beside = await self._shadow(card.digest, inputs, country, named)

        async def effect(connection: Connection) -> None:
            versions = (await lock_consents(connection, [asked.consent])).get(asked.consent, [])
            if _ensure_allows(versions, lender, subject, now) != named:
                raise Conflict("consent_moved", "the consent's terms changed at this moment", path="$.consent",
                               advice="ask again under the new terms")  # fmt: skip
            await self._count(connection, lender, row, card, scored, readings, now)
            if beside is not None:
                challenger, ppm = beside
                await insert_shadow(connection, ShadowRow(
                    lender, batch, subject, card.digest, challenger, day, head.size, scored.points, ppm,
                ))  # fmt: skip

        draft = Draft(
            kind="score", effective_date=day, jurisdiction=country, legal_basis="consent", subject=subject,
            body=score_body(
                card, scored, root=root, as_of=head.size, valid_until=day + timedelta(days=asked.valid_days)
            ),
        )  # fmt: skip
        key = await self._node.authority.managed_key(lender)
        given = Given(str(batch), row.digest.hex(), root.hex(), head.size, *scored)
        record = record_of(request, author=lender, batch_id=batch, answer=given, now=now)
        await self._node.publisher.publish_own(lender, key, [draft], idempotency=record, effect=effect, batch_id=batch)
        return given

    async def drift(self, lender: TenantId, digest: bytes, month: int) -> tuple[Drift, ...]:
        """How far a lender's borrowers of a month (year * 100 + month) have moved from the training rows; the score
        first. Nothing for a month without scores. Raises NotFound ``model_unknown``, ``baseline_unknown``."""
        row = await self._models.one(digest)
        if row.baseline is None:
            raise NotFound("baseline_unknown", "the model was registered without a baseline", path="$.model")
        async with self._node.database.reading(tenants=(lender,)) as connection:
            counts = await read_month(connection, lender, digest, month)
        return report(read_baseline(row.baseline), EMPTY_MONTH if counts is None else _month(counts))

    async def _shadow(
        self, card: bytes, inputs: tuple[int, ...], country: str, named: frozenset[str]
    ) -> tuple[bytes, int] | None:
        """The challenger that runs beside a card, and what it makes of these inputs; None: none runs."""
        async with self._node.database.reading() as connection:
            challenger = await challenger_beside(connection, card)
        ppm = None if challenger is None else shadow_ppm(challenger, inputs, country, named)
        return None if challenger is None or ppm is None else (challenger.digest, ppm)

    async def _subject(self, lender: TenantId, account: AccountRef) -> Subject:
        async with self._node.database.reading(tenants=(lender,)) as connection:
            found = await read_loan(connection, lender, account)
        if found is None:
            raise NotFound("loan_unknown", "no such loan", path="$.account")
        return Subject(found.subject)

    async def _ensure_consented(self, lender: TenantId, consent: UUID, subject: Subject) -> frozenset[str]:
        async with self._node.database.reading(tenants=(lender,)) as connection:
            versions = await consent_versions(connection, consent)
        return _ensure_allows(versions, lender, subject, self._node.sources.now())

    async def _count(
        self, connection: Connection, lender: TenantId, row: ModelRow, card: Scorecard, scored: Scored,
        readings: tuple[int, ...], now: int,
    ) -> None:  # fmt: skip
        if row.baseline is None:
            return
        day = _day(now)
        place = (lender, row.digest, day.year * 100 + day.month)
        before = _month(await lock_month(connection, *place, msgspec.json.encode(EMPTY_MONTH)))
        after = fold(before, read_baseline(row.baseline), scored.points, bins(card, readings))
        await write_month(connection, *place, msgspec.json.encode(after))


def registration_of(row: ModelRow) -> Registration:
    """A stored model with its figures, checked again."""
    return read_registration(load_model(row.document, allowed=RESTRICTED), row.figures, expected=row.digest)


def payload_of(row: ModelRow) -> bytes:
    """What the approvers of a stored model sign."""
    registration = registration_of(row)
    return approval_payload(row.digest, bytes.fromhex(registration.figures.challenger), registration.digest)


def _ensure_allows(versions: list[ConsentRow], lender: TenantId, subject: Subject, now: int) -> frozenset[str]:
    """The restricted kinds of data that the consent names. Raises NotFound, Refused ``consent_*``."""
    if not versions:
        raise NotFound("consent_unknown", "no such consent", path="$.consent")
    row = version_in_force(versions)
    terms: Artefact = read_artefact(row.artefact)
    if terms.subject != subject or "SCORE" not in terms.categories:
        raise Refused("consent_not_for_score", "the consent is not for scoring this borrower", path="$.consent")
    # A score reads nothing of other lenders, so it spends no reading: only state, consumer and time count.
    verdict = decide(
        ConsentState(row.state), terms, Use(0, None), consumer=lender, detail="PROFILE", now=UnixMillis(now)
    )
    if not verdict.allowed:
        raise Refused(verdict.reason, "the consent does not allow this score", path="$.consent")
    return RESTRICTED.intersection(terms.fields)


@lru_cache(maxsize=CARDS_CACHED_MAX)
def _card(document: bytes, country: str, named: frozenset[str]) -> Scorecard:
    return load_card(document, allowed=allowed_kinds(country, named))


def _month(counts: bytes) -> Month:
    return msgspec.json.decode(counts, type=Month)


def _day(now: int) -> date:
    return datetime.fromtimestamp(now / 1000, UTC).date()


def read_given(answer: object) -> Given:
    """A score from its recorded answer."""
    return msgspec.convert(answer, Given)
