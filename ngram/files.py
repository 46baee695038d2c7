"""Files at the edge: inputs of any compression, outputs that are complete or absent.

`open_input` gives the bytes of a file, of a gzip, xz, bzip2 or zstandard file, or of
stdin ("-"); what a file is, its first bytes say, not its name. `atomic_output` writes
to a temporary file that takes the final name when it is complete; `check_output` says
before long work whether it will. All name the path in every error. Read
`ngram/text.py` next, which reads corpora with this.
"""

import bz2
import codecs
import errno
import gzip
import io
import lzma
import os
import re
import secrets
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, Protocol

from ngram.errors import InputError, MissingDependencyError, ModelFileError

__all__ = [
    "InputStream",
    "atomic_output",
    "check_output",
    "check_text",
    "compression",
    "is_arpa",
    "is_container",
    "is_counts",
    "open_input",
]

Path = str | os.PathLike[str]

STDIN = STDOUT = "-"
STANDARD_OUTPUTS = ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")

# Compressed bytes are read, and decompressed bytes made, in blocks of this size.
BLOCK = 1 << 20
# What is looked at to tell what a file is.
HEAD = 4096

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


class _Decoder(Protocol):
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


DECODERS: dict[str, Callable[[], _Decoder]] = {
    "gzip": _GzipDecoder,
    "xz": lzma.LZMADecompressor,
    "zstd": _ZstdDecoder,
    "bzip2": bz2.BZ2Decompressor,
}


class InputStream(io.RawIOBase):
    """The decompressed bytes of an input.

    Attributes
    ----------
    name : str
        The path, or "stdin".
    compression : {"gzip", "xz", "zstd", "bzip2"} or None
    head : bytes
        The first bytes, decompressed, that are still to be read.
    """

    def __init__(self, raw: IO[bytes], name: str, *, close: bool = True) -> None:
        self.name = name
        self._raw = raw
        self._close = close
        self._packed = self._read_head()
        self.compression = compression(self._packed)
        self._decoder: _Decoder | None = None
        self._ready = b""
        self._ended = False
        if self.compression is None:
            self._ready, self._packed = self._packed, b""
        else:
            self._decoder = DECODERS[self.compression]()
            self._ready = self._decode()
        self.head = self._ready[:HEAD]

    def _read_head(self) -> bytes:
        parts = []
        size = 0
        while size < HEAD and (part := self._read_raw(HEAD - size)):
            parts.append(part)
            size += len(part)
        return b"".join(parts)

    def _read_raw(self, size: int) -> bytes:
        try:
            # One system call at a time: Ctrl-C gets through between two.
            return getattr(self._raw, "read1", self._raw.read)(size) or b""
        except OSError as error:
            what = error.strerror or error
            raise InputError(f"{self.name}: cannot be read: {what}.") from error

    def _decode(self) -> bytes:
        """Return the next decompressed bytes; none at the end."""
        while not self._ended:
            assert self._decoder is not None
            assert self.compression is not None
            if self._decoder.eof:
                rest = self._decoder.unused_data + self._packed
                self._packed = self._next_member(rest)
                if not self._packed:
                    break
                self._decoder = DECODERS[self.compression]()
            if self._decoder.needs_input and not self._packed:
                self._packed = self._read_raw(BLOCK)
                if not self._packed:
                    raise self._damaged("it ends in the middle")
            packed, self._packed = self._packed, b""
            try:
                data = self._decoder.decompress(packed, BLOCK)
            except (zlib.error, lzma.LZMAError, OSError, ValueError) as error:
                raise self._damaged(str(error)) from error
            if data:
                return data
        self._ended = True
        return b""

    def _next_member(self, packed: bytes) -> bytes:
        """Return the input from the next member on; a file may hold several."""
        while True:
            packed = packed.lstrip(b"\0")  # padding
            if len(packed) >= HEAD or not (more := self._read_raw(BLOCK)):
                break
            packed += more
        if packed and compression(packed) != self.compression:
            raise self._damaged("other data follows the end of the compressed data")
        return packed

    def _damaged(self, reason: str) -> InputError:
        return InputError(
            f"{self.name}: the {self.compression} file is damaged or incomplete: "
            f"{reason}. Copy or download it again."
        )

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer with the next bytes; at the end, none."""
        if not self._ready and not self._ended:
            if self._decoder is None:
                return self._read_plain(buffer)
            self._ready = self._decode()
        view = memoryview(buffer).cast("B")
        size = min(len(view), len(self._ready))
        view[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _read_plain(self, buffer: Any) -> int:
        data = self._read_raw(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def blocks(self, size: int = BLOCK) -> Iterator[bytes]:
        """Give all that is left, in blocks of at most `size` bytes."""
        while block := self.read(size):
            yield block

    def close(self) -> None:
        if not self.closed and self._close:
            self._raw.close()
        super().close()


def open_input(source: Path | IO[bytes]) -> InputStream:
    """Open an input for reading; compressed ones are decompressed on the way.

    Parameters
    ----------
    source : path-like or binary file object
        "-" is stdin.

    Returns
    -------
    InputStream
        Closing it closes what this function opened, and nothing else.

    Raises
    ------
    InputError
        If the file is missing, a directory or unreadable; while reading, if the
        compressed data is damaged or incomplete.
    MissingDependencyError
        If the file is zstandard and the library is not installed.
    """
    if not isinstance(source, (str, os.PathLike)):
        if not hasattr(source, "read") or isinstance(source, io.TextIOBase):
            raise InputError(
                "an input is a path or a file opened in binary mode, not "
                f"{type(source).__name__}."
            )
        name = getattr(source, "name", None)
        return InputStream(source, str(name or type(source).__name__), close=False)
    name = os.fspath(source)
    if name == STDIN:
        if sys.stdin is None:
            raise InputError('stdin is closed: name a file instead of "-".')
        return InputStream(sys.stdin.buffer, "stdin", close=False)
    return _open_path(name)


def _open_path(name: str) -> InputStream:
    try:
        raw = open(name, "rb", buffering=0)  # noqa: SIM115
    except IsADirectoryError:
        raise InputError(
            f"{name}: this is a directory. Pass the files in it: {name}/*.txt on the "
            f"command line, sorted(Path({name!r}).glob('*.txt')) in Python."
        ) from None
    except FileNotFoundError:
        raise InputError(f"{name}: there is no such file.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{name}: cannot be opened: {reason}.") from error
    try:
        return InputStream(raw, name)
    except BaseException:
        raw.close()
        raise


# What a text is not, by its first bytes.
OTHER_FORMATS = {
    b"mmap lm http://kheafield.com/code": (
        "a binary model of KenLM. Pass the text it was trained on"
    ),
    b"PK\x03\x04": "a zip archive. Unpack it first",
    b"%PDF-": "a PDF document. Extract its text first, for example with pdftotext",
    b"PAR1": "a Parquet table. Write its text column to a file with a line for each "
    "text, or pass it in Python as an iterable of str",
    b"\x93NUMPY": "a NumPy array. Write a text, or pass (ids, offsets, vocabulary) in "
    "Python",
}
BYTE_ORDER_MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
ARPA_HEADER = re.compile(rb"^[ \t]*\\data\\\s+ngram[ \t]+\d+[ \t]*=", re.MULTILINE)
# Characters that are rare in text, for the recognition of UTF-16.
UNUSUAL = re.compile(
    "[^\\t\\n\\r -~\u00a0-\u06ff\u0900-\u0e7f\u1100-\u11ff\u1e00-\u1fff\u2010-\u2027"
    "\u2030-\u205e\u20a0-\u20bf\u3000-\u30ff\u3131-\u318e\u4e00-\u9fff\uac00-\ud7a3"
    "\uff00-\uffef]"
)


def is_arpa(head: bytes) -> bool:
    """Return whether a file that begins with `head` is ARPA; text may stand before."""
    return head.lstrip().startswith(b"\\data\\") or bool(ARPA_HEADER.search(head))


def is_container(head: bytes) -> bool:
    """Return whether a file that begins with `head` may be one of ours: binary."""
    return head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < 100_000_000


def is_counts(head: bytes) -> bool:
    """Return whether a file that begins with `head` is one of counts."""
    return is_container(head) and b'"content":"counts"' in head[:256]


def check_text(head: bytes, name: str, *, binary: bool = False) -> None:
    """Raise InputError if a file that begins with `head` is not a text.

    Parameters
    ----------
    head : bytes
        The first bytes, some thousand if there are as many.
    name : str
        Of the file, for the message.
    binary : bool
        Any bytes will do, so the encoding is not checked.
    """
    for magic, what in OTHER_FORMATS.items():
        if head.startswith(magic):
            raise InputError(f"{name}: this is {what}.")
    if is_arpa(head):
        raise InputError(
            f"{name}: this is an ARPA model, not a text. Pass it as the model: convert "
            "it with `ngram convert`, or read it with ngram.read_arpa(path)."
        )
    if is_counts(head):
        raise InputError(
            f"{name}: this is a file of counts, not a text. Train from it: "
            "`ngram train --from-counts`, or ngram.train(ngram.Counts.load(path))."
        )
    if is_container(head):
        raise InputError(
            f"{name}: this is a model file (safetensors), not a text. Pass it "
            "as the model, or open it with ngram.load(path)."
        )
    if compression(head):
        raise InputError(f"{name}: this is compressed twice. Decompress it first.")
    if binary:
        return
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            raise _encoding_error(name, encoding)
    if len(head) >= 16 and head.count(0) * 3 > len(head):
        # Latin letters have one NUL each in UTF-16, three in UTF-32.
        wide = head.count(0) * 2 > len(head)
        raise _encoding_error(name, "UTF-32" if wide else "UTF-16")
    for encoding in ("UTF-16LE", "UTF-16BE"):
        if _is_utf16(head, encoding):
            raise _encoding_error(name, encoding)


def _is_utf16(head: bytes, encoding: str) -> bool:
    """Return whether bytes are surely UTF-16, of any script and without a mark.

    They make no text as UTF-8; most of the bytes of blanks and line ends are halves of
    blanks and line ends of 16 bits; and nearly all characters are of a known script.
    """
    if len(head) < 16 or _is_utf8_text(head):
        return False
    units = memoryview(head[: len(head) // 2 * 2])
    low, high = (0, 1) if encoding == "UTF-16LE" else (1, 0)
    halves = zip(units[low::2], units[high::2], strict=True)
    blanks = sum(value in b" \n" and top == 0 for value, top in halves)
    if not blanks or 2 * blanks < head.count(b" ") + head.count(b"\n"):
        return False
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return False
    return len(UNUSUAL.findall(text)) <= 0.05 * len(text)


def _is_utf8_text(head: bytes) -> bool:
    """Return whether bytes are UTF-8, perhaps cut, with few control characters."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    controls = sum(
        "\0" < character < "\t" or "\r" < character < " " for character in text
    )
    return 8 * controls < len(text)


def _encoding_error(name: str, encoding: str) -> InputError:
    return InputError(
        f"{name}: this text is encoded in {encoding}; it must be UTF-8. Convert it: "
        f"iconv -f {encoding} -t UTF-8 {name} > converted.txt"
    )


# ---- outputs ------------------------------------------------------------------------


class _OutputFile(io.FileIO):
    """A file whose errors name the path that the user knows."""

    def __init__(self, file: int, path: str, *, close: bool) -> None:
        super().__init__(file, "wb", closefd=close)
        self.path = path

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            raise
        except OSError as error:
            raise write_error(self.path, error) from error


def write_error(path: str, error: OSError) -> ModelFileError:
    """Return the sentence for an output that could not be written."""
    what = error.strerror or str(error)
    advice = {
        errno.ENOSPC: " Free some space or write to another disk.",
        errno.EDQUOT: " Free some space or write to another disk.",
        errno.ENOENT: " Create the directory first.",
        errno.EACCES: " Choose a directory that you may write to.",
        errno.EROFS: " Choose a directory that you may write to.",
    }.get(error.errno or 0, "")
    return ModelFileError(f"{path}: cannot be written: {what}.{advice}")


def check_output(path: Path, *, compressible: bool = True) -> None:
    """Raise an error if an output cannot be written, before what it holds is made.

    Nothing is created or changed. What only writing can show, such as a full disk,
    `atomic_output` says.

    Parameters
    ----------
    path : path-like
        "-" is stdout.
    compressible : bool, default=True
        Whether the output may be compressed, which its name says.

    Raises
    ------
    InputError
        If the path is no path.
    ModelFileError
        If it has no name, is a directory, is in no directory or in one that is not
        writable, or if stdout is closed.
    """
    if not isinstance(path, (str, os.PathLike)) or "\0" in (name := os.fspath(path)):
        raise InputError(f"an output is a path without NUL bytes, not {path!r}.")
    if not name:
        raise ModelFileError("'': the output has no name. Name the file to write.")
    if name == STDOUT or name in STANDARD_OUTPUTS:
        if sys.stdout is None:
            raise ModelFileError(f"{name}: stdout is closed. Name a file instead.")
        return
    ending = os.path.splitext(name)[1]
    if not compressible and ending.lower() in SUFFIXES:
        raise ModelFileError(
            f"{name}: a model, which is mapped into memory, cannot be compressed. "
            f"Choose a name that does not end in {ending}; ARPA files may."
        )
    target = os.path.realpath(name)  # a link stays a link: its target is replaced
    if os.path.isdir(target):
        raise ModelFileError(f"{name}: this is a directory. Name a file in it.")
    if name.endswith(os.sep):
        raise ModelFileError(f"{name}: this names a directory. Name a file in it.")
    if DESCRIPTOR.fullmatch(name):
        return
    special = _is_special(name)
    directory = os.path.dirname(target)
    try:
        if not special:
            os.stat(directory)
        with suppress(FileNotFoundError):
            os.stat(target)
    except OSError as error:
        raise write_error(name, error) from error
    if not special and not os.path.isdir(directory):
        raise write_error(name, OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
    if not os.access(target if special else directory, os.W_OK):
        raise write_error(name, OSError(errno.EACCES, os.strerror(errno.EACCES)))


@contextmanager
def atomic_output(path: Path) -> Iterator[IO[bytes]]:
    """Give a binary file to write to, which becomes `path` when the block ends well.

    Until then `path` stays as it was; after an error or Ctrl-C nothing is left of the
    new file. Devices and pipes are written directly. Names that end in `.gz`, `.xz`,
    `.bz2` or `.zst` are compressed. "-" is stdout.

    Parameters
    ----------
    path : path-like

    Yields
    ------
    binary file object

    Raises
    ------
    ModelFileError
        If the file cannot be written (no space, no permission, no directory).
    MissingDependencyError
        If the file is to be zstandard and the library is not installed.
    """
    check_output(path)
    name = os.fspath(path)
    if name == STDOUT or name in STANDARD_OUTPUTS:
        with _standard_output() as sink:
            yield sink
        return
    packer = _packer(name)
    output = _special_output(name) if _is_special(name) else _temporary_output(name)
    with output as sink, packer(sink) as packed:
        yield packed


def is_file_output(path: Path) -> bool:
    """Return whether an output is a file, which can be written in any order."""
    name = os.fspath(path)
    return name != STDOUT and name not in STANDARD_OUTPUTS and not _is_special(name)


def _is_special(name: str) -> bool:
    """Return whether a path is a device or a pipe, on which no file can be put."""
    if DESCRIPTOR.fullmatch(name):
        return True
    try:
        mode = os.stat(name).st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


@contextmanager
def _standard_output() -> Iterator[IO[bytes]]:
    sys.stdout.flush()
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):  # replaced by an object in memory
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    with io.BufferedWriter(_OutputFile(number, "stdout", close=False), BLOCK) as sink:
        yield sink


@contextmanager
def _special_output(name: str) -> Iterator[IO[bytes]]:
    descriptor = DESCRIPTOR.fullmatch(name)
    try:
        # To open the name of a descriptor anew would begin at the file's first byte.
        if descriptor:
            number = os.dup(int(descriptor[1]))
        else:
            number = os.open(name, os.O_WRONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise write_error(name, error) from error
    with io.BufferedWriter(_OutputFile(number, name, close=True), BLOCK) as sink:
        yield sink


@contextmanager
def _temporary_output(name: str) -> Iterator[IO[bytes]]:
    target = os.path.realpath(name)
    directory, base = os.path.split(target)
    temporary = os.path.join(directory, f".{base[:200]}.{secrets.token_hex(8)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    flags |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        number = os.open(temporary, flags, 0o666)
    except OSError as error:
        raise write_error(name, error) from error
    try:
        with io.BufferedWriter(_OutputFile(number, name, close=True), BLOCK) as sink:
            yield sink
            sink.flush()
            try:
                _keep_mode(sink.fileno(), target)
                os.fsync(sink.fileno())
            except OSError as error:
                raise write_error(name, error) from error
        try:
            os.replace(temporary, target)
        except OSError as error:
            raise write_error(name, error) from error
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _keep_mode(number: int, target: str) -> None:
    """Give the new file the permissions of the file it replaces."""
    with suppress(FileNotFoundError):
        mode = stat.S_IMODE(os.stat(target).st_mode)
        if hasattr(os, "fchmod"):
            os.fchmod(number, mode)


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


def _packer(name: str) -> Callable[[IO[bytes]], Any]:
    """Return what compresses into a file of this name."""
    kind = SUFFIXES.get(os.path.splitext(name)[1].lower())
    if kind == "zstd":
        compressor = zstandard().ZstdCompressor(level=3)
        return lambda sink: compressor.stream_writer(sink, closefd=False)
    return {None: _plain, "gzip": _gzip, "xz": _xz, "bzip2": _bzip2}[kind]
