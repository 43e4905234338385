from __future__ import annotations

from crosschain.metro2.records import parse
from crosschain.metro2.totals import COUNTED, Mismatch, Totals
from crosschain.metro2.writer import trailer_record


def _totals(lines: list[bytes]) -> Totals:
    totals = Totals()
    for line in lines:
        totals.add(parse(line))
    return totals


def test_every_count_of_the_trailer_is_counted(invented_lines: list[bytes]) -> None:
    found = _totals(invented_lines).found()
    assert tuple(found) == COUNTED
    assert (found["total_base_records"], found["block_count"], found["total_social_security_numbers_base"]) == (
        300,
        302,
        300,
    )
    statuses = sum(count for name, count in found.items() if name.startswith("total_status_"))
    people = 300 + found["total_j1_segments"] + found["total_j2_segments"]
    assert (statuses, found["total_dates_of_birth"], found["total_telephone_numbers"]) == (300, people, people)


def test_a_true_trailer_has_no_mismatch_and_a_false_one_names_field_declared_and_found(
    invented_lines: list[bytes],
) -> None:
    assert _totals(invented_lines).compare(parse(invented_lines[-1])) == ()
    without_first = _totals([invented_lines[0], *invented_lines[2:]])
    mismatches = without_first.compare(parse(invented_lines[-1]))
    assert Mismatch("total_base_records", 300, 299) in mismatches
    assert Mismatch("block_count", 302, 301) in mismatches


def test_a_trailer_without_block_count_makes_no_claim_and_a_blank_count_is_a_mismatch(
    invented_lines: list[bytes],
) -> None:
    trailer = invented_lines[-1][:56] + b"0" * 9 + invented_lines[-1][65:]
    assert _totals(invented_lines).compare(parse(trailer)) == ()
    blank = trailer[:11] + b" " * 9 + trailer[20:]
    assert _totals(invented_lines).compare(parse(blank)) == (Mismatch("total_base_records", None, 300),)


def test_a_computed_trailer_states_the_counts_with_itself_as_a_block(invented_lines: list[bytes]) -> None:
    totals = _totals(invented_lines[:-1])
    assert trailer_record(totals) == parse(invented_lines[-1])
