"""What comes next: the distribution over the vocabulary, its best tokens, and draws.

Input: a model and the text so far. Output: probabilities, tokens, or text. Everything
is exact: computed from the whole smoothed distribution, whether or not the model has
successor lists. Read `ngram/model.py` next.
"""

import math
import secrets
from collections.abc import Iterable, Sequence
from itertools import pairwise
from numbers import Real
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ngram.arguments import MOST, checked_integer
from ngram.errors import InputError

if TYPE_CHECKING:
    from ngram.text import Tokenizer
    from ngram.vocabulary import Vocabulary

__all__ = [
    "complete",
    "distribution",
    "generate",
    "next_tokens",
    "rank_candidates",
    "sample",
]

Seed = int | np.random.Generator | None

BEGIN_SENTENCE = 1  # its id, behind that of <unk>


class Predictor(Protocol):
    """What predictions ask a model for, in word ids."""

    @property
    def vocabulary(self) -> "Vocabulary": ...
    @property
    def tokenizer(self) -> "Tokenizer": ...
    def tokenize(self, text: str, /) -> list[str]: ...
    def context_ids(self, text: str, bos: bool, /) -> NDArray[np.uint32]: ...
    def distribution_of_ids(
        self, context: NDArray[np.uint32], /
    ) -> NDArray[np.float64]: ...
    def probabilities_of_ids(
        self, context: NDArray[np.uint32], words: NDArray[np.uint32], /
    ) -> NDArray[np.float64]: ...
    def ids_with_prefix(self, prefix: str, /) -> NDArray[np.uint32]: ...
    def next_words(
        self, text: str, k: int, bos: bool, /
    ) -> list[tuple[str, float]]: ...
    def sample_ids(
        self,
        context: NDArray[np.uint32],
        count: int,
        temperature: float,
        top_k: int,
        top_p: float,
        seed: int,
        /,
    ) -> NDArray[np.uint32]: ...


class Searcher(Predictor, Protocol):
    """What completions and candidates ask beyond that."""

    def continuations_of_ids(
        self, context: NDArray[np.uint32], width: int, longest: int, /
    ) -> list[tuple[list[int], float]]: ...
    def encode(
        self, texts: Sequence[str], /
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]: ...
    def score_ids(
        self,
        ids: NDArray[np.uint32],
        offsets: NDArray[np.int64],
        bos: bool,
        eos: bool,
        /,
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]: ...


def distribution(
    model: Predictor, text: str = "", *, bos: bool = True
) -> NDArray[np.float64]:
    """Return the probability of every word of the vocabulary to come next.

    Parameters
    ----------
    model : Model
    text : str, default=""
        The sentence so far.
    bos : bool, default=True
        Whether the text begins a sentence.

    Returns
    -------
    ndarray of shape (V,), dtype=float64, linear
        By word id. `<unk>` has the probability of an unknown token, `</s>` of the
        sentence's end, `<s>`, which cannot come, 0. For models trained here the sum is
        1 up to the rounding of stored float32 values (below 1e-5).
    """
    return model.distribution_of_ids(model.context_ids(text, bos))


def next_tokens(
    model: Predictor,
    text: str = "",
    k: int = 10,
    *,
    bos: bool = True,
    prefix: str = "",
    among: Iterable[str] | None = None,
) -> list[tuple[str, float]]:
    """Return the k most probable next tokens, best first.

    Parameters
    ----------
    model : Model
    text : str, default=""
        The sentence so far.
    k : int, default=10
        1 to 2**31 - 1; it may exceed the size of the vocabulary.
    bos : bool, default=True
        Whether the text begins a sentence.
    prefix : str, default=""
        Only tokens that begin with it, as when somebody has typed the first letters.
    among : iterable of str, default=None
        Only these tokens; those outside the vocabulary are left out. None: all.

    Returns
    -------
    list of (str, float)
        Tokens and probabilities, exactly those of `distribution`: what `prefix` and
        `among` exclude keeps its share. `</s>` is the sentence's end. `<unk>` (no token
        in particular), `<s>` and tokens of probability 0 are left out, so the list may
        be shorter. Equally probable tokens stand in the order of their ids.
    """
    count = checked_integer("k", k, least=1, most=MOST)
    if not prefix and among is None:
        return model.next_words(text, count, bos)
    ids = _allowed(model, prefix, among)
    probabilities = model.probabilities_of_ids(model.context_ids(text, bos), ids)
    order = np.lexsort((ids, -probabilities))[:count]
    return [
        (model.vocabulary.word(int(ids[i])), float(probabilities[i]))
        for i in order
        if probabilities[i] > 0
    ]


def _allowed(
    model: Predictor, prefix: str, among: Iterable[str] | None
) -> NDArray[np.uint32]:
    """Return the ids of the tokens that may come, without `<unk>` and `<s>`."""
    if among is None:
        ids = model.ids_with_prefix(prefix)
    elif isinstance(among, str | bytes):
        raise InputError("among is one string: pass a list of tokens.")
    else:
        tokens = [token for token in among if token.startswith(prefix)]
        known = {model.vocabulary.id(token) for token in tokens}
        ids = np.array(sorted(known), np.uint32)
    return ids[ids > BEGIN_SENTENCE]


def rank_candidates(
    model: Searcher,
    candidates: Sequence[str],
    text: str = "",
    *,
    bos: bool = True,
    eos: bool = False,
) -> list[tuple[str, float]]:
    """Return candidates for how a text goes on, the most probable first.

    Parameters
    ----------
    model : Model
    candidates : sequence of str
        Each one or several tokens, as a recogniser, a speller or a translator proposes.
    text : str, default=""
        The sentence so far.
    bos : bool, default=True
        Whether the text begins a sentence.
    eos : bool, default=False
        Whether the sentence ends with the candidate; `</s>` is then scored too.

    Returns
    -------
    list of (str, float)
        Candidates and the log10 probability of their tokens after the text; a longer
        one has more to predict. Equal ones keep their order.
    """
    if isinstance(candidates, str | bytes):
        raise InputError("candidates is one string: pass a list of strings.")
    before = model.context_ids(text, bos)
    ids, offsets = model.encode(candidates)
    tails = np.split(ids, offsets[1:-1]) if len(candidates) else []
    whole = [np.concatenate((before, tail)) for tail in tails]
    ends = np.cumsum([0, *map(len, whole)])
    all_ids = np.concatenate([np.empty(0, np.uint32), *whole])
    scores, _ = model.score_ids(all_ids, ends, False, eos)
    sums = []
    for begin, end in pairwise(ends + np.arange(len(ends)) * eos):
        sums.append(float(np.sum(scores[begin + len(before) : end], dtype=np.float64)))
    ranked = sorted(zip(candidates, sums, strict=True), key=lambda pair: -pair[1])
    return [(candidate, log10_prob) for candidate, log10_prob in ranked]


def complete(
    model: Searcher,
    text: str = "",
    n: int = 5,
    *,
    max_tokens: int = 20,
    width: int = 20,
    bos: bool = True,
) -> list[tuple[list[str], float]]:
    """Return the most probable ways to end a sentence, by beam search.

    Parameters
    ----------
    model : Model
    text : str, default=""
        The sentence so far.
    n : int, default=5
        How many.
    max_tokens : int, default=20
        Stop after so many tokens.
    width : int, default=20
        How many beginnings are kept at each length; at least `n` are. More may find
        more probable ends and takes longer.
    bos : bool, default=True
        Whether the text begins a sentence.

    Returns
    -------
    list of (list of str, float)
        Tokens, of which the last is `</s>` if the sentence ended, and their log10
        probability after the text, the most probable first.
    """
    count = checked_integer("n", n, least=1, most=MOST)
    found = model.continuations_of_ids(
        model.context_ids(text, bos),
        max(count, checked_integer("width", width, least=1, most=MOST)),
        checked_integer("max_tokens", max_tokens, least=1, most=MOST),
    )
    return [
        ([model.vocabulary.word(id_) for id_ in ids], log10_prob)
        for ids, log10_prob in found[:count]
    ]


def sample(
    model: Predictor,
    prefix: str = "",
    *,
    max_tokens: int = 100,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: Seed = None,
    bos: bool = True,
) -> list[str]:
    """Draw tokens after a text, each from the exact distribution after those before.

    Parameters
    ----------
    model : Model
    prefix : str, default=""
        The sentence so far.
    max_tokens : int, default=100
        Stop after so many tokens.
    temperature : float, default=1.0
        Probabilities are raised to the power 1 / temperature: below 1 prefers probable
        tokens, above 1 evens them out, 0 always takes the most probable token.
    top_k : int, default=None
        Draw from the so many most probable tokens only. Applies after `temperature`.
    top_p : float, default=None
        Draw from the fewest most probable tokens that hold at least this share of the
        probability, in (0, 1]. Applies after `top_k`.
    seed : int or numpy.random.Generator, default=None
        The same seed gives the same tokens, on every machine (SplitMix64 gives the
        random numbers). A generator is asked for one seed. By default, a new seed.
    bos : bool, default=True
        Whether the prefix begins a sentence.

    Returns
    -------
    list of str
        The tokens drawn, without the prefix. If the sentence ended, the last one is
        `</s>`. `<s>` and `<unk>` are never drawn.
    """
    count = checked_integer("max_tokens", max_tokens, least=0, most=MOST)
    best = 0
    if top_k is not None:
        best = checked_integer(
            "top_k", top_k, least=1, most=MOST, advice="Leave it out for all tokens."
        )
    ids = model.sample_ids(
        model.context_ids(prefix, bos),
        count,
        _temperature(temperature),
        best,
        _share(top_p),
        _seed(seed),
    )
    return [model.vocabulary.word(id_) for id_ in ids.tolist()]


def generate(
    model: Predictor,
    prefix: str = "",
    *,
    max_tokens: int = 100,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: Seed = None,
) -> str:
    """Draw a text that begins with a prefix.

    Parameters as for `sample`.

    Returns
    -------
    str
        The prefix and what was drawn after it, up to the sentence's end: the tokens of
        both, joined by the tokenizer. So with the tokenizer "whitespace" every run of
        white space in the prefix becomes one blank, and none is left at its ends.
    """
    tokens = sample(
        model,
        prefix,
        max_tokens=max_tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
    )
    if tokens and tokens[-1] == "</s>":
        tokens.pop()
    return model.tokenizer.detokenize([*model.tokenize(prefix), *tokens])


def _real(value: object) -> float:
    """Return a real number as a float, and NaN for whatever is none."""
    try:
        return float(value) if isinstance(value, Real) else math.nan
    except OverflowError:
        return math.inf


def _temperature(value: object) -> float:
    temperature = _real(value)
    if not 0 <= temperature < math.inf:
        raise InputError(
            f"temperature is {value!r}: it must be a number, 0 or positive, and finite."
        )
    return temperature


def _share(top_p: object) -> float:
    share = 1.0 if top_p is None else _real(top_p)
    if not 0 < share <= 1:
        raise InputError(
            f"top_p is {top_p!r}: it must be a number above 0 and at most 1, or None "
            "for all tokens."
        )
    return share


def _seed(seed: Seed) -> int:
    if seed is None:
        return secrets.randbits(64)
    if isinstance(seed, np.random.Generator):
        return int(seed.integers(0, 1 << 64, dtype=np.uint64))
    return checked_integer(
        "seed",
        seed,
        least=0,
        most=2**64 - 1,
        advice="A numpy.random.Generator or None will do, too.",
    )
