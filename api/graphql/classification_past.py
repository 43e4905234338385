"""What a country's rules that look at a loan's past make of it: default and its probation, observation, upgrade.

Rules
- Only of the caller's own loans: the past is its lender's. It is folded from the loan's attestations for the day that the
  figures are for, and never stored.
- ``classification`` of such a loan counts it: days on end above the floors, a probation, an observation.
- Where no rule speaks of it, or a figure is missing, the code says so; nothing is guessed.
"""

from __future__ import annotations

from typing import Annotated, Literal

import strawberry

from api.graphql.classification import Classified, Country, Retail, cited, country_of
from api.graphql.context import Info
from api.graphql.fields import open_type
from api.graphql.scalars import Date
from ledger.errors import NotFound
from ledger.jurisdiction.observation import under_observation
from ledger.jurisdiction.packs import Pack, Ruling, pack_for
from ledger.jurisdiction.standing import Standing
from ledger.types import AccountRef, TenantId
from ledger.view.credit_view import category_of
from ledger.view.judgement import Judgement, looks_back, with_past
from ledger.view.standing import standing_of_line


@open_type(description="Who says so.")
class RuleSource:
    """Who says so."""

    rule: str = strawberry.field(description="The rule of the pack.")
    source: str = strawberry.field(description="The text that the rule is taken from.")
    clause: str = strawberry.field(description="Where in that text.")
    since: Date = strawberry.field(description="Since when the text says so.")
    grade: str = strawberry.field(description="How well that is known: primary, page or general.")


@open_type(description="Whether a loan is in default on a day, by its own history.")
class DefaultStatus:
    """Whether a loan is in default on a day, by its own history."""

    as_of: Date = strawberry.field(description="The day.")
    code: str = strawberry.field(
        description="defaulted, probation, not_defaulted, not_running; value_none, value_national or value_unverified "
        "where the country has no such rule here; materiality_unknown or currency_unconverted where the answer hangs on "
        "what is not known."
    )
    counter_days: int = strawberry.field(description="Days on end with arrears above the floors, up to the day.")
    since: Date | None = strawberry.field(description="When the default began.")
    trigger: str | None = strawberry.field(description="days_past_due or unlikely_to_pay.")
    clear_since: Date | None = strawberry.field(description="When its conditions ended; null while they last.")
    probation_until: Date | None = strawberry.field(description="The first day on which a cure may be attested.")
    cure: str = strawberry.field(
        description="cure_allowed, or why a cure may not be attested: not_defaulted, conditions_hold, arrears_open, "
        "probation_runs, value_none and the like."
    )
    ruling: RuleSource | None = strawberry.field(description="The rule that the days are counted by.")


@open_type(description="Whether a loan is watched on a day before it may be called good again.")
class Observation:
    """Whether a loan is watched on a day before it may be called good again."""

    as_of: Date = strawberry.field(description="The day.")
    observed: bool = strawberry.field(description="Whether a restructured loan is still under observation.")
    restructured_since: Date | None = strawberry.field(
        description="The first due date under the newest terms that came with forbearance."
    )
    periods: int | None = strawberry.field(description="Due dates that have passed from it on; null: no plan is known.")
    bad: bool = strawberry.field(description="Whether a loan that was bad may not be called good yet.")
    upgrade: str | None = strawberry.field(
        description="Of a loan that was bad: upgrade_allowed, arrears_open, periods_short or time_short."
    )
    upgrade_from: Date | None = strawberry.field(
        description="The earliest day of an upgrade if every payment until then is made; null: not to be said yet."
    )


@strawberry.type
class Judged(Classified):
    """A lender's own loan, whose past its lender may ask about."""

    @strawberry.field(description="Whether it is in default on the day of its figures, by its own history.")
    async def default_status(self, info: Info, jurisdiction: Country = None, retail: Retail = True) -> DefaultStatus:
        """Whether it is in default."""
        found = await self._judged(info, await self._pack(info, jurisdiction), retail)
        status = found.default
        return DefaultStatus(
            as_of=Date(found.as_of), code=status.code, counter_days=status.counter_days, since=status.since,
            trigger=status.trigger, clear_since=status.clear_since, probation_until=status.probation_until,
            cure=found.cure.code, ruling=_source(status.ruling),
        )  # fmt: skip

    @strawberry.field(description="Whether it is watched on the day of its figures, by its own history.")
    async def observation(
        self,
        info: Info,
        jurisdiction: Annotated[
            str | None,
            strawberry.argument(description="ISO 3166 alpha-2 code of the country; absent: the lender's own."),
        ] = None,
    ) -> Observation:
        """Whether it is watched."""
        pack = await self._pack(info, jurisdiction)
        found, standing = await self._judged(info, pack), standing_of_line(self.line)
        watch = found.upgrade
        return Observation(
            as_of=Date(found.as_of),
            observed=standing is not None and under_observation(pack, with_past(standing, found)),
            restructured_since=found.restructured_since,
            periods=found.periods_since,
            bad=found.bad,
            upgrade=None if watch is None else watch.code,
            upgrade_from=None if watch is None else watch.earliest,
        )

    async def looked_back(self, info: Info, country: str, standing: Standing) -> Standing:
        """The standing with what the loan's past adds by a country's rules."""
        pack = pack_for(country)
        if pack is None or not looks_back(pack):
            return standing
        return with_past(standing, await self._judged(info, pack, standing.retail))

    async def _pack(self, info: Info, jurisdiction: str | None) -> Pack:
        country = jurisdiction or await country_of(info, self.line.lender)
        pack = pack_for(country)
        if pack is None:
            raise NotFound(
                "pack_unknown", "no pack of this country's rules is here", path="jurisdiction", found=country
            )
        return pack

    async def _judged(self, info: Info, pack: Pack, retail: bool = True) -> Judgement:
        line = self.line
        portfolio: Literal["general", "card"] = "card" if category_of(line) == "CARD" else "general"
        return await info.context.node.market_rules.judged(
            TenantId(line.lender), AccountRef(line.account), pack, as_of=line.as_of, retail=retail,
            portfolio=portfolio,
        )  # fmt: skip


def _source(ruling: Ruling | None) -> RuleSource | None:
    return None if ruling is None else RuleSource(**cited(ruling))
