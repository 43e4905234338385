"""The document: canonical bytes, one hash, nothing that could change outside of it."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import msgspec
import pytest
import rfc8785

from ledger.contract.bounds import DOCUMENT_BYTES_MAX
from ledger.contract.document import Document, canonical_bytes, contract_hash, from_source, read_document
from ledger.contract.library import load, names
from ledger.contract.source import read_source
from ledger.errors import InvalidInput
from tests.support.contracts import BORROWER, GUARANTOR, PENALTY, document, rule, source

FULL = source(
    rule(do=[{**PENALTY, "amount": "loan.overdue / 100"}], once="per-instalment", deadline="2027-12-31",
         prose='Räume "/\\" \u2028 😀 \x7f'),
    terms={"b": True, "a": -5, "word": "é"}, calendar="CN/2026#" + "a" * 64, model="card-1", summary="Short.",
    parties={"borrower": BORROWER, "guarantor": GUARANTOR, "lender": "acacia"},
)  # fmt: skip


@pytest.mark.parametrize("values", [source(), FULL], ids=["small", "full"])
def test_a_document_is_its_rfc_8785_bytes_whatever_order_it_was_written_in(values: dict[str, Any]) -> None:
    backwards = dict(reversed(list(values.items())))
    read = from_source(json.dumps(backwards, indent=3).encode())
    assert canonical_bytes(read) == rfc8785.dumps(json.loads(canonical_bytes(read)))
    assert json.loads(canonical_bytes(read)) == _without_defaults(values)
    assert read_document(canonical_bytes(read)) == read
    assert contract_hash(read) == sha256(canonical_bytes(read)).digest()


def _without_defaults(values: dict[str, Any]) -> dict[str, Any]:
    rules = [
        {name: value for name, value in one.items() if (name, value) != ("once", "per-event")}
        for one in values["rules"]
    ]
    return values | {"rules": rules}


@pytest.mark.parametrize("name", names())
def test_each_shipped_contract_is_rfc_8785(name: str) -> None:
    data = canonical_bytes(load(name).document)
    assert rfc8785.dumps(json.loads(data)) == data


def test_nulls_of_a_source_are_absent_members() -> None:
    assert from_source(json.dumps(source(calendar=None, model=None, terms=None)).encode()) == document()


def test_the_canonical_reader_takes_no_other_spelling() -> None:
    data = canonical_bytes(document())
    for other in (data.replace(b'"v":1', b'"v": 1'), data.replace(b'"v":1', b'"v":1,"v":1'), data + b" ",
                  json.dumps(source(calendar=None)).encode()):  # fmt: skip
        with pytest.raises(InvalidInput) as caught:
            read_document(other)
        assert caught.value.code in ("contract_not_canonical", "contract_malformed")


@pytest.mark.parametrize("members", [
    {"title": "Another"}, {"expires": "2028-01-02"}, {"currency": "UGX"}, {"terms": {"a": 1}},
    {"parties": {"borrower": GUARANTOR, "lender": "acacia"}}, {"parties": {"borrower": BORROWER, "lender": "baobab"}},
    {"account": GUARANTOR}, {"authority": {"alert.raise": ["lender", "borrower"]}}, {"model": "m"},
    {"rules": [rule(prose="Other words.")]}, {"rules": [rule(**{"if": "true "})]}, {"rules": [rule(once="per-day")]},
])  # fmt: skip
def test_whatever_is_changed_changes_the_hash(members: dict[str, Any]) -> None:
    assert contract_hash(document(**members)) != contract_hash(document())


def test_the_same_contract_in_toml_and_json_has_one_hash() -> None:
    read = load("late-fee").document
    assert read_source(canonical_bytes(read)).document == read


def test_every_part_is_frozen_and_refuses_unknown_members() -> None:
    parts: list[Any] = [Document, *(type(part) for part in (document().parties, document().rules[0]))]
    for part in parts:
        assert part.__struct_config__.frozen
        assert part.__struct_config__.forbid_unknown_fields


def test_a_document_may_have_64_kilobytes_and_no_more() -> None:
    rules = [rule(id=f"r{n}", prose="x" * 880) for n in range(64)]
    data = json.dumps(source(*rules)).encode()
    whole = data + b" " * (DOCUMENT_BYTES_MAX - len(data))
    assert from_source(whole).rules[63].id == "r63"
    with pytest.raises(InvalidInput) as caught:
        from_source(whole + b" ")
    assert caught.value.code == "contract_long"


def test_an_errors_path_names_the_member() -> None:
    with pytest.raises(InvalidInput) as caught:
        document(rule(once="weekly"))
    assert caught.value.path == "$.rules[0].once"
    with pytest.raises(InvalidInput) as caught:
        document(parties={"lender": "acacia"})
    assert caught.value.path == "$.parties"


def test_terms_are_whole_numbers_truths_and_words() -> None:
    terms = document(terms={"a": 1, "b": True, "c": "x"}).terms
    assert {name: type(value) for name, value in terms.items()} == {"a": int, "b": bool, "c": str}
    assert msgspec.json.decode(canonical_bytes(document(terms=terms)))["terms"] == {"a": 1, "b": True, "c": "x"}
