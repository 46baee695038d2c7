"""Skip models: positions with gaps, classes in the context, and the text so far."""

import numpy as np
import pytest

import ngram
from ngram.classes import ClassModel, cluster_words
from ngram.errors import InputError
from ngram.skip import Recent, SkipModel, _decayed


def random_sentences(seed, words=15, sentences=80):
    rng = np.random.default_rng(seed)
    table = rng.dirichlet(np.full(words, 0.3), words)
    result = []
    for _ in range(sentences):
        word, sentence = int(rng.integers(words)), []
        for _ in range(int(rng.integers(0, 9))):
            word = int(rng.choice(words, p=table[word]))
            sentence.append(f"w{word}")
        result.append(" ".join(sentence))
    return result


SENTENCES = random_sentences(0)
CLASSES = cluster_words(SENTENCES, 5)
CHAINS = {
    "bigram": ([1], None),
    "skip": ([2, 3], None),
    "gap": ([1, 3], None),
    "classes": ([(1, CLASSES), (2, CLASSES)], None),
    "chain": ([(1, CLASSES), 1, (2, CLASSES), 2], None),
    "two steps": ([1, 2], CLASSES),
    "two steps, chain": ([(1, CLASSES), 1, (3, CLASSES)], CLASSES),
    "no context": ([], None),
    "class alone": ([], CLASSES),
}


@pytest.fixture(params=CHAINS, scope="module")
def model(request):
    context, through = CHAINS[request.param]
    return SkipModel.train(SENTENCES, context, through=through)


@pytest.mark.parametrize("length", range(5))
def test_probabilities_sum_to_one_for_every_context(model, length):
    rng = np.random.default_rng(length)
    for _ in range(10):
        context = rng.integers(3, len(model.vocabulary), length)
        for begin in ([], [1]):
            distribution = model.distribution_of_ids(np.array([*begin, *context]))
            assert distribution.sum() == pytest.approx(1, abs=1e-9)
            assert distribution[1] == 0
            assert (np.delete(distribution, 1) > 0).all()


def test_the_distribution_is_what_scores_say(model):
    context = np.array([5, 4, 9])
    distribution = model.distribution_of_ids(np.array([1, *context]))
    for word in (0, 3, 8):
        scores, _ = model.score_ids([*context, word], [0, 4], eos=False)
        assert 10.0 ** scores[-1] == pytest.approx(distribution[word], rel=1e-5)
    scores, _ = model.score_ids(context, [0, 3])
    assert 10.0 ** scores[-1] == pytest.approx(distribution[2], rel=1e-5)


def test_probabilities_after_a_text_sum_to_one(model):
    recent = [Recent((5, 1, 0.5), 20.0), Recent((3, 2), 50.0)][: model.steps]
    text = [[4, 5, 4], [], [6, 5, 5, 4], [4, 5]]
    for across in (False, True):
        model._across = across
        total = 0.0
        for word in (0, *range(2, len(model.vocabulary))):
            end = [] if word == 2 else [word]
            sentences = [*text[:-1], [*text[-1], *end]]
            offsets = np.cumsum([0, *map(len, sentences)])
            ids = [one for sentence in sentences for one in sentence]
            scores = model.score_adapting(ids, offsets, *recent)
            total += 10.0 ** float(scores[-1 if word == 2 else -2])
        assert total == pytest.approx(1, abs=1e-5)
    model._across = False


def test_positions_one_and_two_are_the_trigram_model():
    # lmplz counts one n-gram of each order differently when it computes discounts.
    sentences = random_sentences(1, words=40, sentences=3000)
    words = ngram.train(sentences, 3, discount_fallback=(0.5, 1, 1.5))
    skip = SkipModel.train(sentences, [1, 2])
    ids, offsets = words.encode(sentences[:200])
    expected, _ = words.score_ids(ids, offsets)
    found, _ = skip.score_ids(ids, offsets)
    assert found == pytest.approx(expected, abs=0.01)
    assert found.mean() == pytest.approx(expected.mean(), abs=1e-3)


def test_a_gap_remembers_what_a_bigram_forgets():
    # The word after the gap repeats the one before it.
    rng = np.random.default_rng(0)
    sentences = [
        f"w{first} x{rng.integers(50)} w{first}" for first in rng.integers(10, size=500)
    ]
    skip = SkipModel.train(sentences[:400], [2])
    bigram = SkipModel.train(sentences[:400], [1])
    ids, offsets = skip.tokenizer.encode_batch(sentences[400:], skip.vocabulary)
    third = slice(2, None, 4)
    gains = skip.score_ids(ids, offsets)[0] - bigram.score_ids(ids, offsets)[0]
    assert (gains[third] > 0.5).all()


def test_classes_alone_are_the_class_model():
    # Two steps, the class after two classes and the word in its class, are ClassModel
    # up to the smoothing of words in a class.
    sentences = random_sentences(2, words=60, sentences=2000)
    classes = cluster_words(sentences, 6)
    skip = SkipModel.train(sentences, [(1, classes)], through=classes)
    model = ClassModel.train(sentences, classes, 2)
    ids, offsets = model.encode(sentences[:100])
    plain = model.score_ids(ids, offsets)[0].mean()
    assert skip.score_ids(ids, offsets)[0].mean() == pytest.approx(plain, abs=0.15)


def test_a_text_without_weight_teaches_nothing(model):
    ids, offsets = model.tokenizer.encode_batch(SENTENCES[:20], model.vocabulary)
    nothing = [Recent((0,), 100)] * model.steps
    plain, _ = model.score_ids(ids, offsets)
    assert model.score_adapting(ids, offsets, *nothing) == pytest.approx(plain)


def test_what_was_said_is_more_probable_the_next_time():
    model = SkipModel.train(SENTENCES, [1, 2])
    ids = np.array([5, 14, 7] * 4)
    scores = model.score_adapting(ids, [0, 3, 6, 9, 12], Recent((10, 2), 1000))
    for word in range(4):
        assert (np.diff(scores[word::4]) > 0).all()


def test_no_token_depends_on_those_after_it(model):
    recent = [Recent((5, 1), 10.0)] * model.steps
    ids = np.random.default_rng(0).integers(3, len(model.vocabulary), 30)
    offsets = np.arange(0, 31, 5)
    scores = model.score_adapting(ids, offsets, *recent)
    changed = np.append(ids[:25], 3)
    first = model.score_adapting(changed, [*offsets[:-1], 26], *recent)
    assert (first[:30] == scores[:30]).all()


def test_occurrences_decay():
    rng = np.random.default_rng(0)
    numbers = rng.integers(-1, 5, 200)
    expected = [
        sum(0.5 ** ((i - j) / 7) for j in range(i) if numbers[j] == numbers[i] >= 0)
        for i in range(200)
    ]
    assert _decayed(numbers, 7.0) == pytest.approx(expected, rel=1e-12)
    assert _decayed(np.empty(0, np.int64), 7.0).size == 0


def test_contexts_reach_into_the_sentence_before_if_asked():
    sentences = ["a b", "b a", "a b", "b a"] * 5
    across = SkipModel.train(sentences, [2], across=True)
    within = SkipModel.train(sentences, [2])
    ids, offsets = across.tokenizer.encode_batch(["a b", "b a"], across.vocabulary)
    first = 3  # "b" of the second sentence, after "b </s>"
    assert across.score_ids(ids, offsets)[1][first] == 2
    assert within.score_ids(ids, offsets)[1][first] == 1


def test_more_classes_than_words_of_the_corpus():
    classes = cluster_words(SENTENCES, 15)
    model = SkipModel.train(["w1 w2", "w2 new w1"], [(1, classes)], through=classes)
    assert model.distribution_of_ids(np.array([1, 3])).sum() == pytest.approx(1)


def test_korean_text():
    model = SkipModel.train(["나는 밥을 먹는다", "너는 밥을 먹는다"], [1, 2])
    assert model.score("나는 밥을 먹는다") > model.score("밥을 나는 먹는다")


@pytest.mark.parametrize("position", [0, -1, 256, "1", 1.0, True, (1, None, 2), (1, 5)])
def test_positions_that_are_none_are_refused(position):
    with pytest.raises(InputError, match="is no position of a context"):
        SkipModel.train(["a b"], [position])


def test_wrong_arguments_are_refused():
    with pytest.raises(InputError, match="the corpus has no words"):
        SkipModel.train([""], [1])
    with pytest.raises(InputError, match="weights are"):
        Recent((), 10)
    with pytest.raises(InputError, match="weights are"):
        Recent((-1,), 10)
    with pytest.raises(InputError, match="half_life is 0"):
        Recent((1,), 0)
    model = SkipModel.train(["a b"], [1])
    with pytest.raises(InputError, match="0 Recent are passed"):
        model.score_adapting([3], [0, 1])
    with pytest.raises(InputError, match="the ids 0 to 4"):
        model.score_ids([5], [0, 1])


def test_a_skip_model_scores_text_as_a_model_does() -> None:
    skip = SkipModel.train(SENTENCES, [2, 1])
    ids, offsets = skip.encode(SENTENCES)
    log10_prob, length, is_oov = skip.score_tokens(SENTENCES)
    assert log10_prob.tolist() == skip.score_ids(ids, offsets)[0].tolist()
    scores = [skip.score(sentence) for sentence in SENTENCES]
    assert skip.score_batch(SENTENCES).tolist() == pytest.approx(scores)
    mean = float(np.mean(log10_prob, dtype=np.float64))
    assert skip.perplexity(SENTENCES).perplexity == pytest.approx(10**-mean)
    assert [row[2] for row in skip.full_scores("nobody")] == [True, False]
    assert not is_oov.any()
    assert length.max() == 3


@pytest.mark.parametrize(
    ("ids", "offsets", "message"),
    [
        ([1.5], [0, 1], "ids must be a one-dimensional array of integers"),
        ([3, 999], [0, 2], "ids lie between 3 and 999"),
        ([3, -1], [0, 2], "ids lie between -1 and 3"),
        ([3, 4], [0, 1], "offsets must ascend from 0 to 2"),
        ([3, 4], [0, 2, 1, 2], "offsets must ascend from 0 to 2"),
        ([3, 4], [], "offsets must ascend from 0 to 2"),
    ],
)
def test_sentences_of_ids_are_checked(
    ids: list, offsets: list[int], message: str
) -> None:
    skip = SkipModel.train(SENTENCES, [2, 1])
    classes = ClassModel.train(SENTENCES, CLASSES)
    for model in (skip, classes, ngram.Mixture([skip])):
        with pytest.raises(InputError, match=message):
            model.score_ids(ids, offsets)
