"""The structure fast: the bits of bucketed, and nothing found that is not there."""

import itertools
import json
import pickle
import subprocess
import sys
import warnings
from functools import cache

import numpy as np
import pytest
from golden_cases import GoldenCase, sentences
from hypothesis import given, settings
from hypothesis import strategies as st

import ngram
from ngram._core.model import Table
from ngram._core.ngrams import CountedNgrams
from ngram.errors import InputError, ModelFileError
from ngram.vocabulary import Vocabulary

FALLBACK = (0.5, 1.0, 1.5)


def both(corpus, order, **options):
    """Return the same model in the structures fast and bucketed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [
            ngram.train(corpus, order, structure=structure, **options)
            for structure in ("fast", "bucketed")
        ]


def assert_same_scores(fast, bucketed, sentences):
    """Compare bits, in batches and one word after the other."""
    offsets = np.cumsum([0, *map(len, sentences)])
    ids = np.array([i for sentence in sentences for i in sentence], np.uint32)
    for bos, eos in ((True, True), (False, False)):
        one = fast.score_ids(ids, offsets, bos, eos, threads=1)
        other = bucketed.score_ids(ids, offsets, bos, eos, threads=1)
        assert one[0].tobytes() == other[0].tobytes()
        assert one[1].tobytes() == other[1].tobytes()
    for sentence in sentences[:5]:
        state, expected = fast.state(), bucketed.state()
        for word in sentence:
            *score, state = fast.advance_ids(state, int(word))
            *wanted, expected = bucketed.advance_ids(expected, int(word))
            assert np.float32(score[0]).tobytes() == np.float32(wanted[0]).tobytes()
            assert score[1] == wanted[1]
            assert state.words == expected.words


def random_sentences(model, seed, count=40):
    rng = np.random.default_rng(seed)
    size = len(model.vocabulary)
    return [rng.integers(0, size, rng.integers(0, 30)) for _ in range(count)]


WORDS = st.lists(st.sampled_from("abcdefg"), max_size=12).map(" ".join)


@given(
    corpus=st.lists(WORDS, min_size=1, max_size=30),
    order=st.integers(1, 6),
    prune=st.sampled_from([(), (0, 1), (0, 0, 1), (1,), (0, 2)]),
    limit=st.sampled_from([None, ("a", "b", "c")]),
    interpolate=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60)
def test_random_models_score_as_bucketed(
    corpus, order, prune, limit, interpolate, seed
):
    if not any(map(str.split, corpus)):
        corpus = [*corpus, "a"]
    fast, bucketed = both(
        corpus,
        order,
        prune=prune[:order],
        limit_vocab=limit,
        interpolate_unigrams=interpolate,
        discount_fallback=FALLBACK,
        threads=1,
    )
    assert (fast.table.name, bucketed.table.name) == ("fast", "bucketed")
    assert fast.table.to_sorted() == bucketed.table.to_sorted()
    sentences = random_sentences(fast, seed)
    sentences += list(fast.encode(corpus)[:1])
    assert_same_scores(fast, bucketed, sentences)


def test_golden_models_score_as_bucketed(golden_case: GoldenCase) -> None:
    if not any(sentences(golden_case.train)):
        pytest.skip("no model can be made of a text without words")
    fast, bucketed = both(golden_case.train, **golden_case.options)
    assert fast.table.to_sorted(2) == bucketed.table.to_sorted(2)
    assert_same_scores(fast, bucketed, random_sentences(fast, 1))


@cache
def zipfian():
    """Sentences with frequent and rare words; some hundred lines an order."""
    rng = np.random.default_rng(5)
    words = np.minimum(rng.zipf(1.3, size=60_000), 3000)
    lines = words.reshape(-1, 12)
    return [" ".join(map(str, line)) for line in lines]


@cache
def zipf_models():
    return tuple(both(zipfian(), 4))


@cache
def rare_values():
    """Ids of a corpus whose n-grams have more values than there are codes."""
    rare = np.arange(3, 60_003, dtype=np.uint32).reshape(-1, 10)
    pairs = [[i, i + 1, i + 2] for i in range(3, 303) for _ in range(i)]
    ids = np.concatenate([rare.ravel(), np.array(pairs, np.uint32).ravel()])
    lengths = [10] * len(rare) + [3] * len(pairs)
    offsets = np.cumsum([0, *lengths])
    return ids, offsets, Vocabulary.from_words(map(str, range(60_000)))


@cache
def rare_models():
    return tuple(both(rare_values(), 3, discount_fallback=FALLBACK))


def escapes(table, order):
    """Return how many n-grams of an order have their value's index in another place."""
    marks = table.arrays()[f"order_{order}"][:, 15]
    return int(np.unpackbits((marks >> 16).astype("<u4").view(np.uint8)).sum())


def test_values_without_a_code_score_as_bucketed():
    fast, bucketed = rare_models()
    assert escapes(fast.table, 2) > 100
    assert fast.table.to_sorted(2) == bucketed.table.to_sorted(2)
    ids, offsets, _ = rare_values()
    sentences = [ids[a:b] for a, b in itertools.pairwise(offsets[-2000:].tolist())]
    assert_same_scores(fast, bucketed, sentences[:1000])


def test_lines_that_overflow_score_as_bucketed():
    fast, bucketed = zipf_models()
    statistics = fast.table.memory_statistics()
    assert max(row["max_displacement"] for row in statistics) > 0
    sentences = [fast.encode([line])[0] for line in zipfian()[:500]]
    assert_same_scores(fast, bucketed, sentences + random_sentences(fast, 3))


def test_nothing_is_found_that_is_not_there():
    corpus = ["a b c d e f g h", "b d f h", "h g f e d c b a", "a a b b c c"] * 3
    fast, bucketed = both(corpus, 3, discount_fallback=FALLBACK)
    words = range(len(fast.vocabulary))
    present = [
        set(map(tuple, bucketed.table.to_sorted().ngram_ids(order).tolist()))
        for order in (1, 2, 3)
    ]
    for ids in itertools.product(words, repeat=3):
        _, length = fast.score_ids(np.array(ids), np.array([0, 3]), False, False)
        longest = max(k for k in (1, 2, 3) if ids[3 - k :] in present[k - 1])
        assert length[2] == longest


def test_absent_ngrams_of_a_larger_model_are_not_found():
    fast, bucketed = zipf_models()
    rng = np.random.default_rng(8)
    ids = rng.integers(0, len(fast.vocabulary), 400_000).astype(np.uint32)
    offsets = np.arange(0, len(ids) + 1, 4)
    one = fast.score_ids(ids, offsets, False, False)
    other = bucketed.score_ids(ids, offsets, False, False)
    assert one[0].tobytes() == other[0].tobytes()
    assert one[1].tobytes() == other[1].tobytes()


def test_counts_above_the_precision_of_float32():
    count = 2**24 + 3
    ids = np.full(count, 3, np.uint32)
    fast, bucketed = both(
        (ids, np.array([0, count]), Vocabulary.from_words(["a"])),
        2,
        discount_fallback=FALLBACK,
    )
    assert fast.table.to_sorted() == bucketed.table.to_sorted()
    assert_same_scores(fast, bucketed, [[3, 3, 3], [0, 3, 2]])


@pytest.mark.parametrize("order", range(1, 7))
def test_a_vocabulary_of_one_word(order):
    fast, bucketed = both(["a", "a a a"], order, discount_fallback=FALLBACK)
    assert fast.table.to_sorted() == bucketed.table.to_sorted()
    assert_same_scores(fast, bucketed, [[3], [3, 3, 3, 3, 3, 3, 3], [], [0, 1, 2, 3]])


def test_an_order_without_ngrams():
    fast, bucketed = both(zipfian()[:50], 3, prune=(0, 0, 100))
    assert fast.table.counts[2] == 0
    assert_same_scores(fast, bucketed, random_sentences(fast, 1))


# -- the same in all else --------------------------------------------------------------


def test_arpa_files_are_the_same(tmp_path):
    fast, bucketed = zipf_models()
    contents = []
    for model in (fast, bucketed):
        model.write_arpa(tmp_path / model.table.name)
        contents.append((tmp_path / model.table.name).read_bytes())
    assert contents[0] == contents[1]


def test_predictions_are_the_same_with_lists_and_without():
    corpus = zipfian()[:800]
    fast, bucketed = both(corpus, 4)
    contexts = ["", "1", "1 1", "2 1 3", "77 1 1 2", "unknown 1"]
    for _ in range(2):
        for context in contexts:
            assert np.array_equal(
                fast.distribution(context), bucketed.distribution(context)
            )
            assert fast.next_tokens(context, k=20) == bucketed.next_tokens(
                context, k=20
            )
            assert fast.sample(context, max_tokens=5, seed=1) == bucketed.sample(
                context, max_tokens=5, seed=1
            )
        fast.index_successors()
        bucketed.index_successors()


def test_perplexity_and_sentence_scores_are_the_same():
    fast, bucketed = zipf_models()
    held_out = zipfian()[::7]
    assert fast.perplexity(held_out) == bucketed.perplexity(held_out)
    assert np.array_equal(fast.score_batch(held_out), bucketed.score_batch(held_out))
    assert fast.score(held_out[0]) == bucketed.score(held_out[0])


def test_states_can_be_pickled():
    fast, _ = zipf_models()
    _, state = fast.advance(fast.state(), "1")
    again = pickle.loads(pickle.dumps(state))
    assert again == state
    assert fast.advance(again, "2")[0] == fast.advance(state, "2")[0]


# -- bytes and files -------------------------------------------------------------------


def test_bytes_do_not_depend_on_threads():
    expected = None
    for threads in (1, 2, 5):
        arrays = ngram.train(zipfian(), 4, structure="fast", threads=threads).table
        content = {name: a.tobytes() for name, a in arrays.arrays().items()}
        expected = expected or content
        assert content == expected


def test_a_model_trained_into_a_file_has_the_bytes_of_save(tmp_path):
    model = ngram.train(zipfian(), 4, output=tmp_path / "direct")
    assert model.table.name == "fast"
    assert model.path == tmp_path / "direct"
    ngram.train(zipfian(), 4).save(tmp_path / "saved")
    direct, saved = ((tmp_path / name).read_bytes() for name in ("direct", "saved"))
    assert direct == saved


def test_a_loaded_model_scores_the_same(tmp_path):
    fast, bucketed = rare_models()
    fast.save(tmp_path / "model")
    with ngram.load(tmp_path / "model") as loaded:
        assert loaded.table.name == "fast"
        assert_same_scores(loaded, bucketed, random_sentences(loaded, 1))
        assert loaded.table.to_sorted() == bucketed.table.to_sorted()
        again = pickle.loads(pickle.dumps(loaded))
        assert again.score("1 2 3") == loaded.score("1 2 3")
    copied = pickle.loads(pickle.dumps(fast))
    assert copied.table.name == "fast"
    assert copied.score("1 2 3") == fast.score("1 2 3")


def test_a_word_of_32_bits_for_each_ngram():
    fast, bucketed = zipf_models()
    sizes = fast.info()["table"]
    assert [row["order"] for row in sizes] == [1, 2, 3, 4]
    # 4 bytes at load .8 in lines of 64 for 15, and indices.
    assert 5.3 < sizes[3]["lines"] / fast.table.counts[3] < 5.6
    assert fast.table.bytes < 0.5 * bucketed.table.bytes
    total = sum(row["lines"] + row["values"] for row in sizes)
    assert total == fast.table.bytes == fast.info()["memory"]["ngrams"]


# -- what can be fast ------------------------------------------------------------------


def test_structures_are_chosen_where_they_can_be():
    sentences = zipfian()[:200]
    assert ngram.train(sentences, 3).table.name == "fast"
    assert ngram.train(sentences, 3, prune=(0, 1)).table.name == "fast"
    assert ngram.train(sentences, 3, structure="bucketed").table.name == "bucketed"
    witten_bell = ngram.train(sentences, 3, smoothing="witten-bell")
    assert witten_bell.table.name == "bucketed"
    counts = ngram.count_ngrams(sentences, 3)
    assert ngram.train(counts).table.name == "bucketed"
    message = "cannot have the structure 'fast'.*it is smoothed by 'witten-bell'"
    with pytest.raises(InputError, match=message):
        ngram.train(sentences, 3, smoothing="witten-bell", structure="fast")
    with pytest.raises(InputError, match="it is trained on Counts"):
        ngram.train(counts, structure="fast")
    with pytest.raises(InputError, match="structure is 'small': pass one of 'auto'"):
        ngram.train(sentences, 3, structure="small")


def test_models_change_their_structure_where_they_can():
    fast, bucketed = zipf_models()
    assert fast.in_structure("auto") is fast
    assert fast.in_structure("fast") is fast
    changed = fast.in_structure("bucketed")
    assert changed.table.name == "bucketed"
    assert changed.table.to_sorted() == bucketed.table.to_sorted()
    assert changed.info()["discounts"] == fast.info()["discounts"]
    with pytest.raises(InputError, match="it is bucketed"):
        bucketed.in_structure("fast")


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "ngram.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_line_trains_converts_and_shows_structures(tmp_path):
    (tmp_path / "text").write_text("\n".join(zipfian()[:300]))
    model, other = tmp_path / "model", tmp_path / "other"
    done = run("train", tmp_path / "text", "-o", model, "--order", 3)
    assert done.returncode == 0, done.stderr
    info = json.loads(run("info", model, "--json").stdout)
    assert info["structure"] == "fast"
    assert [row["order"] for row in info["table"]] == [1, 2, 3]
    assert "per n-gram" in run("info", model).stdout
    done = run("convert", model, other, "--structure", "bucketed")
    assert done.returncode == 0, done.stderr
    assert json.loads(run("info", other, "--json").stdout)["structure"] == "bucketed"
    done = run("convert", other, tmp_path / "third", "--structure", "fast")
    assert done.returncode == 1
    assert "cannot have the structure 'fast'" in done.stderr


def test_counted_ngrams_are_made_by_the_estimator():
    with pytest.raises(TypeError, match="made by the estimator"):
        CountedNgrams()


# -- damaged files ---------------------------------------------------------------------


@cache
def arrays_of_rare():
    return rare_models()[0].table.arrays()


def use(table):
    """Ask a table everything; damaged lines may answer wrongly, but never crash."""
    ids, _, vocabulary = rare_values()
    if table.vocabulary_size != len(vocabulary):
        return
    model = ngram.Model(table, vocabulary, ngram.Tokenizer.of("whitespace"))
    model.score_ids(ids[-2000:], np.array([0, 20, 2000]))
    state = model.state()
    for word in ids[-300:].tolist():
        _, _, state = model.advance_ids(state, word)
    try:
        model.next_tokens("5 6", k=3)
        table.to_sorted()
    except ModelFileError as error:
        assert "damaged" in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    "value", [0, 1, 2, 7, 31, 64, 2**16, 2**31, 2**32, 2**63, 2**64 - 1]
)
@pytest.mark.parametrize("index", range(14))
def test_a_wrong_number_in_the_header_is_refused_or_harmless(index, value):
    arrays = dict(arrays_of_rare())
    header = arrays["header"].copy()
    assert header.shape == (14,)
    header[index] = value
    arrays["header"] = header
    try:
        table = Table.attach(arrays, "fast.1")
    except ModelFileError as error:
        assert "damaged" in str(error)  # noqa: PT017
    else:
        # Unless it is what it was: the number of n-grams.
        assert index in (4, 9) or (header == arrays_of_rare()["header"]).all()
        assert table.vocabulary_size == rare_models()[0].table.vocabulary_size


def test_remainders_that_are_not_exact_are_refused():
    arrays = dict(arrays_of_rare())
    header = arrays["header"].copy()
    header[8] -= 4  # bits; there may be some to spare
    with pytest.raises(ModelFileError, match="keys that are not unique"):
        Table.attach({**arrays, "header": header}, "fast.1")


def with_value(arrays, name, row, number):
    values = arrays[name].copy()
    values.reshape(-1)[row] = np.float32(number).view(np.uint32)
    arrays[name] = values


@pytest.mark.parametrize(
    "damage",
    [
        lambda arrays: arrays.pop("header"),
        lambda arrays: arrays.pop("order_2"),
        lambda arrays: arrays.pop("order_3"),
        lambda arrays: arrays.pop("values_2"),
        lambda arrays: arrays.pop("values_3"),
        lambda arrays: arrays.update(values_2=arrays["values_2"][:0]),
        lambda arrays: arrays.update(values_3=arrays["values_3"][:0]),
        lambda arrays: arrays.update(values_2=arrays["values_2"].reshape(-1)[:-1]),
        lambda arrays: arrays.update(values_2=arrays["values_2"].view(np.float32)),
        lambda arrays: arrays.update(order_1=arrays["order_1"][:-1]),
        lambda arrays: arrays.update(order_2=arrays["order_2"][:-1]),
        lambda arrays: arrays.update(header=arrays["header"][:-1]),
        lambda arrays: with_value(arrays, "values_2", 0, np.nan),
        lambda arrays: with_value(arrays, "values_2", 0, -1.0),
        lambda arrays: with_value(arrays, "values_2", 3, np.inf),
        lambda arrays: with_value(arrays, "values_3", 1, np.nan),
        lambda arrays: with_value(arrays, "order_1", 4, np.nan),
    ],
)
def test_arrays_that_do_not_fit_are_refused(damage):
    arrays = dict(arrays_of_rare())
    damage(arrays)
    with pytest.raises(ModelFileError, match="table is damaged"):
        Table.attach(arrays, "fast.1")


@pytest.mark.parametrize("fill", [0, 0xFFFFFFFF, 0x80000000, "random", "flipped"])
def test_damaged_lines_never_crash(fill):
    rng = np.random.default_rng(2)
    arrays = dict(arrays_of_rare())
    for name in ("order_2", "order_3"):
        array = np.array(arrays[name])
        if fill == "random":
            array[...] = rng.integers(0, 2**32, size=array.shape, dtype=np.uint32)
        elif fill == "flipped":
            flat = array.reshape(-1)
            places = rng.integers(0, flat.size, size=flat.size // 10)
            flat[places] ^= np.uint32(1) << rng.integers(
                0, 32, size=places.size, dtype=np.uint32
            )
        else:
            array[...] = fill
        arrays[name] = array
    use(Table.attach(arrays, "fast.1"))


def test_an_index_of_no_value_is_refused_by_enumeration():
    arrays = dict(arrays_of_rare())
    lines = np.array(arrays["order_2"])
    marks = lines[:, 15] >> 16
    line = int(np.flatnonzero(marks)[0])
    place = int(marks[line]).bit_length() - 1
    lines[line, place] = 0xFFFFFFF0
    table = Table.attach({**arrays, "order_2": lines}, "fast.1")
    with pytest.raises(ModelFileError, match="has the value 4294967280 of"):
        table.to_sorted()
