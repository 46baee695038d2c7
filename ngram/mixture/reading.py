"""A text as a mixture reads it, sentence by sentence.

Input: batches of sentences, in the order of the text. Output: their scores, and what
the weights are fitted to. Read `ngram/mixture/mixing.py` next.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ngram.mixture.components import UNK, Batch, Floats, Lengths, Scores
from ngram.mixture.weights import Evidence

if TYPE_CHECKING:
    from ngram.mixture.mixing import Mixture


class Reading:
    """A text as a mixture reads it, from its beginning: what caches hold moves on."""

    def __init__(self, mixture: "Mixture") -> None:
        self.order = mixture.order
        self.tokenizer = mixture.tokenizer
        self.normalised = mixture.normalised
        self._mixture = mixture
        self._memories: list[Any] = [part.begin() for part in mixture.parts]

    def component_scores(self, batch: Batch) -> list[Scores]:
        """Return what every component says about the next sentences."""
        found = []
        for i, part in enumerate(self._mixture.parts):
            scores, self._memories[i] = part.scores(batch, self._memories[i])
            found.append(scores)
        return found

    def scores(self, batch: Batch) -> tuple[Floats, Lengths]:
        """Return log10 probabilities and n-gram lengths of the next sentences."""
        mixture = self._mixture
        found = self.component_scores(batch)
        log10_prob = mixture.mixed_scores(found, mixture.context_numbers(batch, found))
        has_weight = np.any(np.atleast_2d(mixture.weights) > 0, axis=0)
        lengths = np.stack([found[i].ngram_length for i in np.flatnonzero(has_weight)])
        return log10_prob, lengths.max(axis=0)

    def score_tokens(
        self, texts: Sequence[str | bytes]
    ) -> tuple[Floats, Lengths, NDArray[np.bool_]]:
        """Return scores of the next sentences; see `Mixture.score_tokens`."""
        batch = Batch(*self._mixture.encode(texts))
        return *self.scores(batch), batch.tokens == UNK

    def evidence(self, batch: Batch) -> Evidence:
        """Return what the weights of the next sentences are fitted to."""
        found = self.component_scores(batch)
        log10_prob = np.stack([part.log10_prob for part in found], axis=1)
        return Evidence(
            log10_prob,
            self._mixture.context_numbers(batch, found),
            words=len(batch.ids),
            unknown=int(np.count_nonzero(batch.ids == UNK)),
        )
