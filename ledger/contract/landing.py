"""What an effect means for the loan: the events that are published beside its record, in the lender's name; and the alert.

    landed(effect, document, day, now)           -> (Landing("charge", Charge(...)),)
    alert_of(effect, cause, episode=1)           -> Alert(...), or None

| effect                          | event                                                                   |
| ------------------------------- | ----------------------------------------------------------------------- |
| penalty.apply                   | charge, component penalty, due on the day                               |
| discount.apply                  | waiver of interest                                                      |
| terms.change                    | restructure: rate_cut or extend, not forborne (grace: the record alone) |
| collateral.release              | collateral, released on the day                                         |
| attestation.emit pause          | pause from the day on                                                   |
| attestation.emit closure        | closure, paid                                                           |
| attestation.emit notice         | notice, where the code is a kind of notice                              |
| alert.raise, to the lender      | alert, by the deployment: it stands in the lender's list                |
| offer.accepted, a restructure   | restructure, forborne: rate_cut, extend, else re_amortise               |
| offer.accepted, a refinancing   | restructure: refinance, not forborne                                    |
| all others, and rule.failed     | the record alone                                                        |

Classifications are derived when they are read (ledger/jurisdiction), so one that a contract states stays a record. A new
repayment plan after changed terms is the lender's to publish.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Final, NamedTuple

from ledger.attestation.contract_kinds import Effect
from ledger.attestation.credit_kinds import Charge, Closure, Collateral, Pause, Restructure, Waiver
from ledger.attestation.fields import Body
from ledger.attestation.risk_kinds import Alert, AlertCause
from ledger.attestation.sharing_kinds import Notice
from ledger.contract.document import Document
from ledger.contract.vocabulary import OFFER_ACCEPTED

NOTICES: Final = frozenset(("pre_negative", "adverse_action", "access", "retention", "correction"))
"""The kinds of a notice (``Notice.kind``); a test holds the two together."""


LANDED_KINDS: Final = frozenset((
    "alert", "charge", "closure", "collateral", "notice", "pause", "restructure", "waiver",
))  # fmt: skip
"""Every kind that an effect can mean. Such an event is published with its effect, names it in ``refs``, and is heard by
no contract: what it could trigger was executed with the effect, so that every cause ends."""


class Landing(NamedTuple):
    """An event of the loan, or (``about_loan`` False) of its borrower."""

    kind: str
    body: Body
    about_loan: bool = True


def landed(effect: Effect, document: Document, day: date, now: int) -> tuple[Landing, ...]:
    """The events of an effect on ``day``; ``now`` is UTC milliseconds, for what says when it was sent."""
    make = _EVENTS.get(effect.effect)
    made = None if make is None else make(effect, document, day, now)
    return () if made is None else (made,)


CONTRACT_RULE: Final = "contract"
"""The rule of alerts that contracts raise; the contract's own code is the reason, its hash stands for the rules."""


def alert_of(effect: Effect, cause: AlertCause, *, episode: int) -> Alert | None:
    """The alert that an effect raises for its lender; ``cause`` is the place of the effect's record."""
    if effect.effect != "alert.raise" or effect.arguments.get("to", "lender") != "lender":
        return None
    return Alert(
        account=effect.account, audience=effect.lender, baseline=0, causes=(cause,), episode=episode, reading=1,
        reasons=(_code(effect),), rule=CONTRACT_RULE, rules=effect.contract,
        severity=int(effect.arguments["severity"]), threshold=1,
    )  # fmt: skip


def _amount(effect: Effect) -> int:
    return int(effect.arguments.get("amount", 0))


def _code(effect: Effect) -> str:
    return str(effect.arguments["code"])


def _penalty(effect: Effect, document: Document, day: date, now: int) -> Landing:
    body = Charge(
        amount=_amount(effect), component="penalty", currency=document.currency, due=day, reason=_code(effect)
    )
    return Landing("charge", body)


def _discount(effect: Effect, document: Document, day: date, now: int) -> Landing:
    body = Waiver(amount=_amount(effect), component="interest", currency=document.currency, reason=_code(effect))
    return Landing("waiver", body)


def _terms(effect: Effect, document: Document, day: date, now: int) -> Landing | None:
    if effect.arguments["what"] == "grace_days":
        return None
    rate = effect.arguments["what"] == "rate_ppm"
    return Landing("restructure", Restructure(forborne=False, loss_bp=0, type="rate_cut" if rate else "extend"))


def _offered(effect: Effect, document: Document, day: date, now: int) -> Landing | None:
    """What was offered to help is forbearance; what moves a term has the name of the way in which it eases it."""
    what, by = effect.arguments.get("what"), int(effect.arguments.get("by", 0))
    if effect.arguments["offer"] == "refinance":
        return Landing("restructure", Restructure(forborne=False, loss_bp=0, type="refinance"))
    if effect.arguments["offer"] != "restructure":
        return None
    if what == "rate_ppm" and by < 0:
        return Landing("restructure", Restructure(forborne=True, loss_bp=0, type="rate_cut"))
    if what == "term_days" and by > 0:
        return Landing("restructure", Restructure(forborne=True, loss_bp=0, type="extend"))
    return Landing("restructure", Restructure(forborne=True, loss_bp=0, type="re_amortise"))


def _release(effect: Effect, document: Document, day: date, now: int) -> Landing:
    body = Collateral(
        currency=document.currency, kind=_code(effect), lien_rank=1, released=day, value=0, valued_on=day
    )  # fmt: skip
    return Landing("collateral", body)


def _statement(effect: Effect, document: Document, day: date, now: int) -> Landing | None:
    said, code = effect.arguments["kind"], _code(effect)
    if said == "pause":
        until = day + timedelta(int(effect.arguments.get("days", 0)))
        return Landing("pause", Pause(cause=code, start=day, until=until))
    if said == "closure":
        return Landing("closure", Closure(cause="paid"))
    if said == "notice" and code in NOTICES:
        return Landing("notice", Notice(channel="contract", kind=code, sent_at=now), about_loan=False)  # type: ignore[arg-type]
    return None


_EVENTS: Final[dict[str, Callable[[Effect, Document, date, int], Landing | None]]] = {
    "attestation.emit": _statement, "collateral.release": _release, "discount.apply": _discount,
    OFFER_ACCEPTED: _offered,
    "penalty.apply": _penalty, "terms.change": _terms,
}  # fmt: skip
