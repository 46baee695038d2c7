"""What comes next: the distribution over the vocabulary, its best tokens, and draws.

Input: a model and the text so far. Output: probabilities, tokens, or text. Everything
is exact: computed from the whole smoothed distribution, whether or not the model has
successor lists. Read `ngram/model.py` next.
"""

import math
import operator
import secrets
from numbers import Real
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ngram.errors import InputError

if TYPE_CHECKING:
    from ngram.text import Tokenizer
    from ngram.vocabulary import Vocabulary

__all__ = ["distribution", "generate", "next_tokens", "sample"]

Seed = int | np.random.Generator | None

MAX_NUMBER = 2**31 - 1  # of tokens asked for; no vocabulary is larger


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
    model: Predictor, text: str = "", k: int = 10, *, bos: bool = True
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

    Returns
    -------
    list of (str, float)
        Tokens and probabilities, exactly those of `distribution`. `</s>` is the
        sentence's end. `<unk>` (no token in particular), `<s>` and tokens of
        probability 0 are left out, so the list may be shorter. Equally probable tokens
        stand in the order of their ids.
    """
    return model.next_words(text, _integer("k", k, 1), bos)


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
    count = _integer("max_tokens", max_tokens, 0)
    best = 0 if top_k is None else _integer("top_k", top_k, 1, " (None: all tokens)")
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


def _integer(name: str, value: object, least: int, more: str = "") -> int:
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # what is asked here
    except TypeError:
        number = -1
    if not least <= number <= MAX_NUMBER:
        raise InputError(
            f"{name} is {value!r}: it must be an integer from {least} to "
            f"{MAX_NUMBER}{more}."
        )
    return number


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
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < 1 << 64:
        raise InputError(
            f"seed is {seed!r}: it must be an integer from 0 to 2**64 - 1, a "
            "numpy.random.Generator, or None."
        )
    return number
