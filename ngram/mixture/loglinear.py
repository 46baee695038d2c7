"""Log-linear mixtures: weighted products of probabilities, normalised exactly.

    p(w|h) = prod_i p_i(w|h) ** weight_i / Z(h),  Z(h) = sum_w prod_i p_i(w|h) **
    weight_i

Input: the components and their n-grams (`union.py`). Output: Z(h) of every context, and
weights that make a text most probable. The sum over the vocabulary takes no longer than
the n-grams: a word w that no component has seen after h has p_i(w|h) = b_i(h) p_i(w|h')
in every one of them, h' being h without its first word, so

    Z(h) = sum_seen u(w|h) + B(h) (Z(h') - sum_seen u(w|h')),  B(h) = prod_i b_i(h) **
    weight_i

with u the products (Heafield, Geigle, Massung and Schwartz 2016, Normalized log-linear
interpolation of backoff language models is efficient, section 3). The same recursion
gives the expectations that the gradient needs. Read `ngram/mixture/mixing.py` next.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ngram._core.ngrams import SortedNgrams
from ngram.errors import InputError
from ngram.mixture.cache import History
from ngram.mixture.components import BOS, UNK, Batch, Floats, ModelPart
from ngram.mixture.union import Keys, batches_of, key_of, last_words, rows_batch
from ngram.mixture.weights import TOLERANCE, Evidence, Fit, perplexity

MAX_STEPS = 100
DIFFERENCE = 1e-4  # of weights, for second derivatives

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Level:
    """The n-grams of one order, and what they are as contexts of the next.

    Attributes
    ----------
    log10_prob : ndarray of shape (n, n_components), dtype=float64
    log10_backoff : ndarray of shape (n, n_components), dtype=float64
        Of the highest order empty.
    suffix, prefix : ndarray of shape (n,), dtype=uint32
        Indices one order below; of order 1 zeros, for the empty context.
    predicted : ndarray of shape (n,), dtype=bool
        Whether the last word can be predicted; `<s>` cannot.
    keys : ndarray of shape (n,), dtype=uint64
        Ascending, see `key_of`; of order 1 empty.
    """

    log10_prob: Floats
    log10_backoff: Floats
    suffix: NDArray[np.uint32]
    prefix: NDArray[np.uint32]
    predicted: NDArray[np.bool_]
    keys: Keys


@dataclass(frozen=True)
class Sums:
    """Sums over the vocabulary after every context.

    Attributes
    ----------
    z : ndarray of shape (n_contexts,)
        Of the products.
    scores : ndarray of shape (n_contexts, n_components)
        Of the products times the log10 probability of every component; divided by `z`
        the expectation of it.
    """

    z: Floats
    scores: Floats


class LogLinear:
    """The normalisers of components for any weights.

    Parameters
    ----------
    parts : sequence of ModelPart
    ngrams : SortedNgrams
        Of all the models.
    threads : int
    """

    def __init__(
        self, parts: Sequence[ModelPart], ngrams: SortedNgrams, threads: int
    ) -> None:
        if ngrams.order > 1:
            word, suffix, _, _ = ngrams.level(2)
            if np.any(word == UNK) or np.any(suffix == UNK):
                raise InputError(
                    "a model has n-grams with <unk>: such models mix linearly only, "
                    "because what they say after unknown words is not one back-off."
                )
        prefixes = ngrams.prefixes(threads=threads)
        self.levels: list[Level] = []
        unknown = np.empty(0)  # log10 p_i(<unk>|h) of the contexts one order below
        for order in range(1, ngrams.order + 1):
            scores = np.concatenate(
                [
                    _last_scores(parts, batch, order)
                    for batch in batches_of(ngrams, order, threads)
                ]
            )
            word, suffix, _, _ = ngrams.level(order)
            if order == 1:
                keys = np.empty(0, np.uint64)
                suffix = prefix = np.zeros(len(scores), np.uint32)
                predicted = np.arange(len(scores)) != BOS
                scores[BOS] = 0
                unknown = scores[:1]
            else:
                keys = key_of(suffix, word)
                prefix = prefixes[order - 1]
                predicted = self.levels[-1].predicted[suffix]
            if not np.isfinite(scores[predicted]).all():
                raise InputError(
                    "a component gives a word probability 0: log-linear mixing needs "
                    "models that give more to every word. Mix linearly instead."
                )
            backoff = np.empty((0, len(parts)))
            if order < ngrams.order:
                after = self._unknown_after(parts, ngrams, order, threads)
                backoff = after - unknown[suffix]
                unknown = after
            self.levels.append(Level(scores, backoff, suffix, prefix, predicted, keys))

    @staticmethod
    def _unknown_after(
        parts: Sequence[ModelPart], ngrams: SortedNgrams, order: int, threads: int
    ) -> Floats:
        """Return log10 p_i(<unk>|h) for all n-grams h of an order."""
        found = []
        for batch in batches_of(ngrams, order, threads):
            contexts = batch.ids.reshape(-1, order)
            rows = np.pad(contexts, ((0, 0), (0, 1)), constant_values=UNK)
            found.append(_last_scores(parts, rows_batch(rows, threads), order + 1))
        return np.concatenate(found)

    def sums(self, weights: Floats) -> Sums:
        """Return the sums over the vocabulary after all contexts, by their numbers.

        Number 0 is the empty context; those of one word follow, then those of two.
        """
        product = [self._product(level, weights) for level in self.levels]
        first = self.levels[0].log10_prob
        z = [product[0].sum(keepdims=True)]
        scores = [(product[0] @ first)[None, :]]
        for order in range(1, len(self.levels)):
            contexts, level = self.levels[order - 1], self.levels[order]
            lower = product[order - 1][level.suffix]
            lower_scores = contexts.log10_prob[level.suffix]
            size = len(contexts.suffix)
            rest = z[-1][contexts.suffix] - _sums(level, lower, size)
            rest_scores = scores[-1][contexts.suffix] - _weighted_sums(
                level, lower, lower_scores, size
            )
            backoff = np.power(10.0, contexts.log10_backoff @ weights)
            seen = product[order]
            rest_scores += contexts.log10_backoff * rest[:, None]
            z.append(_sums(level, seen, size) + backoff * rest)
            scores.append(
                _weighted_sums(level, seen, level.log10_prob, size)
                + backoff[:, None] * rest_scores
            )
        return Sums(np.concatenate(z), np.concatenate(scores))

    def log10_z(self, weights: Floats) -> Floats:
        """Return log10 Z of all contexts, by their numbers.

        Raises
        ------
        InputError
            If products are too small for float64, as with weights above 50.
        """
        z = self.sums(weights).z
        if not _are_sums(z):
            raise InputError(
                f"weights are {weights.tolist()}: products of such powers of"
                " probabilities are too small to be normalised. Pass smaller weights;"
                " those that fit a text are about 1 together."
            )
        return np.asarray(np.log10(z), np.float64)

    @staticmethod
    def _product(level: Level, weights: Floats) -> Floats:
        product = np.power(10.0, level.log10_prob @ weights)
        product[~level.predicted] = 0
        return product

    def numbers(self, batch: Batch) -> Numbers:
        """Return for every token the number of its longest context that is known."""
        text = History.empty().followed_by(batch, "none")
        words = text.words.astype(np.int64)
        same = text.sentence[1:] == text.sentence[:-1]
        number = np.zeros(len(words), np.int64)
        gram = words  # index of the n-gram that ends with each word, or -1
        first = 1
        for order in range(1, len(self.levels)):
            number[1:] = np.where(
                same & (gram[:-1] >= 0), first + gram[:-1], number[1:]
            )
            if order + 1 == len(self.levels):
                break
            first += len(self.levels[order - 1].suffix)
            longer = np.full(len(words), -1, np.int64)
            if order < len(words):
                inside = text.sentence[order:] == text.sentence[:-order]
                known = np.flatnonzero(inside & (gram[order:] >= 0))
                keys = key_of(gram[order:][known], words[known])
                longer[order + known] = _places(self.levels[order].keys, keys)
            gram = longer
        return number[text.predicted]

    def fit(self, evidence: Evidence) -> tuple[Floats, Fit]:
        """Return the weights, 0 or more, that make a text most probable.

        log10 of the probability is concave in the weights: Newton's method, whose
        second derivatives are differences of exact gradients, with steps halved until
        they gain. If a component alone is better, it gets weight 1 and the others 0.
        """
        used, counts = np.unique(evidence.bucket, return_counts=True)
        total = evidence.log10_prob.sum(axis=0)

        def objective(weights: Floats) -> tuple[float, Floats]:
            sums = self.sums(weights)
            if not _are_sums(sums.z):
                return -math.inf, np.zeros_like(weights)
            z = sums.z[used]
            expected = counts @ (sums.scores[used] / z[:, None])
            return float(total @ weights - counts @ np.log10(z)), total - expected

        components = len(total)
        weights = np.full(components, 1 / components)
        value, gradient = objective(weights)
        values = [value]
        converged = False
        least = TOLERANCE * len(evidence.bucket)
        for _ in range(MAX_STEPS):
            step = _newton_step(weights, gradient, lambda at: objective(at)[1])
            found = _search(weights, step, value, objective)
            if found is None:
                converged = True
                break
            weights, gain = found[0], found[1] - value
            value, gradient = found[1], found[2]
            values.append(value)
            if gain < least:
                converged = True
                break
        best = int(np.argmax(total))
        alone = np.eye(components)[best]
        alone_value = objective(alone)[0]
        if alone_value > value:
            weights = alone
            values.append(alone_value)
        log10_z = self.log10_z(weights)
        log10_prob = evidence.log10_prob @ weights - log10_z[evidence.bucket]
        return weights, Fit(
            tokens=len(evidence.bucket),
            log10_probs=tuple(values),
            converged=converged,
            component_perplexities=evidence.perplexities(),
            perplexity=perplexity(log10_prob),
        )


def _are_sums(z: Floats) -> bool:
    """Return whether sums of positive numbers came out as such."""
    return bool(np.all((z > 0) & np.isfinite(z)))


def _last_scores(parts: Sequence[ModelPart], batch: Batch, order: int) -> Floats:
    """Return the scores of the last words of n-grams, a column for each component."""
    found = [last_words(part.scores(batch)[0], order) for part in parts]
    return np.stack([scores.log10_prob for scores in found], axis=1)


def _sums(level: Level, values: Floats, contexts: int) -> Floats:
    """Return the sum of values of n-grams over those of each context."""
    return np.asarray(np.bincount(level.prefix, values, contexts), np.float64)


def _weighted_sums(
    level: Level, values: Floats, scores: Floats, contexts: int
) -> Floats:
    columns = [_sums(level, values * column, contexts) for column in scores.T]
    return np.stack(columns, axis=1)


def _places(keys: Keys, wanted: Keys) -> Numbers:
    """Return the index of each wanted key, or -1."""
    place = np.searchsorted(keys, wanted)
    place[place == len(keys)] = 0
    return np.where(keys[place] == wanted, place, -1)


def _newton_step(
    weights: Floats, gradient: Floats, gradient_at: Callable[[Floats], Floats]
) -> Floats:
    """Return the step to where the gradient would be 0, of weights that may change."""
    free = np.flatnonzero((weights > 0) | (gradient > 0))
    step = np.zeros(len(weights))
    hessian = np.empty((len(free), len(free)))
    for row, component in enumerate(free):
        moved = weights.copy()
        moved[component] += DIFFERENCE
        hessian[row] = (gradient_at(moved) - gradient)[free] / DIFFERENCE
    curvature = -(hessian + hessian.T) / 2
    curvature += np.eye(len(free)) * (1e-12 + 1e-9 * np.trace(np.abs(curvature)))
    step[free] = np.linalg.solve(curvature, gradient[free])
    return step


def _search(
    weights: Floats,
    step: Floats,
    value: float,
    objective: Callable[[Floats], tuple[float, Floats]],
) -> tuple[Floats, float, Floats] | None:
    """Return the first of ever smaller steps that gains: weights, value, gradient."""
    for halving in range(30):
        candidate = np.maximum(weights + step / 2**halving, 0.0)
        found, gradient = objective(candidate)
        if found > value:
            return candidate, found, gradient
    return None
