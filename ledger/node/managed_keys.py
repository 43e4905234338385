"""The private keys that this deployment holds: its own, and those it keeps for tenants, wrapped in the store.

Rules
- A managed key is made here, stored wrapped under the deployment's wrapping key (AES-256-GCM, bound to tenant and kid),
  and used only for its tenant: for single events that the tenant records, and for what contracts do to its loans.
- Unwrapped keys stay in memory for one epoch.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.attestation.keys import EDDSA, PrivateKey
from ledger.errors import Refused, Untrusted
from ledger.node.clock import Sources
from ledger.node.keyring import Keyring
from ledger.node.participants import DEPLOYMENT
from ledger.store.database import Database
from ledger.store.tenant_rows import managed_key
from ledger.types import TenantId

_WRAP_NONCE_BYTES = 12


class ManagedKeys:
    """Keys by tenant."""

    def __init__(self, database: Database, keyring: Keyring, sources: Sources) -> None:
        self._database = database
        self._wrapping = AESGCM(keyring.wrapping)
        self._sources = sources
        self._kept: dict[TenantId, PrivateKey] = {}
        self.operator = keyring.operator_key()

    def forget(self) -> None:
        """The epoch moved: a key may have ended."""
        self._kept = {}

    async def of(self, tenant: TenantId) -> PrivateKey:
        """The key with which the deployment signs for a tenant now. Raises Refused ``key_not_managed``."""
        if tenant == DEPLOYMENT:
            return self.operator
        kept = self._kept
        if tenant not in kept:
            async with self._database.reading(tenants=(tenant,)) as connection:
                found = await managed_key(connection, tenant, self._sources.now())
            if found is None:
                raise Refused("key_not_managed", "the deployment keeps no signing key for this tenant",
                              advice="publish signed batches, or ask the operator for a managed key")  # fmt: skip
            kept[tenant] = self._unwrap(tenant, *found)
        return kept[tenant]

    def wrapped(self, tenant: str, key: PrivateKey, secret: bytes) -> bytes:
        """A tenant's key as it is stored."""
        nonce = self._sources.random(_WRAP_NONCE_BYTES)
        return nonce + self._wrapping.encrypt(nonce, secret, f"{tenant}/{key.kid}".encode())

    def _unwrap(self, tenant: str, kid: str, wrapped: bytes) -> PrivateKey:
        nonce, sealed = wrapped[:_WRAP_NONCE_BYTES], wrapped[_WRAP_NONCE_BYTES:]
        try:
            return PrivateKey.from_random(EDDSA, self._wrapping.decrypt(nonce, sealed, f"{tenant}/{kid}".encode()))
        except InvalidTag:
            raise Untrusted("managed_key_broken", "a managed key does not open with this keyring") from None
