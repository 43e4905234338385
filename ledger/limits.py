"""Every bound of the ledger package: name, unit in the name, and the reason.

Past a bound the caller gets an error with a stable code; nothing is cut short silently.
"""

from __future__ import annotations

from typing import Final

# -- attestations -----------------------------------------------------------------------------------------------
ATTESTATION_BYTES_MAX: Final = 16 * 1024
"""One canonical attestation. A 360-month schedule fits; a document does not belong here, its hash does."""

SALT_BYTES: Final = 16
"""128 bits: guessing a commitment's content stays infeasible even when its fields are few."""

REFS_MAX: Final = 64
"""References of one attestation. A correction of a whole quarter of daily events fits."""

SCHEDULE_ROWS_MAX: Final = 480
"""Instalments of one schedule version: forty years, monthly."""

EXTENSION_FIELDS_MAX: Final = 512
"""Members of one extension; the widest foreign record (Metro 2 with every segment) has about 350."""

MINOR_UNITS_MAX: Final = 2**53 - 1
"""Largest amount: every JSON reader represents it exactly (RFC 8259 section 6)."""

RATE_PPM_MAX: Final = 100_000_000
"""Yearly rate in parts per million: 10,000 per cent, above any lawful loan, below any overflow."""

DAYS_MAX: Final = 36_500
"""Any count of days: a century."""

# -- batches ----------------------------------------------------------------------------------------------------
BATCH_ATTESTATIONS_MAX: Final = 4_096
"""Attestations under one signature: twelve hashes a path, about 2 MB a request."""

BATCH_BYTES_MAX: Final = 16 * 1024 * 1024
"""One batch body over HTTP: 4,096 attestations of 4 kB. More is two batches."""

STATEMENT_BYTES_MAX: Final = 2_048
"""A signed batch statement. Half a kilobyte in practice; an entry may not exceed 65,535 (C2SP tlog-tiles)."""

CLOCK_AHEAD_MS_MAX: Final = 5 * 60 * 1000
"""How far a signer's clock may run ahead of ours: the usual tolerance for unsynchronised servers."""

STATEMENT_AGE_MS_MAX: Final = 7 * 24 * 3600 * 1000
"""How old a statement may be on arrival: a lender's file may wait out an outage of a long weekend."""

# -- committing -------------------------------------------------------------------------------------------------
QUEUE_BATCHES_MAX: Final = 1_024
"""Batches waiting for the committer; past it 503 and Retry-After. About half a second of small batches."""

QUEUE_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes waiting for the committer: keeps a process under 300 MB whatever the batches' size."""

GROUP_ATTESTATIONS_MAX: Final = 2_048
"""Attestations in one transaction, unless one batch has more: past this, latency grows and throughput does not."""

GROUP_BATCHES_MAX: Final = 256
"""Log entries in one transaction: at most one tile fills up at a time."""

COMMIT_RETRIES_MAX: Final = 8
"""Attempts at one group when other processes win the head row; each loser saw another's progress."""

ACCOUNT_ATTESTATIONS_MAX: Final = 20_000
"""Attestations of one account that are folded again at once: twenty years, thrice a working day."""

REPLAY_STEPS_MAX: Final = 100_000
"""Attestations folded again for one batch, each as often as something before it changes: about a second. A loan of 400
events told in reverse fits; more is sent in smaller batches, or in order."""

COMMIT_PATIENCE: Final = 2
"""Attempts that a group may lose before it holds the head row from its beginning: a slow writer beside a quick one would
lose them all."""

# -- consent and view -------------------------------------------------------------------------------------------
VIEW_LINES_MAX: Final = 500
"""Tradelines of one borrower in one view; the largest seen in real files is under 60."""

VIEW_ATTESTATIONS_MAX: Final = 20_000
"""Attestations disclosed in one view: 500 lines of three years, monthly."""

HISTORY_MONTHS: Final = 24
"""Length of the payment history string of a tradeline (Metro 2 base segment, field 18)."""

CONSENT_DAYS_MAX: Final = 366 * 5
"""Longest life of one consent artefact; a longer relation asks again."""

CONSENT_VERSIONS_MAX: Final = 100
"""Versions of one consent: more changes of terms than five years see, and few enough to lock and to show together."""

CONSENT_FIELDS_MAX: Final = 64
"""Entries in any list of a consent artefact."""

# -- process ----------------------------------------------------------------------------------------------------
SUBJECT_KEYS_CACHED_MAX: Final = 16_384
"""Data keys kept in memory by one process, ready for use: about 45 MB."""

BREATH_ATTESTATIONS: Final = 256
"""Attestations handled between two turns of the event loop, about a millisecond: others' answers do not wait longer."""

LOANS_CACHED_MAX: Final = 65_536
"""Loans kept in memory by one process: about 50 MB."""

COPY_ATTESTATIONS_MIN: Final = 64
"""Attestations in a group from which a COPY into a staging table is cheaper than arrays as parameters (measured:
``bench publish``); below it the extra round trips cost more."""

TILES_CACHED_MAX: Final = 512
"""Full tiles kept in memory by one process (8 KiB each): 4 MB, proofs over the last 131,072 entries."""

CHECKPOINT_INTERVAL_MS: Final = 1_000
"""How often a moved head is signed and published; every answer carries its own checkpoint anyway."""
