"""How the weights of a linear mixture are fitted to a text.

Input: the log10 probability that every component gives to every token of the text.
Output: weights, and a `Fit` that says how good they are. Expectation maximisation:
Jelinek and Mercer (1980), Interpolated estimation of Markov source parameters from
sparse data, for weights; Dempster, Laird and Rubin (1977), Maximum likelihood from
incomplete data via the EM algorithm, for why the likelihood never falls. Read
`ngram/mixture/loglinear.py` next.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ngram.errors import InputError
from ngram.mixture.components import Floats

MAX_STEPS = 1000
TOLERANCE = 1e-9  # log10 per token: ten digits of the perplexity
# So many tokens of evidence say that a bucket's weights are those of all tokens.
PRIOR_TOKENS = 50.0

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Fit:
    """How the weights of a mixture were fitted, and what they achieve.

    Attributes
    ----------
    tokens : int
        Tokens of the text, `</s>` among them.
    log10_probs : tuple of float
        What is maximised, at the beginning and after every step: log10 of the
        probability of the text; with the kind "context" plus that of the weights under
        their prior. It never falls.
    converged : bool
        Whether the last step gained less than 1e-9 per token; otherwise there were too
        many steps.
    component_perplexities : tuple of float
        Of every component alone, over the common vocabulary.
    perplexity : float
        Of the mixture; never above the least of the components'.
    """

    tokens: int
    log10_probs: tuple[float, ...]
    converged: bool
    component_perplexities: tuple[float, ...]
    perplexity: float


@dataclass(frozen=True)
class Evidence:
    """What the components say about the tokens of a text.

    Attributes
    ----------
    log10_prob : ndarray of shape (n_tokens, n_components), dtype=float64
    bucket : ndarray of shape (n_tokens,), dtype=int64
        The number of the token's context, which chooses the weights.
    words : int, default=1
        How many of the tokens are words of the text, not its `</s>`.
    unknown : int, default=0
        How many of the words no component knows.
    """

    log10_prob: Floats
    bucket: Numbers
    words: int = 1
    unknown: int = 0

    @classmethod
    def joined(cls, parts: Sequence["Evidence"]) -> Self:
        """Return the evidence of texts one after the other."""
        return cls(
            np.concatenate([part.log10_prob for part in parts]),
            np.concatenate([part.bucket for part in parts]),
            sum(part.words for part in parts),
            sum(part.unknown for part in parts),
        )

    def check(self) -> None:
        """Refuse a text without words, and warn of one that no component knows."""
        if not self.words:
            raise InputError(
                f"the text has no words: all of its {len(self.bucket)} sentences are"
                " empty. Weights and perplexities are those of words."
            )
        if self.unknown == self.words:
            warnings.warn(
                f"no component knows any of the {self.words} words of the text: the"
                " weights and perplexities say nothing. Pass text like that of the"
                " components, cut into the same kind of tokens.",
                UserWarning,
                stacklevel=4,
            )

    def perplexities(self) -> tuple[float, ...]:
        """Return the perplexity of every component alone."""
        return tuple(perplexity(column) for column in self.log10_prob.T)


def perplexity(log10_prob: Floats) -> float:
    """Return the perplexity of tokens."""
    with np.errstate(over="ignore"):
        return float(np.power(10.0, -np.mean(log10_prob)))


def mixed(log10_prob: Floats, weights: Floats) -> Floats:
    """Return log10 of the weighted sum of probabilities.

    Parameters
    ----------
    log10_prob : ndarray of shape (n_tokens, n_components)
    weights : ndarray of shape (n_components,) or (n_tokens, n_components), linear

    Returns
    -------
    ndarray of shape (n_tokens,), dtype=float64, log10
        Bit for bit the column of a component that has all the weight.
    """
    with np.errstate(divide="ignore"):
        weighted = log10_prob + np.log10(weights)
        largest = weighted.max(axis=1)
        scale = np.where(np.isneginf(largest), 0.0, largest)
        sums = np.power(10.0, weighted - scale[:, None]).sum(axis=1)
        result: Floats = largest + np.log10(
            sums, where=sums > 0, out=np.zeros_like(sums)
        )
    return result


def fit_linear(evidence: Evidence, start: Floats) -> tuple[Floats, Fit]:
    """Return the weights that make a text most probable, the same for all contexts.

    The best mixture is a maximum without rivals, because log10 of the probability is
    concave in the weights. If a component alone is better than what EM reached when it
    stopped, it gets all the weight.
    """
    one_bucket = Evidence(evidence.log10_prob, np.zeros_like(evidence.bucket))
    steps = maximise(one_bucket, start[None, :], start, 0.0)
    weights = steps.weights[0]
    log10_prob = float(mixed(evidence.log10_prob, weights).sum())
    sums = evidence.log10_prob.sum(axis=0)
    best = int(np.argmax(sums))
    log10_probs = steps.objectives
    if sums[best] > log10_prob:
        weights = np.eye(len(weights))[best]
        log10_probs = (*log10_probs, float(sums[best]))
    return weights, _report(evidence, weights, log10_probs, steps.converged)


def fit_contexts(evidence: Evidence, start: Floats, buckets: int) -> tuple[Floats, Fit]:
    """Return weights for every bucket of contexts, shape (buckets, n_components).

    The weights of a bucket have a Dirichlet prior around those of all tokens, worth
    `PRIOR_TOKENS` tokens: a bucket with little text keeps to them, one without any has
    them. They start there, so no bucket becomes worse than with the common weights.
    """
    common, _ = fit_linear(evidence, start)
    used, inverse = np.unique(evidence.bucket, return_inverse=True)
    compact = Evidence(evidence.log10_prob, inverse.astype(np.int64))
    begin = np.tile(common, (len(used), 1))
    steps = maximise(compact, begin, common, PRIOR_TOKENS)
    weights = np.tile(common, (buckets, 1))
    weights[used] = steps.weights
    report = _report(
        evidence, weights[evidence.bucket], steps.objectives, steps.converged
    )
    return weights, report


@dataclass(frozen=True)
class Steps:
    """What expectation maximisation went through, and where it ended."""

    weights: Floats  # shape (n_buckets, n_components)
    objectives: tuple[float, ...]
    converged: bool


def maximise(
    evidence: Evidence, start: Floats, prior: Floats, prior_tokens: float
) -> Steps:
    """Maximise the probability of the text, times that of the weights under a prior.

    Tokens to which every component gives probability 0 have nothing to say.
    """
    largest = evidence.log10_prob.max(axis=1, initial=-np.inf)
    possible = ~np.isneginf(largest)
    if not possible.any():
        raise InputError(
            "no component gives any token of the text a probability above 0: the "
            "weights cannot be fitted. Add a model of text like it."
        )
    bucket = evidence.bucket[possible]
    scale = float(largest[possible].sum())
    relative = np.power(10.0, evidence.log10_prob[possible] - largest[possible, None])
    evidence_for = prior_tokens * prior
    tokens = np.bincount(bucket, minlength=len(start)) + prior_tokens

    def objective(shares: Floats, weights: Floats) -> float:
        penalty = 0.0
        if prior_tokens:
            given = prior > 0
            penalty = float((np.log10(weights[:, given]) @ evidence_for[given]).sum())
        return scale + float(np.log10(shares.sum(axis=1)).sum()) + penalty

    weights = start
    shares = relative * weights[bucket]
    objectives = [objective(shares, weights)]
    for _ in range(MAX_STEPS):
        shares /= shares.sum(axis=1, keepdims=True)
        expected = np.stack(
            [np.bincount(bucket, column, len(start)) for column in shares.T], axis=1
        )
        new = (expected + evidence_for) / tokens[:, None]
        new /= new.sum(axis=1, keepdims=True)
        shares = relative * new[bucket]
        reached = objective(shares, new)
        gain = reached - objectives[-1]
        if gain <= 0:  # rounding
            return Steps(weights, tuple(objectives), True)
        weights = new
        objectives.append(reached)
        if gain < TOLERANCE * len(bucket):
            return Steps(weights, tuple(objectives), True)
    return Steps(weights, tuple(objectives), False)


def _report(
    evidence: Evidence,
    weights: Floats,
    log10_probs: tuple[float, ...],
    converged: bool,
) -> Fit:
    return Fit(
        tokens=len(evidence.log10_prob),
        log10_probs=log10_probs,
        converged=converged,
        component_perplexities=evidence.perplexities(),
        perplexity=perplexity(mixed(evidence.log10_prob, weights)),
    )
