"""Kill -9 under load, and what has to be true afterwards.

- Publishers post signed batches of mixed size over HTTP, and repayments through GraphQL, each repeating the same bytes
  until it is acknowledged. Meanwhile the server process is killed at random moments, also while it starts; now and then
  the database's postmaster is killed with it.
- Afterwards: whatever was acknowledged is in the log, at the index and with the leaf that the answer named; nothing is
  there twice, nothing that nobody sent; the same bytes again get the same answer; every checkpoint that anybody ever
  received is a prefix of the final tree, by proof; fsck is clean.

Everything random comes from the seed, save the scheduling of processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from api.settings import REPOSITORY
from ledger.attestation.envelope import Attestation
from ledger.log.checkpoint import Checkpoint, open_checkpoint
from ledger.log.merkle import leaf_hash, root_of, verify_consistency, verify_inclusion
from ledger.node.keyring import load_keyring
from ledger.store.embedded import EmbeddedPostgres
from tests.support import documents as docs
from tests.support.ledgers import ORIGIN, Lender
from tests.support.served import ENROL

SIZES = (1, 1, 1, 2, 3, 10, 40, 150)
"""Loans in a batch; each loan is two attestations."""
START_S = 0.2
"""A little more than a server forked from the nursery takes to start: a kill within it falls into the start."""
RETRIED = {429, 500, 503, 504}
"""Statuses after which a client sends again; a 500 is counted besides."""
CONSISTENCY = "query ($a: Int!, $b: Int!) { consistencyProof(oldSize: $a, newSize: $b) { path } }"


@dataclass
class Acknowledged:
    """What an answer promised."""

    batch: str
    index: int
    leaf: bytes
    again: Callable[[], Any] | None


@dataclass
class Storm:
    """One ledger, its servers that come and go, and everything that was ever promised."""

    home: Path
    seed: int
    port: int
    acks: list[Acknowledged] = field(default_factory=list)
    notes: set[bytes] = field(default_factory=set)
    inclusions: list[dict[str, Any]] = field(default_factory=list)
    tokens: dict[tuple[str, ...], str] = field(default_factory=dict)
    retries: int = 0
    internal_errors: int = 0
    stop: bool = False

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.url = f"http://127.0.0.1:{self.port}"
        self.postgres = EmbeddedPostgres(self.home)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TALLYSTICK_", "DATABASE_"))}
        return kept | {"TALLYSTICK_HOME": str(self.home), "TALLYSTICK_ORIGIN": ORIGIN, "PYTHONPATH": str(REPOSITORY)}

    # -- a patient client ----------------------------------------------------------------------------------------------

    async def send(self, client: httpx.AsyncClient, who: tuple[str, ...], path: str, **request: Any) -> dict[str, Any]:
        """The answer to a request that is repeated, byte for byte, until there is one."""
        headers = request.pop("headers", {})
        while True:
            token = await self.token(client, who)
            try:
                authorized = headers | {"authorization": f"Bearer {token}"}
                answer = await client.post(self.url + path, headers=authorized, **request)
            except httpx.TransportError:
                await self._pause()
                continue
            if answer.status_code == 200:
                found: dict[str, Any] = answer.json()
                return found
            if answer.status_code == 401:  # another server, another development issuer
                self.tokens.pop(who, None)
            elif answer.status_code not in RETRIED:
                raise AssertionError((answer.status_code, answer.text))
            self.internal_errors += answer.status_code == 500
            await self._pause()

    async def token(self, client: httpx.AsyncClient, who: tuple[str, ...]) -> str:
        """A token of whichever server answers, for (tenant, role) or (tenant, role, subject in Base64url)."""
        while who not in self.tokens:
            with contextlib.suppress(httpx.TransportError):
                asked = {"tenant": who[0], "roles": [who[1]], **({"subject": who[2]} if len(who) > 2 else {})}
                answer = await client.post(f"{self.url}/dev/token", json=asked)
                if answer.status_code == 200:
                    self.tokens[who] = answer.json()["access_token"]
                    break
            await self._pause()
        return self.tokens[who]

    async def _pause(self) -> None:
        self.retries += 1
        await asyncio.sleep(0.08)

    async def ask(self, client: httpx.AsyncClient, who: tuple[str, ...], document: str, **variables: Any) -> Any:
        """The payload of a document's one root field; repeated while the answer is "try again"."""
        while True:
            answer = await self.send(client, who, "/graphql", json={"query": document, "variables": variables})
            faults = answer.get("errors") or []
            if any(fault["extensions"]["code"] in ("unauthenticated", "token_untrusted") for fault in faults):
                self.tokens.pop(who, None)
            elif faults and not all(fault["extensions"].get("retryable") for fault in faults):
                codes = {fault["extensions"]["code"] for fault in faults}
                if not any(
                    code.startswith(("token", "issuer", "database", "outcome", "unavailable")) for code in codes
                ):
                    raise AssertionError(faults)
                self.tokens.pop(who, None)
            else:
                (payload,) = (answer["data"] or {}).values()
                errors = (payload or {}).get("errors") or []
                if not any(error["code"] == "UNAVAILABLE" for error in errors):
                    return payload
            await self._pause()

    # -- load ----------------------------------------------------------------------------------------------------------

    async def publish(self, client: httpx.AsyncClient, lender: Lender, dice: random.Random) -> None:
        """Batches of mixed size, one after the other, until the storm is over."""
        loans: list[list[Attestation]] = []
        while not self.stop:
            fresh = [lender.new_loan() for _ in range(dice.choice(SIZES))]
            paid = [lender.repayment(loan, 10) for loan in dice.sample(loans, min(len(loans), dice.randint(0, 3)))]
            loans = [*loans[-20:], fresh[0]]
            token, body = lender.batch([attestation for loan in fresh for attestation in loan] + paid)
            request = {
                "content": body,
                "headers": {"tallystick-statement": token.decode(), "content-type": "application/x-ndjson"},
            }

            async def again(request: dict[str, Any] = request) -> dict[str, Any]:
                return await self.send(client, (lender.name, "lender"), "/v1/batches", **request)

            answer = await again()
            self.notes.add(answer["checkpoint"].encode())
            self.inclusions.append(answer)
            self.acks.append(Acknowledged(answer["batch"], answer["index"], b64decode(answer["leafHash"]), again))
            await asyncio.sleep(dice.uniform(0, 0.03))

    async def repay(self, client: httpx.AsyncClient, lender: Lender, dice: random.Random) -> None:
        """Single repayments on one loan through GraphQL, each under its own idempotency key."""
        loan = lender.new_loan(10**12)
        token, body = lender.batch(loan)
        headers = {"tallystick-statement": token.decode(), "content-type": "application/x-ndjson"}
        who = (str(lender.name), "lender")
        answer = await self.send(client, who, "/v1/batches", content=body, headers=headers)
        self.acks.append(Acknowledged(answer["batch"], answer["index"], b64decode(answer["leafHash"]), None))
        account = {"reference": _base64(loan[0].envelope.account or b"")}
        for number in range(10**6):
            if self.stop:
                return
            asked = {"idempotencyKey": f"{self.seed}-{number}", "account": account, "effectiveDate": "2026-02-01",
                     "amount": "10", "currency": "KES", "channel": "mobile"}  # fmt: skip
            payload = await self.ask(client, who, docs.REPAYMENT, input=asked)
            if payload["errors"]:
                raise AssertionError(payload["errors"])
            receipt = payload["receipt"]
            self.acks.append(Acknowledged(receipt["batch"], receipt["index"], b64decode(receipt["leafHash"]), None))
            await asyncio.sleep(dice.uniform(0, 0.03))

    async def watch(self, client: httpx.AsyncClient) -> None:
        """Collects what the server publishes as its checkpoint."""
        while not self.stop:
            with contextlib.suppress(httpx.TransportError):
                answer = await client.get(f"{self.url}/checkpoint")
                if answer.status_code == 200:
                    self.notes.add(answer.content)
            await asyncio.sleep(0.05)

    async def enrol(self, client: httpx.AsyncClient, names: list[str]) -> list[Lender]:
        """Lenders with keys of their own, and one more that the deployment keeps for each."""
        lenders, operator = [Lender(name) for name in names], ("tallystick", "operator")
        for lender in lenders:
            public = {name: value for name, value in lender.key.public_jwk().items() if name in ("kty", "crv", "x")}
            asked = {"idempotencyKey": f"enrol-{lender.name}", "tenant": lender.name, "displayName": lender.name,
                     "role": "LENDER", "country": "KE", "jwk": public}  # fmt: skip
            await self.ask(client, operator, ENROL, input=asked)
            key = "mutation ($input: KeyEnrolInput!) { keyEnrol(input: $input) { errors { code } } }"
            await self.ask(client, operator, key, input={"idempotencyKey": f"key-{lender.name}", "tenant": lender.name})
        return lenders

    # -- afterwards ----------------------------------------------------------------------------------------------------

    async def judge(self, client: httpx.AsyncClient, first: int) -> dict[str, Any]:
        """Everything that has to hold; raises AssertionError at what does not. ``first`` is the load's first index."""
        rows = await self._entries()
        leaves = [row["leaf_hash"] for row in rows]
        assert [row["idx"] for row in rows] == list(range(len(rows)))
        assert all(leaf_hash(row["statement"]) == row["leaf_hash"] for row in rows)
        promised = {ack.batch: (ack.index, ack.leaf) for ack in self.acks}
        assert len(promised) == len(self.acks)
        there = {str(row["batch_id"]): (row["idx"], row["leaf_hash"]) for row in rows if row["idx"] >= first}
        assert there == promised  # nothing lost, nothing doubled, nothing that nobody sent
        assert sum(row["count"] for row in rows) == await self._value("SELECT count(*) FROM attestation")
        repeated = [ack for ack in self.acks if ack.again is not None]
        for ack in self.dice.sample(repeated, min(len(repeated), 60)):
            answer = await ack.again() if ack.again else {}
            assert (answer["index"], b64decode(answer["leafHash"]), answer["duplicate"]) == (ack.index, ack.leaf, True)
        consistent = await self._one_history(client, leaves)
        return {"entries": len(rows), "acknowledged": len(self.acks), "checkpoints": consistent,
                "attestations": sum(row["count"] for row in rows), "retries": self.retries,
                "internal_errors": self.internal_errors,
                "fsck": await self._fsck()}  # fmt: skip

    async def _one_history(self, client: httpx.AsyncClient, leaves: list[bytes]) -> int:
        verifier = load_keyring(self.home).signer(ORIGIN).verifier
        said: dict[int, Checkpoint] = {}
        for note in self.notes:
            checkpoint = open_checkpoint(note, [verifier], origin=ORIGIN).checkpoint
            assert said.setdefault(checkpoint.size, checkpoint).root == checkpoint.root
        size, root = len(leaves), root_of(leaves)
        for answer in self.inclusions:
            path = b"".join(b64decode(node) for node in answer["path"])
            tree = said[answer["treeSize"]]
            leaf = b64decode(answer["leafHash"])
            verify_inclusion(index=answer["index"], size=tree.size, leaf=leaf, path=path, root=tree.root)
        for checkpoint in said.values():
            assert root_of(leaves[: checkpoint.size]) == checkpoint.root
        for old in self.dice.sample(sorted(set(said) - {0, size}), min(60, len(set(said) - {0, size}))):
            proof = await self.ask(client, ("tallystick", "operator"), CONSISTENCY, a=old, b=size)
            path = b"".join(b64decode(node) for node in proof["path"])
            verify_consistency(old_size=old, new_size=size, old_root=said[old].root, new_root=root, path=path)
        return len(said)

    async def _entries(self) -> list[Any]:
        connection = await asyncpg.connect(self.postgres.admin_dsn())
        try:
            return list(await connection.fetch("SELECT * FROM entry ORDER BY idx"))
        finally:
            await connection.close()

    async def _value(self, query: str) -> Any:
        connection = await asyncpg.connect(self.postgres.admin_dsn())
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    async def _fsck(self) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "api.cli.main", "fsck", "--json", env=self.environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        out, _ = await process.communicate()
        assert process.returncode == 0, out.decode()
        assert json.loads(out)["ok"] is True
        return "clean"


def _base64(data: bytes) -> str:
    """Standard Base64, as the API reads it."""
    from ledger.base64_strict import encode_standard

    return encode_standard(data)


def _new_home() -> Path:
    home = Path(tempfile.mkdtemp(prefix="tallystick-chaos-"))
    home.chmod(0o711)  # the database's own account passes through it
    return home


class Servers:
    """One server at a time on the storm's port, forked from a nursery; killed and started again."""

    def __init__(self, storm: Storm, nursery: asyncio.subprocess.Process, options: tuple[str, ...] = ()) -> None:
        self._storm, self._nursery, self._options = storm, nursery, options
        self.pid = 0

    async def line(self) -> dict[str, Any]:
        """The nursery's or its child's next line."""
        assert self._nursery.stdout is not None
        text = await asyncio.wait_for(self._nursery.stdout.readline(), 60)
        found: dict[str, Any] = json.loads(text)
        return found

    async def spawn(self) -> None:
        """Begin a start."""
        assert self._nursery.stdin is not None
        asked = ["--dev-issuer", "--json", "--port", str(self._storm.port), *self._options]
        self._nursery.stdin.write(json.dumps(asked).encode() + b"\n")
        while "pid" not in (told := await self.line()):
            pass  # the ready line of a server that was killed as it said it
        self.pid = told["pid"]

    async def start(self) -> None:
        """Start one and wait until it answers."""
        await self.spawn()
        while not (await self.line()).get("ready"):
            pass

    def kill(self, how: int = signal.SIGKILL) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, how)


@asynccontextmanager
async def running_storm(
    seed: int, *, hold: bool = True, options: tuple[str, ...] = ()
) -> AsyncIterator[tuple[Storm, Servers]]:
    """A fresh home with a database that this process holds (``hold`` False: its servers do), and a nursery whose servers
    have these options besides."""
    home = _new_home()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    storm = Storm(home, seed, port)
    with (home / "servers.log").open("wb") as log:
        nursery = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "tests.chaos.nursery", env=storm.environment, cwd=REPOSITORY, stderr=log,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
    servers = Servers(storm, nursery, options)
    try:
        if hold:
            await asyncio.to_thread(storm.postgres.start)
        yield storm, servers
    except BaseException as fault:
        fault.add_note((home / "servers.log").read_text(errors="replace")[-6_000:])
        raise
    finally:
        if servers.pid:
            servers.kill()
        nursery.kill()
        await nursery.wait()
        await asyncio.sleep(0.1)  # the kernel drops the killed server's lock on the database
        await asyncio.to_thread(storm.postgres.stop, "immediate")
        shutil.rmtree(home, ignore_errors=True)


async def rage(kills: int, seed: int) -> dict[str, Any]:
    """A whole storm; its figures. Raises AssertionError when a promise is broken."""
    began = time.monotonic()
    async with running_storm(seed) as (storm, servers), httpx.AsyncClient(timeout=30) as client:
        await servers.start()
        lenders = await storm.enrol(client, ["acacia", "baobab"])
        first = await storm._value("SELECT size FROM head")
        load = [asyncio.create_task(storm.publish(client, lenders[n % 2], random.Random(seed + n))) for n in range(4)]
        load.append(asyncio.create_task(storm.repay(client, lenders[0], random.Random(seed - 1))))
        load.append(asyncio.create_task(storm.watch(client)))
        try:
            postmasters = await _kill_repeatedly(kills, storm, servers, load)
            storm.stop = True
            await asyncio.wait_for(asyncio.gather(*load), 60)
        finally:
            for task in load:
                task.cancel()
            await asyncio.gather(*load, return_exceptions=True)
        raged = time.monotonic() - began
        figures = await storm.judge(client, first)
        if storm.internal_errors:
            figures["server_log"] = (storm.home / "servers.log").read_text(errors="replace")[-8_000:]
    told = {"kills": kills, "postmaster_kills": postmasters, "seed": seed} | figures
    return told | {"seconds": round(time.monotonic() - began, 1), "seconds_under_load": round(raged, 1)}


async def strike(with_database: bool, storm: Storm, servers: Servers) -> bool:
    """Kill the server, and the postmaster before or after it where that is asked for; then its database runs again."""
    if not with_database:
        servers.kill()
        return False
    pid = storm.postgres.pid
    if pid is not None and storm.dice.random() < 0.5:
        os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(storm.dice.uniform(0, 0.2))
        pid = None
    servers.kill()
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(storm.postgres.start)
    return True


async def _kill_repeatedly(kills: int, storm: Storm, servers: Servers, load: list[asyncio.Task[None]]) -> int:
    postmasters, starting = 0, False
    for number in range(kills):
        await asyncio.sleep(storm.dice.uniform(0, START_S if starting else 0.4))
        postmasters += await strike(number % 15 == 7, storm, servers)
        for task in load:
            if task.done():
                task.result()
        starting = number % 6 == 5 and number + 1 < kills
        if starting:
            await servers.spawn()  # the next kill hits it while it starts
        else:
            await servers.start()
    return postmasters
