"""Bad claims that pull a debtor's other claims along, and who may be told so.

    answer = pull_across(pack, claims, reader="acacia", retail=False, disclosure=Disclosure("consent", evidence))
    answer.applied, answer.claims_counted, answer.lenders_counted

Rules
- At one lender: more than the pack's share of a debtor's claims that is non-performing (China, art. 7, non-retail) or
  past due (the Union's 20 per cent) pulls all of them to at least the pack's class. It rests on the lender's own data.
- Across lenders: more than the pack's share of *all* debts past due more than the pack's days pulls a non-retail
  debtor's claims at every bank. Only a ledger that several lenders share can compute it.
- Shares are by amount, strictly more, in integers; claims in two currencies have no share and are refused.
- Who may learn what. A lender is told across lenders only if it has a claim on the debtor itself, and only on a basis
  that the pack allows: the debtor's consent, or the pack's own law. It is told that the rule applied, or not, and how
  many claims and lenders were counted: never an amount, never a name, never a share.
- With fewer than ``LENDERS_MIN`` lenders the counts are withheld: with two lenders "one other claim, and it is late"
  would be the other's figure, were the lender to take its own away.
- The consent or the law is named by the caller and goes into the answer, so that the record of the access can show it.

It reads nothing and records nothing: the node takes the facts from the ledger and publishes the access.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ledger.errors import InvalidInput
from ledger.jurisdiction.document import Pull
from ledger.jurisdiction.packs import Pack, Ruling

LENDERS_MIN: Final = 3
"""Lenders with a claim from which on counts are told: the reader and at least two others."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What one lender has against the debtor: minor units of ``currency``, days past due, and its own class."""

    lender: str
    amount: int
    currency: str
    dpd: int = 0
    non_performing: bool = False


@dataclass(frozen=True)
class Disclosure:
    """On which basis the reader asks: ``none``, the debtor's ``consent``, or the pack's ``law``. ``evidence`` names the
    consent, or the provision."""

    basis: Literal["none", "consent", "law"]
    evidence: str = ""


@dataclass(frozen=True)
class PullAnswer:
    """What the reader learns. ``applied`` is None when it may not know, or no rule exists; ``code`` says which:
    ``applied``, ``not_applied``, ``retail_exempt``, ``disclosure_refused``, ``no_claim``, or ``value_*``."""

    code: str
    applied: bool | None = None
    at_least: str | None = None
    claims_counted: int | None = None
    claims_bad: int | None = None
    lenders_counted: int | None = None
    basis: str = ""
    evidence: str = ""
    ruling: Ruling | None = None


def pull_at_lender(pack: Pack, claims: Sequence[Claim], *, retail: bool) -> PullAnswer:
    """Do a debtor's bad claims at one lender pull the others? Raises InvalidInput ``currency_mixed``, ``lender_mixed``.

    ``claims`` are those of one lender; the answer is for that lender, so that nothing is withheld.
    """
    key = "lender" if "lender" in pack.document.pulling else "exposure"
    rule = pack.document.pulling.get("lender") or pack.document.pulling.get("exposure")
    if rule is None:
        return PullAnswer(pack.why_absent("pulling.lender"))
    ruling = pack.ruling(rule, f"pulling.{key}")
    if retail and not rule.retail:
        return PullAnswer("retail_exempt", False, ruling=ruling)
    if len({claim.lender for claim in claims}) > 1:
        raise InvalidInput("lender_mixed", "the claims of one lender", path="$.claims")
    applied = _applies(rule, claims)
    return PullAnswer(
        "applied" if applied else "not_applied", applied, rule.to if applied else None, len(claims),
        sum(_bad(rule, claim) for claim in claims), 1, ruling=ruling,
    )  # fmt: skip


def pull_across(
    pack: Pack, claims: Sequence[Claim], *, reader: str, retail: bool, disclosure: Disclosure
) -> PullAnswer:
    """Do a debtor's debts at all lenders pull its claims, and may ``reader`` know? Raises InvalidInput
    ``currency_mixed``, ``evidence_missing``.
    """
    rule = pack.document.pulling.get("market")
    if rule is None:
        return PullAnswer(pack.why_absent("pulling.market"))
    ruling = pack.ruling(rule, "pulling.market")
    if disclosure.basis not in rule.disclosure:
        return PullAnswer("disclosure_refused", basis=disclosure.basis, ruling=ruling)
    if not disclosure.evidence:
        raise InvalidInput("evidence_missing", "a basis names the consent or the provision", path="$.disclosure")
    if all(claim.lender != reader for claim in claims):
        return PullAnswer("no_claim", basis=disclosure.basis, evidence=disclosure.evidence, ruling=ruling)
    if retail and not rule.retail:
        return PullAnswer("retail_exempt", False, basis=disclosure.basis, evidence=disclosure.evidence, ruling=ruling)
    applied = _applies(rule, claims)
    lenders = len({claim.lender for claim in claims})
    told = lenders >= LENDERS_MIN
    return PullAnswer(
        "applied" if applied else "not_applied", applied, rule.to if applied else None,
        len(claims) if told else None, sum(_bad(rule, claim) for claim in claims) if told else None,
        lenders if told else None, disclosure.basis, disclosure.evidence, ruling,
    )  # fmt: skip


def _bad(rule: Pull, claim: Claim) -> bool:
    return claim.non_performing if rule.bad == "non_performing" else claim.dpd > rule.days


def _applies(rule: Pull, claims: Sequence[Claim]) -> bool:
    if len({claim.currency for claim in claims}) > 1:
        raise InvalidInput("currency_mixed", "a share needs amounts of one currency", path="$.claims",
                           advice="convert the amounts at one day's rate first")  # fmt: skip
    whole = sum(claim.amount for claim in claims)
    bad = sum(claim.amount for claim in claims if _bad(rule, claim))
    return bad * 10_000 > whole * rule.value
