"""Estimation: the engine equals the pure-Python definition, and its doors hold."""

import itertools
import lzma
import random
import signal
import threading
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_cases import GoldenCase, parameters, succeeded
from hypothesis import given
from hypothesis import strategies as st

import ngram
from ngram._core.counts import MAX_ORDER
from ngram._core.estimate import Estimator
from ngram._core.ngrams import SortedNgrams
from ngram.errors import (
    DiscountError,
    DiscountWarning,
    InputError,
)
from ngram.estimate import train, train_arpa
from ngram.smoothing import (
    ModifiedKneserNey,
    ReferenceModel,
    pruning_thresholds,
    reference_estimate,
)
from ngram.text import read_corpus
from ngram.vocabulary import Vocabulary

# Random texts and thresholds may leave nothing.
pytestmark = [pytest.mark.filterwarnings("ignore:no word is left")]

TEXT = ["a rose is a rose", "a rose is red", "the rose is a flower", "red is a colour"]

# --- The engine equals the definition ---


def engine_estimate(
    corpus: object,
    order: int,
    *,
    threads: int = 1,
    prune: Sequence[int] = (),
    limit_vocab: Iterable[str | bytes] | None = None,
    interpolate_unigrams: bool = True,
    discount_fallback: Sequence[float] | None = None,
    vocab_pad: int = 0,
    skip_symbols: bool = False,
) -> tuple[SortedNgrams, list[bytes], Estimator]:
    """Return n-grams with linear values, their words, and the counts."""
    tokens, vocabulary, _ = read_corpus(
        corpus, skip_symbols=skip_symbols, threads=threads
    )
    thresholds = pruning_thresholds(prune, order)
    listed = None
    if limit_vocab is not None:
        listed = np.zeros(len(vocabulary), np.uint8)
        listed[[0, 1, 2, *(vocabulary.id(word) for word in limit_vocab)]] = 1
    estimator = Estimator(
        tokens,
        len(vocabulary),
        order,
        prune=thresholds if any(thresholds) else (),
        listed=listed,
        threads=threads,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiscountWarning)
        method = ModifiedKneserNey(discount_fallback=discount_fallback)
        method.fit(estimator.counts_of_counts)
    ngrams, kept = estimator.smooth(
        np.array([[d.d1, d.d2, d.d3] for d in method.discounts_], np.float32),
        interpolate_unigrams=interpolate_unigrams,
        vocabulary_pad=vocab_pad,
        log10=False,
        threads=threads,
    )
    words = [vocabulary.word(int(i)).encode("utf-8", "surrogateescape") for i in kept]
    return ngrams, words, estimator


def assert_equal(
    ngrams: SortedNgrams, words: list[bytes], reference: ReferenceModel
) -> None:
    """Assert that n-grams, their order and their linear values are the same."""
    assert ngrams.counts == reference.counts_after_pruning
    for order, entries in enumerate(reference.ngrams, start=1):
        _, _, probability, backoff = ngrams.level(order)
        found = [tuple(words[i] for i in ids) for ids in ngrams.ngram_ids(order)]
        assert found == [
            tuple(t if isinstance(t, bytes) else t.encode() for t in entry.ngram)
            for entry in entries
        ]
        expected = np.array([entry.probability for entry in entries], np.float32)
        assert probability.tobytes() == expected.tobytes()
        if order < ngrams.order:
            expected = np.array([entry.backoff for entry in entries], np.float32)
            assert backoff.tobytes() == expected.tobytes()


@pytest.mark.parametrize("threads", [1, 3])
def test_linear_values_are_those_of_the_definition_on_golden_texts(
    golden_case: GoldenCase, threads: int
) -> None:
    ngrams, words, estimator = engine_estimate(
        golden_case.train, threads=threads, **golden_case.options
    )
    reference = golden_case.reference
    assert estimator.counts_before_pruning == reference.counts_before_pruning
    assert estimator.counts_of_counts.tolist() == [
        list(row) for row in reference.counts_of_counts
    ]
    assert_equal(ngrams, words, reference)


WORDS = st.sampled_from(["a", "b", "c", "길", "e\u0301", "😀"])
CORPORA = st.lists(st.lists(WORDS, max_size=9), min_size=1, max_size=12)


@st.composite
def option_sets(draw: st.DrawFn, order: int) -> dict[str, Any]:
    thresholds = st.lists(st.integers(0, 3), max_size=order).map(sorted)
    options: dict[str, Any] = {"prune": draw(thresholds)}
    if draw(st.booleans()):
        options["limit_vocab"] = draw(st.lists(WORDS, max_size=4))
    if draw(st.booleans()):
        options["interpolate_unigrams"] = False
    elif draw(st.booleans()):
        options["vocab_pad"] = draw(st.integers(0, 40))
    if draw(st.booleans()):
        options["discount_fallback"] = (0.5, 1.0, 1.5)
    return options


@given(data=st.data(), corpus=CORPORA, order=st.integers(1, 7))
def test_linear_values_are_those_of_the_definition_on_random_texts(
    data: st.DataObject, corpus: list[list[str]], order: int
) -> None:
    options = data.draw(option_sets(order))
    threads = data.draw(st.integers(1, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiscountWarning)
        reference = reference_estimate(corpus, order, **options)
    ngrams, words, _ = engine_estimate(
        [" ".join(sentence) for sentence in corpus], order, threads=threads, **options
    )
    assert_equal(ngrams, words, reference)


@pytest.mark.parametrize("order", [2, 3, 4, 6, 9, 12, 20, 40, 90, 255])
def test_every_width_of_windows_gives_the_definition(order: int) -> None:
    # 3,000 types take 13 bits: the orders need windows of 1 to 54 machine words.
    generator = random.Random(order)
    corpus = [
        [f"w{int(generator.paretovariate(0.4)) % 3000}" for _ in range(length)]
        for length in (0, 1, 2, order, order + 1, 300)
    ] + [["w1"] * (order + 2)] * 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiscountWarning)
        reference = reference_estimate(corpus, order)
    ngrams, words, _ = engine_estimate(
        [" ".join(sentence) for sentence in corpus], order, threads=2
    )
    assert_equal(ngrams, words, reference)


def large_corpus() -> list[str]:
    """Return a text of several chunks, with one word in every fourth place."""
    generator = random.Random(1)
    return [
        " ".join(
            "the"
            if generator.random() < 0.25
            else f"w{int(generator.paretovariate(0.7))}"
            for _ in range(generator.randrange(25))
        )
        for _ in range(6_000)
    ]


def test_a_text_of_many_chunks_gives_the_definition_for_any_number_of_threads() -> None:
    corpus = large_corpus()
    reference = reference_estimate([line.split() for line in corpus], 4)
    for threads in (1, 2, 5, 16):
        ngrams, words, _ = engine_estimate(corpus, 4, threads=threads)
        assert_equal(ngrams, words, reference)


def test_threads_change_no_bit_of_the_model_file(tmp_path: Path) -> None:
    corpus = large_corpus()
    for threads in (1, 2, 3):
        model = train(corpus, 4, threads=threads, prune=(0, 0, 1))
        model.save(tmp_path / f"{threads}.ngram")
    files = {path.read_bytes() for path in tmp_path.iterdir()}
    assert len(files) == 1


# --- What train makes of the options ---


@pytest.mark.parametrize("case", parameters(succeeded))
def test_train_arpa_writes_the_ngrams_of_lmplz_in_its_order(
    case: GoldenCase, tmp_path: Path
) -> None:
    path = tmp_path / "model.arpa"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiscountWarning)
        try:
            train_arpa(case.train, path, **case.options)
        except InputError as error:
            assert case.name.startswith("blank")
            assert "no words" in str(error)  # noqa: PT017
            return
    mine = [
        line.split(b"\t")[1] for line in path.read_bytes().split(b"\n") if b"\t" in line
    ]
    reference = [
        b" ".join(t if isinstance(t, bytes) else t.encode() for t in entry.ngram)
        for entries in case.reference.ngrams
        for entry in entries
    ]
    assert mine == reference


def test_a_model_of_files_equals_the_model_of_their_sentences(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_text("\n".join(TEXT[:2]) + "\n", "utf-8")
    (tmp_path / "2.txt.xz").write_bytes(lzma.compress("\n".join(TEXT[2:]).encode()))
    with pytest.warns(DiscountWarning):
        of_files = train([tmp_path / "1.txt", tmp_path / "2.txt.xz"], 3)
    with pytest.warns(DiscountWarning):
        of_sentences = train(iter(TEXT), 3)
    texts = [*TEXT, "a red flower", ""]
    assert (
        of_files.score_batch(texts).tolist() == of_sentences.score_batch(texts).tolist()
    )


def test_a_model_of_ids_equals_the_model_of_words() -> None:
    vocabulary = Vocabulary.from_words(dict.fromkeys(" ".join(TEXT).split()))
    rows = [[vocabulary.id(word) for word in line.split()] for line in TEXT]
    ids = np.array(list(itertools.chain(*rows)), np.uint32)
    offsets = np.cumsum([0, *map(len, rows)])
    with pytest.warns(DiscountWarning):
        of_ids = train((ids, offsets, vocabulary), 3)
    with pytest.warns(DiscountWarning):
        of_words = train(TEXT, 3)
    assert of_ids.score_batch(TEXT).tolist() == of_words.score_batch(TEXT).tolist()


def test_training_on_token_ids_leaves_them_as_they_are() -> None:
    tokens, vocabulary, _ = read_corpus(TEXT)
    before = tokens.ids.tolist()
    with pytest.warns(DiscountWarning):
        train((tokens, vocabulary), 3)
    assert tokens.ids.tolist() == before


def test_pruned_unigrams_leave_the_vocabulary() -> None:
    with pytest.warns(DiscountWarning):
        model = train(TEXT, 2, prune=(1,))
    assert list(model.vocabulary) == ["<unk>", "<s>", "</s>", "a", "rose", "is", "red"]
    assert model.score("a flower") == model.score("a <unk>")


def test_limit_vocab_is_no_number() -> None:
    with pytest.raises(InputError, match="limit_vocab is 3: pass a list of words"):
        ngram.train(["a b"], limit_vocab=3)  # type: ignore[arg-type]


def test_limit_vocab_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "m.ngram"
    ngram.train(["a b"], 2, discount_fallback=(0.5, 1, 1.5)).save(path)
    with pytest.raises(InputError, match="this is a model file"):
        ngram.train(["a b"], limit_vocab=path)


@pytest.mark.parametrize("options", [{"prune": [9]}, {"limit_vocab": ["c"]}])
def test_a_model_without_words_is_a_warning(options: dict) -> None:
    with pytest.warns(UserWarning, match="no word is left"):
        model = ngram.train(["a b"], 2, discount_fallback=(0.5, 1, 1.5), **options)
    assert len(model.vocabulary) == 3


def test_heldout_text_of_unknown_words_is_a_warning() -> None:
    corpus = ["a b", "b a", "a a"]
    with pytest.warns(UserWarning, match="none of the 2 words of the held-out text"):
        ngram.train(corpus, 2, smoothing="jelinek-mercer", heldout=["x y"])


def test_an_output_does_not_replace_the_corpus(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a b\n")
    (tmp_path / "b.arpa").write_text("b\n")
    corpus = [tmp_path / "a.txt", tmp_path / "b.arpa"]
    with pytest.raises(InputError, match=r"would replace .*a\.txt"):
        ngram.train(corpus, output=corpus[0])
    with pytest.raises(InputError, match=r"would replace .*b\.arpa"):
        train_arpa(corpus[0], corpus[1], limit_vocab=corpus[1])


def test_limit_vocab_takes_a_file_or_words(tmp_path: Path) -> None:
    listed = tmp_path / "words.txt"
    listed.write_text("a rose\nis never-seen\n", "utf-8")
    with pytest.warns(DiscountWarning):
        of_file = train(TEXT, 2, limit_vocab=listed)
    with pytest.warns(DiscountWarning):
        of_words = train(TEXT, 2, limit_vocab=["a", "rose", "is"])
    assert list(of_file.vocabulary) == list(of_words.vocabulary)
    assert list(of_words.vocabulary)[3:] == ["a", "rose", "is"]


def test_numpy_numbers_are_numbers(tmp_path: Path) -> None:
    model = train(
        TEXT,
        np.int64(3),
        prune=np.array([0, 0, 1]),
        vocab_pad=np.int64(9),
        skip_symbols=np.True_,
        discount_fallback=np.array([0.5, 1.0]),
    )
    model.save(tmp_path / "model.ngram")
    options = ngram.load(tmp_path / "model.ngram").info()["training"]["options"]
    assert (options["order"], options["prune"], options["vocab_pad"]) == (
        3,
        [0, 0, 1],
        9,
    )


def test_training_is_recorded_in_the_model() -> None:
    with pytest.warns(DiscountWarning):
        info = train(TEXT, 3, prune=(0, 0, 1)).info()
    training = info["training"]
    assert training["version"] == ngram.__version__
    assert training["options"]["prune"] == [0, 0, 1]
    assert training["sources"] == [
        {
            "name": "sentences",
            "bytes": sum(len(line) for line in TEXT),
            "sentences": 4,
            "tokens": 18,
        }
    ]
    assert [len(row) for row in info["discounts"]] == [3, 3, 3]
    assert [len(row) for row in info["counts_of_counts"]] == [4, 4, 4]


def test_progress_reports_each_stage_and_its_errors_stop_the_work() -> None:
    stages: list[str] = []
    train(large_corpus(), 3, progress=lambda stage, done, total: stages.append(stage))
    order = list(dict.fromkeys(stages))
    assert order[-4:] == ["sort and count", "sum contexts", "collect n-grams", "table"]

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "sum contexts":
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        train(large_corpus(), 3, progress=stop)


def test_ctrl_c_stops_the_work() -> None:
    def interrupt(stage: str, done: int, total: int) -> None:
        if stage == "sort and count":
            signal.raise_signal(signal.SIGINT)

    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals reach the main thread only")
    with pytest.raises(KeyboardInterrupt):
        train(large_corpus(), 3, progress=interrupt)


# --- Errors ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": 0}, "order is 0: .* from 1 to 255"),
        ({"order": -1}, "order is -1"),
        ({"order": 300}, "order is 300"),
        ({"prune": (-1,)}, "prune"),
        ({"prune": (0, 2, 1)}, "prune"),
        ({"prune": (0, 0, 0, 0, 0, 1)}, "prune"),
        ({"vocab_pad": -1}, "vocab_pad is -1"),
        ({"vocab_pad": 9, "interpolate_unigrams": False}, "Leave one of the two out"),
        ({"discount_fallback": (2.0,)}, "discount_fallback"),
        ({"threads": 0}, "threads is 0"),
        ({"memory": "much"}, "memory is .much."),
        ({"memory": "150%"}, "memory is .150%."),
        ({"order": True}, "order is True"),
        ({"order": 2.5}, "order is 2.5"),
        ({"prune": 1}, "prune is 1: pass a sequence"),
        ({"prune": (0.5,)}, "prune holds 0.5"),
        ({"prune": (10**20,)}, "prune holds 1000"),
        ({"vocab_pad": 1.5}, "vocab_pad is 1.5"),
        ({"discount_fallback": 0.5}, "discount_fallback is 0.5"),
        ({"threads": 10**5}, "threads is 100000: .* from 1 to 1024"),
        ({"memory": 0}, "memory is 0"),
        ({"tokenizer": "words"}, "words"),
    ],
)
def test_unusable_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        train(TEXT, **options)


def test_the_highest_order_is_accepted() -> None:
    with pytest.warns(DiscountWarning):
        assert train(TEXT, MAX_ORDER).order == MAX_ORDER


@pytest.mark.parametrize("corpus", [[], [""], ["", " \t"]])
def test_a_corpus_without_words_is_refused(corpus: list[str]) -> None:
    with pytest.raises(InputError, match="the corpus has no words"):
        train(corpus)


def test_one_word_makes_a_model_with_one_warning() -> None:
    with pytest.warns(DiscountWarning) as caught:
        model = train(["word"], 3)
    assert len(caught) == 1
    assert "n_1 to n_4 are" in str(caught[0].message)
    assert model.score("word") > model.score("other")


def test_strict_raises_where_discounts_are_undefined() -> None:
    with pytest.raises(DiscountError, match="cannot compute modified Kneser-Ney"):
        train(TEXT, 3, strict=True)


@pytest.mark.parametrize("memory", ["64G", "90%", 1 << 36, None, "1.5T", "100000M"])
def test_budgets_are_numbers_or_texts(memory: int | str | None) -> None:
    with pytest.warns(DiscountWarning):
        assert train(TEXT, 2, memory=memory).order == 2


def test_no_sentences_are_nothing_to_count() -> None:
    tokens, vocabulary, _ = read_corpus([])
    with pytest.raises(InputError, match="no sentences"):
        Estimator(tokens, len(vocabulary), 2)


def test_counts_can_be_smoothed_once() -> None:
    tokens, vocabulary, _ = read_corpus(TEXT)
    estimator = Estimator(tokens, len(vocabulary), 2)
    discounts = np.full((2, 3), 0.5, np.float32)
    estimator.smooth(discounts)
    with pytest.raises(InputError, match="smoothed already"):
        estimator.smooth(discounts)


def test_discounts_of_another_order_are_refused() -> None:
    tokens, vocabulary, _ = read_corpus(TEXT)
    estimator = Estimator(tokens, len(vocabulary), 2)
    with pytest.raises(InputError, match=r"shape \(2, 3\)"):
        estimator.smooth(np.full((3, 3), 0.5, np.float32))
