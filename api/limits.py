"""Every bound of the interfaces: name, unit in the name, and the reason.

Past a bound the caller gets an error with a stable code and, over HTTP, its own status; nothing is cut short silently.
"""

from __future__ import annotations

from typing import Final

# -- requests ---------------------------------------------------------------------------------------------------
HEADERS_MAX: Final = 64
"""Header lines of one request; browsers behind two proxies send about thirty."""

HEADER_BYTES_MAX: Final = 24 * 1024
"""All header names and values together: a token of 8 KiB, a signed statement of 2 KiB, and room."""

TARGET_BYTES_MAX: Final = 2_048
"""Path and query together; the longest of ours, a log tile, is under 100."""

SMALL_BODY_BYTES_MAX: Final = 64 * 1024
"""Body of a route that names no bound of its own."""

GRAPHQL_BODY_BYTES_MAX: Final = 1024 * 1024
"""One GraphQL request with its variables: a signed batch of 900 kB as one text, its quotes escaped, and room. The worst
body of that size takes the strict parse 0.15 s. Larger batches go to the bulk route."""

BULK_BODY_BYTES_MAX: Final = 16 * 1024 * 1024
"""One batch over HTTP: 4,096 attestations of 4 kB (the ledger's own bound for a batch)."""

SUBJECTS_BODY_BYTES_MAX: Final = 2 * 1024 * 1024
"""Identifiers of one batch: 4,096 of at most 256 characters and their schemes."""

BODY_WAIT_S_MAX: Final = 15.0
"""Seconds a server waits, in all, for the bytes of one body: 64 KiB at 5 kB/s arrive, and 1 MiB over a link of
0.6 Mbit/s; a slow-body attack does not."""

BULK_BODY_WAIT_S_MAX: Final = 120.0
"""The same for a batch: 16 MiB over a link of 1.2 Mbit/s."""

# -- tokens -----------------------------------------------------------------------------------------------------
TOKEN_BYTES_MAX: Final = 8 * 1024
"""One access token; those of real issuers are 1 to 2 KiB (ASVS 9)."""

TOKEN_LIFETIME_S_MAX: Final = 12 * 3600
"""How far ahead a token may expire: a working day. A stolen one dies overnight."""

TOKEN_CLOCK_SKEW_S_MAX: Final = 60
"""How far an issuer's clock may run ahead of ours in ``iat`` and ``nbf``. ``exp`` gets no grace."""

TOKEN_TEXT_CHARS_MAX: Final = 255
"""Longest ``sub`` (OpenID Connect Core section 2), ``client_id``, ``jti``, ``kid`` and ``iss``."""

TOKENS_CACHED_MAX: Final = 4_096
"""Verified tokens remembered by one process, about 3 MB: saves 0.15 to 0.5 ms of signature check a request."""

RSA_BITS_MIN: Final = 2_048
"""Smallest RSA modulus (RFC 7518 section 3.3)."""

RSA_BITS_MAX: Final = 8_192
"""Largest RSA modulus: a larger one makes a verification cost more than the request it guards."""

# -- GraphQL ----------------------------------------------------------------------------------------------------
QUERY_CHARS_MAX: Final = 16 * 1024
"""Text of one document; a thousand tokens with long names and comments."""

QUERY_DIGITS_MAX: Final = 400
"""Digits in a row in a document: the largest double has 309, and Python refuses to read 4,300 of them."""

JSON_DEPTH_MAX: Final = 16
"""Nesting of variables and extensions; our deepest input has five levels."""

TOKENS_MAX: Final = 1_000
"""Lexical tokens of a signed-in caller's document. Validation is quadratic in some shapes: 1,800 took a second."""

TOKENS_ANONYMOUS_MAX: Final = 500
"""The same without a token: the public fields need under 100."""

DEPTH_MAX: Final = 12
"""Nesting of selections, fragments followed, introspection apart. A view with its proofs has eight."""

ALIASES_MAX: Final = 30
"""Aliases after fragments are followed: many answers in one request are a way around per-request limits."""

MUTATIONS_MAX: Final = 10
"""Mutations in one request: each is a transaction of its own."""

NODES_MAX: Final = 5_000
"""Objects a document may ask for: page sizes multiplied down the nesting, before anything runs."""

PAGE_MAX: Final = 100
"""Largest ``first`` or ``last`` of a connection."""

ERRORS_MAX: Final = 50
"""Errors listed in one answer; the rest only repeats them."""

DOCUMENTS_CACHED_MAX: Final = 64
"""Parsed and validated documents kept by one process. A full one takes about 0.5 MB."""
