"""The log through GraphQL: head, entries, proofs, participants; public, and equal to recomputation."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import pytest

from ledger.log.checkpoint import open_checkpoint
from ledger.log.merkle import leaf_hash, root_of, verify_consistency, verify_inclusion
from tests.api.graphql.test_events import EVENTS, new_loan, record
from tests.support import documents as docs
from tests.support.served import Application


async def statements(application: Application) -> list[bytes]:
    size = await application.size()
    entries = [await application.data(f"{{ entry(index: {n}) {{ statement }} }}") for n in range(size)]
    return [found["entry"]["statement"].encode() for found in entries]


async def test_the_head_is_the_root_over_all_statements_and_signed(application: Application) -> None:
    await new_loan(application)
    head = (await application.data("{ ledgerHead { origin size root checkpoint committedAt } }"))["ledgerHead"]
    leaves = [leaf_hash(statement) for statement in await statements(application)]
    assert (head["size"], b64decode(head["root"])) == (len(leaves), root_of(leaves))
    signer = application.node.keyring.signer(application.node.origin)
    opened = open_checkpoint(head["checkpoint"].encode(), [signer.verifier]).checkpoint
    assert (opened.origin, opened.size, opened.root) == (head["origin"], head["size"], b64decode(head["root"]))


async def test_proofs_hold_against_roots_computed_from_the_statements(application: Application) -> None:
    await new_loan(application)
    await new_loan(application, "A-2")
    leaves = [leaf_hash(statement) for statement in await statements(application)]
    size = len(leaves)
    for old in range(1, size):
        document = f"{{ inclusionProof(index: {old - 1}, treeSize: {old}) {{ path treeSize }} "
        document += f"consistencyProof(oldSize: {old}, newSize: {size}) {{ path }} }}"
        found: dict[str, Any] = await application.data(document)
        path = b"".join(b64decode(node) for node in found["inclusionProof"]["path"])
        verify_inclusion(index=old - 1, size=old, leaf=leaves[old - 1], path=path, root=root_of(leaves[:old]))
        path = b"".join(b64decode(node) for node in found["consistencyProof"]["path"])
        verify_consistency(
            old_size=old, new_size=size, old_root=root_of(leaves[:old]), new_root=root_of(leaves), path=path
        )


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("{ inclusionProof(index: 99) { path } }", "index_out_of_range"),
        ("{ inclusionProof(index: 0, treeSize: 99) { path } }", "size_out_of_range"),
        ("{ consistencyProof(oldSize: 0, newSize: 1) { path } }", "size_out_of_range"),
        ("{ consistencyProof(oldSize: 1, newSize: 99) { path } }", "size_out_of_range"),
        ('{ node(id: "nonsense") { id } }', "global_id_invalid"),
        ("{ tenants(first: 101) { nodes { name } } }", "page_size_invalid"),
    ],
)
async def test_what_is_not_there_has_a_code(application: Application, document: str, code: str) -> None:
    assert await application.code(document) == code


async def test_an_entry_beyond_the_log_is_null(application: Application) -> None:
    assert await application.data("{ a: entry(index: 99) { index } b: entry(index: -1) { index } }") == {
        "a": None,
        "b": None,
    }


async def test_participants_are_public_and_come_in_pages(application: Application) -> None:
    document = "query ($after: String) { tenants(first: 3, after: $after) { nodes { id name role country keys { kid } }"
    document += " pageInfo { hasNextPage hasPreviousPage endCursor } } }"
    first = (await application.data(document))["tenants"]
    assert [(tenant["name"], tenant["role"]) for tenant in first["nodes"]] == [
        ("acacia", "LENDER"), ("baobab", "LENDER"), ("fintech", "APP"),
    ]  # fmt: skip
    assert all(len(tenant["keys"]) == 1 for tenant in first["nodes"])
    second = (await application.data(document, after=first["pageInfo"]["endCursor"]))["tenants"]
    assert [tenant["role"] for tenant in second["nodes"]] == ["DEPLOYMENT"]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
    node = await application.data("query ($id: ID!) { node(id: $id) { id } }", id=first["nodes"][0]["id"])
    assert node["node"]["id"] == first["nodes"][0]["id"]


async def test_an_own_batch_and_attestation_are_found_with_their_proofs(application: Application) -> None:
    told = await new_loan(application)
    batch = "query ($id: UUID!) { batch(batch: $id) { index leafHash statement } }"
    found = (await application.data(batch, application.lender(), id=told["receipt"]["batch"]))["batch"]
    assert found == {name: told["receipt"][name] for name in ("index", "leafHash", "statement")}
    document = "query ($id: UUID!) { attestation(attestation: $id) { kind data commitment path entry { index root } } }"
    one = (await application.data(document, application.lender(), id=told["attestation"]))["attestation"]
    assert (one["kind"], one["path"], one["entry"]["index"]) == ("agreement", [], found["index"])
    assert b64decode(one["commitment"]) == leaf_hash(one["data"].encode()) == b64decode(one["entry"]["root"])


async def test_loans_come_in_pages_and_as_of_a_day(application: Application) -> None:
    for number in ("A-1", "A-2", "A-3"):
        await new_loan(application, number)
    document = "query ($after: String) { loans(first: 2, after: $after) { edges { cursor node { id account } }"
    document += " nodes { account } pageInfo { hasNextPage endCursor } } }"
    first = (await application.data(document, application.lender()))["loans"]
    second = (await application.data(document, application.lender(), after=first["pageInfo"]["endCursor"]))["loans"]
    accounts = [node["account"] for page in (first, second) for node in page["nodes"]]
    expected = sorted(application.node.pseudonyms.account("acacia", number) for number in ("A-1", "A-2", "A-3"))
    assert [b64decode(account) for account in accounts] == expected
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
    assert first["edges"][-1]["cursor"] == first["pageInfo"]["endCursor"]
    await record(application, EVENTS[0][0], EVENTS[0][1], docs.event("A-1", **EVENTS[0][2]))
    dated = 'query ($day: Date!) { loan(account: {number: "A-1"}, asOf: $day) { balance stage } }'
    past = (await application.data(dated, application.lender(), day="2026-01-05"))["loan"]
    later = (await application.data(dated, application.lender(), day="2026-01-06"))["loan"]
    assert (past["stage"], later["stage"], later["balance"]) == ("approved", "active", "100000")
