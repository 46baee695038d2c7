"""A slow, obvious n-gram model: ARPA text -> dicts -> sorted n-grams and naive scores.

The definition the compiled table and scoring kernels are tested against.
"""

import gzip
import itertools
from pathlib import Path

import numpy as np

from ngram._core.ngrams import SortedNgrams

BOS, EOS, UNK = "<s>", "</s>", "<unk>"


class ReferenceModel:
    """`ngrams[k - 1]`: dict from k word ids to (log10_prob, log10_backoff), float32."""

    def __init__(self, words, ngrams):
        self.words = words
        self.ids = {word: i for i, word in enumerate(words)}
        self.ngrams = ngrams

    @property
    def order(self):
        return len(self.ngrams)

    @staticmethod
    def from_arpa(path):
        data = Path(path).read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        words, ids, ngrams = [], {}, []
        for line in data.split(b"\n"):
            if line.startswith(b"\\") and line.endswith(b"-grams:"):
                ngrams.append({})
            elif ngrams and b"\t" in line:
                fields = line.split(b"\t")
                tokens = fields[1].split(b" ")
                if len(ngrams) == 1:
                    ids[tokens[0]] = len(words)
                    words.append(tokens[0].decode("utf-8", "surrogateescape"))
                key = tuple(ids[token] for token in tokens)
                backoff = float(fields[2]) if len(fields) > 2 else 0.0
                ngrams[-1][key] = (np.float32(fields[0]), np.float32(backoff))
        return ReferenceModel(words, ngrams)

    def sorted_levels(self):
        """The arguments of SortedNgrams.from_levels."""
        levels, below = [], {}
        for order, table in enumerate(self.ngrams, 1):
            keys = sorted(table, key=lambda key: key[::-1])
            backoffs = [table[key][1] for key in keys] if order < self.order else []
            levels.append(
                (
                    [key[0] for key in keys] if order > 1 else [],
                    [below[key[1:]] for key in keys] if order > 1 else [],
                    [table[key][0] for key in keys],
                    backoffs,
                )
            )
            below = {key: i for i, key in enumerate(keys)}
        return levels

    def sorted_ngrams(self):
        return SortedNgrams.from_levels(self.sorted_levels())

    def backoff(self, context):
        entry = self.ngrams[len(context) - 1].get(context)
        return np.float32(0) if entry is None else entry[1]

    def score_token(self, context, word):
        """Back off to the longest n-gram; float32 sums, shortest context first."""
        context = tuple(context)[-(self.order - 1) :] if self.order > 1 else ()
        matched = 0
        for length in range(len(context), -1, -1):
            key = (*context[len(context) - length :], word)
            if key in self.ngrams[length]:
                matched = length
                break
        log10_prob = self.ngrams[matched][(*context[len(context) - matched :], word)][0]
        for length in range(matched + 1, len(context) + 1):
            log10_prob = np.float32(
                log10_prob + self.backoff(context[len(context) - length :])
            )
        return log10_prob, matched + 1

    def score_sentence(self, ids, bos=True, eos=True):
        """Return (log10_prob float32, ngram_length) of every token, `</s>` included."""
        context = [self.ids[BOS]] if bos else []
        rows = []
        for word in [*ids, self.ids[EOS]] if eos else ids:
            rows.append(self.score_token(context, word))
            context.append(word)
        return rows


def random_model(seed, *, words, order, density, sentences=40):
    """A closed model with random values: n-grams of random sentences, some zeros."""
    rng = np.random.default_rng(seed)
    tables = [{} for _ in range(order)]

    def values():
        log10_prob = 0.0 if rng.random() < 0.02 else -rng.gamma(2.0)
        backoff = 0.0 if rng.random() < 0.3 else rng.normal()
        return np.float32(log10_prob), np.float32(backoff)

    for word in range(words):
        tables[0][(word,)] = values()
    for _ in range(sentences):
        length = int(rng.integers(1, 12))
        sentence = rng.zipf(1.3, size=length) % words
        padded = [1, *map(int, sentence), 2]
        for begin, size in itertools.product(range(len(padded)), range(2, order + 1)):
            key = tuple(padded[begin : begin + size])
            if len(key) == size and rng.random() < density:
                for inner in range(2, size + 1):  # closure: every part of it
                    for at in range(size - inner + 1):
                        tables[inner - 1].setdefault(key[at : at + inner], values())
    names = [UNK, BOS, EOS, *(f"w{i}" for i in range(3, words))]
    return ReferenceModel(names, tables)
