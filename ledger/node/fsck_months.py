"""fsck's look at the months of drift: how a lender's scores of a month were spread, counted again from the scores.

Rules
- A month is of the ``score`` attestations of a lender under a model that was registered with a baseline, by the day that a
  score is of. As many people as scores; their points lie in the bins that the baseline cuts.
- A score's inputs stay with its lender, so the bins of the features cannot be counted again: each feature has as many bins
  as the baseline, and its counts add up to the month's people.
- Nothing is counted that no score stands for. The other way round, a lender may publish a score of its own under the
  model's name, which nobody counted; the auditor does not see whose key signed it for whom. So a score that no month counts
  is no fault, and ``scores_uncounted`` says how many there are.
- What an erased borrower's scores said is gone: there the month may count as many more as that lender's erased scores.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import msgspec

from ledger.attestation.sharing_kinds import Score
from ledger.errors import TallystickError
from ledger.node.fsck_batches import Opener
from ledger.node.fsck_report import FsckReport, Progress
from ledger.risk.drift import Baseline, Month, read_baseline
from ledger.store.fsck_rows import score_months
from ledger.store.model_rows import read_models
from ledger.store.risk_rows import Found, attestations_between

ENTRIES_A_PAGE: Final = 1_024
SCORES_A_PAGE: Final = 512
MODELS_MAX: Final = 10_000
"""Models whose baselines are in memory: far above what a deployment registers in its life."""

Key = tuple[str, bytes, int]
"""(lender, model, year * 100 + month)."""


@dataclass
class _Counted:
    """What the log says of every month."""

    baselines: dict[bytes, Baseline]
    scores: dict[Key, Counter[int]] = field(default_factory=dict)
    """How many scores lie in each bin of the baseline's score."""
    erased: Counter[str] = field(default_factory=Counter)

    def take(self, tenant: str, body: Score, month: int) -> None:
        """Count one score."""
        baseline = self.baselines.get(body.model_hash or b"")
        if baseline is not None and body.model_hash is not None:
            bins = self.scores.setdefault((tenant, body.model_hash, month), Counter())
            bins[bisect_right(baseline.score_cuts, body.value)] += 1


async def check_months(report: FsckReport, opener: Opener, size: int, progress: Progress) -> None:
    """Every month of drift against the scores of a ledger of ``size`` entries."""
    rows = {(tenant, model, month): counts for tenant, model, month, counts in await score_months(opener.connection)}
    baselines = await _baselines(opener)
    if not rows and not baselines:
        return  # a deployment that scores nobody pays for two look-ups
    counted = _Counted(baselines)
    await _count(opener, counted, size, progress)
    for key, counts in sorted(rows.items()):
        report.count("months")
        people, message = _counts(counted, key, counts)
        report.count("scores_uncounted", max(counted.scores.pop(key, Counter()).total() - people, 0))
        if message is not None:
            report.add("month_differs", f"month {key[2]} of {key[0]}, model {key[1].hex()[:16]}", message)
    report.count("scores_uncounted", sum(bins.total() for bins in counted.scores.values()))


async def _baselines(opener: Opener) -> dict[bytes, Baseline]:
    found = {}
    for row in await read_models(opener.connection, MODELS_MAX):
        try:
            if row.baseline is not None:
                found[row.digest] = read_baseline(row.baseline)
        except TallystickError:
            continue  # then its months have no model, and are named
    return found


async def _count(opener: Opener, counted: _Counted, size: int, progress: Progress) -> None:
    """Read every score once, in log order."""
    for first in range(0, size, ENTRIES_A_PAGE):
        end, at = min(first + ENTRIES_A_PAGE, size), (first, 0)
        while found := await attestations_between(opener.connection, at, end, ["score"], SCORES_A_PAGE):
            await _take(opener, counted, found)
            at = (found[-1].entry, found[-1].row.position + 1)
        progress("scores", end, size)


async def _take(opener: Opener, counted: _Counted, found: list[Found]) -> None:
    keys = await opener.keys_of([each.row for each in found])
    for each in found:
        try:
            attestation = opener.opened(each.row, keys, each.entry)
        except TallystickError:
            continue  # reported where its batch was checked
        if attestation is None:
            counted.erased[each.row.tenant] += 1
        elif isinstance(attestation.body, Score):
            day = attestation.envelope.effective_date
            counted.take(each.row.tenant, attestation.body, day.year * 100 + day.month)


def _counts(counted: _Counted, key: Key, stored: bytes) -> tuple[int, str | None]:
    """(people, what is wrong) of one month's row."""
    try:
        month = msgspec.json.decode(stored, type=Month)
    except msgspec.DecodeError:
        return 0, "the counts cannot be read"
    if msgspec.json.encode(month) != stored:
        return month.people, "the counts are not in their one form"
    baseline = counted.baselines.get(key[1])
    return month.people, "its model has no baseline" if baseline is None else _difference(counted, key, month, baseline)


def _difference(counted: _Counted, key: Key, month: Month, baseline: Baseline) -> str | None:
    bins = counted.scores.get(key, Counter())
    if len(month.score) != len(baseline.score) or sum(month.score) != month.people or min(month.score) < 0:
        return "score does not add up to the people"
    more = sum(max(count - bins[place], 0) for place, count in enumerate(month.score))
    if more > counted.erased[key[0]] or month.people == 0:
        return "score counts more than the scores on the log"
    shapes = [len(counts) for counts in baseline.features.values()]
    if [len(counts) for counts in month.features] != shapes:
        return "features are not the model's"
    for name, counts in zip(baseline.features, month.features, strict=True):
        if sum(counts) != month.people or min(counts) < 0:
            return f"features.{name} does not add up to the people"
    return None
