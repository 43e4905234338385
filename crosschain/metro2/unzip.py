"""Opens an input file: as it is, or streamed out of the one member of a zip.

- A zip is known by its first bytes, not by its name.
- Exactly one member; encrypted, overlarge and bomb-like ones are refused before a byte is inflated. A member that lies
  about its size is cut off by the zip reader at the declared size and fails its checksum.
- Folders in the archive do not count as members.

    >>> with open_input(Path("accounts.zip")) as stream: ...
"""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, BinaryIO, cast

from crosschain.limits import ZIP_MEMBER_BYTES, ZIP_MEMBERS, ZIP_RATIO
from ledger.errors import InvalidInput

# What the standard library raises on hostile archives, found by damaging good ones.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


class _Member(io.RawIOBase):
    """One member of a zip as a stream; damage met on the way is the caller's bad input, not our fault."""

    def __init__(self, plain: BinaryIO, member: IO[bytes]) -> None:
        super().__init__()
        self._plain = plain
        self._member = member

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._member.read(size)
        except _DAMAGE:
            raise _damaged() from None

    def readinto(self, buffer: object, /) -> int:
        view = memoryview(cast(bytearray, buffer)).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._member.close()
            self._plain.close()
        super().close()


def open_input(path: Path | str) -> BinaryIO:
    """A stream over the file's bytes, or over the single member of the zip that it is.

    Raises InvalidInput `zip_damaged`, `zip_members`, `zip_encrypted`, `zip_too_large`, `zip_ratio`; OSError as `open`.
    """
    plain = Path(path).open("rb")  # noqa: SIM115 (the caller owns and closes it)
    try:
        is_zip = plain.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
        plain.seek(0)
        return _open_member(plain) if is_zip else plain
    except BaseException:
        plain.close()
        raise


def _open_member(plain: BinaryIO) -> BinaryIO:
    try:
        archive = zipfile.ZipFile(plain)
        info = _single(archive)
        member = archive.open(info)
    except _DAMAGE:
        raise _damaged() from None
    return cast(BinaryIO, _Member(plain, member))


def _single(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    entries = archive.infolist()
    members = [info for info in entries[:ZIP_MEMBERS] if not info.is_dir()]
    if len(members) != 1 or len(entries) > ZIP_MEMBERS:
        raise InvalidInput(
            "zip_members",
            "the zip must hold exactly one file",
            expected=1,
            found=len(members),
            advice="unpack it and give the file that is meant",
        )
    info = members[0]
    if info.flag_bits & 0x1:
        raise InvalidInput("zip_encrypted", "the zip is encrypted", advice="unpack it and give the file")
    if info.file_size > ZIP_MEMBER_BYTES:
        raise InvalidInput("zip_too_large", "too large", expected=f"at most {ZIP_MEMBER_BYTES}", found=info.file_size)
    if info.file_size > ZIP_RATIO * max(1, info.compress_size):
        raise InvalidInput(
            "zip_ratio",
            "the zip inflates beyond any honest file",
            expected=f"at most {ZIP_RATIO} to 1",
            advice="unpack it and give the file",
        )
    return info


def _damaged() -> InvalidInput:
    return InvalidInput("zip_damaged", "the zip cannot be read to its end", advice="make the zip again from the file")
