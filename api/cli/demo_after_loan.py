"""The second half of the demo: one invented borrower's loans, from the first payout to the end, each step proven.

    facts = await AfterLoan(api, origin, command, tell).tell_story()
    facts["steps"]         # day, event, days past due, stage, class, proof
    facts["replay"]        # `tallystick replay`, as a process of its own

What happens, over the last 98 days (days count back from today, UTC; only those that matter are begun)
- Acacia Bank lent first and is paid on time: it reports payments and its books, as banks do to bureaus.
- Baobab Microfinance lends in three instalments and publishes its plan. Three contracts of the library are signed:
  late-fee, pre-negative-notice, payment-closure. Acacia is granted monitoring.
- The first instalment is missed. On the day's tick when it is four days late the fee lands. The watcher, another process,
  warns Baobab, and Acacia, whose own loan was never late. Twenty days late: the notice.
- The arrears are paid: days past due are 0. The last payment closes the loan, by contract.

Everything goes over HTTP, or is a command as a user runs it. What is published today about days that are past is seen by
the watcher today: the plan's dates are chosen so that what it says is true then as well.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from api.cli import demo_after_loan_steps as steps
from api.cli.demo_after_loan_steps import CLASSES, Desk, class_of
from api.cli.demo_proof import check, fetch_trust, logged, placed
from api.cli.demo_source import LENDERS
from api.cli.demo_steps import Api, promised
from ledger.base64_strict import decode_standard, encode_standard, encode_url
from ledger.errors import Untrusted
from ledger.node.participants import DEPLOYMENT

Command = Callable[..., Awaitable[tuple[int, dict[str, Any]]]]
"""A `tallystick` command as a process of its own: exit code, and its JSON."""
Tell = Callable[[str, str, str], None]
"""Says that a step is done: its name, what happened, figures."""

BANK: Final = "acacia"
MICROFINANCE: Final = "baobab"
ACCOUNTS: Final = {BANK: "AFTER-0001", MICROFINANCE: "AFTER-0002"}
"""The borrower's account at each of the two."""
INSTALMENT: Final = 20_000
"""Minor units of one instalment: 200.00."""
FEE: Final = 1_000
"""What the late-fee contract adds: 5 % of an instalment."""
EXPIRES_DAYS: Final = 365
"""How long the contracts hold."""
CONTRACTS: Final = ("late-fee", "pre-negative-notice", "payment-closure")
MONEY: Final = {"currency": "USD", "channel": "mobile"}


class AfterLoan:
    """The story; ``tell_story`` gives what it came to. Raises InvariantBroken ``demo_*``, and Untrusted where a proof
    does not hold."""

    def __init__(self, api: Api, origin: str, command: Command, tell: Tell) -> None:
        self._api, self._origin, self._command, self._say = api, origin, command, tell
        self._today = datetime.now(UTC).date()
        self._steps: list[dict[str, Any]] = []
        self._contracts: dict[str, str] = {}

    async def tell_story(self) -> dict[str, Any]:
        """Everything, in order."""
        await self._begin()
        await self._lend()
        await self._fall_behind()
        alerts = await self._warn()
        await self._cure()
        effects, explained = await self._effects(), await self._explain()
        tampered, replayed = await self._tamper(), await self._replay()
        return {
            "borrower": "invented", "from": self._day(98).isoformat(), "to": self._today.isoformat(),
            "steps": self._steps, "alerts": alerts, "effects": effects, "explained": explained,
            "tampered_effect": tampered, "replay": replayed, "proofs": self._desk.proofs,
        }  # fmt: skip

    # -- the parties ----------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """Tokens for everybody, and the keys that every proof is checked with."""
        api, self._subject = self._api, secrets.token_bytes(32)
        tokens = {name: await api.token(name, "lender") for name in (BANK, MICROFINANCE)}
        self._trust = await fetch_trust(api, self._origin)
        self._desk, self._tokens = Desk(api, self._trust, tokens), tokens
        self._operator = await api.token(DEPLOYMENT, "operator")
        self._borrower = await api.token(DEPLOYMENT, "borrower", subject=encode_url(self._subject))

    def _day(self, ago: int) -> date:
        return self._today - timedelta(days=ago)

    async def _step(self, ago: int, event: str, lender: str, index: int) -> dict[str, Any]:
        """Note a step with the figures of its loan on its day. What it stands on was proven when it was read."""
        account, day = ACCOUNTS[lender], self._day(ago)
        shown = await self._desk.loan(lender, account, day)
        step = {
            "day": day.isoformat(), "lender": LENDERS[lender], "event": event, "dpd": shown["daysPastDue"],
            "stage": shown["stage"], "balance": shown["balance"], "class": class_of(shown, CLASSES[0]),
            "class_elsewhere": {country: class_of(shown, country) for country in CLASSES[1:]},
            "index": index, "proof": True,
        }  # fmt: skip
        self._steps.append(step)
        return step

    # -- what happens ---------------------------------------------------------------------------------------------

    async def _lend(self) -> None:
        """Two loans, the bank's paid on time, and what was agreed about the other."""
        await self._pay_out(98, BANK, 120_000)
        await self._pay_bank(70)
        await self._pay_out(57, MICROFINANCE, 3 * INSTALMENT)
        rows = [{"due": self._day(ago).isoformat(), "principal": str(INSTALMENT)} for ago in (29, 1, -27)]
        plan = {"currency": "USD", "cause": "INITIAL", "version": 1, "rows": rows}
        index = await self._desk.record(MICROFINANCE, steps.SCHEDULE, ACCOUNTS[MICROFINANCE], self._day(57), **plan)
        await self._step(57, "Its plan: three instalments of 200.00, every 28 days", MICROFINANCE, index)
        await self._agree()
        await self._pay_bank(42)

    async def _pay_out(self, ago: int, lender: str, amount: int) -> None:
        day, account = self._day(ago), ACCOUNTS[lender]
        await self._desk.day(self._operator, day)
        await self._desk.record(
            lender, steps.AGREEMENT, account, day, borrower={"subject": encode_standard(self._subject)},
            currency="USD", principal=str(amount), portfolioType="INSTALMENT", product="demo",
        )  # fmt: skip
        index = await self._desk.record(
            lender, steps.DISBURSEMENT, account, day, amount=str(amount), currency="USD"
        )  # fmt: skip
        await self._step(ago, f"A loan of {amount / 100:,.2f} is paid out", lender, index)

    async def _pay_bank(self, ago: int) -> None:
        """An instalment of the bank's loan on its day, and the bank's books after it."""
        day, account = self._day(ago), ACCOUNTS[BANK]
        await self._desk.day(self._operator, day)
        await self._desk.record(BANK, steps.REPAYMENT, account, day, amount="10000", **MONEY)
        index = await self._desk.record(BANK, steps.STATUS, account, day, status="CURRENT", daysPastDue=0)
        step = await self._step(ago, "An instalment is paid on time; the bank's books say: current", BANK, index)
        promised(step["dpd"] == 0, "repaid_on_time", 0, step)

    async def _agree(self) -> None:
        """Three contracts about the second loan; and the bank may hear of trouble elsewhere."""
        shown = await self._desk.loan(MICROFINANCE, ACCOUNTS[MICROFINANCE], self._day(57))
        terms = {"account": decode_standard(shown["account"]), "currency": "USD", "expires": self._day(-EXPIRES_DAYS)}
        for name in CONTRACTS:
            self._contracts[name] = await self._desk.agree(MICROFINANCE, self._borrower, self._subject, name, terms)
        reader, until = await self._api.token(BANK, "app"), f"{self._day(-30)}T00:00:00.000Z"
        await self._desk.monitoring(BANK, reader, self._borrower, self._subject, until)
        self._say(
            "Agree",
            "Another borrower, two loans. Lender and borrower sign three contracts about the second; the "
            "borrower lets the bank hear of trouble elsewhere",
            f"{len(self._contracts)} contracts in force",
        )

    async def _fall_behind(self) -> None:
        """The first instalment is not paid: days pass, and on one of them the contract acts."""
        for ago, due, event in ((29, 0, "The first instalment is due"), (28, 1, "It was not paid: in arrears")):
            index = await self._desk.day(self._operator, self._day(ago))
            step = await self._step(ago, event, MICROFINANCE, index)
            promised(step["dpd"] == due, "arrears", due, step)
        await self._act(25, "late-fee", 4, "The contract adds its late fee of 10.00, on the day's tick")

    async def _act(self, ago: int, contract: str, dpd: int, event: str) -> None:
        """Begin a day on which a contract has to do something, once, because of that day's tick."""
        index = await self._desk.day(self._operator, self._day(ago))
        (effect,) = await self._desk.effects(MICROFINANCE, self._contracts[contract])
        promised(effect["cause_index"] == index, "effect", f"caused by entry {index}", effect)
        step = await self._step(ago, event, MICROFINANCE, effect["index"])
        promised(step["dpd"] == dpd, "arrears", dpd, step)

    async def _warn(self) -> list[dict[str, Any]]:
        """The watcher takes the log in: both lenders are warned, the bank before its own borrower missed a day."""
        code, watched = await self._command("watch", "--once", "--json")
        promised(code == 0, "watch", 0, code)
        alerts = [one for name in (MICROFINANCE, BANK) for one in await self._desk.alerts(name, self._subject)]
        told = sorted((one["lender"], one["rule"]) for one in alerts)
        promised(told == [(BANK, "miss_elsewhere"), (MICROFINANCE, "first_miss")], "warn", "a warning each", told)
        for alert in alerts:
            event = ("Warned: a payment was missed elsewhere, nothing is late here" if alert["lender"] == BANK else
                     "Warned: the first missed payment")  # fmt: skip
            await self._step(25, event, alert["lender"], alert["index"])
        bank = next(one for one in alerts if one["lender"] == BANK)
        promised(self._steps[-1]["dpd"] == 0 and bank["causes"] != [], "warn", "early, with its cause", bank)
        await self._pay_bank(14)
        await self._desk.close(BANK, bank["id"], "CONTACTED")
        self._say("Warn", "'tallystick watch', another process, follows the log and warns both lenders; the bank, whose "
                  "own loan was never late, sees why, and proves it",
                  f"{len(alerts)} warnings, of {watched['attestations']:,} attestations")  # fmt: skip
        return [{name: value for name, value in one.items() if name != "id"} for one in alerts]

    async def _cure(self) -> None:
        """The notice, then payment of everything overdue; the last payment closes the loan by contract."""
        await self._act(9, "pre-negative-notice", 20, "The contract gives notice before a bad mark")
        await self._pay(5, INSTALMENT + FEE, "Arrears and fee are paid: cured", "active")
        await self._pay(1, INSTALMENT, "The second instalment is paid on time", "active")
        await self._pay(0, INSTALMENT, "The last payment; the contract closes the loan", "paid")

    async def _pay(self, ago: int, amount: int, event: str, stage: str) -> None:
        day = self._day(ago)
        await self._desk.day(self._operator, day)
        index = await self._desk.record(
            MICROFINANCE, steps.REPAYMENT, ACCOUNTS[MICROFINANCE], day, amount=str(amount), **MONEY
        )  # fmt: skip
        step = await self._step(ago, event, MICROFINANCE, index)
        promised((step["dpd"], step["stage"]) == (0, stage), "cure", (0, stage), step)

    # -- looking back ---------------------------------------------------------------------------------------------

    async def _effects(self) -> list[dict[str, Any]]:
        """Everything that the contracts did, each with its cause, proven again against today's checkpoint."""
        found = [
            {**effect, "contract": name}
            for name, contract in self._contracts.items()
            for effect in await self._desk.effects(MICROFINANCE, contract)
        ]
        did = [(one["contract"], one["effect"]) for one in found]
        promised(did == [("late-fee", "penalty.apply"), ("pre-negative-notice", "attestation.emit"),
                         ("payment-closure", "attestation.emit")], "effects", "one of each contract", did)  # fmt: skip
        promised(found[-1]["cause_index"] == self._steps[-1]["index"], "effects", "the last payment", found[-1])
        self._say("After", "Days pass, a payment is missed, the contracts act on their days, the arrears are paid, the "
                  "last payment closes the loan; each step is checked up to the signed checkpoint",
                  f"{len(self._steps)} steps, {len(found)} effects, {self._desk.proofs} proofs held")  # fmt: skip
        return found

    async def _explain(self) -> dict[str, Any]:
        """Why the loan stood where it stood on the day of the notice, asked now that everything is paid."""
        told = await self._desk.explained(MICROFINANCE, ACCOUNTS[MICROFINANCE], self._day(9))
        found = (told["days_past_due"], (told["instalment"] or {}).get("n"))
        promised(found == (20, 1) and told["attestations_proven"] > 0, "explain", (20, 1), told)
        return told

    async def _tamper(self) -> dict[str, Any]:
        """The record of the fee with another amount: the same check has to refuse it."""
        forged = placed(await self._desk.altered(MICROFINANCE, self._contracts["late-fee"]))
        entry = await logged(self._api, self._tokens[MICROFINANCE], forged.index)
        try:
            check(forged, entry, self._trust)
        except Untrusted as error:
            return {"outcome": "refused", "code": error.code}
        promised(False, "tampered_effect", "refused", "accepted")
        return {}

    async def _replay(self) -> dict[str, Any]:
        """All contracts executed again by another process, from the stored attestations alone."""
        code, told = await self._command("replay", "--json")
        same = code == 0 and told["faults"] == [] and told["effects"] == len(CONTRACTS)
        promised(same, "replay", f"exit code 0, {len(CONTRACTS)} effects, no fault", {"code": code, **told})
        self._say("Replay", "'tallystick replay' executes every contract again from the log; and one digit of the "
                  "record of the fee is changed, which the check refuses",
                  f"{told['effects']} of {len(CONTRACTS)} effects identical")  # fmt: skip
        return {"exit_code": code} | {name: told[name] for name in ("contracts", "executions", "effects", "root")}
