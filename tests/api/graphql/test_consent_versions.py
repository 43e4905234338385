"""A consent whose terms change: version after version, through GraphQL, with what both sides see of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from api.auth.permissions import Role
from api.cli.verify import load_verifier
from ledger.types import UnixMillis
from tests.api.graphql.test_consents import PERSON, granted, lend, subject
from tests.support import documents as docs
from tests.support.ledgers import SOURCES
from tests.support.served import Application

VERSIONS = """
query ($id: ID!) {
  consent(id: $id) {
    consent version supersedes state detail requested { version state detail }
    versions { version supersedes state detail }
  }
}"""


@dataclass
class Life:
    """One consent between fintech and a borrower, version 1 granted."""

    application: Application
    id: str
    consent: str

    async def seen(self, who: dict[str, str] | None = None) -> dict[str, Any]:
        """What its consumer, or somebody else, sees of it."""
        found = await self.application.data(VERSIONS, who or self.application.app(), id=self.id)
        told: dict[str, Any] = found["consent"]
        return told

    async def ask(self, person: str = PERSON, who: dict[str, str] | None = None, **rest: Any) -> dict[str, Any]:
        """The payload of a request for new terms: SUMMARY instead of TRANSACTIONS."""
        asked = docs.request(person, **({"replaces": self.consent, "detail": "SUMMARY"} | rest))
        found = await self.application.data(docs.REQUEST, who or self.application.app(), input=asked)
        told: dict[str, Any] = found["consentRequest"]
        return told

    async def step(self, name: str) -> dict[str, Any]:
        """The payload of a borrower's step."""
        who = self.application.borrower(subject(self.application))
        found = await self.application.data(docs.stepping(name), who, input=docs.step(self.id))
        told: dict[str, Any] = found[name]
        return told

    async def view(self) -> dict[str, Any]:
        """The payload of a read with its bundle."""
        found = await self.application.data(docs.VIEW, self.application.app(), consent=self.id, bundle=True)
        told: dict[str, Any] = found["creditView"]
        return told

    async def detail_read(self) -> str:
        """The detail of a read that verifies offline."""
        view = (await self.view())["view"]
        report = load_verifier().verify_document(view["bundle"].encode(), self.application.node.trust())
        assert (report.code, [step.name for step in report.steps if not step.ok]) == (0, [])
        detail: str = view["detail"]
        return detail


@pytest.fixture
async def life(application: Application) -> Life:
    """A loan, and a consent to see its transactions."""
    await lend(application, "acacia", "A-1")
    consent = await granted(application)
    found = await application.data(VERSIONS, application.app(), id=consent)
    return Life(application, consent, found["consent"]["consent"])


def reasons(payload: dict[str, Any]) -> list[str]:
    return [error["reason"] for error in payload["errors"]]


async def test_reads_go_on_under_the_old_terms_until_the_new_ones_are_granted(life: Life) -> None:
    asked = await life.ask()
    assert (asked["errors"], asked["consent"]["id"], asked["consent"]["state"]) == ([], life.id, "ACTIVE")
    for who in (life.application.app(), life.application.borrower(subject(life.application))):
        assert await life.seen(who) == {
            "consent": life.consent, "version": 1, "supersedes": None, "state": "ACTIVE", "detail": "TRANSACTIONS",
            "requested": {"version": 2, "state": "REQUESTED", "detail": "SUMMARY"},
            "versions": [
                {"version": 2, "supersedes": 1, "state": "REQUESTED", "detail": "SUMMARY"},
                {"version": 1, "supersedes": None, "state": "ACTIVE", "detail": "TRANSACTIONS"},
            ],
        }  # fmt: skip
    assert await life.detail_read() == "TRANSACTIONS"
    assert (await life.step("consentGrant"))["consent"]["version"] == 2
    seen = await life.seen()
    assert (seen["version"], seen["supersedes"], seen["state"], seen["requested"]) == (2, 1, "ACTIVE", None)
    assert [each["state"] for each in seen["versions"]] == ["ACTIVE", "SUPERSEDED"]
    assert await life.detail_read() == "SUMMARY"


async def test_rejected_terms_leave_the_old_ones_and_the_next_request_counts_on(life: Life) -> None:
    await life.ask()
    assert (await life.step("consentReject"))["consent"]["state"] == "ACTIVE"
    assert await life.detail_read() == "TRANSACTIONS"
    assert (await life.ask(detail="PROFILE"))["errors"] == []
    await life.step("consentGrant")
    seen = await life.seen()
    assert [(each["version"], each["supersedes"], each["state"]) for each in seen["versions"]] == [
        (3, 1, "ACTIVE"), (2, 1, "REJECTED"), (1, None, "SUPERSEDED"),
    ]  # fmt: skip
    assert await life.detail_read() == "PROFILE"


async def test_pausing_and_resuming_are_about_the_terms_in_force(life: Life) -> None:
    await life.ask()
    assert (await life.step("consentPause"))["consent"]["state"] == "PAUSED"
    assert reasons(await life.view()) == ["consent_paused"]
    assert (await life.step("consentResume"))["consent"]["state"] == "ACTIVE"
    assert (await life.seen())["requested"]["version"] == 2
    assert await life.detail_read() == "TRANSACTIONS"


async def test_granting_ends_a_paused_version_too(life: Life) -> None:
    await life.step("consentPause")
    assert (await life.ask())["errors"] == []
    await life.step("consentGrant")
    assert [each["state"] for each in (await life.seen())["versions"]] == ["ACTIVE", "SUPERSEDED"]
    assert await life.detail_read() == "SUMMARY"


async def test_revoking_leaves_nothing_to_grant(life: Life) -> None:
    await life.ask()
    assert (await life.step("consentRevoke"))["consent"]["state"] == "REVOKED"
    seen = await life.seen()
    assert [(each["version"], each["state"]) for each in seen["versions"]] == [(2, "REJECTED"), (1, "REVOKED")]
    size = await life.application.size()
    assert reasons(await life.step("consentGrant")) == ["consent_step_refused"]
    assert reasons(await life.view()) == ["consent_revoked"]
    assert reasons(await life.ask()) == ["consent_not_in_force"]
    assert await life.application.size() == size


async def test_only_its_own_consent_of_the_same_borrower_and_one_version_at_a_time(life: Life) -> None:
    size = await life.application.size()
    assert reasons(await life.ask("KE-2")) == ["consent_not_in_force"]
    assert reasons(await life.ask(replaces="01890a5d-ac96-774b-bcce-b302099a8057")) == ["consent_unknown"]
    assert reasons(await life.ask(who=life.application.headers("baobab", Role.APP))) == ["consent_unknown"]
    assert await life.application.size() == size
    assert (await life.ask())["errors"] == []
    again = await life.ask()
    assert (again["errors"][0]["code"], again["errors"][0]["reason"]) == ("CONFLICT", "consent_pending")
    assert await life.application.size() == size + 1


async def test_a_consent_past_its_time_is_expired_to_both_sides_and_reads_nothing(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = life.application
    await life.ask()
    who = (application.app(), application.borrower(subject(application)))
    later = UnixMillis(1_893_456_000_000)  # 2030-01-01, when the terms of docs.request end
    assert SOURCES.now() < later
    monkeypatch.setitem(vars(application.node.sources), "now", lambda: later)  # the verifier of tokens keeps its own
    size = await application.size()
    for each in who:
        seen = await life.seen(each)
        assert (seen["state"], [version["state"] for version in seen["versions"]]) == ("EXPIRED", ["EXPIRED"] * 2)
        listed = await application.data("{ consents(first: 5) { nodes { id state } } }", each)
        assert listed["consents"]["nodes"] == [{"id": life.id, "state": "EXPIRED"}]
    assert reasons(await life.view()) == ["consent_expired"]
    assert reasons(await life.step("consentGrant")) == ["consent_step_refused"]
    assert await application.size() == size


async def test_a_page_counts_consents_not_versions(life: Life) -> None:
    await life.ask()
    await life.step("consentGrant")
    await granted(life.application)
    page = "nodes { id } pageInfo { hasNextPage endCursor }"
    document = f"query ($after: String) {{ consents(first: 1, after: $after) {{ {page} }} }}"
    first = (await life.application.data(document, life.application.app()))["consents"]
    end = first["pageInfo"]["endCursor"]
    second = (await life.application.data(document, life.application.app(), after=end))["consents"]
    assert first["pageInfo"]["hasNextPage"] and not second["pageInfo"]["hasNextPage"]
    assert second["nodes"] == [{"id": life.id}]
    assert first["nodes"] != second["nodes"]
