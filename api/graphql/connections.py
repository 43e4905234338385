"""Pages of a list (the Relay cursor connections specification), forwards only.

Rules
- ``first`` is required, 1 to 100; ``after`` is a cursor of the same list.
- A page is read with one item more than was asked for: that one says whether another page follows. There is no count.
- ``nodes`` are the items without their cursors, for those who only read on from ``pageInfo.endCursor``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

import strawberry

from api.graphql.fields import open_type

Item = TypeVar("Item")

First = Annotated[int, strawberry.argument(description="How many items at most: 1 to 100.")]
"""The argument ``first``."""

After = Annotated[str | None, strawberry.argument(description="Go on after this cursor; absent: from the beginning.")]
"""The argument ``after``."""

GlobalIdArgument = Annotated[strawberry.ID, strawberry.argument(description="A global id, as it was received.")]
"""The argument ``id``."""


@strawberry.interface(description="An object with a global id (the Relay object identification specification).")
class Node:
    """An object with a global id."""

    id: strawberry.ID = strawberry.field(description="Global id: opaque, stable, and no permission by itself.")


@open_type(description="Where a page begins and ends.")
class PageInfo:
    """Where a page begins and ends."""

    has_next_page: bool = strawberry.field(description="Whether more items follow.")
    has_previous_page: bool = strawberry.field(description="Whether items stand before this page.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first item; null on an empty page.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last item; null on an empty page.")


@open_type(description="An item of a page with its place in the list.")
class Edge(Generic[Item]):
    """An item with its place."""

    cursor: str = strawberry.field(description="The item's place in the list.")
    node: Item = strawberry.field(description="The item.")


@open_type(description="A page of a list.")
class Connection(Generic[Item]):
    """A page of a list."""

    edges: list[Edge[Item]] = strawberry.field(description="The items with their cursors.")
    nodes: list[Item] = strawberry.field(description="The items.")
    page_info: PageInfo = strawberry.field(description="Where the page begins and ends.")


def page_of(items: Sequence[tuple[str, Any]], *, more: bool, after: str | None) -> Any:
    """The connection of (cursor, item) pairs."""
    cursors = [cursor for cursor, _ in items]
    return Connection(
        edges=[Edge(cursor=cursor, node=item) for cursor, item in items],
        nodes=[item for _, item in items],
        page_info=PageInfo(
            has_next_page=more,
            has_previous_page=after is not None,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        ),
    )
