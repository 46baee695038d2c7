"""Documents of a file, in batches, and the same documents on their way out.

Input: text (a document on each line), JSON lines (a document in a field of each object)
or Parquet (in a column), plain or compressed. Output: batches that know their lines,
what the kept ones look like in a file, and where they end in the input. Read next:
`outputs.py`.
"""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ngram.errors import InputError, MissingDependencyError
from ngram.files import SUFFIXES, InputStream
from ngram.filtering.perplexities import Block, as_json_number, block_of
from ngram.text import open_text

if TYPE_CHECKING:
    from ngram.text import Tokenizer

Mask = NDArray[np.bool_]
BLOCK = 4 << 20  # bytes of text in a batch
ROWS = 4096  # of a Parquet table in a batch
FORMATS = ("text", "jsonl", "parquet")
ENDINGS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


@dataclass(frozen=True)
class Annotation:
    """What a kept document is told about itself."""

    perplexity: NDArray[np.float64]
    bucket: list[str] | None


class Batch(ABC):
    """Consecutive documents of one input.

    Attributes
    ----------
    block : Block
        Their lines.
    end : int
        The place in the input behind them: bytes of text, or rows.
    """

    block: Block
    end: int

    def __len__(self) -> int:
        return len(self.block.lines)

    @abstractmethod
    def kept(self, documents: Mask, notes: Annotation | None) -> Any:
        """Return these documents as the output wants them."""

    @abstractmethod
    def kept_lines(self, lines: Mask) -> Any:
        """Return the documents with these lines alone, those without any left out."""


class TextBatch(Batch):
    def __init__(self, data: bytes, end: int) -> None:
        count = data.count(b"\n") + (not data.endswith(b"\n"))
        self.block = Block(data, np.ones(count, np.int64))
        self.end = end

    def kept(self, documents: Mask, notes: Annotation | None) -> bytes:
        data = self.block.data
        if not data.endswith(b"\n"):
            data += b"\n"
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1
        begins = np.concatenate(([0], ends[:-1]))
        # Neighbours leave together.
        first = documents & ~np.concatenate(([False], documents[:-1]))
        last = documents & ~np.concatenate((documents[1:], [False]))
        view = memoryview(data)
        runs = zip(begins[first].tolist(), ends[last].tolist(), strict=True)
        return b"".join(view[begin:end] for begin, end in runs)

    def kept_lines(self, lines: Mask) -> bytes:
        return self.kept(lines, None)


class JsonBatch(Batch):
    def __init__(
        self, lines: list[bytes], objects: list[dict[str, Any]], field: str, end: int
    ) -> None:
        self._lines = lines
        self._objects = objects
        self._field = field
        self.block = block_of([item[field] for item in objects])
        self.end = end

    def kept(self, documents: Mask, notes: Annotation | None) -> bytes:
        chosen = np.flatnonzero(documents).tolist()
        if notes is None:
            return b"".join(self._lines[i] for i in chosen)
        return b"".join(self._annotated(i, notes) for i in chosen)

    def _annotated(self, i: int, notes: Annotation) -> bytes:
        added: dict[str, Any] = {
            "perplexity": as_json_number(float(notes.perplexity[i]))
        }
        if notes.bucket is not None:
            added["bucket"] = notes.bucket[i]
        return _json_line({**self._objects[i], **added})

    def kept_lines(self, lines: Mask) -> bytes:
        out = []
        first = 0
        for item, line, count in zip(
            self._objects, self._lines, self.block.lines.tolist(), strict=True
        ):
            mask = lines[first : first + count]
            first += count
            if mask.all():
                out.append(line)
            elif mask.any():
                texts = item[self._field].split("\n")
                kept = [text for text, keep in zip(texts, mask, strict=True) if keep]
                out.append(_json_line({**item, self._field: "\n".join(kept)}))
        return b"".join(out)


class ParquetBatch(Batch):
    def __init__(self, rows: Any, field: str, end: int) -> None:
        self._rows = rows
        self._field = field
        self._texts = rows.column(field).to_pylist()
        self.block = block_of(self._texts)
        self.end = end

    def kept(self, documents: Mask, notes: Annotation | None) -> Any:
        import pyarrow as pa

        rows = self._rows
        if notes is not None:
            rows = _with_column(rows, "perplexity", pa.array(notes.perplexity))
            if notes.bucket is not None:
                rows = _with_column(rows, "bucket", pa.array(notes.bucket, pa.string()))
        return rows.filter(pa.array(documents))

    def kept_lines(self, lines: Mask) -> Any:
        import pyarrow as pa

        texts: list[str] = []
        first = 0
        for text, count in zip(self._texts, self.block.lines.tolist(), strict=True):
            mask = lines[first : first + count]
            first += count
            pairs = zip(text.split("\n"), mask, strict=True)
            texts.append("\n".join(line for line, keep in pairs if keep))
        kept = (
            np.add.reduceat(lines, np.cumsum(self.block.lines) - self.block.lines) > 0
        )
        column = self._rows.schema.get_field_index(self._field)
        field = self._rows.schema.field(column)
        rows = self._rows.set_column(column, field, pa.array(texts, field.type))
        return rows.filter(pa.array(kept))


def _with_column(rows: Any, name: str, values: Any) -> Any:
    index = rows.schema.get_field_index(name)
    if index >= 0:
        return rows.set_column(index, name, values)
    return rows.append_column(name, values)


def _json_line(item: dict[str, Any]) -> bytes:
    text = json.dumps(item, ensure_ascii=False)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate, which JSON can only escape
        return json.dumps(item).encode() + b"\n"


def format_of(paths: Sequence[str | os.PathLike[str]], name: str | None) -> str:
    """Return the format of all paths: the given one, or what their names say."""
    if name is not None:
        if name not in FORMATS:
            raise InputError(f"format is {name!r}: choose one of {', '.join(FORMATS)}.")
        return name
    found = {_ending(os.fspath(path)): path for path in paths}
    if len(found) > 1:
        first, second = list(found.items())[:2]
        raise InputError(
            f"{first[1]} is {first[0]} by its name and {second[1]} is {second[0]}: "
            "filter one format at a time, or say which it is with file_format."
        )
    return next(iter(found), "text")


def _ending(path: str) -> str:
    name = os.path.basename(path).lower()
    stem, ending = os.path.splitext(name)
    if ending in SUFFIXES:
        ending = os.path.splitext(stem)[1]
    return ENDINGS.get(ending, "text")


def read_batches(
    path: str, file_format: str, field: str, tokenizer: "Tokenizer", start: int
) -> Iterator[Batch]:
    """Give the documents of a file behind the place `start`.

    Raises
    ------
    InputError
        If the file is missing, damaged or of another format, or if a document has no
        such field, or one that is no string; the message names the line or row.
    """
    if file_format == "parquet":
        yield from _read_parquet(path, field, start)
    elif file_format == "jsonl":
        yield from _read_json(path, field, tokenizer, start)
    else:
        for data, end in _blocks(path, tokenizer, start):
            yield TextBatch(data, end)


def _blocks(
    path: str, tokenizer: "Tokenizer", start: int
) -> Iterator[tuple[bytes, int]]:
    """Give blocks of whole lines, and where each ends."""
    place = 0
    with open_text(Path(path), tokenizer) as stream:
        while place < start:
            skipped = stream.read(min(BLOCK, start - place))
            if not skipped:
                raise InputError(
                    f"{path}: is shorter than when the work on it began. Begin anew."
                )
            place += len(skipped)
        # Where a block ends depends on where it begins alone: a job that goes on
        # has the blocks of one that was never stopped.
        rest = b""
        while data := _read_fully(stream, BLOCK - len(rest) % BLOCK):
            cut = data.rfind(b"\n") + 1
            if cut == 0:
                rest += data
                continue
            block = rest + data[:cut]
            rest = data[cut:]
            place += len(block)
            yield block, place
    if rest:
        yield rest, place + len(rest)


def _read_fully(stream: InputStream, size: int) -> bytes:
    """Read `size` bytes, less only at the end."""
    parts = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _read_json(
    path: str, field: str, tokenizer: "Tokenizer", start: int
) -> Iterator[Batch]:
    done = 0  # lines, for messages
    for data, end in _blocks(path, tokenizer, start):
        lines = data.splitlines(keepends=True) if b"\r" not in data else _lf_lines(data)
        objects = [
            _document(line, field, path, done + number, counted=start == 0)
            for number, line in enumerate(lines, 1)
        ]
        done += len(lines)
        if not lines[-1].endswith(b"\n"):
            lines[-1] += b"\n"
        yield JsonBatch(lines, objects, field, end)


def _lf_lines(data: bytes) -> list[bytes]:
    lines = data.split(b"\n")
    last = lines.pop()
    return [line + b"\n" for line in lines] + ([last] if last else [])


def _document(
    line: bytes, field: str, path: str, number: int, *, counted: bool
) -> dict[str, Any]:
    where = f"{path}, line {number}" + (
        "" if counted else " behind the part that is done"
    )
    try:
        item = json.loads(line)
    except ValueError as error:
        raise InputError(f"{where}: is no JSON: {error}.") from None
    if not isinstance(item, dict):
        raise InputError(f"{where}: is no JSON object but {type(item).__name__}.")
    if not isinstance(item.get(field), str):
        names = ", ".join(item) or "nothing"
        what = "is no string" if field in item else f"is missing; there is {names}"
        raise InputError(
            f"{where}: the field {field!r} {what}. Name another with field."
        )
    return item


def parquet() -> Any:
    """Return pyarrow.parquet, or say what is missing."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise MissingDependencyError(
            "Parquet needs the library pyarrow: install ngram-engine[parquet]."
        ) from None
    return pyarrow.parquet


def _read_parquet(path: str, field: str, start: int) -> Iterator[Batch]:
    library = parquet()
    try:
        file = library.ParquetFile(path)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: is no Parquet file: {error}") from None
    with file:
        names = file.schema_arrow.names
        if field not in names:
            raise InputError(
                f"{path}: the column {field!r} is missing; there is "
                f"{', '.join(names)}. Name another with field."
            )
        kind = str(file.schema_arrow.field(field).type)
        if kind not in ("string", "large_string", "string_view"):
            raise InputError(
                f"{path}: the column {field!r} is {kind}, not a string. Name another "
                "with field."
            )
        if file.metadata.num_rows == 0:
            yield ParquetBatch(_no_rows(file.schema_arrow), field, 0)
        place = 0
        for rows in file.iter_batches(ROWS):
            skipped = min(max(start - place, 0), len(rows))
            place += len(rows)
            if skipped == len(rows):
                continue
            rows = rows.slice(skipped)
            missing = rows.column(field).is_null().to_pylist()
            if any(missing):
                row = place - len(rows) + missing.index(True)
                raise InputError(f"{path}, row {row}: the column {field!r} is null.")
            yield ParquetBatch(rows, field, place)


def _no_rows(schema: Any) -> Any:
    import pyarrow as pa

    return pa.RecordBatch.from_pylist([], schema)
