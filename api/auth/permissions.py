"""What a caller may do: one alphabetised list of permissions, and one table from roles to them.

Rules
- A permission is ``resource:action``. Every GraphQL field and every route declares exactly one.
- A caller without a token has the permissions of ``anonymous``; every role has those too.
- A role gives what the table says and nothing more; two roles give the union.
- A token with scopes is narrowed to the permissions it names (RFC 9068 section 2.2.3); scopes never add any.
- A permission says that the *kind* of act is allowed. Whose data it may touch is the tenant's and the consent's matter.

>>> allows(None, Permission.LEDGER_READ), allows(None, Permission.LOANS_READ)
(True, False)
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Final, Protocol

from ledger.errors import Refused, Untrusted


class Permission(StrEnum):
    """Everything that can be allowed, in alphabetical order."""

    ACCESSES_READ = "accesses:read"
    """List who looked at one's own data."""
    ALERTS_READ = "alerts:read"
    """The tenant's own alerts, their reasons and proofs."""
    ALERTS_WORK = "alerts:work"
    """Assign, snooze, close and open the tenant's own alerts."""
    ATTESTATIONS_PUBLISH = "attestations:publish"
    """Publish signed batches for the token's tenant."""
    BATCHES_READ = "batches:read"
    """Look up the tenant's own batches."""
    BORROWER_READ = "borrower:read"
    """A borrower's own page of data, by the token's subject."""
    CONSENTS_DECIDE = "consents:decide"
    """Grant, pause and revoke, as the borrower."""
    CONSENTS_READ = "consents:read"
    """See consents in which the caller is a party."""
    CONSENTS_REQUEST = "consents:request"
    """Ask a borrower for consent."""
    CONTRACTS_PROPOSE = "contracts:propose"
    """Propose contracts about the tenant's own loans."""
    CONTRACTS_READ = "contracts:read"
    """See contracts in which the caller is a party."""
    CONTRACTS_SIGN = "contracts:sign"
    """Sign, end and answer contracts in which the caller is a party."""
    DAYS_BEGIN = "days:begin"
    """Begin a day on the ledger."""
    EVENTS_RECORD = "events:record"
    """Record single events under a key that the deployment keeps for the tenant."""
    KEYS_MANAGE = "keys:manage"
    """Enrol, rotate and revoke signing keys."""
    LEDGER_READ = "ledger:read"
    """The ledger's head, checkpoints and proofs: public."""
    LOANS_READ = "loans:read"
    """The tenant's own loans."""
    MODELS_MANAGE = "models:manage"
    """Register scoring models, and promote them with others' signatures."""
    MODELS_READ = "models:read"
    """Scoring models and what was measured of them; drift of the tenant's own borrowers."""
    PUBLIC = "public:read"
    """Fields that hold nothing to protect by themselves, such as an error's message."""
    SCORES_RECORD = "scores:record"
    """Score the tenant's own borrowers, where consent allows it."""
    SUBJECTS_ERASE = "subjects:erase"
    """Destroy a subject's key."""
    SUBJECTS_RESOLVE = "subjects:resolve"
    """Turn an identifier into a pseudonym."""
    TENANTS_MANAGE = "tenants:manage"
    """Enrol tenants and their issuers."""
    VIEWS_READ = "views:read"
    """Read a credit view, where consent allows it."""


class Role(StrEnum):
    """What a caller is to the deployment; the ``roles`` claim of a token (RFC 9068 section 2.2.3.1)."""

    ANONYMOUS = "anonymous"
    """No token; never stands in one."""
    APP = "app"
    BORROWER = "borrower"
    BUREAU = "bureau"
    LENDER = "lender"
    OPERATOR = "operator"


_ANONYMOUS: Final = frozenset({Permission.LEDGER_READ, Permission.PUBLIC})
_CONSENTED_READER: Final = frozenset({Permission.CONSENTS_READ, Permission.CONSENTS_REQUEST, Permission.VIEWS_READ})

ROLE_PERMISSIONS: Final[dict[Role, frozenset[Permission]]] = {
    Role.ANONYMOUS: _ANONYMOUS,
    Role.APP: _ANONYMOUS | _CONSENTED_READER,
    Role.BORROWER: _ANONYMOUS
    | {
        Permission.ACCESSES_READ,
        Permission.BORROWER_READ,
        Permission.CONSENTS_DECIDE,
        Permission.CONSENTS_READ,
        Permission.CONTRACTS_READ,
        Permission.CONTRACTS_SIGN,
    },
    Role.BUREAU: _ANONYMOUS | _CONSENTED_READER | {Permission.SUBJECTS_RESOLVE},
    Role.LENDER: _ANONYMOUS
    | {
        Permission.ALERTS_READ,
        Permission.ALERTS_WORK,
        Permission.ATTESTATIONS_PUBLISH,
        Permission.BATCHES_READ,
        Permission.CONTRACTS_PROPOSE,
        Permission.CONTRACTS_READ,
        Permission.CONTRACTS_SIGN,
        Permission.EVENTS_RECORD,
        Permission.LOANS_READ,
        Permission.MODELS_READ,
        Permission.SCORES_RECORD,
        Permission.SUBJECTS_RESOLVE,
    },
    Role.OPERATOR: _ANONYMOUS
    | {
        Permission.DAYS_BEGIN,
        Permission.KEYS_MANAGE,
        Permission.MODELS_MANAGE,
        Permission.MODELS_READ,
        Permission.SUBJECTS_ERASE,
        Permission.SUBJECTS_RESOLVE,
        Permission.TENANTS_MANAGE,
    },
}
"""The whole table. A lender that also reads views carries the role ``app`` beside its own."""

TOKEN_ROLES: Final = frozenset(Role) - {Role.ANONYMOUS}
"""The roles a token may carry."""


class Holder(Protocol):
    """Whoever has roles and scopes: a token's principal."""

    @property
    def roles(self) -> frozenset[Role]:
        """What the caller is."""
        ...

    @property
    def scopes(self) -> frozenset[str]:
        """What the token is narrowed to; none: to nothing."""
        ...


@lru_cache(maxsize=256)
def granted(roles: frozenset[Role], scopes: frozenset[str] = frozenset()) -> frozenset[Permission]:
    """Every permission of these roles, narrowed by ``scopes`` when there are any."""
    whole = _ANONYMOUS.union(*(ROLE_PERMISSIONS[role] for role in roles))
    return whole if not scopes else _ANONYMOUS | frozenset(held for held in whole if held.value in scopes)


def allows(principal: Holder | None, permission: Permission) -> bool:
    """Whether this caller (None: no token) has the permission."""
    held = _ANONYMOUS if principal is None else granted(principal.roles, principal.scopes)
    return permission in held


def require(principal: Holder | None, permission: Permission) -> None:
    """Pass, or raise ``Untrusted`` ``token_missing`` without a token, ``Refused`` ``permission_denied`` with one."""
    if allows(principal, permission):
        return
    if principal is None:
        raise Untrusted(
            "token_missing", "this needs an access token", advice="Send a token as Authorization: Bearer (RFC 6750)."
        )
    raise Refused(
        "permission_denied",
        "the token's roles and scopes do not allow this",
        expected=permission.value,
        advice="Ask the tenant's issuer for a token that does.",
    )
