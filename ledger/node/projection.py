"""What a group of batches changes in the projections, worked out in memory before anything is written.

    work = Projection(loans, consent_rows)
    chain = work.apply(batch, loan_keys(batch), now)     # raises and changes nothing, or takes effect whole
    work.changed_loans(), work.new_consents(), work.changed_consents()

Rules
- A batch is all or nothing: the first attestation that is refused refuses the batch, with its place.
- A later batch of the group sees what an earlier one changed.
- An event that changes the past (a reversal, a correction, a back-dated payment) needs its account's whole chain:
  ``apply`` raises HistoriesNeeded, the caller reads the chains, calls ``learn`` and applies again.
- Only the deployment's own tenant publishes consents, access records, keys and tombstones; only lenders (and bureaus)
  publish credit.
- What is recorded of a consent (when it changed, when it was read) is what the attestation says (``reportedAt``), so
  that the projection can be derived again from the log. Whether a read is allowed is decided for the present as well.
- An access record is decided again here, under the consent's lock: the log's order settles a race with a revoke.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from typing import Any
from uuid import UUID

from ledger.attestation.batch import Batch
from ledger.attestation.envelope import Attestation, encode_body
from ledger.attestation.registry import SPECS
from ledger.attestation.sharing_kinds import Access, Consent
from ledger.consent.artefact import ConsentState, ensure_replaceable, next_state, read_artefact
from ledger.consent.decision import Use, decide
from ledger.errors import Refused, TallystickError
from ledger.limits import REPLAY_STEPS_MAX
from ledger.loan.account import replayed
from ledger.loan.fold import fold
from ledger.loan.state import NEW_LOAN, LoanState, NeedsReplay
from ledger.loan.supersession import Told
from ledger.node.loan_cache import CachedLoan, LoanKey, Place
from ledger.store.consent_rows import ConsentRow
from ledger.types import UnixMillis

ConsentKey = tuple[bytes, UUID, int]
"""(subject, consent, version): another consumer that takes the same consent id for another borrower changes nothing."""
_CONSENT_KINDS = frozenset({"access", "consent"})
PUBLISHING_ROLES = {"lender": ("lender", "bureau"), "deployment": ("deployment",)}


def loan_keys(batch: Batch) -> list[LoanKey | None]:
    """The loan that each attestation of a batch is about."""
    tenant = batch.statement.tenant.encode()
    accounts = [attestation.envelope.account for attestation in batch.attestations]
    return [None if account is None else tenant + account for account in accounts]


def consent_ids(batch: Batch) -> frozenset[UUID]:
    """The consents that a batch moves or uses."""
    if not _CONSENT_KINDS & batch.kinds:
        return frozenset()
    bodies: list[Any] = [a.body for a in batch.attestations if a.envelope.kind in _CONSENT_KINDS]
    return frozenset(body.consent for body in bodies if body.consent is not None)


def ensure_may_publish(batch: Batch, role: str) -> None:
    """Raises Refused ``kind_reserved`` when the publisher's role does not publish one of the kinds."""
    for kind in batch.kinds:
        if role not in PUBLISHING_ROLES[SPECS[kind].publisher]:
            raise Refused("kind_reserved", f"a tenant with the role {role} does not publish {kind}", path="$.kind")


class HistoriesNeeded(Exception):
    """The chains of these loans are needed; nothing of the batch took effect. No fault of anybody's."""

    def __init__(self, keys: Set[LoanKey]) -> None:
        super().__init__(len(keys))
        self.keys = keys


class Projection:
    """The projections of one group, starting from the rows as they were read."""

    def __init__(
        self,
        loans: Mapping[LoanKey, CachedLoan],
        consents: Mapping[UUID, list[ConsentRow]],
        watched: Set[LoanKey] = frozenset(),
    ) -> None:
        """``watched`` are loans of which each state on the way is kept (:attr:`passed`): contracts look at them."""
        self._loans = loans
        self._watched = watched
        self.passed: dict[Place, tuple[LoanKey, LoanState | None, LoanState]] = {}
        self._states: dict[LoanKey, CachedLoan] = {}
        self._chains: dict[LoanKey, list[Told]] = {}
        self._consents: dict[ConsentKey, ConsentRow] = {
            (row.subject, row.consent, row.version): row for rows in consents.values() for row in rows
        }
        self._stored_consents = set(self._consents)
        self._touched: set[ConsentKey] = set()

    def apply(self, batch: Batch, keys: list[LoanKey | None], now: UnixMillis) -> list[Place | None]:
        """Take one batch in, with its :func:`loan_keys`; gives, for each attestation, its account's one before it.

        Raises Refused or InvalidInput with ``$[n]`` before the path, and HistoriesNeeded; then nothing of the batch
        took effect.
        """
        batch_id = batch.statement.batch
        replays = _Replays(self._chains)
        states: dict[LoanKey, CachedLoan] = {}
        consents: dict[ConsentKey, ConsentRow] = {}
        chain: list[Place | None] = []
        known, loans, chains, watched = self._states, self._loans, self._chains, self._watched
        new = tuple.__new__  # what CachedLoan(...) comes to, without the names being looked at each time
        for position, (attestation, key) in enumerate(zip(batch.attestations, keys, strict=True)):
            try:
                if key is None:
                    chain.append(None)
                    self.apply_to_consents(attestation, batch_id, consents, now)
                    continue
                if (held := states.get(key) or known.get(key)) is not None:
                    version, last, before = held
                elif (held := loans.get(key)) is not None:
                    version, last, before = held
                    version += 1
                else:
                    version, last, before = 1, None, None
                here = batch_id, position
                try:
                    after = fold(before, attestation.envelope, attestation.body)
                except NeedsReplay:
                    after = replays.replayed(key, before, attestation)
                except Refused:
                    if key not in replays.needed:
                        raise
                    after = before or NEW_LOAN  # its state is not known yet: judged when the chain is
                if chains and key in chains:
                    replays.told[key].append(Told(0, attestation))
                states[key] = new(CachedLoan, (version, here, after))
                chain.append(last)
                if watched and key in watched:
                    self.passed[here] = key, before, after
            except TallystickError as error:
                error.path = f"$[{position}]" + (error.path or "$")[1:]
                raise
        if replays.needed:
            raise HistoriesNeeded(replays.needed)
        for key, told in replays.told.items():
            self._chains[key] += told
        self._states |= states
        self._consents |= consents
        self._touched |= consents.keys()
        return chain

    def learn(self, key: LoanKey, told: list[Told]) -> None:
        """The whole chain of a loan, as of the batches taken in so far."""
        self._chains[key] = told

    def state(self, key: LoanKey) -> LoanState | None:
        """The loan as of the batches taken in so far."""
        loan = self._states.get(key) or self._loans.get(key)
        return None if loan is None else loan.state

    def takes(self, event: Attestation, key: LoanKey, states: dict[LoanKey, LoanState]) -> bool:
        """Whether the loan at ``key`` would take ``event`` after those in ``states``, which then holds it too. An event
        about no account is always taken."""
        if event.envelope.account is None:
            return True
        try:
            states[key] = fold(states.get(key) or self.state(key), event.envelope, event.body)
        except NeedsReplay:
            return True  # it has a place; what it makes of the loan is for the whole chain to tell
        except TallystickError:
            return False
        return True

    def changed_loans(self) -> dict[LoanKey, CachedLoan]:
        """Loans that are new or changed, with the version they get: one more than was read, however often it changed."""
        return self._states

    def new_consents(self) -> Iterable[ConsentRow]:
        """Versions of consents that were not stored before."""
        return [self._consents[key] for key in self._touched - self._stored_consents]

    def changed_consents(self) -> Iterable[ConsentRow]:
        """Versions of consents that were stored before and moved or were used."""
        return [self._consents[key] for key in self._touched & self._stored_consents]

    def apply_to_consents(
        self, attestation: Attestation, batch: UUID, changes: dict[ConsentKey, ConsentRow], now: UnixMillis
    ) -> None:
        """Take one consent step or access record into ``changes``. Raises Refused ``consent_*``."""
        body, subject, reported = (
            attestation.body,
            attestation.envelope.subject or b"",
            attestation.envelope.reported_at,
        )
        if isinstance(body, Consent):
            self._step(body, attestation, batch, changes)
        elif isinstance(body, Access) and body.consent is not None and body.consent_version is not None:
            key = (subject, body.consent, body.consent_version)
            row = changes.get(key) or self._consents.get(key)
            if row is None:
                raise Refused("consent_unknown", "no such consent", path="$.body.consent")
            terms = (ConsentState(row.state), read_artefact(row.artefact), _use(row))
            decision = decide(*terms, consumer=body.consumer, detail=body.detail, now=UnixMillis(reported))
            late = decide(*terms, consumer=body.consumer, detail=body.detail, now=max(now, UnixMillis(reported)))
            if not (decision.allowed and late.allowed):
                raise Refused(decision.reason or late.reason, "the consent does not allow this read",
                              path="$.body.consent")  # fmt: skip
            changes[key] = row._replace(reads=decision.use.reads, last_read=decision.use.last_read)

    def _step(
        self, body: Consent, attestation: Attestation, batch: UUID, changes: dict[ConsentKey, ConsentRow]
    ) -> None:
        reported = attestation.envelope.reported_at
        key = (attestation.envelope.subject or b"", body.consent, body.version)
        row = changes.get(key) or self._consents.get(key)
        state = next_state(None if row is None else ConsentState(row.state), body.step)
        if row is not None:
            artefact = row.artefact if body.artefact is None else encode_body(body.artefact)
            changes[key] = row._replace(state=state.value, last_batch=batch, changed_at=reported, artefact=artefact)
        elif body.artefact is not None:
            if body.artefact.supersedes is not None:
                place = (key[0], body.consent, body.artefact.supersedes)
                old = changes.get(place) or self._consents.get(place)
                ensure_replaceable(old and old.state, old and old.tenant, body.artefact)
            changes[key] = ConsentRow(
                body.artefact.consumer, body.consent, body.version, body.artefact.subject, state.value,
                encode_body(body.artefact), batch, reported, 0, None,
            )  # fmt: skip


class _Replays:
    """The replays of one batch: their chains, what of the batch was added to them, and what they may cost."""

    def __init__(self, chains: Mapping[LoanKey, list[Told]]) -> None:
        self._chains = chains
        self._steps = 0
        self.told: defaultdict[LoanKey, list[Told]] = defaultdict(list)
        self.needed: set[LoanKey] = set()

    def replayed(self, key: LoanKey, before: LoanState | None, attestation: Attestation) -> LoanState:
        """The loan after an event that changes its past; ``before`` where the chain is not known yet."""
        if key not in self._chains:
            self.needed.add(key)
            return before or NEW_LOAN
        chain = [*self._chains[key], *self.told[key], Told(0, attestation)]
        self._steps += len(chain)
        if self._steps > REPLAY_STEPS_MAX:
            raise Refused("replay_too_long", "the batch changes too much of the past at once", path="$",
                          advice="send events in the order of their value dates, or in smaller batches")  # fmt: skip
        return replayed(chain)


def _use(row: ConsentRow) -> Use:
    return Use(row.reads, None if row.last_read is None else UnixMillis(row.last_read))
