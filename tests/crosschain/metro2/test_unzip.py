from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from crosschain.metro2.unzip import open_input
from ledger.errors import InvalidInput


def _zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def _code(path: Path) -> str:
    with pytest.raises(InvalidInput) as caught, open_input(path) as stream:
        while stream.read(65_536):
            pass
    return caught.value.code


def test_a_plain_file_is_opened_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"0426HEADER")
    with open_input(tmp_path / "plain") as stream:
        assert stream.read() == b"0426HEADER"


def test_the_single_member_of_a_zip_is_streamed_whatever_the_name_and_folders(tmp_path: Path) -> None:
    path = _zip(tmp_path / "x.dat", {"folder/": b"", "folder/file.txt": b"0426HEADER" * 9})
    with open_input(path) as stream:
        assert (stream.read(10), stream.read()) == (b"0426HEADER", b"0426HEADER" * 8)


def test_several_members_or_none_are_refused(tmp_path: Path) -> None:
    assert _code(_zip(tmp_path / "two.zip", {"a": b"1", "b": b"2"})) == "zip_members"
    assert _code(_zip(tmp_path / "none.zip", {})) == "zip_members"


def test_a_bomb_is_refused_before_it_is_inflated(tmp_path: Path) -> None:
    assert _code(_zip(tmp_path / "bomb.zip", {"a": bytes(3_000_000)})) == "zip_ratio"


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = _zip(tmp_path / "e.zip", {"a": b"0426HEADER"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert _code(path) == "zip_encrypted"


@pytest.mark.parametrize("cut", [20, 60, -30])
def test_a_cut_zip_is_damaged(tmp_path: Path, cut: int) -> None:
    path = _zip(tmp_path / "c.zip", {"a": bytes(range(256)) * 40})
    path.write_bytes(path.read_bytes()[:cut])
    assert _code(path) == "zip_damaged"


def test_no_flipped_byte_of_a_zip_gives_anything_but_its_bytes_or_a_refusal(tmp_path: Path) -> None:
    content = b"0426HEADER and so on" * 3
    whole = _zip(tmp_path / "f.zip", {"a.txt": content}).read_bytes()
    path, refused = tmp_path / "g.zip", 0
    for place in range(4, len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x5A]) + whole[place + 1 :])
        try:
            with open_input(path) as stream:
                assert stream.read() == content
        except InvalidInput:
            refused += 1
    assert refused > len(content) // 2
