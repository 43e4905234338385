"""Who may do what: the table, row by row."""

from __future__ import annotations

import pytest

from api.auth.permissions import ROLE_PERMISSIONS, Permission, Role, allows, granted, require
from api.auth.tokens import Principal
from ledger.errors import Refused, Untrusted
from ledger.types import TenantId, UnixMillis

EVERYONE = {"ledger:read", "public:read"}
TABLE = {
    "anonymous": EVERYONE,
    "app": EVERYONE | {"consents:read", "consents:request", "views:read"},
    "borrower": EVERYONE
    | {"accesses:read", "borrower:read", "consents:decide", "consents:read", "contracts:read", "contracts:sign"},
    "bureau": EVERYONE | {"consents:read", "consents:request", "subjects:resolve", "views:read"},
    "lender": EVERYONE
    | {"alerts:read", "alerts:work", "attestations:publish", "batches:read", "events:record", "loans:read"}
    | {"contracts:propose", "contracts:read", "contracts:sign", "models:read", "scores:record", "subjects:resolve"},
    "operator": EVERYONE
    | {"days:begin", "keys:manage", "models:manage", "models:read", "subjects:erase", "subjects:resolve"}
    | {"tenants:manage"},
}


def principal(*roles: Role, scopes: frozenset[str] = frozenset()) -> Principal:
    return Principal(
        tenant=TenantId("acme"),
        subject=None,
        client_id="c",
        roles=frozenset(roles),
        scopes=scopes,
        expires_at_ms=UnixMillis(0),
        token_id="t",
    )


def test_each_role_has_exactly_its_permissions() -> None:
    assert {role.value: {held.value for held in held} for role, held in ROLE_PERMISSIONS.items()} == TABLE


def test_permissions_are_resource_and_action_in_alphabetical_order() -> None:
    names = [permission.name for permission in Permission]
    assert names == sorted(names)
    assert all(len(permission.value.split(":")) == 2 for permission in Permission)


@pytest.mark.parametrize("permission", Permission)
def test_a_caller_without_a_token_has_the_public_permissions_only(permission: Permission) -> None:
    assert allows(None, permission) == (permission.value in EVERYONE)


def test_two_roles_give_the_union() -> None:
    both = granted(frozenset({Role.APP, Role.LENDER}))
    assert {held.value for held in both} == TABLE["app"] | TABLE["lender"]


def test_scopes_narrow_and_never_add() -> None:
    caller = principal(Role.LENDER, scopes=frozenset({"loans:read", "keys:manage", "openid"}))
    assert {held.value for held in Permission if allows(caller, held)} == EVERYONE | {"loans:read"}


def test_scopes_that_name_no_permission_leave_the_public_ones() -> None:
    assert {
        held.value for held in Permission if allows(principal(Role.LENDER, scopes=frozenset({"openid"})), held)
    } == EVERYONE


def test_a_denial_says_whether_a_token_was_missing_or_too_weak() -> None:
    require(principal(Role.LENDER), Permission.LOANS_READ)
    with pytest.raises(Untrusted, match="token_missing"):
        require(None, Permission.LOANS_READ)
    with pytest.raises(Refused, match="permission_denied"):
        require(principal(Role.APP), Permission.LOANS_READ)
