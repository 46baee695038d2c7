"""Estimation: a corpus in, a model out.

Input: a corpus (files, sentences, ids, or counts) and the options of lmplz under Python
names.
Output: a `Model`, or an ARPA file. The steps: `ngram.text` reads the corpus as ids; the
engine counts n-grams and their counts of counts; `ngram.smoothing` turns these into
discounts or weights; the engine smooths; `ngram.model` or `ngram.arpa` stores. There
are two engines: a fast one for interpolated Kneser-Ney, which never holds the counts of
all n-grams, and one that smooths counts level by level (`ngram.fitting`), for every
method and for `Counts`, which give the model of the text they were made of. The same
corpus and options give the same bytes for any number of threads.
"""

import os
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Self, TypedDict, Unpack, overload

import numpy as np
import numpy.typing as npt

from ngram._core.counts import MAX_ORDER, NgramCounts
from ngram._core.estimate import Estimator
from ngram._core.ngrams import CountedNgrams, SortedNgrams
from ngram._core.text import TokenIds
from ngram.arguments import checked_integer, checked_integers, checked_numbers
from ngram.arpa import format_arpa
from ngram.counts import Counts
from ngram.errors import InputError
from ngram.files import check_output, is_file_output
from ngram.fitting import Ngrams, Smoothed, encode_heldout, fit_and_smooth
from ngram.memory import MemoryBudget, MemoryPlan
from ngram.model import Model, Progress, checked_structure, no_counts
from ngram.smoothing import (
    DEFAULT,
    Discounting,
    SmoothingMethod,
    discounts_from_counts,
    pruning_thresholds,
    smoothing_method,
)
from ngram.text import Tokenizer, corpus_files, open_text, read_corpus
from ngram.threads import thread_count
from ngram.version import __version__
from ngram.vocabulary import Vocabulary

__all__ = ["train", "train_arpa"]

SPECIAL = 3  # words: <unk>, <s>, </s>


def train(
    corpus: object,
    order: int | None = None,
    *,
    tokenizer: str | Tokenizer | None = None,
    prune: Iterable[int] = (),
    limit_vocab: str | os.PathLike[str] | Iterable[str] | None = None,
    interpolate_unigrams: bool = True,
    discount_fallback: Iterable[float] | None = None,
    vocab_pad: int = 0,
    skip_symbols: bool = False,
    strict: bool = False,
    smoothing: str | SmoothingMethod = DEFAULT,
    heldout: object = None,
    structure: str = "auto",
    successors: bool = False,
    threads: int | None = None,
    memory: int | str | None = None,
    temp_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    output: str | os.PathLike[str] | None = None,
) -> Model:
    """Train a model, by default with modified Kneser-Ney smoothing.

    Parameters
    ----------
    corpus : path, list of path, iterable of str, (ids, offsets, vocabulary), or Counts
        A str is the path of a text file ("-" is standard input); files may be
        compressed (gz, xz, bz2, zst). An iterable of str holds one sentence each.
        `Counts` give the model of their text in the structure "bucketed", bit for bit.
    order : int, optional
        Length of the longest n-grams, 1 to 255; by default 5, or that of the counts.
    tokenizer : str or Tokenizer, optional
        "whitespace" (the default, as lmplz), "characters", "bytes", or the path of a
        Hugging Face tokenizers JSON file. It is stored in the model and used again for
        scoring. Counts have their own.
    prune : sequence of int, default=()
        Threshold of each order: n-grams with a count up to it are dropped. They may
        not decrease, and the last one holds for the remaining orders.
    limit_vocab : path or iterable of str, optional
        Drop n-grams with a token that is not listed; a file lists tokens separated by
        white space. `<unk>`, `<s>`, `</s>` stay.
    interpolate_unigrams : bool, default=True
        Share the mass the discounts took from 1-grams among all tokens; otherwise
        `<unk>` receives all of it.
    discount_fallback : sequence of 1 to 3 float, optional
        Discounts for the orders whose closed form is undefined. By default such an
        order takes one discount for all counts, or else 0.5, 1 and 1.5, and a
        DiscountWarning says so.
    vocab_pad : int, default=0
        Share the unigram mass as if there were at least so many tokens.
    skip_symbols : bool, default=False
        Treat `<unk>`, `<s>` and `</s>` in the text as white space; otherwise they are
        an error.
    strict : bool, default=False
        Raise DiscountError where the closed form is undefined.
    smoothing : str or SmoothingMethod, default="modified-kneser-ney"
        A name of `ngram.smoothing.METHODS`, which options may follow as in
        "additive:delta=0.1"; or a method, which is fitted. `docs/smoothing.md` says
        what each does.
    heldout : as corpus, optional
        Text that the corpus does not contain, for the methods that learn from it
        ("jelinek-mercer", "modified-kneser-ney-tuned").
    structure : {"auto", "fast", "bucketed"}, default="auto"
        How the model holds its n-grams; every score is the same, to the last bit.
        "fast" computes probabilities from counts: 5 to 6 bytes for each n-gram. It is
        for text smoothed by interpolated Kneser-Ney, pruned or not. "bucketed" stores
        probabilities, 14 bytes for each n-gram, and holds every model. "auto" is
        "fast" where that can be.
    successors : bool, default=False
        Also index the successors of every context, which makes `next_tokens` fast.
    threads : int, optional
        By default, all processors. The result does not depend on it.
    memory : int or str, default="80%"
        Bytes to use: a number, or like "4G" or "80%" (of the machine). A corpus that
        needs more is estimated in rounds, with temporary files. The result does not
        depend on it.
    temp_dir : path, optional
        Folder of temporary files; by default the system's. They have no names and
        vanish with the process, however it ends.
    progress : callable(stage, done, total), optional
    output : path, optional
        Save the model in this file, and use it there. The n-grams go into the file as
        they are placed, which takes less memory and time than `train` and then `save`.
        With `successors`, and for a device or a pipe, it is the same as both.

    Returns
    -------
    Model

    Raises
    ------
    InputError
        If an argument or the text cannot be used.
    ModelFileError
        If `output` cannot be written.
    DiscountError
        If `strict`, there is no fallback, and a closed form is undefined.
    MemoryBudgetError
        If `memory`, or the room in `temp_dir`, is too small.

    Notes
    -----
    The differences from lmplz are listed in `docs/kenlm.md`.

    References
    ----------
    Chen and Goodman (1999), An empirical study of smoothing techniques for language
    modeling, section 3. Heafield et al. (2013), Scalable modified Kneser-Ney language
    model estimation.

    Examples
    --------
    >>> import ngram
    >>> model = ngram.train(["a rose is a rose"] * 2 + ["a rose is red"], order=2)
    >>> model.order
    2
    """
    options = Options.for_corpus(
        corpus,
        order=order,
        tokenizer=tokenizer,
        prune=prune,
        limit_vocab=limit_vocab,
        interpolate_unigrams=interpolate_unigrams,
        discount_fallback=discount_fallback,
        vocab_pad=vocab_pad,
        skip_symbols=skip_symbols,
        strict=strict,
        smoothing=smoothing,
        heldout=heldout,
        threads=threads,
        memory=memory,
        temp_dir=temp_dir,
    )
    keeps_counts = _keeps_counts(corpus, options.smoothing, structure)
    if output is not None:
        inputs = _files(corpus, heldout, limit_vocab)
        check_output(output, compressible=False, inputs=inputs)
    made = estimate(corpus, options, progress, keeps_counts=keeps_counts)
    in_place = output is not None and not successors and is_file_output(output)
    model = Model.from_ngrams(
        made.ngrams,
        made.vocabulary,
        tokenizer=options.tokenizer,
        discounts=made.discounts,
        counts_of_counts=made.counts_of_counts,
        training=made.training,
        threads=options.threads,
        progress=progress,
        consume=True,
        output=output if in_place else None,
        plan=made.plan,
    )
    if successors:
        model.index_successors(options.threads, progress=progress)
    if output is not None and not in_place:
        model.save(output)
    return model


class Arguments(TypedDict, total=False):
    """The optional arguments that `train` and `train_arpa` share."""

    tokenizer: str | Tokenizer | None
    prune: Iterable[int]
    limit_vocab: str | os.PathLike[str] | Iterable[str] | None
    interpolate_unigrams: bool
    discount_fallback: Iterable[float] | None
    vocab_pad: int
    skip_symbols: bool
    strict: bool
    smoothing: str | SmoothingMethod
    heldout: object
    threads: int | None
    memory: int | str | None
    temp_dir: str | os.PathLike[str] | None


def train_arpa(
    corpus: object,
    path: str | os.PathLike[str],
    order: int | None = None,
    *,
    progress: Progress | None = None,
    **options: Unpack[Arguments],
) -> dict[str, Any]:
    """Train a model and write it as ARPA, with no query structure.

    Parameters
    ----------
    corpus : as in `train`
    path : path
        The ARPA file; .gz, .xz and .zst are compressed, "-" is standard output.
    order, progress, options
        As in `train`, but without `successors` and `output`. ARPA does not hold the
        tokenizer.

    Returns
    -------
    dict
        As `Model.info`, as far as it concerns the estimate.
    """
    checked = Options.for_corpus(corpus, order=order, **options)
    inputs = _files(corpus, options.get("heldout"), options.get("limit_vocab"))
    check_output(path, inputs=inputs)
    made = estimate(corpus, checked, progress)
    format_arpa(
        made.ngrams,
        made.vocabulary,
        path,
        threads=checked.threads,
        progress=progress,
    )
    return {
        "order": checked.order,
        "ngrams": list(made.ngrams.counts),
        "discounts": made.discounts,
        "counts_of_counts": made.counts_of_counts,
        "training": made.training,
    }


def _files(*texts: object) -> list[str | os.PathLike[str]]:
    return [file for text in texts for file in corpus_files(text)]


@dataclass(frozen=True)
class Options:
    """What a model is trained with, checked; see `train` for the meanings."""

    order: int
    tokenizer: Tokenizer
    prune: tuple[int, ...]
    limit_vocab: tuple[str, ...] | None
    interpolate_unigrams: bool
    discount_fallback: tuple[float, ...] | None
    vocab_pad: int
    skip_symbols: bool
    strict: bool
    smoothing: SmoothingMethod
    heldout: object
    threads: int
    budget: MemoryBudget

    @classmethod
    def for_corpus(
        cls, corpus: object, order: int | None, **arguments: Unpack[Arguments]
    ) -> Self:
        """Check the arguments of a caller, before any text is read.

        Counts bring their order, their tokenizer and how they read symbols.
        """
        if not isinstance(corpus, Counts):
            return cls.of(5 if order is None else order, **arguments)
        options = cls.of(corpus.order if order is None else order, **arguments)
        if options.order > corpus.order:
            raise InputError(
                f"order is {options.order}, and the counts have n-grams of 1 to"
                f" {corpus.order}. Count the text with order={options.order}."
            )
        given = arguments.get("tokenizer")
        if given is not None and options.tokenizer != corpus.tokenizer:
            raise InputError(
                f"the tokenizer is {options.tokenizer!r}, and the text was counted with"
                f" {corpus.tokenizer!r}. Leave `tokenizer` out."
            )
        if options.skip_symbols:
            raise InputError(
                "skip_symbols=True has no effect on counts. Pass it when the text is"
                " counted, by `ngram count` or ngram.count_ngrams."
            )
        return replace(
            options, tokenizer=corpus.tokenizer, skip_symbols=corpus.skip_symbols
        )

    @classmethod
    def of(cls, order: int, **arguments: Unpack[Arguments]) -> Self:
        """Check the arguments of a caller, before any text is read."""
        most = "Most models use 3 to 5."
        order = checked_integer("order", order, least=1, most=MAX_ORDER, advice=most)
        thresholds = checked_integers(
            "prune", arguments.get("prune", ()), least=0, most=2**63 - 1
        )
        pruning_thresholds(thresholds, order)
        fallback = arguments.get("discount_fallback")
        vocab_pad = arguments.get("vocab_pad", 0)
        vocab_pad = checked_integer("vocab_pad", vocab_pad, least=0, most=2**53)
        interpolate_unigrams = bool(arguments.get("interpolate_unigrams", True))
        if vocab_pad and not interpolate_unigrams:
            raise InputError(
                f"vocab_pad={vocab_pad} has no effect with"
                " interpolate_unigrams=False. Leave one of the two out."
            )
        fallback = (
            None
            if fallback is None
            else tuple(map(float, checked_numbers("discount_fallback", fallback)))
        )
        # Refuses an impossible fallback now, not when the text has been counted.
        discounts_from_counts((0, 0, 0, 0), order=1, fallback=fallback)
        strict = bool(arguments.get("strict", False))
        smoothing = smoothing_method(
            arguments.get("smoothing", DEFAULT),
            discount_fallback=fallback,
            strict=strict,
        )
        heldout = arguments.get("heldout")
        _check_smoothing(smoothing, interpolate_unigrams, heldout)
        return cls(
            order=order,
            tokenizer=Tokenizer.of(arguments.get("tokenizer") or "whitespace"),
            prune=thresholds,
            limit_vocab=_listed_words(arguments.get("limit_vocab")),
            interpolate_unigrams=interpolate_unigrams,
            discount_fallback=fallback,
            vocab_pad=vocab_pad,
            skip_symbols=bool(arguments.get("skip_symbols", False)),
            strict=strict,
            smoothing=smoothing,
            heldout=heldout,
            threads=thread_count(arguments.get("threads")),
            budget=MemoryBudget.of(arguments.get("memory"), arguments.get("temp_dir")),
        )

    def record(self) -> dict[str, Any]:
        """Return what the model file keeps: what changes the numbers, as JSON."""
        return {
            "order": self.order,
            "tokenizer": self.tokenizer.name,
            "prune": list(self.prune),
            "limit_vocab": None if self.limit_vocab is None else len(self.limit_vocab),
            "interpolate_unigrams": self.interpolate_unigrams,
            "discount_fallback": (
                None if self.discount_fallback is None else [*self.discount_fallback]
            ),
            "vocab_pad": self.vocab_pad,
            "skip_symbols": self.skip_symbols,
            "smoothing": self.smoothing.spec,
        }


def _check_smoothing(
    method: SmoothingMethod, interpolate_unigrams: bool, heldout: object
) -> None:
    """Refuse options that the method does not know."""
    if method.needs_heldout and heldout is None:
        raise InputError(
            f"the smoothing method {method.name!r} learns from held-out text: pass"
            " `heldout`, text that the corpus does not contain."
        )
    if heldout is not None and not method.needs_heldout:
        raise InputError(
            f"`heldout` has no effect with smoothing={method.name!r}. Leave one of the"
            " two out."
        )
    if not interpolate_unigrams and not (
        method.normalised and method.uses_lower_orders
    ):
        raise InputError(
            f"interpolate_unigrams=False cannot be had with smoothing={method.name!r}."
            " Leave one of the two out."
        )


@dataclass(frozen=True)
class Estimate(Generic[Ngrams]):
    """What estimation gives, before it is stored."""

    ngrams: Ngrams
    vocabulary: Vocabulary
    discounts: list[list[float]] | None  # D1, D2, D3+ of every order
    counts_of_counts: list[list[int]]  # n_1 to n_4 of every order
    training: dict[str, Any]
    plan: MemoryPlan | None = None  # with which it was made


class Steps:
    """Looks on as text becomes an estimate: at the text, then at the discounts."""

    def corpus(
        self,
        tokens: TokenIds,
        vocabulary: Vocabulary,
        sources: Sequence[dict[str, Any]],
    ) -> None:
        """Refuse a text that no model can be made of."""
        if sum(source["tokens"] for source in sources) == 0:
            names = ", ".join(source["name"] for source in sources)
            raise InputError(
                f"the corpus has no words: {tokens.sentences} sentences in {names}, all"
                " empty. Pass text with one sentence on each line."
            )

    def discounts(self, estimator: Estimator, method: SmoothingMethod) -> None:
        """Do nothing: any discounts will do."""


@overload
def estimate(
    corpus: object,
    options: Options,
    progress: Progress | None,
    steps: Steps | None = None,
) -> Estimate[SortedNgrams]: ...
@overload
def estimate(
    corpus: object,
    options: Options,
    progress: Progress | None,
    steps: Steps | None = None,
    *,
    keeps_counts: bool,
) -> Estimate[SortedNgrams | CountedNgrams]: ...
def estimate(
    corpus: object,
    options: Options,
    progress: Progress | None,
    steps: Steps | None = None,
    *,
    keeps_counts: bool = False,
) -> Estimate[SortedNgrams | CountedNgrams]:
    """Run the steps from text or counts to n-grams, of text perhaps with counts."""
    steps = steps or Steps()
    if isinstance(corpus, Counts):
        return _estimate_counts(corpus.truncated(options.order), options, progress)
    tokens, vocabulary, sources = read_corpus(
        corpus,
        options.tokenizer,
        skip_symbols=options.skip_symbols,
        threads=options.threads,
        budget=options.budget if streams(options.smoothing) else None,
        progress=progress,
    )
    steps.corpus(tokens, vocabulary, sources)
    consume = not (isinstance(corpus, tuple) and corpus[0] is tokens)
    plan = None
    if streams(options.smoothing):
        plan = options.budget.plan(
            len(tokens), len(vocabulary), order=options.order, threads=options.threads
        )
        smoothed = _smooth_text(
            tokens,
            vocabulary,
            options,
            plan,
            consume,
            progress,
            steps,
            keeps_counts,
        )
    else:
        counts = _count_text(tokens, vocabulary, options, consume, progress)
        smoothed = _smooth_counts(counts, vocabulary, options, progress)
    made = _estimate_of(smoothed, vocabulary, sources, options)
    return replace(made, plan=plan)


def _estimate_counts(
    counts: Counts, options: Options, progress: Progress | None
) -> Estimate[SortedNgrams]:
    """Run the steps from counts to sorted n-grams."""
    words = counts.ngrams.level(1)[2]
    if words.sum() == words[2]:
        raise InputError("the counts have no words. Count text that has some.")
    options.budget.check_counts(counts.sizes)
    smoothed = _smooth_counts(counts.ngrams, counts.vocabulary, options, progress)
    return _estimate_of(smoothed, counts.vocabulary, counts.sources, options)


def streams(method: SmoothingMethod) -> bool:
    """Return whether the fast engine knows the method: interpolated Kneser-Ney."""
    return (
        isinstance(method, Discounting)
        and method.uses_adjusted_counts
        and method.interpolated
        and not method.needs_heldout
    )


def _keeps_counts(corpus: object, method: SmoothingMethod, structure: str) -> bool:
    """Return whether the model is to be `fast`; refuse what cannot be."""
    if checked_structure(structure) == "bucketed":
        return False
    possible = streams(method) and not isinstance(corpus, Counts)
    if structure == "fast" and not possible:
        why = (
            "is trained on Counts"
            if isinstance(corpus, Counts)
            else f"is smoothed by {method.name!r}"
        )
        raise InputError(no_counts("the model", why))
    return possible


class _Pruning(TypedDict):
    prune: tuple[int, ...]
    listed: npt.NDArray[np.uint8] | None


def _pruning(vocabulary: Vocabulary, options: Options) -> _Pruning:
    thresholds = pruning_thresholds(options.prune, options.order)
    return {
        "prune": tuple(thresholds) if any(thresholds) else (),
        "listed": _listed_mask(vocabulary, options.limit_vocab),
    }


def _smooth_text(
    tokens: TokenIds,
    vocabulary: Vocabulary,
    options: Options,
    plan: MemoryPlan,
    consume: bool,
    progress: Progress | None,
    steps: Steps,
    keeps_counts: bool,
) -> Smoothed[SortedNgrams | CountedNgrams]:
    """Count and smooth in one go."""
    estimator = Estimator(
        tokens,
        len(vocabulary),
        options.order,
        consume=consume,
        **_pruning(vocabulary, options),
        plan=plan,
        threads=plan.threads,
        progress=progress,
    )
    method = options.smoothing.fit(estimator.counts_of_counts)
    steps.discounts(estimator, method)
    finish: Callable[..., tuple[Any, npt.NDArray[np.uint32]]]
    finish = estimator.keep_counts if keeps_counts else estimator.smooth
    ngrams, kept = finish(
        method.numbers().astype(np.float32),
        interpolate_unigrams=options.interpolate_unigrams,
        vocabulary_pad=options.vocab_pad,
        threads=plan.threads,
        progress=progress,
    )
    return Smoothed(
        ngrams,
        kept,
        estimator.counts_of_counts.tolist(),
        estimator.counts_before_pruning,
    )


def _count_text(
    tokens: TokenIds,
    vocabulary: Vocabulary,
    options: Options,
    consume: bool,
    progress: Progress | None,
) -> NgramCounts:
    """Count the n-grams of a text, which takes memory for all of them."""
    counts = NgramCounts.count(
        tokens,
        len(vocabulary),
        options.order,
        consume=consume,
        threads=options.threads,
        progress=progress,
    )
    options.budget.check_counts(counts.sizes)
    return counts


def _smooth_counts(
    counts: NgramCounts,
    vocabulary: Vocabulary,
    options: Options,
    progress: Progress | None,
) -> Smoothed[SortedNgrams]:
    """Smooth order by order."""
    heldout = None
    if options.heldout is not None:
        heldout = encode_heldout(
            options.heldout,
            vocabulary,
            options.tokenizer,
            skip_symbols=options.skip_symbols,
            threads=options.threads,
        )
    return fit_and_smooth(
        counts,
        options.smoothing,
        heldout=heldout,
        **_pruning(vocabulary, options),
        interpolate_unigrams=options.interpolate_unigrams,
        vocab_pad=options.vocab_pad,
        threads=options.threads,
        progress=progress,
    )


def _estimate_of(
    smoothed: Smoothed[Ngrams],
    vocabulary: Vocabulary,
    sources: Sequence[dict[str, Any]],
    options: Options,
) -> Estimate[Ngrams]:
    """Return n-grams with their words, and how they were made."""
    method = options.smoothing
    training = {
        "version": __version__,
        "sources": list(sources),
        "options": options.record(),
        "counts_before_pruning": list(smoothed.counts_before_pruning),
        "smoothing": {
            "name": method.name,
            "normalised": method.normalised,
            "numbers": method.numbers().tolist(),
        },
    }
    discounts = None
    if isinstance(method, Discounting):
        training["discount_sources"] = [d.source for d in method.discounts_]
        discounts = method.numbers().tolist()
    if len(smoothed.kept) == SPECIAL < len(vocabulary):
        warnings.warn(
            "no word is left: `prune` and `limit_vocab` drop all of them, and the model"
            " knows <unk>, <s> and </s> alone. Lower the thresholds, or list more"
            " words.",
            stacklevel=2,
        )
    if len(smoothed.kept) < len(vocabulary):
        vocabulary = vocabulary.subset(smoothed.kept)
    return Estimate(
        smoothed.ngrams, vocabulary, discounts, smoothed.counts_of_counts, training
    )


# --- The limited vocabulary ---


def _listed_words(
    limit_vocab: str | os.PathLike[str] | Iterable[str] | None,
) -> tuple[str, ...] | None:
    if limit_vocab is None:
        return None
    if isinstance(limit_vocab, str | os.PathLike):
        with open_text(limit_vocab, Tokenizer.of("whitespace")) as stream:
            text = stream.read()
        words = re.split(rb"[\0\t\n\r ]+", text)
        return tuple(word.decode(errors="surrogateescape") for word in words if word)
    if not isinstance(limit_vocab, Iterable):
        raise InputError(
            f"limit_vocab is {limit_vocab!r}: pass a list of words, or a path."
        )
    return tuple(limit_vocab)


def _listed_mask(
    vocabulary: Vocabulary, words: tuple[str, ...] | None
) -> npt.NDArray[np.uint8] | None:
    """Return 1 for each listed word of the vocabulary, and for the special ones."""
    if words is None:
        return None
    mask = np.zeros(len(vocabulary), np.uint8)
    mask[:3] = 1
    for word in words:
        mask[vocabulary.id(word)] = 1
    return mask
