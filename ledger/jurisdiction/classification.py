"""What a country calls a loan: every code of its pack, each with the rule and the source that gave it.

    found = classify(pack_for("CN"), Standing(as_of=day, dpd=95, currency="CNY"))
    [(code.scheme, code.code) for code in found.codes]
    [('cn_general', 'substandard'), ('pboc_month', '4'), ('ifrs9_stage', '3')]

Rules
- One integer of days past due, many codes: bands differ by country and by list (30 days are bucket 1 in Metro 2 and
  still '1' of the PBoC, whose '2' begins at 31). The bands are data.
- Codes are derived for a day, when somebody asks, and never stored as truth.
- First the facts that replace a band (a charge-off is L, whatever the days), else the band, then the facts that raise it.
- A loan that is not running has no band: only a fact gives it a code.
- A list that needs what is not known gives no code and says what is missing (``undecided``).
- No pack: no codes, and ``pack_unknown`` says so. A guess would be worse than an empty answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from ledger.errors import NotFound
from ledger.jurisdiction.document import Band, FactRule, Scheme
from ledger.jurisdiction.observation import under_observation
from ledger.jurisdiction.packs import Pack, Ruling, pack_for
from ledger.jurisdiction.standing import COUNTED_STAGES, Standing, facts_of


@dataclass(frozen=True)
class Code:
    """One code of one list. ``because`` says in words which number or fact gave it."""

    scheme: str
    title: str
    code: str
    label: str
    because: str
    ruling: Ruling


@dataclass(frozen=True)
class Undecided:
    """A list that gives no code, and what it lacks: ``materiality_unknown`` or ``currency_unconverted``."""

    scheme: str
    title: str
    code: str


@dataclass(frozen=True)
class Classification:
    """Every code of a loan on ``as_of``. ``pack`` is None, and ``code`` is ``pack_unknown``, where there is no pack."""

    as_of: date
    jurisdiction: str
    code: str
    pack: str | None = None
    version: int | None = None
    digest: str | None = None
    codes: tuple[Code, ...] = ()
    undecided: tuple[Undecided, ...] = ()

    def of(self, scheme: str) -> str | None:
        """The code of one list; None where it gave none."""
        return next((found.code for found in self.codes if found.scheme == scheme), None)


def classify_in(jurisdiction: str, standing: Standing) -> Classification:
    """The codes of a loan in a country, by its ISO 3166 code. Raises InvalidInput ``fact_unknown``."""
    pack = pack_for(jurisdiction)
    if pack is None:
        return Classification(standing.as_of, jurisdiction, "pack_unknown")
    return classify(pack, standing)


def classify(pack: Pack, standing: Standing) -> Classification:
    """Every code that the pack gives the loan. Raises InvalidInput ``fact_unknown``."""
    found: list[Code] = []
    undecided: list[Undecided] = []
    for name in pack.document.classification:
        answer = code_in(pack, name, standing)
        if isinstance(answer, Code):
            found.append(answer)
        elif answer is not None:
            undecided.append(answer)
    return Classification(
        standing.as_of, pack.country, "classified", pack.code, pack.version, pack.digest, tuple(found), tuple(undecided)
    )


def code_in(pack: Pack, scheme: str, standing: Standing) -> Code | Undecided | None:
    """The code of one list of the pack; None where the list is not about such a loan. Raises InvalidInput
    ``fact_unknown``, NotFound ``pack_list_unknown``.
    """
    found = pack.document.classification.get(scheme)
    if found is None:
        raise NotFound("pack_list_unknown", "the pack has no such list", path="$.scheme",
                       expected=", ".join(pack.document.classification), found=scheme)  # fmt: skip
    if not _applies(found, standing):
        return None
    facts = facts_of(standing) | ({"observed"} if under_observation(pack, standing) else set())
    return _code(pack, scheme, found, standing, facts)


def _applies(scheme: Scheme, standing: Standing) -> bool:
    return scheme.portfolio in ("any", standing.portfolio) and scheme.lender in ("any", standing.lender)


def _code(pack: Pack, name: str, scheme: Scheme, standing: Standing, facts: frozenset[str]) -> Code | Undecided | None:
    for rule in scheme.instead:
        if rule.when in facts:
            return _by_fact(pack, name, scheme, rule, rule.label)
    if standing.stage not in COUNTED_STAGES or facts & {"closed", "deleted", "deleted_fraud", "transferred"}:
        return None
    days = _days(pack, scheme, standing)
    if isinstance(days, str) and _place(scheme, standing.dpd) == 0:
        days = standing.dpd  # whether the arrears are material makes no difference yet
    order = [band.code for band in scheme.bands]
    raising = [rule for rule in scheme.at_least if rule.when in facts]
    highest = max(raising, key=lambda rule: order.index(rule.code), default=None)
    if isinstance(days, str):
        if highest is None or highest.code != order[-1]:
            return Undecided(name, scheme.title, days)
        return _by_fact(pack, name, scheme, highest, scheme.bands[-1].label)
    band = _band(name, scheme, days, standing.rebutted)
    if highest is not None and order.index(highest.code) > order.index(band.code):
        return _by_fact(pack, name, scheme, highest, scheme.bands[order.index(highest.code)].label)
    return Code(name, scheme.title, band.code, band.label, _span(band, days), pack.ruling(band, f"{name}:{band.code}"))


def _by_fact(pack: Pack, name: str, scheme: Scheme, rule: FactRule, label: str) -> Code:
    ruling = pack.ruling(rule, f"{name}:{rule.code}:{rule.when}")
    return Code(name, scheme.title, rule.code, label, rule.when.replace("_", " "), ruling)


def _band(name: str, scheme: Scheme, days: int, rebutted: frozenset[str]) -> Band:
    """The band that covers ``days``; a rebuttable one that was rebutted gives way to the one before it."""
    place = _place(scheme, days)
    while scheme.bands[place].rebuttable and f"{name}:{scheme.bands[place].code}" in rebutted:
        place -= 1
    return scheme.bands[place]


def _place(scheme: Scheme, days: int) -> int:
    return next(at for at, band in enumerate(scheme.bands) if band.to_days is None or days <= band.to_days)


def _span(band: Band, days: int) -> str:
    reach = f"{band.from_days} to {band.to_days}" if band.to_days is not None else f"{band.from_days} or more"
    return f"{days} days, in the band of {reach}"


def _days(pack: Pack, scheme: Scheme, standing: Standing) -> int | str:
    """The number that the list counts, or the code of what is missing to count it."""
    if scheme.counts == "dpd":
        return standing.dpd
    if scheme.counts == "delinquent_days":
        return standing.dpd if standing.delinquent_days is None else standing.delinquent_days
    return material_days(pack, standing)


def material_days(pack: Pack, standing: Standing) -> int | str:
    """Days past due above the floors of materiality: 0 below them; ``materiality_unknown`` or
    ``currency_unconverted`` where it cannot be said. A pack without floors counts every day."""
    rules = pack.document.default
    if standing.material_days is not None:
        return standing.material_days
    if rules is None or standing.dpd == 0:
        return standing.dpd
    floor = rules.absolute_retail if standing.retail else rules.absolute_other
    if standing.amount_past_due is None or standing.exposure is None:
        return "materiality_unknown"
    if standing.currency != floor.currency:
        return "currency_unconverted"
    return standing.dpd if is_material(pack, standing.amount_past_due, standing.exposure, standing.retail) else 0


def is_material(pack: Pack, past_due: int, exposure: int, retail: bool) -> bool:
    """Whether arrears are above both floors of the pack; amounts in minor units of the floors' currency."""
    rules = pack.document.default
    if rules is None:
        return past_due > 0
    floor = rules.absolute_retail if retail else rules.absolute_other
    return past_due > floor.value and past_due * 10_000 > exposure * rules.relative.value
