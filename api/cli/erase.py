"""``tallystick erase SUBJECT --law TEXT``: destroys the key of one borrower's attestations, for ever.

SUBJECT is the borrower's pseudonym, 64 hexadecimal digits. The log keeps its shape and every proof about anybody else
still verifies; what was sealed for this borrower can no longer be opened by anybody. Asks before it acts, unless --yes.
"""

from __future__ import annotations

import asyncio
import json

import click

from api import settings
from api.cli.exit_codes import ExitCode
from ledger.errors import InvalidInput
from ledger.node.authority import Erased
from ledger.types import Subject


@click.command(
    "erase",
    help="Destroy the key of one borrower's attestations. SUBJECT is the pseudonym, 64 hexadecimal digits.\n\n\b\n"
    'Examples:\n  tallystick erase 5f0c... --law "GDPR Art. 17"',
)
@click.argument("subject")
@click.option(
    "--law", required=True, help="The law under which it is done; it stands in the log, the subject does not."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def erase(subject: str, law: str, yes: bool, as_json: bool) -> int:
    """Erases and says how many attestations were closed. The exit code is 1 when there is no such subject."""
    pseudonym = _pseudonym(subject)
    if not yes:
        click.confirm("This cannot be undone. Erase?", abort=True, err=True)
    erased = asyncio.run(_erase(settings.load(), pseudonym, law))
    if as_json:
        click.echo(json.dumps({"attestations": erased.attestations, "index": erased.receipt.index, "law": law}))
    else:
        click.echo(f"{erased.attestations} attestations are closed for ever (entry {erased.receipt.index})")
    return ExitCode.OK


async def _erase(chosen: settings.Settings, subject: Subject, law: str) -> Erased:
    from api.cli.runtime import open_ledger

    async with open_ledger(chosen) as node:
        return await node.authority.erase(subject, law)


def _pseudonym(text: str) -> Subject:
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if len(data) != 32:
        raise InvalidInput("subject_malformed", "a subject's pseudonym has 64 hexadecimal digits", path="SUBJECT")
    return Subject(data)
