"""Word classes and class models.

The oracle is the exchange algorithm in plain Python, with the same blocks and the same
fixed-point x log2 x, but with likelihoods summed up from nothing: every pass must give
the same classes.
"""

import lzma
import math
import pickle
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ngram
from ngram._core.classes import ONE_BIT, block_size, exchange, merge_classes
from ngram._core.text import TokenIds
from ngram.classes import ClassModel, WordClasses, cluster_words
from ngram.cli.group import run
from ngram.demo import korean_corpus
from ngram.errors import InputError
from ngram.text import read_corpus

EDGE = 2
NSMC = Path(__file__).parents[2] / "shared" / "data" / "nsmc" / "unlabelled.txt.xz"


def random_sentences(seed, words=12, sentences=30, length=8):
    """Sentences whose words prefer some followers, so that there are classes."""
    rng = np.random.default_rng(seed)
    table = rng.dirichlet(np.full(words, 0.2), words)
    result = []
    for _ in range(sentences):
        word, sentence = int(rng.integers(words)), []
        for _ in range(int(rng.integers(1, length))):
            word = int(rng.choice(words, p=table[word]))
            sentence.append(f"w{word}")
        result.append(" ".join(sentence))
    return result


# ---- the oracle ---------------------------------------------------------------------


def information(count):
    return math.floor(count * math.log2(count) * ONE_BIT + 0.5) if count > 1 else 0


def bigrams_of(ids):
    return Counter(pairwise([EDGE, *ids]))


def likelihood(bigrams, class_of):
    """F of the classes, with everything counted anew."""
    cells, totals = Counter(), Counter()
    for (v, w), count in bigrams.items():
        cells[class_of[v], class_of[w]] += count
        totals[class_of[v]] += count
    gain = sum(map(information, cells.values()))
    return gain - 2 * sum(map(information, totals.values()))


def moved(class_of, word, to):
    return {**class_of, word: to}


def best_class(bigrams, class_of, n_classes, word):
    own = class_of[word]
    if sum(g == own for w, g in class_of.items() if w != EDGE) == 1:
        return own
    gains = [likelihood(bigrams, moved(class_of, word, g)) for g in range(n_classes)]
    return own if gains[own] == max(gains) else gains.index(max(gains))


def oracle_pass(bigrams, class_of, n_classes):
    """Visit every word once; return the new classes."""
    totals = Counter()
    for (_, w), count in bigrams.items():
        totals[w] += count
    order = sorted((w for w in totals if w != EDGE), key=lambda w: (-totals[w], w))
    place = 0
    while place < len(order):
        block = order[place : place + block_size(place)]
        proposals = [best_class(bigrams, class_of, n_classes, w) for w in block]
        for word, to in zip(block, proposals, strict=True):
            own = class_of[word]
            alone = sum(g == own for w, g in class_of.items() if w != EDGE) == 1
            after = moved(class_of, word, to)
            if not alone and likelihood(bigrams, after) > likelihood(bigrams, class_of):
                class_of = after
        place += len(block)
    return class_of


def first_classes(vocabulary_size, n_classes, seed):
    rng = np.random.default_rng(seed)
    classes = rng.integers(n_classes, size=vocabulary_size).astype(np.uint32)
    classes[:3] = 0
    classes[EDGE] = n_classes
    return classes


def compare_passes(sentences, n_classes, seed, passes=4):
    tokens, vocabulary, _ = read_corpus(sentences)
    ids = tokens.ids.tolist()
    bigrams = bigrams_of(ids)
    classes = first_classes(len(vocabulary), n_classes, seed)
    expected = {w: int(classes[w]) for w in set(ids)}
    history = [likelihood(bigrams, expected)]
    for _ in range(passes):
        likelihoods, _ = exchange(tokens, classes, n_classes, iterations=1)
        assert likelihoods[0] == history[-1]
        expected = oracle_pass(bigrams, expected, n_classes)
        assert {w: int(classes[w]) for w in expected} == expected
        history.append(likelihood(bigrams, expected))
        assert likelihoods[-1] == history[-1]
        assert history[-1] >= history[-2]


@pytest.mark.parametrize("n_classes", [1, 2, 4])
@pytest.mark.parametrize("seed", range(4))
def test_every_pass_makes_the_moves_of_the_definition(n_classes, seed):
    compare_passes(random_sentences(seed), n_classes, seed)


def test_blocks_make_the_moves_of_the_definition():
    # 90 words: the later blocks hold up to five.
    assert block_size(0) == block_size(31) == 1
    assert block_size(80) == 5
    compare_passes(random_sentences(9, words=120, sentences=60), 4, 1, passes=2)


@given(
    st.lists(
        st.lists(st.sampled_from("abcde"), max_size=5).map(" ".join), min_size=1
    ).filter(lambda sentences: any(map(str.strip, sentences))),
    st.integers(1, 3),
)
def test_random_texts_move_as_defined(sentences, n_classes):
    compare_passes(sentences, n_classes, 0, passes=2)


# ---- clusters -----------------------------------------------------------------------


def test_the_likelihood_never_falls_and_is_that_of_class_bigrams():
    sentences = random_sentences(3, words=40, sentences=200)
    classes = cluster_words(sentences, 6)
    assert len(classes.log10_probs) >= 3
    assert all(a <= b for a, b in pairwise(classes.log10_probs))
    pairs, left, words = Counter(), Counter(), Counter()
    for sentence in sentences:
        tokens = sentence.split()
        for word in tokens:
            words[word] += 1
        path = ["edge", *(classes[word] for word in tokens), "edge"]
        pairs.update(pairwise(path))
        left.update(path[:-1])
    expected = sum(n * math.log10(n / left[g]) for (g, _), n in pairs.items())
    expected += sum(n * math.log10(n / left[classes[w]]) for w, n in words.items())
    # Every term is rounded to 2**-16 bits.
    assert classes.log10_probs[-1] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_change_nothing(threads):
    # Enough words for blocks that are dealt to threads.
    sentences = random_sentences(4, words=2500, sentences=3000)
    one = cluster_words(sentences, 150, hierarchy=True, iterations=3, threads=1)
    many = cluster_words(sentences, 150, hierarchy=True, iterations=3, threads=threads)
    assert len(one) > 1500
    assert (one.class_of == many.class_of).all()
    assert (one.paths, one.log10_probs) == (many.paths, many.log10_probs)


def test_the_same_seed_gives_the_same_classes_and_another_others():
    sentences = random_sentences(5, words=60, sentences=200)
    runs = [cluster_words(sentences, 8, seed=seed).class_of for seed in (1, 1, 2)]
    assert (runs[0] == runs[1]).all()
    assert (runs[0] != runs[2]).any()


def test_classes_are_numbered_by_their_tokens():
    sentences = random_sentences(6, words=40, sentences=100)
    classes = cluster_words(sentences, 7)
    totals = Counter(classes[w] for s in sentences for w in s.split())
    assert all(totals[g] >= totals[g + 1] for g in range(6))
    assert classes.class_of[:3].tolist() == [-1, -1, -1]
    assert set(classes.class_of[3:].tolist()) == set(range(7))


def test_as_many_classes_as_words_leave_each_alone():
    classes = cluster_words(["a b c", "c b a"], 3)
    assert sorted(map(classes.words, range(3))) == [["a"], ["b"], ["c"]]


def test_words_that_stand_alike_share_a_class():
    classes = cluster_words(
        ["나는 밥을 먹는다", "너는 밥을 먹는다", "나는 빵을 산다", "너는 빵을 산다"], 3
    )
    assert classes["나는"] == classes["너는"]
    assert classes["밥을"] == classes["빵을"]
    assert classes["먹는다"] == classes["산다"]
    assert len({classes["나는"], classes["밥을"], classes["산다"]}) == 3


def test_korean_text_and_its_file(tmp_path):
    sentences, _ = korean_corpus()
    classes = cluster_words(sentences, 40, hierarchy=True)
    path = tmp_path / "korean.tsv.gz"
    classes.save(path)
    again = WordClasses.load(path)
    assert again.vocabulary.words() == classes.vocabulary.words()
    assert (again.class_of == classes.class_of).all()
    assert again.paths == classes.paths


@pytest.mark.slow
@pytest.mark.skipif(not NSMC.is_file(), reason="the film reviews are not here")
def test_film_reviews_put_spellings_of_one_word_together():
    with lzma.open(NSMC, "rt", encoding="utf-8") as file:
        lines = [line for line, _ in zip(file, range(100_000), strict=False)]
    classes = cluster_words(lines, 200, skip_symbols=True, iterations=5)
    assert classes["재밌다"] == classes["재밌음"]


def test_a_word_is_looked_up():
    classes = cluster_words(["a b", "b a a"], 2)
    assert "a" in classes
    assert "c" not in classes
    assert "<s>" not in classes
    assert len(classes) == 2
    with pytest.raises(KeyError):
        classes["c"]
    with pytest.raises(KeyError):
        classes["</s>"]


# ---- the hierarchy ------------------------------------------------------------------


def oracle_merges(counts):
    """Merge the pair whose merging keeps most of the likelihood, all computed anew."""
    counts = counts.astype(object)

    def total(table):
        rows = sum(information(int(n)) for n in table.sum(axis=1))
        return sum(information(int(n)) for n in table.ravel()) - 2 * rows

    def merged(table, i, j):
        table = table.copy()
        table[i] += table[j]
        table[:, i] += table[:, j]
        table[j] = table[:, j] = 0
        return table

    left, merges = list(range(len(counts) - 1)), []
    while len(left) > 1:
        pairs = [(i, j) for i in left for j in left if i < j]
        pair = max(
            pairs, key=lambda p: total(merged(counts, *p))
        )  # the first of equals
        merges.append(list(pair))
        counts = merged(counts, *pair)
        left.remove(pair[1])
    return merges


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("threads", [1, 2])
def test_merges_lose_the_least_information(seed, threads):
    tokens, vocabulary, _ = read_corpus(random_sentences(seed, words=30, sentences=80))
    classes = first_classes(len(vocabulary), 9, seed)
    _, counts = exchange(tokens, classes, 9, iterations=2)
    assert counts.sum() == len(tokens)
    assert (counts.sum(axis=0) == counts.sum(axis=1)).all()
    merges = merge_classes(counts, threads=threads)
    assert merges.tolist() == oracle_merges(counts)


def test_prefixes_of_paths_are_nested_classes():
    classes = cluster_words(
        random_sentences(8, words=60, sentences=200), 20, hierarchy=True
    )
    paths = classes.paths
    assert len(set(paths)) == 20
    assert not any(a != b and b.startswith(a) for a in paths for b in paths)
    # A full binary tree: what is left out of it has no probability.
    assert sum(0.5 ** len(path) for path in paths) == 1
    finer = classes
    for length in range(max(map(len, paths)), -1, -1):
        coarse = classes.shortened(length)
        assert coarse.n_classes == len({path[:length] for path in paths})
        for g in range(finer.n_classes):
            assert len({coarse[word] for word in finer.words(g)}) == 1
        assert coarse.path("w1") == classes.path("w1")[:length]
        finer = coarse
    assert finer.n_classes == 1


def test_one_class_has_the_empty_path():
    classes = cluster_words(["a b"], 1, hierarchy=True)
    assert classes.paths == ("",)


# ---- files --------------------------------------------------------------------------


def test_the_file_is_a_word_and_a_class_a_line(tmp_path):
    classes = cluster_words(["b a", "b c"], 2)
    path = tmp_path / "classes.tsv"
    classes.save(path)
    assert path.read_text() == "".join(
        f"{word}\t{classes[word]}\n" for word in ("b", "a", "c")
    )


def test_words_that_are_no_utf8_survive(tmp_path):
    classes = cluster_words([b"\xff a", b"\xff b"], 2)
    classes.save(tmp_path / "classes.tsv")
    again = WordClasses.load(tmp_path / "classes.tsv")
    assert again["\udcff"] == classes["\udcff"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file holds no word"),
        ("a 0\n", ":1: 'a 0' is no word and class"),
        ("a\t0\nb\t-1\n", ":2: 'b\\\\t-1' is no word and class"),
        ("a\t0\n\nb\t0\n", ":2: '' is no word and class"),
        ("a\t0\nb\t0\na\t0\n", ":3: 'a' has a class already"),
        ("a\t0\n<s>\t0\n", ":2: '<s>' has a class already"),
        ("a\t0\nb\t2\n", "class 1 has no word, but class 2 has"),
        ("a\t0\t0\nb\t1\n", "class 1 has no path"),
        ("a\t0\t0\nb\t0\t1\n", ":2: class 0 has another path before"),
        ("a\t0\t0\nb\t1\t2\n", ":2: 'b"),
    ],
)
def test_files_that_are_wrong_are_refused(tmp_path, text, message):
    path = tmp_path / "classes.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        WordClasses.load(path)


def test_a_word_with_a_tab_has_no_place_in_a_file(tmp_path):
    vocabulary = ngram.Vocabulary.from_words(["a\tb"])
    classes = WordClasses(vocabulary, np.array([-1, -1, -1, 0], np.int32))
    with pytest.raises(InputError, match=r"'a\\tb' holds a tab"):
        classes.save(tmp_path / "classes.tsv")


# ---- class models -------------------------------------------------------------------


def all_probabilities(model, context):
    """p(w | context) of every word of the vocabulary but `<s>`, and of `</s>`."""
    words = np.array([0, *range(3, len(model.vocabulary))])
    rows = np.array([[*context, word] for word in words])
    ids, offsets = rows.ravel(), np.arange(len(rows) + 1) * rows.shape[1]
    log10_prob, _ = model.score_ids(ids, offsets, eos=False)
    last = log10_prob[rows.shape[1] - 1 :: rows.shape[1]]
    end, _ = model.score_ids(context, [0, len(context)])
    return np.append(10.0**last, 10.0 ** end[-1])


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_sum_to_one_over_the_vocabulary(order):
    sentences = random_sentences(2, words=30, sentences=100)
    model = ClassModel.train(sentences, cluster_words(sentences, 6), order)
    assert model.order == order
    rng = np.random.default_rng(0)
    for length in range(5):
        context = rng.integers(3, len(model.vocabulary), length)
        # float32 logs of about 30 words
        assert all_probabilities(model, context).sum() == pytest.approx(1, abs=1e-5)


def test_words_only_the_classes_know_and_words_only_the_text_knows():
    classes = cluster_words(["a x", "b x", "c y", "a y"], 2)
    text = ["a x new", "a new x", "a x"]
    model = ClassModel.train(text, classes, 2)
    words = model.vocabulary
    assert words.words()[3:] == ["a", "x", "new", "b", "c", "y"]
    # "new" is alone in a class more; the class of a, b, c has 3 tokens of 1 type, and
    # gives 1 / (3 + 1) to the two unseen.
    emission = 10.0**model.log10_emission
    assert emission[words["new"]] == 1
    assert classes["a"] == classes["b"] == classes["c"]
    assert emission[words["a"]] == pytest.approx(3 / 4)
    assert emission[words["b"]] == emission[words["c"]] == pytest.approx(1 / 8)
    for context in ([], [words["a"]], [words["new"], words["b"]]):
        assert all_probabilities(model, context).sum() == pytest.approx(1, abs=1e-5)


def test_a_score_is_emission_times_class_ngram():
    sentences = random_sentences(1, words=20, sentences=60)
    classes = cluster_words(sentences, 5)
    model = ClassModel.train(sentences, classes, 3)
    counts = Counter(word for sentence in sentences for word in sentence.split())
    size = Counter()
    for word, count in counts.items():
        size[classes[word]] += count
    text = sentences[0]
    expected = model.model.score(" ".join(str(classes[w]) for w in text.split()))
    expected += sum(math.log10(counts[w] / size[classes[w]]) for w in text.split())
    assert model.score(text) == pytest.approx(expected, abs=1e-5)


def test_all_ways_to_score_agree():
    sentences = random_sentences(1, words=20, sentences=60)
    model = ClassModel.train(sentences, cluster_words(sentences, 5), 3)
    texts = ["w1 w2", "", "w3 nowhere w1 w1", *sentences[:5]]
    for bos, eos in ((True, True), (False, True), (True, False), (False, False)):
        log10_prob, length, oov = model.score_tokens(texts, bos, eos)
        ids, offsets = model.encode(texts)
        assert len(log10_prob) == len(length) == len(oov) == len(ids) + eos * len(texts)
        again, _ = model.score_ids(ids, offsets, bos, eos)
        assert (again == log10_prob).all()
        sums = model.score_batch(texts, bos, eos)
        assert sums.sum() == pytest.approx(log10_prob.sum(dtype=np.float64))
        assert sums[0] == pytest.approx(model.score(texts[0], bos, eos))
        assert oov.sum() == 1
    result = model.perplexity(texts)
    assert result.oov == 1
    assert result.log10_prob == pytest.approx(model.score_batch(texts).sum())


def test_class_ngrams_learn_what_word_ngrams_cannot_from_a_small_text():
    # Word w<i> is of kind i % 5, the next one of the next kind or the one after it.
    rng = np.random.default_rng(0)
    sentences = []
    for _ in range(500):
        kinds = np.cumsum(rng.integers(1, 3, 8)) % 5
        sentences.append(" ".join(f"w{5 * rng.integers(40) + kind}" for kind in kinds))
    train, dev = sentences[:400], sentences[400:]
    classes = cluster_words(train, 8)  # some more, so that none need be mixed
    for g in range(8):
        assert len({int(word[1:]) % 5 for word in classes.words(g)}) == 1
    # Every word has 2 * 40 successors, and sentences end after eight.
    found = ClassModel.train(train, classes, 2).perplexity(dev).perplexity
    words = ngram.train(train, 2, discount_fallback=(0.5, 1, 1.5))
    assert found < 85 < 100 < words.perplexity(dev).perplexity


def test_a_model_survives_pickle():
    sentences = random_sentences(1, words=20, sentences=60)
    model = ClassModel.train(sentences, cluster_words(sentences, 5), 2)
    again = pickle.loads(pickle.dumps(model))
    assert again.score(sentences[0]) == model.score(sentences[0])


def test_other_tokenizers_work():
    sentences = ["고양이가 잔다", "개가 잔다", "고양이가 먹는다"]
    classes = cluster_words(sentences, 5, tokenizer="characters")
    model = ClassModel.train(sentences, classes, 2, tokenizer="characters")
    assert model.score("개가 먹는다") < 0
    assert "고" in classes


# ---- errors -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_classes": 0}, "n_classes is 0: pass an integer from 1 to"),
        ({"n_classes": -3}, "n_classes is -3"),
        ({"n_classes": True}, "n_classes is True"),
        ({"n_classes": 2.0}, "n_classes is 2.0"),
        ({"n_classes": 4}, "n_classes is 4, and the corpus has 3 distinct words"),
        ({"n_classes": 5000, "hierarchy": True}, "hierarchy is made of at most 4096"),
        ({"n_classes": 2, "iterations": -1}, "iterations is -1"),
        ({"n_classes": 2, "seed": -1}, "seed is -1"),
        ({"n_classes": 2, "threads": 0}, "threads is 0"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        cluster_words(["a b c"], **options)


@pytest.mark.parametrize("corpus", [[], [""], ["", "  "]])
def test_an_empty_corpus_is_refused(corpus):
    with pytest.raises(InputError, match="the corpus has no words"):
        cluster_words(corpus, 1)
    with pytest.raises(InputError, match="the corpus has no words"):
        ClassModel.train(corpus, cluster_words(["a"], 1))


def test_only_hierarchies_have_paths():
    classes = cluster_words(["a b"], 2)
    for ask in (lambda: classes.path("a"), lambda: classes.shortened(1)):
        with pytest.raises(InputError, match="no hierarchy"):
            ask()
    with pytest.raises(InputError, match="length is -1"):
        cluster_words(["a b"], 2, hierarchy=True).shortened(-1)


def test_ids_out_of_bounds_are_refused():
    model = ClassModel.train(["a b"], cluster_words(["a b"], 2), 2)
    for ids in ([5], [-1]):
        with pytest.raises(InputError, match="the ids 0 to 4"):
            model.score_ids(ids, [0, 1])


def test_the_kernel_refuses_what_does_not_fit():
    vocabulary = ngram.Vocabulary.from_words(["a", "b"])
    tokens = TokenIds.from_arrays([3, 4], [0, 2], vocabulary)
    with pytest.raises(InputError, match=r"classes\[4\] = 9"):
        exchange(tokens, np.array([0, 0, 2, 0, 9], np.uint32), 2, iterations=1)
    with pytest.raises(InputError, match="a square"):
        merge_classes(np.zeros((2, 3), np.uint32))


def test_progress_is_reported_and_may_stop_the_work():
    sentences = random_sentences(1, words=40, sentences=60)
    stages = []
    cluster_words(
        sentences, 5, hierarchy=True, progress=lambda *step: stages.append(step[0])
    )
    assert {"count bigrams", "exchange words", "merge classes"} <= set(stages)

    def stop(stage, done, total):
        if stage == "exchange words":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cluster_words(sentences, 5, progress=stop)


# ---- the command --------------------------------------------------------------------


def test_the_command_writes_classes(tmp_path, capsys):
    text, output = tmp_path / "text.txt", tmp_path / "classes.tsv"
    text.write_text("\n".join(random_sentences(1, words=40, sentences=60)))
    arguments = ["classes", str(text), "-o", str(output), "--classes", "6"]
    assert run([*arguments, "--hierarchy", "--json"]) == 0
    assert '"classes": 6' in capsys.readouterr().out
    classes = WordClasses.load(output)
    assert classes.n_classes == 6
    assert classes.paths is not None


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--classes", "500"], 1, "the corpus has 2 distinct words"),
        (["--classes", "0"], 2, "--classes"),
        (["--json", "-o", "-"], 2, "stdout cannot carry both"),
        (["-o", "/nowhere/classes.tsv"], 1, "/nowhere"),
    ],
)
def test_the_command_refuses_with_a_sentence(
    tmp_path, capsys, arguments, status, message
):
    text = tmp_path / "text.txt"
    text.write_text("a b\n")
    output = ["-o", str(tmp_path / "classes.tsv")]
    assert run(["classes", str(text), *output, *arguments]) == status
    assert message in capsys.readouterr().err
