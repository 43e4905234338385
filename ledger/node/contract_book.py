"""Which contracts are in force, and which batches concern them: what a committer asks before it folds.

    book.concern(batch, keys)        -> None for nearly every batch, else the contracts and the loans that it is about

Rules
- The book is as of an epoch: a contract that comes in force or ends moves the epoch, so a batch that was looked up in an
  older book is looked up again before it commits.
- What a document says never changes, so a contract that was once found to hear nothing of days is not asked again: most
  contracts wait for payments, and a day begins for thousands of them at once.
- The key that signs what contracts do to a lender's loans is kept by the deployment, one a lender, like any managed key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.attestation.batch import Batch
from ledger.attestation.contract_kinds import Contract as ContractStep
from ledger.attestation.contract_kinds import Tick
from ledger.contract.docket import ContractKey
from ledger.contract.occurrences import TRIGGERING_KINDS
from ledger.node.loan_cache import LoanKey, loan_key
from ledger.node.participants import DEPLOYMENT
from ledger.store.contract_rows import contracts_in_force
from ledger.store.database import Database
from ledger.types import TenantId


@dataclass(frozen=True)
class Concern:
    """The contracts that a batch may move, and the loans that these are about."""

    contracts: frozenset[ContractKey]
    loans: frozenset[LoanKey]

    @property
    def tenants(self) -> tuple[TenantId, ...]:
        """The lenders of the contracts."""
        return tuple(sorted({TenantId(key.lender) for key in self.contracts}))


class ContractBook:
    """The contracts in force, as of one epoch."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loan_of: dict[ContractKey, LoanKey] = {}
        self._of_loan: dict[LoanKey, list[ContractKey]] = {}
        self._of_subject: dict[bytes, list[ContractKey]] = {}
        self._dayless: set[ContractKey] = set()

    def __len__(self) -> int:
        return len(self._loan_of)

    async def load(self, tenants: Sequence[TenantId]) -> None:
        """Read which contracts of these lenders are in force."""
        async with self._database.reading(tenants=tuple(tenants)) as connection:
            rows = await contracts_in_force(connection)
        self._loan_of, self._of_loan, self._of_subject = {}, {}, {}
        for row in rows:
            key, loan = ContractKey(row.tenant, row.contract), loan_key(row.tenant, row.account)
            self._loan_of[key] = loan
            self._of_loan.setdefault(loan, []).append(key)
            self._of_subject.setdefault(row.subject, []).append(key)
        self._dayless &= self._loan_of.keys()

    def note_dayless(self, key: ContractKey) -> None:
        """Days mean nothing to this contract (routing.hears_ticks): ticks do not concern it."""
        self._dayless.add(key)

    def concern(self, batch: Batch, keys: Sequence[LoanKey | None]) -> Concern | None:
        """What a batch has to do with contracts; None: nothing."""
        if not self._loan_of and batch.statement.tenant != DEPLOYMENT:
            return None  # steps and ticks are the deployment's
        contracts: set[ContractKey] = set()
        loans: set[LoanKey] = set()
        for attestation, key in zip(batch.attestations, keys, strict=True):
            body = attestation.body
            if isinstance(body, ContractStep):
                contracts.add(ContractKey(body.lender, body.contract))
                loans.add(loan_key(body.lender, body.account))
            elif isinstance(body, Tick):
                contracts.update(self._loan_of.keys() - self._dayless)
            elif self._loan_of and attestation.envelope.kind in TRIGGERING_KINDS:
                found = self._of_loan if key is not None else self._of_subject
                contracts.update(found.get(key or attestation.envelope.subject or b"", ()))
        if not contracts and not any(isinstance(a.body, Tick) for a in batch.attestations):
            return None
        loans.update(self._loan_of[key] for key in contracts if key in self._loan_of)
        return Concern(frozenset(contracts), frozenset(loans))
