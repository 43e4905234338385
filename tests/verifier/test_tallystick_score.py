"""The offline scorer as a program: what it prints, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "verifier" / "tallystick_score.py"
CARD = ROOT / "ledger" / "risk" / "models" / "taiwan_card_v1.json"
INPUTS = {
    "limit": 50_000, **{f"delay_{month}": 2 if month == 1 else 0 for month in range(1, 7)},
    **{f"bill_{month}": 10_000 for month in range(1, 7)}, **{f"paid_{month}": 5_000 for month in range(1, 7)},
}  # fmt: skip


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    # -I: no path of ours can be imported
    return subprocess.run([sys.executable, "-I", SCRIPT, *arguments], capture_output=True, text=True, check=False)


def test_it_prints_the_score_with_the_cards_hash(tmp_path: Path) -> None:
    file = tmp_path / "inputs.json"
    file.write_text(json.dumps(INPUTS))
    ended = run(str(CARD), str(file))
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    # 680 less: arrears 47, growth 34, since then 31, one month 25, total 12, third month 11, headroom 10
    assert found == {
        "card": "851bcf65976216d928432dd3c0f12d0400f102a3b0b9849c732a754bf838f5c7", "points": 510,
        "probability_ppm": 456_786,
        "reasons": [
            {"lost": 47, "reason": "arrears_now"}, {"lost": 34, "reason": "arrears_growing"},
            {"lost": 31, "reason": "arrears_recent"}, {"lost": 25, "reason": "arrears_past"},
        ],
    }  # fmt: skip


def test_it_ends_with_two_and_says_why_when_it_cannot(tmp_path: Path) -> None:
    file = tmp_path / "inputs.json"
    for content in ("[", "{}", json.dumps(INPUTS | {"limit": 0}), json.dumps(INPUTS | {"limit": 1.5})):
        file.write_text(content)
        ended = run(str(CARD), str(file))
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr.startswith("cannot score: ")
    assert run(str(CARD)).returncode == 2
    assert run(str(file), str(file)).returncode == 2
    assert run(str(tmp_path / "none"), str(file)).returncode == 2


def test_it_imports_nothing_of_ours() -> None:
    text = SCRIPT.read_text()
    assert "import ledger" not in text
    assert "from ledger" not in text
