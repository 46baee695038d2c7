"""ARPA files: written as lmplz writes them, read forgivingly, completed exactly."""

import gzip
import io
import os
import random
import re
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_model import ReferenceModel, random_model

from ngram._core.ngrams import SortedNgrams
from ngram._core.vocabulary import Vocabulary
from ngram.arpa import ArpaWarning, format_arpa, parse_arpa
from ngram.errors import InputError, ModelFileError

TINY = r"""\data\
ngram 1=5
ngram 2=3
ngram 3=1

\1-grams:
-1.5	<unk>	0
0	<s>	-0.25
-1	</s>	0
-0.75	한국어	-0.5
-0.5	b	-0.125

\2-grams:
-0.25	<s> 한국어	-0.0625
-0.5	<s> b	0
-0.75	한국어 b	0

\3-grams:
-0.03125	<s> 한국어 b

\end\
"""


def parse(text, **options):
    if isinstance(text, str):
        text = text.encode("utf-8", "surrogateescape")
    return parse_arpa(io.BytesIO(text), **options)


def formatted(ngrams, vocabulary, **options):
    file = io.BytesIO()
    format_arpa(ngrams, vocabulary, file, **options)
    return file.getvalue().decode("utf-8", "surrogateescape")


def again(text, **options):
    return formatted(*parse(text, **options))


def levels(ngrams):
    return [
        [array.tobytes() for array in ngrams.level(order)]
        for order in range(1, ngrams.order + 1)
    ]


def as_arpa(model, rng):
    """ARPA text of a `ReferenceModel`, n-grams in random order."""
    header, body = "", ""
    for order, table in enumerate(model.ngrams, 1):
        lines = []
        for ids, (log10_prob, log10_backoff) in table.items():
            words = " ".join(model.words[i] for i in ids)
            lines.append(f"{float(log10_prob)}\t{words}\t{float(log10_backoff)}\n")
            if order == model.order:
                lines[-1] = f"{float(log10_prob)}\t{words}\n"
        if order > 1:
            rng.shuffle(lines)
        header += f"ngram {order}={len(lines)}\n"
        body += f"\n\\{order}-grams:\n{''.join(lines)}"
    return f"\\data\\\n{header}{body}\n\\end\\\n"


def scores(model, sentences):
    """Scores and words of sentences, by the definition of an ARPA model."""
    return [
        [
            model.score_token([model.ids[w] for w in s[:i]], model.ids[s[i]])[0]
            for i in range(1, len(s))
        ]
        for s in sentences
    ]


def reference(tmp_path, text):
    path = tmp_path / "reference.arpa"
    path.write_text(text, "utf-8")
    return ReferenceModel.from_arpa(path)


# ---- round trips ---------------------------------------------------------------------


# lmplz wrote these in ways this package never does: comments, </s> not third.
OTHER_LAYOUT = {"kjv-o3-verbose-header", "kjv-o3-renumber"}
NOT_ARPA = {"kjv-o3-collapse"}  # the numbers are no probabilities


@pytest.mark.parametrize("threads", [1, 3])
def test_arpa_of_lmplz_comes_back_byte_for_byte(golden_case, threads):
    if golden_case.name in OTHER_LAYOUT | NOT_ARPA:
        pytest.skip("not in the layout that is written here")
    path = golden_case.root / "cases" / golden_case.name / "model.arpa.gz"
    ngrams, vocabulary = parse_arpa(path, strict=True, threads=threads)
    text = formatted(ngrams, vocabulary, threads=threads)
    assert text.encode("utf-8", "surrogateescape") == gzip.decompress(path.read_bytes())


def test_arrays_hold_what_the_file_says():
    ngrams, vocabulary = parse(TINY)
    assert list(vocabulary) == ["<unk>", "<s>", "</s>", "한국어", "b"]
    assert ngrams.counts == (5, 3, 1)
    word, suffix, log10_prob, log10_backoff = ngrams.level(2)
    assert word.tolist() == [1, 1, 3]
    assert suffix.tolist() == [3, 4, 4]
    assert log10_prob.tolist() == [-0.25, -0.5, -0.75]
    assert log10_backoff.tolist() == [-0.0625, 0, 0]
    assert ngrams.ngram_ids(3).tolist() == [[1, 3, 4]]
    assert ngrams.level(3)[3].size == 0


def test_numbers_come_back_bit_for_bit(tmp_path):
    model = random_model(1, words=20, order=4, density=0.4)
    first = SortedNgrams.from_levels(model.sorted_levels())
    ngrams, vocabulary = parse(formatted(first, Vocabulary.from_words(model.words[3:])))
    assert levels(ngrams) == levels(first)
    assert list(vocabulary) == model.words


@pytest.mark.parametrize("seed", range(10))
def test_any_order_of_lines_gives_the_same_ngrams(seed):
    model = random_model(seed, words=30, order=5, density=0.3)
    ngrams = SortedNgrams.from_levels(model.sorted_levels())
    vocabulary = Vocabulary.from_words(model.words[3:])
    text = formatted(ngrams, vocabulary)
    head, *sections = re.split(r"(?m)(?=^\\\d-grams:$)", text)
    rng = random.Random(seed)
    shuffled = head
    for section in sections:
        title, *lines = section.removesuffix("\\end\\\n").strip("\n").split("\n")
        if title != "\\1-grams:":
            rng.shuffle(lines)
        shuffled += "\n".join([title, *lines]) + "\n\n"
    assert again(shuffled + "\\end\\\n", threads=seed % 2 + 1) == text


def test_threads_and_block_borders_change_nothing(tmp_path):
    # Some ten blocks of text, so lines are cut in many places.
    model = random_model(3, words=4000, order=3, density=0.9, sentences=9000)
    first = SortedNgrams.from_levels(model.sorted_levels())
    vocabulary = Vocabulary.from_words([f"{w}-is-a-long-word" for w in model.words[3:]])
    text = formatted(first, vocabulary, threads=1)
    assert len(text) > 4 * 2**19
    assert formatted(first, vocabulary, threads=3) == text
    path = tmp_path / "model.arpa"
    path.write_text(text)
    for threads in (1, 2, 5):
        assert levels(parse_arpa(path, threads=threads)[0]) == levels(first)
    assert levels(parse(text)[0]) == levels(first)
    # The last line out of order: a block deep in the file turns the section into rows.
    body, end = text[: text.rindex("\n\n")], text[text.rindex("\n\n") :]
    head, lines = body.split("\\3-grams:\n")
    *lines, last = lines.split("\n")
    moved = head + "\\3-grams:\n" + "\n".join([*lines[:-50], last, *lines[-50:]]) + end
    assert levels(parse(moved, threads=2)[0]) == levels(first)


def test_sections_may_be_empty():
    text = TINY.replace("ngram 3=1\n", "ngram 3=0\n").replace(
        "-0.03125\t<s> 한국어 b\n", ""
    )
    assert again(text) == text
    assert again(text.replace("\\3-grams:\n\n", "")) == text


def test_order_one_has_no_backoffs():
    text = "\\data\\\nngram 1=3\n\n\\1-grams:\n-1\t<unk>\n0\t<s>\n-1\t</s>\n\n\\end\\\n"
    assert again(text) == text


def test_long_words_and_rare_bytes_come_back():
    words = [
        "x" * 100_000,
        "\u00a0",
        "\u3000",
        "a\v\fb",
        "👩‍👩‍👧",
        "\u00e9",
        "e\u0301",
        "\udcff\udcfe",
        "\x01",
        "\\end\\",
        "\\data\\",
        "#",
        "-1.5",
        "12345678",
        "123456789abc",
        "123456789abcd",
    ]
    lines = [f"-1\t{word}\t-0.5\n" for word in words]
    pairs = [f"-0.25\t{a} {b}\n" for b in words for a in words]
    text = (
        f"\\data\\\nngram 1={3 + len(words)}\nngram 2={len(pairs)}\n\n\\1-grams:\n"
        "-2\t<unk>\t0\n0\t<s>\t0\n-1\t</s>\t0\n"
        f"{''.join(lines)}\n\\2-grams:\n{''.join(pairs)}\n\\end\\\n"
    )
    assert again(text) == text


def test_a_very_high_order_is_read():
    order = 200
    words = " ".join(["b"] * order)
    counts = "".join(f"ngram {k}={1 if k > 1 else 4}\n" for k in range(1, order + 1))
    sections = "".join(
        f"\\{k}-grams:\n-1\t{' '.join('b' * k)}{chr(9) + '0' if k < order else ''}\n\n"
        for k in range(2, order + 1)
    )
    text = (
        f"\\data\\\n{counts}\n\\1-grams:\n-1\t<unk>\t0\n0\t<s>\t0\n-1\t</s>\t0\n-1\tb\t0\n\n"
        f"{sections}\\end\\\n"
    )
    assert again(text) == text
    assert words in text


# ---- forgiving reading ---------------------------------------------------------------


VARIANTS = {
    "crlf": TINY.replace("\n", "\r\n"),
    "comments before the header": "# made by hand\n\n" + TINY,
    "free text before the header": "This file is in the ARPA-standard format.\n" + TINY,
    "byte order mark": "\ufeff" + TINY,
    "blanks instead of tabs": TINY.replace("\t", " "),
    "more tabs": TINY.replace("\t", "\t\t"),
    "blanks around": TINY.replace("\n-", "\n  -").replace("b\n", "b \t \n"),
    "header spacing": re.sub(r"ngram (\d)=(\d)", r"ngram  \1 = \2 ", TINY),
    "blank lines inside": TINY.replace("\n-", "\n\n-"),
    "no blank lines": re.sub("\n\n+", "\n", TINY),
    "no backoff column": TINY.replace("\t0\n", "\n"),
    "zero backoff at the highest order": TINY.replace(
        "한국어 b\n\n\\e", "한국어 b\t0\n\n\\e"
    ),
    "no last newline": TINY.rstrip("\n"),
    "blank lines at the end": TINY + "\n \n\n",
    "other spellings of numbers": TINY.replace("-1\t", "-1.00\t").replace(
        "-0.5\t", "-5e-1\t"
    ),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_other_layouts_are_read_as_the_same_model(name):
    assert again(VARIANTS[name], strict=True) == TINY


def test_minus_infinity_is_a_probability_and_a_backoff():
    text = TINY.replace("-0.75\t한국어\t-0.5", "-inf\t한국어\t-inf")
    assert again(text) == text


def test_unigrams_may_be_in_any_order():
    lines = TINY.split("\n")
    lines[6:11] = reversed(lines[6:11])
    ngrams, vocabulary = parse("\n".join(lines))
    assert list(vocabulary) == ["<unk>", "<s>", "</s>", "b", "한국어"]
    assert ngrams.level(1)[2].tolist() == [-1.5, 0, -1, -0.5, -0.75]
    assert ngrams.ngram_ids(2).tolist() == [[1, 3], [4, 3], [1, 4]]


def test_missing_unk_gets_minus_100():
    text = TINY.replace("-1.5\t<unk>\t0\n", "").replace("1=5", "1=4")
    with pytest.warns(ArpaWarning, match=r"<unk> got the log10 probability -100"):
        result = again(text)
    assert result == TINY.replace("-1.5\t<unk>", "-100\t<unk>")


def test_upper_case_unk_is_taken_for_a_missing_unk():
    text = TINY.replace("-1.5\t<unk>\t0\n", "").replace(
        "-1\t</s>\t0\n", "-1\t</s>\t0\n-1.5\t<UNK>\t0\n"
    )
    text = text.replace("-0.5\t<s> b", "-0.5\t<s> <UNK>").replace("2=3", "2=3")
    with pytest.warns(ArpaWarning, match="<UNK> was taken for <unk>"):
        ngrams, vocabulary = parse(text)
    assert list(vocabulary) == ["<unk>", "<s>", "</s>", "한국어", "b"]
    assert ngrams.ngram_ids(2).tolist() == [[1, 0], [1, 3], [3, 4]]
    assert ngrams.level(1)[2][0] == np.float32(-1.5)


def test_upper_case_unk_beside_unk_is_a_word():
    text = TINY.replace("한국어", "<UNK>")
    ngrams, vocabulary = parse(text)
    assert vocabulary.id("<UNK>") == 3
    assert formatted(ngrams, vocabulary) == text


@pytest.mark.parametrize("word", ["<s>", "</s>"])
def test_missing_sentence_markers_get_minus_100(word):
    text = (
        "\\data\\\nngram 1=3\n\n\\1-grams:\n-1\t<unk>\n-2\t<s>\n-3\t</s>\n\n\\end\\\n"
    )
    without = re.sub(f"-.\t{word}\n", "", text).replace("1=3", "1=2")
    with pytest.warns(ArpaWarning, match=f"{word} got the log10 probability -100"):
        result = again(without)
    assert result == re.sub(f"-.\t{word}", f"-100\t{word}", text)


@pytest.mark.parametrize("missing", ["<unk>", "<s>", "</s>"])
def test_strict_refuses_missing_special_words(missing):
    text = (
        "\\data\\\nngram 1=3\n\n\\1-grams:\n-1\t<unk>\n-2\t<s>\n-3\t</s>\n\n\\end\\\n"
    )
    text = re.sub(f"-.\t{missing}\n", "", text).replace("1=3", "1=2")
    with pytest.raises(InputError, match=f"unigrams lack {missing}"):
        parse(text, strict=True)


def test_strict_refuses_upper_case_unk():
    with pytest.raises(InputError, match="<UNK>"):
        parse(TINY.replace("<unk>", "<UNK>"), strict=True)


# ---- models that are not closed ------------------------------------------------------


def thinned(seed, dropped):
    """A model and its ARPA text without some n-grams that others need."""
    model = random_model(seed, words=12, order=4, density=0.5, sentences=60)
    for table in model.ngrams:  # log10 probabilities stay below 0 in every sum
        for key, (log10_prob, log10_backoff) in table.items():
            table[key] = log10_prob, -abs(log10_backoff)
    rng = random.Random(seed)
    needed = [
        key
        for table in model.ngrams[1:-1]
        for key in table
        if dropped(model, key) and rng.random() < 0.3
    ]
    for key in needed:
        del model.ngrams[len(key) - 1][key]
    return model, as_arpa(model, rng)


def is_suffix(model, key):
    longer = {k[1:] for table in model.ngrams for k in table}
    contexts = {k[:-1] for table in model.ngrams for k in table}
    return key in longer and key not in contexts


def is_anything(model, key):
    return True


def sentences_of(model, seed, count=60):
    rng = random.Random(seed)
    words = [*model.words[3:], "</s>"]
    return [["<s>", *rng.choices(words, k=rng.randint(1, 9))] for _ in range(count)]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("dropped", [is_suffix, is_anything])
def test_completing_changes_no_score(tmp_path, seed, dropped):
    model, text = thinned(seed, dropped)
    with pytest.warns(ArpaWarning, match="were added with backed-off probabilities"):
        ngrams, vocabulary = parse(text)
    closed = reference(tmp_path, formatted(ngrams, vocabulary))
    SortedNgrams.from_levels(
        [ngrams.level(order) for order in range(1, ngrams.order + 1)]
    )  # checks closure
    sentences = sentences_of(model, seed)
    assert scores(closed, sentences) == scores(model, sentences)


@pytest.mark.parametrize("seed", range(4))
def test_scores_of_an_unclosed_model_are_those_of_kenlm(tmp_path, seed):
    kenlm = pytest.importorskip("kenlm")
    _, text = thinned(seed, is_suffix)
    (tmp_path / "pruned.arpa").write_text(text, "utf-8")
    theirs = kenlm.Model(str(tmp_path / "pruned.arpa"))
    with pytest.warns(ArpaWarning, match="that longer ones end with"):
        ngrams, vocabulary = parse(text)
    closed = reference(tmp_path, formatted(ngrams, vocabulary))
    for sentence in sentences_of(closed, seed):
        tokens = [word for word in sentence[1:] if word != "</s>"]
        rows = closed.score_sentence([closed.ids[word] for word in tokens])
        expected = [(row[0], row[1]) for row in theirs.full_scores(" ".join(tokens))]
        assert [(float(p), length) for p, length in rows] == expected


def test_completed_ngrams_are_counted():
    text = TINY.replace("-0.75\t한국어 b\t0\n", "").replace("2=3", "2=2")
    with pytest.warns(ArpaWarning, match="1 n-grams that longer ones end with"):
        result = again(text)
    # p(b | 한국어) = backoff(한국어) + p(b) = -0.5 - 0.5
    assert result == TINY.replace("-0.75\t한국어 b\t0", "-1\t한국어 b\t0")


def test_completed_prefixes_are_counted():
    text = TINY.replace("-0.25\t<s> 한국어\t-0.0625\n", "").replace("2=3", "2=2")
    with pytest.warns(ArpaWarning, match="1 n-grams that longer ones begin with"):
        result = again(text)
    # p(한국어 | <s>) = backoff(<s>) + p(한국어) = -0.25 - 0.75
    assert result == TINY.replace("-0.25\t<s> 한국어\t-0.0625", "-1\t<s> 한국어\t0")


def test_strict_names_the_ngram_that_is_not_closed():
    without_suffix = TINY.replace("-0.75\t한국어 b\t0\n", "").replace("2=3", "2=2")
    with pytest.raises(
        InputError, match="'<s> 한국어 b' needs '한국어 b' among the 2-grams"
    ):
        parse(without_suffix, strict=True)
    without_prefix = TINY.replace("-0.25\t<s> 한국어\t-0.0625\n", "").replace(
        "2=3", "2=2"
    )
    with pytest.raises(
        InputError, match="'<s> 한국어 b' needs '<s> 한국어' among the 2-grams"
    ):
        parse(without_prefix, strict=True)


# ---- errors --------------------------------------------------------------------------


def line_number(text, part):
    return text[: text.index(part)].count("\n") + 1


BAD_LINES = [
    ("-0.75\t한국어\t-0.5", "nan\t한국어\t-0.5", "log10 probability is 'NaN'"),
    (
        "-0.75\t한국어\t-0.5",
        "0.75\t한국어\t-0.5",
        "log10 probability is '0.75'.*at most 0",
    ),
    ("-0.75\t한국어\t-0.5", "-0.75\t한국어\tnan", "back-off is 'NaN'"),
    ("-0.75\t한국어\t-0.5", "-0.75\t한국어\tinf", "back-off is 'inf'"),
    (
        "-0.75\t한국어\t-0.5",
        "-0.75\t한국어\tx",
        "should end with a number.*ends with 'x'",
    ),
    ("-0.75\t한국어\t-0.5", "-0.75\t한국어 b\t-0.5 6", "4 words and numbers.*1 word"),
    ("-0.75\t한국어\t-0.5", "-0.75", "0 words and numbers"),
    ("-0.75\t한국어\t-0.5", "garbage", "'garbage' does not begin with a number"),
    ("-0.75\t한국어\t-0.5", "-0.75\t\t-0.5", "has an empty column"),
    ("-0.75\t한국어\t-0.5", "-0.75\t\0\t-0.5", "NUL byte"),
    ("-0.75\t한국어\t-0.5", "-0.75\tb\t-0.5", "'b' is there twice"),
    (
        "-0.75\t한국어 b\t0",
        "-0.75\t한국어 c\t0",
        "the word 'c' of a 2-gram is not among the unigrams",
    ),
    ("-0.75\t한국어 b\t0", "-0.75\t한국어\t0", "the word '0' of a 2-gram is not among"),
    ("-0.75\t한국어 b\t0", "-0.75\t<s> b\t0", "2-gram '<s> b' is there twice"),
    ("-0.03125\t<s> 한국어 b", "-0.03125\t<s> 한국어 b\t-1", "highest order"),
    ("-0.03125\t<s> 한국어 b", "-0.03125\t<s> b", "2 words and numbers.*3 words"),
    ("ngram 2=3", "ngram 2", "should read 'ngram ORDER=COUNT'"),
    ("ngram 2=3", "ngram 2=x", "should read"),
    ("ngram 2=3", "ngram 2=99999999999999999999999", "should read"),
    ("ngram 2=3", "ngram 4=3", "names order 4 where order 2 must stand"),
    ("ngram 1=5", "ngram 1=0", "declares no 1-grams"),
    ("\\2-grams:", "\\3-grams:", r"section .2-grams: with 3 n-grams must begin here"),
    ("\\3-grams:", "\\end\\", r"section .3-grams: with 1 n-grams must begin here"),
    ("\\end\\", "\\4-grams:", r"line .end. must stand here"),
]


@pytest.mark.parametrize(("good", "bad", "message"), BAD_LINES)
def test_an_error_names_the_line_and_the_reason(good, bad, message):
    text = TINY.replace(good, bad)
    # A NUL and a repeated word are found on the line itself, too.
    line = line_number(TINY, good)
    if "b' is there twice" in message and good.startswith("-0.75\t한국어\t"):
        line += 1  # the second of the two lines
    with pytest.raises(InputError, match=f"(?s)^BytesIO:{line}: .*(?:{message})"):
        parse(text)


def test_a_repeated_ngram_is_found_in_sections_of_any_order():
    text = TINY.replace("ngram 2=3", "ngram 2=5").replace(
        "\\2-grams:\n", "\\2-grams:\n-1\t한국어 b\t0\n-1\tb b\t0\n"
    )
    line = line_number(text, "-0.75\t한국어 b")
    with pytest.raises(
        InputError, match=f":{line}: the 2-gram '한국어 b' is there twice"
    ):
        parse(text)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("ngram 2=2", r":16: .*declares 2 2-grams, but more are there"),
        ("ngram 2=4", r":18: .*declares 4 2-grams, but there are 3"),
        ("ngram 2=1000000000000000000", r":18: .*but there are 3"),
    ],
)
def test_header_counts_are_exact(header, message):
    with pytest.raises(InputError, match=message):
        parse(TINY.replace("ngram 2=3", header))


def test_many_orders_in_the_header_are_no_problem():
    orders = "".join(f"ngram {k}=1\n" for k in range(4, 301))
    with pytest.raises(
        InputError, match=r"section .4-grams: with 1 n-grams must begin"
    ):
        parse(TINY.replace("ngram 3=1\n", "ngram 3=1\n" + orders))


@pytest.mark.parametrize("size", [*range(0, len(TINY.encode()) - 7, 7)])
def test_a_file_that_was_cut_off_is_refused(size):
    with pytest.raises(InputError, match=r".: "):
        parse(TINY.encode()[:size])


def test_a_cut_names_the_section():
    with pytest.raises(InputError, match=r"ends in the 2-grams, after 1 of 3.*cut off"):
        parse(TINY[: TINY.index("-0.5\t<s> b")])


def test_text_after_the_end_is_refused():
    with pytest.raises(InputError, match=r":22: after .end. there is more text"):
        parse(TINY + TINY)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"", "the file is empty"),
        (
            b"mmap lm http://kheafield.com/code format version 5\n\0",
            "binary model of KenLM",
        ),
        (b'\x00\x10\x00\x00\x00\x00\x00\x00{"__metadata__":{}}', "ngram.load"),
        (b"blmt 3 1 2 3\n", "IRSTLM"),
        (b"iARPA\n\\data\\\n", "IRSTLM"),
        ("\\data\\\n".encode("utf-16"), "UTF-16"),
        (b"just some text\nof two lines\n", r"no line .data."),
        (gzip.compress(gzip.compress(b"\\data\\\n")), "compressed"),
    ],
)
def test_other_formats_are_named(tmp_path, start, message):
    path = tmp_path / "model.arpa"
    path.write_bytes(start)
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: .*{message}"):
        parse_arpa(path)


def test_a_missing_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        parse_arpa(tmp_path / "none.arpa")


@given(
    edits=st.lists(
        st.tuples(
            st.integers(0, len(TINY.encode())), st.integers(0, 6), st.binary(max_size=8)
        ),
        min_size=1,
        max_size=4,
    ),
    threads=st.integers(1, 2),
)
@settings(max_examples=400)
def test_damaged_files_are_read_or_refused(edits, threads):
    data = TINY.encode()
    for at, length, new in edits:
        data = data[:at] + new + data[at + length :]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ArpaWarning)
        try:
            ngrams, vocabulary = parse(data, threads=threads)
        except InputError:
            return
    SortedNgrams.from_levels([ngrams.level(k) for k in range(1, ngrams.order + 1)])
    assert again(formatted(ngrams, vocabulary), strict=True) == formatted(
        ngrams, vocabulary
    )


# ---- sources and sinks ---------------------------------------------------------------


@pytest.mark.parametrize("ending", ["", ".gz", ".xz", ".bz2", ".zst"])
def test_compressed_files_are_written_and_read(tmp_path, ending):
    if ending == ".zst":
        pytest.importorskip("zstandard")
    path = tmp_path / f"model.arpa{ending}"
    ngrams, vocabulary = parse(TINY)
    format_arpa(ngrams, vocabulary, path)
    assert os.listdir(tmp_path) == [path.name]
    assert (path.read_bytes() == TINY.encode()) == (ending == "")
    assert formatted(*parse_arpa(path)) == TINY


def test_pipes_are_read():
    read, write = os.pipe()
    with open(write, "wb") as file:
        file.write(TINY.encode())
    with open(read, "rb") as file:
        assert formatted(*parse_arpa(file)) == TINY
    read, write = os.pipe()
    with open(write, "wb") as file:
        file.write(TINY.encode())
    with open(read, "rb"):
        assert formatted(*parse_arpa(f"/dev/fd/{read}")) == TINY


class OneByteAtATime(io.RawIOBase):
    def __init__(self, data):
        self.data = data

    def readable(self):
        return True

    def readinto(self, buffer):
        count = min(1, len(self.data))
        buffer[:count] = self.data[:count]
        self.data = self.data[count:]
        return count


class ShortWrites(io.RawIOBase):
    def __init__(self):
        self.data = b""

    def writable(self):
        return True

    def write(self, data):
        self.data += bytes(data[:7])
        return min(7, len(data))


def test_short_reads_and_writes_are_continued():
    ngrams, vocabulary = parse_arpa(OneByteAtATime(TINY.encode()))
    sink = ShortWrites()
    format_arpa(ngrams, vocabulary, sink)
    assert sink.data == TINY.encode()


class Failing(io.RawIOBase):
    def __init__(self, data=b""):
        self.data = data

    def readable(self):
        return True

    def readinto(self, buffer):
        if not self.data:
            raise RuntimeError("broken source")
        count = min(len(buffer), len(self.data))
        buffer[:count], self.data = self.data[:count], self.data[count:]
        return count

    def write(self, data):
        raise RuntimeError("broken sink")


@pytest.mark.parametrize("threads", [1, 2])
def test_errors_of_python_objects_come_through(threads):
    with pytest.raises(RuntimeError, match="broken source"):
        parse_arpa(Failing(TINY.encode()[:200]), threads=threads)
    with pytest.raises(RuntimeError, match="broken sink"):
        format_arpa(*parse(TINY), Failing(), threads=threads)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_named():
    with pytest.raises(ModelFileError, match=r"^/dev/full: .*No space left"):
        format_arpa(*parse(TINY), "/dev/full")


def test_a_file_that_cannot_grow_is_named_and_removed(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "model.arpa"
    ngrams, vocabulary = parse(TINY)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(ModelFileError, match=f"^{re.escape(str(path))}: cannot be"):
            format_arpa(ngrams, vocabulary, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == []


def test_nothing_is_left_of_a_file_that_failed(tmp_path):
    path = tmp_path / "model.arpa"
    path.write_text("before")
    ngrams, _ = parse(TINY)
    with pytest.raises(InputError, match="words: both must come from the same model"):
        format_arpa(ngrams, Vocabulary.from_words(["a"]), path)
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["model.arpa"]


@pytest.mark.parametrize("word", ["a b", "a\tb", "a\n", "\r", "a\0", " "])
def test_words_with_separators_are_refused_before_anything_is_written(word):
    ngrams, _ = parse(TINY)
    sink = io.BytesIO()
    with pytest.raises(InputError, match=r"cannot write the word '.*\\x.*' \(id 3\)"):
        format_arpa(ngrams, Vocabulary.from_words([word, "b"]), sink)
    assert sink.getvalue() == b""


def test_progress_is_reported_and_its_errors_stop_the_work():
    calls = []
    parse(TINY, progress=lambda *call: calls.append(call))
    assert ("read", 0, 0) in calls
    format_arpa(*parse(TINY), io.BytesIO(), progress=lambda *call: calls.append(call))
    assert ("write", 9, 9) in calls

    def stop(*call):
        raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        parse(TINY, progress=stop)


def test_threads_are_checked():
    with pytest.raises(InputError, match="threads is 0"):
        parse(TINY, threads=0)


def test_text_files_are_refused():
    with pytest.raises(InputError, match="binary mode"):
        format_arpa(*parse(TINY), io.StringIO())
