"""The words of a model and their ids.

Input: words, in the order in which `ngram.text.read_corpus` met them. Output: ids from 0
on, of which 0, 1 and 2 are `<unk>`, `<s>` and `</s>`. The class is compiled, see
`ext/engine/text/vocabulary.hpp`. Read `ngram/smoothing.py` next.
"""

import os
from collections.abc import Iterable

from ngram._core.vocabulary import Vocabulary
from ngram.errors import InputError
from ngram.text import read_corpus

__all__ = ["Vocabulary", "read_words"]


def read_words(words: str | os.PathLike[str] | Iterable[str]) -> list[str]:
    """Return the different words of a word list, in order, without special words.

    Parameters
    ----------
    words : path-like or iterable of str
        A str is the path of a file whose words stand between white space. Anything else
        gives one word each.

    Returns
    -------
    list of str

    Raises
    ------
    InputError
        If the file cannot be read, or a word is empty or not a str.
    """
    if isinstance(words, (str, os.PathLike)):
        _, vocabulary, _ = read_corpus(words, skip_symbols=True)
        return vocabulary.words()[3:]
    listed = list(words)
    for word in listed:
        if not isinstance(word, str) or not word:
            raise InputError(f"a word list holds words, not {word!r}.")
    return Vocabulary.from_words(listed).words()[3:]
