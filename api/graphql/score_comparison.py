"""What a lender sees of a challenger: how it and the card would have decided on that lender's own borrowers of a month.

Rules
- Counts and figures alone: no borrower, no reading of one, and nothing of another lender's.
- An outcome is the caller's own word, by its own attestations (ledger/risk/comparison.py says which); where there is none
  yet, the figures that need one are null.
"""

from __future__ import annotations

import strawberry

from api.auth.permissions import Permission
from api.graphql.fields import guarded_type
from api.graphql.scalars import Base64
from ledger.node.shadow import MonthComparison


@guarded_type(permission=Permission.MODELS_READ, description="How it ended, as far as it is known, and who foresaw it.")
class ScoreOutcomes:
    """How it ended, and who foresaw it."""

    borrowers: int = strawberry.field(description="Borrowers whose outcome is known.")
    defaulted: int = strawberry.field(
        description="Of these, whose loan at the caller was declared in default or charged off within the window."
    )
    card_auc_ppm: int | None = strawberry.field(
        description="Area under the curve, parts per million; null when all paid or all defaulted."
    )
    challenger_auc_ppm: int | None = strawberry.field(description="The same of the challenger, same borrowers.")
    card_ks_ppm: int | None = strawberry.field(description="Kolmogorov and Smirnov's distance, parts per million.")
    challenger_ks_ppm: int | None = strawberry.field(description="The same of the challenger, same borrowers.")


@guarded_type(
    permission=Permission.MODELS_READ, description="A card and a challenger on the caller's borrowers of a month."
)
class ScoreComparison:
    """A card and a challenger on the caller's borrowers of a month."""

    challenger: Base64 = strawberry.field(description="SHA-256 of the challenger's document, 32 bytes.")
    scores: int = strawberry.field(description="Scores that the challenger ran beside.")
    borrowers: int = strawberry.field(description="Borrowers among them; each counts once below, as last scored.")
    both_approve: int = strawberry.field(description="Approved by both.")
    both_decline: int = strawberry.field(description="Declined by both.")
    only_card_declines: int = strawberry.field(description="Declined by the card alone.")
    only_challenger_declines: int = strawberry.field(description="Declined by the challenger alone.")
    agree_bp: int = strawberry.field(description="The share whom both treat alike, in basis points.")
    card_psi_bp: int | None = strawberry.field(
        description="Stability of the points against the training rows, basis points; null without a baseline."
    )
    challenger_psi_bp: int | None = strawberry.field(description="The same of the challenger's probability.")
    outcomes: ScoreOutcomes = strawberry.field(description="How it ended for those whose window is over.")


def comparison_of(month: MonthComparison) -> ScoreComparison:
    """A comparison as the interface shows it."""
    found = month.found
    return ScoreComparison(
        challenger=Base64(month.challenger), scores=month.scores, borrowers=found.borrowers,
        both_approve=found.both_approve, both_decline=found.both_decline, only_card_declines=found.only_card,
        only_challenger_declines=found.only_challenger, agree_bp=found.agree_bp, card_psi_bp=found.card_psi_bp,
        challenger_psi_bp=found.challenger_psi_bp, outcomes=ScoreOutcomes(**found.outcomes._asdict()),
    )  # fmt: skip
