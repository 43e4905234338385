"""A lender's side of the wire: its credentials, and the ledger over HTTP with patience.

- Credentials are one JSON file that only its owner may read: `tenant`, `ledger` (origin), `url`, `jwk` (private),
  `accountSalt` (base64, 32 bytes), `token` (bearer).
- A request that got no answer, or 408, 429, 500, 502, 503 or 504, is sent again with the same bytes, after a growing
  pause or what Retry-After says. A batch's outcome may be unknown; sending it again is how it is found out.
- Any other answer but 200 is raised as the error that it states, under its own code.

    async with httpx.AsyncClient() as client:
        answer = await Ledger(client, Credentials.load(path)).publish(batch)

It decides nothing about what is published (exchange_runs.py), and prints nothing (exchange.py).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from crosschain.metro2.importer import SignedBatch
from crosschain.metro2.subjects import Identifier
from ledger.attestation.keys import PrivateKey
from ledger.base64_strict import decode_standard
from ledger.errors import Conflict, InvalidInput, NotFound, Refused, TallystickError, Unavailable, Untrusted

ATTEMPTS: Final = 12
"""Times that a request is sent before it is given up: about a minute."""

PAUSE_MAX_S: Final = 10.0
"""Longest pause between two attempts, seconds, whatever Retry-After says."""

PAGE: Final = 4_096
"""Attestations asked for at a time."""

RETRIED: Final = frozenset([408, 429, 500, 502, 503, 504])
"""HTTP statuses after which the same request may succeed."""

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class Credentials:
    """What a lender needs to publish. Secrets stay out of `repr`."""

    tenant: str
    ledger: str
    url: str
    key: PrivateKey
    account_salt: bytes = field(repr=False)
    token: str = field(repr=False)

    @classmethod
    def load(cls, path: Path) -> Credentials:
        """From a file. Raises InvalidInput `credentials_missing`, `credentials_exposed`, `credentials_malformed`."""
        try:
            mode, text = path.stat().st_mode, path.read_text(encoding="utf-8")
        except OSError:
            raise InvalidInput("credentials_missing", "the credentials cannot be read", path=str(path)) from None
        if os.name == "posix" and mode & 0o077:
            advice = f"run: chmod 600 {path}"
            raise InvalidInput("credentials_exposed", "others may read the credentials", path=str(path), advice=advice)
        return cls.from_json(text)

    @classmethod
    def from_json(cls, text: str) -> Credentials:
        """From the file's text. Raises InvalidInput `credentials_malformed`, and what a bad key raises."""
        try:
            given = json.loads(text)
            salt = decode_standard(str(given["accountSalt"]))
            tenant, ledger, url, token = (str(given[name]) for name in ("tenant", "ledger", "url", "token"))
            jwk = dict(given["jwk"])
        except (ValueError, KeyError, TypeError, InvalidInput):
            raise InvalidInput(
                "credentials_malformed",
                "not a credentials file",
                expected="tenant, ledger, url, jwk, accountSalt, token",
            ) from None
        if len(salt) != 32:
            raise InvalidInput("credentials_malformed", "the account salt is not 32 bytes", path="$.accountSalt")
        return cls(tenant, ledger, url.rstrip("/"), PrivateKey.from_jwk(jwk), salt, token)


class Ledger:
    """The ledger as one lender reaches it: four requests, each sent again until it is answered."""

    def __init__(self, client: httpx.AsyncClient, credentials: Credentials, *, sleep: Sleep = asyncio.sleep) -> None:
        self._client = client
        self._url = credentials.url
        self._authorization = f"Bearer {credentials.token}"
        self._sleep = sleep
        self.retries = 0

    async def publish(self, batch: SignedBatch) -> dict[str, Any]:
        """Post one batch. Raises what the ledger answers, Unavailable `ledger_unreachable` when it never does."""
        headers = {"content-type": "application/x-ndjson", "tallystick-statement": batch.token.decode("ascii")}
        answer = await self._send("POST", "/v1/batches", headers=headers, content=batch.body)
        told: dict[str, Any] = answer.json()
        if told.get("batch") != str(batch.batch_id) or told.get("count") != batch.count:
            raise Untrusted("answer_differs", "the ledger answered about another batch", expected=str(batch.batch_id))
        return told

    async def subjects(self, identifiers: list[Identifier]) -> list[bytes]:
        """The pseudonym of each identifier, in order. Raises as `publish`."""
        asked = {"identifiers": [{"scheme": scheme, "value": value} for scheme, value in identifiers]}
        answer = await self._send("POST", "/v1/subjects", json=asked)
        found = [decode_standard(text) for text in answer.json()["subjects"]]
        if len(found) != len(identifiers):
            raise Untrusted("answer_differs", "not one pseudonym for each identifier", expected=len(identifiers))
        return found

    async def attestations(self) -> AsyncIterator[bytes]:
        """The caller's own attestations in log order, canonical lines without their line feed. Raises as `publish`."""
        after: str | None = None
        while True:
            query = {"limit": str(PAGE)} | ({} if after is None else {"after": after})
            answer = await self._send("GET", "/v1/attestations", params=query)
            for line in answer.content.split(b"\n"):
                if line:
                    yield line
            after = answer.headers.get("tallystick-next")
            if after is None:
                return

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """The data of a GraphQL query. Raises as `publish`; of several errors the first, under its own code."""
        answer = await self._send("POST", "/graphql", json={"query": document, "variables": variables})
        told = answer.json()
        if told.get("errors"):
            raise _of_graphql(told["errors"][0])
        data: dict[str, Any] = told["data"]
        return data

    async def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        headers = request.pop("headers", {}) | {"authorization": self._authorization}
        reason = ""
        for attempt in range(ATTEMPTS):
            pause = min(0.1 * 2**attempt, PAUSE_MAX_S)
            try:
                answer = await self._client.request(method, self._url + path, headers=headers, **request)
            except httpx.TransportError as fault:
                reason = type(fault).__name__
            else:
                if answer.status_code not in RETRIED:
                    return _checked(answer)
                reason, pause = f"status {answer.status_code}", _asked_pause(answer, pause)
            self.retries += 1
            await self._sleep(pause)
        raise Unavailable("ledger_unreachable", f"no answer after {ATTEMPTS} attempts: {reason}",
                          advice="see that the server runs, then run the same command again")  # fmt: skip


def _asked_pause(answer: httpx.Response, otherwise: float) -> float:
    asked = answer.headers.get("retry-after", "")
    return min(float(asked), PAUSE_MAX_S) if asked.isdigit() else otherwise


def _of_graphql(error: dict[str, Any]) -> TallystickError:
    more = error.get("extensions") or {}
    code, wait = str(more.get("code", "query_failed")), more.get("retryAfterSeconds")
    path = ".".join(str(part) for part in error.get("path") or ()) or None
    if wait is not None:
        return Unavailable(code, str(error["message"]), retry_after_s=int(wait))
    kind = Untrusted if code in ("token_missing", "token_invalid") else Refused if "denied" in code else InvalidInput
    return kind(code, str(error["message"]), path=path)


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.status_code == 200:
        return answer
    try:
        told = answer.json()
    except ValueError:
        told = {}
    code = str(told.get("code", f"http_{answer.status_code}"))
    message = str(told.get("detail", "the ledger refused the request"))
    kinds: dict[int, type[TallystickError]] = {400: InvalidInput, 401: Untrusted, 404: NotFound, 409: Conflict}
    kind = kinds.get(answer.status_code, Refused if answer.status_code == 403 else InvalidInput)
    raise kind(code, message, path=told.get("path"), expected=told.get("expected"), found=told.get("found"),
               advice=told.get("advice"))  # fmt: skip
