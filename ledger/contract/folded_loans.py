"""Every loan of a log, folded in memory: what a replay looks at, with no database.

    loans = FoldedLoans()
    loans.see(index, attestation)
    loans.of("acacia", account)        -> the state that the ledger's projection has after the same attestations

The quick fold is tried first; where an event changes the past, the account's whole chain is folded again, as the ledger
does it. An attestation that the fold refuses was never accepted by the ledger and changes nothing here. A chain is kept
as the bytes of its attestations, read again when the past changes, which is rare: a million events take about a gigabyte.
"""

from __future__ import annotations

from collections import defaultdict

from ledger.attestation.envelope import Attestation, parse
from ledger.errors import TallystickError
from ledger.loan.account import replayed
from ledger.loan.fold import FOLDED_KINDS, NeedsReplay, fold
from ledger.loan.state import LoanState
from ledger.loan.supersession import Told

LoanKey = tuple[str, bytes]


class FoldedLoans:
    """Loans by lender and account."""

    def __init__(self) -> None:
        self._states: dict[LoanKey, LoanState] = {}
        self._chains: defaultdict[LoanKey, list[tuple[int, bytes]]] = defaultdict(list)

    def see(self, index: int, attestation: Attestation) -> None:
        """Take one more attestation, from the batch at this log index."""
        envelope = attestation.envelope
        if envelope.account is None or envelope.kind not in FOLDED_KINDS:
            return
        key = (envelope.tenant, envelope.account)
        chain = self._chains[key]
        chain.append((index, attestation.data))
        try:
            self._states[key] = self._next(key, attestation)
        except TallystickError:
            chain.pop()

    def of(self, lender: str, account: bytes) -> LoanState | None:
        """The loan as it is now."""
        return self._states.get((lender, account))

    def _next(self, key: LoanKey, attestation: Attestation) -> LoanState:
        try:
            return fold(self._states.get(key), attestation.envelope, attestation.body)
        except NeedsReplay:
            return replayed([Told(index, parse(data)) for index, data in self._chains[key]])
