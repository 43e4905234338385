"""The documents say what the code does: names, numbers, links and tables are compared with it."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import click
import pytest

from api import settings
from api.auth.permissions import ROLE_PERMISSIONS, Permission, Role
from api.cli.exit_codes import MEANINGS
from api.cli.main import COMMANDS, EXPORT, IMPORT, VERSION
from ledger.attestation.registry import SPECS

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    return page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def anchors(page: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    broken = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        target = (page.parent / name) if name else page
        if "://" in link:
            continue
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_and_anchor_resolves(page: Path) -> None:
    assert broken_links(page) == []


def test_a_broken_link_and_a_broken_anchor_are_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One\n[a](page.md#one) [b](none.md) [c](#two)\n")
    assert broken_links(page) == ["none.md", "#two"]


def test_the_readme_is_under_two_hundred_lines_and_names_every_page() -> None:
    readme = text_of("README.md")
    assert len(readme.splitlines()) < 200
    pages = {f"docs/{page.name}" for page in ROOT.glob("docs/*.md")} | {
        "SECURITY.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    }
    assert sorted(name for name in pages if f"]({name})" not in readme) == []


def test_every_command_is_in_the_operating_page() -> None:
    page = text_of("docs/operating.md")
    names = {f"{group} {name}" for group, table in (("import", IMPORT), ("export", EXPORT)) for name in table.table}
    names |= COMMANDS.keys() - {"import", "export", "bench"}
    names |= {f"bench {name}" for name in _bench().commands}
    missing = [name for name in sorted(names) if f"`{name}`" not in page and f"`{name} " not in page]
    assert [name for name in missing if f"./tallystick {name}" not in page] == []


def _bench() -> click.Group:
    from benchmarks.cli import bench

    return bench


def test_every_setting_is_documented_with_its_variable_and_none_besides() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", section(text_of("docs/operating.md"), "Settings"), re.MULTILINE)
    assert rows == [(name, settings.variable_of(name)) for name in settings.NAMES]
    for name in settings.NOT_SETTINGS:
        assert f"`{settings.PREFIX}{name}`" in text_of("docs/operating.md")


def test_the_exit_codes_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", section(text_of("docs/operating.md"), "Exit codes"), re.MULTILINE)
    assert rows == [(str(code.value), meaning) for code, meaning in MEANINGS.items()]


def test_the_glossary_covers_exactly_the_kinds_and_says_who_publishes_them() -> None:
    part = section(text_of("docs/glossary.md"), "Kinds of attestations")
    assert ROW.findall(part) == sorted(SPECS)
    deployment = re.findall(r"^\| `(\w+)` \| \*deployment\*", part, re.MULTILINE)
    assert deployment == sorted(kind for kind, spec in SPECS.items() if spec.publisher == "deployment")


def test_the_glossary_covers_exactly_the_permissions_and_their_roles() -> None:
    part = section(text_of("docs/glossary.md"), "Permissions")
    rows = dict(re.findall(r"^\| `([\w:]+)` \| .+ \| (.+) \|$", part, re.MULTILINE))
    assert list(rows) == sorted(permission.value for permission in Permission)
    for permission in Permission:
        roles = {role.value for role in Role if permission in ROLE_PERMISSIONS[role]}
        assert set(rows[permission.value].split(", ")) == ({"anybody"} if "anonymous" in roles else roles), permission


def test_the_routes_in_the_interface_page_are_those_of_the_code() -> None:
    page = section(text_of("docs/api.md"), "Routes")
    sources = [*ROOT.glob("api/http/*.py"), ROOT / "api/auth/dev_issuer.py"]
    named = r'(?:Route\(|PATH: Final = )"([^"{]+)'
    routes = {path for file in sources for path in re.findall(named, file.read_text(encoding="utf-8"))}
    assert len(routes) >= 12
    assert sorted(path for path in routes if f" {path}" not in page) == []


def test_the_transition_table_is_drawn_from_the_code() -> None:
    drawing = runpy.run_path(str(ROOT / "docs/draw_lifecycle.py"))
    page = text_of("docs/loan-lifecycle.md")
    assert drawing["with_table"](page) == page
    assert "| `active` |" in page


def test_every_decision_is_a_numbered_sentence_in_the_index() -> None:
    records = sorted(ROOT.glob("docs/adr/*.md"))
    assert [file.name[:4] for file in records] == [f"{number:04}" for number in range(1, len(records) + 1)]
    index = text_of("docs/architecture.md")
    for file in records:
        text = file.read_text(encoding="utf-8")
        assert re.match(rf"# {int(file.name[:4])}\. \S+( \S+)+\n\nStatus: \w+", text), file.name
        assert all(f"\n## {part}\n" in text for part in ("Context", "Decision", "Consequences")), file.name
        assert len(text.splitlines()) <= 45, file.name
        assert f"](adr/{file.name})" in index, file.name


def test_the_changelog_begins_with_this_version() -> None:
    page = text_of("CHANGELOG.md")
    assert re.findall(r"^## (\S+?),", page, re.MULTILINE)[0] == VERSION
    assert re.findall(r"^### (.+)$", page, re.MULTILINE)[:3] == ["Safety", "Features", "Internals"]
