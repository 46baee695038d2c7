"""Files of models and counts: named arrays and text in one safetensors file, mapped.

Input of `write_container`: arrays and string metadata; `create_container` takes arrays
one by one, also such as are made in the file. Input of `open_container`: a path.
Output: a `Container` whose arrays are read-only views of the mapped file. What the
arrays mean is up to `ngram.model`; the bytes of the file are described in
`docs/format.md`. A file from a stranger is data: every length, offset, type and shape
is checked before use, and nothing in it is ever executed.
"""

import json
import math
import mmap
import os
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ngram.errors import InputError, ModelFileError
from ngram.files import SUFFIXES, atomic_output, compression, write_error

FORMAT_VERSION = 1

# Data begins at a multiple of a page, every array at a multiple of a cache line.
PAGE = 4096
LINE = 64

# zlib.crc32 runs at about 4 GB/s: files up to this size are verified in under 20 ms.
VERIFY_UP_TO = 64 << 20

# The largest header we read: that of the safetensors library. Ours have kilobytes.
HEADER_LIMIT = 100_000_000

DTYPES = {
    "U8": "<u1",
    "I8": "<i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F32": "<f4",
    "F64": "<f8",
}
DTYPE_NAMES = {np.dtype(dtype): name for name, dtype in DTYPES.items()}

# The largest number of a header: room is kept for it before the arrays are known.
LARGEST = (1 << 62) - 1

HEADER_START = '{"__metadata__":{"format":"ngram","format_version":"'
CHECKSUM_KEY = '"header_crc32":"'


@dataclass(frozen=True)
class Tensor:
    """Where one array lies in the file and what its bytes must add up to."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int
    crc32: str


@dataclass(frozen=True)
class Written:
    """What the header says of one array in the file, which is filled up with zeros."""

    dtype: str
    shape: tuple[int, ...]
    crc32: int

    @property
    def nbytes(self) -> int:
        """Bytes in the file."""
        size = math.prod(self.shape) * np.dtype(DTYPES[self.dtype]).itemsize
        return size + -size % LINE


class Container:
    """An open model file.

    Attributes
    ----------
    path : Path
        The file, absolute.
    metadata : dict of str to str
        The text stored with the arrays.
    arrays : dict of str to ndarray
        Read-only; views of the mapped file unless it was read into memory.
    nbytes : int
        Size of the file.
    checksum : str
        Identifies the content: the header's CRC-32, which covers every array's CRC-32.
    """

    def __init__(
        self,
        path: Path,
        metadata: dict[str, str],
        arrays: dict[str, NDArray[Any]],
        tensors: list[Tensor],
        data: memoryview,
        checksum: str,
        nbytes: int,
    ) -> None:
        self.path = path
        self.metadata = metadata
        self.arrays = arrays
        self.checksum = checksum
        self.nbytes = nbytes
        self._tensors = tensors
        self._data = data

    def verify(self) -> None:
        """Compare every array with its checksum.

        Raises
        ------
        ModelFileError
            If a byte of the file is not what was written.
        """
        for tensor in self._tensors:
            crc32 = f"{zlib.crc32(self._data[tensor.begin : tensor.end]):08x}"
            if crc32 != tensor.crc32:
                raise ModelFileError(
                    f"{self.path}: the array {tensor.name!r} is damaged: its CRC-32 is "
                    f"{crc32} and should be {tensor.crc32}. Copy the file again from "
                    "where it came from, or train the model again."
                )


def write_container(
    path: str | os.PathLike[str],
    arrays: Mapping[str, NDArray[Any]],
    metadata: Mapping[str, str],
) -> None:
    """Write arrays and text to a file.

    The file appears under its name when it is complete, and not before. The same input
    gives the same bytes.

    Parameters
    ----------
    path : path-like
        Its ending must not be that of a compressed file.
    arrays : mapping of str to ndarray
        Written in this order.
    metadata : mapping of str to str
        Keys `format`, `format_version`, `header_crc32` and `tensors` are the
        container's.
    """
    _check_name(path)
    payloads = {name: _payload(name, array) for name, array in arrays.items()}
    written = {name: _written(arrays[name], payloads[name]) for name in arrays}
    header = _header(written, metadata)
    with atomic_output(path) as sink:
        sink.write(header)
        for payload, padding in payloads.values():
            sink.write(payload)
            sink.write(padding)


class ContainerWriter:
    """A model file that is being written: arrays, one after the other."""

    def __init__(self, sink: IO[bytes], name: str, position: int) -> None:
        self.written: dict[str, Written] = {}
        self._sink = sink
        self._name = name
        self._position = position

    def add(self, name: str, array: NDArray[Any]) -> None:
        """Write an array."""
        payload, padding = _payload(name, array)
        self._sink.write(payload)
        self._sink.write(padding)
        self._enter(name, _written(array, (payload, padding)))

    def stream(self, make: Callable[[int, int], Mapping[str, Written]]) -> None:
        """Let a function write arrays into the open file.

        Parameters
        ----------
        make : callable(descriptor, offset)
            It puts arrays one after the other from `offset` on, each filled up to a
            multiple of 64 bytes with zeros, and returns them by name, in that order.
        """
        self._sink.flush()
        try:
            made = make(self._sink.fileno(), self._position)
        except (ModelFileError, BrokenPipeError):
            raise
        except OSError as error:
            raise write_error(self._name, error) from error
        for name, written in made.items():
            self._enter(name, written)
        self._sink.seek(self._position)

    def _enter(self, name: str, written: Written) -> None:
        self.written[name] = written
        self._position += written.nbytes


@contextmanager
def create_container(
    path: str | os.PathLike[str], names: Iterable[str], metadata: Mapping[str, str]
) -> Iterator[ContainerWriter]:
    """Give a file to write arrays to, which becomes `path` when the block ends well.

    It has the same bytes as if `write_container` had written it, but no array has to be
    in memory.

    Parameters
    ----------
    path : path-like
        A file; devices and pipes cannot be written so (`ngram.files.is_file_output`).
    names : iterable of str
        Of the arrays that will be written, each with at most two dimensions.
    metadata : mapping of str to str
        As for `write_container`.

    Yields
    ------
    ContainerWriter
    """
    _check_name(path)
    length = _header_length(names, metadata)
    with atomic_output(path) as sink:
        sink.seek(length)
        writer = ContainerWriter(sink, os.fspath(path), length)
        yield writer
        sink.seek(0)
        sink.write(_header(writer.written, metadata))


def container_size(
    arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]
) -> int:
    """Return how many bytes `write_container` would write."""
    sizes = [array.nbytes + -array.nbytes % LINE for array in arrays.values()]
    return _header_length(arrays, metadata) + sum(sizes)


def open_container(
    path: str | os.PathLike[str],
    *,
    content: str = "model",
    verify: bool | None = None,
    in_memory: bool = False,
) -> Container:
    """Open a file written by `write_container`.

    Parameters
    ----------
    path : path-like
    content : {"model", "counts"}, default="model"
        What the file must hold.
    verify : bool, default=None
        Whether to compare every array with its checksum. By default files of up to 64
        MiB are verified; the header always is.
    in_memory : bool, default=False
        Read the file into memory at once instead of mapping it. Queries of large models
        are then faster (large pages) and the file may be changed.

    Returns
    -------
    Container

    Raises
    ------
    ModelFileError
        If the file cannot be read, is something else, is cut off, or is damaged.
    """
    path = Path(os.path.abspath(os.fspath(path)))
    data = _map(path, content)
    header_bytes = _header_bytes(path, data)
    metadata, entries = _parse_header(path, header_bytes)
    _check_content(path, metadata.get("content", "model"), content)
    base = 8 + len(header_bytes)
    tensors = _tensors(path, metadata, entries, base, len(data))
    if in_memory:
        data = _aligned_copy(data)
    arrays = {tensor.name: _array(data, tensor) for tensor in tensors}
    container = Container(
        path,
        {key: value for key, value in metadata.items() if key not in _RESERVED},
        arrays,
        tensors,
        data,
        metadata["header_crc32"],
        len(data),
    )
    if verify if verify is not None else len(data) <= VERIFY_UP_TO:
        container.verify()
    return container


def _aligned_copy(data: memoryview) -> memoryview:
    """Return a copy whose lines are lines of the processor's cache.

    Large blocks of NumPy begin 16 bytes behind one: a lookup would touch two.
    """
    block = np.empty(len(data) + LINE, np.uint8)
    begin = -block.ctypes.data % LINE
    copy = block[begin : begin + len(data)]
    copy[:] = np.frombuffer(data, np.uint8)
    return copy.data.toreadonly()


def is_container(head: bytes) -> bool:
    """Return whether a file that begins with `head` is one of this package."""
    return head[8:].startswith(HEADER_START.encode())


_RESERVED = ("format", "format_version", "header_crc32", "tensors")


def _check_name(path: str | os.PathLike[str]) -> None:
    if os.path.splitext(path)[1].lower() in SUFFIXES:
        raise InputError(
            f"{os.fspath(path)!r}: a model file is mapped into memory and cannot be "
            "compressed. Choose a name with another ending."
        )


def _payload(name: str, array: NDArray[Any]) -> tuple[memoryview, bytes]:
    """Return the bytes of an array and the zeros that fill its last line."""
    if array.dtype not in DTYPE_NAMES or array.ndim > 2:
        raise TypeError(
            f"array {name!r} has dtype {array.dtype} and {array.ndim} dimensions: it "
            "has no place in a file"
        )
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return flat.data, bytes(-flat.nbytes % LINE)


def _written(array: NDArray[Any], payload: tuple[memoryview, bytes]) -> Written:
    crc32 = zlib.crc32(payload[1], zlib.crc32(payload[0]))
    return Written(DTYPE_NAMES[array.dtype], array.shape, crc32)


def _header(arrays: Mapping[str, Written], metadata: Mapping[str, str]) -> bytes:
    """Return the first bytes of the file, up to the arrays."""
    header = _header_json(arrays, metadata)
    length = _header_length(arrays, metadata) - 8
    header += b" " * (length - len(header))
    position = header.index(CHECKSUM_KEY.encode()) + len(CHECKSUM_KEY)
    checksum = f"{zlib.crc32(header):08x}".encode()
    header = header[:position] + checksum + header[position + 8 :]
    return length.to_bytes(8, "little") + header


def _header_length(names: Iterable[str], metadata: Mapping[str, str]) -> int:
    """Return where the arrays begin, which does not depend on what they are."""
    widest = Written("U64", (LARGEST, LARGEST), 0)
    length = 8 + len(_header_json(dict.fromkeys(names, widest), metadata))
    length += -length % PAGE
    if length > HEADER_LIMIT:
        raise ValueError(f"the header has {length} bytes, more than {HEADER_LIMIT}")
    return length


def _header_json(arrays: Mapping[str, Written], metadata: Mapping[str, str]) -> bytes:
    entries: dict[str, Any] = {}
    tensors: dict[str, Any] = {}
    begin = 0
    for name, written in arrays.items():
        end = begin + written.nbytes
        itemsize = np.dtype(DTYPES[written.dtype]).itemsize
        entries[name] = {
            "dtype": written.dtype,
            "shape": [(end - begin) // itemsize],
            "data_offsets": [begin, end],
        }
        crc32 = f"{written.crc32:08x}"
        tensors[name] = {"shape": list(written.shape), "crc32": crc32}
        begin = end
    for key, value in metadata.items():
        (key + value).encode()  # lone surrogates are no text for other readers
        if key in _RESERVED:
            raise ValueError(f"metadata key {key!r} belongs to the container")
    fields = {
        "format": "ngram",
        "format_version": str(FORMAT_VERSION),
        "header_crc32": "00000000",
        **metadata,
        "tensors": _dump(tensors),
    }
    return _dump({"__metadata__": fields, **entries}).encode("ascii")


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _map(path: Path, content: str) -> memoryview:
    try:
        with open(path, "rb") as source:
            size = os.fstat(source.fileno()).st_size
            if size == 0:
                raise ModelFileError(f"{path}: the file is empty, not a model.")
            mapped = mmap.mmap(source.fileno(), size, access=mmap.ACCESS_READ)
    except IsADirectoryError as error:
        raise ModelFileError(
            f"{path}: this is a directory, not a model file."
        ) from error
    except ModelFileError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelFileError(f"cannot open the {content} {path}: {reason}.") from error
    if hasattr(mmap, "MADV_WILLNEED"):
        mapped.madvise(mmap.MADV_WILLNEED)
    return memoryview(mapped)


def _header_bytes(path: Path, data: memoryview) -> bytes:
    size = len(data)
    length = int.from_bytes(data[:8], "little") if size >= 8 else 0
    start = HEADER_START.encode()
    if size < 8 or bytes(data[8 : 8 + len(start)]) != start[: max(0, size - 8)]:
        raise ModelFileError(f"{path}: {_other_kind(bytes(data[: 1 << 16]))}")
    if length > HEADER_LIMIT:
        raise ModelFileError(
            f"{path}, byte 0: the header would have {length} bytes; a model's has at "
            f"most {HEADER_LIMIT}. The file is damaged."
        )
    if 8 + length > size:
        raise ModelFileError(
            f"{path}: the file is cut off: it has {size} bytes and its header alone "
            f"needs {8 + length}. Copy it again from where it came from."
        )
    return bytes(data[8 : 8 + length])


def _other_kind(begin: bytes) -> str:
    """Say what a file is that is not one of ours, and what to do with it."""
    if begin.startswith(b"mmap lm http://kheafield.com/code"):
        return "this is a KenLM binary file. Use the ARPA file that it was made from."
    packed = compression(begin)
    if packed:
        return (
            f"this file is compressed ({packed}), and a model, which is mapped into "
            "memory, must not be. Decompress it. (An ARPA file may be compressed.)"
        )
    if b"\\data\\" in begin:
        return "this is an ARPA file, which ngram.read_arpa(path) reads."
    if begin[8:9] == b"{" and b'"dtype"' in begin:
        return "this is a safetensors file, but no n-gram model."
    if begin.startswith(b"\x80") and begin[1:2] in b"\x02\x03\x04\x05":
        return "this is a Python pickle. Models are saved with Model.save."
    if not any(byte < 9 for byte in begin):
        return (
            "this is a text file. Train a model on it: `ngram train`, or "
            "ngram.train(path)."
        )
    return "this is not an n-gram model file, or its first bytes are damaged."


def _parse_header(path: Path, header: bytes) -> tuple[dict[str, str], dict[str, Any]]:
    version_start = len(HEADER_START)
    version_end = header.find(b'"', version_start)
    version = header[version_start:version_end].decode("ascii", "replace")
    if version != str(FORMAT_VERSION):
        if version.isdecimal() and len(version) < 10:
            raise ModelFileError(
                f"{path}: the file has format version {version}, this release of ngram "
                f"reads version {FORMAT_VERSION}. Install a release that reads version "
                f"{version}, or train the model again."
            )
        raise _damaged_header(path, "the format version is not a number")
    # Read before parsing: a damaged header should say so, not fail somewhere in the
    # JSON.
    position = header.find(CHECKSUM_KEY.encode(), version_end) + len(CHECKSUM_KEY)
    stored = header[position : position + 8]
    zeroed = zlib.crc32(
        header[position + 8 :], zlib.crc32(header[:position] + b"00000000")
    )
    if stored != f"{zeroed:08x}".encode():
        raise _damaged_header(path, "its CRC-32 does not match")
    try:
        entries = json.loads(
            header,
            object_pairs_hook=_unique_keys,
            parse_constant=_no_constant,
            parse_float=_no_constant,
        )
    except (ValueError, RecursionError) as error:
        raise _damaged_header(path, str(error)) from error
    metadata = entries.pop("__metadata__")
    if not all(isinstance(value, str) for value in metadata.values()):
        raise _damaged_header(path, "a metadata value is not a string")
    return metadata, entries


def _check_content(path: Path, found: str, expected: str) -> None:
    if found == expected:
        return
    if found == "counts":
        raise ModelFileError(
            f"{path}: this is a file of counts, not a model. Train a model from it: "
            "`ngram train --from-counts`, or ngram.train(ngram.Counts.load(path))."
        )
    if found == "model":
        raise ModelFileError(
            f"{path}: this is a model, not a file of counts, and the counts it was "
            "made of are not in it. Count the text: `ngram count`, or "
            "ngram.count_ngrams(path)."
        )
    raise ModelFileError(
        f"{path}: the file holds {found!r:.40}, which this release of ngram does not "
        "know."
    )


def _damaged_header(path: Path, reason: str) -> ModelFileError:
    return ModelFileError(
        f"{path}, byte 8: the header is damaged: {reason}. Copy the file again from "
        "where it came from, or train the model again."
    )


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("a key appears twice")
    return unique


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not an integer")


def _tensors(
    path: Path, metadata: dict[str, str], entries: dict[str, Any], base: int, size: int
) -> list[Tensor]:
    """Return the arrays in the order of the file; they must fill it without a gap."""
    try:
        described = json.loads(metadata["tensors"], object_pairs_hook=_unique_keys)
        tensors = [
            _tensor(name, entry, described[name], base)
            for name, entry in entries.items()
        ]
        if len(described) != len(tensors):
            raise ValueError("arrays are described that are not there")
        expected = base
        for tensor in tensors:
            if tensor.begin != expected:
                raise ValueError(f"the array {tensor.name!r} leaves a gap or overlaps")
            expected = tensor.end
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise _damaged_header(path, f"{error}") from error
    if expected != size:
        kind = "cut off" if size < expected else "too long"
        raise ModelFileError(
            f"{path}: the file is {kind}: it has {size} bytes and its header describes "
            f"{expected}. Copy it again from where it came from."
        )
    return tensors


def _tensor(name: str, entry: Any, described: Any, base: int) -> Tensor:
    """Check one entry of the header and return it."""
    if set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the array {name!r} has unknown fields")
    if set(described) != {"shape", "crc32"}:
        raise ValueError(f"the array {name!r} is described with unknown fields")
    itemsize = np.dtype(DTYPES[entry["dtype"]]).itemsize
    begin, end = _lengths(name, entry["data_offsets"])
    (stored,) = _lengths(name, entry["shape"])
    shape = tuple(_lengths(name, described["shape"]))
    if begin > end or stored * itemsize != end - begin or begin % LINE or end % LINE:
        raise ValueError(f"the offsets of the array {name!r} do not fit its shape")
    if not 0 <= (end - begin) - math.prod(shape) * itemsize < LINE:
        raise ValueError(f"the array {name!r} has another size than described")
    crc32 = described["crc32"]
    if not isinstance(crc32, str) or len(crc32) != 8:
        raise ValueError(f"the array {name!r} has no checksum")
    return Tensor(name, entry["dtype"], shape, base + begin, base + end, crc32)


def _lengths(name: str, values: Any) -> list[int]:
    if not isinstance(values, list) or not all(
        type(value) is int and 0 <= value < 1 << 62 for value in values
    ):
        raise ValueError(f"the array {name!r} has a length that is not a number")
    return values


def _array(data: memoryview, tensor: Tensor) -> NDArray[Any]:
    if sys.byteorder != "little":
        raise ModelFileError("model files are little-endian and this machine is not.")
    dtype = np.dtype(DTYPES[tensor.dtype])
    array = np.frombuffer(data, dtype, math.prod(tensor.shape), tensor.begin)
    if tensor.begin % LINE:  # a file arranged by somebody else
        array = array.copy()
        array.flags.writeable = False
    return array.reshape(tensor.shape)
