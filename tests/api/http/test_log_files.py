"""The log as files: each equal to what the entries give when it is computed again, cached, and strictly named."""

from __future__ import annotations

import pytest

from ledger.attestation.keys import admit_public_key
from ledger.log.checkpoint import open_checkpoint
from ledger.log.merkle import leaf_hash, root_of
from ledger.log.note import NoteVerifier
from ledger.log.tiles import TILE_WIDTH, TileId, parse_bundle, root_from_tiles, tile_root
from tests.support.served import Application, enrol_signer


async def test_tiles_and_bundles_are_what_the_entries_give(application: Application) -> None:
    cedar = await enrol_signer(application, "cedar")
    while (before := await application.size()) < TILE_WIDTH + 2:
        for _ in range(TILE_WIDTH + 2 - before):
            await application.node.publisher.publish(cedar.name, *cedar.batch([cedar.new_loan()[0]]))
    get = application.client.get
    full = parse_bundle((await get("/tile/entries/000")).content)
    rest = parse_bundle((await get("/tile/entries/001.p/2")).content, 2)
    leaves = [leaf_hash(entry) for entry in full + rest]
    size = await application.size()
    assert (len(full), len(rest), size) == (256, 2, 258)
    tiles = {
        "/tile/0/000": b"".join(leaves[:256]),
        "/tile/0/000.p/7": b"".join(leaves[:7]),
        "/tile/0/001.p/2": b"".join(leaves[256:]),
        "/tile/1/000.p/1": tile_root(leaves[:256]),
    }
    for path, expected in tiles.items():
        answer = await get(path)
        assert (path, answer.content) == (path, expected)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-type"] == "application/octet-stream"
        again = await get(path, headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")

    await application.node.checkpointer.publish()
    note = await get("/checkpoint")
    assert (note.headers["content-type"], note.headers["cache-control"]) == (
        "text/plain; charset=utf-8", "public, max-age=1",
    )  # fmt: skip
    trust = (await get("/trust.json")).json()
    checkpoint = open_checkpoint(note.content, [NoteVerifier.parse(trust["log"])]).checkpoint
    assert (checkpoint.size, checkpoint.root) == (size, root_of(leaves))

    def read(tile: TileId) -> bytes:
        return tiles["/" + tile.path]

    assert root_from_tiles(size, read) == checkpoint.root


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/tile/0/001", 404, "tile_absent"),
        ("/tile/0/000.p/200", 404, "tile_absent"),
        ("/tile/entries/000.p/200", 404, "tile_absent"),
        ("/tile/64/000", 400, "tile_path_invalid"),
        ("/tile/0/0", 400, "tile_path_invalid"),
        ("/tile/0/000.p/256", 400, "tile_path_invalid"),
        ("/tile/0/x000/000", 400, "tile_path_invalid"),
        ("/tile/entries/", 400, "tile_path_invalid"),
        ("/tiles", 404, "route_unknown"),
    ],
)
async def test_another_name_is_refused(application: Application, path: str, status: int, code: str) -> None:
    answer = await application.client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_the_public_keys_are_those_that_were_enrolled(application: Application) -> None:
    cedar = await enrol_signer(application, "cedar")
    answer = await application.client.get("/.well-known/jwks.json")
    found = {key["kid"]: key for key in answer.json()["keys"]}
    jwk = found[cedar.key.kid]
    assert jwk["tenant"] == "cedar"
    public = {name: value for name, value in jwk.items() if name not in ("tenant", "notBefore")}
    assert admit_public_key(public, not_before_ms=jwk["notBefore"]).raw == cedar.key.raw
    assert not any("d" in key for key in found.values())
