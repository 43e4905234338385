"""A ledger that stores nothing, for measuring what speaks to it: it checks each batch and answers as the real one does.

    python -m tests.evidence.stand_in --credentials lender.json        prints its port, then serves until it is stopped

- ``POST /v1/batches``: the statement's signature, the number of lines and the signed root over them are checked; the answer
  is the real route's (``receipt_answer``): index, path and a signed checkpoint over the tree that the batch made.
- ``POST /v1/subjects``: the real route, with one fixed key.
- ``GET /tally``: how much came in, for the one who measures.

It keeps the tree's right edge and nothing of a batch; the same batch again is another entry. No loan is folded, and nothing
waits for a disk: how fast this answers says nothing about a ledger.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import time
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Scope

from api.cli.ledger_client import Credentials
from api.http.batches import BATCHES_PATH, STATEMENT_HEADER, receipt_answer
from api.http.guards import headers_of
from api.http.subjects import subject_routes
from ledger.attestation.batch import split_lines, verify_statement
from ledger.attestation.envelope import LEAF_PREFIX
from ledger.attestation.keys import KeyHistory, PublicKey
from ledger.errors import TallystickError, Untrusted
from ledger.log.checkpoint import Checkpoint, sign_checkpoint
from ledger.log.merkle import leaf_hash, root_of
from ledger.log.note import NoteSigner
from ledger.log.right_edge import RightEdge
from ledger.node.publisher import Receipt
from ledger.subject.pseudonym import KeyedPseudonyms
from ledger.types import UnixMillis

FIXED: Final = sha256(b"tallystick/stand-in").digest()
"""The key of its checkpoints and pseudonyms: everybody may know it."""


async def refusal(request: Request, error: Exception) -> Response:
    """What does not hold together, under its own code: asked again, it would be refused again."""
    code = error.code if isinstance(error, TallystickError) else "refused"
    return JSONResponse({"code": code, "detail": str(error)}, status_code=400)


class StandIn:
    """One lender's ledger, of which only the tree is kept."""

    def __init__(self, lender: Credentials) -> None:
        self._lender = lender
        self._keys = KeyHistory([PublicKey(lender.key.kid, lender.key.alg, lender.key.raw, UnixMillis(0))])
        self._signer = NoteSigner(lender.ledger, FIXED)
        self._edge = RightEdge()
        self.attestations = 0
        self.bytes = 0

    def app(self) -> Starlette:
        """The routes that an importer speaks to, and the tally."""
        return Starlette(
            routes=[
                Route(BATCHES_PATH, self._publish, methods=["POST"]),
                *subject_routes(KeyedPseudonyms(FIXED), self),  # type: ignore[arg-type]
                Route("/tally", self._tally),
            ],
            exception_handlers={TallystickError: refusal},
        )

    async def require(self, scope: Scope, permission: object) -> None:
        """Let the lender in, and nobody else: what the real routes ask of ``Callers``."""
        if headers_of(scope).get(b"authorization") != f"Bearer {self._lender.token}".encode():
            raise HTTPException(401)

    async def _publish(self, request: Request) -> Response:
        await self.require(request.scope, None)
        answer = self.answer(headers_of(request.scope)[STATEMENT_HEADER], await request.body())
        return Response(answer, media_type="application/json")

    def answer(self, token: bytes, body: bytes) -> bytes:
        """What the ledger answers to a batch. Raises as the ledger does for one that does not hold together."""
        statement, _ = verify_statement(token, self._keys, now=None)
        lines = split_lines(body)
        root = root_of([sha256(LEAF_PREFIX + line).digest() for line in lines])
        if (statement.ledger, statement.count, statement.root) != (self._lender.ledger, len(lines), root):
            raise Untrusted("root_differs", "the statement is about something else")
        index, leaf = self._edge.size, leaf_hash(token)
        closed = dict(self._edge.append(leaf))
        self.attestations += len(lines)
        self.bytes += len(body)
        checkpoint = Checkpoint(self._lender.ledger, self._edge.size, self._edge.root())
        return receipt_answer(
            Receipt(
                index=index,
                tree_size=self._edge.size,
                batch_id=statement.batch,
                leaf_hash=leaf,
                root=checkpoint.root,
                count=len(lines),
                committed_at=time.time_ns() // 1_000_000,
                path=tuple(self._edge.path(index, closed)),
                checkpoint=sign_checkpoint(checkpoint, self._signer),
                statement=token,
                duplicate=False,
            )
        )

    async def _tally(self, request: Request) -> Response:
        told: dict[str, Any] = {"batches": self._edge.size, "attestations": self.attestations, "bytes": self.bytes}
        return JSONResponse(told | {"root": self._edge.root().hex()})


async def serve(lender: Credentials) -> None:
    """Serve on a free port of loopback; the port is the one line on stdout."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(StandIn(lender).app(), log_level="warning", lifespan="off", access_log=False)
    print(listener.getsockname()[1], flush=True)
    await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A ledger that checks and answers batches, and stores none.")
    parser.add_argument("--credentials", type=Path, required=True)
    asyncio.run(serve(Credentials.load(parser.parse_args().credentials)))
