"""The whole life of one account, folded from its chain: for any day, and for any log index.

    told = [Told(entry, attestation), ...]                       the chain in log order
    account(told)                                                what is known now
    account(told, as_of=date(2026, 3, 1))                        only what is dated by that day
    account(told, as_of=date(2026, 3, 1), known_at=4_711)        as it could be told when entry 4711 was the newest

Rules
- Pure: the same chain gives the same account. ``account(told).state`` is the projection's state, to the byte.
- Stages and facts fold in log order, money in value-date order: a back-dated payment gives what its entry in time would
  have given, a reversed one what its absence would have (domain rules 2 and 9).
- A day in the future is the present plan with nothing more paid; a day in the past leaves out what is dated later. An
  earlier log index leaves out what was recorded later: yesterday's view stays provable.
- A statement of the lender's books holds for its day as far as its maker could know: what became known later of the
  time before it (a back-dated payment, a reversal, a correction) is set right on top of it.
- A reversal names repayments of the account and takes back at most what is left of them.
- Recoveries, guarantees, collateral and insolvencies stand beside the money; they move no instalment.

What this module does not do: give a reason (explain.py), count days (arrears.py), read rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from ledger.attestation import credit_kinds as credit
from ledger.loan.arrears import Arrears, arrears
from ledger.loan.money import OURS, Money
from ledger.loan.replay import Replay
from ledger.loan.servicing.allocation import Rules
from ledger.loan.state import NO_LINKS, LoanState
from ledger.loan.supersession import Counted, Told, ensure_replacements


@dataclass(frozen=True)
class Account:
    """An account as it stands on ``as_of`` by what was ``known_at`` a log index (None: everything).

    ``money`` is the open book behind the state: which instalment was met by which payment. ``turned`` are the
    attestations by which the stage came to be what it is, oldest first; ``beside`` is what was told of the borrower.
    """

    state: LoanState
    as_of: date
    known_at: int | None
    arrears: Arrears
    counted: tuple[Counted, ...]
    money: Money
    turned: tuple[Told, ...]
    beside: tuple[Told, ...] = ()

    def of_kind(self, *kinds: str) -> list[Told]:
        """The attestations of these kinds that count, in the order of their places."""
        return [each.told for each in self.counted if each.told.kind in kinds]

    @property
    def guarantees(self) -> list[credit.Guarantee]:
        """Who answers for the debt on the day: the newest word on each guarantor, those released left out."""
        newest = {each.body.guarantor: each.body for each in self.of_kind("guarantee")}
        return [body for body in newest.values() if body.released is None or body.released > self.as_of]

    @property
    def collateral(self) -> list[credit.Collateral]:
        """What secures the debt on the day, by rank: the newest word on each thing, those released left out."""
        newest = {(each.body.item or each.id.bytes): each.body for each in self.of_kind("collateral")}
        held = [body for body in newest.values() if body.released is None or body.released > self.as_of]
        return sorted(held, key=lambda body: body.lien_rank)

    @property
    def recovered(self) -> tuple[int, int]:
        """(gross, cost) of all recoveries, minor units."""
        bodies = [each.body for each in self.of_kind("recovery")]
        return sum(body.gross for body in bodies), sum(body.cost for body in bodies)

    @property
    def successor(self) -> bytes | None:
        """The account that took this one's place: by a transfer or a closure that names it."""
        return (self.state.links or NO_LINKS).successor or None

    @property
    def predecessor(self) -> tuple[str | None, bytes] | None:
        """(lender, account) whose place this one took, by its agreement."""
        links = self.state.links or NO_LINKS
        return (links.predecessor_lender or None, links.predecessor) if links.predecessor else None

    @property
    def insolvencies(self) -> list[credit.Insolvency]:
        """Insolvencies that are not discharged by the day: the newest word on each, those that a correction or deletion
        of the account names left out. What is one and the same tells the court's reference, else type and filing day."""
        named = {ref for each in self.of_kind("correction", "deletion") for ref in each.attestation.envelope.refs}
        bodies = [each.body for each in self.beside if each.kind == "insolvency" and each.id not in named]
        newest = {body.court_ref or (body.type, body.filed): body for body in bodies}
        return [body for body in newest.values() if body.discharged is None or body.discharged > self.as_of]


def account(
    told: Sequence[Told], *, as_of: date | None = None, known_at: int | None = None, usual: Rules = OURS,
    beside: Sequence[Told] = (),
) -> Account:  # fmt: skip
    """The account of a chain. ``as_of`` absent: the newest day that it speaks of; ``usual`` are the rules of servicing
    where the agreement says nothing; ``beside`` is what was told of the borrower and of no account, in log order. Raises
    nothing that the ledger accepted: an event that has no place yet on an earlier day waits."""
    replay = Replay(_until(told, as_of, known_at), usual, strict=False)
    state = replay.state()
    day = as_of or (date.fromordinal(state.moved) if state.moved else date.min)
    return Account(
        state, day, known_at, arrears(state, day), tuple(replay.counted), replay.money, tuple(replay.turned),
        tuple(_until(beside, as_of, known_at)),
    )  # fmt: skip


def _until(told: Sequence[Told], as_of: date | None, known_at: int | None) -> list[Told]:
    """What was known at a log index of the days until ``as_of``."""
    known = (each for each in told if known_at is None or each.entry <= known_at)
    return [each for each in known if as_of is None or each.attestation.envelope.effective_date <= as_of]


def replayed(told: Sequence[Told], usual: Rules = OURS) -> LoanState:
    """The state of a whole chain, every event of it checked: what the ledger keeps when a fold needs a replay.

    Raises Refused (``transition_refused``, ``reversal_unknown``, ``reversal_exceeds``, ``replacement_unknown``,
    ``currency_differs``, ``subject_differs``), NotFound ``calendar_unknown``.
    """
    ensure_replacements(told)
    return Replay(told, usual, strict=True).state()
