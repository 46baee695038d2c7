"""The table: an exact, deterministic home of n-grams that no damaged file can break."""

import gc
import os
import zlib
from functools import cache

import numpy as np
import pytest
from golden_cases import parameters
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_model import ReferenceModel, random_model

from ngram._core.model import Table
from ngram._core.ngrams import SortedNgrams
from ngram._core.scoring import ScoringModel
from ngram._core.vocabulary import Vocabulary
from ngram.errors import InputError, ModelFileError


def models():
    """Random closed models of any order, with zero probabilities and back-offs."""
    return st.builds(
        random_model,
        st.integers(0, 10**6),
        words=st.integers(3, 60),
        order=st.integers(1, 6),
        density=st.floats(0.02, 0.5),
        sentences=st.integers(0, 60),
    )


def large_model():
    """Some hundred thousand n-grams: several partitions, lines that overflow."""
    return SortedNgrams.from_levels(large_levels())


@cache
def large_arrays():
    return Table.build(large_model(), 2).arrays()


@cache
def large_levels(words=3000, seed=3):
    rng = np.random.default_rng(seed)
    pairs = np.unique(rng.integers(0, words * words, size=150_000))
    suffix, word = pairs // words, pairs % words
    # (a b c) may stand where (a b) and (b c) do: b c has the index i, b is word[i].
    triples = np.unique(rng.integers(0, len(pairs), size=3_000_000) * words)
    triples += rng.integers(0, words, size=len(triples))
    suffix_3, word_3 = triples // words, triples % words
    there = np.isin(word[suffix_3] * words + word_3, pairs)
    suffix_3, word_3 = suffix_3[there], word_3[there]
    counts = words, len(word), len(word_3)
    log10_prob = [-rng.random(count) for count in counts]
    log10_backoff = [rng.normal(size=count) for count in counts[:2]]
    return [
        ([], [], log10_prob[0], log10_backoff[0]),
        (word, suffix, log10_prob[1], log10_backoff[1]),
        (word_3, suffix_3, log10_prob[2], []),
    ]


@given(models())
def test_enumeration_gives_back_exactly_what_went_in(model):
    ngrams = model.sorted_ngrams()
    table = Table.build(ngrams)
    assert table.to_sorted() == ngrams
    assert table.counts == ngrams.counts


@pytest.mark.parametrize("case", parameters())
def test_enumeration_gives_back_models_of_lmplz(case):
    ngrams = golden_ngrams(case)
    assert Table.build(ngrams).to_sorted() == ngrams


def golden_ngrams(case):
    sections = case.arpa.sections
    ids = {gram[0]: i for i, gram in enumerate(sections[0].ngrams)}
    tables = [
        {
            tuple(ids[word] for word in gram): (min(prob, np.float32(0)), backoff)
            for gram, prob, backoff in zip(*section, strict=True)
        }
        for section in sections
    ]
    return ReferenceModel([], tables).sorted_ngrams()


def test_bytes_do_not_depend_on_threads_or_consumption():
    expected = Table.build(large_model(), 1).arrays()
    for threads, consume in ((2, False), (5, True)):
        arrays = Table.build(large_model(), threads, consume=consume).arrays()
        assert_same_arrays(arrays, expected)


def write(directory, ngrams, threads=1, *, offset=0, **options):
    """Build a table in a file and return its arrays; their checksums are right."""
    path = directory / "table"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        sections, others = Table.write(ngrams, descriptor, offset, threads, **options)
    finally:
        os.close(descriptor)
    content = path.read_bytes()
    assert content[:offset] == bytes(offset)
    arrays = {}
    for name, (shape, crc32) in sections.items():
        size = 4 * shape[0] * shape[1]
        end = offset + size + -size % 64
        assert zlib.crc32(content[offset:end]) == crc32
        assert content[offset + size : end] == bytes(end - offset - size)
        data = content[offset : offset + size]
        arrays[name] = np.frombuffer(data, np.uint32).reshape(shape)
        offset = end
    assert offset == len(content)
    return {**arrays, **others}


def assert_same_arrays(one, two):
    assert list(one) == list(two)
    for name, array in one.items():
        assert array.shape == two[name].shape
        assert array.tobytes() == two[name].tobytes()


@pytest.mark.parametrize(("threads", "consume"), [(1, False), (2, False), (5, True)])
def test_a_table_built_in_a_file_has_the_same_bytes(tmp_path, threads, consume):
    arrays = write(tmp_path, large_model(), threads, offset=4096, consume=consume)
    assert_same_arrays(arrays, large_arrays())


@given(models(), st.booleans())
def test_random_tables_built_in_a_file_have_the_same_bytes(
    tmp_path_factory, model, consume
):
    ngrams = model.sorted_ngrams()
    expected = Table.build(ngrams).arrays()
    directory = tmp_path_factory.getbasetemp()
    assert_same_arrays(write(directory, ngrams, consume=consume), expected)


def test_a_file_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    descriptor = os.open(tmp_path / "file", os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="Bad file descriptor"):
            Table.write(large_model(), descriptor, 0, 2)
    finally:
        os.close(descriptor)


def test_large_levels_come_back_with_any_number_of_threads():
    ngrams = large_model()
    table = Table.build(ngrams, 2)
    assert table.to_sorted(3) == ngrams
    assert max(row["max_displacement"] for row in table.memory_statistics()) > 0


def test_every_ngram_is_found_and_no_other():
    ngrams = large_model()
    words = ngrams.counts[0]
    model = ScoringModel(Table.build(ngrams, 2), plain_vocabulary(words))
    rng = np.random.default_rng(0)
    for order in (2, 3):
        present = ngrams.ngram_ids(order)
        assert set(lengths(model, present)) == {order}
        others = rng.integers(0, words, size=(200_000, order)).astype(np.uint32)
        known = {row.tobytes() for row in present}
        absent = np.array([row for row in others if row.tobytes() not in known])
        assert max(lengths(model, absent)) < order


def plain_vocabulary(words):
    return Vocabulary.from_words([f"w{i}" for i in range(words - 3)])


def lengths(model, rows):
    """The ngram_length of the last word of every row."""
    offsets = np.arange(0, rows.size + 1, rows.shape[1])
    length = model.score_ids(rows.reshape(-1), offsets, bos=False, eos=False)[1]
    return length[rows.shape[1] - 1 :: rows.shape[1]].tolist()


def test_a_stored_zero_comes_back_as_plus_zero():
    levels = [([], [], [-1.0, 0.0, -0.0], [-0.0, 0.0, -0.5]), ([1], [2], [-0.0], [])]
    back = Table.build(SortedNgrams.from_levels(levels)).to_sorted()
    assert back.level(1)[2].tobytes() == np.array([-1, 0, 0], np.float32).tobytes()
    assert back.level(1)[3].tobytes() == np.array([0, 0, -0.5], np.float32).tobytes()
    assert back.level(2)[2].tobytes() == np.array([0], np.float32).tobytes()


def test_extreme_values_survive():
    tiny, huge = np.float32(1e-45), np.finfo(np.float32).max
    levels = [
        ([], [], [-tiny, -np.inf, -huge], [tiny, -np.inf, huge]),
        ([1], [2], [-tiny], []),
    ]
    ngrams = SortedNgrams.from_levels(levels)
    assert Table.build(ngrams).to_sorted() == ngrams


def test_empty_orders_are_possible():
    levels = [
        ([], [], [-1, 0, -1], [0, 0, 0]),
        ([], [], [], []),
        ([], [], [], []),
    ]
    ngrams = SortedNgrams.from_levels(levels)
    table = Table.build(ngrams)
    assert table.counts == (3, 0, 0)
    assert table.to_sorted() == ngrams


def test_memory_statistics_add_up():
    ngrams = large_model()
    table = Table.build(ngrams)
    rows = table.memory_statistics()
    assert [row["order"] for row in rows] == [1, 2, 3]
    assert tuple(row["ngrams"] for row in rows) == ngrams.counts
    assert sum(row["bytes"] for row in rows) == table.bytes
    arrays = table.arrays()
    assert table.bytes == sum(arrays[f"order_{k}"].nbytes for k in (1, 2, 3))
    assert all(0.7 < row["load"] <= 0.81 for row in rows[1:])
    # 12 bytes at load .8 in lines of 64 for 5; 8 bytes in lines of 64 for 8.
    assert rows[1]["bytes"] / rows[1]["ngrams"] == pytest.approx(16, rel=0.02)
    assert rows[2]["bytes"] / rows[2]["ngrams"] == pytest.approx(10, rel=0.02)


def test_attached_arrays_are_read_in_place_and_kept_alive():
    ngrams = large_model()
    arrays = {
        name: np.array(array) for name, array in Table.build(ngrams).arrays().items()
    }
    table = Table.attach(arrays)
    assert np.shares_memory(table.arrays()["order_2"], arrays["order_2"])
    del arrays
    gc.collect()
    assert table.to_sorted() == ngrams


def test_arrays_that_are_not_aligned_are_copied():
    arrays = {}
    for name, array in large_arrays().items():
        block = np.frombuffer(b"x" + array.tobytes(), dtype=np.uint8)[1:]
        arrays[name] = block.view(array.dtype).reshape(array.shape)
        assert not arrays[name].flags.aligned
    assert Table.attach(arrays).to_sorted() == large_model()


@pytest.mark.parametrize(
    "value", [0, 1, 3, 63, 64, 255, 2**31, 2**32, 2**63, 2**64 - 1]
)
@pytest.mark.parametrize("index", range(12))
def test_a_wrong_number_in_the_header_is_refused_or_harmless(index, value):
    arrays = dict(large_arrays())
    header = arrays["header"].copy()
    header[index] = value
    arrays["header"] = header
    try:
        table = Table.attach(arrays)
    except ModelFileError as error:
        assert "damaged" in str(error)  # noqa: PT017
    else:
        use(table)


@pytest.mark.parametrize(
    "damage",
    [
        lambda arrays: arrays.pop("header"),
        lambda arrays: arrays.pop("order_1"),
        lambda arrays: arrays.pop("order_3"),
        lambda arrays: arrays.update(header=arrays["header"][:3]),
        lambda arrays: arrays.update(header=arrays["header"][:-1]),
        lambda arrays: arrays.update(header=arrays["header"].astype(np.int64)),
        lambda arrays: arrays.update(order_1=arrays["order_1"][:-1]),
        lambda arrays: arrays.update(order_2=arrays["order_2"][:-1]),
        lambda arrays: arrays.update(order_2=arrays["order_2"].reshape(-1)[:-1]),
        lambda arrays: arrays.update(order_3=arrays["order_3"][:0]),
        lambda arrays: arrays.update(order_3=arrays["order_3"].astype(np.float32)),
        lambda arrays: arrays.update(order_4=arrays["order_3"]),
    ],
)
def test_arrays_that_do_not_fit_are_refused(damage):
    arrays = dict(large_arrays())
    damage(arrays)
    with pytest.raises(ModelFileError, match="table is damaged"):
        Table.attach(arrays)


def use(table):
    """Ask a table everything; damaged lines may answer wrongly, but never crash."""
    words = table.vocabulary_size
    rng = np.random.default_rng(1)
    ids = rng.integers(0, words, size=3000).astype(np.uint32)
    if words >= 3:
        model = ScoringModel(table, plain_vocabulary(words))
        model.score_ids(ids, np.array([0, 20, 3000]))
        state = model.state()
        for word in ids[:300].tolist():
            _, _, state = model.advance_ids(state, word)
    try:
        table.to_sorted()
    except ModelFileError as error:
        assert "damaged" in str(error)  # noqa: PT017


@pytest.mark.parametrize("fill", [0, 0xFFFFFFFF, 0x80000000, "random", "flipped"])
def test_damaged_lines_never_crash(fill):
    rng = np.random.default_rng(2)
    arrays = dict(large_arrays())
    for name in ("order_1", "order_2", "order_3"):
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
    use(Table.attach(arrays))


@given(models(), st.data())
@settings(max_examples=50)
def test_damaged_small_tables_never_crash(model, data):
    arrays = Table.build(model.sorted_ngrams()).arrays()
    name = data.draw(st.sampled_from(sorted(arrays)))
    array = np.array(arrays[name])
    index = data.draw(st.integers(0, array.size - 1))
    bit = data.draw(st.integers(0, array.itemsize * 8 - 1))
    array.reshape(-1)[index] ^= array.dtype.type(1 << bit)
    arrays[name] = array
    try:
        table = Table.attach(arrays)
    except ModelFileError:
        return
    use(table)


def test_keys_that_need_too_many_bits_are_refused_or_built():
    table = Table.build(large_model())
    assert all(16 <= row["key_bits"] <= 63 for row in table.memory_statistics()[1:])


def test_progress_counts_every_ngram():
    ngrams = large_model()
    reports = []
    Table.build(ngrams, 2, lambda *report: reports.append(report))
    assert {stage for stage, _, _ in reports} == {"table"}
    assert all(done <= total == sum(ngrams.counts) for _, done, total in reports)


def test_an_error_in_progress_stops_the_build():
    def fail(stage, done, total):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        Table.build(large_model(), 2, fail)


def test_threads_must_be_positive():
    with pytest.raises(InputError, match="threads is 0"):
        Table.build(large_model(), 0)


def test_only_build_and_attach_make_tables():
    with pytest.raises(TypeError, match=r"Table.build or Table.attach"):
        Table()
