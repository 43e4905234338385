"""A made-up market of eight lenders: borrowers, their loans, and every dated event that a shared ledger would hold.

What it keeps true
- Everything follows from `(seed, rho, borrowers)`. Each borrower has a random stream of their own, so a larger world
  holds the smaller one's borrowers unchanged.
- Days are integers from the world's first day, money is integer minor units, chances are parts per million.
- A chain of three states, healthy, stressed and distressed, decides how a loan is paid. Each borrower has one; each loan
  follows the borrower's with chance `rho`, and otherwise a chain of its own with the same law. So `rho` moves how far a
  borrower's loans go wrong together, and nothing else: a loan looks the same alone in every world.
- Enquiries and new credit follow the borrower's chain. At `rho` 0 they say nothing of any loan: that is the placebo.
- A stressed borrower applies more often and pays later; a distressed one mostly stops paying.
- The events tell what a lender could publish on the day. States, chains and who follows whom stay in here: nothing that
  makes features may read them, and `Loan` does not hold them.

Months are 30 days. `calibration.py` holds the figures that this world must reproduce and where they come from.

Example
    people = make_world(WorldPlan(seed=7, borrowers=100))
    people[0].loans[0].dues        # the due days
    people[0].loans[0].paid        # the day on which each was met, or NEVER

What it does not do: interest, currencies, people who move, lenders who learn. Its figures are simulated; they show that
the measurement is sound, not what a real market would gain.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from random import Random

MILLION = 1_000_000
MONTH = 30
NEVER = 1 << 30
"""The day of something that does not happen inside the world."""

HEALTHY, STRESSED, DISTRESSED = 0, 1, 2
INSTALMENT, CARD = 0, 1
"""A loan that is paid off over a term, and a line that asks for a minimum each month."""


@dataclass(frozen=True, kw_only=True)
class WorldPlan:
    """What a world is made from; equal plans give equal worlds.

    `rho_ppm` is the share of loans that follow their borrower's common state. `days` is the length of the world.
    """

    seed: int
    borrowers: int = 16_000
    rho_ppm: int = 600_000
    days: int = 900
    lenders: int = 8


@dataclass(frozen=True, slots=True)
class Loan:
    """One loan as its lender knows it. `paid[n]` is the day on which `dues[n]` was met in full, NEVER if it was not.

    `closed` is the day of the last payment or of the charge-off, NEVER while the loan runs. `grade` is the lender's own
    grade at the application, 1 (best) to 5.
    """

    lender: int
    kind: int
    opened: int
    principal: int
    instalment: int
    grade: int
    dues: tuple[int, ...]
    paid: tuple[int, ...]
    closed: int
    charged_off: bool


@dataclass(slots=True)
class Borrower:
    """One person: their loans in order of opening, and `enquiries` as (day, lender)."""

    number: int
    loans: list[Loan] = field(default_factory=list)
    enquiries: list[tuple[int, int]] = field(default_factory=list)


def _chance(rng: Random, ppm: int) -> bool:
    return rng.random() * MILLION < ppm


# --- the law of the states -------------------------------------------------------------------------------------------
HEALTHY_MEAN = (1900, 1450, 1050, 750, 500)
"""Mean days in good health before stress, by grade from 1 on."""
STRESS_LEAST, STRESS_MEAN = 7, 50
DISTRESS_LEAST, DISTRESS_MEAN = 150, 90
WORSENS_PPM = 450_000
"""Chance that stress ends in distress rather than in health."""


@dataclass(frozen=True, slots=True)
class Path:
    """The states of one chain: `states[i]` holds from `starts[i]` until the next start.

    Distress reaches a loan `holds_out` days after it has begun; until then the loan is paid as under stress.
    """

    starts: list[int]
    states: list[int]
    holds_out: int = 0

    def at(self, day: int) -> int:
        """The state on that day."""
        place = bisect_right(self.starts, day) - 1
        if self.states[place] == DISTRESSED and day < self.starts[place] + self.holds_out:
            return STRESSED
        return self.states[place]


def _dwell(rng: Random, state: int, grade: int) -> int:
    if state == HEALTHY:
        return 1 + int(rng.expovariate(1) * HEALTHY_MEAN[grade - 1])
    if state == STRESSED:
        return STRESS_LEAST + int(rng.expovariate(1) * STRESS_MEAN)
    return DISTRESS_LEAST + int(rng.expovariate(1) * DISTRESS_MEAN)


def _path(rng: Random, grade: int, first: int, last: int) -> Path:
    """A chain from `first` to `last`, begun long enough before to have forgotten that it began in health."""
    day, state = first - 720, HEALTHY
    starts, states = [day], [state]
    while day <= last:
        day += _dwell(rng, state, grade)
        if state == STRESSED:
            state = DISTRESSED if _chance(rng, WORSENS_PPM) else HEALTHY
        else:
            state = STRESSED if state == HEALTHY else HEALTHY
        starts.append(day)
        states.append(state)
    return Path(starts, states)


# --- when credit is taken --------------------------------------------------------------------------------------------
APPETITES = (230, 280, 340, 410, 520)
"""Mean days between a borrower's occasions for credit; each fifth of borrowers has one."""
BURST_PPM = 98_000
"""Chance that a loan is followed within the week by another for the same purchase."""
REST_DAYS = 21
"""Days after an occasion in which there is no other."""
STATE_HASTE = (2, 5, 3)
"""How fast occasions come in each state, beside each other."""
GRADES = (1, 1, 2, 2, 2, 3, 3, 3, 4, 5)
"""A borrower's grade, 1 (best) to 5; each is as likely."""
TERMS = (6, 6, 6, 10, 10, 12, 12, 18)
"""Instalments of a loan; each is as likely. Of all credits `CARD_PPM` are lines, which run for `CARD_TERM` months."""
CARD_PPM = 200_000
CARD_TERM = 16
FAVOURED_PPM = 150_000
"""Chance that a borrower goes to their favourite lender rather than to any."""
LENDER_SHARES = (0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7)
DECLINED_PPM = (120_000, 300_000, 850_000)
"""Chance that an application is turned down, by the borrower's state: an enquiry without a loan."""
STRAY_ENQUIRY_DAYS = (330, 50, 65)
"""Mean days between enquiries that lead nowhere, by the borrower's state."""


def _occasions(rng: Random, path: Path, appetite: int, days: int) -> list[int]:
    """The days on which the borrower seeks credit, by thinning from the fastest state."""
    top = max(STATE_HASTE)
    day, found = 0, []
    while True:
        day += 1 + int(rng.expovariate(1) * appetite / top)
        if day >= days:
            return found
        if rng.random() * top >= STATE_HASTE[path.at(day)]:
            continue
        found.append(day)
        while _chance(rng, BURST_PPM):
            day += int(rng.random() * 8)
            if day < days:
                found.append(day)
        day += REST_DAYS


def _stray_enquiries(rng: Random, path: Path, days: int) -> list[int]:
    shortest = min(STRAY_ENQUIRY_DAYS)
    day, found = 0, []
    while True:
        day += 1 + int(rng.expovariate(1) * shortest)
        if day >= days:
            return found
        if rng.random() * STRAY_ENQUIRY_DAYS[path.at(day)] < shortest:
            found.append(day)


# --- how instalments are paid ----------------------------------------------------------------------------------------
LAG_TABLES = (
    (
        (0, 50_000, 150_000, 300_000, 545_000, 725_000, 835_000, 946_000, 981_500, 995_000, 998_700, 999_900, MILLION),
        (-60, -34, -24, -14, -6, -3, -1, 0, 3, 7, 14, 28, 30),
    ),
    ((0, 50_000, 300_000, 590_000, 790_000, 950_000, 998_000, MILLION), (-20, -8, -1, 0, 6, 19, 27, 30)),
)
"""Paid minus due days by rank of lateness (ppm), drawn between the points: in good health, and otherwise."""
HABIT_PPM = 590_000
"""Chance that a payment comes as this loan's payments usually do, rather than afresh."""
HOLDS_OUT = (0, 0, 15, 30, 45, NEVER)
"""Days of distress for which a loan is still paid, late as under stress; each sixth of loans has one. A borrower in
trouble lets go of one loan after another, and keeps the one they need most."""
MISS_PPM = (40, 1_000, 820_000)
"""Chance that an instalment is not paid before the next one is due, by state, while nothing is overdue."""
KEEP_MISSING_PPM = (400_000, 650_000, 993_000)
"""The same while something is overdue already."""
CHARGE_OFF_DAYS = 120
CARD_AT_TWO = ((430_000, 190_000, 370_000), (270_000, 110_000, 570_000), (200_000, 90_000, 635_000))
"""A line two payments behind: chances that it is cured, gains one, stays; the rest falls behind further. By state."""


def lag_of_rank(rank: int, state: int) -> int:
    """The paid-minus-due days of a payment at that rank of lateness (ppm), between the points of the state's table."""
    ranks, lags = LAG_TABLES[min(state, STRESSED)]
    place = min(bisect_right(ranks, rank), len(lags) - 1)
    left, right = ranks[place - 1], ranks[place]
    low, high = lags[place - 1], lags[place]
    return -((-(low * (right - rank) + high * (rank - left))) // (right - left))


def _draw_lag(rng: Random, habit: int, state: int) -> int:
    rank = habit if _chance(rng, HABIT_PPM) else int(rng.random() * MILLION)
    return lag_of_rank(rank, state)


def _pay_instalments(rng: Random, path: Path, dues: list[int], habit: int) -> tuple[list[int], int]:
    """The day on which each due was met, and the day of the charge-off (NEVER without one)."""
    paid = [NEVER] * len(dues)
    oldest = 0
    for number, due in enumerate(dues):
        state = path.at(due)
        overdue = oldest < number
        if overdue and due - dues[oldest] >= CHARGE_OFF_DAYS:
            return paid, dues[oldest] + CHARGE_OFF_DAYS
        if _chance(rng, (KEEP_MISSING_PPM if overdue else MISS_PPM)[state]):
            continue
        lag = _draw_lag(rng, habit, state)
        if overdue:
            lag = max(lag, 0)
        for met in range(oldest, number + 1):
            paid[met] = due + lag
        oldest = number + 1
    return _work_out(rng, path, dues, paid, oldest)


def _work_out(rng: Random, path: Path, dues: list[int], paid: list[int], oldest: int) -> tuple[list[int], int]:
    """After the last due: monthly chances to pay what is left, if anything is, until the charge-off."""
    if oldest == len(dues):
        return paid, NEVER
    day = dues[-1] + MONTH
    while day - dues[oldest] < CHARGE_OFF_DAYS:
        if not _chance(rng, KEEP_MISSING_PPM[path.at(day)]):
            paid[oldest:] = [day] * (len(dues) - oldest)
            return paid, NEVER
        day += MONTH
    return paid, dues[oldest] + CHARGE_OFF_DAYS


def _pay_line(rng: Random, path: Path, dues: list[int], habit: int) -> tuple[list[int], int]:
    """As `_pay_instalments`, for a line: two behind, it hangs on by a payment a month more often than it falls."""
    paid = [NEVER] * len(dues)
    oldest = 0
    for number, due in enumerate(dues):
        state = path.at(due)
        behind = number - oldest
        if behind and due - dues[oldest] >= CHARGE_OFF_DAYS:
            return paid, dues[oldest] + CHARGE_OFF_DAYS
        meets = number + 1
        lag = max(0, _draw_lag(rng, habit, state)) if behind else _draw_lag(rng, habit, state)
        if behind == 0 and _chance(rng, MISS_PPM[state]):
            continue
        if behind == 1:
            if _chance(rng, KEEP_MISSING_PPM[state]):
                continue
        elif behind >= 2:
            lag = 0
            cure, gain, stay = CARD_AT_TWO[state]
            draw = rng.random() * MILLION
            if draw >= cure + gain + stay:
                continue
            meets = number + 1 if draw < cure else oldest + 2 if draw < cure + gain else oldest + 1
        for met in range(oldest, meets):
            paid[met] = due + lag
        oldest = max(oldest, meets)
    return _work_out(rng, path, dues, paid, oldest)


# --- putting a borrower together -------------------------------------------------------------------------------------
def _loan(rng: Random, path: Path, *, habit: int, lender: int, grade: int, opened: int) -> Loan:
    kind = CARD if _chance(rng, CARD_PPM) else INSTALMENT
    term = CARD_TERM if kind == CARD else rng.choice(TERMS)
    first = opened + 20 + int(rng.random() * 26)
    dues = [first + MONTH * n for n in range(term)]
    instalment = 1_000 * (2 + int(rng.expovariate(1) * 8))
    pay = _pay_line if kind == CARD else _pay_instalments
    paid, charge_off = pay(rng, path, dues, habit)
    charged_off = charge_off != NEVER
    last = max(paid)
    return Loan(
        lender=lender,
        kind=kind,
        opened=opened,
        principal=instalment * term * 9 // 10,
        instalment=instalment,
        grade=grade,
        dues=tuple(dues),
        # a payment meets the oldest instalment that is unmet, whichever it was meant for
        paid=tuple(sorted(max(opened, day) for day in paid)),
        closed=charge_off if charged_off else last,
        charged_off=charged_off,
    )


def make_borrower(plan: WorldPlan, number: int) -> Borrower:
    """One borrower of the world with all their loans and enquiries; the same for every size of world."""
    rng = Random(plan.seed * 1_000_003 + number)
    grade = rng.choice(GRADES)
    last = plan.days + 30 * MONTH
    path = _path(rng, grade, 0, last)
    discipline = int(rng.random() * MILLION)
    appetite = rng.choice(APPETITES)
    favourite = rng.choice(LENDER_SHARES)
    person = Borrower(number)
    for day in _occasions(rng, path, appetite, plan.days):
        lender = favourite if _chance(rng, FAVOURED_PPM) else rng.choice(LENDER_SHARES)
        person.enquiries.append((day, lender))
        # the stream of a loan is its own, so that `rho` changes which chain it follows and no other draw
        stream, follows = Random(rng.getrandbits(64)), _chance(rng, plan.rho_ppm)
        declined = _chance(rng, DECLINED_PPM[path.at(day)])
        if declined:
            continue
        driver, habit = _path(stream, grade, day, last), int(stream.random() * MILLION)
        if follows:
            driver, habit = path, discipline
        driver = Path(driver.starts, driver.states, stream.choice(HOLDS_OUT))
        person.loans.append(_loan(stream, driver, habit=habit, lender=lender, grade=grade, opened=day))
    for day in _stray_enquiries(rng, path, plan.days):
        person.enquiries.append((day, rng.choice(LENDER_SHARES)))
    person.enquiries.sort()
    person.loans.sort(key=lambda loan: loan.opened)
    return person


def make_world(plan: WorldPlan) -> list[Borrower]:
    """All borrowers of a world, in order of their numbers."""
    return [make_borrower(plan, number) for number in range(plan.borrowers)]
