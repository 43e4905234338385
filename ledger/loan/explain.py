"""Why a loan stands where it stands on a day: which instalment, which rule, which attestations.

    found = explain(account(told, as_of=date(2026, 3, 1)))
    found.instalment.n, found.instalment.missing          2, Amounts(principal=4_000)
    [reason.rule for reason in found.reasons]             [1, 4]

Rules
- Everything is read off the account: the same chain gives the same reasons, on any machine.
- A reason names a rule of the domain (1 to 11), says in one sentence what it comes to here, and lists the attestations
  that it rests on, in log order. A rule that changes nothing on this loan is not named; rule 1 always is.
- The stage has reasons of its own (rule 0, the transition table): the attestations that brought it about.
- What is only known from the lender's books has no instalment number and no split by component.

What this module does not do: say what a lateness means in a country (ledger.jurisdiction), or materiality, which is the
pack's (rule 6).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from ledger.currency import in_major_units
from ledger.loan.account import Account
from ledger.loan.arrears import last_counted_day, paused_days
from ledger.loan.lifecycle import LIVE
from ledger.loan.servicing.amounts import NOTHING, Amounts
from ledger.loan.state import unmet_of
from ledger.loan.supersession import Told
from ledger.loan.terms import read_terms


@dataclass(frozen=True)
class UnmetInstalment:
    """The oldest instalment that is not fully met. ``n`` None: known from the lender's books alone, which do not say
    which; then ``missing`` is all principal. ``total`` is minor units."""

    n: int | None
    due: date
    missing: Amounts

    @property
    def total(self) -> int:
        """What is missing in all, minor units."""
        return self.missing.total


@dataclass(frozen=True)
class Reason:
    """One rule as it applies here. ``rule`` 0 is the transition table, 1 to 11 the domain's rules."""

    rule: int
    sentence: str
    attestations: tuple[Told, ...]


@dataclass(frozen=True)
class Explanation:
    """Stage, days and the reasons for them."""

    stage: str
    days_past_due: int
    delinquent_days: int
    instalment: UnmetInstalment | None
    reasons: tuple[Reason, ...]


def explain(account: Account) -> Explanation:
    """The reasons for an account's stage and days past due on its day."""
    late = account.arrears
    instalment = oldest_unmet_instalment(account)
    found = (
        _stage(account), _rule_1(account, instalment), _rule_2(account), _rule_3(account), _rule_4(account),
        _rule_5(account), _rule_7(account), _rule_8(account), _rule_9(account), _rule_11(account),
    )  # fmt: skip
    reasons = tuple(reason for reason in found if reason is not None)
    return Explanation(account.state.stage, late.days, late.delinquent_days, instalment, reasons)


def oldest_unmet_instalment(account: Account) -> UnmetInstalment | None:
    """The instalment that days past due count from; None when nothing is overdue."""
    state, since = account.state, account.arrears.since
    if since is None:
        return None
    for n, row in enumerate(state.schedule, state.met_rows + 1):
        if row[0] == since.toordinal() and unmet_of(row):
            return UnmetInstalment(n, since, Amounts(*row[1:]))
    return UnmetInstalment(None, since, Amounts(principal=state.past_due or 0) if state.past_due else NOTHING)


def _stage(account: Account) -> Reason:
    turned = account.turned[-1:]
    state = account.state
    if state.stage in LIVE and state.cleared:
        clearing = [each for each in account.of_kind("repayment", "waiver", "closure") if _day(each) == state.closed]
        turned = tuple(clearing[-1:]) or turned
    return Reason(0, f"The loan is {state.stage}.", tuple(turned))


def _rule_1(account: Account, instalment: UnmetInstalment | None) -> Reason:
    by_ref = {each.told.id.bytes: each.told for each in account.counted}
    said = account.money.said
    if instalment is None:
        sources = [by_ref[ref] for name, ref in said.items() if name in ("plan", "books") and ref in by_ref]
        return Reason(1, "No instalment that fell due is unmet: days past due are 0.", _in_order(sources))
    if instalment.n is None:
        books = [by_ref[said["books"]]] if said.get("books") in by_ref else []
        return Reason(1, f"By the lender's books days past due count from {instalment.due}.", _in_order(books))
    rows = [row for row in account.money.book.rows if row.due == instalment.due]
    refs = [said.get("plan", b""), *(ref for row in rows for ref, *_ in row.met_by)]
    refs += [charge.ref for row in rows for charge in row.charges]
    currency = account.state.currency  # a plan has one
    sentence = (
        f"Days past due count from {instalment.due}, the due date of instalment {instalment.n}, the oldest that is not "
        f"fully met: {currency} {in_major_units(instalment.total, currency)} is missing."
    )
    return Reason(1, sentence, _in_order(by_ref[ref] for ref in refs if ref in by_ref))


def _rule_2(account: Account) -> Reason | None:
    """Payments whose value date lies before that of an earlier one in the log."""
    newest, late = date.min, []
    for each in account.of_kind("repayment"):
        if _day(each) < newest:
            late.append(each)
        newest = max(newest, _day(each))
    if not late:
        return None
    return Reason(2, "Payments count by their value dates: these were recorded later than they were made.", tuple(late))


def _rule_3(account: Account) -> Reason | None:
    terms = read_terms(account.state.terms)
    if not (terms.order or terms.excess):
        return None
    sentence = "Payments meet what is owed in the order that the agreement states."
    return Reason(3, sentence, tuple(account.of_kind("agreement")[-1:]))


def _rule_4(account: Account) -> Reason | None:
    late, state = account.arrears, account.state
    if late.since is None or late.delinquent_days == late.days:
        return None
    paused = paused_days(state, late.since, last_counted_day(state, account.as_of))
    sources = [*(account.of_kind("agreement")[-1:] if state.grace_days else [])]
    sources += account.of_kind("pause", "resume") if paused else []
    sentence = (
        f"Of {late.days} days past due, {state.grace_days} of grace and {paused} paused do not count as delinquent."
    )
    return Reason(4, sentence, _in_order(sources))


def _rule_5(account: Account) -> Reason | None:
    terms = read_terms(account.state.terms)
    if not terms.convention:
        return None
    sentence = (
        f"Due dates on a holiday of {terms.calendar or 'the weekend'} moved by {terms.convention} before counting."
    )
    return Reason(5, sentence, tuple(account.of_kind("agreement")[-1:]))


def _rule_7(account: Account) -> Reason | None:
    state = account.state
    if state.restructured is None:
        return None
    told = [each for each in account.of_kind("restructure", "schedule") if _day(each) == state.restructured]
    sentence = (
        f"Restructured on {state.restructured} with {state.restructured_dpd} days past due: what was unmet moved to "
        "the new plan, and days past due start anew."
    )
    return Reason(7, sentence, tuple(told))


def _rule_8(account: Account) -> Reason | None:
    state = account.state
    if state.defaulted is None:
        return None
    told = tuple(account.of_kind("default", "cure"))
    if state.probation_end is None:
        return Reason(8, f"In default since {state.defaulted}; it ends with a probation, not with a payment.", told)
    verb = "ended" if account.as_of >= state.probation_end else "ends"
    return Reason(8, f"In default since {state.defaulted}; the probation {verb} on {state.probation_end}.", told)


def _rule_9(account: Account) -> Reason | None:
    told = [each for each in account.of_kind("reversal") if each.body.cause != "refund"]
    if not told:
        return None
    named = {ref for each in told for ref in each.attestation.envelope.refs}
    paid = [each for each in account.of_kind("repayment") if each.id in named]
    sentence = "What was taken back counts as never paid: days past due run from the original due dates."
    return Reason(9, sentence, _in_order([*told, *paid]))


def _rule_11(account: Account) -> Reason | None:
    state = account.state
    last = last_counted_day(state, account.as_of)
    if last >= account.as_of:
        return None
    told = account.of_kind("charge_off", "closure", "transfer")
    return Reason(11, f"Days past due stopped on {last}.", _in_order(told))


def _in_order(told: Iterable[Told]) -> tuple[Told, ...]:
    """Each once, in log order."""
    once = {each.id: each for each in told}
    return tuple(sorted(once.values(), key=lambda each: (each.entry, each.id.bytes)))


def _day(each: Told) -> date:
    return each.attestation.envelope.effective_date
