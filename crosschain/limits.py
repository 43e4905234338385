"""Every bound of the foreign side in one place, each with its unit and its reason.

A bound is checked before the work it bounds is done, so that hostile input costs no more than honest input.
Changing one is a change of what is accepted: say so in the changelog.
"""

from __future__ import annotations

from typing import Final

METRO2_LINE_BYTES: Final = 9_999
"""Bytes of one Metro 2 record without its line ending. The record descriptor has four digits, so none can be longer."""

METRO2_BLOCK_BYTES: Final = 32_760
"""Bytes of one block of a packed Metro 2 file, its descriptor included: the classic limit of a variable block."""

METRO2_SEGMENTS: Final = 64
"""Appended segments of one record. Real ones have under ten; a hostile line must not become hundreds of objects."""

METRO2_SHOWN_CHARACTERS: Final = 24
"""Characters of a rejected value that are shown: the longest code-like field, the payment history, has 24."""

READ_CHUNK_BYTES: Final = 262_144
"""Bytes asked of a stream at a time: large enough to amortise the call, small enough that memory stays flat."""

ZIP_RATIO: Final = 250
"""Largest inflated size over deflated size of a zip member. Fixed-width files reach about 60 to 1, bombs 1,000 to 1."""

ZIP_MEMBER_BYTES: Final = 64 * 1024**3
"""Bytes of a zip member once inflated, 64 GiB: a bureau's whole month. Larger input comes as a plain file."""

ZIP_MEMBERS: Final = 1_000
"""Entries of a zip's directory that are looked at before it is refused unread."""
