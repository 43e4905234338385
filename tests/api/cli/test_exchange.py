"""A lender's two commands against a server that loses requests, loses answers, refuses one loan, and restarts."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.cli import exchange, main
from api.cli.exchange_runs import begin, export_file, import_file, import_id_of, survey
from api.cli.ledger_client import ATTEMPTS, Credentials
from crosschain.metro2.synthetic import write_synthetic
from ledger.attestation.batch import open_batch
from ledger.attestation.keys import KeyHistory, PrivateKey, PublicKey
from ledger.base64_strict import encode_standard
from ledger.errors import InvalidInput, NotFound, Refused, Unavailable, Untrusted
from ledger.subject.pseudonym import KeyedPseudonyms
from ledger.types import UnixMillis

KEY = PrivateKey.from_random("EdDSA", bytes(range(32)))
ORIGIN = "tally.example/one"
STARTED = 1_769_904_000_000
GIVEN = {
    "tenant": "acacia", "ledger": ORIGIN, "url": "http://ledger.test", "jwk": KEY.private_jwk(),
    "accountSalt": encode_standard(b"s" * 32), "token": "secret-token",
}  # fmt: skip
LENDER = Credentials.from_json(json.dumps(GIVEN))
AS_OF = date(2026, 1, 31)


class FakeLedger:
    """Serves the three routes from memory. `lost` requests never arrive; `silent` ones are done and not answered."""

    def __init__(self) -> None:
        self.entries: dict[str, tuple[bytes, bytes]] = {}
        self.lost: list[int] = []
        self.silent: list[int] = []
        self.busy: list[int] = []
        self.refused_account: bytes = b""
        self.code = "transition_refused"
        self.requests = 0
        self.keys = KeyHistory([PublicKey(KEY.kid, KEY.alg, KEY.raw, UnixMillis(0))])

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self.answer))

    def lines(self) -> list[bytes]:
        return [line for _, body in self.entries.values() for line in body.splitlines()]

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        assert request.headers["authorization"] == "Bearer secret-token"
        if self.requests in self.lost:
            raise httpx.ConnectError("lost")
        if self.requests in self.busy:
            return httpx.Response(503, headers={"retry-after": "2"}, json={"code": "queue_full"})
        routes = {"/v1/batches": self._publish, "/v1/subjects": self._subjects, "/v1/attestations": self._list}
        done = routes[request.url.path](request)
        if self.requests in self.silent:
            raise httpx.ReadError("the answer is lost")
        return done

    def _publish(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["content-type"] == "application/x-ndjson"
        token = request.headers["tallystick-statement"].encode()
        batch = open_batch(token, request.content, self.keys, origin=ORIGIN, now=UnixMillis(STARTED + 60_000))
        if any(attestation.envelope.account == self.refused_account for attestation in batch.attestations):
            return httpx.Response(403, json={"code": self.code, "detail": "refused"})
        identity = str(batch.statement.batch)
        known = self.entries.get(identity)
        if known is not None and known[0] != token:
            return httpx.Response(409, json={"code": "batch_differs", "detail": "another batch has this id"})
        self.entries.setdefault(identity, (token, request.content))
        told = {"index": list(self.entries).index(identity), "batch": identity, "count": batch.statement.count}
        return httpx.Response(200, json=told | {"duplicate": known is not None})

    def _subjects(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)["identifiers"]
        made = [hashlib.sha256(json.dumps(entry).encode()).digest() for entry in asked]
        return httpx.Response(200, json={"subjects": [encode_standard(subject) for subject in made]})

    def _list(self, request: httpx.Request) -> httpx.Response:
        start, size = int(request.url.params.get("after", 0)), 1_000
        lines = self.lines()
        headers = {"tallystick-next": str(start + size)} if start + size < len(lines) else {}
        return httpx.Response(
            200, content=b"".join(line + b"\n" for line in lines[start : start + size]), headers=headers
        )


class Clock:
    """Counts the seconds that were slept, and sleeps none of them."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture(scope="module")
def data() -> bytes:
    out = io.BytesIO()
    write_synthetic(out, accounts=90, seed=4, as_of=AS_OF)
    return out.getvalue()


@pytest.fixture
def original(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "accounts.txt"
    path.write_bytes(data)
    return path


async def published(ledger: FakeLedger, path: Path, clock: Clock | None = None, **options: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"as_of": AS_OF, "started_ms": STARTED, "batch_size": 512, "sleep": clock or Clock()}
    async with ledger.client() as client:
        return await import_file(path, LENDER, client=client, **given | options)


async def written(ledger: FakeLedger, out: Path, **options: Any) -> dict[str, Any]:
    async with ledger.client() as client:
        return await export_file([LENDER], out=out, created=AS_OF, client=client, sleep=Clock(), **options)


def contents(path: Path) -> bytes:
    return path.read_bytes()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_what_is_imported_is_exported_byte_for_byte(original: Path, tmp_path: Path) -> None:
    ledger, out = FakeLedger(), tmp_path / "out.txt"
    report = await published(ledger, original)
    assert (report["records_in"], report["records_published"], report["rejected_count"]) == (90, 90, 0)
    assert report["attestations"] == len(ledger.lines()) and report["batches"] == len(ledger.entries) == 5
    compared = await written(ledger, out, compare_with=original, header_of=original)
    assert [compared[name] for name in ("export_identical", "differing", "missing", "extra")] == [90, 0, 0, 0]
    assert contents(out) == contents(original)
    assert out.stat().st_mode & 0o777 == 0o600
    assert names_in(tmp_path) == ["accounts.txt", "out.txt"]


@pytest.mark.parametrize("fault", ["lost", "silent", "busy"])
async def test_a_request_or_an_answer_that_is_lost_costs_only_another_attempt(original: Path, fault: str) -> None:
    calm, stormy, clock = FakeLedger(), FakeLedger(), Clock()
    await published(calm, original)
    setattr(stormy, fault, [1, 3, 4, 6])
    report = await published(stormy, original, clock)
    assert stormy.entries == calm.entries
    assert (report["retries"], report["duplicates"] > 0) == (4, fault == "silent")
    assert (clock.slept == [2.0] * 4) is (fault == "busy")


async def test_a_server_that_never_answers_is_given_up_after_all_attempts(original: Path) -> None:
    ledger, clock = FakeLedger(), Clock()
    ledger.lost = list(range(1, 100))
    with pytest.raises(Unavailable) as refused:
        await published(ledger, original, clock)
    assert (refused.value.code, ledger.requests) == ("ledger_unreachable", ATTEMPTS)
    assert clock.slept == sorted(clock.slept) and clock.slept[-1] == 10.0


async def test_an_import_that_was_stopped_goes_on_and_publishes_nothing_twice(original: Path, tmp_path: Path) -> None:
    calm, ledger, journal = FakeLedger(), FakeLedger(), tmp_path / "imports"
    await published(calm, original)
    ledger.lost = list(range(4, 200))
    with pytest.raises(Unavailable):
        await published(ledger, original, journal=journal)
    stopped = len(ledger.entries)
    assert 0 < stopped < 5
    ledger.lost = []
    report = await published(ledger, original, journal=journal, started_ms=STARTED + 3_600_000, batch_size=4_096)
    assert ledger.entries == calm.entries
    assert (report["duplicates"], report["batches"]) == (stopped, 5)


async def test_a_loan_that_the_ledger_refuses_is_a_reject_and_all_others_are_published(
    original: Path, tmp_path: Path
) -> None:
    ledger, rejects = FakeLedger(), tmp_path / "rejects.ndjson"
    ledger.refused_account = KeyedPseudonyms(b"s" * 32).account("acacia", "SYN000000000041")
    report = await published(ledger, original, rejects=rejects)
    (told,) = [json.loads(line) for line in contents(rejects).splitlines()]
    assert (told["line"], told["rule"], told["field"]) == (43, "transition_refused", "record")
    assert base64.b64decode(told["raw"]) == contents(original).split(b"\n")[42]
    assert (report["records_in"], report["records_published"], report["rejected_count"]) == (90, 89, 1)
    assert report["attestations"] == len(ledger.lines())
    compared = await written(ledger, tmp_path / "out.txt", compare_with=original)
    assert (compared["export_identical"], compared["missing"]) == (89, 1)


async def test_any_other_refusal_ends_the_import_with_its_own_code(original: Path) -> None:
    ledger = FakeLedger()
    ledger.refused_account = KeyedPseudonyms(b"s" * 32).account("acacia", "SYN000000000041")
    ledger.code = "permission_missing"
    with pytest.raises(Refused) as refused:
        await published(ledger, original)
    assert refused.value.code == "permission_missing"


async def test_an_answer_about_another_batch_is_not_believed(original: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = FakeLedger()
    monkeypatch.setattr(ledger, "_publish", lambda request: httpx.Response(200, json={"batch": "x", "count": 1}))
    with pytest.raises(Untrusted) as refused:
        await published(ledger, original)
    assert refused.value.code == "answer_differs"


async def test_progress_reaches_the_last_record_and_knows_the_whole(original: Path, data: bytes) -> None:
    told: list[tuple[int, int]] = []
    await published(FakeLedger(), original, progress=lambda done, total: told.append((done, total)))
    assert {total for _, total in told} == {len(data)}
    assert max(done for done, _ in told) == data.rindex(b"\n", 0, -1)


async def test_an_export_of_nothing_leaves_no_file(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    with pytest.raises(NotFound):
        await written(FakeLedger(), out)
    assert names_in(tmp_path) == []


def test_an_import_is_known_by_its_content_date_and_rule(original: Path, tmp_path: Path, data: bytes) -> None:
    zipped = tmp_path / "accounts.zip"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("accounts.txt", data)
    assert survey(zipped) == survey(original) == (hashlib.sha256(data).digest(), len(data), 92)
    ids = {import_id_of(survey(path).digest, AS_OF, "national-id") for path in (zipped, original)}
    other = {import_id_of(b"x" * 32, AS_OF, "national-id"), import_id_of(b"x" * 32, AS_OF, "assigned")}
    assert (len(ids), len(other), {each.version for each in ids | other}) == (1, 2, {8})


def test_the_journal_keeps_the_first_run_for_each_ledger(tmp_path: Path) -> None:
    which = import_id_of(b"x" * 32, AS_OF, "national-id")
    elsewhere = Credentials.from_json(json.dumps(GIVEN | {"ledger": "tally.example/two"}))
    assert begin(tmp_path, LENDER, which, now_ms=5, batch_size=64) == (5, 64)
    assert begin(tmp_path, LENDER, which, now_ms=9, batch_size=128) == (5, 64)
    assert begin(tmp_path, elsewhere, which, now_ms=9, batch_size=128) == (9, 128)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"accountSalt": "AAAA"}, "credentials_malformed"),
        ({"accountSalt": 5}, "credentials_malformed"),
        ({"jwk": 5}, "credentials_malformed"),
        ({"jwk": {"kty": "RSA"}}, "jwk_invalid"),
    ],
)
def test_credentials_that_cannot_serve_are_refused(change: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Credentials.from_json(json.dumps(GIVEN | change))
    assert refused.value.code == code
    assert "secret-token" not in str(refused.value)


def test_credentials_that_others_may_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "acacia.json"
    path.write_text(json.dumps(GIVEN))
    path.chmod(0o640)
    with pytest.raises(InvalidInput) as refused:
        Credentials.load(path)
    assert refused.value.code == "credentials_exposed"
    path.chmod(0o600)
    assert Credentials.load(path).tenant == "acacia"
    assert "secret-token" not in repr(Credentials.load(path)) and "ssss" not in repr(Credentials.load(path))


# -- the command line ---------------------------------------------------------------------------------------------


@pytest.fixture
def wired(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[FakeLedger, Path]:
    """The commands against a fake ledger: its state, and a credentials file."""
    ledger = FakeLedger()

    async def through(function: Any, *arguments: Any, **options: Any) -> Any:
        if function is import_file:  # the journal's time is the fake's
            options |= {"journal": None, "started_ms": STARTED}
        async with ledger.client() as client:
            return await function(*arguments, client=client, **options)

    monkeypatch.setattr(exchange, "import_file", lambda *a, **o: through(import_file, *a, **o))
    monkeypatch.setattr(exchange, "export_file", lambda *a, **o: through(export_file, *a, **o))
    path = tmp_path / "acacia.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(GIVEN))
    return ledger, path


def test_the_commands_import_and_export_and_say_so_in_json(
    wired: tuple[FakeLedger, Path], original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    credentials, out = str(wired[1]), str(tmp_path / "out.txt")
    bring = ["import", "metro2", str(original), "--as-of", "2026-01-31", "--credentials", credentials, "--json"]
    assert main.run(bring) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["records_published"], report["as_of"], report["subject_rule"]) == (90, "2026-01-31", "national-id")
    take = ["export", "metro2", "--credentials", credentials, "--out", out, "--compare", str(original), "--json"]
    assert main.run(take) == 0
    assert json.loads(capsys.readouterr().out)["export_identical"] == 90


def test_an_export_that_differs_ends_with_one(
    wired: tuple[FakeLedger, Path], original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    credentials = str(wired[1])
    assert main.run(["import", "metro2", str(original), "--as-of", "2026-01-31", "--credentials", credentials]) == 0
    shown = capsys.readouterr()
    assert "records published" in shown.out and "90" in shown.out
    changed = tmp_path / "changed.txt"
    changed.write_bytes(original.read_bytes().replace(b"SYN000000000041", b"SYN999999999941"))
    out = str(tmp_path / "out.txt")
    assert main.run(["export", "metro2", "--credentials", credentials, "--out", out, "--compare", str(changed)]) == 1
    assert "differing" in capsys.readouterr().out


def test_the_assigned_rule_says_that_borrowers_are_invented(
    wired: tuple[FakeLedger, Path], original: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bring = ["import", "metro2", str(original), "--as-of", "2026-01-31", "--credentials", str(wired[1])]
    assert main.run([*bring, "--subject-rule", "assigned"]) == 0
    assert "dealt to 30 invented borrowers" in capsys.readouterr().err


def test_a_missing_credentials_member_is_a_usage_fault_in_json(
    wired: tuple[FakeLedger, Path], original: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wired[1].write_text("{}")
    bring = ["import", "metro2", str(original), "--as-of", "2026-01-31", "--credentials", str(wired[1]), "--json"]
    assert main.run(bring) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "credentials_malformed"
