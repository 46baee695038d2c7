"""A mixture of models as one back-off model.

Input: a mixture. Output: a `Model` of the n-grams of all components. Read
`ngram/mixture/mixing.py` next, whose `Mixture.flatten` says in what sense it is exact.
"""

from typing import TYPE_CHECKING

import numpy as np

from ngram._core.ngrams import SortedNgrams
from ngram.errors import InputError
from ngram.mixture.components import BOS
from ngram.mixture.union import Progress, batches_of, union_of
from ngram.model import Model
from ngram.threads import thread_count

if TYPE_CHECKING:
    from ngram.mixture.mixing import Mixture


def flattened(
    mixture: "Mixture", threads: int | None, progress: Progress | None
) -> Model:
    """Return the model; see `Mixture.flatten`."""
    models = [part for part in mixture.components if isinstance(part, Model)]
    if len(models) < len(mixture.components):
        raise InputError(
            "only a mixture of models can become one model: leave out caches and "
            "mixtures."
        )
    workers = thread_count(threads)
    union = union_of(models, mixture.vocabulary, workers, progress)
    levels = []
    done, total = 0, sum(union.counts)
    for order in range(1, union.order + 1):
        word, suffix, _, log10_backoff = union.level(order)
        parts = []
        for batch in batches_of(union, order, workers):
            parts.append(mixture.last_words(batch, order))
            done += len(parts[-1])
            if progress is not None:
                progress("mix n-grams", done, total)
        log10_prob = np.minimum(np.concatenate(parts), 0)
        if order == 1:  # <s> is never predicted: what it has is a mark, not a share
            log10_prob[BOS] = models[0].score_ids([BOS], [0, 1], False, False)[0][0]
        levels.append((word, suffix, log10_prob, log10_backoff))
    ngrams = SortedNgrams.from_levels(levels)
    del union, levels, word, suffix, log10_backoff
    return Model.from_ngrams(
        ngrams.renormalized(threads=workers, progress=progress),
        mixture.vocabulary,
        tokenizer=mixture.tokenizer,
        training={"mixture": mixture.description()},
        threads=workers,
        progress=progress,
        consume=True,
    )
