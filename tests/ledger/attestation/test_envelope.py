"""One attestation: strict bytes in, the same bytes out."""

from __future__ import annotations

import json
import random
import time
from hashlib import sha256

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.attestation.credit_kinds import Repayment
from ledger.attestation.envelope import (
    Attestation,
    commitment_of,
    compose,
    encode_body,
    encode_envelope,
    parse,
    parse_lines,
)
from ledger.attestation.registry import SPECS
from ledger.attestation.sharing_kinds import Extension, Statement
from ledger.errors import InvalidInput
from ledger.limits import ATTESTATION_BYTES_MAX
from tests.support.every_kind import BODIES, HASH, ID, OTHER_ID, envelope_fields

LINE = compose(envelope_fields("repayment"), BODIES["repayment"]).data
ACCOUNT = b"Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA="
SALT = b"AAAAAAAAAAAAAAAAAAAAAA=="
REFUSED_WITHIN_S = 0.05


def spoiled(old: bytes | str, new: bytes | str, line: bytes = LINE) -> bytes:
    """The line with one place changed; the place has to be there."""
    before, after = (part.encode() if isinstance(part, str) else part for part in (old, new))
    assert line.count(before) >= 1
    return line.replace(before, after, 1)


def refusal(line: bytes) -> tuple[str, str | None]:
    """Code and path of a refusal, which has to come soon, and with the line's number when it is read as a line."""
    begun = time.thread_time()
    with pytest.raises(InvalidInput) as alone:
        parse(line)
    assert time.thread_time() - begun < REFUSED_WITHIN_S
    with pytest.raises(InvalidInput) as in_lines:
        parse_lines([LINE, line], first=7)
    path = alone.value.path
    assert (in_lines.value.code, in_lines.value.path) == (alone.value.code, "$[8]" + (path or "$")[1:])
    return alone.value.code, path


def must_hold(attestation: Attestation) -> None:
    """What an accepted attestation promises."""
    data = attestation.data
    assert encode_envelope(attestation.envelope) == data == rfc8785.dumps(json.loads(data))
    assert encode_body(attestation.body) == bytes(attestation.envelope.body)
    assert attestation.commitment == commitment_of(data) == sha256(b"\x00" + data).digest()


def test_there_is_an_example_of_every_kind() -> None:
    assert sorted(BODIES) == sorted(SPECS)


@pytest.mark.parametrize("kind", sorted(SPECS))
def test_every_kind_comes_back_as_it_was_written_and_as_rfc_8785_writes_it(kind: str) -> None:
    made = compose(envelope_fields(kind), BODIES[kind])
    read = parse(made.data)
    assert (read.envelope, read.body) == (made.envelope, BODIES[kind])
    assert parse_lines([made.data]) == [read] == [made]
    must_hold(read)


@pytest.mark.parametrize("kind", sorted(SPECS))
def test_every_kind_refuses_a_member_that_it_does_not_know(kind: str) -> None:
    made = compose(envelope_fields(kind), BODIES[kind]).data
    assert refusal(spoiled('"body":{', '"body":{"aMember":1,', made)) == ("field_unknown", "$.body")


@pytest.mark.parametrize("kind", sorted(SPECS))
def test_every_kind_refuses_each_of_its_members_twice(kind: str) -> None:
    made = compose(envelope_fields(kind), BODIES[kind]).data
    for name, value in json.loads(made)["body"].items():
        whole = b'"%s":%s' % (name.encode(), rfc8785.dumps(value))
        line = spoiled(b'"body":{', b'"body":{' + whole + b",", made)
        assert refusal(line) == ("member_duplicated", f"$..{name}")


def test_the_example_that_the_tests_below_spoil_is_this() -> None:
    assert LINE == (
        b'{"account":"Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=","body":{"allocated":{"excess":1,"fee":2,"interest":3,"penalty":4,"principal":5},'
        b'"amount":15,"channel":"mobile","currency":"KES","externalRef":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",'
        b'"postingDate":"2026-01-31"},"effectiveDate":"2026-01-31","id":"01890a5d-ac96-774b-bcce-b302099a8057",'
        b'"jurisdiction":"KE","kind":"repayment","legalBasis":"contract","refs":["01890a5d-ac96-774b-bcce-b302099a8058"],'
        b'"reportedAt":1769904000000,"role":"borrower","salt":"' + SALT + b'","schema":1,'
        b'"subject":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=","tenant":"acacia"}'
    )


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ('"id":', '"id":"01890a5d-ac96-774b-bcce-b302099a8058","id":', "id"),
        ('"schema":1', '"schema":1,"schema":1', "schema"),
        ('"body":', '"body":{},"body":', "body"),
        ('"amount":15', '"amount":15,"amount":15', "amount"),
        ('"amount":15', '"amount":1,"amount":15', "amount"),
        ('"amount":15', '"amount":15,"\\u0061mount":15', "amount"),
        ('"fee":2', '"fee":2,"fee":2', "fee"),
        ('"fee":2', '"fee":0,"fee":2', "fee"),
    ],
)
def test_a_member_twice_is_refused_at_every_level(old: str, new: str, name: str) -> None:
    assert refusal(spoiled(old, new)) == ("member_duplicated", f"$..{name}")


def test_a_name_twice_in_an_open_map_is_refused() -> None:
    line = compose(envelope_fields("extension"), Extension(fields={"a": "1"}, namespace="m", version=1)).data
    assert refusal(spoiled('"a":"1"', '"a":"0","a":"1"', line)) == ("member_duplicated", "$..a")
    assert refusal(spoiled('"a":"1"', '"b":"0","a":"1"', line)) == ("not_canonical", None)


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ('"id":', '"hello":1,"id":', "$"),
        ('"id":', '"Id":1,"id":', "$"),
        ('"channel":', '"bonus":1,"channel":', "$.body"),
        ('"fee":2', '"favour":1,"fee":2', "$.body.allocated"),
    ],
)
def test_a_member_that_nobody_knows_is_refused(old: str, new: str, path: str) -> None:
    assert refusal(spoiled(old, new)) == ("field_unknown", path)


@pytest.mark.parametrize(
    ("old", "new", "code", "path"),
    [
        ('"amount":15', '"amount":null', "type_wrong", "$.body.amount"),
        ('"tenant":"acacia"', '"tenant":null', "type_wrong", "$.tenant"),
        ('"postingDate":"2026-01-31"', '"postingDate":null', "not_canonical", None),
        (b'"account":"' + ACCOUNT + b'"', b'"account":null', "not_canonical", None),
        ('"fee":2', '"fee":0', "not_canonical", None),
        ('"refs":["01890a5d-ac96-774b-bcce-b302099a8058"]', '"refs":[]', "not_canonical", None),
    ],
)
def test_null_and_a_default_that_is_written_out_are_refused(
    old: str | bytes, new: str | bytes, code: str, path: str | None
) -> None:
    assert refusal(spoiled(old, new)) == (code, path)


@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        ("15.0", "type_wrong", "$.body.amount"),
        ("1.5", "type_wrong", "$.body.amount"),
        ("15e0", "type_wrong", "$.body.amount"),
        ("1.5E1", "type_wrong", "$.body.amount"),
        ("1E400", "value_invalid", "$.body.amount"),
        ('"15"', "type_wrong", "$.body.amount"),
        ("true", "type_wrong", "$.body.amount"),
        ("[15]", "type_wrong", "$.body.amount"),
        ("{}", "type_wrong", "$.body.amount"),
        ("0", "out_of_range", "$.body.amount"),
        ("-0", "out_of_range", "$.body.amount"),
        ("-15", "out_of_range", "$.body.amount"),
        ("9007199254740992", "out_of_range", "$.body.amount"),
        ("9" * 5_000, "value_invalid", "$.body.amount"),
        ("+15", "json_malformed", "$"),
        ("015", "json_malformed", "$"),
        ("0x0f", "json_malformed", "$"),
        ("15.", "json_malformed", "$"),
        ("NaN", "json_malformed", "$"),
        ("Infinity", "json_malformed", "$"),
    ],
)
def test_an_amount_is_a_plain_integer_that_every_reader_keeps(text: str, code: str, path: str) -> None:
    assert refusal(spoiled('"amount":15', f'"amount":{text}')) == (code, path)


@pytest.mark.parametrize("old", ['"fee":2', '"reportedAt":1769904000000'])
def test_negative_zero_is_another_spelling_of_zero(old: str) -> None:
    assert refusal(spoiled(old, old.split(":")[0] + ":-0")) == ("not_canonical", None)


def test_the_largest_amount_is_accepted() -> None:
    whole = compose(envelope_fields("repayment"), Repayment(amount=2**53 - 1, channel="c", currency="KES"))
    assert parse(whole.data).body.amount == 9_007_199_254_740_991  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b" " + LINE, id="blank before"),
        pytest.param(LINE + b" ", id="blank after"),
        pytest.param(LINE + b"\n", id="line feed after"),
        pytest.param(LINE + b"\r", id="carriage return after"),
        pytest.param(spoiled('"body":{', '"body":\t{'), id="tab inside"),
        pytest.param(spoiled('"schema":1,', "").replace(b'"account"', b'"schema":1,"account"', 1), id="order, outside"),
        pytest.param(spoiled('"amount":15,"channel":"mobile"', '"channel":"mobile","amount":15'), id="order, body"),
        pytest.param(spoiled('"excess":1,"fee":2', '"fee":2,"excess":1'), id="order, nested"),
        pytest.param(spoiled('"mobile"', '"\\u0041"'), id="escaped ASCII"),
        pytest.param(spoiled('"salt"', '"s\\u0061lt"'), id="escaped name"),
        pytest.param(spoiled('"repayment"', '"\\u0072epayment"'), id="escaped kind"),
        pytest.param(spoiled('"mobile"', '"m\\/"'), id="escaped slash"),
        pytest.param(spoiled('"mobile"', '"m\\u00e9"'), id="escaped letter beyond ASCII"),
        pytest.param(spoiled('"mobile"', '"m\\u001F"'), id="upper-case hexadecimal"),
        pytest.param(spoiled('"mobile"', '"m\\u000a"'), id="long escape of a line feed"),
        pytest.param(spoiled('"mobile"', '"\\ud83d\\ude00"'), id="escaped surrogate pair"),
        pytest.param(spoiled(SALT, b"AAAAAAAAAAAAAAAAAAAAAB=="), id="padding bits, salt"),
        pytest.param(spoiled(ACCOUNT, ACCOUNT[:-2] + b"B="), id="padding bits, account"),
        pytest.param(LINE.replace(str(ID).encode(), str(ID).upper().encode()), id="upper-case UUID"),
        pytest.param(LINE.replace(str(ID).encode(), ID.hex.encode()), id="UUID without hyphens"),
        pytest.param(LINE.replace(str(OTHER_ID).encode(), str(OTHER_ID).upper().encode()), id="upper-case reference"),
    ],
)  # fmt: skip
def test_another_spelling_of_the_same_value_is_refused(line: bytes) -> None:
    assert refusal(line) == ("not_canonical", None)


@pytest.mark.parametrize(
    "text", ["m\\u001f", "m\x7f", "m\u2028", "\U0001f4c4", "m\\u0000", '\\"\\\\\\b\\f\\n\\r\\t', "/"]
)
def test_the_one_spelling_of_an_unusual_text_is_accepted(text: str) -> None:
    must_hold(parse(spoiled('"mobile"', f'"{text}"')))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (SALT[:-2], "base64_invalid"),
        (SALT[:-1], "base64_invalid"),
        (SALT + b"=", "base64_invalid"),
        (b"-" + SALT[1:], "base64_invalid"),
        (b"_" + SALT[1:], "base64_invalid"),
        (b" " + SALT[1:], "base64_invalid"),
        (b"%" + SALT[1:], "base64_invalid"),
        (SALT[:4] + b"\\n" + SALT[4:], "base64_invalid"),
        (b"", "length_wrong"),
        (b"A" * 20, "length_wrong"),
        (b"A" * 24, "length_wrong"),
        (SALT + SALT, "length_wrong"),
    ],
)
def test_binary_values_are_standard_base64_of_their_length(text: bytes, code: str) -> None:
    assert refusal(spoiled(SALT, text)) == (code, "$.salt")


def test_the_url_alphabet_is_refused_where_it_differs() -> None:
    line = compose(envelope_fields("repayment", account=b"\xfb\xff" * 16), BODIES["repayment"]).data
    assert b'"account":"+//7' in line
    assert refusal(spoiled(b'"account":"+//7', b'"account":"-__7', line)) == ("base64_invalid", "$.account")


@pytest.mark.parametrize(
    "text",
    [
        "01890a5d-ac96-474b-bcce-b302099a8057",  # version 4
        "01890a5d-ac96-674b-bcce-b302099a8057",  # version 6
        "01890a5d-ac96-774b-7cce-b302099a8057",  # another variant
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "{01890a5d-ac96-774b-bcce-b302099a8057}",
        "urn:uuid:01890a5d-ac96-774b-bcce-b302099a8057",
        "",
    ],
)
def test_an_id_is_a_uuidv7(text: str) -> None:
    assert refusal(LINE.replace(str(ID).encode(), text.encode())) == ("id_not_uuidv7", "$.id")


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30", "2025-02-29", "0000-01-01", "10000-01-01", "-001-01-01", "2026-13-01", "2026-00-10", "2026-1-31",
        "20260131", "2026-01-31T00:00:00Z", " 2026-01-31", "",
    ],
)  # fmt: skip
def test_a_date_is_a_day_that_exists(text: str) -> None:
    line = spoiled('"effectiveDate":"2026-01-31"', f'"effectiveDate":"{text}"')
    assert refusal(line) == ("date_invalid", "$.effectiveDate")
    line = spoiled('"postingDate":"2026-01-31"', f'"postingDate":"{text}"')
    assert refusal(line) == ("date_invalid", "$.body.postingDate")


@pytest.mark.parametrize("text", ["2024-02-29", "0001-01-01", "9999-12-31"])
def test_the_days_at_the_edge_are_accepted(text: str) -> None:
    line = spoiled('"effectiveDate":"2026-01-31"', f'"effectiveDate":"{text}"')
    assert parse(line).envelope.effective_date.isoformat() == text


@pytest.mark.parametrize(
    ("old", "new", "code", "path"),
    [
        ('"KES"', '"XXX"', "currency_unknown", "$.body.currency"),
        ('"KES"', '"kes"', "currency_unknown", "$.body.currency"),
        ('"KES"', '"KE"', "length_wrong", "$.body.currency"),
        ('"KE"', '"ke"', "jurisdiction_unknown", "$.jurisdiction"),
        ('"KE"', '"K1"', "jurisdiction_unknown", "$.jurisdiction"),
        ('"KE"', '"ÉÉ"', "jurisdiction_unknown", "$.jurisdiction"),
        ('"KE"', '"KEN"', "length_wrong", "$.jurisdiction"),
        ('"schema":1', '"schema":2', "value_unknown", "$.schema"),
        ('"schema":1', '"schema":1.0', "type_wrong", "$.schema"),
        ('"schema":1', '"schema":"1"', "type_wrong", "$.schema"),
        ('"kind":"repayment"', '"kind":"bribe"', "value_unknown", "$.kind"),
        ('"contract"', '"whim"', "value_unknown", "$.legalBasis"),
        ('"borrower"', '"boss"', "value_unknown", "$.role"),
        ('"acacia"', '""', "length_wrong", "$.tenant"),
        ('"acacia"', '"' + "a" * 64 + '"', "length_wrong", "$.tenant"),
        ('"acacia"', "1", "type_wrong", "$.tenant"),
        ("1769904000000", "-1", "out_of_range", "$.reportedAt"),
        ("1769904000000", "9007199254740992", "out_of_range", "$.reportedAt"),
        ("1769904000000", '"1769904000000"', "type_wrong", "$.reportedAt"),
    ],
)
def test_each_value_is_one_of_its_own(old: str, new: str, code: str, path: str) -> None:
    assert refusal(spoiled(old, new)) == (code, path)


def test_at_most_64_references() -> None:
    one = f'"{OTHER_ID}"'
    assert parse(spoiled(one, ",".join([one] * 64))).envelope.refs == (OTHER_ID,) * 64
    assert refusal(spoiled(one, ",".join([one] * 65))) == ("length_wrong", "$.refs")


@pytest.mark.parametrize("member", ["account", "subject", "role"])
def test_a_kind_about_an_account_names_account_subject_and_role(member: str) -> None:
    fields = envelope_fields("repayment")
    del fields[member]
    with pytest.raises(InvalidInput) as caught:
        compose(fields, BODIES["repayment"])
    assert (caught.value.code, caught.value.path) == ("field_missing", "$.account")


@pytest.mark.parametrize("kind", sorted(kind for kind, spec in SPECS.items() if spec.about == "subject"))
def test_a_kind_about_a_subject_names_it_and_no_account(kind: str) -> None:
    for wrong in (envelope_fields(kind, account=HASH), envelope_fields(kind, subject=None)):
        with pytest.raises(InvalidInput) as caught:
            compose(wrong, BODIES[kind])
        assert (caught.value.code, caught.value.path) == ("field_missing", "$.subject")


@pytest.mark.parametrize("kind", sorted(kind for kind, spec in SPECS.items() if spec.about == "nothing"))
def test_a_kind_about_nothing_names_neither(kind: str) -> None:
    for wrong in ({"account": HASH}, {"subject": HASH}):
        with pytest.raises(InvalidInput) as caught:
            compose(envelope_fields(kind, **wrong), BODIES[kind])
        assert (caught.value.code, caught.value.path) == ("field_unknown", "$.subject")


@pytest.mark.parametrize("member", ["body", "effectiveDate", "id", "jurisdiction", "kind", "salt", "schema", "tenant"])
def test_what_every_attestation_has_is_not_left_out(member: str) -> None:
    whole = json.loads(LINE)
    del whole[member]
    assert refusal(rfc8785.dumps(whole)) == ("field_missing", "$")


def line_of(size: int) -> bytes:
    """An attestation of that many bytes."""

    def of(length: int) -> bytes:
        fields = {"a": "x" * 8_192, "b": "x" * length}
        body = Extension(fields=fields, namespace="m", version=1)
        raw = encode_body(body)
        start, end = compose(envelope_fields("extension"), Extension(fields={}, namespace="m", version=1)).data.split(
            b'{"fields":{},"namespace":"m","version":1}'
        )
        return start + raw + end

    line = of(size - len(of(0)))
    assert len(line) == size
    return line


def test_an_attestation_has_at_most_16_kib() -> None:
    must_hold(parse(line_of(ATTESTATION_BYTES_MAX)))
    assert ATTESTATION_BYTES_MAX == 16_384
    assert refusal(line_of(ATTESTATION_BYTES_MAX + 1)) == ("attestation_long", None)


@pytest.mark.parametrize("text", ["m\\ud800", "m\\udc00", "\\ude00\\ud83d", "m\x01", "m\\q", "m\\u12"])
def test_half_a_surrogate_pair_and_bare_controls_are_no_json(text: str) -> None:
    assert refusal(spoiled('"mobile"', f'"{text}"')) == ("json_malformed", "$")


@pytest.mark.parametrize("text", [b"\xff", b"\xc0\xaf", b"\xe2\x82", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"])
def test_invalid_utf_8_is_refused_wherever_it_stands(text: bytes) -> None:
    assert refusal(spoiled(b'"mobile"', b'"m' + text + b'"')) == ("json_malformed", "$.body")
    assert refusal(spoiled(b'"acacia"', b'"a' + text + b'"')) == ("json_malformed", "$")
    assert refusal(spoiled(b'"id":', b'"h' + text + b'":1,"id":')) == ("json_malformed", "$")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"", "json_malformed"),
        (LINE + LINE, "json_malformed"),
        (LINE[:-1], "json_malformed"),
        (b"\xef\xbb\xbf" + LINE, "json_malformed"),
        (LINE.decode().encode("utf-16-le"), "json_malformed"),
        (b"[" + LINE + b"]", "type_wrong"),
        (b"null", "type_wrong"),
        (b"1", "type_wrong"),
        (b"{}", "field_missing"),
    ],
)
def test_anything_but_one_object_in_utf_8_is_refused(line: bytes, code: str) -> None:
    assert refusal(line) == (code, "$")


@pytest.mark.parametrize(
    ("old", "new", "code", "path"),
    [
        ('"id":', '"hello":' + "[" * 15_000 + ',"id":', "field_unknown", "$"),
        ('"channel":"mobile"', '"channel":' + "[" * 200 + "]" * 200, "type_wrong", "$.body.channel"),
    ],
)
def test_deep_nesting_is_refused_at_once(old: str, new: str, code: str, path: str) -> None:
    assert refusal(spoiled(old, new)) == (code, path)


def test_an_error_in_lines_names_the_first_bad_line() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_lines([LINE, LINE, spoiled('"amount":15', '"amount":"15"'), b"{}"], first=256)
    assert (caught.value.code, caught.value.path) == ("type_wrong", "$[258].body.amount")


def test_no_lines_are_no_attestations() -> None:
    assert parse_lines([]) == []


def test_flipped_bytes_are_refused_or_leave_another_canonical_attestation() -> None:
    chance = random.Random(20260131)
    lines = [compose(envelope_fields(kind), BODIES[kind]).data for kind in sorted(BODIES)]
    outcomes = {"accepted": 0, "refused": 0}
    for _ in range(6_000):
        line = bytearray(chance.choice(lines))
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            line[chance.randrange(len(line))] = chance.randrange(256)
        try:
            must_hold(parse(bytes(line)))
        except InvalidInput:
            outcomes["refused"] += 1
        else:
            outcomes["accepted"] += 1
    assert min(outcomes.values()) > 100


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=60), st.integers(1, 2**53 - 1))
def test_whatever_is_composed_is_canonical(text: str, amount: int) -> None:
    must_hold(compose(envelope_fields("repayment"), Repayment(amount=amount, channel=text[:32], currency="KES")))
    must_hold(compose(envelope_fields("statement"), Statement(text=text)))


@pytest.mark.parametrize(
    "bomb", [b"[" * 7_000, b"[" * 7_000 + b"]" * 7_000, b'{"a":' * 2_500, b'{"a":' * 2_000 + b"1" + b"}" * 2_000]
)
def test_a_nesting_bomb_is_refused_wherever_it_stands(bomb: bytes) -> None:
    start, end = LINE[: LINE.index(b'"body":') + 7], LINE[LINE.index(b',"effectiveDate"') :]
    assert refusal(start + bomb + end)[0] in ("json_malformed", "type_wrong")
    assert refusal(spoiled(b'"channel":"mobile"', b'"channel":' + bomb))[0] in ("json_malformed", "type_wrong")
    assert refusal(spoiled(b'"id":', b'"hello":' + bomb + b',"id":')) == ("field_unknown", "$")
    assert refusal(spoiled(b'"body":', b'"body":' + bomb + b',"body":'))[0] in ("json_malformed", "member_duplicated")


@pytest.mark.parametrize("first", [b'{"x":"\xff"}', b'{"\xff":1}', b"9" * 5_000, b"1e999", b"[" * 900 + b"]" * 900])
def test_a_first_body_that_no_reader_keeps_is_a_member_twice(first: bytes) -> None:
    assert refusal(spoiled(b'"body":', b'"body":' + first + b',"body":')) == ("member_duplicated", "$..body")


def test_a_name_in_an_open_map_is_refused_at_the_map() -> None:
    line = compose(envelope_fields("extension"), Extension(fields={"a": "1"}, namespace="m", version=1)).data
    for name in ('"\u00e9"', '"A"', '"a\\n"', '""'):
        assert refusal(spoiled('"a"', name, line))[1] == "$.body.fields"
