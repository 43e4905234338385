"""Scoring: models with what was measured of them, their promotion by two signatures, scores, and drift.

Rules
- The operator registers and promotes; two approvers, each with a key of its own on the ledger, sign ``approvalPayload`` as
  a compact JWS of ``typ`` ``tally-model+jws``. The operator cannot stand in for either.
- A lender scores a borrower of its own, under that borrower's consent, from inputs that the lender supplies. They are not
  kept: the ledger keeps their hash, with model, points and reasons.
- A challenger is registered by `modelRegister` too, after its card, and runs beside it without deciding. A score does not
  show what it made of the borrower; `scoreComparison` shows a lender how the two would have differed on its own.
- Reasons come with the sentence for the borrower, in English; the code is the key for other languages.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated
from uuid import UUID as Uuid

import strawberry

from api.auth.permissions import Permission
from api.graphql.context import Context, Info
from api.graphql.errors import UserError
from api.graphql.fields import guarded_field, guarded_mutation, guarded_type, open_type
from api.graphql.log import Receipt, receipt_of
from api.graphql.payloads import IDEMPOTENCY, AccountInput, Input, account_of, answered, errors_field
from api.graphql.scalars import UUID, Base64, Date, Timestamp
from api.graphql.score_comparison import ScoreComparison, comparison_of
from ledger.attestation.canonical import parse_strict
from ledger.errors import InvalidInput
from ledger.node.idempotent import Request
from ledger.node.letters import letter_for
from ledger.node.scoring import Asked, Given, Models, Scoring, payload_of, read_given
from ledger.node.shadow import Comparing
from ledger.risk.reasons import sentence
from ledger.store.model_rows import ModelRow

_HASH = "SHA-256 of the model's document, 32 bytes."


@guarded_type(permission=Permission.MODELS_READ, description="A scoring model. It holds no borrower.")
class ScoringModel:
    """A scoring model."""

    model: Base64 = strawberry.field(description=_HASH)
    name: str = strawberry.field(description="Its name.")
    version: int = strawberry.field(description="Its version, from 1.")
    document: str = strawberry.field(
        description="Canonical JSON: tallystick-scorecard/1, or tallystick-trees/1 of a challenger."
    )
    beside: Base64 | None = strawberry.field(
        description="A challenger's: the hash of the card that it runs beside, without ever deciding; null: a card."
    )
    figures: str = strawberry.field(description="What was measured of it: JSON, in basis points.")
    registered_at: Timestamp = strawberry.field(description="When it was registered.")
    promoted_at: Timestamp | None = strawberry.field(description="Since when it decides; null: it does not.")
    approval_payload: Base64 = strawberry.field(description="The bytes that two approvers sign to promote it.")


@guarded_type(permission=Permission.MODELS_READ, description="How far borrowers moved from those of the training.")
class ScoreDrift:
    """The stability of the score or of one feature."""

    name: str = strawberry.field(description="score, or the name of a feature.")
    psi_bp: int = strawberry.field(description="Population stability index in basis points; 2500 is the mark.")
    alert: bool = strawberry.field(
        description="Whether somebody has to look: above the mark, with 200 borrowers or more."
    )


@guarded_type(permission=Permission.SCORES_RECORD, description="A reason that cost points.")
class ScoreReason:
    """A reason that cost points."""

    code: str = strawberry.field(description="Its code, the key for translations.")
    sentence: str = strawberry.field(description="What to tell the borrower, in English.")
    points_lost: int = strawberry.field(description="Points lost against the best possible reading.")


@guarded_type(permission=Permission.SCORES_RECORD, description="A score that stands on the ledger.")
class Score:
    """A score that stands on the ledger."""

    attestation: UUID = strawberry.field(description="Id of its attestation.")
    model: Base64 = strawberry.field(description=_HASH)
    snapshot: Base64 = strawberry.field(description="SHA-256 of the inputs, the model and asOf, as canonical JSON.")
    as_of: int = strawberry.field(description="Number of log entries that were known.")
    points: int = strawberry.field(description="More is better.")
    probability_ppm: int = strawberry.field(description="Probability of default, in parts per million.")
    reasons: list[ScoreReason] = strawberry.field(description="At most four, the most costly first.")


@strawberry.enum(description="What was decided against the borrower.")
class AdverseDecision(Enum):
    """What was decided against the borrower."""

    DECLINED = strawberry.enum_value("declined", description="The application was not approved.")
    COUNTER_OFFER = strawberry.enum_value("counter_offer", description="Other terms were offered.")
    CLOSED = strawberry.enum_value("closed", description="The account was closed.")
    LIMIT_REDUCED = strawberry.enum_value("limit_reduced", description="The limit was reduced.")


@guarded_type(permission=Permission.SCORES_RECORD, description="A letter to the borrower, in English.")
class AdverseActionLetter:
    """A letter to the borrower."""

    text: str = strawberry.field(description="What it says.")
    reasons: list[str] = strawberry.field(description="Codes of the reasons in it, the keys for translations.")
    send_by: Date | None = strawberry.field(description="The last day to send it; null where the pack sets none.")
    receipt: Base64 = strawberry.field(description="SHA-256 of the text: the receipt of its notice attestation.")


@strawberry.input(description="A scoring model that is to be registered.")
class ModelRegisterInput:
    """A scoring model that is to be registered."""

    idempotency_key: strawberry.ID = strawberry.field(description=IDEMPOTENCY)
    model: Base64 = strawberry.field(description=_HASH)
    document: str = strawberry.field(description="The scorecard, or the challenger, as canonical JSON.")
    figures: str = strawberry.field(description="What was measured of it, as JSON.")
    baseline: str | None = strawberry.field(
        description="Histograms of the training rows as JSON; absent: drift is not counted.", default=None
    )


@strawberry.input(description="One approver's signature.")
class ModelApprovalInput:
    """One approver's signature."""

    approver: str = strawberry.field(description="Name of the tenant that approves, with its own key on the ledger.")
    signature: str = strawberry.field(description="Compact JWS over approvalPayload, typ tally-model+jws.")


@strawberry.input(description="A model that is to decide.")
class ModelPromoteInput:
    """A model that is to decide."""

    idempotency_key: strawberry.ID = strawberry.field(description=IDEMPOTENCY)
    model: Base64 = strawberry.field(description=_HASH)
    approvals: list[ModelApprovalInput] = strawberry.field(description="Two or more, of different approvers.")


@strawberry.input(description="A borrower of the caller's that is to be scored.")
class ScoreRecordInput:
    """A borrower of the caller's that is to be scored."""

    idempotency_key: strawberry.ID = strawberry.field(description=IDEMPOTENCY)
    account: AccountInput = strawberry.field(description="A loan of the borrower's at the caller.")
    consent: UUID = strawberry.field(description="The borrower's consent: category SCORE, given to the caller.")
    name: str = strawberry.field(description="The model's name: its newest promoted version scores.")
    model: Base64 | None = strawberry.field(description="This very model instead, by its hash.", default=None)
    inputs: str = strawberry.field(description="The model's inputs: a JSON object of integers.")
    valid_days: int = strawberry.field(description="How long the score is valid: 1 to 92 days.", default=30)


@strawberry.type
class ModelPayload:
    """What the payload of an act on a model holds."""

    model: ScoringModel | None = strawberry.field(description="The model.", default=None)
    errors: list[UserError] = errors_field()


@open_type(description="The answer to modelRegister.")
class ModelRegisterPayload(ModelPayload):
    """The answer to modelRegister."""


@open_type(description="The answer to modelPromote.")
class ModelPromotePayload(ModelPayload):
    """The answer to modelPromote."""


@open_type(description="The answer to scoreRecord.")
class ScoreRecordPayload:
    """The answer to scoreRecord."""

    score: Score | None = strawberry.field(description="The score.", default=None)
    receipt: Receipt | None = strawberry.field(description="Where it stands in the log.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type
class ScoringQuery:
    """Models and drift."""

    @guarded_field(permission=Permission.MODELS_READ, description="Scoring models, by name and version: at most 200.")
    async def scoring_models(self, info: Info) -> list[ScoringModel]:
        """Scoring models."""
        return [model_of(row) for row in await Models(info.context.node).all()]

    @guarded_field(
        permission=Permission.SCORES_RECORD,
        description="The letter that tells a borrower why, under the rules of the caller's country. Nothing is recorded.",
    )
    async def adverse_action_letter(
        self,
        info: Info,
        reasons: Annotated[list[str], strawberry.argument(description="Codes of a score's reasons, in its order.")],
        decided_on: Annotated[Date, strawberry.argument(description="The day of the decision.")],
        decision: Annotated[AdverseDecision, strawberry.argument(description="What was decided.")],
        statements: Annotated[
            list[str] | None, strawberry.argument(description="Sentences to stand in it word for word.")
        ] = None,
    ) -> AdverseActionLetter:
        """The letter that tells a borrower why."""
        context = info.context
        country = (await context.node.publisher.participants(context.tenant)).tenant(context.tenant).country
        letter = letter_for(country, reasons, decided_on=decided_on, action=decision.value, statements=statements or ())
        return AdverseActionLetter(
            text=letter.text, reasons=list(letter.reasons), receipt=Base64(letter.digest),
            send_by=None if letter.send_by is None else Date(letter.send_by),
        )  # fmt: skip

    @guarded_field(
        permission=Permission.MODELS_READ,
        description="Drift of the caller's borrowers in a month: the score first, then features; empty without scores.",
    )
    async def score_drift(
        self,
        info: Info,
        model: Annotated[Base64, strawberry.argument(description=_HASH)],
        month: Annotated[int, strawberry.argument(description="Year times 100 plus month, such as 202611.")],
    ) -> list[ScoreDrift]:
        """Drift of the caller's borrowers in a month."""
        context = info.context
        found = await Scoring(context.node).drift(context.tenant, _digest(model), month)
        return [ScoreDrift(name=each.name, psi_bp=each.psi_bp, alert=each.alert) for each in found]

    @guarded_field(
        permission=Permission.MODELS_READ,
        description="A card against the challengers that ran beside it, on the caller's borrowers of a month.",
    )
    async def score_comparison(
        self,
        info: Info,
        model: Annotated[Base64, strawberry.argument(description=_HASH)],
        month: Annotated[int, strawberry.argument(description="Year times 100 plus month, such as 202611.")],
        cutoff: Annotated[
            int,
            strawberry.argument(
                description="The fewest points that the caller approves; the challenger declines above that probability."
            ),
        ],
        outcome_days: Annotated[
            int,
            strawberry.argument(
                description="Days after a score in which a default counts; known once they are over: 1 to 1830."
            ),
        ] = 365,
    ) -> list[ScoreComparison]:
        """A card against the challengers that ran beside it."""
        context = info.context
        found = await Comparing(context.node).month(
            context.tenant, _digest(model), month, cutoff=cutoff, outcome_days=outcome_days
        )
        return [comparison_of(each) for each in found]


@strawberry.type
class ScoringMutation:
    """Models and scores."""

    @guarded_mutation(
        permission=Permission.MODELS_MANAGE,
        description="Register a scoring model. It does not decide before promotion.",
    )
    async def model_register(self, info: Info, input: Input[ModelRegisterInput]) -> ModelRegisterPayload:
        """Register a scoring model."""
        return await answered(ModelRegisterPayload, _register(info.context, input))

    @guarded_mutation(
        permission=Permission.MODELS_MANAGE, description="Let a model decide, with the signatures of two approvers."
    )
    async def model_promote(self, info: Info, input: Input[ModelPromoteInput]) -> ModelPromotePayload:
        """Let a model decide."""
        return await answered(ModelPromotePayload, _promote(info.context, input))

    @guarded_mutation(
        permission=Permission.SCORES_RECORD, description="Score a borrower of the caller's and put it on the ledger."
    )
    async def score_record(self, info: Info, input: Input[ScoreRecordInput]) -> ScoreRecordPayload:
        """Score a borrower of the caller's."""
        return await answered(ScoreRecordPayload, _score(info.context, input))


async def _register(context: Context, asked: ModelRegisterInput) -> ModelRegisterPayload:
    models, digest = Models(context.node), _digest(asked.model)
    texts = (asked.document, asked.figures, asked.baseline)

    async def act(request: Request) -> ModelRow:
        baseline = None if asked.baseline is None else asked.baseline.encode()
        return await models.register(
            asked.document.encode(), asked.figures.encode(), baseline, expected=digest, request=request
        )

    content = {"model": digest, "texts": texts}
    await context.services.events.once(context.tenant, asked.idempotency_key, "modelRegister", content, act)
    return ModelRegisterPayload(model=model_of(await models.one(digest)))


async def _promote(context: Context, asked: ModelPromoteInput) -> ModelPromotePayload:
    models, digest = Models(context.node), _digest(asked.model)
    approvals = {each.approver: each.signature.encode() for each in asked.approvals}
    if len(approvals) != len(asked.approvals):
        raise InvalidInput("approver_twice", "an approver stands twice", path="$.approvals")

    async def act(request: Request) -> ModelRow:
        return await models.promote(digest, approvals, request=request)

    content = {"model": digest, "approvals": approvals}
    await context.services.events.once(context.tenant, asked.idempotency_key, "modelPromote", content, act)
    return ModelPromotePayload(model=model_of(await models.one(digest)))


async def _score(context: Context, asked: ScoreRecordInput) -> ScoreRecordPayload:
    account, inputs = account_of(context, asked.account), parse_strict(asked.inputs.encode())
    if not isinstance(inputs, dict):
        raise InvalidInput("inputs_not_object", "inputs are a JSON object", path="$.inputs")
    model = None if asked.model is None else _digest(asked.model)
    consent = Uuid(asked.consent)
    wanted = Asked(account, inputs, consent, asked.name, model, asked.valid_days)  # type: ignore[arg-type]

    async def act(request: Request) -> Given:
        return await Scoring(context.node).score(context.tenant, wanted, request)

    content = {"account": account, "inputs": inputs, "consent": asked.consent, "name": asked.name, "model": model,
               "days": asked.valid_days}  # fmt: skip
    answer = await context.services.events.once(context.tenant, asked.idempotency_key, "scoreRecord", content, act)
    return await _scored(context, read_given(answer))


async def _scored(context: Context, given: Given) -> ScoreRecordPayload:
    batch, publications = Uuid(given.batch), context.services.publications
    receipt = await publications.receipt(context.tenant, batch)
    score = Score(
        attestation=UUID(str(await publications.first_attestation(context.tenant, batch))),
        model=Base64(bytes.fromhex(given.model)), snapshot=Base64(bytes.fromhex(given.snapshot)), as_of=given.as_of,
        points=given.points, probability_ppm=given.probability_ppm,
        reasons=[
            ScoreReason(code=code, sentence=sentence(code), points_lost=lost)
            for code, lost in zip(given.reasons, given.lost, strict=True)
        ],
    )  # fmt: skip
    return ScoreRecordPayload(score=score, receipt=receipt_of(receipt, context.node.origin))


def model_of(row: ModelRow) -> ScoringModel:
    """A model as the interface shows it."""
    return ScoringModel(
        model=Base64(row.digest), name=row.name, version=row.version, document=row.document.decode(),
        figures=row.figures.decode(), registered_at=Timestamp(row.registered_at),
        promoted_at=None if row.promoted_at is None else Timestamp(row.promoted_at),
        approval_payload=Base64(payload_of(row)), beside=None if row.beside is None else Base64(row.beside),
    )  # fmt: skip


def _digest(model: bytes) -> bytes:
    if len(model) != 32:
        raise InvalidInput("model_hash_length", "not a SHA-256", path="$.model", expected="32 bytes", found=len(model))
    return model
