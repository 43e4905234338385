"""Packs are read strictly: what is missing, misspelt or in the wrong unit is refused with its path."""

from __future__ import annotations

import re
from datetime import date
from importlib.resources import files
from typing import get_args

import pytest

from ledger.errors import InvalidInput
from ledger.jurisdiction.document import EXPECTED, Grade
from ledger.jurisdiction.packs import SHIPPED, cited_values, pack_for, packs, read_pack


def text_of(code: str) -> str:
    """A shipped pack's text."""
    return (files("ledger.jurisdiction") / "packs" / f"{code}.toml").read_text(encoding="utf-8")


def refusal(old: str, new: str, code: str = "US") -> tuple[str, str | None]:
    """(code, path) of the error that a pack gives with one place of its text changed."""
    text = text_of(code)
    assert old in text
    with pytest.raises(InvalidInput) as refused:
        read_pack(text.replace(old, new, 1).encode())
    return refused.value.code, refused.value.path


VERSIONS = {
    "CN": (1, "546ac8f2a4fa82cd"),
    "EU": (1, "736c8b5c2e280327"),
    "IN": (1, "55e88e1cd83d02fd"),
    "KE": (1, "48d324ee0b0e6cdd"),
    "US": (1, "30b79d99578c875e"),
}
"""A pack that changes gets a new version: its digest stands beside answers that were given."""


def test_a_pack_that_changed_has_a_new_version() -> None:
    assert {code: (pack.version, pack.digest[:16]) for code, pack in packs().items()} == VERSIONS


@pytest.mark.parametrize("code", SHIPPED)
def test_every_value_has_a_source_a_date_and_a_grade(code: str) -> None:
    pack = packs()[code]
    values = list(cited_values(pack.document))
    assert len(values) > 30
    for path, value in values:
        assert pack.document.sources[value.source].title, path
        assert date(1970, 1, 1) <= value.date <= pack.document.pack.reviewed, path
        assert value.grade in get_args(Grade), path


@pytest.mark.parametrize("code", SHIPPED)
def test_every_source_is_used(code: str) -> None:
    document = packs()[code].document
    used = {value.source for _, value in cited_values(document)} | set(document.pack.laws)
    assert set(document.sources) - used == set()


@pytest.mark.parametrize("code", SHIPPED)
def test_a_value_read_on_a_page_names_the_page(code: str) -> None:
    document = packs()[code].document
    silent = [path for path, value in cited_values(document)
              if value.grade != "general" and not document.sources[value.source].address]  # fmt: skip
    assert silent == []


@pytest.mark.parametrize(
    ("old", "new", "code", "path"),
    [
        ('[dispute.answer]\nvalue = 30\nunit = "days"\nsource = "fcra"\n', '[dispute.answer]\nvalue = 30\nunit = "days"\n',
         "pack_source_missing", "$.dispute.answer"),
        ('[dispute.extension]\nvalue = 15\nunit = "days"\nsource = "fcra"\nat = "1681i(a)(1)(B)"\ndate = 1997-09-30\n',
         '[dispute.extension]\nvalue = 15\nunit = "days"\nsource = "fcra"\n', "pack_date_missing", "$.dispute.extension"),
        ('at = "1681j(a)"\ndate = 2003-12-04\ngrade = "general"', 'at = "1681j(a)"\ndate = 2003-12-04',
         "pack_grade_missing", "$.free_reports"),
        ('[dispute.answer]\nvalue = 30\nunit = "days"', '[dispute.answer]\nvalue = 30\nunit = "fortnights"',
         "pack_unit_wrong", "$.dispute.answer.unit"),
        ('[dispute.answer]\nvalue = 30\nunit = "days"', "[dispute.answer]\nvalue = 30",
         "pack_unit_missing", "$.dispute.answer"),
        ('[dispute.answer]\nvalue = 30', '[dispute.answer]\nvalue = 30.0', "pack_value_invalid", "$.dispute.answer.value"),
        ('[dispute.answer]\nvalue = 30', '[dispute.answer]\nvalue = "30"', "pack_value_invalid", "$.dispute.answer.value"),
        ("[dispute.answer]\n", "[dispute.answer]\nhurry = true\n", "pack_key_unknown", "$.dispute.answer"),
        ("[dispute.answer]\n", "[dispute.answers]\n", "pack_key_unknown", "$.dispute"),
        ("[statement.words]\nvalue = 100\nunit = \"words\"", "[statement.words]\nvalue = 100\nunit = \"letters\"",
         "pack_unit_wrong", "$.statement.words.unit"),
    ],
)  # fmt: skip
def test_a_malformed_value_is_refused_with_its_path(old: str, new: str, code: str, path: str) -> None:
    assert refusal(old, new) == (code, path)


@pytest.mark.parametrize(
    ("old", "new", "code", "path"),
    [
        ('[retention.negative]\nvalue = 7\nunit = "years"', '[retention.negative]\nvalue = 7\nunit = "lives"',
         "pack_unit_wrong", "$.retention.negative.unit"),
        ('from = ["first_delinquency"]', 'from = ["full_moon"]', "pack_value_invalid", "$.retention.negative.from[0]"),
        ('from = ["first_delinquency"]\n', "", "pack_anchor_missing", "$.retention.negative.from"),
        ('code = "71", label = "30 to 59 days", from = 30', 'code = "71", label = "30 to 59 days", from = 31',
         "pack_bands_gap", "$.classification.metro2_status.bands[1]"),
        ('from = 30, to = 59', 'from = 30, to = 29', "pack_bands_end", "$.classification.metro2_status.bands[1].to"),
        ('from = 180, source', 'from = 180, to = 999, source', "pack_bands_end",
         "$.classification.metro2_status.bands[6].to"),
        ('when = "collection"', 'when = "collector"', "pack_value_invalid",
         "$.classification.metro2_status.instead[14].when"),
        ('[dispute.answer]\nvalue = 30\nunit = "days"\nsource = "fcra"',
         '[dispute.answer]\nvalue = 30\nunit = "days"\nsource = "rumour"', "pack_source_unknown", "$.dispute.answer"),
        ('at = "1681j(a)"\ndate = 2003-12-04', 'at = "1681j(a)"\ndate = 2053-12-04', "pack_date_ahead",
         "$.free_reports.date"),
        ('currency = "USD"', 'currency = "XXX"', "pack_currency_unknown", "$.pack.currency"),
        ('key = "residency"\nwhy = "none"', 'key = "residence"\nwhy = "none"', "pack_absent_unknown", "$.absent"),
        ('[[absent]]\nkey = "residency"\nwhy = "none"\ndate = 2026-11-24\n', "", "pack_value_unsaid", "$.residency"),
        ('key = "residency"', 'key = "compensation"', "pack_value_unsaid", "$.compensation"),
        ("social_network = {", "social_networks = {", "pack_key_unknown", "$.data"),
        ("version = 1", "version = 0", "pack_value_invalid", "$.pack.version"),
    ],
)  # fmt: skip
def test_a_pack_that_does_not_hold_together_is_refused(old: str, new: str, code: str, path: str) -> None:
    assert refusal(old, new) == (code, path)


def test_a_pack_says_of_social_networks_whether_they_may_be_used() -> None:
    line = next(line for line in text_of("US").splitlines() if line.startswith("social_network"))
    assert refusal(line + "\n", "") == ("pack_value_missing", "$.data.social_network")


def test_a_rule_across_lenders_says_on_which_basis_it_may_be_told() -> None:
    assert refusal('disclosure = ["consent", "law"]\n', "", "CN") == (
        "pack_disclosure_wrong",
        "$.pulling.market.disclosure",
    )
    assert refusal('to = "substandard"\ndisclosure', 'to = "rotten"\ndisclosure', "CN") == (
        "pack_code_unknown", "$.pulling.market.to",
    )  # fmt: skip


@pytest.mark.parametrize("text", [b"pack = ", b"\xff", b"[pack]\n[pack]\n"])
def test_bytes_that_are_not_toml_are_refused(text: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_pack(text, name="XX")
    assert (refused.value.code, refused.value.path) == ("pack_malformed", "XX")


def test_a_pack_of_more_than_a_quarter_megabyte_is_refused_unread() -> None:
    with pytest.raises(InvalidInput) as refused:
        read_pack(b"#" * (256 * 1024 + 1))
    assert refused.value.code == "pack_long"


def test_countries_find_their_packs() -> None:
    assert {code: pack_for(code) is packs()[code] for code in SHIPPED} == dict.fromkeys(SHIPPED, True)
    assert pack_for("BR") is None and pack_for("de") is None and pack_for("") is None


def test_a_member_state_keeps_its_own_retention_and_leaves_the_unions_alone() -> None:
    german, french = pack_for("DE"), pack_for("FR")
    assert german is not None and french is not None
    assert german.document.retention["negative"].value == 3
    assert "negative" not in french.document.retention
    assert french.why_absent("retention.negative") == "value_national"
    assert "negative" not in packs()["EU"].document.retention


def test_every_expected_value_is_given_or_said_to_be_absent() -> None:
    assert len(EXPECTED) == len(set(EXPECTED)) == 27
    assert packs()["KE"].why_absent("dispute.answer") == "value_unverified"


def test_no_pack_names_a_number_without_its_unit() -> None:
    for code in SHIPPED:
        for block in re.split(r"\n(?=\[)", text_of(code)):
            if re.search(r"^value = \d+$", block, re.M):
                assert re.search(r'^unit = "', block, re.M), block
