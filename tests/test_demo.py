"""Claims about the demonstration texts in `ngram/demo.py` and `ngram/data`."""

import re
import sys
import unicodedata
import zlib
from collections import Counter
from pathlib import Path

import pytest

from ngram import demo
from ngram.errors import InputError
from ngram.smoothing import ReferenceModel, reference_estimate

Corpus = tuple[list[str], list[str]]


@pytest.fixture(scope="module")
def english() -> Corpus:
    return demo.english_corpus()


@pytest.fixture(scope="module")
def korean() -> Corpus:
    return demo.korean_corpus()


@pytest.fixture(scope="module")
def korean_model(korean: Corpus) -> ReferenceModel:
    sentences = [sentence.split() for sentence in korean[0]]
    return reference_estimate(sentences, 5, discount_fallback=(0.5, 1.0, 1.5))


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that stands for the standard library."""
    monkeypatch.setattr("sysconfig.get_paths", lambda: {"stdlib": str(tmp_path)})
    return tmp_path


def write_docstring(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'"""{text}"""\n', encoding="utf-8")


def name_with(stem: str, *, is_held_out: bool) -> str:
    """Return a file name whose checksum puts the file into the part asked for."""
    names = (f"{stem}{number}.py" for number in range(1000))
    return next(
        name for name in names if (zlib.crc32(name.encode()) % 20 == 0) is is_held_out
    )


def sentences_of(library: Path, text: str) -> list[str]:
    write_docstring(library / name_with("module", is_held_out=False), text)
    return demo.english_corpus()[0]


# Both languages


@pytest.mark.parametrize("language", ["english", "korean"])
def test_no_held_out_sentence_is_a_training_sentence(
    language: str, request: pytest.FixtureRequest
) -> None:
    train, held_out = request.getfixturevalue(language)
    assert not set(train) & set(held_out)


@pytest.mark.parametrize("language", ["english", "korean"])
def test_no_sentence_occurs_twice(
    language: str, request: pytest.FixtureRequest
) -> None:
    for sentences in request.getfixturevalue(language):
        assert len(sentences) == len(set(sentences))


@pytest.mark.parametrize("language", ["english", "korean"])
def test_tokens_are_separated_by_single_blanks(
    language: str, request: pytest.FixtureRequest
) -> None:
    for sentences in request.getfixturevalue(language):
        assert all(sentence == " ".join(sentence.split()) for sentence in sentences)
        assert all(sentences)


@pytest.mark.parametrize("language", ["english", "korean"])
def test_corpus_is_the_same_each_time(
    language: str, request: pytest.FixtureRequest
) -> None:
    first = request.getfixturevalue(language)
    assert getattr(demo, f"{language}_corpus")() == first


# Korean


def test_korean_corpus_has_over_a_thousand_sentences_and_sixty_held_out(
    korean: Corpus,
) -> None:
    train, held_out = korean
    assert len(train) > 1000
    assert len(held_out) == 60


@pytest.mark.parametrize(
    "sequence",
    [
        "길가에 꽃이 흐드러지게 피었다",
        "꽃이 흐드러지게 피었다",
        "방에 들어가서 불을",
    ],
)
def test_korean_corpus_never_shows_the_sequence_to_be_judged(
    sequence: str, korean: Corpus
) -> None:
    # Blanks around both sides, so that whole tokens are compared.
    for sentences in korean:
        assert not any(f" {sequence} " in f" {sentence} " for sentence in sentences)


@pytest.mark.parametrize(
    "sentence",
    [
        "공원에 벚꽃이 흐드러지게 피었다",
        "강가에 개나리가 흐드러지게 피었다",
        "길가에 코스모스가 피었다",
        "길가에 꽃이 피었다",
    ],
)
def test_korean_corpus_holds_the_parts_of_the_sequence(
    sentence: str, korean: Corpus
) -> None:
    assert sentence in korean[0]


@pytest.mark.parametrize("token", ["피었다", "때렸다", "껐다", "켰다", "먹었다"])
def test_korean_predicates_occur_at_least_twelve_times(
    token: str, korean: Corpus
) -> None:
    counts = Counter(token for sentence in korean[0] for token in sentence.split())
    assert counts[token] >= 12


def test_korean_sentences_are_composed_hangul_without_punctuation(
    korean: Corpus,
) -> None:
    for sentences in korean:
        for sentence in sentences:
            assert re.fullmatch("[가-힣]+(?: [가-힣]+)*", sentence)
            assert unicodedata.is_normalized("NFC", sentence)


@pytest.mark.parametrize("unlikely", ["때렸다", "껐다"])
def test_korean_model_expects_blossoms_to_bloom(
    unlikely: str, korean_model: ReferenceModel
) -> None:
    context = ["<s>", "길가에", "꽃이", "흐드러지게"]
    likely = korean_model.probability(context, "피었다")
    # Far apart: the ranking does not hang on the choice of discounts.
    assert likely > 50 * korean_model.probability(context, unlikely)


@pytest.mark.parametrize("likely", ["켰다", "껐다"])
def test_korean_model_expects_a_light_to_be_switched(
    likely: str, korean_model: ReferenceModel
) -> None:
    context = ["<s>", "방에", "들어가서", "불을"]
    unlikely = korean_model.probability(context, "먹었다")
    assert korean_model.probability(context, likely) > 20 * unlikely


# English, from this installation


def test_english_corpus_has_over_a_hundred_thousand_tokens(english: Corpus) -> None:
    assert sum(len(sentence.split()) for sentence in english[0]) > 100_000


def test_english_held_out_part_is_about_one_in_twenty(english: Corpus) -> None:
    train, held_out = english
    # Whole files are drawn and differ in length, so the share is not exact.
    assert 0.02 < len(held_out) / (len(train) + len(held_out)) < 0.1


def test_english_sentences_are_lower_case_and_three_to_sixty_tokens(
    english: Corpus,
) -> None:
    for sentences in english:
        for sentence in sentences:
            assert sentence == sentence.lower()
            assert 3 <= len(sentence.split()) <= 60


def test_english_sentences_end_as_sentences_do(english: Corpus) -> None:
    for sentences in english:
        assert all(sentence.rstrip(" )")[-1] in ".!?" for sentence in sentences)


@pytest.mark.parametrize("mark", [">>>", "::", "`", '"', "://"])
def test_english_sentences_hold_no_markup(mark: str, english: Corpus) -> None:
    for sentences in english:
        assert not any(mark in sentence for sentence in sentences)


def test_english_corpus_imports_nothing_it_reads(english: Corpus) -> None:
    assert english[0]
    # Importing this module of the standard library opens a browser.
    assert "antigravity" not in sys.modules


# English, from a library made for the test


def test_sentences_are_split_lowered_and_tokenised(library: Path) -> None:
    text = (
        "Return part of it, e.g. the Name's very end. (This really isn't new to\n"
        "any of us.) Does it work? Yes."
    )
    assert sentences_of(library, text) == [
        "return part of it , e.g. the name's very end .",
        "( this really isn't new to any of us . )",
        "does it work ?",
    ]


def test_markup_is_removed_and_its_text_stays(library: Path) -> None:
    text = (
        "See :func:`~os.walk` and :ref:`the other text <label>` first.\n\n"
        "Use ``open()`` with *mode* and **never** `close` it [1]_ twice.\n"
    )
    assert sentences_of(library, text) == [
        "see os.walk and the other text first .",
        "use open with mode and never close it twice .",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Example::\n\n    Code goes here.\n\n    So it does.\n\nThe text says this.",
        "The text says this.\n\n>>> Print this and that.\nPrinted is this thing.\n",
        "Title of this text.\n===================\n\nThe text says this.\n",
        "The text says this.\n\n    statement ::= This or that thing.\n",
        "The text says this.\n\nName      The name of it.\n",
        "The text says this.\n\nSee all of it at https://example.org/page.\n",
        "The text says this.\n\nToo short.\n\nx = [1, 2, (3, 4)] + y - {5: 6}.\n",
        "The text says this.\n\nA = [1, 2, (3, 4)] + y - {5: 6}.\n",
        "The text says this.\n\nkeyword without an end\n",
        f"The text says this.\n\nThe {'very ' * 60} long one.\n",
    ],
    ids=[
        "code",
        "doctest",
        "heading",
        "grammar",
        "table",
        "address",
        "short",
        "symbols",
        "fragment",
        "long",
    ],
)
def test_what_is_not_prose_is_left_out(text: str, library: Path) -> None:
    assert sentences_of(library, text) == ["the text says this ."]


def test_text_after_a_code_block_is_kept(library: Path) -> None:
    text = "Do this::\n\n    Code goes here.\n\nThen go on with that.\n"
    assert sentences_of(library, text) == ["then go on with that ."]


def test_list_items_are_sentences_of_their_own(library: Path) -> None:
    text = "- The first of them.\n- The second of them.\n1. The third of them.\n"
    assert sentences_of(library, text) == [
        "the first of them .",
        "the second of them .",
        "the third of them .",
    ]


def test_docstrings_of_classes_and_functions_are_read_in_order(library: Path) -> None:
    source = '''\
class First:
    """The class comes first."""

    async def method(self):
        """The method comes second."""


def last():
    """The function comes last."""
'''
    path = library / name_with("module", is_held_out=False)
    path.write_text(source, encoding="utf-8")
    assert demo.english_corpus()[0] == [
        "the class comes first .",
        "the method comes second .",
        "the function comes last .",
    ]


@pytest.mark.parametrize(
    "folder", ["site-packages", "dist-packages", "test", "package/tests", "config-3.11"]
)
def test_folders_that_are_not_the_library_are_skipped(
    folder: str, library: Path
) -> None:
    write_docstring(library / folder / "module.py", "This is not read.")
    assert sentences_of(library, "Only this is read.") == ["only this is read ."]


@pytest.mark.parametrize(
    "source",
    [b'"""This is cut', b'"""Not\xffUTF-8."""', b'"""Null byte."""\0', b"x = 1\n"],
    ids=["syntax", "encoding", "null byte", "no docstring"],
)
def test_files_that_cannot_be_parsed_are_skipped(source: bytes, library: Path) -> None:
    (library / "a.py").write_bytes(source)
    assert sentences_of(library, "Only this is read.") == ["only this is read ."]


def test_old_escapes_in_the_library_do_not_warn(library: Path) -> None:
    (library / "a.py").write_bytes(b'"""Old \\d escape is fine."""')
    assert sentences_of(library, "Only this is read.")[-1] == "only this is read ."


def test_links_to_absent_files_are_skipped(library: Path) -> None:
    try:
        (library / "a.py").symlink_to(library / "absent.py")
    except OSError:
        pytest.skip("this system does not allow symbolic links")
    assert sentences_of(library, "Only this is read.") == ["only this is read ."]


def test_whole_files_are_held_out(library: Path) -> None:
    kept = library / name_with("kept", is_held_out=False)
    held = library / name_with("held", is_held_out=True)
    write_docstring(kept, "The first is kept. The second is kept. Both have this.")
    write_docstring(held, "The first is held. The second is held. Both have this.")
    assert demo.english_corpus() == (
        ["the first is kept .", "the second is kept .", "both have this ."],
        ["the first is held .", "the second is held ."],
    )


def test_topics_are_read_without_running_them(library: Path) -> None:
    (library / "pydoc_data").mkdir()
    (library / "pydoc_data/topics.py").write_text(
        "topics = {'with': 'The \"with\" statement.', 'if': 'The other is if.'}\n"
        "raise SystemExit\n",
        encoding="utf-8",
    )
    train, held_out = demo.english_corpus()
    assert sorted(train + held_out) == [
        "the other is if .",
        "the with statement .",
    ]


@pytest.mark.parametrize(
    "source",
    ["topics = load()", "topics = {'a': load()}", "topics = {'a': 1}", "topics = {"],
)
def test_topics_of_another_form_leave_the_docstrings(
    source: str, library: Path
) -> None:
    (library / "pydoc_data").mkdir()
    (library / "pydoc_data/topics.py").write_text(source, encoding="utf-8")
    assert sentences_of(library, "Only this is read.") == ["only this is read ."]


@pytest.mark.usefixtures("library")
def test_library_without_sources_is_an_error_that_names_the_way_out() -> None:
    with pytest.raises(InputError, match=r"no source files.*Use another installation"):
        demo.english_corpus()
