"""Contract terms: the attributes of the ACTUS dictionary that these contract types use, typed.

Rules
- Names outside are the dictionary's (``notionalPrincipal``); inside the same words in our spelling.
- Numbers are exact: a decimal string or an integer becomes a Fraction; binary floats are read by their shortest decimal.
- Times have no zone. A date stands for its midnight; 23:59:59 keeps its place in the order of events and counts as the
  end of its day (ISO 8601's 24:00) where interest is computed.
- An array attribute may be a single value; one value where several are asked for counts for all.
- Attributes that these types do not use are ignored, an absent or empty one is undefined (None).

>>> parse_terms({"contractType": "PAM", "statusDate": "2024-01-01", "initialExchangeDate": "2024-01-02"}).contract_type
'PAM'

Values are checked for form, not for sense: whether a contract can be scheduled shows when it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Final

from ledger.errors import InvalidInput
from ledger.loan.actus.cycle import Cycle

CONTRACT_TYPES: Final = ("ANN", "CLM", "LAM", "LAX", "NAM", "PAM", "UMP")
"""The contract types that can be scheduled here."""

ROLE_SIGNS: Final = {
    "RPA": 1, "LG": 1, "BUY": 1, "RFL": 1, "COL": 1, "CNO": 1, "OBL": 1, "UDL": 1, "UDLP": 1,
    "RPL": -1, "ST": -1, "SEL": -1, "PFL": -1, "GUA": -1, "UDLM": -1,
}  # fmt: skip
"""R(contractRole): +1 for a claim, -1 for an obligation (ACTUS, contract role sign convention)."""

_DAY_COUNTS: Final = {
    "AA": "actual/actual", "AAISDA": "actual/actual", "A360": "actual/360", "A365": "actual/365",
    "30E360": "30e/360", "30360": "30/360",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Terms:
    """One contract as of ``status_date``. Money in any one unit, rates as yearly fractions, times without zone."""

    contract_type: str
    contract_role: str = "RPA"
    currency: str = ""
    status_date: datetime
    initial_exchange_date: datetime
    maturity_date: datetime | None = None
    amortization_date: datetime | None = None
    notional_principal: Fraction = Fraction(0)
    premium_discount_at_ied: Fraction = Fraction(0)
    # interest
    nominal_interest_rate: Fraction | None = None
    accrued_interest: Fraction | None = None
    day_count: str = "actual/365"
    cycle_anchor_date_of_interest_payment: datetime | None = None
    cycle_of_interest_payment: Cycle | None = None
    capitalization_end_date: datetime | None = None
    interest_calculation_base: str = "NT"
    interest_calculation_base_amount: Fraction | None = None
    cycle_anchor_date_of_interest_calculation_base: datetime | None = None
    cycle_of_interest_calculation_base: Cycle | None = None
    # principal
    cycle_anchor_date_of_principal_redemption: datetime | None = None
    cycle_of_principal_redemption: Cycle | None = None
    next_principal_redemption_payment: Fraction | None = None
    # arrays of LAX
    array_cycle_anchor_date_of_principal_redemption: tuple[datetime, ...] = ()
    array_cycle_of_principal_redemption: tuple[Cycle, ...] = ()
    array_next_principal_redemption_payment: tuple[Fraction, ...] = ()
    array_increase_decrease: tuple[str, ...] = ()
    array_cycle_anchor_date_of_interest_payment: tuple[datetime, ...] = ()
    array_cycle_of_interest_payment: tuple[Cycle, ...] = ()
    array_cycle_anchor_date_of_rate_reset: tuple[datetime, ...] = ()
    array_cycle_of_rate_reset: tuple[Cycle, ...] = ()
    array_rate: tuple[Fraction, ...] = ()
    array_fixed_variable: tuple[str, ...] = ()
    # rate reset
    cycle_anchor_date_of_rate_reset: datetime | None = None
    cycle_of_rate_reset: Cycle | None = None
    market_object_code_of_rate_reset: str | None = None
    rate_multiplier: Fraction = Fraction(1)
    rate_spread: Fraction = Fraction(0)
    next_reset_rate: Fraction | None = None
    life_cap: Fraction | None = None
    life_floor: Fraction | None = None
    period_cap: Fraction | None = None
    period_floor: Fraction | None = None
    # scaling
    scaling_effect: str = "OOO"
    market_object_code_of_scaling_index: str | None = None
    scaling_index_at_contract_deal_date: Fraction | None = None
    notional_scaling_multiplier: Fraction = Fraction(1)
    interest_scaling_multiplier: Fraction = Fraction(1)
    cycle_anchor_date_of_scaling_index: datetime | None = None
    cycle_of_scaling_index: Cycle | None = None
    # fees and penalties
    fee_rate: Fraction | None = None
    fee_basis: str = "N"
    fee_accrued: Fraction | None = None
    cycle_anchor_date_of_fee: datetime | None = None
    cycle_of_fee: Cycle | None = None
    penalty_type: str = "O"
    penalty_rate: Fraction = Fraction(0)
    # purchase, termination, notice
    purchase_date: datetime | None = None
    price_at_purchase_date: Fraction = Fraction(0)
    termination_date: datetime | None = None
    price_at_termination_date: Fraction = Fraction(0)
    x_day_notice: Cycle | None = None
    # conventions
    business_day_convention: str | None = None
    calendar: str = "NC"
    end_of_month_convention: str = "SD"

    @property
    def sign(self) -> int:
        """R(contractRole): +1 when the contract is a claim of the party whose books these are, -1 when it owes."""
        return ROLE_SIGNS[self.contract_role]

    @property
    def eom(self) -> bool:
        """Whether schedules that start on a month's end stay on month ends."""
        return self.end_of_month_convention == "EOM"


def parse_terms(attributes: Mapping[str, object]) -> Terms:
    """Terms from the dictionary's attribute names. Raises InvalidInput ``terms_malformed`` with the attribute."""
    values = {
        name: parse(attribute, attributes[attribute])
        for attribute, (name, parse) in _ATTRIBUTES.items()
        if attributes.get(attribute) not in (None, "", [])
    }
    for required in ("contractType", "statusDate", "initialExchangeDate"):
        if _ATTRIBUTES[required][0] not in values:
            raise _malformed(required, "a value", None)
    return Terms(**values)  # type: ignore[arg-type]


def parse_moment(attribute: str, value: object) -> datetime:
    """A time without zone from ISO 8601, with or without time of day."""
    text = str(value).strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _malformed(attribute, "an ISO 8601 date or date and time without zone", text) from None
    if moment.tzinfo is not None:
        raise _malformed(attribute, "a time without zone", text)
    return moment


def parse_number(attribute: str, value: object) -> Fraction:
    """An exact number from a decimal string, an integer or the shortest decimal of a float."""
    text = str(value).strip()
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number.adjusted()) > 40 or isinstance(value, bool):
        raise _malformed(attribute, "a decimal number", text)
    return Fraction(number)


def _malformed(attribute: str, expected: str, found: object) -> InvalidInput:
    return InvalidInput(
        "terms_malformed", "a contract term is not in its form", path=f"$.{attribute}", expected=expected, found=found
    )


def _parse_cycle(attribute: str, value: object) -> Cycle:
    try:
        return Cycle.parse(str(value).strip())
    except InvalidInput as error:
        raise _malformed(attribute, str(error.expected), value) from None


def _parse_text(attribute: str, value: object) -> str:
    return str(value).strip()


def _one_of(*accepted: str) -> Callable[[str, object], str]:
    def parse(attribute: str, value: object) -> str:
        text = str(value).strip()
        if text not in accepted:
            raise _malformed(attribute, ", ".join(accepted), text)
        return text

    return parse


def _parse_day_count(attribute: str, value: object) -> str:
    text = str(value).strip()
    if text not in _DAY_COUNTS:
        raise _malformed(attribute, ", ".join(_DAY_COUNTS), text)
    return _DAY_COUNTS[text]


def _each(parse: Callable[[str, object], object]) -> Callable[[str, object], tuple[object, ...]]:
    """The parser of an array attribute; a single value is an array of one."""

    def parse_array(attribute: str, value: object) -> tuple[object, ...]:
        items: Iterable[object] = value if isinstance(value, list | tuple) else [value]
        return tuple(parse(attribute, item) for item in items)

    return parse_array


_BY_TYPE: Final[dict[str, Callable[[str, object], object]]] = {
    "str": _parse_text,
    "str | None": _parse_text,
    "datetime": parse_moment,
    "datetime | None": parse_moment,
    "Fraction": parse_number,
    "Fraction | None": parse_number,
    "Cycle | None": _parse_cycle,
    "tuple[str, ...]": _each(_parse_text),
    "tuple[datetime, ...]": _each(parse_moment),
    "tuple[Fraction, ...]": _each(parse_number),
    "tuple[Cycle, ...]": _each(_parse_cycle),
}

_BY_NAME: Final[dict[str, Callable[[str, object], object]]] = {
    "contract_type": _one_of(*CONTRACT_TYPES),
    "contract_role": _one_of(*ROLE_SIGNS),
    "day_count": _parse_day_count,
    "interest_calculation_base": _one_of("NT", "NTIED", "NTL"),
    "array_increase_decrease": _each(_one_of("INC", "DEC")),
    "array_fixed_variable": _each(_one_of("FIX", "VAR", "F", "V")),
    "end_of_month_convention": _one_of("SD", "EOM"),
    "fee_basis": _one_of("A", "N"),
    "penalty_type": _one_of("A", "I", "N", "O"),
}

_RENAMED: Final = {"day_count": "dayCountConvention", "premium_discount_at_ied": "premiumDiscountAtIED"}


def _attribute(name: str) -> str:
    """The dictionary's spelling of one of our names."""
    return _RENAMED.get(name) or re.sub(r"_(\w)", lambda found: found[1].upper(), name)


_ATTRIBUTES: Final = {
    _attribute(field.name): (field.name, _BY_NAME.get(field.name) or _BY_TYPE[str(field.type)])
    for field in fields(Terms)
}
"""Attribute of the ACTUS dictionary -> (our name, its parser)."""
