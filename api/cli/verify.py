"""``tallystick verify``: checks exported views, receipts and proofs with the independent verifier, offline.

The verifier is tallystick_verify.py in verifier/ with tallystick_figures.py beside it, loaded by its path: what this
command says is what those files say, and nothing of the ledger is imported to say it. What cannot be read is named on
stderr with its file. Several files end with the worst of their codes: invalid, then unreadable,
then cannot tell.

    tallystick verify view.json --trust trust.json
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import click

VERIFIER = Path(__file__).resolve().parents[2] / "verifier" / "tallystick_verify.py"
UNREADABLE = 2
_WORST_FIRST = (1, UNREADABLE, 3, 0)


def load_verifier() -> ModuleType:
    """The verifier as a module, from its file."""
    known = sys.modules.get("tallystick_verify")
    if known is not None:
        return known
    spec = importlib.util.spec_from_file_location("tallystick_verify", VERIFIER)
    if spec is None or spec.loader is None:
        raise click.ClickException(f"the verifier is missing: {VERIFIER}")
    module = importlib.util.module_from_spec(spec)
    sys.modules["tallystick_verify"] = module
    spec.loader.exec_module(module)
    return module


@click.command(
    "verify",
    help="Check exported views, receipts and proofs, offline.\n\n\b\nExamples:\n"
    "  tallystick verify view.json --trust trust.json\n  tallystick verify receipt.json proof.txt --json",
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--trust", type=click.Path(path_type=Path), help="The log's and the operator's public keys.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (a list of them for several files).")
@click.pass_context
def verify(ctx: click.Context, files: tuple[Path, ...], trust: Path | None, as_json: bool) -> None:
    """Checks each file and ends with 0 valid, 1 invalid, 2 unreadable, 3 cannot tell."""
    verifier = load_verifier()
    trusted = None if trust is None else _read(trust)
    reports = [verifier.verify_document(_read(file), trusted) for file in files]
    if as_json:
        shown = [
            {"file": str(file), **report._asdict(), "steps": [step._asdict() for step in report.steps]}
            for file, report in zip(files, reports, strict=True)
        ]
        click.echo(json.dumps(shown[0] if len(shown) == 1 else shown))
    else:
        for file, report in zip(files, reports, strict=True):
            click.echo((f"{file}\n" if len(files) > 1 else "") + verifier.text_of(report))
    for file, report in zip(files, reports, strict=True):
        if report.code == UNREADABLE:
            click.echo(verifier.unreadable(report, file, trust), err=True)
    ctx.exit(min((report.code for report in reports), key=_WORST_FIRST.index))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise click.UsageError(f"cannot read {file}: {error.strerror}") from None
