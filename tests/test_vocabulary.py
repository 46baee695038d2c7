"""Words to ids and back, exactly."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngram.errors import InputError, ModelFileError
from ngram.vocabulary import Vocabulary

SPECIAL = ["<unk>", "<s>", "</s>"]
ODD_WORDS = [
    "a",
    "한국어",
    "한국어를공부하는사람들",
    "e\u0301",  # combining accent
    "\u00e9",
    "👩‍👩‍👧‍👦",
    "twelve bytes",
    "thirteen byte",
    "x" * 100_000,
    "x" * 99_999 + "y",
    b"\xff\xfe".decode("utf-8", "surrogateescape"),
    "nul\0inside",
    "\0",
    "\0\0",
    "<UNK>",
]

words = st.binary(min_size=1, max_size=40)


def text(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")


def test_special_words_come_first() -> None:
    vocabulary = Vocabulary.from_words(["a"])
    assert list(vocabulary) == [*SPECIAL, "a"]
    assert [vocabulary[word] for word in SPECIAL] == [0, 1, 2]


def test_ids_follow_the_first_occurrence() -> None:
    vocabulary = Vocabulary.from_words(["b", "a", "b", "</s>", "c"])
    assert list(vocabulary) == [*SPECIAL, "b", "a", "c"]


def test_unknown_words_have_id_0_and_no_item() -> None:
    vocabulary = Vocabulary.from_words(["a"])
    assert vocabulary.id("b") == 0
    assert "b" not in vocabulary
    assert 3 not in vocabulary
    with pytest.raises(KeyError):
        vocabulary["b"]


def test_any_bytes_are_words() -> None:
    vocabulary = Vocabulary.from_words(ODD_WORDS)
    assert list(vocabulary)[3:] == ODD_WORDS
    ids = [vocabulary[word] for word in ODD_WORDS]
    assert ids == list(range(3, 3 + len(ODD_WORDS)))


def test_str_and_its_utf8_bytes_are_the_same_word() -> None:
    vocabulary = Vocabulary.from_words(["한국어", b"\xff"])
    assert vocabulary["한국어".encode()] == 3
    assert vocabulary["\udcff"] == 4


@given(st.lists(words))
def test_vocabulary_equals_a_dict(listed: list[bytes]) -> None:
    expected = {word.encode(): i for i, word in enumerate(SPECIAL)}
    for word in listed:
        expected.setdefault(word, len(expected))
    vocabulary = Vocabulary.from_words(listed)
    assert len(vocabulary) == len(expected)
    assert list(vocabulary) == [text(word) for word in expected]
    assert all(vocabulary[word] == i for word, i in expected.items())
    assert all(vocabulary.word(i) == text(word) for word, i in expected.items())


@given(st.lists(words, unique=True), st.lists(words))
def test_no_unknown_word_is_taken_for_a_known_one(
    known: list[bytes], asked: list[bytes]
) -> None:
    vocabulary = Vocabulary.from_words(known)
    special = {word.encode() for word in SPECIAL}
    for word in asked:
        near = [word, word + b"\0", b"\0" + word, word[:-1], word + b" "]
        for other in near:
            assert (other in vocabulary) == (other in {*known, *special})


def test_many_words_are_all_found() -> None:
    listed = [f"{i * 7919:x}" * (1 + i % 4) for i in range(100_000)]
    vocabulary = Vocabulary.from_words(listed)
    distinct = list(dict.fromkeys(listed))
    assert len(vocabulary) == 3 + len(distinct)
    ids = [vocabulary.id(word) for word in distinct]
    assert ids == list(range(3, 3 + len(distinct)))


def test_the_empty_word_is_an_error_and_never_there() -> None:
    with pytest.raises(InputError, match="empty string"):
        Vocabulary.from_words([""])
    vocabulary = Vocabulary.from_words(["a"])
    assert "" not in vocabulary
    assert vocabulary.id("") == 0


def test_other_types_are_an_error() -> None:
    with pytest.raises(InputError, match="str or bytes, not int"):
        Vocabulary.from_words([3])  # type: ignore[list-item]


def test_a_lone_surrogate_is_an_error_that_says_where() -> None:
    with pytest.raises(InputError, match=r"U\+D83D at character 1"):
        Vocabulary.from_words(["a\ud83d"])


@pytest.mark.parametrize("index", [-1, 4, 2**31, 2**32])
def test_ids_out_of_bounds_have_no_word(index: int) -> None:
    with pytest.raises(IndexError, match="between 0 and 3"):
        Vocabulary.from_words(["a"]).word(index)


def test_a_vocabulary_cannot_be_made_by_its_class() -> None:
    with pytest.raises(TypeError, match="from_words"):
        Vocabulary()


# ---- arrays


def test_attached_arrays_are_the_same_vocabulary() -> None:
    vocabulary = Vocabulary.from_words(ODD_WORDS)
    attached = Vocabulary.attach(vocabulary.arrays())
    assert attached == vocabulary
    assert hash(attached) == hash(vocabulary)
    assert [attached[word] for word in ODD_WORDS] == [
        vocabulary[word] for word in ODD_WORDS
    ]


def test_arrays_depend_on_the_words_alone() -> None:
    one = Vocabulary.from_words(["a", "b"]).arrays()
    two = Vocabulary.from_words(["a", "b", "a"]).arrays()
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_arrays_are_views_that_nobody_can_write() -> None:
    for array in Vocabulary.from_words(["a"]).arrays().values():
        assert not array.flags.writeable
        assert not array.flags.owndata
        with pytest.raises(ValueError, match=r"(?i)writeable"):
            array.flags.writeable = True


def test_arrays_outlive_the_vocabulary() -> None:
    arrays = Vocabulary.from_words(["word"]).arrays()
    assert arrays["strings"].tobytes().endswith(b"word")


@pytest.mark.parametrize("shift", range(1, 16))
def test_arrays_that_are_not_aligned_can_be_attached(shift: int) -> None:
    vocabulary = Vocabulary.from_words(ODD_WORDS)
    arrays = {}
    for name, array in vocabulary.arrays().items():
        data = np.zeros(array.nbytes + shift, np.uint8)
        data[shift:] = array.view(np.uint8)
        arrays[name] = data[shift:].view(array.dtype)
    assert Vocabulary.attach(arrays) == vocabulary
    assert Vocabulary.attach(arrays)["한국어"] == vocabulary["한국어"]


def damaged(name: str, index: int, value: int) -> dict[str, np.ndarray]:
    arrays = {
        key: np.array(array)
        for key, array in Vocabulary.from_words(["a", "b"]).arrays().items()
    }
    arrays[name][index] = value
    return arrays


@pytest.mark.parametrize(
    ("name", "index", "value", "message"),
    [
        ("offsets", 0, 1, "do not cover"),
        ("offsets", -1, 2**63, "do not cover"),
        ("offsets", 2, 2**40, "out of order"),
        ("offsets", 2, 0, "out of order"),
        ("strings", 0, 0, "not <unk>"),
    ],
)
def test_damaged_arrays_are_model_file_errors(
    name: str, index: int, value: int, message: str
) -> None:
    with pytest.raises(ModelFileError, match=message):
        Vocabulary.attach(damaged(name, index, value))


def test_a_table_of_unknown_ids_is_a_model_file_error() -> None:
    arrays = damaged("strings", 0, ord("<"))
    table = arrays["table"].view(np.uint32).reshape(-1, 4)
    table[:, 3] = 99
    with pytest.raises(ModelFileError, match="names a word that is not there"):
        Vocabulary.attach(arrays)


def test_a_table_without_empty_slot_is_a_model_file_error() -> None:
    arrays = damaged("strings", 0, ord("<"))
    arrays["table"].view(np.uint32).reshape(-1, 4)[:, 0] |= 1
    with pytest.raises(ModelFileError, match="no empty slot"):
        Vocabulary.attach(arrays)


@pytest.mark.parametrize("name", ["strings", "offsets", "table"])
@pytest.mark.parametrize("kept", [0, 1, -1])
def test_cut_arrays_are_model_file_errors(name: str, kept: int) -> None:
    arrays = dict(Vocabulary.from_words(["a"]).arrays())
    arrays[name] = arrays[name][:kept]
    with pytest.raises(ModelFileError, match="damaged"):
        Vocabulary.attach(arrays)


@given(st.data())
def test_no_damage_crashes_a_lookup(data: st.DataObject) -> None:
    arrays = {
        name: np.array(array)
        for name, array in Vocabulary.from_words(["a", "b" * 20]).arrays().items()
    }
    name = data.draw(st.sampled_from(sorted(arrays)))
    view = arrays[name].view(np.uint8)
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(view) - 1))
        view[index] = data.draw(st.integers(0, 255))
    try:
        vocabulary = Vocabulary.attach(arrays)
    except ModelFileError:
        return
    assert vocabulary.id("a") < len(vocabulary)
    assert vocabulary.id("b" * 20) < len(vocabulary)
    assert len(list(vocabulary)) == len(vocabulary)


def test_pickling_keeps_words_and_ids() -> None:
    vocabulary = Vocabulary.from_words(ODD_WORDS)
    assert pickle.loads(pickle.dumps(vocabulary)) == vocabulary


def test_different_words_are_different_vocabularies() -> None:
    assert Vocabulary.from_words(["ab", "c"]) != Vocabulary.from_words(["a", "bc"])
    assert Vocabulary.from_words(["a"]) != ["a"]


# ---- subsets


def test_a_subset_numbers_its_words_anew() -> None:
    vocabulary = Vocabulary.from_words(["a", "b", "c"])
    subset = vocabulary.subset([0, 1, 2, 3, 5])
    assert list(subset) == [*SPECIAL, "a", "c"]
    assert subset["c"] == 4
    assert subset.id("b") == 0


@pytest.mark.parametrize(
    "ids", [[], [0, 1], [0, 1, 3], [0, 1, 2, 4, 3], [0, 1, 2, 3, 3]]
)
def test_a_subset_needs_ascending_ids_with_the_special_ones(ids: list[int]) -> None:
    with pytest.raises(InputError, match="subset of a vocabulary"):
        Vocabulary.from_words(["a", "b"]).subset(ids)


@pytest.mark.parametrize("ids", [[0, 1, 2, 9], [0, 1, 2, -1], [[0, 1, 2]], [0.0]])
def test_a_subset_needs_ids_of_words(ids: object) -> None:
    with pytest.raises(InputError, match="ids of a subset"):
        Vocabulary.from_words(["a", "b"]).subset(ids)  # type: ignore[arg-type]


def test_a_vocabulary_made_by_new_has_the_three_symbols():
    made = Vocabulary.__new__(Vocabulary)
    assert "a" not in made
    assert list(made) == SPECIAL
    assert made == Vocabulary.from_words([])
    assert Vocabulary.attach(made.arrays()) == made
