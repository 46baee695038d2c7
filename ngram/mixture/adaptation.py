"""A base model and a small text of a domain, style or person: a mixture of both.

Input: a base model and the text. Output: the `Mixture` of the base and of a model of
the text, with weights from cross-validation: no text is held back, and none is needed
besides. `docs/mixtures.md` shows how it is used.
"""

import os
import warnings
from collections.abc import Iterable
from typing import Any

from ngram import scoring
from ngram.errors import DiscountWarning, InputError
from ngram.estimate import train
from ngram.mixture.components import Source
from ngram.mixture.mixing import Mixture
from ngram.mixture.weights import Evidence

# Few folds: a held-out sentence next to its neighbours finds its document in the other
# parts, and the text's model seems better than it is for other documents.
FOLDS = 3


def adapt(
    base: Source,
    texts: Iterable[str | bytes] | os.PathLike[str],
    order: int = 3,
    *,
    kind: str = "linear",
    folds: int = FOLDS,
    vocabulary: Iterable[str] | None = None,
    **options: Any,
) -> Mixture:
    """Return a base model adapted to a text.

    A model is trained on the text and mixed with the base. The weights are those that
    predict parts of the text best from a model of the other parts and the base.

    Parameters
    ----------
    base : Model or Mixture
        Of much text of any kind.
    texts : iterable of str or bytes, or path-like
        Sentences, or the path of a text: some thousand words are enough to gain.
    order : int, default=3
        Of the model of the text.
    kind : {"linear", "context"}, default="linear"
        As in `Mixture`.
    folds : int, default=3
        How many parts of consecutive sentences the text is cut into, at least 2. More
        parts leave more text to the models that are tested, and trust it more: right
        for independent sentences, too much for a few long documents.
    vocabulary : iterable of str, optional
        As in `Mixture`.
    options
        As in `ngram.train`, for the model of the text. Its tokenizer is the base's.

    Returns
    -------
    Mixture
        Components: the base, and the model of the text.

    Raises
    ------
    InputError
        If there are fewer sentences than folds, or fewer than two folds.

    Examples
    --------
    >>> import ngram
    >>> fallback = (0.5, 1, 1.5)
    >>> lines = ["a rose is red", "a sky is blue"]
    >>> base = ngram.train(lines, discount_fallback=fallback)
    >>> pirate = ["arr the rose", "arr the sea"]
    >>> mixture = ngram.adapt(base, pirate, folds=2, discount_fallback=fallback)
    >>> mixture.next_tokens("", k=1)[0][0]
    'arr'
    """
    if kind not in ("linear", "context"):
        raise InputError(f"kind is {kind!r}: adapted models mix 'linear' or 'context'.")
    sentences = list(scoring.sentences(base.tokenizer, texts))
    if not isinstance(folds, int) or not 2 <= folds <= len(sentences):
        raise InputError(
            f"folds is {folds!r} and the text has {len(sentences)} sentences: it is"
            " cut into 2 or more parts, each with a sentence. Pass more text, or fewer"
            " folds."
        )
    options["tokenizer"] = base.tokenizer
    model = train(sentences, order, **options)
    words = [*model.vocabulary, *(vocabulary or ())]
    evidence = []
    for fold in range(folds):
        begin, end = (len(sentences) * i // folds for i in (fold, fold + 1))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DiscountWarning)
            part = train(sentences[:begin] + sentences[end:], order, **options)
        held_out = Mixture([base, part], kind=kind, vocabulary=words)
        evidence.append(held_out.evidence(sentences[begin:end]))
    mixture = Mixture([base, model], kind=kind, vocabulary=vocabulary)
    return mixture.fit_evidence(Evidence.joined(evidence))
