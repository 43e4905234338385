"""A server that is asked to stop answers what is under way; one that is killed in its very first start starts again."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from typing import Any

import httpx
import pytest

from tests.chaos.storm import Storm, running_storm
from tests.support.ledgers import Lender

pytestmark = pytest.mark.chaos

SEED = 4


async def real_server(storm: Storm) -> asyncio.subprocess.Process:
    """A `tallystick serve` of its own, from nothing."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "api.cli.main", "serve", "--dev-issuer", "--json", "--port", str(storm.port),
        env=storm.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip


async def ready(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    return await asyncio.wait_for(process.stdout.readline(), 60)


async def test_asked_to_stop_under_load_it_answers_what_is_under_way_and_ends_with_code_0() -> None:
    async with running_storm(SEED) as (storm, _), httpx.AsyncClient(timeout=60) as client:
        process = await real_server(storm)
        assert b'"ready": true' in await ready(process)
        lenders = await storm.enrol(client, ["acacia", "baobab"])
        prepared = [await request(storm, client, lender) for lender in lenders for _ in range(2)]
        posted = [asyncio.create_task(client.post(f"{storm.url}/v1/batches", **each)) for each in prepared]
        await asyncio.sleep(0.15)  # the bodies are there, the answers are not
        process.send_signal(signal.SIGTERM)
        answers = await asyncio.gather(*posted)
        assert [answer.status_code for answer in answers] == [200] * 4
        assert await asyncio.wait_for(process.wait(), 30) == 0
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{storm.url}/healthz")


async def request(storm: Storm, client: httpx.AsyncClient, lender: Lender) -> dict[str, Any]:
    """One large batch, ready to be sent once."""
    token, body = lender.batch([attestation for _ in range(1_000) for attestation in lender.new_loan()])
    bearer = await storm.token(client, (str(lender.name), "lender"))
    headers = {"tallystick-statement": token.decode(), "authorization": f"Bearer {bearer}"}
    return {"content": body, "headers": headers | {"content-type": "application/x-ndjson"}}


async def test_killed_in_the_middle_of_its_very_first_start_it_starts_again() -> None:
    dice = random.Random(SEED)
    async with running_storm(SEED, hold=False) as (storm, _), httpx.AsyncClient(timeout=60) as client:
        for _ in range(3):
            process = await real_server(storm)
            await asyncio.sleep(dice.uniform(0.4, 2.5))
            process.kill()
            await process.wait()
        process = await real_server(storm)
        try:
            assert b'"ready": true' in await ready(process)
            (lender,) = await storm.enrol(client, ["acacia"])
            prepared = await request(storm, client, lender)
            assert (await client.post(f"{storm.url}/v1/batches", **prepared)).status_code == 200
        finally:
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 60) == 0
