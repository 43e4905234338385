"""Reading with consent: lines, the attestations behind them, their proofs, and the access record first.

    view = await reader.credit_view(consumer, consent_id, as_of=...)
    view.lines, view.bundle (the whole thing as a file that verifies offline)

Rules
- The decision is taken before the rows are read and again, under the consent's lock, in the transaction that publishes
  the access record. Only after that COMMIT does an answer leave: a read is in the log, before any later revoke.
- A read runs under the version of the consent that is in force. One that loses the race with the grant of a new version
  is not in the log; it is made again, once, under the new terms.
- Rows are found through the subject (row-level security lets a transaction see one borrower's rows at every lender),
  narrowed to what the consent names. What no view may show (extensions, other borrowers) is never opened.
- A row answers for the days from its loan's newest event on; for a day before, the account is folded from its chain.
- A loan that was bought shows the months of the accounts before it (lineage.py), to its lender as to a consented reader.
- With a lender's own account go the insolvencies of its borrower that this lender attested, nobody else's.
- A line's figures come from its projection row; the attestations behind it are walked from the same row backwards, so
  that both tell of the same moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import UUID

from ledger.attestation.envelope import Attestation, parse
from ledger.attestation.keys import PrivateKey
from ledger.attestation.sharing_kinds import Access, Artefact, Consent, KeyEvent
from ledger.consent.artefact import ConsentState, read_artefact, version_in_force
from ledger.consent.decision import Use, decide
from ledger.errors import NotFound, Refused
from ledger.limits import VIEW_ATTESTATIONS_MAX, VIEW_LINES_MAX
from ledger.loan.account import Account, account
from ledger.loan.supersession import Told
from ledger.node.chains import Chains
from ledger.node.clock import Sources
from ledger.node.drafts import Draft
from ledger.node.lineage import Lineage, start_of
from ledger.node.log_reader import LogReader
from ledger.node.participants import DEPLOYMENT
from ledger.node.publisher import Publisher, Receipt
from ledger.node.sealer import Sealer
from ledger.store.attestation_rows import LAST_ID, AttestationRow, about_subject, chains, key_events
from ledger.store.consent_rows import ConsentRow, consent_versions
from ledger.store.database import Database
from ledger.store.loan_rows import LoanRow, loans_of_subject, loans_of_tenant, read_loan
from ledger.store.log_rows import EntryRow, entries_by_batch
from ledger.types import AccountRef, Subject, TenantId, UnixMillis
from ledger.view.bundle import ConsentUsed, EvidenceRow, LineEvidence, build_bundle, view_hash
from ledger.view.continuity import Holding
from ledger.view.credit_view import Line, apply_consent, chosen, line_of


@dataclass(frozen=True)
class CreditView:
    """What a consumer gets: the lines, and everything as one verifiable file. ``receipt`` is the access record's."""

    consent: UUID
    detail: str
    as_of: date
    lines: tuple[Line, ...]
    evidence: int
    bundle: bytes
    receipt: Receipt


@dataclass(frozen=True)
class AccessSeen:
    """One reading of a borrower's data, as the borrower sees it."""

    id: UUID
    access: Access
    batch_id: UUID
    index: int


class LenderAccount(NamedTuple):
    """One of a lender's own loans: the whole account, and its line as it could be told by the same knowledge."""

    account: Account
    line: Line


class Opened(NamedTuple):
    """A stored attestation and what it says."""

    row: AttestationRow
    attestation: Attestation


@dataclass(frozen=True)
class Disclosed:
    """One line with the stored attestations that go with it."""

    line: Line
    rows: list[Opened]
    complete: bool


class Reader:
    """The reading half of a node."""

    def __init__(
        self, database: Database, publisher: Publisher, log: LogReader, sealer: Sealer, operator: PrivateKey,
        sources: Sources, origin: str,
    ) -> None:  # fmt: skip
        self._database = database
        self._publisher = publisher
        self._log = log
        self._sealer = sealer
        self._chains = Chains(database, sealer)
        self._lineage = Lineage(database, self._chains)
        self._operator = operator
        self._sources = sources
        self._origin = origin

    async def credit_view(
        self, consumer: TenantId, consent: UUID, *, as_of: date | None = None, with_bundle: bool = True
    ) -> CreditView:
        """Read a borrower's loans across lenders. Raises Refused with the decision's reason, NotFound."""
        try:
            return await self._view(consumer, consent, as_of, with_bundle)
        except Refused as refused:
            if refused.code != "consent_superseded":
                raise
            return await self._view(consumer, consent, as_of, with_bundle)

    async def _view(self, consumer: TenantId, consent: UUID, as_of: date | None, with_bundle: bool) -> CreditView:
        row, artefact = await self._allowed(consumer, consent)
        day = as_of or self._today()
        subject = Subject(artefact.subject)
        disclosed = await self._disclosed(subject, artefact, day, with_evidence=with_bundle)
        lines = tuple(item.line for item in disclosed)
        receipt, access = await self._record_access(artefact, lines)
        bundle = b""
        if with_bundle:
            bundle = await self._bundle(row, artefact, day, disclosed, access)
        return CreditView(
            consent, artefact.detail, day, lines, sum(len(item.rows) for item in disclosed), bundle, receipt
        )

    async def own_lines(self, subject: Subject, *, as_of: date | None = None) -> list[Line]:
        """Every loan of a borrower, for the borrower: no consent needed, nothing recorded."""
        day = as_of or self._today()
        async with self._database.reading(subject=subject) as connection:
            rows = await loans_of_subject(connection, subject, VIEW_LINES_MAX)
        lines = await self._lines(rows, day, subject=subject)
        return [line for line in lines if line is not None]

    async def accesses(self, subject: Subject, *, before: UUID = LAST_ID, limit: int) -> list[AccessSeen]:
        """Who looked at a borrower's data, newest first."""
        async with self._database.reading(subject=subject) as connection:
            rows = await about_subject(connection, subject, "access", before=before, limit=limit)
            entries = await _entries(connection, rows)
        opened = await self._opened(rows)
        return [
            AccessSeen(row.id, attestation.body, row.batch_id, entries[TenantId(row.tenant), row.batch_id].idx)
            for row, attestation in opened
            if isinstance(attestation.body, Access)
        ]

    async def lender_loans(
        self, tenant: TenantId, *, after: bytes, limit: int, as_of: date | None = None
    ) -> list[Line]:
        """A lender's own loans in the order of their references; ``after`` is exclusive."""
        day = as_of or self._today()
        async with self._database.reading(tenants=(tenant,)) as connection:
            rows = await loans_of_tenant(connection, tenant, after, limit)
        lines = await self._lines(rows, day, tenants=(tenant,))
        return [
            line or Line(account=row.account, as_of=day, lender=tenant) for row, line in zip(rows, lines, strict=True)
        ]

    async def lender_loan(self, tenant: TenantId, account: AccountRef, *, as_of: date | None = None) -> Line:
        """One loan on any day, past or coming. Raises NotFound, also where it did not exist on the day."""
        day = as_of or self._today()
        row = await self._row(tenant, account)
        (line,) = await self._lines([row], day, tenants=(tenant,))
        if line is None:
            raise NotFound("loan_unknown", "the loan did not exist on that day")
        return line

    async def lender_account(
        self, tenant: TenantId, reference: AccountRef, *, as_of: date | None = None, known_at: int | None = None
    ) -> LenderAccount:
        """The whole account of one loan on any day, by all that is known or by what was known when entry ``known_at``
        was the log's newest. Raises NotFound."""
        row, day = await self._row(tenant, reference), as_of or self._today()
        (told,) = await self._chains.told([start_of(row)], tenants=(tenant,), indexed=True)
        beside = await self._chains.about(Subject(row.subject), "insolvency", tenant=tenant)
        found = account(told, as_of=day, known_at=known_at, beside=beside)
        if not found.counted:
            raise NotFound("loan_unknown", "the loan did not exist on that day, or was not known")
        return LenderAccount(found, await self._line(Holding(tenant, reference, found.state), day, known_at))

    async def lender_chain(self, tenant: TenantId, reference: AccountRef) -> list[Told]:
        """Everything that was attested of one of a lender's own loans, in log order. Raises NotFound."""
        row = await self._row(tenant, reference)
        (told,) = await self._chains.told([start_of(row)], tenants=(tenant,))
        return told

    async def _row(self, tenant: TenantId, reference: AccountRef) -> LoanRow:
        async with self._database.reading(tenants=(tenant,)) as connection:
            row = await read_loan(connection, tenant, reference)
        if row is None:
            raise NotFound("loan_unknown", "no such loan")
        return row

    async def _lines(
        self, rows: Sequence[LoanRow], day: date, *, tenants: Sequence[TenantId] = (), subject: Subject | None = None
    ) -> list[Line | None]:
        """The lines of loans on a day; None where a loan did not exist yet."""
        states = await self._lineage.states(rows, day, tenants=tenants, subject=subject)
        return [
            None if state is None else await self._line(Holding(row.tenant, row.account, state), day)
            for row, state in zip(rows, states, strict=True)
        ]

    async def _line(self, own: Holding, day: date, known_at: int | None = None) -> Line:
        earlier = await self._lineage.earlier(own, day, known_at=known_at)
        return line_of(own.state, lender=own.lender, account=own.account, as_of=day, earlier=earlier)

    # -- the parts of a credit view ---------------------------------------------------------------------------

    async def _allowed(self, consumer: TenantId, consent: UUID) -> tuple[ConsentRow, Artefact]:
        async with self._database.reading(tenants=(consumer,)) as connection:
            versions = await consent_versions(connection, consent)
        if not versions:
            raise NotFound("consent_unknown", "no such consent")
        row = version_in_force(versions)
        artefact = read_artefact(row.artefact)
        use = Use(row.reads, None if row.last_read is None else UnixMillis(row.last_read))
        decision = decide(
            ConsentState(row.state), artefact, use, consumer=consumer, detail=artefact.detail, now=self._sources.now()
        )
        if not decision.allowed:
            raise Refused(decision.reason, "the consent does not allow this read", path="consent")
        return row, artefact

    async def _disclosed(
        self, subject: Subject, artefact: Artefact, day: date, *, with_evidence: bool
    ) -> list[Disclosed]:
        """The lines that the consent reaches. Without evidence a line is one row, and nothing is unsealed."""
        async with self._database.reading(subject=subject) as connection:
            rows = await loans_of_subject(connection, subject, VIEW_LINES_MAX + 1)
        if len(rows) > VIEW_LINES_MAX:
            raise Refused("view_too_large", "the borrower has more loans than one view holds",
                          advice="narrow the consent by provider or account")  # fmt: skip
        lines = await self._lines(rows, day, subject=subject)
        known = [(row, apply_consent(line, artefact)) for row, line in zip(rows, lines, strict=True) if line]
        shown = [(row, line) for row, line in known if line is not None]
        found: list[list[AttestationRow]] = [[] for _ in shown]
        if with_evidence and artefact.detail != "PROFILE" and shown:
            async with self._database.reading(subject=subject) as connection:
                found = await chains(connection, [start_of(row) for row, _ in shown], VIEW_ATTESTATIONS_MAX + 1)
        if sum(map(len, found)) > VIEW_ATTESTATIONS_MAX:
            raise Refused("view_too_large", "more attestations than one view holds",
                          advice="ask for SUMMARY, or narrow the consent by date")  # fmt: skip
        return [
            await self._chosen(line, list(reversed(chain)), artefact)
            for (_, line), chain in zip(shown, found, strict=True)
        ]

    async def _chosen(self, line: Line, rows: list[AttestationRow], artefact: Artefact) -> Disclosed:
        """The attestations that the consent lets out with a line. Kinds that are never shown stay sealed."""
        candidates = [row for row in rows if row.kind != "extension"]
        opened = await self._opened(candidates)
        events = [(row.kind, attestation.envelope.effective_date) for row, attestation in opened]
        places, complete = chosen(artefact, events)
        return Disclosed(line, [opened[place] for place in places], complete and bool(places))

    async def _opened(self, rows: Sequence[AttestationRow]) -> list[Opened]:
        data = await self._sealer.open(rows)
        return [Opened(row, parse(found)) for row, found in zip(rows, data, strict=True) if found is not None]

    async def _record_access(self, artefact: Artefact, lines: tuple[Line, ...]) -> tuple[Receipt, EvidenceRow]:
        now = self._sources.now()
        body = Access(
            consent=artefact.consent, consent_version=artefact.version, consumer=artefact.consumer,
            detail=artefact.detail, fields=artefact.fields, lines=len(lines), purpose=artefact.purpose.code,
            read_at=now, request=self._sources.new_id(), view_hash=view_hash(lines),
        )  # fmt: skip
        draft = Draft(
            kind="access", body=body, effective_date=self._today(), jurisdiction=artefact.jurisdiction,
            legal_basis=artefact.legal_basis, subject=artefact.subject, role="borrower",
        )  # fmt: skip
        receipt, (access,) = await self._publisher.publish_own(
            DEPLOYMENT, self._operator, [draft], tenants=(TenantId(artefact.consumer),)
        )
        return receipt, EvidenceRow(receipt.index, receipt.statement, 0, access.data, b"")

    async def _bundle(
        self, row: ConsentRow, artefact: Artefact, day: date, disclosed: list[Disclosed], access: EvidenceRow
    ) -> bytes:
        subject = Subject(artefact.subject)
        async with self._database.reading(subject=subject) as connection:
            consents = await about_subject(connection, subject, "consent", limit=VIEW_LINES_MAX)
            keys = [key for key in await key_events(connection) if key.kind == "key"]
            every = [*keys, *consents, *(shown.row for item in disclosed for shown in item.rows)]
            entries = await _entries(connection, every)
        about = [
            opened for opened in await self._opened(list(reversed(consents)))
            if isinstance(opened.attestation.body, Consent)
            and (opened.attestation.body.consent, opened.attestation.body.version) == (artefact.consent, artefact.version)
        ]  # fmt: skip
        signers = {shown.row.tenant for item in disclosed for shown in item.rows}
        named = [
            opened for opened in await self._opened(keys)
            if isinstance(opened.attestation.body, KeyEvent) and opened.attestation.body.owner in signers
        ]  # fmt: skip
        shown_rows = [opened.row for opened in (*named, *about, *(one for item in disclosed for one in item.rows))]
        indexes = sorted({access.index, *(entries[TenantId(row.tenant), row.batch_id].idx for row in shown_rows)})
        head = await self._log.head()
        paths = await self._log.inclusions(indexes, head.size)
        return build_bundle(
            origin=self._origin, subject=subject, consumer=artefact.consumer,
            consent=ConsentUsed(consent=artefact.consent, detail=artefact.detail, version=row.version), as_of=day,
            checkpoint_note=self._log.signed(head),
            lines=[LineEvidence(item.line, _evidence(item.rows, entries), item.complete) for item in disclosed],
            keys=_evidence(named, entries), consent_evidence=[*_evidence(about, entries), access],
            log_paths=dict(zip(indexes, paths, strict=True)),
        )  # fmt: skip

    def _today(self) -> date:
        return datetime.fromtimestamp(self._sources.now() / 1000, UTC).date()


def _evidence(rows: Sequence[Opened], entries: dict[tuple[TenantId, UUID], EntryRow]) -> list[EvidenceRow]:
    found = []
    for row, attestation in rows:
        entry = entries[TenantId(row.tenant), row.batch_id]
        found.append(EvidenceRow(entry.idx, entry.statement, row.position, attestation.data, row.path))
    return found


async def _entries(connection: object, rows: Sequence[AttestationRow]) -> dict[tuple[TenantId, UUID], EntryRow]:
    keys = sorted({(TenantId(row.tenant), row.batch_id) for row in rows})
    return await entries_by_batch(connection, [key[0] for key in keys], [key[1] for key in keys])
