"""Streams: inputs of any compression, outputs that are complete or absent.

`open_input` gives the bytes of a file, of a gzip, xz, bzip2 or zstandard file, or of
stdin ("-"); what a file is, its first bytes say, not its name. `atomic_output` writes
to a temporary file that takes the final name when it is complete, and removes what a
killed process left of one; `check_output` says before long work whether it will. All
name the path in every error. Read `ngram/text.py` next, which reads corpora with this.
"""

import errno
import io
import lzma
import os
import re
import secrets
import stat
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import IO, Any

from ngram.errors import InputError, ModelFileError
from ngram.files.compression import DECODERS, SUFFIXES, Decoder, compression, packer

try:
    import fcntl
except ImportError:  # no POSIX: there are no such locks
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "STANDARD_OUTPUTS",
    "STDIN",
    "STDOUT",
    "InputStream",
    "atomic_output",
    "check_output",
    "is_file_output",
    "open_input",
    "write_error",
]

Path = str | os.PathLike[str]

STDIN = STDOUT = "-"
STANDARD_OUTPUTS = ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")

# Compressed bytes are read, and decompressed bytes made, in blocks of this size.
BLOCK = 1 << 20
# What is looked at to tell what a file is.
HEAD = 4096


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
        self._decoder: Decoder | None = None
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


def check_output(
    path: Path, *, compressible: bool = True, inputs: Iterable[Path] = ()
) -> None:
    """Raise an error if an output cannot be written, before what it holds is made.

    Nothing is created or changed. What only writing can show, such as a full disk,
    `atomic_output` says.

    Parameters
    ----------
    path : path-like
        "-" is stdout.
    compressible : bool, default=True
        Whether the output may be compressed, which its name says.
    inputs : iterable of path-like, default=()
        Files that are read for it, and must not be lost.

    Raises
    ------
    InputError
        If the path is no path, or names one of the inputs.
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
    for file in filter(partial(_is_same_file, target), inputs):
        raise InputError(
            f"{name}: the output would replace {os.fspath(file)}, which it is made of."
            " Name another file to write."
        )
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


def _is_same_file(target: str, path: Path) -> bool:
    """Return whether a path names a target that exists and is a file."""
    try:
        return os.path.isfile(target) and os.path.samefile(path, target)
    except (OSError, ValueError):
        return False


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
    pack = packer(name)
    output = _special_output(name) if _is_special(name) else _temporary_output(name)
    with output as sink, pack(sink) as packed:
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
    try:
        _remove_abandoned(directory, base)
        number, temporary = _create_temporary(directory, base)
    except OSError as error:
        raise write_error(name, error) from error
    try:
        with (
            _keeping_lock(number),
            io.BufferedWriter(_OutputFile(number, name, close=True), BLOCK) as sink,
        ):
            yield sink
            sink.flush()
            try:
                _keep_mode(sink.fileno(), target)
                os.fsync(sink.fileno())
                sink.close()
                os.replace(temporary, target)
            except OSError as error:
                raise write_error(name, error) from error
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _temporary_start(base: str) -> str:
    return f".{base[:200]}."


def _create_temporary(directory: str, base: str) -> tuple[int, str]:
    """Return an open file and its name; it is locked for as long as it is open."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    flags |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    while True:
        ending = f"{secrets.token_hex(8)}.tmp"
        path = os.path.join(directory, _temporary_start(base) + ending)
        number = os.open(path, flags, 0o666)
        _lock(number, wait=True)
        if os.path.lexists(path):
            return number, path
        os.close(number)  # taken for an abandoned one before it was locked


def _remove_abandoned(directory: str, base: str) -> None:
    """Remove what a killed process has left of the same output.

    Its lock ended with it. A file that another process still writes keeps its lock;
    where locks cannot be had, nothing is removed.
    """
    pattern = re.compile(re.escape(_temporary_start(base)) + r"[0-9a-f]{16}\.tmp")
    try:
        names = os.listdir(directory)
    except PermissionError:  # a directory may be writable and not readable
        return
    for found in filter(pattern.fullmatch, names):
        path = os.path.join(directory, found)
        with suppress(OSError):
            number = os.open(path, os.O_WRONLY | getattr(os, "O_CLOEXEC", 0))
            try:
                if _lock(number, wait=False):
                    os.unlink(path)
            finally:
                os.close(number)


def _lock(number: int, *, wait: bool) -> bool:
    """Return whether an open file is locked now, for this process alone."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


@contextmanager
def _keeping_lock(number: int) -> Iterator[None]:
    """Keep the lock of a file that is closed before it gets its name."""
    if fcntl is None:
        yield
        return
    copy = os.dup(number)
    try:
        yield
    finally:
        os.close(copy)


def _keep_mode(number: int, target: str) -> None:
    """Give the new file the permissions of the file it replaces."""
    with suppress(FileNotFoundError):
        mode = stat.S_IMODE(os.stat(target).st_mode)
        if hasattr(os, "fchmod"):
            os.fchmod(number, mode)
