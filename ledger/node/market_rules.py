"""Rules that look further than one line: at a debtor's debts at every lender, and at a loan's own past.

    answer = await node.market_rules.pulled("acacia", account, retail=False)                   # by the law of its country
    answer = await node.market_rules.pulled("acacia", account, retail=False, consent=id)       # by the debtor's consent
    found = await node.market_rules.judged("acacia", account, pack_for("DE"), as_of=day)       # default, observation

Rules
- What a loan's own past makes of it (ledger.view.judgement) is its lender's to ask, for any day; it is folded from the
  chain each time, and neither stored nor recorded.
- Whose law it is, is not the caller's to say: the lender's own country decides, and the pack decides whether that law
  lets a lender be told at all. Where it does not, nothing is read and nothing recorded.
- The debtor is the borrower of a loan of the caller's own; a lender learns nothing of anybody else.
- By law: an access record without a consent is published (legal basis ``legal_obligation``, purpose ``pulling_rule``), so
  that the borrower sees it. By consent: the consented read records itself, and a consent that is narrowed to some
  lenders, accounts or amounts is refused, since a share of a part says nothing.
- What leaves is ledger.jurisdiction.pulling's answer: that the rule applied or not, and counts; never a figure.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Literal
from uuid import UUID

import msgspec

from ledger.attestation.keys import PrivateKey
from ledger.attestation.sharing_kinds import Access
from ledger.consent.artefact import read_artefact, version_in_force
from ledger.errors import NotFound, Refused
from ledger.jurisdiction.packs import Pack, pack_for
from ledger.jurisdiction.pulling import Claim, Disclosure, PullAnswer, pull_across
from ledger.node.clock import Sources
from ledger.node.drafts import Draft
from ledger.node.participants import DEPLOYMENT
from ledger.node.publisher import Publisher
from ledger.node.reader import Reader
from ledger.store.consent_rows import consent_versions
from ledger.store.database import Database
from ledger.store.loan_rows import read_loan
from ledger.types import AccountRef, Subject, TenantId
from ledger.view.credit_view import Line
from ledger.view.judgement import Judgement, judge

PURPOSE = "pulling_rule"
"""Purpose code of an access that only a rule's outcome left through."""


class MarketRules:
    """The rules across lenders of one node."""

    def __init__(
        self, database: Database, publisher: Publisher, reader: Reader, operator: PrivateKey, sources: Sources
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._reader = reader
        self._operator = operator
        self._sources = sources

    async def pulled(
        self, tenant: TenantId, account: AccountRef, *, retail: bool, consent: UUID | None = None
    ) -> PullAnswer:
        """Do the debtor's debts at all lenders pull the class of this loan? Raises NotFound ``loan_unknown``,
        ``pack_unknown``, ``consent_unknown``; Refused ``consent_*``; InvalidInput ``currency_mixed``.
        """
        pack = await self._pack(tenant)
        rule = pack.document.pulling.get("market")
        basis = "law" if consent is None else "consent"
        if rule is None or basis not in rule.disclosure:
            return pull_across(pack, (), reader=tenant, retail=retail, disclosure=Disclosure("none"))
        subject = await self._debtor(tenant, account)
        if consent is not None:
            lines = await self._consented(tenant, subject, consent)
            disclosure = Disclosure("consent", str(consent))
            return pull_across(pack, claims_of(lines), reader=tenant, retail=retail, disclosure=disclosure)
        found = claims_of(await self._reader.own_lines(subject))
        disclosure = Disclosure("law", f"{pack.document.sources[rule.source].title}, {rule.at}")
        answer = pull_across(pack, found, reader=tenant, retail=retail, disclosure=disclosure)
        await self._record(tenant, subject, pack.country, len(found), answer)
        return answer

    async def judged(
        self, tenant: TenantId, account: AccountRef, pack: Pack, *, as_of: date, retail: bool = True,
        portfolio: Literal["general", "card"] = "general",
    ) -> Judgement:  # fmt: skip
        """What the rules of a pack that look back make of one of the tenant's loans. Raises NotFound ``loan_unknown``,
        Refused ``account_too_long``.
        """
        told = await self._reader.lender_chain(tenant, account)
        return judge(pack, told, as_of=as_of, retail=retail, portfolio=portfolio)

    async def _pack(self, tenant: TenantId) -> Pack:
        country = (await self._publisher.participants()).tenant(tenant).country
        pack = pack_for(country)
        if pack is None:
            raise NotFound("pack_unknown", "no pack of this country's rules is here", found=country)
        return pack

    async def _debtor(self, tenant: TenantId, account: AccountRef) -> Subject:
        async with self._database.reading(tenants=(tenant,)) as connection:
            row = await read_loan(connection, tenant, account)
        if row is None:
            raise NotFound("loan_unknown", "no such loan")
        return Subject(row.subject)

    async def _consented(self, tenant: TenantId, subject: Subject, consent: UUID) -> tuple[Line, ...]:
        async with self._database.reading(tenants=(tenant,)) as connection:
            versions = await consent_versions(connection, consent)
        if not versions:
            raise NotFound("consent_unknown", "no such consent")
        artefact = read_artefact(version_in_force(versions).artefact)
        if artefact.subject != subject:
            raise Refused("consent_other_borrower", "the consent is another borrower's", path="consent")
        narrowed = artefact.providers or artefact.accounts or artefact.filters or artefact.fields
        if narrowed or artefact.detail == "PROFILE" or not {"LOAN", "CARD"} <= set(artefact.categories):
            raise Refused("consent_narrowed", "a share of a part of the debts says nothing", path="consent",
                          advice="ask for a consent to SUMMARY of every loan and card at every lender")  # fmt: skip
        view = await self._reader.credit_view(tenant, consent, with_bundle=False)
        return view.lines

    async def _record(self, tenant: TenantId, subject: Subject, country: str, lines: int, answer: PullAnswer) -> None:
        now = self._sources.now()
        body = Access(
            consumer=tenant, detail="PROFILE", lines=lines, purpose=PURPOSE, read_at=now,
            request=self._sources.new_id(), view_hash=sha256(msgspec.json.encode(answer)).digest(),
        )  # fmt: skip
        draft = Draft(
            kind="access", body=body, effective_date=_day(now), jurisdiction=country, legal_basis="legal_obligation",
            subject=subject, role="borrower",
        )  # fmt: skip
        await self._publisher.publish_own(DEPLOYMENT, self._operator, [draft])


def claims_of(lines: tuple[Line, ...] | list[Line]) -> list[Claim]:
    """What lenders have against a debtor, of the lines of loans that run; a line without amounts claims nothing."""
    return [
        Claim(
            lender=line.lender, amount=line.balance, currency=line.currency or "", dpd=line.dpd or 0,
            non_performing=bool(line.flags and ("defaulted" in line.flags or "charged_off" in line.flags)),
        )
        for line in lines
        if line.stage == "active" and line.balance is not None and line.balance > 0
    ]  # fmt: skip


def _day(now_ms: int) -> date:
    return datetime.fromtimestamp(now_ms / 1000, UTC).date()
