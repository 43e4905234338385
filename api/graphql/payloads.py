"""What the inputs and payloads of all mutations share: who is meant, and how a refusal becomes data."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, Any, TypeVar

import strawberry

from api.graphql.context import Context
from api.graphql.errors import user_error
from api.graphql.scalars import Base64
from ledger.errors import InvalidInput, TallystickError
from ledger.types import AccountRef, Subject

Payload = TypeVar("Payload")


@strawberry.input(description="An identifier of a person under a scheme. Never stored: only its pseudonym is.")
class IdentifierInput:
    """An identifier of a person."""

    scheme: str = strawberry.field(description="national-id, national-id-birth-date or account-number.")
    value: str = strawberry.field(description="The identifier, in any of the spellings that the scheme allows.")


@strawberry.input(one_of=True, description="A borrower, by pseudonym or by identifier.")
class BorrowerInput:
    """A borrower."""

    subject: Base64 | None = strawberry.field(description="The pseudonym, 32 bytes.", default=strawberry.UNSET)
    identifier: IdentifierInput | None = strawberry.field(
        description="An identifier that the ledger turns into the pseudonym.", default=strawberry.UNSET
    )


@strawberry.input(one_of=True, description="A loan account of the caller's tenant, by number or by reference.")
class AccountInput:
    """A loan account."""

    number: str | None = strawberry.field(
        description="The lender's own account number: the ledger keeps only a keyed reference of it.",
        default=strawberry.UNSET,
    )
    reference: Base64 | None = strawberry.field(description="The reference, 32 bytes.", default=strawberry.UNSET)


def errors_field() -> Any:
    """The member ``errors`` of a payload."""
    return strawberry.field(
        description="Why nothing was done: expected refusals. Empty when it was done.", default_factory=list
    )


Asked = TypeVar("Asked")
Input = Annotated[Asked, strawberry.argument(description="What is asked for.")]
"""The one argument of every mutation: ``Input[TenantEnrolInput]``."""

IDEMPOTENCY = (
    "1 to 128 printable ASCII characters of the client's choosing. The same request under the same key again gets the "
    "first answer; another request under it is a conflict."
)
"""The description of every ``idempotencyKey``."""


async def answered(payload: type[Payload], act: Awaitable[Payload]) -> Payload:
    """What ``act`` gives, or a payload that holds the expected refusal. ``Unavailable`` and a broken invariant are
    raised further: they become errors of the whole answer."""
    try:
        return await act
    except TallystickError as error:
        return payload(errors=[user_error(error)])


def subject_of(context: Context, borrower: BorrowerInput) -> Subject:
    """The pseudonym that is meant. Raises InvalidInput ``subject_length``, ``identifier_*``, ``scheme_unknown``."""
    if borrower.identifier:
        return context.node.pseudonyms.subject(borrower.identifier.scheme, borrower.identifier.value)
    return Subject(_exactly_32(borrower.subject, "subject_length", "$.borrower.subject"))


def account_of(context: Context, account: AccountInput) -> AccountRef:
    """The account that is meant. Raises InvalidInput ``account_length``."""
    if account.number:
        if len(account.number) > 64:
            raise InvalidInput("account_length", "an account number has 1 to 64 characters", path="$.account.number")
        return context.node.pseudonyms.account(context.tenant, account.number)
    return AccountRef(_exactly_32(account.reference, "account_length", "$.account"))


def _exactly_32(value: object, code: str, path: str) -> bytes:
    if not isinstance(value, bytes) or len(value) != 32:
        raise InvalidInput(code, "not 32 bytes", path=path, expected="32 bytes")
    return value
