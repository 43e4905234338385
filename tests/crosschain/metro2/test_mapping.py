"""Records become claims that the loan's fold accepts, and claims become the same records."""

from __future__ import annotations

import io
from collections import Counter
from datetime import date
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from crosschain.metro2.codes import STATUS_CODES, STATUS_WORDS
from crosschain.metro2.layout import Form
from crosschain.metro2.mapping import Place, Restored, claims_of, last_day_of, record_of, restore
from crosschain.metro2.outline import Claim
from crosschain.metro2.reader import Line, read
from crosschain.metro2.records import Record, encode
from crosschain.metro2.rules import STATUSES, accept
from crosschain.metro2.synthetic import synthetic_records
from crosschain.metro2.values import Value, assemble, convert, segment_of
from ledger.attestation.credit_kinds import Agreement, ChargeOff, Closure, StatusSnapshot, Transfer
from ledger.attestation.envelope import Attestation, Envelope
from ledger.attestation.sharing_kinds import Dispute, Extension
from ledger.errors import InvalidInput
from ledger.loan.account import replayed
from ledger.loan.history import month_of, profile
from ledger.loan.state import LoanState
from ledger.loan.supersession import Told

PLACE = Place("7d444840-9dc0-8d1a-9d1a-5ffdce74fad2", 3)
PERSONAL = {"surname": "EXAMPLE", "first_name": "ANN", "social_security_number": "900104321", "city": "NOWHERE"}


def record(status: str = "11", history: str = "0" * 24, segments: tuple[Any, ...] = (), **values: Value) -> Record:
    base: dict[str, Value] = {
        "consumer_account_number": "A-1", "portfolio_type": "I", "account_type": "00", "ecoa_code": "1",
        "date_opened": date(2016, 5, 2), "highest_credit": 20189, "terms_duration": "072", "terms_frequency": "M",
        "account_status": status, "payment_history_profile": history, "current_balance": 5069,
        "date_of_account_information": date(2019, 1, 31),
    }  # fmt: skip
    return assemble(segment_of("base", base | values), segments)


def claimed(made: Record, **options: Any) -> tuple[Claim, ...]:
    return claims_of(made, PLACE, seller="acacia", **options)


def folded(claims: tuple[Claim, ...]) -> LoanState:
    """The loan after these claims, as the ledger takes them in."""
    chain = []
    for number, (kind, day, role, body) in enumerate(claims):
        about = {"kind": kind, "effective_date": day, "role": role, "subject": b"s" * 32}
        envelope = SimpleNamespace(**about, id=UUID(int=number), refs=())
        chain.append(Told(number, Attestation(cast(Envelope, envelope), body, b"", b"")))
    return replayed(chain)


def body_of(claims: tuple[Claim, ...], kind: str) -> Any:
    return next(claim.body for claim in claims if claim.kind == kind)


def test_every_status_of_the_standard_has_a_word_that_leads_back_to_it() -> None:
    assert set(STATUS_WORDS) == STATUSES
    for code, (word, days) in STATUS_WORDS.items():
        assert STATUS_CODES[word, days if word == "past_due" else None] == code


def test_all_records_of_the_public_file_come_back_and_fold_to_their_own_history(main_bytes: bytes) -> None:
    lines = [item for item in read(io.BytesIO(main_bytes)) if isinstance(item, Line)]
    kinds: Counter[str] = Counter()
    for line in lines:
        place = Place(PLACE.import_id, line.line, line.ending)
        parties = [b"p" * 32] * len(line.record.segments)
        claims = claims_of(line.record, place, seller="acacia", parties=parties)
        kinds.update(claim.kind for claim in claims)
        assert restore(claims) == Restored(place, line.record)
        state = folded(claims)
        stated = line.record.base.text_of("payment_history_profile")
        assert profile(state.grid_newest, state.grid, month_of(cast(date, state.as_of))) == stated
    assert len(lines) == 1997
    assert kinds == {
        "agreement": 1997, "status_snapshot": 49_851, "charge_off": 1258, "dispute": 10, "closure": 393,
        "extension": 1997,
    }  # fmt: skip


@pytest.mark.parametrize("form", [Form.CHARACTER, Form.PACKED])
def test_invented_records_come_back_in_both_forms_and_fold_to_their_own_history(form: Form) -> None:
    for invented in synthetic_records(accounts=600, seed=5, as_of=date(2026, 1, 31)):
        made = convert(invented, form)
        claims = claimed(made)
        assert encode(record_of(claims)) == encode(made)
        state = folded(claims)
        stated = made.base.text_of("payment_history_profile")
        assert profile(state.grid_newest, state.grid, month_of(cast(date, state.as_of))) == stated


def test_next_months_file_folds_on_top_of_this_months_whatever_the_status() -> None:
    for invented in synthetic_records(accounts=400, seed=5, as_of=date(2026, 1, 31)):
        claims = claimed(invented)
        once, twice = folded(claims), folded(claims * 2)
        assert (twice.stage, twice.closed, twice.grid) == (once.stage, once.closed, once.grid)


def test_a_current_loan_is_agreement_history_snapshot_and_extension_in_this_order() -> None:
    claims = claimed(record(scheduled_monthly_payment=339, actual_payment=400))
    assert [claim.kind for claim in claims] == ["agreement", *["status_snapshot"] * 25, "extension"]
    assert claims[0][1:] == (
        date(2016, 5, 2),
        "borrower",
        Agreement(
            collateral=True, currency="USD", frequency="monthly", instalments=72, portfolio_type="instalment",
            principal=2_018_900, product="auto",
        ),
    )  # fmt: skip
    assert claims[1][1:] == (date(2017, 1, 31), "borrower", StatusSnapshot(currency="USD", history_code="0"))
    assert claims[24].effective_date == date(2018, 12, 31)
    assert claims[25][1:] == (
        date(2019, 1, 31),
        "borrower",
        StatusSnapshot(
            balance=506_900, currency="USD", dpd=0, paid=40_000, past_due=0, scheduled=33_900, status="current"
        ),
    )


@pytest.mark.parametrize(
    ("stated", "published"),
    [("012" + "B" * 21, 3), ("B" * 24, 0), ("B0" + "B" * 22, 2), ("0BB1" + "B" * 20, 4), ("D" * 24, 24)],
)
def test_months_before_the_history_are_not_published_and_gaps_are(stated: str, published: int) -> None:
    claims = claimed(record(history=stated))
    assert sum(claim.kind == "status_snapshot" for claim in claims) == published + 1
    state = folded(claims)
    assert profile(state.grid_newest, state.grid, month_of(date(2019, 1, 31))) == stated
    assert "base.payment_history_profile" not in body_of(claims, "extension").fields


@pytest.mark.parametrize(("status", "days"), [("11", 0), ("71", 30), ("78", 60), ("80", 90), ("82", 120), ("84", 180)])
def test_a_delinquent_status_claims_the_fewest_days_that_it_allows(status: str, days: int) -> None:
    claims = claimed(record(status))
    assert claims[25].body == StatusSnapshot(
        balance=506_900, currency="USD", dpd=days, paid=0, past_due=0, scheduled=0,
        status="past_due" if days else "current",
    )  # fmt: skip
    assert encode(record_of(claims)) == encode(record(status))


@pytest.mark.parametrize(
    ("history", "since"),
    [
        ("LLL" + "0" * 21, date(2018, 10, 31)),
        ("DDL" + "0" * 21, date(2018, 10, 31)),
        ("6LL" + "0" * 21, date(2019, 1, 31)),
        ("L" * 24, date(2017, 1, 31)),
    ],
)
def test_a_charge_off_is_dated_no_later_than_the_history_shows_it(history: str, since: date) -> None:
    first = date(2018, 2, 1)
    made = record("97", history, original_chargeoff_amount=16_813, date_of_first_delinquency=first)
    claims = claimed(made)
    assert claims[-2] == Claim(
        "charge_off", since, "borrower",
        ChargeOff(amount=1_681_300, currency="USD", first_delinquency=first, original_amount=1_681_300),
    )  # fmt: skip
    state = folded(claims)
    assert (state.charged_off, state.first_delinquency) == (since, first)


@pytest.mark.parametrize(
    ("status", "comment", "cause"),
    [
        ("13", "", "paid"),
        ("64", "", "paid"),
        ("62", "AU", "settled_short"),
        ("DF", "", "fraud"),
        ("05", "", "transferred"),
    ],
)
def test_an_account_that_ended_is_closed_on_its_closing_date(status: str, comment: str, cause: Any) -> None:
    closed = date(2018, 12, 7)
    claims = claimed(record(status, special_comment=comment, date_closed=closed, current_balance=0))
    assert claims[-2] == Claim("closure", closed, "borrower", Closure(cause=cause))
    assert folded(claims).closed == closed
    undated = claimed(record(status, special_comment=comment))
    assert undated[-2].effective_date == date(2019, 1, 31)
    assert encode(record_of(undated)) == encode(record(status, special_comment=comment))


@pytest.mark.parametrize("owed", [0, 12])
def test_the_file_of_the_month_in_which_a_loan_was_paid_leaves_what_its_books_say(owed: int) -> None:
    january = claimed(record(current_balance=100, date_of_account_information=date(2025, 12, 31)))
    ended = {"date_closed": date(2026, 1, 20), "date_of_account_information": date(2026, 1, 31)}
    february = claimed(record("13", current_balance=owed, amount_past_due=0, **ended))
    assert [claim.kind for claim in february[-3:]] == ["status_snapshot", "closure", "extension"]
    state = folded(january + february)
    assert (state.stage, state.balance) == (("active", owed * 100) if owed else ("paid", 0))
    assert state.closed == (None if owed else date(2026, 1, 20))
    assert folded(january + february + february).balance == state.balance


def test_a_sold_account_names_its_buyer_and_seller() -> None:
    sold = segment_of("K2", {"portfolio_indicator": "2", "purchased_or_sold_name": "SECOND LENDER"})
    claims = claimed(record("05", segments=(sold,), payment_rating="1"))
    assert claims[-2].body == Transfer(balance=506_900, buyer="SECOND LENDER", currency="USD", seller="acacia")
    assert claims[-3].body.dpd == 30  # type: ignore[attr-defined]
    extension = body_of(claims, "extension").fields
    assert [name for name in extension if name.startswith("k2.")] == []
    assert encode(record_of(claims)) == encode(record("05", segments=(sold,), payment_rating="1"))


@pytest.mark.parametrize(
    ("code", "state", "disputed"),
    [
        ("XB", "opened", True),
        ("XF", "opened", True),
        ("XC", "verified", False),
        ("XH", "verified", False),
        ("XR", "withdrawn", False),
    ],
)
def test_a_compliance_condition_opens_or_settles_a_dispute(code: str, state: Any, disputed: bool) -> None:
    claims = claimed(record(compliance_condition_code=code))
    assert claims[-2].body == Dispute(claim="account_information", compliance_code=code, state=state)
    assert folded(claims).disputed is disputed


def test_a_code_that_tells_of_no_dispute_stays_in_the_extension() -> None:
    claims = claimed(record(compliance_condition_code="XA"))
    assert [claim.kind for claim in claims[-2:]] == ["status_snapshot", "extension"]
    assert body_of(claims, "extension").fields["base.compliance_condition_code"] == "XA"


def test_joint_holders_are_parties_of_the_agreement_with_their_roles() -> None:
    others = (segment_of("J1", {"ecoa_code": "5"}), segment_of("J2", {"ecoa_code": "X"}))
    made = record(segments=others, ecoa_code="2")
    claims = claimed(made, parties=[b"1" * 32, b"2" * 32])
    assert [(party.role, party.subject) for party in body_of(claims, "agreement").parties] == [
        ("guarantor", b"1" * 32),
        ("deceased", b"2" * 32),
    ]
    assert {claim.role for claim in claims} == {"joint_contractual"}
    assert "j1.1.ecoa_code" not in body_of(claims, "extension").fields
    assert encode(record_of(claims)) == encode(made)


def test_a_party_that_names_nobody_is_left_out_and_the_record_still_comes_back() -> None:
    made = record(segments=(segment_of("J1", {"ecoa_code": "5"}), segment_of("J2", {"ecoa_code": "X"})))
    claims = claimed(made, parties=[None, b"2" * 32])
    assert [party.role for party in body_of(claims, "agreement").parties] == ["deceased"]
    assert encode(record_of(claims)) == encode(made)


def test_what_points_to_a_person_stands_in_the_extension_alone() -> None:
    claims = claimed(record(**PERSONAL))
    for value in [*PERSONAL.values(), "A-1"]:
        assert str(value) not in repr(claims[:-1])
        assert str(value) in repr(claims[-1])


def test_the_extension_keeps_only_what_the_other_claims_do_not_say() -> None:
    assert body_of(claimed(record()), "extension") == Extension(
        fields={"form": "character", "import": PLACE.import_id, "line": "3", "base.consumer_account_number": "A-1"},
        namespace="metro2",
        version=1,
    )


@pytest.mark.parametrize(
    ("place", "length", "text"),
    [
        ("current_balance", 9, "-99999999"),
        ("amount_past_due", 9, " " * 9),
        ("date_opened", 8, " " * 8),
        ("time_stamp", 14, " " * 14),
    ],
)
def test_negative_and_blank_fields_come_back_as_they_stood(place: str, length: int, text: str) -> None:
    base = record().base
    fields = tuple(text if name == place else stood for name, stood in base.as_dict().items())
    made = Record(Form.CHARACTER, "", base._replace(fields=fields), (), "")
    assert len(text) == length
    assert encode(record_of(claimed(made))) == encode(made)
    folded(claimed(made))


def test_padding_block_and_line_end_come_back() -> None:
    line = b"0430" + encode(record()) + b"    "
    made = accept(line)
    restored = restore(claims_of(made, Place("x", 9, b"\r\n"), seller="acacia"))
    assert (restored.place.ending, encode(restored.record)) == (b"\r\n", line)


def test_a_record_with_too_many_fields_keeps_its_segments_whole() -> None:
    named = {"surname": "EXAMPLE", "first_name": "ANN", "middle_name": "B", "generation_code": "J", "city": "NOWHERE",
             "state": "ZZ", "address_line_1": "1 ROAD", "telephone_number": "5555550100",
             "postal_code": "00001", "ecoa_code": "2", "country_code": "US", "residence_code": "O"}  # fmt: skip
    made = record(segments=(segment_of("J2", named),) * 47)
    claims = claimed(made, parties=[b"1" * 32] * 47)
    extension = body_of(claims, "extension")
    assert (len(body_of(claims, "agreement").parties), len(extension.fields) <= 480) == (32, True)
    assert extension.fields["j2.47"].startswith("J2 EXAMPLE")
    assert encode(record_of(claims)) == encode(made)


def test_a_date_that_leaves_no_room_for_a_history_is_not_mappable() -> None:
    with pytest.raises(InvalidInput) as refused:
        claimed(record(date_of_account_information=date(3, 1, 1)))
    assert (refused.value.code, refused.value.path) == ("not_mappable", "base.date_of_account_information")


@pytest.mark.parametrize("spoilt", [{"form": "other"}, {"line": "x"}, {"segments": "Q9"}, {"ending": "cr"}])
def test_a_spoilt_extension_is_refused(spoilt: dict[str, str]) -> None:
    claims = claimed(record())
    fields = body_of(claims, "extension").fields | spoilt
    changed = claims[-1]._replace(body=Extension(fields=fields, namespace="metro2", version=1))
    with pytest.raises(InvalidInput) as refused:
        record_of((*claims[:-1], changed))
    assert refused.value.code == "extension_invalid"


def test_claims_without_their_extension_are_refused() -> None:
    for claims in ((), claimed(record())[:-1]):
        with pytest.raises(InvalidInput) as refused:
            record_of(claims)
        assert refused.value.code == "claims_incomplete"


@pytest.mark.parametrize(("month", "last"), [((2019, 12), 31), ((2020, 2), 29), ((2019, 2), 28), ((2019, 1), 31)])
def test_the_last_day_of_a_month(month: tuple[int, int], last: int) -> None:
    assert last_day_of(month[0] * 12 + month[1] - 1) == date(*month, last)
