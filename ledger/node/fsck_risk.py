"""fsck's look at early warning: every borrower folded again from the attestations, as far as the watcher came.

Rules
- The watcher is a process of its own and may be behind: everything is compared as of ``risk_cursor``, which may not stand
  beyond the head. Days pass as far as the borrower's shared part says that they were looked at, and no farther back than
  its newest event.
- Shared part, each lender's part and each link are what the fold of the borrower's attestations gives (risk_again.py);
  ``wake`` follows from the parts. The first member that differs is named.
- Rules that are raised, and their episodes, are what the lender's alerts on the log say.
- Whether a guarantor's miss was told hung on the consents, the clock and the operator's law of that moment: what stands
  in a part must be a miss that there was. Beside borrowers who were erased, what they pledged is left out.

What it does not do: judge the rules again. Which document a watcher went by is its operator's; each alert says it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import msgspec

from ledger.attestation.risk_kinds import Alert
from ledger.errors import TallystickError
from ledger.node.fsck_batches import Opener
from ledger.node.fsck_projections import chains_of
from ledger.node.fsck_report import FsckReport, Progress
from ledger.node.participants import DEPLOYMENT
from ledger.node.risk_again import Placed, RiskAgain
from ledger.node.watch_round import FOLLOWED_KINDS, wake_of
from ledger.risk.borrower import TRAIL_MAX, Counts, Own, Shared, State, Trace, decode_own, decode_shared, encode_part
from ledger.risk.rings import RING_DAYS, Ring
from ledger.store.attestation_rows import AttestationRow
from ledger.store.contract_rows import all_ticks
from ledger.store.fsck_rows import (
    alert_events,
    enquiries_about,
    loans_about,
    risk_links_about,
    risk_neighbours,
    risk_subjects,
)
from ledger.store.log_rows import entries_by_batch, read_entries
from ledger.store.risk_rows import Cursor, LinkRow, PartRow, read_cursor, read_parts
from ledger.types import TenantId

BORROWERS_A_PAGE: Final = 64
"""Borrowers whose attestations are in memory together, and those of whoever they are linked to."""

CHAIN_ROWS_MAX: Final = 100_000
"""Attestations of one page; past it the borrowers are taken one by one, and then no more of one is read."""

CONTRACT_RULE: Final = "contract"
"""The rule of alerts that contracts raise: the watcher knows nothing of them."""

Episodes = dict[tuple[str, bytes], dict[str, int]]
"""(lender, borrower) -> rule and account as a part names them -> how often it was raised."""


async def check_risk(report: FsckReport, opener: Opener, size: int, progress: Progress) -> None:
    """Every borrower's parts and links against the attestations before the cursor of a ledger of ``size`` entries."""
    cursor = await read_cursor(opener.connection)
    await _check_cursor(report, opener, cursor, size)
    ticks = sorted((index, day.toordinal()) for day, index in await all_ticks(opener.connection))
    check = _RiskCheck(report, opener, cursor or (0, 0), ticks)
    after, done = b"", 0
    while page := await risk_subjects(opener.connection, after, BORROWERS_A_PAGE):
        await check.page(page)
        after, done = page[-1], done + len(page)
        progress("borrowers", done, done)


async def _check_cursor(report: FsckReport, opener: Opener, cursor: Cursor | None, size: int) -> None:
    if cursor is None:
        return
    report.count("risk_cursor")
    index, position = cursor
    entry = await read_entries(opener.connection, index, index + 1) if 0 <= index < size else []
    if not (0 <= index <= size and 0 <= position <= (entry[0].count if entry else 0)):
        report.add("risk_cursor_differs", "the watcher's cursor", "early warning went beyond the log")


class _RiskCheck:
    """Pages of borrowers, one after the other."""

    def __init__(self, report: FsckReport, opener: Opener, cursor: Cursor, ticks: Sequence[tuple[int, int]]) -> None:
        self._report = report
        self._opener = opener
        self._connection = opener.connection
        self._cursor = cursor
        self._ticks = ticks

    async def page(self, subjects: list[bytes]) -> None:
        """Fold these borrowers again, with their neighbours, and compare."""
        group = sorted({*subjects, *await risk_neighbours(self._connection, subjects)})
        rows = await self._rows(group)
        if len(rows) > CHAIN_ROWS_MAX:
            if len(subjects) == 1:
                self._report.count("risk_too_long")
                return
            for subject in subjects:
                await self.page([subject])
            return
        again = RiskAgain(self._ticks)
        for placed in await self._placed(rows, set(group)):
            again.take(placed)
        parts = await read_parts(self._connection, group)
        stored: dict[bytes, list[PartRow]] = {subject: [] for subject in group}
        for row in parts:
            stored[row.subject].append(row)
        shared = {row.subject: row for row in parts if row.tenant == DEPLOYMENT}
        for subject in group:
            self._pass_days(again, subject, shared.get(subject))
        episodes = await self._episodes(subjects)
        for subject in subjects:
            _Borrower(self._report, again, subject, self._beside_erased).check(stored[subject], episodes)
        self._check_links(again, subjects, await risk_links_about(self._connection, subjects))

    @property
    def _beside_erased(self) -> bool:
        return self._opener.last_erasure >= 0

    async def _rows(self, group: list[bytes]) -> list[AttestationRow]:
        if self._cursor == (0, 0):
            return []  # no watcher ever ran: nothing may be stored
        starts = [(TenantId(tenant), *place) for tenant, *place in await loans_about(self._connection, group)]
        found = await chains_of(self._connection, starts, CHAIN_ROWS_MAX + 1)  # type: ignore[arg-type]
        # A chain that was bent into a circle gives a row many times over.
        rows = {row[:3]: row for chain in found for row in chain if row.kind in FOLLOWED_KINDS}
        return [*rows.values(), *await enquiries_about(self._connection, group)]

    async def _placed(self, rows: Sequence[AttestationRow], group: set[bytes]) -> list[Placed]:
        """Those before the cursor that can be opened, in log order."""
        batches = sorted({(TenantId(row.tenant), row.batch_id) for row in rows})
        entries = await entries_by_batch(self._connection, [key[0] for key in batches], [key[1] for key in batches])
        keys, found = await self._opener.keys_of(rows), list[Placed]()
        for row in rows:
            entry = entries.get((TenantId(row.tenant), row.batch_id))
            if entry is None or row.subject not in group or (entry.idx, row.position) >= self._cursor:
                continue
            try:
                attestation = self._opener.opened(row, keys, entry.idx)
            except TallystickError:
                continue  # reported where its batch was checked
            if row.kind == "consent":
                found.append(Placed(entry.idx, row.position, entry.committed_at, row.subject, None))
            elif attestation is not None:
                found.append(Placed(entry.idx, row.position, entry.committed_at, row.subject, attestation))
        return sorted(found, key=lambda placed: placed[:2])

    def _pass_days(self, again: RiskAgain, subject: bytes, row: PartRow | None) -> None:
        try:
            day = 0 if row is None else decode_shared(row.part).day
        except (msgspec.DecodeError, UnicodeDecodeError):
            return  # reported where the part is compared
        if day <= date.max.toordinal():
            again.pass_days(subject, day)

    async def _episodes(self, subjects: list[bytes]) -> Episodes:
        events = await alert_events(self._connection, subjects)
        keys, found = await self._opener.keys_of([row for _, row in events]), Episodes()
        for index, row in events:
            try:
                attestation = self._opener.opened(row, keys, index)
            except TallystickError:
                continue  # reported where its batch was checked
            body = None if attestation is None else attestation.body
            if isinstance(body, Alert) and body.rule != CONTRACT_RULE and row.subject is not None:
                name = body.rule if body.account is None else f"{body.rule}:{body.account.hex()}"
                known = found.setdefault((body.audience, row.subject), {})
                known[name] = max(known.get(name, 0), body.episode)
        return found

    def _check_links(self, again: RiskAgain, subjects: list[bytes], rows: list[LinkRow]) -> None:
        due = {link: entry for link, entry in again.links.items() if link.subject in set(subjects)}
        self._report.count("risk_links", len(rows))
        for link in sorted(due.keys() ^ set(rows)):
            erased = link in due and link.kind == "guarantor" and due[link] < self._opener.last_erasure
            if not erased:
                where, message = (
                    f"{link.kind} of {_short(link.subject)} at {link.tenant}",
                    "no attestation made this link",
                )
                self._report.add("risk_link_differs", where, "the link is missing" if link in due else message)


class _Borrower:
    """One borrower: the rows that are stored against the state that was folded again."""

    def __init__(self, report: FsckReport, again: RiskAgain, subject: bytes, beside_erased: bool) -> None:
        self._report = report
        self._again = again
        self._subject = subject
        self._due = again.states[subject]
        links = [link for link in again.links if link.subject == subject]
        self._guarantors = [link for link in links if link.kind == "guarantor"]
        self._left_out = beside_erased and any(link.kind == "item" for link in links)
        self._beside_erased = beside_erased

    def check(self, rows: Sequence[PartRow], episodes: Episodes) -> None:
        """Compare, and name the first member that differs."""
        by_tenant = {row.tenant: row for row in rows}
        due = {*self._due.own, *([DEPLOYMENT] if self._due.shared.by else [])}
        self._report.count("risk_parts", len(rows))
        for tenant in sorted(due ^ by_tenant.keys()):
            if tenant != DEPLOYMENT or due or not self._guarantors:
                self._fault(tenant, "there is no such part" if tenant in due else "nothing was known of this borrower")
        try:
            state = _decoded(by_tenant)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
            self._fault("a lender", "a part cannot be read")
            return
        if DEPLOYMENT in by_tenant:
            self._check_shared(by_tenant[DEPLOYMENT], state)
        for tenant in sorted(state.own.keys() & self._due.own.keys()):
            self._check_own(tenant, by_tenant[tenant], state.own[tenant], episodes.get((tenant, self._subject), {}))

    def _check_shared(self, row: PartRow, state: State) -> None:
        if encode_part(state.shared) != row.part:
            self._fault(DEPLOYMENT, "the part is not in its one form")
        if wake_of(state) != row.wake:
            self._fault(DEPLOYMENT, "wake is not the next day on which something can change")
        self._check_told(state.shared)
        found, due = self._comparable(state.shared), self._comparable(self._due.shared)
        name = first_difference(found, due)
        if name is None and not _same_trail(state.shared.trail, self._due.shared.trail, self._counts_for_trail):
            name = "trail"
        if name is not None:
            self._fault(DEPLOYMENT, f"{name} is not the fold of the attestations")

    def _check_own(self, tenant: str, row: PartRow, own: Own, episodes: Mapping[str, int]) -> None:
        if encode_part(own) != row.part or row.wake is not None:
            self._fault(tenant, "the part is not in its one form")
        name = first_difference(own.loans, self._due.own[tenant].loans)
        if name is not None:
            self._fault(tenant, f"loans{name} is not the fold of the attestations")
        followed = {key: n for key, n in episodes.items() if _account_of(key) in {b"", *own.loans}}
        if own.episodes != followed:
            self._fault(tenant, "episodes are not those of the alerts on the log")
        if any(own.episodes.get(key) != n for key, n in own.raised.items()):
            self._fault(tenant, "a rule is raised in another episode than its newest")

    def _check_told(self, shared: Shared) -> None:
        """What stands of guarantors' misses must be misses that there were."""
        for lender, counts in shared.by.items():
            ring, days = counts.guarantor, self._misses_at(lender)
            if not _holds_together(ring, shared.day):
                self._fault(DEPLOYMENT, f"by[{lender}].guarantor does not add up")
            elif days is not None and not _days_of(ring) <= days:
                self._fault(DEPLOYMENT, f"by[{lender}].guarantor counts a miss that there was not")
        for trace in shared.trail:
            days = self._misses_at(trace.lender)
            if trace.kind == "guarantor_miss" and days is not None and trace.day not in days:
                self._fault(DEPLOYMENT, "trail names a guarantor's miss that there was not")

    def _misses_at(self, lender: str) -> set[int] | None:
        """The days of misses of whoever answers for this borrower at a lender; None: somebody erased may be among them."""
        targets = {link.target for link in self._guarantors if link.tenant == lender}
        if targets and self._beside_erased:
            return None
        return set().union(*(self._again.missed_days[target] for target in targets))

    def _comparable(self, shared: Shared) -> Shared:
        """The shared part without what :meth:`_check_told` and ``_same_trail`` look at."""
        by = {name: msgspec.structs.replace(counts, guarantor=Ring()) for name, counts in shared.by.items()}
        by = {name: counts for name, counts in by.items() if counts != _NOTHING}
        items = {} if self._left_out else shared.items
        return msgspec.structs.replace(shared, by=by, items=items, trail=[])

    def _counts_for_trail(self, trace: Trace) -> bool:
        return trace.kind != "guarantor_miss" and not (self._left_out and trace.entry < 0)

    def _fault(self, tenant: str, message: str) -> None:
        part = "shared" if tenant == DEPLOYMENT else tenant
        self._report.add("risk_part_differs", f"borrower {_short(self._subject)}, part {part}", message)


_NOTHING: Final = Counts()


def first_difference(found: Any, due: Any) -> str | None:
    """The path to the first member in which two structures differ; None when they are equal.

    >>> first_difference({"a": [1, 2]}, {"a": [1, 3]})
    '[a][1]'
    """
    if found == due:
        return None
    if isinstance(found, msgspec.Struct) and type(found) is type(due):
        for name in found.__struct_fields__:
            inner = first_difference(getattr(found, name), getattr(due, name))
            if inner is not None:
                return f"{name}{inner}" if inner.startswith("[") or not inner else f"{name}.{inner}"
    if isinstance(found, dict) and isinstance(due, dict):
        for key in sorted(found.keys() | due.keys()):
            inner = first_difference(found.get(key), due.get(key))
            if inner is not None:
                return f"[{_short(key) if isinstance(key, bytes) else key}]{_joined(inner)}"
    if isinstance(found, list | tuple) and isinstance(due, list | tuple) and len(found) == len(due):
        for at, (one, other) in enumerate(zip(found, due, strict=True)):
            inner = first_difference(one, other)
            if inner is not None:
                return f"[{at}]{_joined(inner)}"
    return ""


def _joined(inner: str) -> str:
    return f".{inner}" if inner and not inner.startswith("[") else inner


def _decoded(rows: Mapping[str, PartRow]) -> State:
    shared = decode_shared(rows[DEPLOYMENT].part) if DEPLOYMENT in rows else Shared()
    return State(shared, {tenant: decode_own(row.part) for tenant, row in rows.items() if tenant != DEPLOYMENT})


def _holds_together(ring: Ring, until: int) -> bool:
    """Whether a ring's sums are those of its slots, and it ends no later than its part."""
    slots = ring.slots
    sums = (sum(slots[-7:]), sum(slots[-30:]), sum(slots))
    return len(slots) in (0, RING_DAYS) and (ring.week, ring.month, ring.quarter) == sums and ring.last <= until


def _days_of(ring: Ring) -> set[int]:
    return {ring.last - (RING_DAYS - 1 - at) for at, count in enumerate(ring.slots) if count}


def _same_trail(found: Sequence[Trace], due: Sequence[Trace], counts: Any) -> bool:
    """Whether two trails hold the same, but for what ``counts`` leaves out. Days go upwards; of one day the order is the
    rows' chance. A full trail may have dropped some of its oldest day."""
    if [trace.day for trace in found] != sorted(trace.day for trace in found) or len(found) > TRAIL_MAX:
        return False
    full = max(len(found), len(due)) == TRAIL_MAX
    oldest = max(trail[0].day for trail in (found, due) if trail) if full else -1
    one, other = (sorted(trace for trace in trail if trace.day > oldest and counts(trace)) for trail in (found, due))
    return one == other


def _account_of(key: str) -> bytes:
    return bytes.fromhex(key.partition(":")[2])


def _short(name: bytes) -> str:
    return name[:4].hex()
