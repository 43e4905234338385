"""ISO 4217 currencies that an amount may be stated in, with the digits of their minor unit.

Facts from ISO 4217:2015 list one (active codes). An amount in a currency that is not here is refused rather than
guessed at: the number of digits decides what the integer means.
"""

from __future__ import annotations

from typing import Final

_TWO = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE "
    "CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR "
    "KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB "
    "PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY "
    "TTD TWD TZS UAH USD UYU UZS VES WST XCD YER ZAR ZMW ZWG"
)
_ZERO = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"

MINOR_DIGITS: Final[dict[str, int]] = (
    dict.fromkeys(_TWO.split(), 2) | dict.fromkeys(_ZERO.split(), 0) | dict.fromkeys(_THREE.split(), 3)
)
"""ISO 4217 code -> digits after the decimal point of the major unit."""


def in_major_units(amount: int, currency: str) -> str:
    """An amount of minor units as people write it, without rounding.

    >>> in_major_units(123456, "KES"), in_major_units(5, "EUR"), in_major_units(700, "JPY")
    ('1,234.56', '0.05', '700')
    """
    digits = MINOR_DIGITS[currency]
    sign, whole = ("-" if amount < 0 else ""), abs(amount)
    if digits == 0:
        return f"{sign}{whole:,}"
    return f"{sign}{whole // 10**digits:,}.{whole % 10**digits:0{digits}d}"
