"""The reference model: estimation step by step, in plain dictionaries.

Input: sentences and a smoothing method. Output: `ReferenceModel`, slow, and exactly
what the engine must compute. Read on in `ngram/model.py` for how a model is stored and
asked.

References
----------
.. [1] Heafield, K., Pouzyrevsky, I., Clark, J. H. and Koehn, P. (2013), Scalable
   modified Kneser-Ney language model estimation, ACL, 690-696.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ngram.errors import InputError
from ngram.smoothing.contract import (
    COUNTED,
    ONE,
    ZERO,
    ContextSums,
    HeldoutCounts,
    SmoothingMethod,
)
from ngram.smoothing.discounts import Discounts
from ngram.smoothing.methods import DEFAULT, smoothing_method

Token = str | bytes
Ids = tuple[int, ...]
Values = Mapping[Ids, np.float32]

SPECIAL_TOKENS = ("<unk>", "<s>", "</s>")
UNK, BOS, EOS = range(3)

# --- The reference model: what estimation gives ---


class Entry(NamedTuple):
    """One n-gram with linear values; the back-off is 1 if it is no context."""

    ngram: tuple[Token, ...]
    probability: np.float32
    backoff: np.float32

    @property
    def log10_prob(self) -> np.float32:
        """The stored form; at most 0, where rounding has made more than 1 of it."""
        return min(ZERO, _log10(self.probability))

    @property
    def log10_backoff(self) -> np.float32:
        """The stored form; minus infinity if the context leaves no mass."""
        return _log10(self.backoff)


def _log10(value: np.float32) -> np.float32:
    return np.float32(math.log10(value) if value > 0 else -math.inf)


@dataclass(frozen=True)
class ReferenceModel:
    """A back-off model in dictionaries: slow, and exactly as defined.

    Parameters
    ----------
    ngrams : tuple of list of Entry
        The n-grams of every order, in suffix order: sorted by the id of the last token,
        then of the one before, and so on. Ids count first occurrences.
    method : SmoothingMethod
        The smoothing method, fitted.
    counts_of_counts : tuple of tuple of 4 int
        n_1 to n_4 of every order, before pruning: of the counts the method uses.
    discounts : tuple of Discounts
        One for each order; none if the method does not discount counts.
    counts_before_pruning, counts_after_pruning : tuple of int
        Number of n-grams of every order; `<unk>`, `<s>`, `</s>` are among the 1-grams.
    """

    ngrams: tuple[list[Entry], ...]
    method: SmoothingMethod = field(compare=False)
    counts_of_counts: tuple[tuple[int, ...], ...]
    discounts: tuple[Discounts, ...]
    counts_before_pruning: tuple[int, ...]
    counts_after_pruning: tuple[int, ...]

    @cached_property
    def vocabulary(self) -> tuple[Token, ...]:
        """The tokens: `<unk>`, `<s>`, `</s>`, then as they first occurred."""
        return tuple(entry.ngram[0] for entry in self.ngrams[0])

    @cached_property
    def _entries(self) -> Mapping[tuple[Token, ...], Entry]:
        return {entry.ngram: entry for entries in self.ngrams for entry in entries}

    def probability(self, context: Sequence[Token], word: Token) -> float:
        """Return p(word | context) by backing off to ever shorter contexts.

        Parameters
        ----------
        context : sequence of token
            The tokens before, `<s>` first at the start of a sentence. Only the last
            ones matter, one less than the order.
        word : token
            The predicted token. Tokens outside the vocabulary count as `<unk>`.

        Returns
        -------
        float
            A product of float32 values in float64.
        """
        unk = self.vocabulary[UNK]
        known = [t if (t,) in self._entries else unk for t in (*context, word)]
        ngram = tuple(known[-len(self.ngrams) :])
        weight = 1.0
        while ngram not in self._entries:
            if ngram[:-1] in self._entries:
                weight *= float(self._entries[ngram[:-1]].backoff)
            ngram = ngram[1:]
        return weight * float(self._entries[ngram].probability)

    def score(
        self, tokens: Sequence[Token], *, bos: bool = True, eos: bool = True
    ) -> float:
        """Return the log10 probability of a sentence, summed in float64.

        Parameters
        ----------
        tokens : sequence of token
            The sentence, without `<s>` and `</s>`.
        bos, eos : bool, default=True
            Start in the context `<s>`; predict `</s>` at the end.

        Returns
        -------
        float
            Minus infinity if a token has probability 0.
        """
        unk_bos_eos = self.vocabulary[:3]
        before = unk_bos_eos[BOS:EOS] if bos else ()
        sentence = (*before, *tokens, *(unk_bos_eos[EOS:] if eos else ()))
        log10_prob = 0.0
        for i in range(len(before), len(sentence)):
            p = self.probability(sentence[:i], sentence[i])
            log10_prob += math.log10(p) if p > 0 else -math.inf
        return log10_prob


# --- Estimation, step by step ---


def reference_estimate(
    sentences: Iterable[Sequence[Token]],
    order: int,
    *,
    prune: Sequence[int] = (),
    limit_vocab: Iterable[Token] | None = None,
    interpolate_unigrams: bool = True,
    discount_fallback: Sequence[float] | None = None,
    vocab_pad: int = 0,
    skip_symbols: bool = False,
    strict: bool = False,
    smoothing: str | SmoothingMethod = DEFAULT,
    heldout: Iterable[Sequence[Token]] | None = None,
) -> ReferenceModel:
    """Estimate a model the slow, obvious way.

    Parameters
    ----------
    sentences : iterable of sequence of token
        Each a list of str or of bytes, without `<s>` and `</s>`. Empty ones count.
    order : int
        Length of the longest n-grams, at least 1.
    prune : sequence of int, default=()
        Threshold of each order: n-grams with a raw count up to it are dropped. They
        may not decrease, and the last one holds for the remaining orders.
    limit_vocab : iterable of token, optional
        Drop n-grams with a token that is not listed. `<unk>`, `<s>`, `</s>` stay.
    interpolate_unigrams : bool, default=True
        Share the mass the discounts took from 1-grams among all tokens; otherwise
        `<unk>` receives all of it.
    discount_fallback : sequence of 1 to 3 float, optional
        Discounts for the orders whose closed form is undefined.
    vocab_pad : int, default=0
        Share that mass as if there were at least so many tokens.
    skip_symbols : bool, default=False
        Drop `<unk>`, `<s>` and `</s>` from the text instead of refusing it.
    strict : bool, default=False
        Raise where the closed form is undefined and there is no fallback.
    smoothing : str or SmoothingMethod, default="modified-kneser-ney"
        As `smoothing_method` takes it.
    heldout : iterable of sequence of token, optional
        Sentences of held-out text, for the methods that need them.

    Returns
    -------
    ReferenceModel

    Raises
    ------
    DiscountError
        If `strict`, there is no fallback, and a closed form is undefined.
    InputError
        If an argument or the text cannot be used.

    References
    ----------
    Heafield et al. (2013), section 3; its program lmplz is followed to the last bit.

    Examples
    --------
    >>> model = reference_estimate([["word"]], 2, discount_fallback=(0.5, 1.0, 1.5))
    >>> round(model.probability(["<s>"], "word"), 4)
    0.7083
    """
    thresholds = pruning_thresholds(prune, order)
    if vocab_pad and not interpolate_unigrams:
        raise InputError(
            f"vocab_pad={vocab_pad} has no effect with interpolate_unigrams=False."
            " Leave one of the two out."
        )
    vocabulary, encoded = _encode(sentences, skip_symbols)
    listed = {*vocabulary[:3], *(vocabulary if limit_vocab is None else limit_vocab)}
    allowed = {i for i, token in enumerate(vocabulary) if token in listed}

    method = smoothing_method(
        smoothing, discount_fallback=discount_fallback, strict=strict
    )
    if not interpolate_unigrams and not (
        method.normalised and method.uses_lower_orders
    ):
        raise InputError(
            f"interpolate_unigrams=False cannot be had with smoothing={method.name!r}."
            " Leave one of the two out."
        )
    raw = _raw_counts(encoded, order)
    counts = _adjusted_counts(raw) if method.uses_adjusted_counts else raw
    kept = [
        {g for g, count in table.items() if _is_kept(g, count, threshold, allowed)}
        for table, threshold in zip(raw, thresholds, strict=True)
    ]
    sums = [_context_sums(c, ngrams) for c, ngrams in zip(counts, kept, strict=True)]
    # <s> is never predicted, so it takes no share.
    words = max(vocab_pad, len(kept[0]) - 1)
    counts_of_counts = _counts_of_counts(raw, counts)
    method.fit(
        counts_of_counts,
        words=words,
        heldout=(
            None
            if heldout is None
            else _heldout_counts(
                _encode_heldout(heldout, vocabulary, kept[0]), counts, kept, sums
            )
        ),
    )
    gammas = [_gammas(method, k, order, s) for k, s in enumerate(sums, start=1)]
    alphas = [
        _alphas(method, k, order, {g: counts[k - 1][g] for g in ngrams}, sums[k - 1])
        for k, ngrams in enumerate(kept, start=1)
    ]
    share = ONE / np.float32(words)
    probabilities = [
        _unigrams(method, alphas[0], gammas[0][()], share, interpolate_unigrams)
    ]
    for alpha, gamma in zip(alphas[1:], gammas[1:], strict=True):
        lower = probabilities[-1]
        interpolates = method.interpolated
        probabilities.append(
            _interpolate(alpha, gamma, lower) if interpolates else alpha
        )
    backoffs = gammas[1:]
    if method.normalised and not method.interpolated:
        padding = (words - len(kept[0]) + 1) * float(gammas[0][()] * share)
        backoffs = _backoff_weights(probabilities, gammas, padding)
    return ReferenceModel(
        ngrams=_entries(probabilities, backoffs, vocabulary),
        method=method,
        counts_of_counts=tuple(row[:4] for row in counts_of_counts),
        discounts=getattr(method, "discounts_", ()),
        counts_before_pruning=tuple(map(len, raw)),
        counts_after_pruning=tuple(map(len, kept)),
    )


def pruning_thresholds(prune: Sequence[int], order: int) -> list[int]:
    """Return one pruning threshold for each order."""
    if order < 1:
        raise InputError(f"order={order} is no length of an n-gram. Pass 1 or more.")
    if len(prune) > order or list(prune) != sorted(prune) or min(prune, default=0) < 0:
        raise InputError(
            f"prune={tuple(prune)} is no list of thresholds for order {order}. Pass at"
            " most one for each order, from 0 up, none below the one before it."
        )
    return [*prune, *[prune[-1] if prune else 0] * (order - len(prune))]


def _encode(
    sentences: Iterable[Sequence[Token]], skip_symbols: bool
) -> tuple[list[Token], list[Ids]]:
    """Return the tokens in order of their ids, and each sentence as ids with edges."""
    corpus = list(sentences)
    kinds = {isinstance(token, bytes) for tokens in corpus for token in tokens}
    if not corpus or len(kinds) > 1 or any(isinstance(s, str | bytes) for s in corpus):
        raise InputError(
            f"the corpus of {len(corpus)} sentences is no list of lists of tokens. Pass"
            " at least one sentence, split into tokens, all str or all bytes."
        )
    specials = [t.encode() if True in kinds else t for t in SPECIAL_TOKENS]
    ids: dict[Token, int] = {token: i for i, token in enumerate(specials)}
    encoded = []
    for number, tokens in enumerate(corpus, start=1):
        reserved = [token for token in tokens if token in specials]
        if reserved and not skip_symbols:
            raise InputError(
                f"sentence {number} contains the reserved token {reserved[0]!r}. Remove"
                " it, or pass skip_symbols=True to treat it as white space."
            )
        words = [token for token in tokens if token not in specials]
        encoded.append((BOS, *(ids.setdefault(t, len(ids)) for t in words), EOS))
    return list(ids), encoded


def _raw_counts(encoded: Iterable[Ids], order: int) -> list[Counter[Ids]]:
    """Return how often every n-gram occurs; none reaches back beyond its `<s>`."""
    counts: list[Counter[Ids]] = [Counter() for _ in range(order)]
    # Both are in every model, and neither ever follows a context.
    counts[0][(UNK,)] = counts[0][(BOS,)] = 0
    for ids in encoded:
        for end in range(2, len(ids) + 1):
            for k in range(1, min(order, end) + 1):
                counts[k - 1][ids[end - k : end]] += 1
    return counts


def _adjusted_counts(counts: Sequence[Counter[Ids]]) -> list[Mapping[Ids, int]]:
    """Return the adjusted count of every n-gram."""
    adjusted: list[Mapping[Ids, int]] = []
    for table, longer in pairwise(counts):
        left_neighbours = Counter(ngram[1:] for ngram in longer)
        # Heafield et al. (2013), section 3.2: a(g) = |{v : c(vg) > 0}|, but c(<s>...)
        adjusted.append(
            {g: c if g[0] == BOS else left_neighbours[g] for g, c in table.items()}
        )
    return [*adjusted, counts[-1]]


def _counts_of_counts(
    raw_counts: Sequence[Mapping[Ids, int]], counts: Sequence[Mapping[Ids, int]]
) -> tuple[tuple[int, ...], ...]:
    """Return n_1 to n_6 of every order.

    In each order, the n-gram that ends the last window enters with its raw count, not
    its adjusted one. lmplz does so, and its discounts depend on it.
    """
    last = _last_window(raw_counts)
    rows = []
    for k, (raw, table) in enumerate(zip(raw_counts, counts, strict=True), start=1):
        n = Counter(table.values())
        if k <= len(last):
            n[table[last[-k:]]] -= 1
            n[raw[last[-k:]]] += 1
        rows.append(tuple(n[r] for r in range(1, COUNTED + 1)))
    return tuple(rows)


def _last_window(counts: Sequence[Mapping[Ids, int]]) -> Ids:
    """Return the longest n-gram of a position, the last of them in suffix order."""
    cut_short = (g for table in counts[1:-1] for g in table if g[0] == BOS)
    return max((*counts[-1], *cut_short), key=lambda g: g[::-1])


def _is_kept(ngram: Ids, count: int, threshold: int, allowed: set[int]) -> bool:
    """Return whether an n-gram survives pruning, which looks at its raw count."""
    if ngram in ((UNK,), (BOS,), (EOS,)):
        return True
    return count > threshold and allowed.issuperset(ngram)


def _context_sums(counts: Mapping[Ids, int], kept: set[Ids]) -> dict[Ids, ContextSums]:
    """Return, for every context, the sums over the n-grams that continue it."""
    total: Counter[Ids] = Counter()
    pruned: Counter[Ids] = Counter()
    types: Counter[Ids] = Counter()
    classes: Counter[tuple[Ids, int]] = Counter()
    for ngram, count in counts.items():
        h = ngram[:-1]
        total[h] += count
        types[h] += count > 0
        if ngram in kept:
            classes[h, min(count, COUNTED)] += 1
        else:
            pruned[h] += count
    return {
        h: ContextSums(
            total=total[h],
            kept=tuple(classes[h, r] for r in range(1, COUNTED + 1)),
            pruned=pruned[h],
            types=types[h],
        )
        for h in total
    }


# --- Held-out text ---


def _encode_heldout(
    sentences: Iterable[Sequence[Token]], vocabulary: Sequence[Token], kept: set[Ids]
) -> list[Ids]:
    """Return each sentence as ids with edges; words the model lacks are `<unk>`."""
    ids = {token: i for i, token in enumerate(vocabulary) if (i,) in kept}
    encoded = [tuple(ids.get(token, UNK) for token in tokens) for tokens in sentences]
    if not any(encoded):
        raise InputError("the held-out text has no words. Pass some of the text.")
    return [(BOS, *sentence, EOS) for sentence in encoded]


def _heldout_counts(
    sentences: Iterable[Ids],
    counts: Sequence[Mapping[Ids, int]],
    kept: Sequence[set[Ids]],
    sums: Sequence[Mapping[Ids, ContextSums]],
) -> HeldoutCounts:
    """Return what the counts say about every prediction of held-out text."""
    nothing = ContextSums(total=0, kept=(0,) * COUNTED)
    rows: list[list[tuple[int, ContextSums]]] = [[] for _ in counts]
    for ids in sentences:
        for end in range(2, len(ids) + 1):
            for k, row in enumerate(rows, start=1):
                ngram = ids[end - k : end] if k <= end else ()
                context = sums[k - 1].get(ngram[:-1]) if ngram else None
                seen = context is not None and ngram in kept[k - 1]
                row.append((counts[k - 1][ngram] if seen else 0, context or nothing))
    return HeldoutCounts(
        count=np.array([[float(c) for c, _ in row] for row in rows]),
        total=np.array([[float(s.total) for _, s in row] for row in rows]),
        pruned=np.array([[float(s.pruned) for _, s in row] for row in rows]),
        kept=np.array(
            [
                [
                    [float(s.kept[0]) for _, s in row],
                    [float(s.kept[1]) for _, s in row],
                    [float(sum(s.kept[2:])) for _, s in row],
                ]
                for row in rows
            ]
        ),
    )


# --- From counts to probabilities ---


def _is_uniform(method: SmoothingMethod, k: int, order: int, context: Ids) -> bool:
    """Return whether a context is one that counts for nothing."""
    return not method.uses_lower_orders and k < order and context[:1] != (BOS,)


def _gammas(
    method: SmoothingMethod, k: int, order: int, sums: Mapping[Ids, ContextSums]
) -> Values:
    return {
        h: ONE if _is_uniform(method, k, order, h) else method.gamma(k, context)
        for h, context in sums.items()
    }


def _alphas(
    method: SmoothingMethod,
    k: int,
    order: int,
    counts: Mapping[Ids, int],
    sums: Mapping[Ids, ContextSums],
) -> Values:
    return {
        g: (
            ZERO
            if _is_uniform(method, k, order, g[:-1])
            else method.alpha(k, count, sums[g[:-1]])
        )
        for g, count in counts.items()
    }


def _unigrams(
    method: SmoothingMethod,
    alphas: Values,
    gamma: np.float32,
    share: np.float32,
    interpolate_unigrams: bool,
) -> Values:
    """Return the probabilities of the 1-grams."""
    if not method.normalised:
        unseen = gamma * share
        probabilities = {
            g: alpha if alpha > 0 else unseen for g, alpha in alphas.items()
        }
    elif interpolate_unigrams:
        # Heafield et al. (2013), section 3.4: p(w) = u(w) + b() / |vocabulary|
        probabilities = {g: alpha + gamma * share for g, alpha in alphas.items()}
    else:
        probabilities = {**alphas, (UNK,): gamma}
    # A sentence that starts with an explicit <s> costs nothing.
    return {**probabilities, (BOS,): ONE}


def _interpolate(alphas: Values, gammas: Values, lower: Values) -> Values:
    """Return the probabilities of one order from those of the order below."""
    # Heafield et al. (2013), section 3.4: p(w | h) = u(w | h) + b(h) p(w | h')
    return {g: alpha + gammas[g[:-1]] * lower[g[1:]] for g, alpha in alphas.items()}


def _backoff_weights(
    probabilities: Sequence[Values], gammas: Sequence[Values], padding: float
) -> list[Values]:
    """Return what the lower order is multiplied by, for the contexts of each order.

    Sums are float64, of float32 probabilities in suffix order. `everything` is what the
    whole vocabulary has after a context: 1, but for roundings, which would matter where
    the tokens not seen have little. `padding` is what tokens without entry have.
    """
    everything: dict[Ids, float] = {(): padding}
    for g in sorted(probabilities[0]):
        if g != (BOS,):
            everything[()] += float(probabilities[0][g])
    weights: list[Values] = []
    for below, table, gamma in zip(
        probabilities, probabilities[1:], gammas[1:], strict=False
    ):
        seen: Counter[Ids] = Counter()
        lower_seen: Counter[Ids] = Counter()
        for g in sorted(table, key=lambda g: g[::-1]):
            seen[g[:-1]] += float(table[g])  # type: ignore[assignment]
            lower_seen[g[:-1]] += float(below[g[1:]])  # type: ignore[assignment]
        weight = {}
        for h in below:
            lower = everything[h[1:]]
            if h not in gamma:
                everything[h] = lower
                continue
            # Katz (1987); Chen & Goodman (1999), section 2.8
            left = lower - lower_seen[h]
            weight[h] = np.float32(float(gamma[h]) / left) if left > 0 else ZERO
            everything[h] = seen[h] + float(weight[h]) * left
        weights.append(weight)
    return weights


def _entries(
    probabilities: Sequence[Values],
    weights: Sequence[Values],
    vocabulary: Sequence[Token],
) -> tuple[list[Entry], ...]:
    """Return the n-grams of every order as tokens, in suffix order."""
    # The back-off of a context belongs to the n-grams one longer.
    backoffs: list[Values] = [*weights, {}]
    return tuple(
        [
            Entry(tuple(vocabulary[i] for i in g), table[g], backoff.get(g, ONE))
            for g in sorted(table, key=lambda g: g[::-1])
        ]
        for table, backoff in zip(probabilities, backoffs, strict=True)
    )
