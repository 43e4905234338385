"""Which media type a GraphQL answer has (GraphQL over HTTP, section "Accept"; RFC 9110 section 12.5.1).

Rules
- No Accept, or one that allows everything: ``application/json``, for old clients.
- The type of the higher quality wins; at equal quality ``application/graphql-response+json`` when it is named.
- Quality 0 forbids a type; when neither is left there is no answer (406).

>>> negotiate("application/graphql-response+json, application/json;q=0.9")
'application/graphql-response+json'
"""

from __future__ import annotations

import re
from typing import Final

JSON: Final = "application/json"
GRAPHQL: Final = "application/graphql-response+json"

_QUALITY: Final = re.compile(r"(0(\.[0-9]{0,3})?|1(\.0{0,3})?)", re.ASCII)


def negotiate(accept: str | None) -> str | None:
    """The media type to answer in, or None when the client takes neither."""
    if accept is None or not accept.strip():
        return JSON
    ranges = _ranges(accept)
    json, graphql = _quality(JSON, ranges), _quality(GRAPHQL, ranges)
    if json == graphql == 0:
        return None
    if json == graphql:
        return GRAPHQL if GRAPHQL in ranges else JSON
    return GRAPHQL if graphql > json else JSON


def is_json(content_type: str | None) -> bool:
    """Whether a body is declared as JSON in UTF-8; JSON has no other encoding (RFC 8259 section 8.1)."""
    kind, _, parameters = (content_type or "").partition(";")
    if kind.strip().lower() != JSON:
        return False
    charset = re.search(r'charset\s*=\s*"?([^\s";]+)', parameters, re.IGNORECASE)
    return charset is None or charset[1].lower() in ("utf-8", "utf8")


def _ranges(accept: str) -> dict[str, float]:
    """Quality of each range named. Parameters other than q do not tell our types apart."""
    found: dict[str, float] = {}
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        stated = next((text[2:].strip() for text in parameters if text.startswith("q=")), "1")
        found[name] = float(stated) if _QUALITY.fullmatch(stated) else 0.0
    return found


def _quality(media: str, ranges: dict[str, float]) -> float:
    """By the most specific range that fits."""
    return next((ranges[name] for name in (media, "application/*", "*/*") if name in ranges), 0.0)
