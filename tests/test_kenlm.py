"""The drop-in for kenlm: its numbers to the bit, its names, files of all its kinds."""

import copy
import gzip
import io
import itertools
import json
import math
import multiprocessing
import pickle
import random
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from golden_cases import CASES, OWN, SHARED, parse_query
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_model import random_model

import ngram
from ngram import kenlm
from ngram._core.kenlm import build
from ngram.arpa import parse_parts
from ngram.cli.group import run as ngram_cli
from ngram.cli.query import shortest, summary
from ngram.errors import InputError, ModelFileError

GOLDEN = [
    pytest.param(path, id=path.name.removesuffix(".bin.gz"))
    for folder in (OWN, SHARED)
    for path in sorted((folder / "binary").glob("*.bin.gz"))
    if folder is OWN or not (OWN / "binary" / path.name).exists()
]
TINY = [
    pytest.param(path, id=path.name.removesuffix(".bin.gz").partition(".")[2])
    for path in sorted((OWN / "binary").glob("*.bin.gz"))
]
DUMPS = {
    path.name.partition(".")[0]: path
    for folder in (SHARED, OWN)
    for path in (folder / "binary").glob("*.python_api.json.gz")
}
TINY_ARPA = OWN / "cases" / "tiny-o3-fallback" / "model.arpa.gz"


def unpacked(path, folder):
    target = folder / path.name.removesuffix(".gz")
    if not target.exists():
        target.write_bytes(gzip.decompress(path.read_bytes()))
    return target


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kenlm")


@pytest.fixture(scope="module")
def model():
    return kenlm.Model(str(TINY_ARPA))


def check_dump(model, dump):
    assert model.order == dump["order"]
    assert {word: word in model for word in dump["contains"]} == dump["contains"]
    before, after = kenlm.State(), kenlm.State()
    model.BeginSentenceWrite(before)
    for word, log_prob, ngram_length, oov in dump["base_full_score_chain"]:
        full = model.BaseFullScore(before, word, after)
        assert (full.log_prob, full.ngram_length, full.oov) == (
            log_prob,
            ngram_length,
            oov,
        )
        before, after = after, before
    for row in dump["sentences"]:
        text = row["text"]
        assert model.score(text) == row["score"]
        assert model.score(text, bos=False) == row["score_nobos"]
        assert model.score(text, eos=False) == row["score_noeos"]
        assert model.score(text, False, False) == row["score_neither"]
        assert model.perplexity(text) == row["perplexity"]
        assert [list(word) for word in model.full_scores(text)] == row["full"]
        neither = [list(word) for word in model.full_scores(text, False, False)]
        assert neither == row["full_neither"]


# ---- golden files


@pytest.mark.parametrize("case", sorted(DUMPS))
def test_arpa_gives_every_answer_of_the_package_to_the_bit(case):
    arpa = CASES[case].root / "cases" / case / "model.arpa.gz"
    dump = json.loads(gzip.decompress(DUMPS[case].read_bytes()))
    check_dump(kenlm.Model(arpa), dump)


@pytest.mark.parametrize("path", GOLDEN)
def test_binary_files_give_every_answer_of_the_package_to_the_bit(path, folder):
    case = path.name.partition(".")[0]
    if "-q" in path.name:
        pytest.skip("quantised: the answers are those of exact values")
    dump = json.loads(gzip.decompress(DUMPS[case].read_bytes()))
    check_dump(kenlm.Model(unpacked(path, folder)), dump)


@pytest.mark.parametrize("path", GOLDEN)
def test_binary_files_score_as_query_prints(path, folder):
    opened = kenlm.Model(str(unpacked(path, folder)))
    printed = path.with_name(path.name.replace(".bin.gz", ".query.txt.gz"))
    expected = parse_query(gzip.decompress(printed.read_bytes())).sentences
    text = CASES[path.name.partition(".")[0]].test.read_bytes()
    for line, sentence in zip(text.split(b"\n"), expected, strict=False):
        names = [*line.split(), b"</s>"]
        scores = list(opened.full_scores(line))
        assert len(scores) == len(names)
        for name, (log_prob, length, oov), word in zip(
            names, scores, sentence.words, strict=True
        ):
            assert name == word.word
            assert opened.word_id(name) == word.id
            assert oov == (word.id == 0)
            assert length == word.ngram_length
            assert np.float32(log_prob) == np.float32(word.log10_prob)
        assert np.float32(opened.score(line)) == np.float32(sentence.log10_prob)


@pytest.mark.parametrize("path", TINY)
def test_words_are_listed_in_the_order_of_ids(path, folder):
    opened = kenlm.Model(unpacked(path, folder))
    if "-v" in path.name:
        with pytest.raises(InputError, match="without the option -v"):
            opened.words()
        return
    words = opened.words()
    assert [opened.word_id(word) for word in words] == list(range(len(words)))
    assert set(words) == set(ngram.read_arpa(TINY_ARPA).vocabulary)


@pytest.mark.parametrize("method", range(5))
def test_every_load_method_gives_the_same(method, folder):
    config = kenlm.Config()
    config.load_method = method
    path = unpacked(OWN / "binary" / "tiny-o3-fallback.trie.bin.gz", folder)
    opened = kenlm.Model(str(path), config)
    assert opened.kind == "trie"
    assert opened.score("the cat sat") == kenlm.Model(TINY_ARPA).score("the cat sat")


# ---- against the package


def arpa_text(model, rng):
    """Return a model as ARPA, its 1-grams in random order."""
    lines = ["\\data\\"]
    lines += [f"ngram {k}={len(table)}" for k, table in enumerate(model.ngrams, 1)]
    for k, table in enumerate(model.ngrams, 1):
        lines += ["", f"\\{k}-grams:"]
        rows = list(table.items())
        rng.shuffle(rows)
        for key, (log10_prob, log10_backoff) in rows:
            words = " ".join(model.words[i] for i in key)
            row = f"{log10_prob:.9g}\t{words}"
            lines.append(f"{row}\t{log10_backoff:.9g}" if k < model.order else row)
    return "\n".join([*lines, "", "\\end\\", ""])


def both(reference, folder, rng):
    package = pytest.importorskip("kenlm")
    path = folder / "random.arpa"
    path.write_text(arpa_text(reference, rng))
    config = package.Config()
    config.show_progress = False
    config.arpa_complain = package.ARPALoadComplain.NONE
    return package, package.Model(str(path), config), kenlm.Model(str(path))


SENTENCE = st.lists(
    st.sampled_from(
        ["w3", "w4", "w5", "w6", "<s>", "</s>", "<unk>", "new", "w\0x", "가"]
    ),
    max_size=9,
)
BLANK = st.sampled_from([" ", "\t", "\n", "\v", "\f\r ", "  "])


@settings(max_examples=40)
@given(
    st.integers(0, 10**6),
    st.integers(5, 25),
    st.integers(2, 6),
    st.lists(SENTENCE, min_size=1, max_size=8),
    BLANK,
)
def test_sentences_score_as_in_the_package(
    tmp_path_factory, seed, words, order, sentences, blank
):
    reference = random_model(seed, words=words, order=order, density=0.6)
    rng = random.Random(seed)
    folder = tmp_path_factory.getbasetemp()
    _, theirs, ours = both(reference, folder, rng)
    assert ours.order == theirs.order == order
    for sentence in sentences:
        text = blank.join(sentence)
        for form in (text, text.encode(), blank + text + blank):
            for bos, eos in itertools.product((True, False), repeat=2):
                expected = theirs.score(form, bos, eos)
                assert repr(ours.score(form, bos, eos)) == repr(expected)
                full = list(theirs.full_scores(form, bos, eos))
                assert repr(list(ours.full_scores(form, bos, eos))) == repr(full)
            assert ours.perplexity(form) == theirs.perplexity(form)


@pytest.mark.parametrize("order", [2, 3, 6])
def test_long_sentences_score_as_in_the_package(tmp_path, order):
    # They are scored as one batch instead of word by word.
    reference = random_model(order, words=40, order=order, density=0.7, sentences=200)
    rng = random.Random(order)
    _, theirs, ours = both(reference, tmp_path, rng)
    words = [*reference.words, "new", "w3\0x", "\0", "a-word-that-is-long", "</s>"]
    for size in (100, 130, 200, 1500, 5000):
        text = "\v".join(rng.choices(words, k=size))
        for bos, eos in itertools.product((True, False), repeat=2):
            assert repr(ours.score(text, bos, eos)) == repr(
                theirs.score(text, bos, eos)
            )


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(5, 25), st.integers(2, 6), st.data())
def test_states_follow_those_of_the_package(tmp_path_factory, seed, words, order, data):
    reference = random_model(seed, words=words, order=order, density=0.6)
    rng = random.Random(seed)
    package, theirs, ours = both(reference, tmp_path_factory.getbasetemp(), rng)
    names = [*reference.words, "new", "<UNK>", "", "w3\0x"]
    chosen = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=30))
    states = [(package.State(), kenlm.State())]
    for word in chosen:
        assert (word in ours) == (word in theirs)
        before = states[rng.randrange(len(states))]
        if rng.random() < 0.2:
            theirs.BeginSentenceWrite(before[0])
            ours.BeginSentenceWrite(before[1])
        after = (package.State(), kenlm.State())
        expected = theirs.BaseFullScore(before[0], word, after[0])
        assert repr(ours.BaseFullScore(before[1], word, after[1])) == repr(expected)
        assert ours.BaseScore(before[1], word, kenlm.State()) == expected.log_prob
        states.append(after)
    for (a, x), (b, y) in itertools.product(states, repeat=2):
        assert (a < b, a <= b, a == b, a != b, a > b, a >= b) == (
            x < y,
            x <= y,
            x == y,
            x != y,
            x > y,
            x >= y,
        )
        assert hash(a) == hash(x)


@pytest.mark.parametrize("path", GOLDEN)
def test_binary_files_behave_as_in_the_package(path, folder):
    package = pytest.importorskip("kenlm")
    name = str(unpacked(path, folder))
    theirs, ours = package.Model(name), kenlm.Model(name)
    words = ["the", "cat", "영화", "<s>", "</s>", "<unk>", "new", ",", "and", "of"]
    rng = random.Random(1)
    before, after = package.State(), package.State()
    state = kenlm.State()
    for step in range(400):
        if step % 20 == 0:
            theirs.NullContextWrite(before)
            ours.NullContextWrite(state)
        word = rng.choice(words)
        expected = theirs.BaseFullScore(before, word, after)
        assert repr(ours.BaseFullScore(state, word, state)) == repr(expected)
        assert hash(state) == hash(after)
        before, after = after, before
    for text in CASES[path.name.partition(".")[0]].test.read_bytes().split(b"\n"):
        assert repr(ours.score(text)) == repr(theirs.score(text))
        full = list(theirs.full_scores(text, False, True))
        assert list(ours.full_scores(text, False, True)) == full


def test_names_and_values_are_those_of_the_package():
    package = pytest.importorskip("kenlm")
    public = {name for name in vars(package) if name[0].isupper()}
    assert public <= set(kenlm.__all__)
    for name in ("LoadMethod", "ARPALoadComplain"):
        theirs = vars(getattr(package, name))
        values = {key: value for key, value in theirs.items() if key[0].isupper()}
        for key, value in values.items():
            assert getattr(getattr(kenlm, name), key) == value
    for name in ("Model", "State", "Config", "FullScoreReturn", "LanguageModel"):
        members = {key for key in dir(getattr(package, name)) if key[0] != "_"}
        assert members <= {*dir(getattr(kenlm, name)), "path"}


# ---- the interface


def test_a_model_describes_itself(model, folder):
    path = unpacked(OWN / "binary" / "tiny-o3-fallback.probing.bin.gz", folder)
    opened = kenlm.LanguageModel(path.parent / "." / path.name)
    assert opened.path == str(path).encode()
    assert repr(opened) == f"<Model from {path.name.encode()!r}>"
    assert isinstance(opened, kenlm.Model)
    assert opened.order == model.order == 3
    assert opened.kind == "probing hash tables"
    assert model.kind == "bucketed"


def test_models_are_pickled_by_path(model):
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert again.score("the cat") == model.score("the cat")


@pytest.mark.parametrize("path", [str(TINY_ARPA), str(TINY_ARPA).encode(), TINY_ARPA])
def test_paths_may_be_str_bytes_or_path(path):
    assert kenlm.Model(path, config=None).path == str(TINY_ARPA).encode()


def test_a_config_takes_plain_integers():
    config = kenlm.Config()
    config.load_method = kenlm.LoadMethod.LAZY
    config.arpa_complain = 2
    config.show_progress = False
    assert (config.load_method, config.arpa_complain, config.show_progress) == (
        0,
        2,
        False,
    )
    kenlm.Model(TINY_ARPA, config)
    with pytest.raises(TypeError):
        config.load_method = "lazy"
    with pytest.raises(TypeError):
        config.arpa_complain = None


def test_states_are_values(model):
    state, after = kenlm.State(), kenlm.State()
    model.BeginSentenceWrite(state)
    model.BaseScore(state, "the", after)
    for again in (
        copy.copy(after),
        copy.deepcopy(after),
        pickle.loads(pickle.dumps(after)),
    ):
        assert again == after
        assert hash(again) == hash(after)
        assert again is not after
        x, y = kenlm.State(), kenlm.State()
        expected = model.BaseScore(after, "cat", x)
        assert model.BaseScore(again, "cat", y) == expected
    assert len({state, after, copy.copy(after)}) == 2
    assert (after == 3) is False
    with pytest.raises(TypeError):
        _ = after < 3
    assert kenlm.State().words == ()
    assert [model.words()[i] for i in after.words] == ["<s>", "the"]
    model.NullContextWrite(after)
    assert after == kenlm.State()


def test_a_state_may_be_read_and_written_at_once(model):
    state = kenlm.State()
    model.BeginSentenceWrite(state)
    words = [*["the", "cat", "sat", "on", "the", "mat"], "</s>"]
    scores = [model.BaseScore(state, word, state) for word in words]
    expected = [log_prob for log_prob, _, _ in model.full_scores(" ".join(words[:-1]))]
    assert scores == expected


def test_states_of_another_model_are_safe(folder, model):
    larger = random_model(3, words=500, order=6, density=0.9, sentences=80)
    path = folder / "larger.arpa"
    path.write_text(arpa_text(larger, random.Random(3)))
    other = kenlm.Model(path)
    states = [kenlm.State()]
    for i in range(3, 400):
        state = kenlm.State()
        other.BaseScore(states[-1], f"w{i}", state)
        states.append(state)
    files = [unpacked(p.values[0], folder) for p in TINY]
    for opened in (model, *(kenlm.Model(path) for path in files)):
        for state in states:
            score = opened.BaseScore(state, "the", kenlm.State())
            assert math.isfinite(score)


def test_a_damaged_pickle_of_a_state_is_refused():
    from ngram._core.kenlm import restore_state

    for words, backoffs in ((b"abc", b"abc"), (b"abcd", b""), (b"a" * 5000,) * 2):
        with pytest.raises(ValueError, match="not a pickled State"):
            restore_state(words, backoffs)


def test_full_scores_are_a_generator(model):
    scores = model.full_scores("the cat")
    assert iter(scores) is scores
    assert next(scores) == (model.score("the", eos=False), 2, False)
    assert len(list(scores)) == 2
    lazy = model.full_scores(3)
    with pytest.raises(TypeError):
        next(lazy)


def test_a_full_score_has_three_values(model):
    score = model.BaseFullScore(kenlm.State(), "new", kenlm.State())
    assert score.oov is True
    assert score.ngram_length == 1
    assert repr(score) == f"FullScoreReturn({score.log_prob!r}, 1, True)"
    assert repr(pickle.loads(pickle.dumps(score))) == repr(score)


def test_arguments_of_other_types_are_type_errors(model):
    state = kenlm.State()
    with pytest.raises(TypeError, match="Cannot convert <class 'int'> to string"):
        model.score(3)
    with pytest.raises(TypeError):
        model.BaseScore(state, b"the", state)
    with pytest.raises(TypeError):
        model.BaseScore(None, "the", state)
    with pytest.raises(TypeError):
        model.BaseScore(state, "the", None)
    with pytest.raises(TypeError):
        _ = 3 in model
    with pytest.raises(TypeError):
        kenlm.Model(3)
    with pytest.raises(TypeError):
        kenlm.Model(TINY_ARPA, 3)
    with pytest.raises(UnicodeEncodeError):
        model.score("\ud800")


def test_a_model_that_was_not_opened_says_so():
    model = kenlm.Model.__new__(kenlm.Model)
    for call in (lambda: model.order, lambda: model.score("a"), lambda: "a" in model):
        with pytest.raises(InputError, match="was not opened"):
            call()


def test_orders_above_that_of_the_package_are_read(folder):
    reference = random_model(5, words=12, order=9, density=0.8)
    path = folder / "order9.arpa"
    path.write_text(arpa_text(reference, random.Random(5)))
    opened = kenlm.Model(path)
    assert opened.order == 9
    ids = [3, 4, 3, 5, 3, 4, 3, 3, 3, 3, 3]
    text = " ".join(reference.words[i] for i in ids)
    expected = reference.score_sentence(ids)
    scores = [(np.float32(p), length) for p, length, _ in opened.full_scores(text)]
    assert scores == expected
    state = kenlm.State()
    opened.BeginSentenceWrite(state)
    for i, (log10_prob, _) in zip(ids, expected, strict=False):
        assert opened.BaseScore(state, reference.words[i], state) == log10_prob
    assert pickle.loads(pickle.dumps(state)) == copy.copy(state) == state


def test_our_own_files_are_read(folder):
    native = ngram.train(["a b c", "a b d", "b c"], 3, discount_fallback=(0.5, 1, 1.5))
    path = folder / "own.ngram"
    native.save(path)
    for method in (kenlm.LoadMethod.LAZY, kenlm.LoadMethod.READ):
        config = kenlm.Config()
        config.load_method = method
        opened = kenlm.Model(path, config)
        assert opened.score("a b x") == pytest.approx(native.score("a b x"), abs=1e-5)
        assert opened.words() == list(native.vocabulary)


def test_unigram_models_are_read(folder):
    native = ngram.train(["a b c", "a b"], 1, discount_fallback=(0.5, 1, 1.5))
    path = folder / "unigram.arpa"
    native.write_arpa(path)
    opened = kenlm.Model(path)
    expected = np.float32(0)
    for log10_prob, length, _ in native.full_scores("a new"):
        expected += np.float32(log10_prob)
        assert length == 1
    assert opened.score("a new") == expected
    state = kenlm.State()
    opened.BeginSentenceWrite(state)
    opened.BaseScore(state, "a", state)
    assert state == kenlm.State()


def test_threads_score_as_one(model):
    texts = ["the cat sat on the mat " * n for n in range(1, 80)]
    expected = [model.score(text) for text in texts]
    results = {}

    def work(name):
        results[name] = [model.score(text) for text in texts]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(result == expected for result in results.values())


# ---- errors


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"", "empty"),
        (b"hello", "ARPA"),
        (b"mmap lm http://kheafield.com/code incomplete\n", "never finished"),
        (b"mmap lm http://kheafield.com/code format version 4\n\0", "version '4'"),
        (b"mmap lm http://kheafield.com/code format version 5\n\0", "test values"),
    ],
)
def test_files_that_are_no_models_are_os_errors(content, reason, tmp_path):
    path = tmp_path / "bad"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OSError, match="Cannot read model") as caught:
        kenlm.Model(str(path))
    assert str(caught.value).startswith(f"Cannot read model '{path}' (")
    assert reason in str(caught.value)
    assert isinstance(caught.value, ModelFileError)


def use(data, spoken):
    """Open the bytes of a file and use all of it; return whether it was refused."""
    opened = kenlm.Model.__new__(kenlm.Model)
    try:
        opened._use_file(memoryview(data))
    except ModelFileError:
        return True
    refused = False
    for text in spoken:
        for call in (opened.score, lambda text: list(opened.full_scores(text, False))):
            try:
                call(text)
            except ModelFileError:
                refused = True
    try:
        opened.words()
    except (ModelFileError, InputError):
        refused = True
    return refused


SPOKEN = ["the cat sat on the mat", "영화 가 좋다", "new <s> </s> the"]


@pytest.mark.parametrize("path", TINY)
def test_a_file_that_was_cut_off_is_refused(path):
    data = gzip.decompress(path.read_bytes())
    spelled = "-v" not in path.name
    for size in range(0, len(data), 7):
        refused = use(data[:size], SPOKEN)
        strings = data.find(b"<unk>\0") if spelled else len(data)
        assert refused or size >= strings
    assert spelled == use(data[:-1], SPOKEN) or not spelled


@pytest.mark.parametrize("path", TINY)
def test_no_change_of_bytes_does_harm(path):
    data = gzip.decompress(path.read_bytes())
    rng = random.Random(7)
    for at in [*range(88, 160), *rng.sample(range(len(data)), 300)]:
        for value in (0, 1, 127, 255):
            changed = bytearray(data)
            changed[at] = value
            use(bytes(changed), SPOKEN)
    for _ in range(300):
        changed = bytearray(data)
        for _ in range(rng.randrange(1, 20)):
            at = rng.randrange(88, len(data) - 8)
            number = rng.choice([0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1])
            changed[at : at + 8] = number.to_bytes(8, "little")
        use(bytes(changed), SPOKEN)


def test_a_hash_table_without_an_empty_place_ends():
    path = OWN / "binary" / "tiny-o3-fallback.probing-v.bin.gz"
    data = bytearray(gzip.decompress(path.read_bytes()))
    words = 136 + 8  # behind the header and that of the words
    for place in range(25):
        at = words + 12 * place
        if not any(data[at : at + 8]):
            data[at : at + 12] = b"\1\0\0\0\0\0\0\0\1\0\0\0"
    use(bytes(data), SPOKEN)


# ---- existing callers


def script(text, *arguments):
    answer = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", text, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_install_makes_import_kenlm_mean_this_module():
    answer = script(
        "import ngram.kenlm; ngram.kenlm.install(); ngram.kenlm.install()\n"
        "import kenlm, importlib.util, sys\n"
        "from kenlm import Model, LanguageModel, State\n"
        "assert kenlm is ngram.kenlm and importlib.util.find_spec('kenlm')\n"
        "print(Model(sys.argv[1]).order)",
        TINY_ARPA,
    )
    assert answer == "3\n"


def test_install_after_the_package_is_an_error():
    script(
        "import sys, types; sys.modules['kenlm'] = types.ModuleType('kenlm')\n"
        "import ngram.kenlm\n"
        "try: ngram.kenlm.install()\n"
        "except ngram.errors.InputError as error: assert 'already' in str(error)\n"
        "else: raise SystemExit(1)"
    )


def lines_of(case):
    return CASES[case].test.read_text("utf-8", "surrogateescape").splitlines()


def test_perplexity_of_a_document_as_web_filters_compute_it(folder):
    # Binary file, load method as a number, log scores and lengths summed over lines.
    path = unpacked(OWN / "binary" / "tiny-o3-fallback.probing.bin.gz", folder)
    config = kenlm.Config()
    config.load_method = 2
    opened = kenlm.Model(str(path), config)
    log_score, length = 0, 0
    for line in lines_of("tiny-o3-fallback"):
        log_score += opened.score(line)
        length += len(line.split()) + 1
    perplexity = round(10.0 ** (-log_score / length), 1)
    exact = ngram.read_arpa(TINY_ARPA).score_batch(lines_of("tiny-o3-fallback")).sum()
    assert perplexity == round(10.0 ** (-exact / length), 1)


def test_shallow_fusion_over_a_batch_of_beams(model):
    # One state for each beam; scores in natural logarithms; </s> at the end.
    beams = ["the cat sat", "the dog", "new", ""]
    states = [kenlm.State() for _ in beams]
    for state in states:
        model.BeginSentenceWrite(state)
    totals = [0.0] * len(beams)
    for step in range(3):
        for i, beam in enumerate(beams):
            words = beam.split()
            if step < len(words):
                after = kenlm.State()
                totals[i] += model.BaseScore(states[i], words[step], after)
                states[i] = after
    for i, beam in enumerate(beams):
        final = kenlm.State()
        totals[i] += model.BaseScore(states[i], "</s>", final)
        assert totals[i] == pytest.approx(model.score(beam), abs=1e-6)


def test_full_vocabulary_scoring_from_one_state(model):
    # The first step reads the empty context and the word <s>, then all tokens.
    state, begin = kenlm.State(), kenlm.State()
    model.NullContextWrite(state)
    log_prob = model.BaseScore(state, "<s>", begin)
    assert log_prob == pytest.approx(0) or log_prob < -9
    expected = kenlm.State()
    model.BeginSentenceWrite(expected)
    assert begin == expected
    tokens = ["<eos>", *model.words()]
    states, scores = [], np.empty(len(tokens), np.float32)
    for i, token in enumerate(tokens):
        word = "</s>" if token == "<eos>" else token
        after = kenlm.State()
        scores[i] = model.BaseScore(begin, word, after)
        states.append(after)
    assert scores[0] == np.float32(model.score("", eos=True))
    assert np.isfinite(scores).all()


def test_a_forked_worker_uses_the_model(model):
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("no fork here")
    texts = ["the cat", "on the mat"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(model.score, texts) == [model.score(t) for t in texts]


def test_the_module_is_typed_and_documented():
    assert Path(kenlm.__file__).name == "kenlm.py"
    for name in kenlm.__all__:
        assert getattr(kenlm, name).__doc__


# ---- the commands


KINDS = {
    "probing": ["probing"],
    "probing-p1.2": ["-p", "1.2", "probing"],
    "probing-v": ["-v", "probing"],
    "trie": ["trie"],
    "trie-v": ["-v", "trie"],
    "trie-a22": ["-a", "22", "trie"],
    "trie-q8": ["-q", "8", "-b", "8", "trie"],
    "trie-q8-a64": ["-q", "8", "-b", "8", "-a", "64", "trie"],
}


def call(capfdbinary, *arguments):
    """Run a command line in this process; return its status, output and errors."""
    status = ngram_cli([str(argument) for argument in arguments])
    captured = capfdbinary.readouterr()
    return status, captured.out, captured.err.decode()


BUILT = [
    param
    for param in GOLDEN
    if param.values[0].name.split(".", 1)[1].removesuffix(".bin.gz") in KINDS
]


@pytest.mark.parametrize("path", BUILT)
def test_build_binary_writes_the_bytes_of_the_program(path, tmp_path, capfdbinary):
    case, _, kind = path.name.removesuffix(".bin.gz").partition(".")
    arpa = CASES[case].root / "cases" / case / "model.arpa.gz"
    target = tmp_path / "model.bin"
    status, out, err = call(capfdbinary, "build_binary", *KINDS[kind], arpa, target)
    assert (status, out, err) == (0, b"", "SUCCESS\n")
    assert target.read_bytes() == gzip.decompress(path.read_bytes())


def test_a_built_file_is_the_same_with_any_number_of_threads(tmp_path):
    for kind in ("probing", "trie"):
        options = kenlm.BinaryOptions(kind)
        paths = [tmp_path / f"{kind}{threads}" for threads in (1, 2, 3)]
        for threads, path in enumerate(paths, 1):
            kenlm.build_binary(TINY_ARPA, path, options, threads=threads)
        assert len({path.read_bytes() for path in paths}) == 1


@settings(max_examples=25)
@given(
    st.integers(0, 10**6),
    st.integers(5, 40),
    st.integers(2, 6),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(0, 40),
)
def test_built_files_score_as_their_arpa(
    tmp_path_factory, seed, words, order, prob_bits, backoff_bits, pointer_bits
):
    reference = random_model(seed, words=words, order=order, density=0.6)
    rng = random.Random(seed)
    folder = tmp_path_factory.getbasetemp()
    arpa = folder / "built.arpa"
    arpa.write_text(arpa_text(reference, rng))
    ngrams, vocabulary, facts = parse_parts(arpa)
    expected = kenlm.Model(arpa)
    text = " ".join(rng.choices([*reference.words, "new"], k=60))
    for structure, quantised, compressed in (
        ("probing", False, False),
        ("trie", False, False),
        ("trie", False, True),
        ("trie", True, False),
        ("trie", True, True),
    ):
        options = kenlm.BinaryOptions(
            structure,
            1.0 + rng.random(),
            prob_bits,
            backoff_bits,
            pointer_bits,
            quantised,
            compressed,
        )
        opened = kenlm.Model.__new__(kenlm.Model)
        built = build(ngrams, vocabulary, facts["rows"], 1, None, **options.as_kernel())
        opened._use_file(built)
        assert sorted(opened.words()) == sorted(expected.words())
        for (p, length, oov), (q, size, unknown) in zip(
            opened.full_scores(text), expected.full_scores(text), strict=True
        ):
            assert (length, oov) == (size, unknown)
            assert quantised or p == q


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"structure": "tree"}, "'tree'"),
        ({"quantised": True}, "choose the structure 'trie'"),
        ({"multiplier": 1.0}, "above 1"),
        ({"multiplier": math.nan}, "above 1"),
        ({"prob_bits": 0}, "prob_bits is from 1 to 25"),
        ({"backoff_bits": 26}, "backoff_bits is from 1 to 25"),
        ({"pointer_bits": 256}, "pointer_bits is from 0 to 255"),
    ],
)
def test_wrong_options_of_binary_files_are_input_errors(options, reason):
    with pytest.raises(InputError, match=reason):
        kenlm.BinaryOptions(**options)


def test_unigrams_alone_make_no_binary_file(tmp_path):
    arpa = OWN / "cases" / "tiny-o1-fallback" / "model.arpa.gz"
    with pytest.raises(InputError, match="order 2"):
        kenlm.build_binary(arpa, tmp_path / "model.bin")
    assert not list(tmp_path.iterdir())


def test_build_binary_estimates_memory_as_the_program(capfdbinary):
    status, out, err = call(capfdbinary, "build_binary", TINY_ARPA)
    assert (status, out) == (0, b"")
    assert err == (
        "Memory estimate for binary LM:\n"
        "type       B\n"
        "probing 1916 assuming -p 1.5\n"
        "probing 2192 assuming -r models -p 1.5\n"
        "trie     955 without quantization\n"
        "trie    3724 assuming -q 8 -b 8 quantization \n"
        "trie     978 assuming -a 22 array pointer compression\n"
        "trie    3747 assuming -a 22 -q 8 -b 8 array pointer compression and "
        "quantization\n"
    )


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ([], 1),
        (["--help"], 1),
        (["-z", "ARPA", "OUT"], 1),
        (["-b", "4", "ARPA", "OUT"], 134),
        (["-q", "4", "probing", "ARPA", "OUT"], 1),
        (["-q", "x", "ARPA", "OUT"], 1),
        (["-q", "30", "trie", "ARPA", "OUT"], 1),
        (["-p", "0.5", "ARPA", "OUT"], 1),
        (["-p", "x", "ARPA", "OUT"], 1),
        (["-u", "1", "ARPA", "OUT"], 1),
        (["-r", "a b", "ARPA", "OUT"], 1),
        (["-S", "1x", "ARPA", "OUT"], 1),
        (["-w", "later", "ARPA", "OUT"], 1),
        (["tree", "ARPA", "OUT"], 1),
        (["absent.arpa", "OUT"], 1),
        (["absent.arpa"], 1),
        (["-s", "-i", "-T", "/tmp/x", "-S", "1G", "-w", "mmap", "ARPA", "OUT"], 0),
    ],
)
def test_build_binary_ends_with_the_status_of_the_program(
    arguments, status, tmp_path, capfdbinary
):
    names = {"ARPA": TINY_ARPA, "OUT": tmp_path / "out"}
    given_ = [names.get(word, word) for word in arguments]
    answer, out, err = call(capfdbinary, "build_binary", *given_)
    assert (answer, out) == (status, b"")
    assert (tmp_path / "out").exists() == (status == 0)
    assert err.endswith("SUCCESS\n") == (status == 0)


@pytest.mark.filterwarnings("ignore::ngram.arpa.ArpaWarning")
def test_missing_words_of_an_arpa_file(tmp_path, capfdbinary):
    arpa = tmp_path / "bare.arpa"
    arpa.write_text(
        "\\data\\\nngram 1=3\nngram 2=1\n\n\\1-grams:\n-1\ta\t-0.5\n-2\t<s>\t-0.25\n"
        "-1\tb\n\n\\2-grams:\n-0.5\t<s> a\n\n\\end\\\n"
    )
    target = tmp_path / "bare.bin"
    status, _, err = call(capfdbinary, "build_binary", arpa, target)
    assert (status, "lack </s>" in err) == (1, True)
    status, _, _ = call(capfdbinary, "build_binary", "-s", "-u", "-7", arpa, target)
    assert status == 0
    opened = kenlm.Model(target)
    assert opened.score("a new", eos=False) == -0.5 - 0.5 - 7
    assert kenlm.Model(arpa).score("new", False, False) == -100


def queried(case, context=True):
    name = "query.txt.gz" if context else "query.nocontext.txt.gz"
    return gzip.decompress((case.root / "cases" / case.name / name).read_bytes())


@pytest.mark.parametrize("context", [True, False])
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name)
        for case in CASES.values()
        if case.exit_code == 0
        and case.query() is not None
        and case.test.read_bytes().endswith(b"\n")
        and not case.name.startswith("odd-")  # KenLM takes its word <UNK> for <unk>
    ],
)
@pytest.mark.filterwarnings("ignore::ngram.arpa.ArpaWarning")
def test_query_prints_what_the_program_prints(
    case, context, monkeypatch, capfdbinary, tmp_path
):
    arpa = case.root / "cases" / case.name / "model.arpa.gz"
    options = [] if context else ["-n"]
    with open(case.test, "rb") as text:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(text))
        status, out, _ = call(capfdbinary, "query", *options, arpa)
    assert status == 0
    assert out == queried(case, context)


@pytest.mark.parametrize(
    ("levels", "printed"),
    [
        ([], "wls"),
        (["-v", "2"], "wls"),
        (["-v", "1"], "ls"),
        (["-v", "0"], "s"),
        (["-v", "word"], "w"),
        (["-v", "sentence", "-v", "summary"], "ls"),
        (["-v", "word", "-v", "0"], "s"),
        (["-b", "-l", "lazy", "-v", "0", "-v", "word"], "ws"),
    ],
)
def test_query_prints_what_is_asked_for(levels, printed, monkeypatch, capfdbinary):
    text = b"the cat\nnew\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    status, out, err = call(capfdbinary, "query", *levels, TINY_ARPA)
    assert status == 0
    assert (b"the=3 " in out) == ("w" in printed)
    assert (b"Total: " in out) == ("l" in printed)
    assert (b"OOVs:\t1\n" in out) == ("s" in printed)
    assert err.startswith("Name:ngram\t")


def test_query_scores_a_last_line_without_end_like_any_other(monkeypatch, capfdbinary):
    answers = []
    for text in (b"the cat\nthe dog", b"the cat\nthe dog\n"):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
        answers.append(call(capfdbinary, "query", TINY_ARPA)[:2])
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-h"],
        ["a", "b"],
        ["-x", "a"],
        ["-v", "3", "a"],
        ["-l", "fast", "a"],
        ["-v"],
    ],
)
def test_query_explains_itself_with_status_1(arguments, capfdbinary):
    status, out, err = call(capfdbinary, "query", *arguments)
    assert (status, out) == (1, b"")
    assert "Usage: ngram query" in err


def test_query_without_a_model_is_an_error(capfdbinary):
    status, out, err = call(capfdbinary, "query", "absent.arpa")
    assert (status, out) == (1, b"")
    assert err.startswith("Error: Cannot read model 'absent.arpa' (")


def test_numbers_of_the_summary_are_the_shortest_decimals():
    values = {1e16: "10000000000000000", 1e21: "1e21", 2.5e-7: "2.5e-7", 3.0: "3"}
    for value, text in {**values, 1e-6: "0.000001", 123.25: "123.25"}.items():
        assert shortest(value) == text
    assert summary(-1.0, -1.0, 0, 0).count("inf") == 1
    assert summary(-1e9, 0, 0, 1).startswith("Perplexity including OOVs:\tinf\n")
