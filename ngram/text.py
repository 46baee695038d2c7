"""Text to ids: tokenizers, and reading a corpus from wherever it is.

Input: paths, sentences or arrays. Output of `read_corpus`: the corpus as `TokenIds`,
its `Vocabulary`, and where the text came from. A `Tokenizer` cuts text into tokens, the
same way in training and in scoring. Read `ext/engine/text/tokenizer.hpp` for the native
tokenizers, then `ngram/vocabulary.py`.
"""

import io
import itertools
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ngram._core.text import TOKENIZERS, CorpusReader, TokenIds, encode_batch, tokenize
from ngram._core.vocabulary import Vocabulary
from ngram.errors import InputError, MissingDependencyError, warn
from ngram.files import InputStream, check_text, open_input
from ngram.memory import MemoryBudget
from ngram.threads import thread_count

__all__ = ["TokenIds", "Tokenizer", "is_paths", "open_text", "read_corpus"]

Progress = Callable[[str, int, int], object]

# Text that Python reads goes to the engine in blocks, sentences in batches.
BLOCK = 4 << 20
BATCH = 1 << 14

SPECIAL_WORDS = ("<unk>", "<s>", "</s>")
SPACE = "\u2581"  # lower one eighth block


class Tokenizer(ABC):
    """Cuts text into tokens, and joins tokens to text.

    `Tokenizer.of("whitespace")`, `"characters"`, `"bytes"`, or of a tokenizer of the
    library `tokenizers` (its JSON file, its JSON text or the object).

    Attributes
    ----------
    name : str
        "whitespace", "characters", "bytes" or "tokenizers".
    native : bool
        Whether the engine cuts the text itself.

    Notes
    -----
    whitespace
        Words are what stands between NUL, TAB, LF, CR and SPACE.
    characters
        Every Unicode code point is a token. SPACE is the token U+2581; U+2581 itself,
        TAB, LF, CR and NUL are U+2581 followed by U+2581, "t", "n", "r" and "0". A
        byte that is not valid UTF-8 is a token. Nothing is lost.
    bytes
        Every byte is a token: printable ASCII except "<" is itself, any other byte
        looks like "<0xEA>". Nothing is lost.

    Examples
    --------
    >>> Tokenizer.of("characters").tokenize("a b")
    ['a', '▁', 'b']
    """

    name: str
    native = False

    @staticmethod
    def of(tokenizer: object) -> "Tokenizer":
        """Return the tokenizer that is meant.

        Parameters
        ----------
        tokenizer : str, path-like, Tokenizer or tokenizers.Tokenizer
            A native name, or the path of a JSON file of the library `tokenizers`.

        Returns
        -------
        Tokenizer

        Raises
        ------
        InputError
            If there is no such tokenizer.
        MissingDependencyError
            If it needs the library `tokenizers`, which is not installed.
        """
        if isinstance(tokenizer, Tokenizer):
            return tokenizer
        if isinstance(tokenizer, str) and tokenizer in NATIVE:
            return NATIVE[tokenizer]()
        if isinstance(tokenizer, (str, os.PathLike)):
            path = Path(tokenizer)
            try:
                return LibraryTokenizer(_tokenizer_file(path))
            except InputError as error:
                raise InputError(f"tokenizer {str(path)!r}: {error}") from error
        if type(tokenizer).__module__.partition(".")[0] == "tokenizers":
            return LibraryTokenizer(tokenizer.to_str())  # type: ignore[attr-defined]
        raise InputError(
            f"tokenizer is {tokenizer!r}: it must be {', '.join(map(repr, NATIVE))}, "
            "the path of a tokenizer JSON file, or a tokenizers.Tokenizer."
        )

    @staticmethod
    def from_json(text: str) -> "Tokenizer":
        """Return the tokenizer that `to_json` described."""
        return LibraryTokenizer(text)

    def to_json(self) -> str:
        """Return what a model file must store beside the name: nothing if native."""
        return ""

    @abstractmethod
    def tokenize(self, text: str) -> list[str]:
        """Return the tokens of a text."""

    @abstractmethod
    def detokenize(self, tokens: Iterable[str]) -> str:
        """Return the text of some tokens."""

    @abstractmethod
    def encode_batch(
        self, texts: Sequence[str], vocabulary: Vocabulary
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Return ids and offsets: text i is `ids[offsets[i]:offsets[i + 1]]`.

        Tokens outside the vocabulary have the id 0.
        """

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tokenizer):
            return NotImplemented
        return (self.name, self.to_json()) == (other.name, other.to_json())

    def __hash__(self) -> int:
        return hash((self.name, self.to_json()))

    def __repr__(self) -> str:
        return f"Tokenizer.of({self.name!r})"


class NativeTokenizer(Tokenizer):
    """A tokenizer of the engine."""

    native = True

    def tokenize(self, text: str) -> list[str]:
        return tokenize(text, self.name)

    def encode_batch(
        self, texts: Sequence[str], vocabulary: Vocabulary
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        return encode_batch(texts, vocabulary, self.name)


class WhitespaceTokenizer(NativeTokenizer):
    """Words between white space."""

    name = "whitespace"

    def detokenize(self, tokens: Iterable[str]) -> str:
        return " ".join(tokens)


class CharacterTokenizer(NativeTokenizer):
    """Unicode code points."""

    name = "characters"
    ESCAPES: ClassVar = {
        SPACE: " ",
        SPACE + SPACE: SPACE,
        SPACE + "t": "\t",
        SPACE + "n": "\n",
        SPACE + "r": "\r",
        SPACE + "0": "\0",
    }

    def detokenize(self, tokens: Iterable[str]) -> str:
        return _canonical("".join(self.ESCAPES.get(token, token) for token in tokens))


class ByteTokenizer(NativeTokenizer):
    """Bytes of UTF-8."""

    name = "bytes"
    BYTES: ClassVar = {
        tokenize(bytes([value]), "bytes")[0]: bytes([value]) for value in range(256)
    }

    def detokenize(self, tokens: Iterable[str]) -> str:
        known = self.BYTES
        data = b"".join(known.get(token) or _escaped(token) for token in tokens)
        return data.decode("utf-8", "surrogateescape")


def _escaped(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _canonical(text: str) -> str:
    """Return a text whose escaped bytes are characters where they are valid UTF-8."""
    return _escaped(text).decode("utf-8", "surrogateescape")


NATIVE: dict[str, type[NativeTokenizer]] = {
    tokenizer.name: tokenizer
    for tokenizer in (WhitespaceTokenizer, CharacterTokenizer, ByteTokenizer)
}
assert tuple(NATIVE) == TOKENIZERS


class LibraryTokenizer(Tokenizer):
    """A tokenizer of the library `tokenizers` (Hugging Face).

    Bytes that are not valid UTF-8 become U+FFFD first, because the library knows only
    valid text. No special tokens are added.

    Parameters
    ----------
    text : str
        The JSON of the tokenizer.
    """

    name = "tokenizers"

    def __init__(self, text: str) -> None:
        try:
            import tokenizers
        except ImportError:
            raise MissingDependencyError(
                "this tokenizer needs the library tokenizers, which is not installed: "
                "pip install 'ngram-engine[tokenizers]'"
            ) from None
        try:
            self._tokenizer = tokenizers.Tokenizer.from_str(text)
        except Exception as error:  # the library raises nothing narrower
            raise InputError(
                f"this is not a tokenizer of the library tokenizers: {error}."
            ) from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._json = text
        self._words: tuple[Vocabulary, NDArray[np.uint32]] | None = None

    def to_json(self) -> str:
        return self._json

    def tokenize(self, text: str) -> list[str]:
        encoding = self._tokenizer.encode(_valid(text), add_special_tokens=False)
        return list(encoding.tokens)

    def detokenize(self, tokens: Iterable[str]) -> str:
        tokens = list(tokens)
        found = [self._tokenizer.token_to_id(token) for token in tokens]
        ids = [library_id for library_id in found if library_id is not None]
        if len(ids) == len(tokens):
            return str(self._tokenizer.decode(ids, skip_special_tokens=False))
        if self._tokenizer.decoder is None:
            return " ".join(tokens)
        return str(self._tokenizer.decoder.decode(tokens))

    def encode_batch(
        self, texts: Sequence[str], vocabulary: Vocabulary
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        if self._words is None or self._words[0] is not vocabulary:
            words = (vocabulary.id(self.token(i)) for i in range(self.size))
            self._words = vocabulary, np.fromiter(words, np.uint32, self.size)
        ids, offsets = self.library_ids(texts)
        return self._words[1][ids], offsets

    @property
    def size(self) -> int:
        """Number of ids of the library."""
        tokens = self._tokenizer.get_vocab(with_added_tokens=True)
        return max(tokens.values(), default=-1) + 1

    def token(self, library_id: int) -> str:
        """Return the token of an id of the library; ids may have gaps."""
        return self._tokenizer.id_to_token(library_id) or "<unk>"

    def library_ids(
        self, texts: Sequence[str | bytes]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the library's own ids of texts, and offsets."""
        encode = getattr(
            self._tokenizer, "encode_batch_fast", self._tokenizer.encode_batch
        )
        encodings = encode([_valid(text) for text in texts], add_special_tokens=False)
        offsets = np.zeros(len(encodings) + 1, np.int64)
        lists = [encoding.ids for encoding in encodings]
        np.cumsum([len(ids) for ids in lists], out=offsets[1:])
        ids = np.fromiter(itertools.chain.from_iterable(lists), np.int64, offsets[-1])
        return ids, offsets

    def __reduce__(self) -> tuple[Any, ...]:
        return LibraryTokenizer, (self._json,)

    def __repr__(self) -> str:
        return f"Tokenizer.of(<{self.size} tokens of the library tokenizers>)"


def _valid(text: str | bytes) -> str:
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    return data.decode("utf-8", "replace")


def _tokenizer_file(path: Path) -> str:
    if not path.exists():
        raise InputError(
            "there is neither a native tokenizer (these are "
            f"{', '.join(map(repr, NATIVE))}) nor a file of this name."
        )
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the file cannot be read: {error}.") from error


# ---- corpora ------------------------------------------------------------------------


def read_corpus(
    corpus: object,
    tokenizer: str | Tokenizer = "whitespace",
    *,
    skip_symbols: bool = False,
    threads: int | None = None,
    budget: MemoryBudget | None = None,
    progress: Progress | None = None,
) -> tuple[TokenIds, Vocabulary, list[dict[str, Any]]]:
    """Return a corpus as ids, with its vocabulary and where it came from.

    Every line of a file is a sentence, an empty one too.

    Parameters
    ----------
    corpus : path, list of paths, file object, iterable of str, or arrays
        * a str or path-like is the path of one text file; "-" is stdin;
        * several path-likes (`pathlib.Path`, not str) are several files;
        * an open file is read to its end;
        * any other iterable of str or bytes gives one sentence each: so `["a rose"]` is
          a text of one sentence, while `"a rose"` is the name of a file;
        * (ids, offsets, vocabulary), or (TokenIds, vocabulary), is a corpus that is
          tokenized already.
        Files may be gzip, xz, bzip2 or zstandard.
    tokenizer : str or Tokenizer, default="whitespace"
        As `Tokenizer.of` takes it.
    skip_symbols : bool, default=False
        Read the words `<s>`, `</s>` and `<unk>` as white space; else they are errors.
    threads : int, default=None
        By default, all processors. The ids do not depend on it.
    budget : MemoryBudget, default=None
        Ids beyond its share of memory are kept in a temporary file; those of the
        library `tokenizers` are not.
    progress : callable(stage, done, total), default=None
        Bytes read so far and in all; a total of 0 is unknown.

    Returns
    -------
    ids : TokenIds
    vocabulary : Vocabulary
        `<unk>`, `<s>`, `</s>`, then the tokens in order of first occurrence.
    sources : list of dict
        `name`, `bytes`, `sentences` and `tokens` of each part of the corpus.

    Raises
    ------
    InputError
        If the corpus is of another type, a file is missing, damaged or not a text, or a
        sentence contains `<s>`, `</s>` or `<unk>`.
    MissingDependencyError
        If a file needs a library that is not installed.
    """
    tokenizer = Tokenizer.of(tokenizer)
    arrays = _arrays(corpus)
    if arrays is not None:
        ids, vocabulary = arrays
        return ids, vocabulary, [_source("arrays", ids.ids.nbytes, ids)]
    threads = thread_count(threads)
    reader: _Reader
    if isinstance(tokenizer, LibraryTokenizer):
        reader = LibraryReader(tokenizer, skip_symbols=skip_symbols, progress=progress)
    else:
        reader = CorpusReader(
            tokenizer.name,
            skip_symbols=skip_symbols,
            threads=threads,
            temp_dir="" if budget is None else budget.temp_dir,
            id_bytes=0 if budget is None else budget.id_bytes,
            progress=progress,
        )
    sources = []
    for name, read in _parts(corpus, tokenizer):
        before = reader.bytes, reader.sentences, reader.tokens
        read(reader)
        sources.append(
            {
                "name": name,
                "bytes": reader.bytes - before[0],
                "sentences": reader.sentences - before[1],
                "tokens": reader.tokens - before[2],
            }
        )
    ids, vocabulary = reader.finish()
    return ids, vocabulary, sources


_Part = tuple[str, Callable[["_Reader"], None]]


def _parts(corpus: object, tokenizer: Tokenizer) -> Iterator[_Part]:
    """Give the name of each part of a corpus and what reads it."""
    if isinstance(corpus, (str, os.PathLike)):
        yield _path_part(corpus, tokenizer)
    elif isinstance(corpus, (bytes, bytearray, memoryview, Mapping)) or not (
        isinstance(corpus, Iterable) or hasattr(corpus, "read")
    ):
        raise InputError(
            "a corpus is a path, a list of pathlib.Path, an open file, or an iterable "
            f"of str with one sentence each; {type(corpus).__name__} is none of them. "
            "To read a text in memory, pass its lines: text.splitlines()."
        )
    elif hasattr(corpus, "read"):
        yield _file_part(corpus, tokenizer)
    elif isinstance(corpus, (list, tuple)) and is_paths(corpus):
        for path in corpus:
            yield _path_part(path, tokenizer)
    else:
        yield "sentences", lambda reader: _read_sentences(reader, corpus)


def corpus_files(corpus: object) -> list[str | os.PathLike[str]]:
    """Return the files that a corpus names."""
    if isinstance(corpus, (str, os.PathLike)):
        return [corpus]
    if isinstance(corpus, (list, tuple)):
        return [item for item in corpus if isinstance(item, os.PathLike)]
    return []


def is_paths(items: Sequence[object]) -> bool:
    """Return whether a list holds paths, not sentences; it cannot hold both."""
    paths = [isinstance(item, os.PathLike) for item in items]
    if any(paths) and not all(paths):
        raise InputError(
            f"item {paths.index(not paths[0])} of the corpus is a "
            f"{type(items[paths.index(not paths[0])]).__name__} and item 0 a "
            f"{type(items[0]).__name__}: pass only paths, or only sentences."
        )
    if any(paths):
        return True
    if 0 < len(items) <= BATCH and all(map(_names_file, items)):
        warn(
            "every sentence of the corpus is the name of a file: a list of str is read "
            "as sentences. To read the files, pass pathlib.Path objects."
        )
    return False


def _names_file(item: object) -> bool:
    return isinstance(item, str) and 0 < len(item) < 4096 and _is_file(item)


def _is_file(path: str) -> bool:
    return "\0" not in path and os.path.isfile(path)


def _exists(path: str) -> bool:
    return "\0" not in path and os.path.exists(path)


def _path_part(path: str | os.PathLike[str], tokenizer: Tokenizer) -> _Part:
    name = os.fspath(path)

    def read(reader: "_Reader") -> None:
        with open_text(path, tokenizer) as stream:
            plain = stream.compression is None and _is_file(name)
            if plain and isinstance(reader, CorpusReader):
                reader.read_file(name)
            else:
                _read_stream(reader, stream, os.path.getsize(name) if plain else 0)

    return name, read


def open_text(path: str | os.PathLike[str], tokenizer: Tokenizer) -> InputStream:
    """Open a text to train on or to score.

    Parameters
    ----------
    path : str or path-like
        "-" is stdin. Compressed files are decompressed on the way.
    tokenizer : Tokenizer
        What will cut the text; "bytes" takes any file.

    Returns
    -------
    InputStream

    Raises
    ------
    InputError
        If the file is missing, unreadable or not a text in UTF-8: a model, an ARPA
        file, an archive, UTF-16.
    """
    name = os.fspath(path)
    try:
        stream = open_input(name)
    except InputError as error:
        is_text = isinstance(path, str) and any(map(str.isspace, name))
        if is_text and not _exists(name):
            raise InputError(
                f"{name[:80]!r} is no file. A str is the path of a text file; to use "
                "the text itself as a corpus, pass a list of sentences: [text], or "
                "text.splitlines()."
            ) from error
        raise
    try:
        check_text(stream.head, stream.name, binary=tokenizer.name == "bytes")
    except BaseException:
        stream.close()
        raise
    return stream


def _file_part(file: Any, tokenizer: Tokenizer) -> _Part:
    name = str(getattr(file, "name", "") or type(file).__name__)
    if isinstance(file, io.TextIOBase) or isinstance(file.read(0), str):
        return name, lambda reader: _read_sentences(
            reader, (line.removesuffix("\n") for line in file)
        )

    def read(reader: "_Reader") -> None:
        with open_input(file) as stream:
            check_text(stream.head, name, binary=tokenizer.name == "bytes")
            _read_stream(reader, stream, 0)

    return name, read


def _read_stream(reader: "_Reader", stream: InputStream, total: int) -> None:
    reader.begin_stream(stream.name, total)
    for block in stream.blocks(BLOCK):
        reader.read_block(block)
    reader.end_stream()


def _read_sentences(reader: "_Reader", sentences: Any) -> None:
    iterator = iter(sentences)
    done = 0
    while batch := list(itertools.islice(iterator, BATCH)):
        if not set(map(type, batch)) <= {str, bytes}:
            _check_types(batch, done)
        reader.read_sentences(batch)
        done += len(batch)


def _check_types(batch: list[Any], done: int) -> None:
    for index, sentence in enumerate(batch):
        if not isinstance(sentence, (str, bytes)):
            raise InputError(
                f"sentence {done + index + 1} of the corpus is a "
                f"{type(sentence).__name__}: sentences are str. Join tokens with "
                "blanks, leave out missing values; a list of paths holds only paths."
            )


def _arrays(corpus: object) -> tuple[TokenIds, Vocabulary] | None:
    """Return a corpus that consists of ids already."""
    if not isinstance(corpus, tuple) or not corpus:
        return None
    if not isinstance(corpus[-1], Vocabulary):
        return None
    if len(corpus) == 2 and isinstance(corpus[0], TokenIds):
        ids, vocabulary = corpus
        values = ids.ids
        if values.size and values.max() >= len(vocabulary):
            raise InputError(
                f"the corpus has the id {values.max()}, the vocabulary only "
                f"{len(vocabulary)} words: they do not belong together."
            )
        return ids, vocabulary
    if len(corpus) == 3:
        return TokenIds.from_arrays(*corpus), corpus[2]
    raise InputError("a corpus of ids is (ids, offsets, vocabulary).")


def _source(name: str, size: int, ids: TokenIds) -> dict[str, Any]:
    return {
        "name": name,
        "bytes": size,
        "sentences": ids.sentences,
        "tokens": ids.tokens,
    }


class LibraryReader:
    """Reads text as `CorpusReader` does, with the library `tokenizers`."""

    def __init__(
        self,
        tokenizer: LibraryTokenizer,
        *,
        skip_symbols: bool,
        progress: Progress | None,
    ) -> None:
        self._tokenizer = tokenizer
        self._skip_symbols = skip_symbols
        self._progress = progress or (lambda stage, done, total: None)
        # The id of each id of the library: 0 if it did not occur yet.
        self._ids = np.zeros(tokenizer.size, np.uint32)
        self._words: list[str] = list(SPECIAL_WORDS)
        self._forbidden = np.zeros(tokenizer.size, bool)
        for library_id in range(tokenizer.size):
            self._forbidden[library_id] = tokenizer.token(library_id) in SPECIAL_WORDS
        self._parts: list[NDArray[np.uint32]] = []
        self._lengths: list[NDArray[np.int64]] = []
        self._name: str | None = None
        self._line = 0
        self._rest = b""
        self._total = 0
        self.bytes = self.sentences = self.tokens = 0

    def begin_stream(self, name: str, total: int) -> None:
        self._name, self._line, self._rest, self._total = name, 0, b"", total

    def read_block(self, block: bytes) -> None:
        self.bytes += len(block)
        *lines, self._rest = (self._rest + block).split(b"\n")
        for begin in range(0, len(lines), BATCH):
            self._add(lines[begin : begin + BATCH])
        self._progress("reading", self.bytes, self._total)

    def end_stream(self) -> None:
        if self._rest.strip(b"\0\t\r "):
            self._add([self._rest])
        self._name, self._line, self._rest = None, 0, b""

    def read_sentences(self, sentences: Sequence[str]) -> None:
        self.bytes += sum(map(len, sentences))
        self._add(sentences)
        self._progress("reading", self.bytes, 0)

    def _add(self, sentences: Sequence[str | bytes]) -> None:
        library_ids, offsets = self._tokenizer.library_ids(sentences)
        if self._forbidden[library_ids].any():
            library_ids, offsets = self._without_special(library_ids, offsets)
        new, first = np.unique(library_ids, return_index=True)
        fresh = self._ids[new] == 0
        for library_id in new[fresh][np.argsort(first[fresh])]:
            self._ids[library_id] = len(self._words)
            self._words.append(self._tokenizer.token(int(library_id)))
        self._parts.append(self._ids[library_ids])
        self._lengths.append(np.diff(offsets))
        self._line += len(sentences)
        self.sentences += len(sentences)
        self.tokens += len(library_ids)

    def _without_special(
        self, library_ids: NDArray[np.int64], offsets: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        wrong = self._forbidden[library_ids]
        if not self._skip_symbols:
            token = int(np.argmax(wrong))
            line = self._line + int(np.searchsorted(offsets, token, side="right"))
            where = f"sentence {line}" if self._name is None else f"{self._name}:{line}"
            raise InputError(
                f"{where}: the tokenizer makes the token "
                f"{self._tokenizer.token(int(library_ids[token]))} of this text, which "
                "the model uses itself. Change the text, or pass skip_symbols=True "
                "to leave out <s>, </s> and <unk>."
            )
        kept = np.concatenate([[0], np.cumsum(~wrong)])
        return library_ids[~wrong], kept[offsets]

    def finish(self) -> tuple[TokenIds, Vocabulary]:
        vocabulary = Vocabulary.from_words(self._words)
        lengths = np.concatenate([np.zeros(1, np.int64), *self._lengths])
        ids = np.concatenate([np.zeros(0, np.uint32), *self._parts])
        self._parts, self._lengths = [], []
        return TokenIds.from_arrays(ids, np.cumsum(lengths), vocabulary), vocabulary


_Reader = CorpusReader | LibraryReader
