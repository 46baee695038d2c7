"""Word classes: words in groups by the words beside them, and their file.

Input: a corpus. Output of `cluster_words`: `WordClasses`, a class for every word, made
so that a class bigram model of the corpus is as probable as can be; with a hierarchy,
coarser classes nest in finer ones. Read `ext/engine/classes/exchange.hpp` for the
algorithm, `ngram/classes/class_model.py` next.
"""

import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ngram._core.classes import ONE_BIT, exchange, merge_classes
from ngram.arguments import MOST, checked_integer
from ngram.errors import InputError
from ngram.files import atomic_output, open_input
from ngram.text import Tokenizer, read_corpus
from ngram.threads import thread_count
from ngram.vocabulary import Vocabulary

__all__ = ["WordClasses", "cluster_words"]

Progress = Callable[[str, int, int], object]

EDGE = 2  # </s>, and the <s> of the next sentence
FIRST_WORD = 3
NO_CLASS = -1  # of <unk>, <s> and </s>
# The classes of a hierarchy are merged in time that grows with their cube.
MOST_MERGED = 4096


@dataclass(frozen=True, eq=False)
class WordClasses:
    """A class for every word of a vocabulary.

    Made by `cluster_words` and `WordClasses.load`.

    Attributes
    ----------
    vocabulary : Vocabulary
    class_of : ndarray of shape (len(vocabulary),), dtype=int32
        The class of every word, 0 to n_classes - 1; -1 for `<unk>`, `<s>` and `</s>`.
        Class 0 has the most tokens, if the classes come from `cluster_words`.
    paths : tuple of str, or None
        The way from the root of the hierarchy to every class, as "0" and "1": the
        longer the prefix that two classes share, the more alike they are.
    log10_probs : tuple of float
        Log10 probability of the corpus by its own class bigrams, with `</s>`: before
        the first pass and after each. Empty if the classes come from a file.

    Examples
    --------
    >>> import ngram
    >>> sentences = ["a cat sat", "the cat ran", "a dog ran", "the dog sat"]
    >>> classes = ngram.cluster_words(sentences, 3)
    >>> classes["cat"] == classes["dog"]
    True
    """

    vocabulary: Vocabulary
    class_of: NDArray[np.int32]
    paths: tuple[str, ...] | None = None
    log10_probs: tuple[float, ...] = ()

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return int(self.class_of.max(initial=NO_CLASS)) + 1

    def __getitem__(self, word: str) -> int:
        """Return the class of a word; a word that has none is a KeyError."""
        found = int(self.class_of[self.vocabulary[word]])
        if found == NO_CLASS:
            raise KeyError(word)
        return found

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self.vocabulary.id(word) >= FIRST_WORD

    def __len__(self) -> int:
        """Return how many words have a class."""
        return len(self.vocabulary) - FIRST_WORD

    def words(self, class_id: int) -> list[str]:
        """Return the words of a class, in order of their ids."""
        word = self.vocabulary.word
        return [word(int(i)) for i in np.flatnonzero(self.class_of == class_id)]

    def path(self, word: str) -> str:
        """Return the path of a word's class, "0" and "1" from the root."""
        return self._paths()[self[word]]

    def shortened(self, length: int) -> "WordClasses":
        """Return coarser classes: those whose paths begin alike become one.

        Parameters
        ----------
        length : int
            Number of steps from the root, at least 0. Longer ones than any path leave
            the classes as they are.

        Returns
        -------
        WordClasses
            Every class of it is made of whole classes of this one.
        """
        length = checked_integer("length", length, least=0)
        prefixes = [path[:length] for path in self._paths()]
        paths = list(dict.fromkeys(prefixes))
        coarse = np.array([*map(paths.index, prefixes), NO_CLASS], np.int32)
        return WordClasses(self.vocabulary, coarse[self.class_of], tuple(paths))

    def _paths(self) -> tuple[str, ...]:
        if self.paths is None:
            raise InputError(
                "these classes have no hierarchy: make them with hierarchy=True."
            )
        return self.paths

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the classes as a text.

        A line is `word TAB class`, with a hierarchy `word TAB class TAB path`; lines
        stand in the order of the vocabulary, without the reserved words.

        Parameters
        ----------
        path : path-like
            Names ending in `.gz`, `.bz2`, `.xz` or `.zst` are compressed; "-" is
            stdout.
        """
        words = self.vocabulary.words()[FIRST_WORD:]
        for word in words:
            if re.search(r"[\t\r\n]", word):
                raise InputError(
                    f"the word {word!r} holds a tab or a line end, which separate words"
                    " and lines in a file of classes. Keep such classes with pickle."
                )
        with atomic_output(path) as file:
            for word, class_id in zip(
                words, self.class_of[FIRST_WORD:].tolist(), strict=True
            ):
                end = f"\t{self.paths[class_id]}\n" if self.paths else "\n"
                line = f"{word}\t{class_id}{end}"
                file.write(line.encode("utf-8", "surrogateescape"))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read classes that `save` wrote, or others in the same form.

        Parameters
        ----------
        path : path-like
            Plain, or compressed with gzip, bzip2, xz or zstandard.

        Returns
        -------
        WordClasses

        Raises
        ------
        InputError
            If the file is missing or a line is not as `save` describes it.
        """
        with open_input(path) as stream:
            lines = stream.read().split(b"\n")
            name = stream.name
        if lines and not lines[-1]:
            lines.pop()
        return cls(*_read_classes(lines, name))


def _read_classes(
    lines: list[bytes], name: str
) -> tuple[Vocabulary, NDArray[np.int32], tuple[str, ...] | None]:
    words: list[bytes] = []
    classes: list[int] = []
    paths: dict[int, bytes | None] = {}
    for number, line in enumerate(lines, start=1):
        match = re.fullmatch(rb"([^\t\r\n]+)\t(\d{1,9})(?:\t([01]*))?\r?", line)
        if match is None:
            text = line[:80].decode("utf-8", "replace")
            raise InputError(
                f"{name}:{number}: {text!r} is no word and class: a line is the word, a"
                " tab and a number; perhaps another tab and a path of 0 and 1."
            )
        word, class_id, path = match[1], int(match[2]), match[3]
        words.append(word)
        classes.append(class_id)
        if paths.setdefault(class_id, path) != path:
            raise InputError(
                f"{name}:{number}: class {class_id} has another path before."
            )
    vocabulary = Vocabulary.from_words(words)
    if not words:
        raise InputError(f"{name}: the file holds no word.")
    if len(vocabulary) != len(words) + FIRST_WORD:
        seen = {b"<unk>", b"<s>", b"</s>"}
        for number, word in enumerate(words, start=1):
            if word in seen:
                text = word.decode("utf-8", "replace")
                raise InputError(f"{name}:{number}: {text!r} has a class already.")
            seen.add(word)
    missing = set(range(len(paths))) - set(paths)
    if missing:
        raise InputError(
            f"{name}: class {min(missing)} has no word, but class {max(paths)} has:"
            " number the classes from 0 on without gaps."
        )
    class_of = np.array([NO_CLASS] * FIRST_WORD + classes, np.int32)
    without = [class_id for class_id in sorted(paths) if paths[class_id] is None]
    if len(without) == len(paths):
        return vocabulary, class_of, None
    if without:
        raise InputError(f"{name}: class {without[0]} has no path, and others have.")
    steps = (paths[class_id] or b"" for class_id in range(len(paths)))
    return vocabulary, class_of, tuple(path.decode("ascii") for path in steps)


# ---- clustering ---------------------------------------------------------------------


def cluster_words(
    corpus: object,
    n_classes: int = 500,
    *,
    hierarchy: bool = False,
    iterations: int = 10,
    seed: int | None = None,
    tokenizer: str | Tokenizer = "whitespace",
    skip_symbols: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> WordClasses:
    """Put the words of a corpus into classes by the words beside them.

    The exchange algorithm moves one word after the other to the class that makes a
    class bigram model of the corpus most probable. The same corpus and options give
    the same classes for any number of threads.

    Parameters
    ----------
    corpus : path, list of path, iterable of str, or (ids, offsets, vocabulary)
        As in `ngram.train`.
    n_classes : int, default=500
        At most as many as there are distinct words.
    hierarchy : bool, default=False
        Merge the classes, those first that lose the least mutual information, and keep
        the tree as `paths`. Takes time with the cube of `n_classes`, at most 4096.
    iterations : int, default=10
        How often every word is visited, at most; ends before if none moves. Most of
        the gain comes with the first three.
    seed : int, default=None
        In the beginning the most frequent words have a class each, and the others one
        in common. With a seed, these words are drawn from twice as many: other classes,
        about as good, for models that are mixed.
    tokenizer : str or Tokenizer, default="whitespace"
    skip_symbols : bool, default=False
        Read `<s>`, `</s>` and `<unk>` in the corpus as white space; else an error.
    threads : int, default=None
        By default, all processors.
    progress : callable(stage, done, total), default=None

    Returns
    -------
    WordClasses

    Raises
    ------
    InputError
        If an argument or the corpus cannot be used, as with fewer words than classes.

    Notes
    -----
    After the first words, which are the most frequent, words are visited in blocks: the
    best class of each is found for all of a block at once, and a move is made if it
    still raises the likelihood when its turn comes. The likelihood never falls.

    References
    ----------
    Kneser and Ney (1993), Improved clustering techniques for class-based statistical
    language modelling, Eurospeech. Martin, Liermann and Ney (1998), Algorithms for
    bigram and trigram word clustering, Speech Communication 24(1), section 2. Brown et
    al. (1992), Class-based n-gram models of natural language, section 3 (hierarchy).

    Examples
    --------
    >>> import ngram
    >>> sentences = ["a cat sat", "the cat ran", "a dog ran", "the dog sat"]
    >>> classes = ngram.cluster_words(sentences, 3, hierarchy=True)
    >>> sorted(map(classes.words, range(3)))
    [['a', 'the'], ['cat', 'dog'], ['sat', 'ran']]
    """
    n_classes = checked_integer("n_classes", n_classes, least=1, most=MOST)
    iterations = checked_integer("iterations", iterations, least=0, most=MOST)
    if seed is not None:
        seed = checked_integer("seed", seed, least=0)
    if hierarchy and n_classes > MOST_MERGED:
        raise InputError(
            f"n_classes is {n_classes}, and a hierarchy is made of at most"
            f" {MOST_MERGED}. Pass fewer, or leave `hierarchy` out."
        )
    threads = thread_count(threads)
    tokens, vocabulary, _ = read_corpus(
        corpus,
        tokenizer,
        skip_symbols=skip_symbols,
        threads=threads,
        progress=progress,
    )
    counts = np.bincount(tokens.ids, minlength=len(vocabulary))
    classes = _first_classes(counts, n_classes, seed)
    likelihoods, bigrams = exchange(
        tokens,
        classes,
        n_classes,
        iterations=iterations,
        threads=threads,
        progress=progress,
    )
    classes, bigrams = _renumbered(classes, bigrams)
    class_of = classes.astype(np.int32)
    class_of[:FIRST_WORD] = NO_CLASS
    paths = None
    if hierarchy:
        merges = merge_classes(bigrams, threads=threads, progress=progress)
        paths = _paths_of(merges.tolist(), n_classes)
    # The likelihood lacks sum of n(w) log n(w), which no class changes.
    occurring = counts[counts > 0].astype(np.float64)
    constant = float(np.sum(occurring * np.log2(occurring)))
    log10_probs = tuple(
        (bits / ONE_BIT + constant) * math.log10(2) for bits in likelihoods
    )
    return WordClasses(vocabulary, class_of, paths, log10_probs)


def _first_classes(
    counts: NDArray[np.int64], n_classes: int, seed: int | None
) -> NDArray[np.uint32]:
    """Return the classes before the first pass, for ids and with the edge."""
    # Martin, Liermann and Ney (1998), section 2: a class for each of the most frequent
    # words, one for all others. Words of the vocabulary that never occur come last.
    order = FIRST_WORD + np.argsort(-counts[FIRST_WORD:], kind="stable")
    words = int(np.count_nonzero(counts[FIRST_WORD:]))
    if words == 0:
        raise InputError("the corpus has no words, so there is nothing to cluster.")
    if n_classes > words:
        raise InputError(
            f"n_classes is {n_classes}, and the corpus has {words} distinct words: pass"
            " as many classes or fewer."
        )
    if seed is not None:
        most = min(2 * n_classes, words)
        order[:most] = np.random.default_rng(seed).permutation(order[:most])
    classes = np.full(len(counts), n_classes - 1, np.uint32)
    classes[order[: n_classes - 1]] = np.arange(n_classes - 1, dtype=np.uint32)
    classes[EDGE] = n_classes
    return classes


def _renumbered(
    classes: NDArray[np.uint32], bigrams: NDArray[np.uint32]
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return the same classes in order of their number of tokens."""
    totals = bigrams[:-1].sum(axis=1, dtype=np.int64)
    order = np.append(np.argsort(-totals, kind="stable"), len(totals))
    places = np.empty(len(order), np.uint32)
    places[order] = np.arange(len(order), dtype=np.uint32)
    return places[classes], np.ascontiguousarray(bigrams[np.ix_(order, order)])


def _paths_of(merges: list[list[int]], n_classes: int) -> tuple[str, ...]:
    """Return the path of every class, from the root on."""
    paths = [""] * n_classes
    members = [[class_id] for class_id in range(n_classes)]
    for into, merged in merges:
        for digit, class_id in (("0", into), ("1", merged)):
            for leaf in members[class_id]:
                paths[leaf] = digit + paths[leaf]
        members[into] += members[merged]
    return tuple(paths)
