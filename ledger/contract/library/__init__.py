"""The shipped contracts: eight readable documents with their prose, and samples that are tested.

    names()                -> ("collateral-release", "disaster-grace", ...)
    load("late-fee")       -> its source, document and samples
    agree(document, ...)   the same rules between these parties, for this account, with these terms

Copy one, change its terms, check it with `tallystick contract check FILE`, and propose it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from importlib.resources import files

import msgspec

from ledger.contract.document import Document, Parties
from ledger.contract.source import Source, read_source
from ledger.errors import InvalidInput, NotFound


def names() -> tuple[str, ...]:
    """The names of the shipped contracts, sorted."""
    found = (entry.name.removesuffix(".toml") for entry in files(__name__).iterdir() if entry.name.endswith(".toml"))
    return tuple(sorted(found))


def source_of(name: str) -> bytes:
    """The source text of a shipped contract. Raises NotFound ``contract_unknown``."""
    if name not in names():
        raise NotFound("contract_unknown", "no such contract in the library", expected=", ".join(names()), found=name)
    return files(__name__).joinpath(f"{name}.toml").read_bytes()


def load(name: str) -> Source:
    """A shipped contract, read. Raises NotFound ``contract_unknown``."""
    return read_source(source_of(name))


def agree(
    document: Document,
    *,
    parties: Parties,
    account: bytes,
    currency: str,
    expires: date,
    terms: Mapping[str, int | bool | str] | None = None,
) -> Document:
    """The rules of ``document`` for one loan. Only terms that it has may be given, of the same type.

    Raises InvalidInput ``term_unknown``. Whether the result may be signed is check.py's to say.
    """
    changed = dict(document.terms)
    for name, value in (terms or {}).items():
        if name not in changed or type(value) is not type(changed[name]):
            raise InvalidInput("term_unknown", "the contract has no such term of this type", path=f"$.terms.{name}",
                               expected=", ".join(changed))  # fmt: skip
        changed[name] = value
    return msgspec.structs.replace(
        document, parties=parties, account=account, currency=currency, expires=expires, terms=changed
    )
