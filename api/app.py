"""The composition root: one running ledger, behind every route, behind the guards.

    async with open_ledger(settings) as node:
        app = build_app(node, settings=settings)                     # an ASGI application, for any server

    POST /graphql                    everything for people and applications (schema.graphql)
    POST /v1/batches                 signed batches in bulk
    GET  /v1/attestations            a tenant's own attestations
    POST /v1/subjects                identifiers to pseudonyms
    GET  /checkpoint, /tile/...      the log as files; /trust.json, /.well-known/jwks.json
    GET  /healthz, /readyz, /version
    POST /dev/token                  only with a development issuer, only on loopback

Rules
- The guards stand outermost: bounds before the work, masked answers after it.
- A route without a permission is one that anybody may read: the log's files and the server's health.
- Nothing is kept between requests but what is in the node, the token memory and the issuers' memory.
"""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from api.auth.dev_issuer import DevIssuer
from api.auth.issuers import StoredIssuers
from api.auth.tokens import IssuerSource, TokenVerifier
from api.graphql.context import Context, Services
from api.graphql.http_view import GraphQLView, make_view
from api.graphql.scalars import Cursors
from api.graphql.schema import SCHEMA
from api.http.attestations import attestation_routes
from api.http.batches import BATCHES_PATH, batch_app
from api.http.callers import Callers
from api.http.errors import problem_handlers
from api.http.guards import BODY_LIMITS, BodyLimit, guarded
from api.http.health import health_routes
from api.http.log_files import log_routes
from api.http.subjects import subject_routes
from api.limits import SUBJECTS_BODY_BYTES_MAX
from api.settings import Settings
from ledger.errors import TallystickError
from ledger.node.events import Events
from ledger.node.node import Node
from ledger.node.participants import DEPLOYMENT
from ledger.node.publications import Publications

VERSION: Final = "0.1.0"
"""The version in pyproject.toml; a test holds the two together."""

APP_BODY_LIMITS: Final = (BodyLimit("/v1/subjects", SUBJECTS_BODY_BYTES_MAX), *BODY_LIMITS)
"""Bounds of bodies by route."""


def build_app(
    node: Node, *, settings: Settings, issuers: IssuerSource | None = None, dev_issuer: DevIssuer | None = None
) -> ASGIApp:
    """The whole application over a running node.

    Tokens are meant for ``settings.base_url``. ``issuers`` None: those that the ledger's store knows, and
    ``dev_issuer`` before them.
    """
    stored = StoredIssuers(node.database, *(() if dev_issuer is None else (dev_issuer,)))
    verifier = TokenVerifier(issuers or stored, settings.base_url, node.sources.now)
    callers, cursors = Callers(verifier), Cursors(node.keyring.cursor)
    publications = Publications(node.database, node.log, node.sealer)
    events = Events(node.database, node.publisher, node.authority, publications, node.sources)
    services = Services(node, publications, events, cursors, stored, dev_issuer)
    routes: list[BaseRoute] = [
        *attestation_routes(publications, callers, cursors),
        *subject_routes(node.pseudonyms, callers),
        *log_routes(node),
        *health_routes(node, VERSION),
        *(() if dev_issuer is None else dev_issuer.routes()),
    ]
    batches = batch_app(node.publisher, callers)
    return guarded(_Application(routes, _graphql(services, callers), batches), body_limits=APP_BODY_LIMITS)


async def register_tenants(node: Node, dev_issuer: DevIssuer) -> None:
    """Let the development issuer speak for every tenant that takes part, and for the deployment's own."""
    for tenant in {DEPLOYMENT, *(await node.publisher.participants()).tenants}:
        dev_issuer.add_tenant(tenant)


def _graphql(services: Services, callers: Callers) -> GraphQLView:
    async def context_of(request: Request) -> Context:
        return Context(await callers.of(request.scope), services)

    return make_view(SCHEMA, context_of)


class _Application:
    """Routes and their errors. Starlette's own outer layer is left out: it would answer what the guards must mask."""

    def __init__(self, routes: list[BaseRoute], graphql: ASGIApp, batches: ASGIApp) -> None:
        handlers = problem_handlers()
        kept = {kind: handlers[kind] for kind in (TallystickError, HTTPException)}
        self._routed: ASGIApp = ExceptionMiddleware(Router(routes, redirect_slashes=False), handlers=kept)
        self._direct = {"/graphql": graphql, BATCHES_PATH: batches}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The router raises "no such route" only inside an application; else it would answer in plain text.
        scope["app"] = self
        chosen = self._direct.get(scope.get("path", ""), self._routed)
        await chosen(scope, receive, send)
