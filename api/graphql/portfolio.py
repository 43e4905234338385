"""A lender's portfolio on a day: by class, by days past due, how it rolls, by vintage, at risk, and whom to call.

Rules
- The caller's own tenant's loans and nobody else's; the database enforces it besides.
- Any day may be asked for, past, present or to come; absent: today in UTC. A past day is worked out once and kept.
- Amounts are minor units of each row's currency, and are never added across currencies.
- Shares are basis points: 100 are one per cent; null of nothing.
- Buckets of days past due: 0, 1-29, 30-59, 60-89, 90-119, 120-149, 150-179, 180+; a charged-off loan stands beside
  them as ``charged_off``.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any

import strawberry

from api.auth.permissions import Permission
from api.graphql.classification import Kind, LenderKind, Retail
from api.graphql.connections import After, Connection, First, page_of
from api.graphql.context import Context, Info
from api.graphql.fields import guarded_field, guarded_type, open_type
from api.graphql.scalars import Base64, Date, page_size
from ledger.base64_strict import decode_url, encode_url
from ledger.errors import NotFound
from ledger.jurisdiction.packs import Pack, pack_for
from ledger.limits import DAYS_MAX
from ledger.node.portfolio import Risk
from ledger.store.portfolio_queries import WorkItem
from ledger.types import MinorUnits

AsOf = Annotated[Date | None, strawberry.argument(description="The day to count on; absent: today in UTC.")]
Months = Annotated[int, strawberry.argument(description="How many month ends before that day: 0 to 36.")]
DaysArgument = Annotated[int, strawberry.argument(description="Days past due.")]


@open_type(description="Running loans of one class.")
class ClassBalance:
    """Running loans of one class."""

    currency: str = strawberry.field(description="ISO 4217 code of the amounts.")
    code: str | None = strawberry.field(description="The class; null where the list is not about such loans.")
    label: str = strawberry.field(description="What the class stands for, or what is missing to tell it.")
    loans: int = strawberry.field(description="How many.")
    balance: MinorUnits = strawberry.field(description="What they owe.")
    overdue: MinorUnits = strawberry.field(description="What of it is overdue.")


@open_type(description="Running loans of a day in one bucket of days past due.")
class HeatCell:
    """Running loans of a day in one bucket of days past due."""

    day: Date = strawberry.field(description="A month's last day, or the day asked for.")
    currency: str = strawberry.field(description="ISO 4217 code of the amounts.")
    bucket: str = strawberry.field(description="The bucket, or charged_off.")
    loans: int = strawberry.field(description="How many.")
    balance: MinorUnits = strawberry.field(description="What they owe.")
    overdue: MinorUnits = strawberry.field(description="What of it is overdue.")


@open_type(description="How much of a bucket's balance went where.")
class RollCell:
    """How much of a bucket's balance went where."""

    currency: str = strawberry.field(description="ISO 4217 code of the amounts.")
    origin: str = strawberry.field(description="The bucket on the first day.")
    target: str = strawberry.field(description="The bucket on the second day; charged_off; or the stage it ended in.")
    loans: int = strawberry.field(description="How many.")
    balance: MinorUnits = strawberry.field(description="What they owed on the first day.")
    share_bp: int | None = strawberry.field(description="Share of the origin's balance.")


@open_type(description="The loans opened in one month, some months later.")
class Vintage:
    """The loans opened in one month, some months later."""

    currency: str = strawberry.field(description="ISO 4217 code of the amounts.")
    opened: Date = strawberry.field(description="First day of the month in which they were opened.")
    day: Date = strawberry.field(description="The day of these figures.")
    age: int = strawberry.field(description="Months between the two.")
    loans: int = strawberry.field(description="How many were opened.")
    lent: MinorUnits = strawberry.field(description="What was lent to them in all.")
    balance: MinorUnits = strawberry.field(description="What those that run owe.")
    over_30_bp: int | None = strawberry.field(
        name="over30Bp", description="Balance more than 30 days past due, as a share of what was lent."
    )
    over_90_bp: int | None = strawberry.field(
        name="over90Bp", description="Balance more than 90 days past due, as a share of what was lent."
    )
    lost_bp: int | None = strawberry.field(
        description="Owed by loans that were charged off or written off, as a share of what was lent."
    )


@open_type(description="A balance, and how much of it is at risk.")
class BalanceAtRisk:
    """A balance, and how much of it is at risk."""

    currency: str = strawberry.field(description="ISO 4217 code of the amounts.")
    loans: int = strawberry.field(description="Running loans that are not charged off.")
    balance: MinorUnits = strawberry.field(description="What they owe.")
    late: int = strawberry.field(description="How many of them are past due.")
    overdue: MinorUnits = strawberry.field(description="What is overdue.")
    over_30: MinorUnits = strawberry.field(name="over30", description="Owed by loans more than 30 days past due.")
    over_90: MinorUnits = strawberry.field(name="over90", description="Owed by loans more than 90 days past due.")
    par_30_bp: int | None = strawberry.field(name="par30Bp", description="The first as a share of the balance.")
    par_90_bp: int | None = strawberry.field(name="par90Bp", description="The second as a share of the balance.")
    charged_off: MinorUnits = strawberry.field(description="Owed by charged-off loans; in no other figure.")
    unknown: int = strawberry.field(description="Running loans whose balance nobody stated; they count as nothing.")


@open_type(description="One late loan.")
class LateLoan:
    """One late loan."""

    account: Base64 = strawberry.field(description="The keyed reference of the account, 32 bytes.")
    currency: str = strawberry.field(description="ISO 4217 code of the amounts.")
    product: str = strawberry.field(description="The lender's own product code.")
    days_past_due: int = strawberry.field(description="Days since the oldest due date that is not met.")
    delinquent_days: int = strawberry.field(description="The same, days of grace and of pauses left out.")
    since: Date = strawberry.field(description="The oldest due date that is not met.")
    overdue: MinorUnits = strawberry.field(description="What is overdue.")
    balance: MinorUnits = strawberry.field(description="What is owed.")
    last_paid: Date | None = strawberry.field(description="Value date of the newest repayment that is known now.")
    flags: list[str] = strawberry.field(description="charged_off, defaulted, disputed, forborne.")


@guarded_type(permission=Permission.LOANS_READ, description="The caller's portfolio on a day.")
class Portfolio:
    """The caller's portfolio on a day."""

    as_of: Date = strawberry.field(description="The day.")

    @strawberry.field(description="Running loans by the classes of one of a country's lists.")
    async def by_class(
        self,
        info: Info,
        jurisdiction: Annotated[str, strawberry.argument(description="ISO 3166 alpha-2 code of the country.")],
        scheme: Annotated[
            str | None, strawberry.argument(description="Which list; absent: the first of the country's pack.")
        ] = None,
        lender_kind: Kind = LenderKind.BANK,
        retail: Retail = True,
    ) -> list[ClassBalance]:
        """Running loans by class."""
        rows = await info.context.node.portfolio.by_class(
            info.context.tenant, _pack(jurisdiction), scheme, as_of=self.as_of, lender=lender_kind.value, retail=retail
        )
        return [ClassBalance(**_members(row)) for row in rows]

    @strawberry.field(description="Running loans by bucket of days past due, month end by month end.")
    async def heat_map(self, info: Info, months: Months = 12) -> list[HeatCell]:
        """Running loans by bucket."""
        rows = await info.context.node.portfolio.heat_map(info.context.tenant, as_of=self.as_of, months=months)
        return [HeatCell(**_members(row)) for row in rows]

    @strawberry.field(description="From which bucket to which the balance went between an earlier day and this one.")
    async def roll_rates(
        self, info: Info, since: Annotated[Date, strawberry.argument(description="The earlier day.")]
    ) -> list[RollCell]:
        """How the balance rolled."""
        rows = await info.context.node.portfolio.roll_rates(info.context.tenant, start=since, end=self.as_of)
        return [RollCell(**_members(row)) for row in rows]

    @strawberry.field(description="Loans by the month in which they were opened, month end by month end.")
    async def vintages(self, info: Info, months: Months = 12) -> list[Vintage]:
        """Loans by vintage."""
        rows = await info.context.node.portfolio.vintages(info.context.tenant, as_of=self.as_of, months=months)
        return [Vintage(**_members(row)) for row in rows]

    @strawberry.field(description="The balance at risk, by currency.")
    async def at_risk(self, info: Info) -> list[BalanceAtRisk]:
        """The balance at risk."""
        return [_risk(row) for row in await info.context.node.portfolio.at_risk(info.context.tenant, as_of=self.as_of)]

    @strawberry.field(description="Late loans: the latest first, then by the amount overdue.")
    async def worklist(
        self, info: Info, first: First, after: After = None, fewest: DaysArgument = 1, most: DaysArgument = DAYS_MAX
    ) -> Connection[LateLoan]:
        """Late loans."""
        context, size = info.context, page_size(first)
        cursors, scope = context.services.cursors, f"worklist/{context.tenant}/{self.as_of}/{fewest}/{most}"
        place = None
        if after is not None:
            days, overdue, account = cursors.decode(scope, after)
            place = int(days), int(overdue), decode_url(str(account))
        items = await context.node.portfolio.worklist(
            context.tenant, as_of=self.as_of, limit=size + 1, days=(fewest, most), after=place
        )
        shown = [
            (cursors.encode(scope, item.dpd, item.overdue, encode_url(item.account)), _late(item))
            for item in items[:size]
        ]
        return page_of(shown, more=len(items) > size, after=after)  # type: ignore[no-any-return]


def _pack(jurisdiction: str) -> Pack:
    pack = pack_for(jurisdiction)
    if pack is None:
        raise NotFound(
            "pack_unknown", "no pack of this country's rules is here", path="jurisdiction", found=jurisdiction
        )
    return pack


def _members(row: Any) -> dict[str, Any]:
    return dict(vars(row))


def _risk(row: Risk) -> BalanceAtRisk:
    return BalanceAtRisk(**row.figures._asdict(), par_30_bp=row.par_30_bp, par_90_bp=row.par_90_bp)


def _late(item: WorkItem) -> LateLoan:
    members = item._asdict()
    flags = [name for name in ("charged_off", "defaulted", "disputed", "forborne") if members.pop(name)]
    return LateLoan(days_past_due=members.pop("dpd"), delinquent_days=members.pop("delinquent"), flags=flags, **members)


def _today(context: Context) -> date:
    return datetime.fromtimestamp(context.node.sources.now() / 1000, UTC).date()


@strawberry.type
class PortfolioQuery:
    """A lender's portfolio."""

    @guarded_field(permission=Permission.LOANS_READ, description="The caller's portfolio on a day.")
    async def portfolio(self, info: Info, as_of: AsOf = None) -> Portfolio:
        """The caller's portfolio."""
        return Portfolio(as_of=as_of or Date(_today(info.context)))
