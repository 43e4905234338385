"""What a country calls a loan: the codes of its pack, each with its rule, source and date.

Rules
- A class is worked out from the figures that the caller sees, for the day that they are for, and never stored.
- The country is the lender's own unless the caller names another. A country without a pack gives no codes, and its
  ``status`` says so.
- Where the consent leaves out a figure that a class rests on there is none (``figures_withheld``).
- Of its lender's own loan the rules that look back count too (classification_past.py); whoever sees one line sees what the
  line's figures of the day give.
"""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Annotated, Any

import strawberry

from api.graphql.context import Info
from api.graphql.fields import open_type
from api.graphql.scalars import Date
from ledger.jurisdiction import classification as ledger_classes
from ledger.jurisdiction.packs import Ruling
from ledger.jurisdiction.standing import Standing
from ledger.view.credit_view import Line
from ledger.view.standing import standing_of_line


@strawberry.enum(description="Which of a country's lists apply to the lender.")
class LenderKind(Enum):
    """Which of a country's lists apply to the lender."""

    BANK = strawberry.enum_value("bank", description="A bank, and whoever goes by a bank's rules.")
    MICROFINANCE = strawberry.enum_value("microfinance", description="A microfinance institution.")


@open_type(description="One code of one list, and who says so.")
class ClassificationCode:
    """One code of one list, and who says so."""

    scheme: str = strawberry.field(description="Which list: cn_general, metro2_status, eu_default and so on.")
    title: str = strawberry.field(description="The list's name for people.")
    code: str = strawberry.field(description="The code, as the list writes it.")
    label: str = strawberry.field(description="What the code stands for.")
    because: str = strawberry.field(description="The number of days, or the fact, that gave it.")
    rule: str = strawberry.field(description="The rule of the pack that gave it.")
    source: str = strawberry.field(description="The text that the rule is taken from.")
    clause: str = strawberry.field(description="Where in that text.")
    since: Date = strawberry.field(description="Since when the text says so.")
    grade: str = strawberry.field(description="How well that is known: primary, page or general.")


@open_type(description="A list that gives no code, and what it lacks.")
class ClassificationGap:
    """A list that gives no code, and what it lacks."""

    scheme: str = strawberry.field(description="Which list.")
    code: str = strawberry.field(description="materiality_unknown or currency_unconverted.")


@open_type(description="Every code that a country's rules give a loan on a day.")
class Classification:
    """Every code that a country's rules give a loan on a day."""

    jurisdiction: str = strawberry.field(description="ISO 3166 alpha-2 code of the country.")
    status: str = strawberry.field(description="classified, pack_unknown or figures_withheld.")
    as_of: Date = strawberry.field(description="The day that the codes are for.")
    pack: str | None = strawberry.field(description="The pack that gave them: the country's, or its union's.")
    version: int | None = strawberry.field(description="The pack's version.")
    digest: str | None = strawberry.field(description="SHA-256 of the pack's text, hex.")
    codes: list[ClassificationCode] = strawberry.field(description="The codes, one for each list that applies.")
    undecided: list[ClassificationGap] = strawberry.field(description="Lists that lack a figure.")


Country = Annotated[
    str | None, strawberry.argument(description="ISO 3166 alpha-2 code of the country; absent: the lender's own.")
]
Kind = Annotated[LenderKind, strawberry.argument(description="Which lists apply where a country has several.")]
Retail = Annotated[bool, strawberry.argument(description="Whether the borrower is a consumer or a small firm.")]


@strawberry.type
class Classified:
    """Whatever carries a line's figures: a lender's own loan, and a tradeline."""

    line: strawberry.Private[Line]

    @strawberry.field(description="What a country's rules call the loan, on the day that its figures are for.")
    async def classification(
        self, info: Info, jurisdiction: Country = None, lender_kind: Kind = LenderKind.BANK, retail: Retail = True
    ) -> Classification:
        """What a country's rules call the loan."""
        country = jurisdiction or await country_of(info, self.line.lender)
        standing = standing_of_line(self.line, lender=lender_kind.value, retail=retail)
        if standing is None:
            return _empty(country, "figures_withheld", self.line.as_of)
        return shown(ledger_classes.classify_in(country, await self.looked_back(info, country, standing)))

    async def looked_back(self, info: Info, country: str, standing: Standing) -> Standing:
        """The standing with what the loan's past adds; of a line alone that is nothing."""
        return standing


async def country_of(info: Info, lender: str) -> str:
    """The country of a lender, whose rules its loans go by."""
    return (await info.context.node.publisher.participants()).tenant(lender).country


def _empty(country: str, status: str, as_of: date) -> Classification:
    return Classification(
        jurisdiction=country, status=status, as_of=Date(as_of), pack=None, version=None, digest=None, codes=[],
        undecided=[],
    )  # fmt: skip


def shown(found: ledger_classes.Classification) -> Classification:
    """A classification as the API shows it."""
    return Classification(
        jurisdiction=found.jurisdiction,
        status=found.code,
        as_of=Date(found.as_of),
        pack=found.pack,
        version=found.version,
        digest=found.digest,
        codes=[_code(code) for code in found.codes],
        undecided=[ClassificationGap(scheme=gap.scheme, code=gap.code) for gap in found.undecided],
    )


def _code(code: ledger_classes.Code) -> ClassificationCode:
    return ClassificationCode(
        scheme=code.scheme, title=code.title, code=code.code, label=code.label, because=code.because,
        **cited(code.ruling),
    )  # fmt: skip


def cited(ruling: Ruling) -> dict[str, Any]:
    """Who says so, as members of a type."""
    return {
        "rule": ruling.rule,
        "source": ruling.source,
        "clause": ruling.at,
        "since": Date(ruling.date),
        "grade": ruling.grade,
    }
