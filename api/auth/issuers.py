"""Token issuers as the ledger's store knows them, remembered for a few seconds.

Rules
- An issuer is known by its exact ``iss``; what it may do is what every tenant that trusts it has in common: the keys
  and the roles that stand in *all* of their entries. A key that one tenant vouched for never speaks for another.
- A change reaches a process within ISSUER_FRESH_S; ``forget`` makes it immediate where the change was made.
- An issuer that is not known is looked up anew each time: it may have been trusted a moment ago.

It fetches no key sets: they are given to the operator's ``issuerTrust``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from api.auth.jwks import VerificationKey, read_jwks
from api.auth.permissions import TOKEN_ROLES, Role
from api.auth.tokens import IssuerConfig, IssuerSource
from ledger.attestation.canonical import parse_strict
from ledger.errors import InvalidInput
from ledger.store.database import Database
from ledger.store.tenant_rows import read_issuer

ISSUER_FRESH_S: Final = 5.0
"""How long a known issuer is used without looking again: the most by which a revocation is late."""

ISSUERS_CACHED_MAX: Final = 256
"""Issuers remembered by one process; one a tenant is usual."""


class _Known(NamedTuple):
    rows: list[Any]
    config: IssuerConfig
    until_s: float


class StoredIssuers:
    """The issuers of the store, and before them those given (the development issuer)."""

    def __init__(self, database: Database, *first: IssuerSource, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._database, self._first, self._clock_s = database, first, clock_s
        self._known: dict[str, _Known] = {}

    async def issuer(self, iss: str) -> IssuerConfig | None:
        """The issuer of exactly this name, or None. The same object as long as nothing changed."""
        for source in self._first:
            config = await source.issuer(iss)
            if config is not None:
                return config
        known = self._known.get(iss)
        if known is not None and self._clock_s() < known.until_s:
            return known.config
        return await self._look_up(iss, known)

    def forget(self) -> None:
        """Look every issuer up again: one of them changed."""
        self._known = {iss: known._replace(until_s=0.0) for iss, known in self._known.items()}

    async def _look_up(self, iss: str, known: _Known | None) -> IssuerConfig | None:
        async with self._database.reading() as connection:
            rows = await read_issuer(connection, iss)
        if not rows:
            self._known.pop(iss, None)
            return None
        config = known.config if known is not None and known.rows == rows else config_of(iss, rows)
        while len(self._known) >= ISSUERS_CACHED_MAX:
            self._known.pop(next(iter(self._known)))
        self._known[iss] = _Known(rows, config, self._clock_s() + ISSUER_FRESH_S)
        return config


def config_of(iss: str, rows: list[tuple[str, str, str, list[str]]]) -> IssuerConfig:
    """One issuer of its rows (tenant, issuer, jwks, roles). Raises InvalidInput for a row that ``check_issuer`` would
    not have let in."""
    sets = [read_jwks(parse_strict(jwks.encode())) for _, _, jwks, _ in rows]
    common = {kid: key for kid, key in sets[0].items() if all(_same(key, other.get(kid)) for other in sets[1:])}
    roles = frozenset.intersection(*(frozenset(Role(role) for role in row[3]) for row in rows))
    return IssuerConfig(iss=iss, tenants=frozenset(row[0] for row in rows), jwks=common, roles=roles)


def check_issuer(tenant: str, issuer: str, jwks: str, roles: list[str]) -> None:
    """The rules of a row before it is stored. Raises InvalidInput ``issuer_*``, ``jwks_*``, ``json_*``."""
    if not issuer.startswith("https://") or len(issuer) > 255 or not issuer.isprintable():
        raise InvalidInput("issuer_invalid", "an issuer is named by an https address", path="$.issuer")
    if not roles or not all(role in TOKEN_ROLES for role in roles):
        raise InvalidInput("issuer_roles_invalid", "not a list of roles that a token may carry", path="$.roles")
    if not config_of(issuer, [(tenant, issuer, jwks, roles)]).jwks:
        raise InvalidInput("issuer_keys_missing", "the key set has no key that could sign a token", path="$.jwks")


def _same(key: VerificationKey, other: VerificationKey | None) -> bool:
    return other is not None and key.alg == other.alg and key.key == other.key
