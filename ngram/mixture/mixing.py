"""The mixture: several components queried as one model.

Input: models, caches, weights. Output: what a model gives (scores, perplexity,
predictions, text), fitted weights, and one model of the same n-grams (`flatten`). Read
`ngram/mixture/adaptation.py` next.
"""

import copy
import math
import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ngram import prediction, scoring
from ngram._core.texts import as_texts
from ngram.errors import InputError
from ngram.mixture.cache import Cache, CachePart
from ngram.mixture.components import (
    BOS,
    EOS,
    Batch,
    Floats,
    Ids,
    Lengths,
    ModelPart,
    Scores,
    Source,
    common_vocabulary,
)
from ngram.mixture.draws import drawn, ranked
from ngram.mixture.flatten import flattened
from ngram.mixture.loglinear import LogLinear
from ngram.mixture.reading import Reading
from ngram.mixture.union import Progress, last_words, union_of
from ngram.mixture.weights import (
    Evidence,
    Fit,
    Numbers,
    fit_contexts,
    fit_linear,
    mixed,
)
from ngram.model import Model
from ngram.threads import thread_count
from ngram.vocabulary import Vocabulary

__all__ = ["KINDS", "Mixture"]

KINDS = ("linear", "context", "log-linear")
SUM_TOLERANCE = 1e-6  # weights written down with six digits sum to one
MAX_BUCKETS = 1 << 20


class Mixture(scoring.IdScorer):
    """Several models as one.

    Every component gives a distribution over the words of all models (and
    `vocabulary`): the words that a model does not know, and `<unk>`, have equal shares
    of its p(<unk> | context). A mixture of these is one too: it sums to one.

    Parameters
    ----------
    components : sequence of Model, Cache or Mixture
        With the same tokenizer; orders may differ. At least one is no cache.
    weights : array-like, optional
        One per component, at least 0; except with "log-linear" they sum to 1. With
        "context" also of shape (n_buckets, n_components). By default all are equal;
        `fit` finds better ones.
    kind : {"linear", "context", "log-linear"}, default="linear"
        How probabilities are combined.
    vocabulary : iterable of str, optional
        More words to give probability to: perplexities of different models compare
        only over the same words.

    Attributes
    ----------
    components : tuple
    weights : ndarray of shape (n_components,) or (n_buckets, n_components), float64
    kind : str
    vocabulary : Vocabulary
        The words of all models, in order of first appearance.
    tokenizer : Tokenizer
    order : int
        The greatest of the components'.
    fit_ : Fit or None
        How the weights were fitted, if they were.

    Notes
    -----
    linear
        p(w|h) = sum_i weight_i p_i(w|h).
    context
        The same with weights that depend on h: its bucket says how many of the words
        before w each component knows as an n-gram, 0 to order - 1; the bucket's number
        has one digit per component, the last component's changing fastest.
    log-linear
        p(w|h) is the product of p_i(w|h) ** weight_i, divided by its sum over the
        vocabulary. Back-off models only; the first query counts through all n-grams.

    References
    ----------
    Jelinek and Mercer (1980), Interpolated estimation of Markov source parameters from
    sparse data: linear mixtures, and weights by buckets of contexts. Klakow (1998),
    Log-linear interpolation of language models.

    Examples
    --------
    >>> import ngram
    >>> news = ngram.train(["the king is dead"] * 2, 2, discount_fallback=(0.5, 1, 1.5))
    >>> tale = ngram.train(["the queen lives"] * 2, 2, discount_fallback=(0.5, 1, 1.5))
    >>> mixture = ngram.Mixture([news, tale]).fit(["the queen is dead"])
    >>> mixture.fit_.perplexity < min(mixture.fit_.component_perplexities)
    True
    """

    def __init__(
        self,
        components: Iterable[Source | Cache],
        weights: ArrayLike | None = None,
        *,
        kind: str = "linear",
        vocabulary: Iterable[str] | None = None,
    ) -> None:
        self.components = _checked_components(components)
        if kind not in KINDS:
            raise InputError(
                f"kind is {kind!r}: it is one of {', '.join(map(repr, KINDS))}."
            )
        sources = [part for part in self.components if not isinstance(part, Cache)]
        if kind == "log-linear" and not all(
            isinstance(part, Model) for part in self.components
        ):
            raise InputError(
                "log-linear mixtures are made of models alone; caches and mixtures mix "
                "linearly."
            )
        self.kind = kind
        self.vocabulary: Vocabulary = common_vocabulary(sources, vocabulary)
        self.tokenizer = sources[0].tokenizer
        self.order = max(part.order for part in self.components)
        self.fit_: Fit | None = None
        self.parts = tuple(
            CachePart(part, len(self.vocabulary))
            if isinstance(part, Cache)
            else ModelPart(part, self.vocabulary)
            for part in self.components
        )
        self.weights = self._checked_weights(weights)

    def _checked_weights(self, weights: ArrayLike | None) -> Floats:
        count = len(self.components)
        if weights is None:
            weights = np.full(count, 1 / count)
        try:
            array = np.array(weights, np.float64)
        except (TypeError, ValueError):
            raise InputError(f"weights are {weights!r}: pass numbers.") from None
        rows = self._buckets if self.kind == "context" else 1
        if array.shape != (count,) and (rows == 1 or array.shape != (rows, count)):
            more = f", or of shape ({rows}, {count})" if rows > 1 else ""
            raise InputError(
                f"weights have the shape {array.shape}: pass one for each of the"
                f" {count} components{more}."
            )
        if not np.all((array >= 0) & np.isfinite(array)):
            raise InputError(
                f"weights are {weights!r}: they must be numbers, 0 or more, and finite."
            )
        sums = array.sum(axis=-1, keepdims=True)
        if self.kind != "log-linear":
            worst = float(sums.flat[np.argmax(np.abs(sums - 1))])
            if abs(worst - 1) > SUM_TOLERANCE:
                raise InputError(
                    f"weights sum to {worst:g}: they must sum to 1. Divide them by"
                    " their sum."
                )
            array = array / sums
        if self.kind == "context":
            array = np.ascontiguousarray(np.broadcast_to(array, (rows, count)))
        array.flags.writeable = False
        return array

    @property
    def normalised(self) -> bool:
        """Whether probabilities sum to one: those of all components do."""
        return all(
            part.normalised for part in self.components if not isinstance(part, Cache)
        )

    @property
    def _buckets(self) -> int:
        """The number of buckets of contexts."""
        buckets = math.prod(part.context_lengths for part in self.parts)
        if buckets > MAX_BUCKETS:
            raise InputError(
                f"the components' orders make {buckets} buckets of contexts, more than "
                f"{MAX_BUCKETS}: use fewer components, or the kind 'linear'."
            )
        return buckets

    # Scores.

    def score_ids(
        self,
        ids: ArrayLike,
        offsets: ArrayLike,
        bos: bool = True,
        eos: bool = True,
        threads: int | None = None,
    ) -> tuple[Floats, Lengths]:
        """Return `log10_prob` and `ngram_length` of every token of sentences of ids.

        As `Model.score_ids`, with ids of the mixture's vocabulary. The length is that
        of the longest n-gram of any component that matched and has weight. For caches
        the sentences are one text.
        """
        sentences = scoring.checked_sentences(ids, offsets, len(self.vocabulary))
        batch = Batch(*sentences, bool(bos), bool(eos), threads)
        return Reading(self).scores(batch)

    def perplexity(
        self, texts: Iterable[str | bytes] | os.PathLike[str]
    ) -> scoring.PerplexityResult:
        """Return how well the mixture predicts sentences; see `Model.perplexity`.

        For caches the sentences are one text.
        """
        return scoring.perplexity(Reading(self), texts)

    # Predictions.

    def tokenize(self, text: str) -> list[str]:
        """Return the tokens of a text, without `<s>` and `</s>`."""
        as_texts([text])
        return self.tokenizer.tokenize(text)

    def context_ids(self, text: str | bytes, bos: bool = True) -> Ids:
        """Return the ids of a text, after `<s>` if `bos`: all, as caches need them."""
        ids = self.encode([text])[0]
        return np.concatenate([np.array([BOS] * bool(bos), np.uint32), ids])

    def distribution_of_ids(self, context: Ids) -> Floats:
        """Return p(word | context), float64 of shape (V,); `<s>` has 0."""
        distributions = np.stack([part.distribution(context) for part in self.parts])
        if self.kind == "log-linear":
            with np.errstate(divide="ignore"):
                logs = self.weights @ np.log10(distributions)
            products = np.power(10.0, logs - logs.max())
            products[BOS] = 0
            normalised: Floats = products / products.sum()
            return normalised
        weights = self.weights
        if self.kind == "context":
            lengths = [part.context_length(context) for part in self.parts]
            weights = weights[self._bucket_of(lengths)]
        sums: Floats = weights @ distributions
        return sums

    def probabilities_of_ids(self, context: Ids, words: Ids) -> Floats:
        """Return p(word | context) of some words."""
        some: Floats = self.distribution_of_ids(context)[words]
        return some

    def ids_with_prefix(self, prefix: str) -> Ids:
        """Return the ids of the words that begin with a prefix."""
        words = enumerate(self.vocabulary.words())
        return np.array(
            [id_ for id_, word in words if word.startswith(prefix)], np.uint32
        )

    def next_words(
        self, text: str | bytes, k: int, bos: bool = True
    ) -> list[tuple[str, float]]:
        """Return the k most probable words after a text, best first."""
        distribution = self.distribution_of_ids(self.context_ids(text, bos))
        return [
            (self.vocabulary.word(word), float(distribution[word]))
            for word in ranked(distribution)[:k].tolist()
        ]

    def sample_ids(
        self,
        context: Ids,
        count: int,
        temperature: float,
        top_k: int,
        top_p: float,
        seed: int,
    ) -> Ids:
        """Return words drawn after the context, up to `count`, or until `</s>`."""
        random = np.random.Generator(np.random.PCG64(seed))
        words = context
        while len(words) < len(context) + count:
            distribution = self.distribution_of_ids(words)
            word = drawn(distribution, temperature, top_k, top_p, random)
            words = np.append(words, np.uint32(word))
            if word == EOS:
                break
        return words[len(context) :]

    distribution = prediction.distribution
    next_tokens = prediction.next_tokens
    sample = prediction.sample
    generate = prediction.generate

    # Weights.

    def fit(self, texts: Iterable[str | bytes] | os.PathLike[str]) -> Self:
        """Return a mixture of the same components whose weights fit a text.

        "linear": expectation maximisation; "context": the same for every bucket, with a
        prior that keeps buckets of little text near the weights of all; "log-linear":
        Newton's method. All begin with equal weights and stop when a step gains less
        than 1e-9 (log10 per token). The result is at least as good on the text as every
        component alone, and always the same. Tokens that no component knows take part,
        as `<unk>`.

        Parameters
        ----------
        texts : iterable of str or bytes, or path-like
            As in `perplexity`: text that the components were not trained on.

        Returns
        -------
        Mixture
            Its `fit_` says how good the weights are.

        Raises
        ------
        InputError
            If there is no word, or every component gives everything probability 0.

        Warns
        -----
        UserWarning
            If no component knows any word of the text.
        """
        return self.fit_evidence(self.evidence(texts))

    def evidence(self, texts: Iterable[str | bytes] | os.PathLike[str]) -> Evidence:
        """Return what each component says about every token of a text.

        The input of the fit: of several texts it can be joined, as cross-validation
        does.
        """
        reading = Reading(self)
        parts = [
            reading.evidence(Batch(*self.encode(batch)))
            for batch in scoring.batches(scoring.sentences(self.tokenizer, texts))
        ]
        if not parts:
            raise InputError(
                "the weights need at least one sentence to be fitted to, and there is "
                "none."
            )
        return Evidence.joined(parts)

    def fit_evidence(self, evidence: Evidence) -> Self:
        """Return a mixture whose weights fit what `evidence` gave; see `fit`."""
        evidence.check()
        count = len(self.components)
        if self.kind == "log-linear":
            weights, report = self._log_linear.fit(evidence)
        elif self.kind == "context":
            start = np.full(count, 1 / count)
            weights, report = fit_contexts(evidence, start, self._buckets)
        else:
            weights, report = fit_linear(evidence, np.full(count, 1 / count))
        fitted = copy.copy(self)
        fitted.__dict__.pop("_log10_z", None)
        fitted.weights = weights
        fitted.weights.flags.writeable = False
        fitted.fit_ = report
        return fitted

    # One model.

    def flatten(
        self, *, threads: int | None = None, progress: Progress | None = None
    ) -> Model:
        """Return one back-off model of the n-grams of all components.

        Every n-gram that is in some component has exactly the mixture's probability
        (rounded to float32). Other n-grams are backed off to, with back-offs that make
        every context sum to one. A log-linear mixture is a back-off model, so all its
        probabilities stay; of the other kinds those of n-grams that no component holds
        change, since a sum of backed-off probabilities is no back-off.

        Parameters
        ----------
        threads : int, optional
            By default, all processors. The model does not depend on it.
        progress : callable(stage, done, total), optional

        Returns
        -------
        Model

        Raises
        ------
        InputError
            If a component is no `Model`: a cache depends on the whole text.

        References
        ----------
        Stolcke (2002), SRILM: an extensible language modeling toolkit, section 3:
        mixtures as one back-off model.
        """
        return flattened(self, threads, progress)

    def last_words(self, batch: Batch, order: int) -> Floats:
        """Return log10 probabilities of the last of every `order` words."""
        found = Reading(self).component_scores(batch)
        numbers = self.context_numbers(batch, found)[order - 1 :: order]
        return self.mixed_scores(
            [last_words(scores, order) for scores in found], numbers
        )

    def description(self) -> dict[str, Any]:
        """Return what is mixed and how, as JSON can say it."""
        return {
            "kind": self.kind,
            "weights": self.weights.tolist(),
            "components": [
                part.info() if isinstance(part, Model) else repr(part)
                for part in self.components
            ],
        }

    # How the components become one.

    def mixed_scores(self, scores: Sequence[Scores], numbers: Numbers) -> Floats:
        """Return the log10 probability of tokens from that of every component."""
        log10_prob = np.stack([part.log10_prob for part in scores], axis=1)
        if self.kind == "log-linear":
            result: Floats = log10_prob @ self.weights - self._log10_z[numbers]
            return result
        if self.kind == "context":
            return mixed(log10_prob, self.weights[numbers])
        return mixed(log10_prob, self.weights)

    def context_numbers(self, batch: Batch, scores: Sequence[Scores]) -> Numbers:
        """Return the number of every token's context: what else the mixing needs."""
        if self.kind == "log-linear":
            return self._log_linear.numbers(batch)
        if self.kind == "context":
            found: Numbers = self._bucket_of([part.context_length for part in scores])
            return found
        return np.zeros(len(batch.tokens), np.int64)

    def _bucket_of(self, context_lengths: Sequence[Any]) -> Any:
        bucket: Any = 0
        for part, length in zip(self.parts, context_lengths, strict=True):
            bucket = bucket * part.context_lengths + np.asarray(length, np.int64)
        return bucket  # an array for arrays, a number for numbers

    @cached_property
    def _log_linear(self) -> LogLinear:
        models = [part for part in self.components if isinstance(part, Model)]
        threads = thread_count(None)
        ngrams = union_of(models, self.vocabulary, threads)
        parts = [part for part in self.parts if isinstance(part, ModelPart)]
        return LogLinear(parts, ngrams, threads)

    @cached_property
    def _log10_z(self) -> Floats:
        return self._log_linear.log10_z(self.weights)

    def __repr__(self) -> str:
        names = ", ".join(map(repr, self.components))
        weights = "" if self.kind == "context" else f", weights={self.weights.tolist()}"
        return f"Mixture([{names}]{weights}, kind={self.kind!r})"


def _checked_components(
    components: Iterable[Source | Cache],
) -> tuple[Source | Cache, ...]:
    try:
        found = tuple(components)
    except TypeError:
        raise InputError(
            f"components is {components!r}: pass a list of models."
        ) from None
    for part in found:
        if not isinstance(part, (Cache, Model, Mixture)) and not (
            hasattr(part, "score_ids") and hasattr(part, "distribution_of_ids")
        ):
            raise InputError(
                f"a component is {part!r}: components are models, caches and mixtures. "
                "Load a file with ngram.load or ngram.read_arpa first."
            )
    sources = [part for part in found if not isinstance(part, Cache)]
    if not sources:
        raise InputError("a mixture needs at least one model.")
    for source in sources[1:]:
        if source.tokenizer != sources[0].tokenizer:
            raise InputError(
                "the components cut text into tokens in different ways, "
                f"{sources[0].tokenizer!r} and {source.tokenizer!r}: train them with"
                " the same tokenizer."
            )
    return found
