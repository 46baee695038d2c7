"""Outputs that grow for hours: what is written stays, and gets its name at the end.

Input: kept documents in order. Output: `NAME.partial` beside each output, which becomes
`NAME` when all is done, and `NAME.resume`, a journal of how far the work is. Whatever
was written behind the last entry of the journal is cut off when the work goes on, so a
killed job ends with the same bytes as one that was not. Read next: `run.py`.
"""

import bz2
import gzip
import json
import lzma
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ngram.errors import InputError, ModelFileError
from ngram.files import (
    SUFFIXES,
    atomic_output,
    check_output,
    is_file_output,
    write_error,
    zstandard,
)
from ngram.filtering.documents import parquet

MEMBER = 4 << 20  # bytes that are compressed together


class Output(ABC):
    """Where kept documents go.

    `checkpoint` makes what was written permanent and returns the place to go on from;
    `finish` gives the output its name; `leave` closes it as it is, or removes it.
    """

    @abstractmethod
    def write(self, kept: Any) -> None: ...
    @abstractmethod
    def checkpoint(self) -> int: ...
    @abstractmethod
    def finish(self) -> None: ...
    @abstractmethod
    def leave(self, *, keep: bool) -> None: ...


class ByteOutput(Output):
    """A file of lines; a compressed one is made of members, one after the other."""

    def __init__(self, path: str, place: int) -> None:
        self._path = path
        self._partial = partial_path(path)
        self._pack = _packer(path)
        self._member = bytearray()
        try:
            # The journal says how long it was; without one it begins anew.
            self._file = open(self._partial, "r+b" if place else "wb")  # noqa: SIM115
            if os.fstat(self._file.fileno()).st_size < place:
                self._file.close()
                raise ModelFileError(
                    f"{self._partial}: is shorter than {path}.resume says. Delete both "
                    "and begin anew."
                )
            self._file.truncate(place)
            self._file.seek(place)
        except OSError as error:
            raise _named(self._partial, error) from error

    def write(self, kept: bytes) -> None:
        self._member += kept
        if len(self._member) >= MEMBER:
            self._end_member()

    def _end_member(self) -> None:
        if not self._member:
            return
        try:
            self._file.write(self._pack(bytes(self._member)))
        except OSError as error:
            raise _named(self._path, error) from error
        self._member.clear()

    def checkpoint(self) -> int:
        self._end_member()
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _named(self._path, error) from error
        return self._file.tell()

    def finish(self) -> None:
        if self.checkpoint() == 0:
            self._file.write(self._pack(b""))  # an empty file is no compressed one
        self._file.close()
        _rename(self._partial, self._path)

    def leave(self, *, keep: bool) -> None:
        with suppress(OSError):
            self._file.close()
        if not keep:
            with suppress(OSError):
                os.unlink(self._partial)


class StreamOutput(Output):
    """A pipe or stdout, which cannot be taken up again."""

    def __init__(self, path: str) -> None:
        self._context = atomic_output(Path(path))
        self._sink: IO[bytes] = self._context.__enter__()

    def write(self, kept: bytes) -> None:
        self._sink.write(kept)

    def checkpoint(self) -> int:
        return 0

    def finish(self) -> None:
        self._context.__exit__(None, None, None)

    def leave(self, *, keep: bool) -> None:
        error = InputError("the work on this output ended early.")
        with suppress(InputError, OSError):
            self._context.__exit__(type(error), error, None)


class ParquetOutput(Output):
    """A table in parts, one from each checkpoint to the next, joined at the end."""

    def __init__(self, path: str, place: int) -> None:
        self._path = path
        self._folder = partial_path(path)
        self._parts = place
        self._writer: Any = None
        try:
            if place == 0:
                shutil.rmtree(self._folder, ignore_errors=True)
            os.makedirs(self._folder, exist_ok=True)
            for name in os.listdir(self._folder):
                if name >= self._part(place):
                    os.unlink(os.path.join(self._folder, name))
        except OSError as error:
            raise _named(self._folder, error) from error

    @staticmethod
    def _part(number: int) -> str:
        return f"{number:08}.parquet"

    def write(self, kept: Any) -> None:
        try:
            if self._writer is None:
                name = os.path.join(self._folder, self._part(self._parts))
                self._writer = parquet().ParquetWriter(name, kept.schema)
            self._writer.write_batch(kept)
        except OSError as error:
            raise _named(self._path, error) from error
        except ValueError as error:
            raise InputError(
                f"{self._path}: the inputs have different columns: {error}"
            ) from None

    def checkpoint(self) -> int:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            _sync(os.path.join(self._folder, self._part(self._parts)))
            self._parts += 1
        return self._parts

    def finish(self) -> None:
        self.checkpoint()
        if len(os.listdir(self._folder)) < self._parts:  # joined before a kill
            shutil.rmtree(self._folder, ignore_errors=True)
            return
        whole = os.path.join(self._folder, "whole")
        try:
            self._join(whole)
            _sync(whole)
        except OSError as error:
            raise _named(self._path, error) from error
        _rename(whole, self._path)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _join(self, whole: str) -> None:
        library = parquet()
        writer = None
        try:
            for number in range(self._parts):
                name = os.path.join(self._folder, self._part(number))
                with library.ParquetFile(name) as part:
                    if writer is None:
                        writer = library.ParquetWriter(whole, part.schema_arrow)
                    for group in range(part.num_row_groups):
                        rows = part.read_row_group(group)
                        if rows.schema != writer.schema:
                            raise InputError(
                                f"{self._path}: the inputs have different columns."
                            )
                        writer.write_table(rows)
        finally:
            if writer is not None:
                writer.close()

    def leave(self, *, keep: bool) -> None:
        if self._writer is not None:
            with suppress(OSError):
                self._writer.close()
        if not keep:
            shutil.rmtree(self._folder, ignore_errors=True)


def open_output(path: str, file_format: str, place: int) -> Output:
    """Open an output to go on at a place that `checkpoint` returned, or at 0."""
    if not is_file_output(Path(path)):
        if file_format == "parquet":
            raise InputError(
                f"{path}: a Parquet table cannot be streamed. Name a file."
            )
        return StreamOutput(path)
    return (
        ParquetOutput(path, place)
        if file_format == "parquet"
        else ByteOutput(path, place)
    )


def finish_outputs(paths: list[str], file_format: str, lengths: list[int]) -> None:
    """Give outputs their names that are whole, some of which may have theirs."""
    for path, length in zip(paths, lengths, strict=True):
        if os.path.exists(partial_path(path)):
            open_output(path, file_format, length).finish()


def check_outputs(paths: list[str], inputs: list[str]) -> None:
    """Fail before long work if an output cannot be written, or is an input."""
    taken = {os.path.realpath(path): path for path in inputs}
    for path in paths:
        check_output(Path(path))
        real = os.path.realpath(path)
        if path != "-" and real in taken:
            raise InputError(f"{path}: is also {taken[real]}. Choose another output.")
        taken[real] = path


class Journal:
    """How far a job is: JSON lines, the first of which says what the job is."""

    def __init__(self, path: str, job: dict[str, Any], *, restart: bool) -> None:
        self.path = path
        try:
            self._file = open(path, "a+b")  # noqa: SIM115
        except OSError as error:
            raise _named(path, error) from error
        self._entries = 0
        try:
            _lock(self._file, path)
            if restart:
                self._file.truncate(0)
            self.last = self._read(job)
        except BaseException:
            self._file.close()
            raise

    def _read(self, job: dict[str, Any]) -> dict[str, Any] | None:
        """Return the last entry, None if there is none."""
        self._file.seek(0)
        entries = []
        end = 0
        for line in self._file:
            try:
                entries.append(json.loads(line))
            except ValueError:
                break  # cut short by a kill
            end += len(line)
        self._file.truncate(end)
        if not entries:
            self.write(job)
            return None
        if entries[0] != json.loads(json.dumps(job)):
            changed = [
                name for name in job if entries[0].get(name) != _plain(job[name])
            ]
            raise InputError(
                f"{self.path}: belongs to another job, which is not finished: "
                f"{', '.join(changed)} differ. Run that one to its end, or begin anew "
                "with restart=True."
            )
        self._entries = len(entries)
        return entries[-1] if self.is_begun else None

    def write(self, entry: dict[str, Any]) -> None:
        try:
            self._file.write(json.dumps(entry).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _named(self.path, error) from error
        self._entries += 1

    def finish(self) -> None:
        os.unlink(self.path)
        self._file.close()

    @property
    def is_begun(self) -> bool:
        """Whether there is something to go on from."""
        return self._entries > 1

    def leave(self) -> None:
        """End the use of the journal; it stays if the job can go on from it."""
        if not self.is_begun:
            os.unlink(self.path)
        self._file.close()


def partial_path(path: str) -> str:
    """Return where an output grows; a link is followed, as its target is replaced."""
    return f"{os.path.realpath(path)}.partial"


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _lock(file: IO[bytes], path: str) -> None:
    try:
        import fcntl
    except ImportError:  # not POSIX: two jobs at once are up to the user
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise InputError(
            f"{path}: another process is writing this output. Wait for it."
        ) from None


def _sync(path: str) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _rename(partial: str, path: str) -> None:
    try:
        os.replace(partial, os.path.realpath(path))
    except OSError as error:
        raise write_error(path, error) from error


def _named(path: str, error: OSError) -> OSError:
    return error if isinstance(error, ModelFileError) else write_error(path, error)


def _packer(path: str) -> Callable[[bytes], bytes]:
    """Return what makes one member of a file of this name."""
    kind = SUFFIXES.get(os.path.splitext(path)[1].lower())
    if kind == "gzip":
        return lambda data: gzip.compress(data, 6, mtime=0)
    if kind == "xz":
        return lambda data: lzma.compress(data, preset=3)
    if kind == "bzip2":
        return bz2.compress
    if kind == "zstd":
        compressor = zstandard().ZstdCompressor(level=3)
        return lambda data: bytes(compressor.compress(data))
    return lambda data: data
