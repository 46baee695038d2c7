"""The model as an object: made, saved, loaded, pickled, described and closed."""

import copy
import gzip
import json
import os
import pickle
import subprocess
import sys
import threading
from contextlib import suppress

import numpy as np
import pytest
from golden_cases import CASES
from hypothesis import given
from hypothesis import strategies as st
from reference_model import random_model

import ngram
from ngram._core.model import Table
from ngram._core.ngrams import SortedNgrams
from ngram._core.text import TokenIds
from ngram._core.vocabulary import Vocabulary
from ngram.errors import InputError, ModelFileError, NgramError
from ngram.model import Model
from ngram.text import Tokenizer

SENTENCES = [
    "the cat sat on the mat",
    "the dog sat on the log",
    "고양이 가 앉았다 e\u0301 \U0001f63a",
    "",
    "a dog saw the cat",
]
TEXTS = [*SENTENCES, "the unknown cat", "mat the on", " ", "\udcff the", "the " * 300]


@pytest.fixture(scope="module")
def model():
    return ngram.train(SENTENCES, 3, discount_fallback=(0.5, 1, 1.5))


@pytest.fixture
def path(model, tmp_path):
    path = tmp_path / "model.ngram"
    model.save(path)
    return path


def assert_same(one, two):
    """Every answer is the same to the last bit."""
    np.testing.assert_array_equal(one.score_batch(TEXTS), two.score_batch(TEXTS))
    for text in TEXTS:
        assert one.full_scores(text) == two.full_scores(text)
        assert one.next_tokens(text) == two.next_tokens(text)
        assert one.sample(text, seed=1) == two.sample(text, seed=1)
    assert list(one.vocabulary) == list(two.vocabulary)
    assert one.tokenizer == two.tokenizer
    assert one.table.to_sorted() == two.table.to_sorted()
    described = (one.info(), two.info())
    for info in described:
        del info["path"], info["memory"]
    assert described[0] == described[1]


@pytest.mark.parametrize("options", [{}, {"in_memory": True}, {"verify": True}])
def test_save_then_load_is_bit_identical(model, path, options):
    with ngram.load(path, **options) as loaded:
        assert_same(model, loaded)


@pytest.mark.parametrize("order", [1, 2, 6])
def test_models_of_every_order_come_back(tmp_path, order):
    model = ngram.train(SENTENCES, order, discount_fallback=(0.5,))
    model.index_successors()
    model.save(tmp_path / "model")
    assert_same(model, ngram.load(tmp_path / "model"))


@given(st.integers(0, 10**6), st.booleans())
def test_random_models_come_back(tmp_path_factory, seed, successors):
    reference = random_model(seed, words=20, order=3, density=0.5)
    words = Vocabulary.from_words(reference.words[3:])
    model = Model.from_ngrams(reference.sorted_ngrams(), words)
    if successors:
        model.index_successors()
    path = tmp_path_factory.getbasetemp() / "random"
    model.save(path)
    assert_same(model, ngram.load(path))


def test_saving_twice_gives_the_same_bytes(model, path, tmp_path):
    model.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()
    ngram.load(path).save(tmp_path / "third")
    assert (tmp_path / "third").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("order", [1, 2, 5])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_model_trained_into_a_file_has_the_bytes_of_save(tmp_path, order, threads):
    options = {"discount_fallback": (0.5,), "threads": threads}
    model = ngram.train(SENTENCES, order, **options)
    model.save(tmp_path / "saved")
    trained = ngram.train(SENTENCES, order, output=tmp_path / "trained", **options)
    assert (tmp_path / "trained").read_bytes() == (tmp_path / "saved").read_bytes()
    assert trained.path == tmp_path / "trained"
    trained.verify()
    assert_same(model, trained)


def test_models_with_more_parts_are_trained_into_a_file(tmp_path, library):
    for name, options in {
        "library": {"tokenizer": library},
        "successors": {"successors": True},
    }.items():
        options["discount_fallback"] = (0.5,)
        ngram.train(SENTENCES, 3, **options).save(tmp_path / "saved")
        ngram.train(SENTENCES, 3, output=tmp_path / name, **options)
        assert (tmp_path / name).read_bytes() == (tmp_path / "saved").read_bytes()


def test_an_interrupted_build_leaves_the_file_as_it_was(tmp_path):
    def interrupt(stage, done, total):
        if stage == "table" and done:
            raise KeyboardInterrupt

    path = tmp_path / "model"
    path.write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt):
        ngram.train(
            SENTENCES, 3, discount_fallback=(0.5,), output=path, progress=interrupt
        )
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_an_output_that_cannot_be_written_is_refused_before_work_begins(tmp_path):
    def unread():
        raise AssertionError("the corpus was read")
        yield ""

    with pytest.raises(ModelFileError, match=r"cannot be compressed"):
        ngram.train(unread(), output=tmp_path / "model.gz")
    with pytest.raises(ModelFileError, match=r"Create the directory first"):
        ngram.train(unread(), output=tmp_path / "none" / "model")


def test_saving_a_model_over_its_own_file_is_safe(path):
    loaded = ngram.load(path)
    before = loaded.score_batch(TEXTS)
    loaded.save(path)
    np.testing.assert_array_equal(loaded.score_batch(TEXTS), before)
    np.testing.assert_array_equal(ngram.load(path).score_batch(TEXTS), before)


def test_a_model_file_cannot_be_compressed(model, tmp_path):
    with pytest.raises(InputError, match="cannot be compressed"):
        model.save(tmp_path / "model.gz")


def test_successor_lists_are_saved_with_the_model(model, tmp_path):
    indexed = copy.copy(model)
    indexed.index_successors()
    indexed.save(tmp_path / "model")
    loaded = ngram.load(tmp_path / "model")
    assert loaded.successors is not None
    assert loaded.info()["memory"]["successors"] > 0
    assert_same(model, loaded)


def test_arpa_to_binary_to_arpa_returns_the_same_bytes(tmp_path):
    case = CASES["tiny-o3-fallback"]
    source = case.root / "cases" / case.name / "model.arpa.gz"
    ngram.read_arpa(source).save(tmp_path / "model")
    ngram.load(tmp_path / "model").write_arpa(tmp_path / "model.arpa")
    assert (tmp_path / "model.arpa").read_bytes() == gzip.decompress(
        source.read_bytes()
    )


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_models_in_memory_hold_the_model(model, protocol):
    assert_same(model, pickle.loads(pickle.dumps(model, protocol)))


def test_pickles_of_loaded_models_hold_the_path_only(path):
    loaded = ngram.load(path)
    pickled = pickle.dumps(loaded)
    assert len(pickled) < 500
    assert_same(loaded, pickle.loads(pickled))


def test_pickles_notice_that_the_file_has_changed(model, path):
    pickled = pickle.dumps(ngram.load(path))
    ngram.train(["other text"], 2, discount_fallback=(0.5,)).save(path)
    with pytest.raises(ModelFileError, match="has changed since the model was pickled"):
        pickle.loads(pickled)


def test_models_go_to_other_processes(path):
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).score('the cat'))"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(ngram.load(path)),
        capture_output=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert float(answer.stdout) == ngram.load(path).score("the cat")


def test_a_closed_model_refuses_every_use(path):
    with ngram.load(path) as loaded:
        before = loaded.score("the cat")
    uses = (
        lambda: loaded.score("the cat"),
        lambda: loaded.score_batch(["the cat"]),
        lambda: loaded.next_tokens("the"),
        lambda: loaded.order,
        lambda: loaded.vocabulary,
        lambda: loaded.save(path),
        lambda: loaded.info(),
        lambda: pickle.dumps(loaded),
        lambda: loaded.__enter__(),
    )
    for use in uses:
        with pytest.raises(InputError, match="the model is closed"):
            use()
    assert repr(loaded) == "Model(closed)"
    loaded.close()
    assert ngram.load(path).score("the cat") == before


def test_threads_share_a_model(model):
    expected = model.score_batch(TEXTS * 20)
    wrong = []

    def work():
        for _ in range(20):
            if (model.score_batch(TEXTS * 20) != expected).any():
                wrong.append("scores")
            if model.next_tokens("the") != model.next_tokens("the"):
                wrong.append("tokens")

    def index():
        for _ in range(20):
            copy.copy(model).index_successors()

    threads = [threading.Thread(target=task) for task in (work, work, index)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_repr_is_one_line(model, path):
    assert repr(model) == (
        f"Model(order=3, ngrams={sum(model.table.counts)}, "
        f"vocabulary_size={len(model.vocabulary)}, tokenizer='whitespace')"
    )
    assert repr(ngram.load(path)).endswith(f"path={str(path)!r})")


def test_info_describes_the_model_in_json(model, path):
    info = json.loads(json.dumps(ngram.load(path).info()))
    assert info["order"] == 3
    assert info["ngrams"] == list(model.table.counts)
    assert info["vocabulary_size"] == len(model.vocabulary)
    assert info["tokenizer"] == "whitespace"
    assert info["path"] == str(path)
    assert len(info["discounts"]) == len(info["counts_of_counts"]) == 3
    assert info["memory"]["total"] <= path.stat().st_size
    assert info["training"]


def test_a_model_read_from_arpa_knows_no_training(model, tmp_path):
    model.write_arpa(tmp_path / "model.arpa")
    info = ngram.read_arpa(tmp_path / "model.arpa").info()
    assert info["discounts"] is info["counts_of_counts"] is info["training"] is None


def test_vocabulary_and_ngrams_must_fit(model):
    with pytest.raises(InputError, match="unigrams and 4 words"):
        Model.from_ngrams(model.table.to_sorted(), Vocabulary.from_words(["one"]))


@pytest.fixture(scope="module")
def library():
    tokenizers = pytest.importorskip("tokenizers")
    library = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="[UNK]"))
    library.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    library.decoder = tokenizers.decoders.Metaspace()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=60, special_tokens=["[UNK]"], show_progress=False
    )
    library.train_from_iterator(SENTENCES, trainer)
    return library


def test_a_library_tokenizer_is_stored_in_the_model(library, tmp_path):
    model = ngram.train(SENTENCES, 3, tokenizer=library, discount_fallback=(0.5,))
    model.save(tmp_path / "model")
    loaded = ngram.load(tmp_path / "model")
    assert loaded.tokenizer.to_json() == model.tokenizer.to_json()
    assert_same(model, loaded)
    assert_same(model, pickle.loads(pickle.dumps(model)))
    assert loaded.generate("the", temperature=0).startswith("the")


@pytest.fixture(params=["whitespace", "library"])
def any_model(request, model):
    if request.param == "whitespace":
        return model
    library = request.getfixturevalue("library")
    return ngram.train(SENTENCES, 3, tokenizer=library, discount_fallback=(0.5,))


@pytest.mark.parametrize("texts", ["abc", b"abc", None, 5])
def test_texts_are_a_list_for_every_tokenizer(any_model, texts):
    for method in ("score_batch", "score_tokens", "encode", "perplexity"):
        with pytest.raises(InputError, match="texts is"):
            getattr(any_model, method)(texts)


@pytest.mark.parametrize("text", [None, 5, ["the"]])
def test_a_text_is_a_string_for_every_tokenizer(any_model, text):
    message = f"a text is a str or bytes, not {type(text).__name__}"
    methods = ("score", "full_scores", "next_tokens", "sample", "generate", "tokenize")
    for method in (*methods, "distribution"):
        with pytest.raises(InputError, match=message):
            getattr(any_model, method)(text)
    with pytest.raises(InputError, match=message):
        any_model.score_batch([text])


def test_lone_surrogates_are_errors_for_every_tokenizer(any_model):
    for method in ("score", "next_tokens", "tokenize"):
        with pytest.raises(InputError, match=r"lone surrogate U\+D800"):
            getattr(any_model, method)("\ud800")


@pytest.mark.parametrize("path", [None, 5, b"model"])
def test_a_path_is_a_str_or_path(model, path):
    with pytest.raises(InputError, match=f"path is {path!r}: pass the name"):
        ngram.load(path)
    with pytest.raises(InputError, match=f"path is {path!r}: pass the name"):
        model.save(path)


def test_numbers_of_numpy_are_saved_as_numbers(model, tmp_path):
    made = Model.from_ngrams(
        model.table.to_sorted(),
        model.vocabulary,
        discounts=[np.array([0.5, 1, 1.5], np.float32)] * 3,
        counts_of_counts=[np.arange(4)] * 3,
        training={"order": np.int64(3), "pruned": np.False_, "share": np.float32(0.5)},
    )
    made.save(tmp_path / "numbers")
    info = ngram.load(tmp_path / "numbers").info()
    assert info["discounts"] == ((0.5, 1, 1.5),) * 3
    assert info["counts_of_counts"] == ((0, 1, 2, 3),) * 3
    assert info["training"] == {"order": 3, "pruned": False, "share": 0.5}


def test_compiled_objects_made_by_new_are_empty():
    ids, ngrams, table = (cls.__new__(cls) for cls in (TokenIds, SortedNgrams, Table))
    assert (len(ids), ids.tokens, ids.ids.tolist()) == (0, 0, [])
    assert (ngrams.order, ngrams.counts) == (0, ())
    with pytest.raises(InputError, match="order 1 to 255"):
        Table.build(ngrams)
    assert (table.order, table.counts) == (1, (3,))
    assert Table.attach(table.arrays()).to_sorted() == table.to_sorted()
    words = Vocabulary.__new__(Vocabulary)
    assert Model(table, words, Tokenizer.of("whitespace")).score("a") == 0


# Files that are damaged, or made to hurt.


def use(path, **options):
    """Load a model and ask it everything; return what it answered."""
    with ngram.load(path, **options) as loaded:
        return (
            loaded.score_batch(TEXTS).tolist(),
            [loaded.next_tokens(text, 3) for text in TEXTS[:4]],
            [loaded.sample(text, seed=1, max_tokens=4) for text in TEXTS[:4]],
            loaded.distribution("the").sum(),
            loaded.table.to_sorted().counts,
            list(loaded.vocabulary),
        )


@pytest.fixture(scope="module")
def small_file(tmp_path_factory):
    model = ngram.train(["a b a", "b c"], 3, discount_fallback=(0.5,))
    model.index_successors()
    path = tmp_path_factory.mktemp("small") / "model"
    model.save(path)
    return path


def test_a_damaged_byte_is_noticed_wherever_it_is(small_file, tmp_path):
    content = bytearray(small_file.read_bytes())
    path = tmp_path / "damaged"
    text = len(content[:4096].rstrip())
    for position in [*range(0, text, 7), *range(4096, len(content), 5)]:
        content[position] ^= 1 << position % 8
        path.write_bytes(content)
        with pytest.raises(ModelFileError):
            ngram.load(path)
        content[position] ^= 1 << position % 8


@pytest.mark.parametrize("value", [0x01, 0x80, 0xFF])
def test_a_damaged_byte_that_is_not_verified_never_crashes(small_file, tmp_path, value):
    content = bytearray(small_file.read_bytes())
    path = tmp_path / "damaged"
    base = 8 + int.from_bytes(content[:8], "little")
    for position in range(base, len(content), 3 if os.environ.get("CI") else 17):
        content[position] ^= value
        path.write_bytes(content)
        with suppress(NgramError):
            use(path, verify=False)
        content[position] ^= value


@given(st.randoms(use_true_random=False))
def test_random_damage_that_is_not_verified_never_crashes(small_file, random):
    content = bytearray(small_file.read_bytes())
    base = 8 + int.from_bytes(content[:8], "little")
    for _ in range(random.choice([1, 10, 1000])):
        content[random.randrange(base, len(content))] = random.choice(
            [0, 255, random.randrange(256)]
        )
    path = small_file.with_name("random")
    path.write_bytes(content)
    with suppress(NgramError):
        use(path, verify=False)


def test_a_file_cut_off_anywhere_is_refused(small_file, tmp_path):
    content = small_file.read_bytes()
    path = tmp_path / "cut"
    for size in [*range(0, len(content), 61), len(content) - 1]:
        path.write_bytes(content[:size])
        with pytest.raises(ModelFileError):
            ngram.load(path)


def with_metadata(model, tmp_path, **changes):
    from ngram.container import write_container

    arrays, metadata = model._contents()
    arrays = {n: a for n, a in arrays.items() if changes.get(n, "") is not None}
    metadata = {
        key: value
        for key, value in {**metadata, **changes}.items()
        if isinstance(value, str)
    }
    write_container(tmp_path / "changed", arrays, metadata)
    return tmp_path / "changed"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"structure": "future.7"},
            "structure 'future.7', this release of ngram reads",
        ),
        ({"structure": None}, "structure ''"),
        ({"tokenizer": "/etc/passwd"}, "description of the model is damaged"),
        ({"tokenizer": None}, "description of the model is damaged: KeyError"),
        ({"discounts": "{"}, "description of the model is damaged"),
        ({"discounts": "5"}, "description of the model is damaged"),
        ({"training": "[" * 100_000}, "description of the model is damaged"),
        ({"vocabulary.offsets": None}, "vocabulary"),
        ({"vocabulary.table": None}, "vocabulary"),
        ({"fast.1.header": None}, "'header' is missing"),
        ({"fast.1.order_2": None}, "table is damaged"),
    ],
)
def test_a_file_that_is_no_whole_model_is_refused(model, tmp_path, changes, message):
    path = with_metadata(model, tmp_path, **changes)
    with pytest.raises(ModelFileError, match=message) as raised:
        ngram.load(path)
    assert str(raised.value).startswith(str(path))


def test_loading_is_told_which_file_is_missing(tmp_path):
    with pytest.raises(ModelFileError, match=r"cannot open the model .*nothing\.ngram"):
        ngram.load(tmp_path / "nothing.ngram")
