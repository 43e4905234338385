"""One text for each value, in both alphabets."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.base64_strict import decode_standard, decode_url, encode_standard, encode_url
from ledger.errors import InvalidInput


@given(st.binary(max_size=100))
def test_bytes_come_back_as_they_went(data: bytes) -> None:
    assert encode_standard(data) == base64.b64encode(data).decode()
    assert encode_url(data) == base64.urlsafe_b64encode(data).decode().rstrip("=")
    assert decode_standard(encode_standard(data)) == data
    assert decode_url(encode_url(data)) == data


@given(st.text(max_size=12))
def test_what_decodes_is_the_only_text_of_its_value(text: str) -> None:
    for decode, encode, code in (
        (decode_standard, encode_standard, "base64_invalid"),
        (decode_url, encode_url, "base64url_invalid"),
    ):
        try:
            assert encode(decode(text)) == text
        except InvalidInput as error:
            assert error.code == code


@pytest.mark.parametrize("text", ["AQ", "AQ=", "AR==", "A Q==", "AQ==\n", "AQ==AQ==", "-_==", "é", "=", "AQ===", "A"])
def test_other_standard_spellings_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        decode_standard(text)


@pytest.mark.parametrize("text", ["AQ==", "AQ=", "AR", "A Q", "AQ\n", "+/8", "é", "A", "!!!!"])
def test_other_url_spellings_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        decode_url(text)
