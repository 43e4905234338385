"""A defect can be found by the id that the caller got, and the log holds no value."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import httpx
import pytest

from api.cli.log_lines import PlainLines
from ledger.node.log_reader import LogReader
from ledger.store.embedded import EmbeddedPostgres
from tests.support.ledgers import fresh_database
from tests.support.served import Application

SECRET = "secret-4711"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What a server's handler writes."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(PlainLines())
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


async def fail(*_: object, **__: object) -> None:
    raise ValueError(SECRET)


async def test_a_defect_in_a_field_is_found_by_its_id(
    application: Application, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LogReader, "head", fail)
    whole = await application.ask("{ ledgerHead { size } }")
    (error,) = whole["errors"]
    assert (error["message"], error["extensions"]["code"]) == ("internal error", "INTERNAL")
    place = (
        rf"error tallystick\.http: request {error['extensions']['id']} failed: ValueError at api/graphql/log\.py:\d+\n"
    )
    assert re.fullmatch(rf"\S+Z {place}", lines.getvalue())
    assert SECRET not in lines.getvalue() + str(whole)


async def test_a_defect_in_a_route_is_found_by_its_id(
    application: Application, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LogReader, "tile", fail)
    answer = await application.client.get("/tile/0/000.p/1")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert answer.json()["id"] == answer.headers["x-request-id"]
    line = rf"\S+Z error tallystick\.http: request {answer.json()['id']} failed: ValueError at api/http/log_files\.py:\d+\n"
    assert re.fullmatch(line, lines.getvalue())
    assert SECRET not in lines.getvalue() + answer.text


def test_a_librarys_record_is_written_without_what_was_filled_in(lines: io.StringIO) -> None:
    library = logging.getLogger("asyncio")
    try:
        raise ValueError(SECRET)
    except ValueError:
        library.exception("Task %s failed", SECRET)
    library.warning("waited for %s", SECRET)
    library.warning(f"made before: {SECRET}")
    first, second, third = lines.getvalue().splitlines()
    assert re.search(r"error asyncio: ValueError at test_log_lines\.py:\d+$", first)
    assert second.endswith("warning asyncio: waited for %s")
    assert re.search(r"warning asyncio: a message at test_log_lines:\d+$", third)
    assert SECRET not in lines.getvalue()


def test_a_line_feed_in_a_record_makes_no_second_line(lines: io.StringIO) -> None:
    logging.getLogger("tallystick.http").error("one\ntwo")
    assert lines.getvalue().endswith("error tallystick.http: one two\n")
    assert lines.getvalue().count("\n") == 1


SERVE_WITH_A_DEFECT = dedent(f"""
    import sys
    from api.cli import main
    from ledger.node.log_reader import LogReader

    async def fail(*arguments):
        raise ValueError("{SECRET}")

    LogReader.tile = LogReader.inclusion = fail
    sys.exit(main.run(["serve", "--port", "0", "--json"]))
""")


async def test_the_line_reaches_the_stderr_of_a_real_server(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    async with fresh_database(postgres) as database:
        variables = {
            "DATABASE_URL": database.app_dsn, "TALLYSTICK_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SERVE_WITH_A_DEFECT, env=os.environ | variables, cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert server.stdout is not None
        url = json.loads(await asyncio.wait_for(server.stdout.readline(), 60))["url"]
        async with httpx.AsyncClient(base_url=url) as client:
            by_route = await client.get("/tile/0/000.p/1")
            by_field = await client.post("/graphql", json={"query": "{ inclusionProof(index: 0) { path } }"})
        server.terminate()
        _, told = await asyncio.wait_for(server.communicate(), 60)
    ids = by_route.json()["id"], by_field.json()["errors"][0]["extensions"]["id"]
    for error_id, place in zip(ids, ("api/http/log_files", "api/graphql/log"), strict=True):
        found = re.findall(rf"request {error_id} failed: ValueError at {place}\.py:\d+\n", told.decode())
        assert len(found) == 1, told.decode()
    assert SECRET not in told.decode() + by_route.text + by_field.text
    assert server.returncode == 0
