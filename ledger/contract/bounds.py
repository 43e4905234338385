"""Every bound of a contract: name, unit in the name, and the reason. Past one, the checker says which."""

from __future__ import annotations

from typing import Final

DOCUMENT_BYTES_MAX: Final = 64 * 1024
"""One document, as source or canonical: eight times the longest of the library, and read in a few milliseconds."""

RULES_MAX: Final = 64
"""Rules of one contract: more are not understood by the people who sign."""

EFFECTS_PER_RULE_MAX: Final = 8
"""Effects of one rule."""

TRIGGERS_PER_RULE_MAX: Final = 8
"""Triggers of one rule."""

EXPRESSION_BYTES_MAX: Final = 1024
"""One condition or amount: a page of text; the engine reads it in under two milliseconds."""

EXPRESSION_TOKENS_MAX: Final = 256
"""Names, numbers and signs in one expression: what 1 kB of ordinary text comes to."""

NESTING_MAX: Final = 12
"""Parentheses and brackets inside each other. The engine refuses 32; a reader is lost before twelve."""

CHAIN_MAX: Final = 24
"""Signs of one level in a row, ``a + b + c``: each is a level of the engine's tree, which may have 32."""

PREFIXES_MAX: Final = 2
"""``!`` and ``-`` in a row: ``!!!x`` is a mistake or an attack."""

LIST_ITEMS_MAX: Final = 32
"""Items of a list after ``in``."""

INTEGER_MAX: Final = 2**53 - 1
"""Largest whole number in a document: every reader of JSON keeps it exactly (RFC 7493 section 2.2)."""

TERMS_MAX: Final = 64
"""Named values of one contract."""

TEXT_MAX: Final = 1_000
"""Characters of a rule's prose, of the title and of the summary."""

EFFECTS_PER_CAUSE_MAX: Final = 256
"""Effects that one event may have in one contract, effects of effects counted: the checker computes the worst case."""

SAMPLES_MAX: Final = 64
"""Sample events in a source file."""

FAULTS_MAX: Final = 16
"""Faults named at once. After these the checker stops, so that a hostile document costs no more than a wrong one."""

PROPOSALS_MAX: Final = 64
"""Open proposals of one contract; another is recorded as a failure of its rule."""

INSTALMENTS_MAX: Final = 1_023
"""Largest instalment that a rule's ``once`` tells apart: twice the longest schedule, 128 bytes of memory a rule."""

CONTRACTS_CACHED_MAX: Final = 4_096
"""Compiled contracts kept by one process, about 10 kB each; their expressions are shared."""
