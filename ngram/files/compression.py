"""Compression: gzip, xz, bzip2 and zstandard, read and written in blocks.

Input: the first bytes of a file, which say how it is compressed, or its name. Output:
decoders, and writers, to which the same content gives the same bytes. Read `formats.py`
next.
"""

import bz2
import gzip
import lzma
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Protocol

from ngram.errors import MissingDependencyError

__all__ = ["DECODERS", "SUFFIXES", "Decoder", "compression", "packer", "zstandard"]

MAGIC = {
    b"\x1f\x8b\x08": "gzip",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
}
SUFFIXES = {".gz": "gzip", ".xz": "xz", ".zst": "zstd", ".bz2": "bzip2"}


def compression(head: bytes) -> str | None:
    """Return how a file is compressed that begins with `head`; None if it is not."""
    for magic, name in MAGIC.items():
        if head.startswith(magic):
            # "BZh" may begin a text; the header goes on with a digit and pi.
            if name == "bzip2" and head[4:10] not in (b"1AY&SY", b"\x17rE8P\x90"):
                return None
            return name
    return None


class Decoder(Protocol):
    """The part of `lzma.LZMADecompressor` used here."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _GzipDecoder:
    """One gzip member with the interface of `lzma.LZMADecompressor`."""

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(wbits=31)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        decoder = self._decoder
        data = decoder.decompress(decoder.unconsumed_tail + data, max_length)
        # A full output may have more behind it, even if all input is taken.
        self.needs_input = not decoder.unconsumed_tail and len(data) < max_length
        return data


class _ZstdDecoder:
    """One zstandard frame with the interface of `lzma.LZMADecompressor`."""

    # The library takes no bound for its output, so its input is taken in small steps.
    STEP = 1 << 14

    def __init__(self) -> None:
        self._decoder = (
            zstandard().ZstdDecompressor(max_window_size=1 << 31).decompressobj()
        )
        self._data = b""

    @property
    def eof(self) -> bool:
        return bool(self._decoder.eof)

    @property
    def needs_input(self) -> bool:
        return not self._data

    @property
    def unused_data(self) -> bytes:
        return bytes(self._decoder.unused_data) + self._data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        self._data += data
        parts: list[bytes] = []
        size = taken = 0
        while taken < len(self._data) and size < max_length and not self.eof:
            try:
                part = self._decoder.decompress(self._data[taken : taken + self.STEP])
            except zstandard().ZstdError as error:
                raise ValueError(str(error)) from error
            taken += self.STEP
            parts.append(part)
            size += len(part)
        self._data = self._data[taken:]
        return b"".join(parts)


def zstandard() -> Any:
    try:
        import zstandard
    except ImportError:
        raise MissingDependencyError(
            "zstandard files need the package zstandard, which is not installed: "
            "pip install 'ngram-engine[zstd]'"
        ) from None
    return zstandard


DECODERS: dict[str, Callable[[], Decoder]] = {
    "gzip": _GzipDecoder,
    "xz": lzma.LZMADecompressor,
    "zstd": _ZstdDecoder,
    "bzip2": bz2.BZ2Decompressor,
}


@contextmanager
def _plain(sink: IO[bytes]) -> Iterator[IO[bytes]]:
    yield sink


def _gzip(sink: IO[bytes]) -> Any:
    # No name and no time inside: the same content gives the same bytes.
    return gzip.GzipFile("", "wb", 6, sink, 0)


def _xz(sink: IO[bytes]) -> Any:
    return lzma.LZMAFile(sink, "wb", preset=3)


def _bzip2(sink: IO[bytes]) -> Any:
    return bz2.BZ2File(sink, "wb")


def packer(name: str) -> Callable[[IO[bytes]], Any]:
    """Return what compresses into a file of this name."""
    kind = SUFFIXES.get(os.path.splitext(name)[1].lower())
    if kind == "zstd":
        compressor = zstandard().ZstdCompressor(level=3)
        return lambda sink: compressor.stream_writer(sink, closefd=False)
    return {None: _plain, "gzip": _gzip, "xz": _xz, "bzip2": _bzip2}[kind]
