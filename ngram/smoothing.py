"""Modified Kneser-Ney smoothing: its definition, in the order the formulas are read.

Input: counts of counts, for the discounts, which the compiled engine takes from here;
or sentences, for the reference model. Output: `Discounts`, or a `ReferenceModel` in
plain dictionaries, which defines what the engine must compute. Probabilities are
float32 in the order of operations written here: another order gives other last bits.
Read on in `ngram/model.py` for how a model is stored and asked.

References
----------
.. [1] Chen, S. F. and Goodman, J. (1999), An empirical study of smoothing techniques
   for language modeling, Computer Speech & Language 13(4), 359-394.
.. [2] Heafield, K., Pouzyrevsky, I., Clark, J. H. and Koehn, P. (2013), Scalable
   modified Kneser-Ney language model estimation, ACL, 690-696.
"""

import math
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt

from ngram.errors import DiscountError, DiscountWarning, InputError

Token = str | bytes
Ids = tuple[int, ...]
Counts = Sequence[int] | npt.NDArray[np.integer[Any]]
CountsOfCounts = Sequence[Counts] | npt.NDArray[np.integer[Any]]

SPECIAL_TOKENS = ("<unk>", "<s>", "</s>")
UNK, BOS, EOS = range(3)
FIXED_DISCOUNTS = (0.5, 1.0, 1.5)
ZERO, ONE = np.float32(0), np.float32(1)


# --- Discounts: what is taken from each count ---


@dataclass(frozen=True)
class Discounts:
    """The discounts of one order: what an adjusted count of 1, 2, or 3 and more loses.

    `source` says where they come from: "modified" is the closed form, "one" one
    discount for all counts, "fixed" 0.5, 1 and 1.5, "given" the caller's fallback.
    """

    d1: np.float32
    d2: np.float32
    d3: np.float32
    source: Literal["modified", "one", "fixed", "given"]

    def of(self, count: int) -> np.float32:
        """Return the discount of an adjusted count; a count of 0 loses nothing."""
        return (ZERO, self.d1, self.d2, self.d3)[min(count, 3)]


def discounts_from_counts(
    counts_of_counts: Counts,
    *,
    order: int,
    fallback: Sequence[float] | None = None,
    strict: bool = False,
) -> Discounts:
    """Return the discounts of one order.

    Where the closed form is undefined, the whole order takes `fallback` if there is
    one; else, if not `strict`, n_1 / (n_1 + 2 n_2) for all counts if n_1 and n_2 are
    positive; else 0.5, 1 and 1.5. Warning about that, once for all orders, is the
    caller's part; `ModifiedKneserNey.fit` does it.

    Parameters
    ----------
    counts_of_counts : sequence of 4 int
        n_1 to n_4: how many n-grams of this order have the adjusted count 1 to 4.
    order : int
        Length of the n-grams, for messages.
    fallback : sequence of 1 to 3 float, optional
        Discounts of the counts 1, 2, and 3 or more. A missing one repeats the last.
    strict : bool, default=False
        Raise instead of taking discounts the caller did not choose.

    Returns
    -------
    Discounts
        With 0 <= d1 <= 1, 0 <= d2 <= 2 and 0 <= d3 <= 3.

    Raises
    ------
    DiscountError
        If `strict`, there is no `fallback`, and the closed form is undefined.
    InputError
        If `fallback` cannot be used.

    References
    ----------
    Chen and Goodman (1999), section 3. Heafield et al. (2013), section 3.2.
    """
    given = None if fallback is None else _complete_fallback(fallback)
    n1, n2, n3, n4 = (int(n) for n in counts_of_counts)
    reason = _why_undefined((n1, n2, n3, n4), order)
    if reason is None:
        return Discounts(*_closed_form(n1, n2, n3, n4), source="modified")
    if given is not None:
        return Discounts(*given, source="given")
    if strict:
        raise DiscountError(
            f"cannot compute modified Kneser-Ney discounts for {order}-grams: {reason}."
            " Small or repeated corpora cause this. Remove duplicate lines, or pass"
            f" discount_fallback={FIXED_DISCOUNTS}."
        )
    if n1 > 0 and n2 > 0:
        one = _one_discount(n1, n2)
        return Discounts(one, one, one, source="one")
    return Discounts(*_complete_fallback(FIXED_DISCOUNTS), source="fixed")


def _one_discount(n1: int, n2: int) -> np.float32:
    # Chen & Goodman (1999), section 2.6: D = n_1 / (n_1 + 2 n_2)
    return np.float32(n1) / np.float32(n1 + 2.0 * n2)


def _closed_form(*n: int) -> tuple[np.float32, np.float32, np.float32]:
    """Return D1, D2, D3+ of modified Kneser-Ney from n_1 to n_4."""
    y = _one_discount(n[0], n[1])

    def discount(j: int) -> np.float32:
        # Chen & Goodman (1999), section 3: D_j = j - (j + 1) Y n_(j+1) / n_j
        taken = np.float32(j + 1) * y * np.float32(n[j]) / np.float32(n[j - 1])
        return np.float32(j) - taken

    return discount(1), discount(2), discount(3)


def _why_undefined(n: tuple[int, int, int, int], order: int) -> str | None:
    """Return why the closed form is undefined, or None if it is defined."""
    for j in (1, 2, 3):
        if n[j - 1] == 0:
            return f"no {order}-gram has adjusted count {j}"
    for j, discount in enumerate(_closed_form(*n), start=1):
        if not 0 <= discount <= j:
            return f"D{j} = {discount:.6g} lies outside [0, {j}]"
    return None


def _complete_fallback(
    fallback: Sequence[float],
) -> tuple[np.float32, np.float32, np.float32]:
    """Return three discounts: checked, and the last one repeated for those missing."""
    three = (*fallback, *[*fallback[-1:]] * 3)[:3]
    valid = len(three) == 3 and all(0 <= d <= j for j, d in enumerate(three, start=1))
    if not valid or len(fallback) > 3:
        raise InputError(
            f"discount_fallback={tuple(fallback)} is no list of discounts. Pass one to"
            " three numbers: in [0, 1] for the adjusted count 1, in [0, 2] for 2, in"
            " [0, 3] for 3 or more. A missing one repeats the last."
        )
    return np.float32(three[0]), np.float32(three[1]), np.float32(three[2])


# --- Smoothing methods: how counts become probabilities ---


@dataclass(frozen=True)
class ContextSums:
    """What a smoothing method must know about the n-grams hw of one context h.

    `total` is the sum of their counts, `kept` says how many have the count 1, 2, and 3
    or more and are not pruned, `pruned` is the sum of the counts of those pruned.
    """

    total: int
    kept: tuple[int, int, int]
    pruned: int


class SmoothingMethod(Protocol):
    """The contract of a smoothing method: two numbers for every context.

    With them p(w | h) = alpha(hw) + gamma(h) p(w | h'), where h' is h without its first
    token; gamma(h) is also the back-off weight of h.

    Attributes
    ----------
    name : str
        What a user writes to choose the method.
    uses_adjusted_counts : bool
        Counts are adjusted counts; otherwise raw counts.
    interpolated : bool
        Seen n-grams receive gamma(h) p(w | h') as well; otherwise only unseen ones.
    normalised : bool
        The probabilities of every context sum to one.
    """

    name: str
    uses_adjusted_counts: bool
    interpolated: bool
    normalised: bool

    def fit(self, counts_of_counts: CountsOfCounts) -> Self:
        """Learn the parameters from n_1 to n_4 of every order; return the method."""

    def alpha(self, order: int, count: int, context: ContextSums) -> np.float32:
        """Return the discounted probability of an n-gram with this count."""

    def gamma(self, order: int, context: ContextSums) -> np.float32:
        """Return the mass that the n-grams of a context leave for the lower order."""


class ModifiedKneserNey:
    """Modified Kneser-Ney smoothing: interpolated, with three discounts per order.

    Parameters
    ----------
    discount_fallback : sequence of 1 to 3 float, optional
        Discounts for the orders whose closed form is undefined.
    strict : bool, default=False
        Raise where the closed form is undefined and there is no fallback.

    Attributes
    ----------
    discounts_ : tuple of Discounts
        One for each order, starting at 1.

    References
    ----------
    Chen and Goodman (1999), section 3. Heafield et al. (2013), sections 3.2 and 3.3.

    Examples
    --------
    >>> method = ModifiedKneserNey().fit([(5, 3, 2, 1)])
    >>> print(f"{method.discounts_[0].d2:.4f}")
    1.0909
    """

    name = "modified-kneser-ney"
    uses_adjusted_counts = True
    interpolated = True
    normalised = True

    discounts_: tuple[Discounts, ...]

    def __init__(
        self, *, discount_fallback: Sequence[float] | None = None, strict: bool = False
    ) -> None:
        self.discount_fallback = discount_fallback
        self.strict = strict

    def fit(self, counts_of_counts: CountsOfCounts) -> Self:
        """Compute the discounts of every order.

        Parameters
        ----------
        counts_of_counts : array-like of shape (order, 4), int
            Row k holds n_1 to n_4 of the n-grams of length k + 1.

        Returns
        -------
        ModifiedKneserNey
            The method itself.

        Raises
        ------
        DiscountError
            If `strict`, there is no fallback, and a closed form is undefined.

        Warns
        -----
        DiscountWarning
            Once, naming all orders that take discounts the caller did not choose.
        """
        discounts, replaced = [], []
        for order, row in enumerate(counts_of_counts, start=1):
            d = discounts_from_counts(
                row, order=order, fallback=self.discount_fallback, strict=self.strict
            )
            discounts.append(d)
            if d.source in ("one", "fixed"):
                n = ", ".join(str(int(count)) for count in row)
                replaced.append(
                    f"{order}-grams (n_1 to n_4 are {n}) now use"
                    f" {d.d1:.4g}, {d.d2:.4g}, {d.d3:.4g}"
                )
        self.discounts_ = tuple(discounts)
        if len(replaced) > 4:
            replaced[3:] = [f"{len(replaced) - 3} higher orders likewise"]
        if replaced:
            warnings.warn(
                "the closed form of modified Kneser-Ney discounts is undefined:"
                f" {'; '.join(replaced)}. Small or repeated corpora cause this. Remove"
                " duplicate lines, or choose discounts with discount_fallback.",
                DiscountWarning,
                stacklevel=2,
            )
        return self

    def alpha(self, order: int, count: int, context: ContextSums) -> np.float32:
        """Return the discounted probability of an n-gram with this adjusted count."""
        # Heafield et al. (2013), section 3.3: u(w | h) = (a(hw) - D(a)) / sum a(h.)
        discounted = np.float32(count) - self.discounts_[order - 1].of(count)
        return discounted / np.float32(context.total)

    def gamma(self, order: int, context: ContextSums) -> np.float32:
        """Return what discounts and pruning took from the n-grams of a context."""
        # Chen & Goodman (1999), section 3: (D1 N1 + D2 N2 + D3+ N3+) / sum a(h.)
        mass = ZERO
        for count, types in enumerate(context.kept, start=1):
            mass += self.discounts_[order - 1].of(count) * np.float32(types)
        # Pruned n-grams leave their whole counts to the lower order.
        return (mass + np.float32(context.pruned)) / np.float32(context.total)


SMOOTHING_METHODS: tuple[type[SmoothingMethod], ...] = (ModifiedKneserNey,)


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
    counts_of_counts : tuple of tuple of 4 int
        n_1 to n_4 of every order, before pruning.
    discounts : tuple of Discounts
        One for each order.
    counts_before_pruning, counts_after_pruning : tuple of int
        Number of n-grams of every order; `<unk>`, `<s>`, `</s>` are among the 1-grams.
    """

    ngrams: tuple[list[Entry], ...]
    counts_of_counts: tuple[tuple[int, int, int, int], ...]
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
) -> ReferenceModel:
    """Estimate a modified Kneser-Ney model the slow, obvious way.

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

    counts = _raw_counts(encoded, order)
    adjusted = _adjusted_counts(counts)
    counts_of_counts = _counts_of_counts(counts, adjusted)
    method = ModifiedKneserNey(discount_fallback=discount_fallback, strict=strict)
    method.fit(counts_of_counts)

    kept = [
        {g for g, count in table.items() if _is_kept(g, count, threshold, allowed)}
        for table, threshold in zip(counts, thresholds, strict=True)
    ]
    sums = [_context_sums(a, ngrams) for a, ngrams in zip(adjusted, kept, strict=True)]
    gammas = [
        {h: method.gamma(k, context) for h, context in contexts.items()}
        for k, contexts in enumerate(sums, start=1)
    ]
    alphas = [
        {g: method.alpha(k, adjusted[k - 1][g], sums[k - 1][g[:-1]]) for g in ngrams}
        for k, ngrams in enumerate(kept, start=1)
    ]
    # <s> is never predicted, so it takes no share.
    share = ONE / np.float32(max(vocab_pad, len(kept[0]) - 1))
    probabilities = [_unigrams(alphas[0], gammas[0][()], share, interpolate_unigrams)]
    for alpha, gamma in zip(alphas[1:], gammas[1:], strict=True):
        probabilities.append(_interpolate(alpha, gamma, probabilities[-1]))
    return ReferenceModel(
        ngrams=_entries(probabilities, gammas, vocabulary),
        counts_of_counts=counts_of_counts,
        discounts=method.discounts_,
        counts_before_pruning=tuple(map(len, counts)),
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
    counts: Sequence[Counter[Ids]], adjusted: Sequence[Mapping[Ids, int]]
) -> tuple[tuple[int, int, int, int], ...]:
    """Return n_1 to n_4 of every order.

    In each order, the n-gram that ends the last window enters with its raw count, not
    its adjusted one. lmplz does so, and its discounts depend on it.
    """
    last = _last_window(counts)
    rows = []
    for k, (raw, table) in enumerate(zip(counts, adjusted, strict=True), start=1):
        n = Counter(table.values())
        if k <= len(last):
            n[table[last[-k:]]] -= 1
            n[raw[last[-k:]]] += 1
        rows.append((n[1], n[2], n[3], n[4]))
    return tuple(rows)


def _last_window(counts: Sequence[Counter[Ids]]) -> Ids:
    """Return the longest n-gram of a position, the last of them in suffix order."""
    cut_short = (g for table in counts[1:-1] for g in table if g[0] == BOS)
    return max((*counts[-1], *cut_short), key=lambda g: g[::-1])


def _is_kept(ngram: Ids, count: int, threshold: int, allowed: set[int]) -> bool:
    """Return whether an n-gram survives pruning, which looks at its raw count."""
    if ngram in ((UNK,), (BOS,), (EOS,)):
        return True
    return count > threshold and allowed.issuperset(ngram)


def _context_sums(
    adjusted: Mapping[Ids, int], kept: set[Ids]
) -> dict[Ids, ContextSums]:
    """Return, for every context, the sums over the n-grams that continue it."""
    total: Counter[Ids] = Counter()
    pruned: Counter[Ids] = Counter()
    types: Counter[tuple[Ids, int]] = Counter()
    for ngram, count in adjusted.items():
        h = ngram[:-1]
        total[h] += count
        if ngram in kept:
            types[h, min(count, 3)] += 1
        else:
            pruned[h] += count
    return {
        h: ContextSums(total[h], (types[h, 1], types[h, 2], types[h, 3]), pruned[h])
        for h in total
    }


def _unigrams(
    alphas: Mapping[Ids, np.float32],
    gamma: np.float32,
    share: np.float32,
    interpolate_unigrams: bool,
) -> dict[Ids, np.float32]:
    """Return the probabilities of the 1-grams."""
    if interpolate_unigrams:
        # Heafield et al. (2013), section 3.4: p(w) = u(w) + b() / |vocabulary|
        probabilities = {g: alpha + gamma * share for g, alpha in alphas.items()}
    else:
        probabilities = {**alphas, (UNK,): gamma}
    # A sentence that starts with an explicit <s> costs nothing.
    return {**probabilities, (BOS,): ONE}


def _interpolate(
    alphas: Mapping[Ids, np.float32],
    gammas: Mapping[Ids, np.float32],
    lower: Mapping[Ids, np.float32],
) -> dict[Ids, np.float32]:
    """Return the probabilities of one order from those of the order below."""
    # Heafield et al. (2013), section 3.4: p(w | h) = u(w | h) + b(h) p(w | h')
    return {g: alpha + gammas[g[:-1]] * lower[g[1:]] for g, alpha in alphas.items()}


def _entries(
    probabilities: Sequence[Mapping[Ids, np.float32]],
    gammas: Sequence[Mapping[Ids, np.float32]],
    vocabulary: Sequence[Token],
) -> tuple[list[Entry], ...]:
    """Return the n-grams of every order as tokens, in suffix order."""
    # The back-off of a context is the gamma of the n-grams one longer.
    backoffs: list[Mapping[Ids, np.float32]] = [*gammas[1:], {}]
    return tuple(
        [
            Entry(tuple(vocabulary[i] for i in g), table[g], backoff.get(g, ONE))
            for g in sorted(table, key=lambda g: g[::-1])
        ]
        for table, backoff in zip(probabilities, backoffs, strict=True)
    )
