"""What was published outlives the database: a log that was rolled back is read, never signed or added to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ledger.errors import TallystickError, Unavailable, Untrusted
from ledger.log.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from ledger.node.checkpointer import FILE_NAME
from ledger.store.embedded import EmbeddedPostgres
from tests.support.checks import change, codes, ensure_sound, report_of, rows_of
from tests.support.ledgers import KEYRING, ORIGIN, Lender, TestDatabase, fresh_database, running_node

SIGNER = KEYRING.signer(ORIGIN)


async def test_the_head_is_published_on_the_way_out_in_the_store_and_beside_it(
    database: TestDatabase, tmp_path: Path
) -> None:
    async with running_node(database, home=tmp_path) as node:
        acacia = await Lender("acacia").enrol(node)
        await node.publisher.publish(acacia.name, *acacia.batch(acacia.new_loan()))
    note = (tmp_path / FILE_NAME).read_bytes()
    assert open_checkpoint(note, [SIGNER.verifier], origin=ORIGIN).checkpoint.size == 3
    assert await rows_of(database, "SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1") == [(note,)]
    assert os.listdir(tmp_path) == [FILE_NAME]  # noqa: PTH208
    async with running_node(database, home=tmp_path) as node:
        assert node.log.frozen == ""


async def test_a_database_behind_the_published_checkpoint_is_read_and_not_signed(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    async with fresh_database(postgres) as ahead, running_node(ahead, home=tmp_path) as node:
        acacia = await Lender("acacia").enrol(node)
        await node.publisher.publish(acacia.name, *acacia.batch(acacia.new_loan()))
    published = (tmp_path / FILE_NAME).read_bytes()
    async with fresh_database(postgres) as behind:
        async with running_node(behind, home=tmp_path) as node:
            assert "restored to an earlier state" in node.log.frozen
            with pytest.raises(Unavailable) as caught:
                node.log.signed(await node.log.head())
            assert caught.value.code == "signing_frozen"
            with pytest.raises(TallystickError):
                await Lender("baobab").enrol(node)
        assert (tmp_path / FILE_NAME).read_bytes() == published
        assert await rows_of(behind, "SELECT count(*) FROM entry") == [(0,)]
        assert await rows_of(behind, "SELECT count(*) FROM checkpoint") == [(0,)]


async def test_another_root_at_the_published_size_freezes_signing(database: TestDatabase, tmp_path: Path) -> None:
    async with running_node(database, home=tmp_path) as node:
        await Lender("acacia").enrol(node)
    for size in (1, 2):
        (tmp_path / FILE_NAME).write_bytes(sign_checkpoint(Checkpoint(ORIGIN, size, b"f" * 32), SIGNER))
        async with running_node(database, home=tmp_path) as node:
            assert node.log.frozen != ""
        assert codes(await report_of(database, home=tmp_path)) == {"checkpoint_forks"}


async def test_rows_rolled_back_under_the_published_checkpoint_freeze_signing(
    database: TestDatabase, tmp_path: Path
) -> None:
    async with running_node(database, home=tmp_path) as node:
        await Lender("acacia").enrol(node)
        older = (await rows_of(database, "SELECT size, root, frontier, epoch, committed_at FROM head"))[0]
        await Lender("baobab").enrol(node)
    await change(
        database,
        "DELETE FROM entry WHERE idx = 2",
        "DELETE FROM attestation a WHERE NOT EXISTS (SELECT FROM entry e WHERE e.batch_id = a.batch_id)",
        f"UPDATE head SET size = {older[0]}, root = '\\x{older[1].hex()}', frontier = '\\x{older[2].hex()}', "
        f"epoch = {older[3]}, committed_at = {older[4]}",
    )
    async with running_node(database, home=None) as node:
        assert "checkpoint of 3 entries in the store" in node.log.frozen
    assert "log_shrank" in codes(await report_of(database, home=tmp_path))


async def test_a_forged_file_stops_the_start(database: TestDatabase, tmp_path: Path) -> None:
    async with running_node(database, home=tmp_path):
        pass
    note = (tmp_path / FILE_NAME).read_bytes()
    (tmp_path / FILE_NAME).write_bytes(note[:-6] + (b"AAAAA" if note[-6:-1] != b"AAAAA" else b"BBBBB") + b"\n")
    with pytest.raises(Untrusted):
        async with running_node(database, home=tmp_path):
            pass
    (tmp_path / FILE_NAME).write_bytes(note)
    async with running_node(database, home=tmp_path) as node:
        assert node.log.frozen == ""
    await ensure_sound(database)
