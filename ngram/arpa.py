"""ARPA files: the text format of back-off models that nearly every toolkit reads.

Input: an ARPA file, plain or compressed, of this package or another toolkit; or
n-grams and their vocabulary. Output: `SortedNgrams` and `Vocabulary`, or an ARPA file
that is byte for byte what `lmplz` writes for the same numbers. Every n-gram written has
its prefix and its suffix among the shorter ones, counts in the header are exact, and
below the highest order every line has a back-off. Read `ngram/model.py` next, which
makes models of n-grams.
"""

import io
import os
import stat
from collections.abc import Callable, Iterable
from typing import IO, TYPE_CHECKING

from ngram._core import arpa as _arpa
from ngram.errors import InputError, warn
from ngram.files import STDIN, atomic_output, open_input
from ngram.threads import thread_count

if TYPE_CHECKING:
    from ngram._core.ngrams import SortedNgrams
    from ngram.vocabulary import Vocabulary

__all__ = ["ArpaWarning", "format_arpa", "parse_arpa"]

Progress = Callable[[str, int, int], object]


class ArpaWarning(UserWarning):
    """Something an ARPA file lacked, and that was added."""


def parse_arpa(
    path: str | os.PathLike[str] | IO[bytes],
    *,
    strict: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> "tuple[SortedNgrams, Vocabulary]":
    r"""Read an ARPA file.

    Sections may be in any order of n-grams; words get ids in the order of the 1-grams,
    with `<unk>`, `<s>`, `</s>` first. Accepted besides the strict format: text before
    ``\data\``, CRLF, blank lines, other white space between the columns, missing
    back-offs (0), `-inf`. What a model lacks is added as KenLM does, without changing a
    score, and warned about.

    Parameters
    ----------
    path : path-like or binary file object
        Plain, or compressed with gzip, bzip2, xz or zstandard. "-" is stdin.
    strict : bool, default=False
        Whether a file that lacks something is an error.
    threads : int, default=None
        By default, all processors. The result does not depend on it.
    progress : callable(stage, done, total), default=None
        `done` and `total` are bytes; `total` is 0 if unknown.

    Returns
    -------
    ngrams : SortedNgrams
    vocabulary : Vocabulary

    Raises
    ------
    InputError
        If the text is not ARPA or contradicts itself, with its line; with `strict`,
        also if it lacks `<unk>`, `<s>`, `</s>` or the prefix or suffix of an n-gram.

    Warns
    -----
    ArpaWarning
        If something was added: a missing `<unk>`, `<s>` or `</s>` gets log10
        probability -100 (`<UNK>` is taken for a missing `<unk>`); a missing prefix or
        suffix of an n-gram gets the probability that backing off gives it, and
        back-off 0.
    """
    ngrams, vocabulary, _ = parse_parts(
        path, strict=strict, threads=threads, progress=progress
    )
    return ngrams, vocabulary


def parse_parts(
    path: str | os.PathLike[str] | IO[bytes],
    *,
    strict: bool = False,
    unk_log10_prob: float = -100.0,
    threads: int | None = None,
    progress: Progress | None = None,
) -> "tuple[SortedNgrams, Vocabulary, _arpa.Lacked]":
    """Read an ARPA file as `parse_arpa` does; also return what it lacked.

    The third value also says where `<unk>`, `<s>` and `</s>` stand in the file.
    `unk_log10_prob` is what a missing `<unk>` gets.
    """
    count = thread_count(threads)
    with open_input(path) as stream:
        name = stream.name
        plain = _plain_file(path) if stream.compression is None else None
        if plain is not None:
            # The engine reads it without the help of Python.
            with open(plain, "rb", buffering=0) as file:
                ngrams, vocabulary, lacked = _arpa.read_arpa(
                    file.fileno(),
                    name,
                    size=os.fstat(file.fileno()).st_size,
                    strict=strict,
                    unk_log10_prob=unk_log10_prob,
                    threads=count,
                    progress=progress,
                )
        else:
            ngrams, vocabulary, lacked = _arpa.read_arpa(
                stream,
                name,
                strict=strict,
                unk_log10_prob=unk_log10_prob,
                threads=count,
                progress=progress,
            )
    _warn(name, lacked, unk_log10_prob)
    return ngrams, vocabulary, lacked


def format_arpa(
    ngrams: "SortedNgrams",
    vocabulary: "Vocabulary",
    path: str | os.PathLike[str] | IO[bytes],
    *,
    comments: Iterable[str] = (),
    threads: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Write n-grams as an ARPA file.

    Parameters
    ----------
    ngrams : SortedNgrams
    vocabulary : Vocabulary
        As many words as there are unigrams.
    path : path-like or binary file object
        Names ending in `.gz`, `.bz2`, `.xz` or `.zst` are compressed; "-" is stdout. A
        path gets its final name when it is complete; an object is written to as it is.
    comments : iterable of str, default=()
        Lines before the n-grams, each behind `# `; readers pass over them.
    threads : int, default=None
        By default, all processors. The bytes do not depend on it.
    progress : callable(stage, done, total), default=None
        `done` and `total` are n-grams.

    Raises
    ------
    InputError
        Before anything is written, if a word is empty or holds white space or NUL,
        which separate words in ARPA: it would be read back as other words.
    ModelFileError
        If the file cannot be written (no space, no permission, no directory).
    """
    count = thread_count(threads)
    if not isinstance(path, (str, os.PathLike)):
        if not hasattr(path, "write") or isinstance(path, io.TextIOBase):
            raise InputError(
                "an output is a path or a file opened in binary mode, not "
                f"{type(path).__name__}."
            )
        name = str(getattr(path, "name", None) or type(path).__name__)
        path.write(comment_lines(comments))
        _arpa.write_arpa(
            ngrams, vocabulary, path, name, threads=count, progress=progress
        )
        return
    with atomic_output(path) as sink:
        sink.write(comment_lines(comments))
        _arpa.write_arpa(
            ngrams,
            vocabulary,
            _descriptor(sink),
            os.fspath(path),
            threads=count,
            progress=progress,
        )


def comment_lines(comments: Iterable[str]) -> bytes:
    """Return comments as they stand before the n-grams."""
    lines = "".join(f"# {comment}\n" for comment in comments)
    return lines.encode("utf-8", "surrogateescape")


def _plain_file(path: str | os.PathLike[str] | IO[bytes]) -> str | None:
    """Return the path of a regular file, which can be opened again."""
    if not isinstance(path, (str, os.PathLike)) or os.fspath(path) == STDIN:
        return None
    return os.fspath(path) if stat.S_ISREG(os.stat(path).st_mode) else None


def _descriptor(sink: IO[bytes]) -> int | IO[bytes]:
    """Return the descriptor of a plain file, which the engine writes without copies."""
    if isinstance(sink, io.BufferedWriter):
        descriptor = sink.fileno()
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            sink.flush()
            return descriptor
    return sink


def _warn(name: str, lacked: "_arpa.Lacked", unk_log10_prob: float) -> None:
    """Warn once about everything that was added."""
    added = []
    if lacked["unk_upper_case"]:
        added.append("<UNK> was taken for <unk>")
    if lacked["unk"] and unk_log10_prob != -100:
        added.append(f"<unk> got the log10 probability {unk_log10_prob:g}")
    missing = [
        word
        for word, absent in (
            ("<unk>", lacked["unk"] and unk_log10_prob == -100),
            ("<s>", lacked["bos"]),
            ("</s>", lacked["eos"]),
        )
        if absent
    ]
    if missing:
        added.append(f"{', '.join(missing)} got the log10 probability -100")
    if lacked["suffixes"]:
        added.append(
            f"{lacked['suffixes']} n-grams that longer ones end with were added with "
            "backed-off probabilities"
        )
    if lacked["prefixes"]:
        added.append(
            f"{lacked['prefixes']} n-grams that longer ones begin with were added with "
            "backed-off probabilities"
        )
    if added:
        warn(
            f"{name}: the model was not complete: {'; '.join(added)}.",
            ArpaWarning,
        )
