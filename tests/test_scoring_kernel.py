"""The scoring kernels: every way to score equals the definition and KenLM's bits."""

import copy
import itertools
import math
import pickle
import re
import threading

import numpy as np
import pytest
from golden_cases import parameters, succeeded
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_model import ReferenceModel, random_model

from ngram._core.model import Table
from ngram._core.ngrams import SortedNgrams
from ngram._core.scoring import ScoringModel, State
from ngram._core.vocabulary import Vocabulary
from ngram.errors import InputError


def scoring_model(model, **options):
    vocabulary = Vocabulary.from_words(model.words[3:])
    return ScoringModel(Table.build(model.sorted_ngrams()), vocabulary, **options)


def joined(sentences):
    """Sentences of ids as `ids` and `offsets`."""
    offsets = np.cumsum([0, *map(len, sentences)])
    return np.array([i for s in sentences for i in s], np.uint32), offsets


@st.composite
def models_and_sentences(draw):
    model = random_model(
        draw(st.integers(0, 10**6)),
        words=draw(st.integers(3, 40)),
        order=draw(st.integers(1, 7)),
        density=draw(st.floats(0.05, 0.6)),
    )
    # Any word may stand anywhere: <s>, </s> and <unk> too.
    words = st.integers(0, len(model.words) - 1)
    return model, draw(st.lists(st.lists(words, max_size=25), max_size=12))


# -- oracle ----------------------------------------------------------------------------


@given(models_and_sentences(), st.booleans(), st.booleans())
def test_batches_equal_the_definition(drawn, bos, eos):
    model, sentences = drawn
    expected = [
        row
        for sentence in sentences
        for row in model.score_sentence(sentence, bos, eos)
    ]
    log10_prob, length = scoring_model(model).score_ids(*joined(sentences), bos, eos)
    # Equal to the bit, but for the sign of zero, which the table keeps for itself.
    assert np.array_equal(log10_prob, np.array([p for p, _ in expected], "f4"))
    assert length.tolist() == [n for _, n in expected]


@given(models_and_sentences(), st.booleans())
def test_one_word_after_the_other_equals_the_definition(drawn, bos):
    model, sentences = drawn
    scorer = scoring_model(model)
    for sentence in sentences:
        state = scorer.state(bos)
        for word, expected in zip(
            sentence, model.score_sentence(sentence, bos, eos=False), strict=True
        ):
            log10_prob, length, state = scorer.advance_ids(state, word)
            assert (log10_prob, length) == expected


def long_stream(model, tokens, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.zipf(1.2, size=tokens) % len(model.words)).astype(np.uint32)


@pytest.mark.parametrize("order", range(1, 7))
def test_sentences_that_cross_blocks_equal_the_definition(order):
    model = random_model(order, words=30, order=order, density=0.5)
    scorer = scoring_model(model)
    lengths = [0, 1, 1023, 1, 0, 1021, 1024, 1025, 2050, 3, 511, 0, 0, 5000]
    ids, offsets = long_stream(model, sum(lengths)), np.cumsum([0, *lengths])
    for bos in (True, False):
        for eos in (True, False):
            expected = [
                row
                for begin, end in itertools.pairwise(offsets)
                for row in model.score_sentence(map(int, ids[begin:end]), bos, eos)
            ]
            log10_prob, length = scorer.score_ids(ids, offsets, bos, eos, threads=1)
            assert log10_prob.tolist() == [p for p, _ in expected]
            assert length.tolist() == [n for _, n in expected]


def test_a_bigram_across_sentences_is_not_seen():
    # A foreign model may hold "</s> <s>" and "</s> a"; sentences stay apart.
    levels = [
        ([], [], [-1.0, 0.0, -1.0, -2.0], [0, -0.25, -0.5, 0]),
        ([2, 2], [1, 3], [-0.125, -0.25], []),
    ]
    model = ScoringModel(
        Table.build(SortedNgrams.from_levels(levels)), Vocabulary.from_words(["a"])
    )
    for bos, first in ((True, -2.25), (False, -2.0)):
        log10_prob, length = model.score_ids(*joined([[3], [3]]), bos)
        assert log10_prob.tolist() == [first, -1, first, -1]
        assert length.tolist() == [1, 1, 1, 1]


# -- golden: KenLM ---------------------------------------------------------------------


def kenlm_scores_it_as_we_do(case):
    # KenLM's `query` takes "<UNK>" of an ARPA file for <unk> (odd); --renumber permutes
    # ids and --collapse_values writes positive numbers.
    others = re.search("odd|renumber|collapse", case.name)
    return succeeded(case) and not others and case.query() is not None


@pytest.mark.parametrize("context", [True, False])
@pytest.mark.parametrize("case", parameters(kenlm_scores_it_as_we_do))
def test_every_token_scores_as_in_kenlm_query(case, context):
    model = golden_model(case)
    for sentence in case.query(context=context).sentences:
        eos = context  # `query -n` scores sentences without <s> and </s>
        words = sentence.words[:-1] if eos else sentence.words
        text = b" ".join(word.word for word in words)
        expected = [
            (np.float32(word.log10_prob), word.ngram_length, word.id == 0)
            for word in sentence.words
        ]
        assert model.full_scores(text, bos=context, eos=eos) == expected
        total = math.fsum(word[0] for word in model.full_scores(text, context, eos))
        assert model.score(text, bos=context, eos=eos) == pytest.approx(
            total, abs=1e-12
        )
        running = np.float32(0)  # KenLM's total is a running float32 sum
        for log10_prob, _, _ in expected:
            running = np.float32(running + log10_prob)
        assert running == np.float32(sentence.log10_prob)


def golden_model(case):
    sections = case.arpa.sections
    words = [gram[0].decode("utf-8", "surrogateescape") for gram in sections[0].ngrams]
    ids = {gram[0]: i for i, gram in enumerate(sections[0].ngrams)}
    tables = [
        {
            tuple(ids[word] for word in gram): (prob, backoff)
            for gram, prob, backoff in zip(*section, strict=True)
        }
        for section in sections
    ]
    return scoring_model(ReferenceModel(words, tables))


# -- the ways to score agree -----------------------------------------------------------

TEXTS = [
    "w3 w4 w5",
    "",
    "w4  w4\tw9 none",
    "<s> w3 </s> w4",
    "한국어 w3 é",
    "w3 " * 3000,
]


@pytest.fixture(scope="module")
def model():
    return scoring_model(random_model(11, words=12, order=4, density=0.6))


def test_a_sentence_scores_as_the_sum_of_its_tokens(model):
    for text in TEXTS:
        for bos in (True, False):
            for eos in (True, False):
                total = 0.0
                for log10_prob, _, _ in model.full_scores(text, bos, eos):
                    total += log10_prob
                assert model.score(text, bos, eos) == total


def test_batches_score_as_single_sentences(model):
    texts = TEXTS * 3
    for bos in (True, False):
        for eos in (True, False):
            single = [model.score(text, bos, eos) for text in texts]
            assert model.score_batch(texts, bos, eos).tolist() == single
            ids, offsets = model.encode(texts)
            assert model.score_id_sums(ids, offsets, bos, eos).tolist() == single


def test_threads_change_nothing(model):
    texts = [" ".join(f"w{(i * j) % 14}" for j in range(i % 40)) for i in range(40_000)]
    expected = model.score_batch(texts, threads=1)
    one = model.score_tokens(texts, threads=1)
    for threads in (2, 5, None):
        assert model.score_batch(texts, threads=threads).tobytes() == expected.tobytes()
        for array, first in zip(
            model.score_tokens(texts, threads=threads), one, strict=True
        ):
            assert array.tobytes() == first.tobytes()


def test_bytes_score_as_their_text(model):
    assert model.score_batch([text.encode() for text in TEXTS]).tolist() == (
        model.score_batch(TEXTS).tolist()
    )


def test_any_iterable_of_texts_will_do(model):
    expected = model.score_batch(TEXTS).tolist()
    assert model.score_batch(text for text in TEXTS).tolist() == expected
    assert model.score_batch(np.array(TEXTS, dtype=object)).tolist() == expected


def test_oov_marks_the_tokens_outside_the_vocabulary(model):
    log10_prob, length, is_oov = model.score_tokens(["w3 none", "", "none w4"])
    assert is_oov.tolist() == [False, True, False, False, True, False, False]
    assert log10_prob.dtype == np.float32
    assert length.dtype == np.uint8
    _, _, is_oov = model.score_tokens(["w3 none", "", "none w4"], eos=False)
    assert is_oov.tolist() == [False, True, True, False]


def test_nothing_scores_as_nothing(model):
    assert model.score("", eos=False) == 0
    assert model.score_batch([]).tolist() == []
    assert model.score_batch(["", ""], eos=False).tolist() == [0, 0]
    assert [len(array) for array in model.score_tokens([])] == [0, 0, 0]
    assert model.full_scores("", eos=False) == []


@pytest.mark.parametrize("tokenizer", ["characters", "bytes"])
def test_other_native_tokenizers_cut_the_text(tokenizer):
    words = [*ReferenceModel([], []).words, "<unk>", "<s>", "</s>", "a", "b", "▁"]
    tables = [{(i,): (np.float32(-i - 1), np.float32(0)) for i in range(len(words))}]
    scorer = scoring_model(ReferenceModel(words, tables), tokenizer=tokenizer)
    blank = -6 if tokenizer == "characters" else -1
    assert scorer.score_tokens(["ab b"], eos=False)[0].tolist() == [-4, -5, blank, -5]
    assert scorer.score("ab") == -4 - 5 - 3


def test_a_foreign_tokenizer_comes_in_through_an_encoder():
    def encoder(texts):
        return joined([[3 + ord(letter) % 5 for letter in text] for text in texts])

    reference = random_model(2, words=10, order=3, density=0.5)
    scorer = scoring_model(reference, encoder=encoder)
    texts = ["abc", "", "xyz"]
    expected = [
        sum(float(p) for p, _ in reference.score_sentence(ids))
        for ids in ([3 + ord(letter) % 5 for letter in text] for text in texts)
    ]
    assert scorer.score_batch(texts).tolist() == pytest.approx(expected, abs=1e-12)
    assert scorer.score("abc") == scorer.score_batch(["abc"])[0]
    assert len(scorer.full_scores("xyz")) == 4


# -- states ----------------------------------------------------------------------------


def test_advancing_over_tokens_gives_the_full_scores(model):
    for text in TEXTS:
        state = model.state()
        tokens = [*text.split(), "</s>"]
        for token, (expected, _, _) in zip(
            tokens, model.full_scores(text), strict=True
        ):
            log10_prob, state = model.advance(state, token)
            assert log10_prob == expected


@given(st.data())
@settings(max_examples=50)
def test_equal_states_score_every_continuation_equally(data):
    reference = random_model(
        data.draw(st.integers(0, 1000)), words=8, order=4, density=0.3, sentences=15
    )
    scorer = scoring_model(reference)
    words = st.lists(st.integers(0, 7), max_size=6)
    a, b = scorer.null_state(), scorer.null_state()
    for word in data.draw(words):
        _, _, a = scorer.advance_ids(a, word)
    for word in data.draw(words):
        _, _, b = scorer.advance_ids(b, word)
    if a != b:
        return
    assert hash(a) == hash(b)
    for word in data.draw(words):
        score_a, _, a = scorer.advance_ids(a, word)
        score_b, _, b = scorer.advance_ids(b, word)
        assert score_a == score_b


def kept_words(reference, context):
    """The longest end of a context with a back-off, or with which an n-gram begins."""
    for length in range(min(len(context), reference.order - 1), 0, -1):
        end = context[-length:]
        entry = reference.ngrams[length - 1].get(end)
        longer = reference.ngrams[length]
        if entry and (entry[1] != 0 or any(key[:-1] == end for key in longer)):
            return end
    return ()


@pytest.mark.parametrize("order", range(1, 6))
def test_states_keep_the_words_that_can_matter_and_no_more(order):
    reference = random_model(order, words=12, order=order, density=0.2)
    scorer = scoring_model(reference)
    assert scorer.null_state().words == scorer.state(bos=False).words == ()
    state, context = scorer.state(), (1,)
    for word in long_stream(reference, 500).tolist():
        assert state.words == kept_words(reference, context)
        assert len(state) == len(state.words) < order
        _, _, state = scorer.advance_ids(state, word)
        context = (*context, word)


def test_states_work_as_keys(model):
    _, a = model.advance(model.state(), "w3")
    _, b = model.advance(model.state(), "w3")
    _, c = model.advance(model.state(), "w4")
    assert a == b
    assert a != c
    assert {a: 1, c: 2}[b] == 1
    assert len({a, b, c}) == 2
    assert a != 3
    assert sorted([a, c]) == sorted([c, a])
    assert (a < c) == (a.words < c.words)


def test_states_survive_copies_and_pickles(model):
    _, state = model.advance(model.state(), "w3")
    for again in (
        copy.copy(state),
        copy.deepcopy(state),
        pickle.loads(pickle.dumps(state)),
    ):
        assert again == state
        assert again.words == state.words
        assert model.advance(again, "w4") == model.advance(state, "w4")


def test_a_state_of_another_model_does_not_crash(model):
    other = scoring_model(random_model(1, words=50, order=6, density=0.8))
    state = other.state()
    for word in [40, 41, 42, 43, 44, 45] * 3:
        _, _, state = other.advance_ids(state, word)
        model.advance_ids(state, 3)


def test_a_state_cannot_be_made_by_hand():
    with pytest.raises(TypeError, match=r"made by model\.state"):
        State()


# -- errors and threads ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("ids", "offsets", "message"),
    [
        ([12], [0, 1], "an id is 12, but the vocabulary has 12 words"),
        ([2**32 - 1], [0, 1], "an id is 4294967295"),
        ([3, 4], [0, 1], "end with 2, the number of ids"),
        ([3, 4], [1, 2], "must begin with 0"),
        ([3, 4], [], "offsets do not fit"),
        ([3, 4], [0, 2, 1, 2], r"offsets\[2\] is 1 after 2"),
        ([3, 4], [0, -1, 2], r"offsets\[1\] is -1 after 0"),
        ([3, 4], [0, 2**62, 2], r"offsets\[2\] is 2 after"),
    ],
)
def test_ids_that_do_not_fit_are_refused(model, ids, offsets, message):
    arrays = np.array(ids, np.uint32), np.array(offsets, np.int64)
    with pytest.raises(InputError, match=message):
        model.score_ids(*arrays)
    with pytest.raises(InputError, match=message):
        model.score_id_sums(*arrays)


def test_wrong_arguments_are_refused(model):
    table, vocabulary = model.table, model.vocabulary
    with pytest.raises(InputError, match="texts is one string"):
        model.score_batch("w3 w4")
    with pytest.raises(InputError, match="a text is a str or bytes, not int"):
        model.score_batch(["w3", 4])
    with pytest.raises(InputError, match="a text is a str or bytes, not list"):
        model.score(["w3"])
    with pytest.raises(InputError, match="threads is 0"):
        model.score_batch(["w3"], threads=0)
    with pytest.raises(InputError, match="an id is 12"):
        model.advance_ids(model.state(), 12)
    with pytest.raises(TypeError):
        model.advance(None, "w3")
    with pytest.raises(TypeError):
        ScoringModel(table, None)
    with pytest.raises(InputError, match="they belong to different models"):
        ScoringModel(table, Vocabulary.from_words(["a"]))
    with pytest.raises(InputError, match="no native tokenizer 'bpe'"):
        ScoringModel(table, vocabulary, "bpe")


def test_many_threads_may_use_one_model(model):
    texts = [" ".join(f"w{(i * j) % 14}" for j in range(30)) for i in range(500)]
    expected = model.score_batch(texts).tolist()
    results = []

    def work():
        for _ in range(5):
            results.append(model.score_batch(texts, threads=2).tolist())
            results.append([model.score(text) for text in texts])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(result == expected for result in results)
    assert len(results) == 40
