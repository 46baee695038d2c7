"""Text to ids: the same for every source, thread count and piece size."""

import gzip
import io
import itertools
import os
import pickle
import random
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngram._core.text import CorpusReader, encode_batch
from ngram.errors import InputError, MissingDependencyError
from ngram.files import check_text
from ngram.text import NATIVE, TokenIds, Tokenizer, open_text, read_corpus
from ngram.vocabulary import Vocabulary

SPECIAL = [b"<unk>", b"<s>", b"</s>"]
THREADS = (1, 2, 3)
PIECES = (1, 5, 64, 1 << 19)  # bytes
HARD_TEXT = (
    "나는 학교에 간다\n\n  e\u0301\tcafe\u0301 👩‍👩‍👧 ▁▁t ▁\r\n"
    "internationalization thirteen-byte twelve-bytes \u00a0\u3000\x0b\x0c\n"
).encode() + b"\xff\xfe broken \xf0\x9f\x98 nul\0nul \xed\xa0\x80\n<UNK> last"

# Bytes at which something happens, and any bytes.
texts = st.one_of(
    st.lists(st.sampled_from([b"a", b"b", b" ", b"\n", b"\0", b"\r", b"\t"])).map(
        b"".join
    ),
    st.binary(),
    st.text().map(str.encode),
    st.lists(st.binary(min_size=1, max_size=30)).map(b" ".join),
)


# ---- the definition: slow and obvious


def split_words(line: bytes) -> list[bytes]:
    return [word for word in re.split(rb"[\0\t\n\r ]+", line) if word]


def split_characters(line: bytes) -> list[bytes]:
    space = "▁".encode()
    names = {" ": b"", "▁": space, "\t": b"t", "\n": b"n", "\r": b"r", "\0": b"0"}
    return [
        space + names[character]
        if character in names
        else character.encode("utf-8", "surrogateescape")
        for character in line.decode("utf-8", "surrogateescape")
    ]


def split_bytes(line: bytes) -> list[bytes]:
    return [
        bytes([value])
        if 0x20 < value < 0x7F and value != ord("<")
        else f"<0x{value:02X}>".encode()
        for value in line
    ]


SPLIT = {
    "whitespace": split_words,
    "characters": split_characters,
    "bytes": split_bytes,
}


def sentences_of(text: bytes, tokenizer: str) -> list[list[bytes]]:
    *lines, last = text.split(b"\n")
    sentences = [SPLIT[tokenizer](line) for line in lines]
    tokens = SPLIT[tokenizer](last)
    return [*sentences, tokens] if tokens else sentences


def expected(sentences: Iterable[Sequence[bytes]]) -> tuple[list[int], list[bytes]]:
    words = {word: i for i, word in enumerate(SPECIAL)}
    ids: list[int] = []
    for tokens in sentences:
        ids.extend(words.setdefault(token, len(words)) for token in tokens)
        ids.append(2)
    return ids, list(words)


def result(reader: CorpusReader) -> tuple[list[int], list[bytes]]:
    ids, vocabulary = reader.finish()
    assert ids.sentences == ids.ids.tolist().count(2)
    assert ids.tokens == len(ids) - ids.sentences
    return ids.ids.tolist(), [w.encode("utf-8", "surrogateescape") for w in vocabulary]


def has_special(sentences: Iterable[Sequence[bytes]]) -> bool:
    return any(word in SPECIAL for word in itertools.chain.from_iterable(sentences))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("text") / "corpus.txt"


# ---- native tokenizers, training


@pytest.mark.parametrize("tokenizer", NATIVE)
@given(text=texts)
def test_ids_of_a_file_equal_the_definition(
    path: Path, tokenizer: str, text: bytes
) -> None:
    sentences = sentences_of(text, tokenizer)
    path.write_bytes(text)
    for threads, piece in itertools.product(THREADS, PIECES):
        reader = CorpusReader(tokenizer, threads=threads, piece_bytes=piece)
        reader.read_file(path)
        assert result(reader) == expected(sentences)


@pytest.mark.parametrize("tokenizer", NATIVE)
@given(text=texts, cuts=st.lists(st.integers(0, 40)))
def test_blocks_may_be_cut_anywhere(
    tokenizer: str, text: bytes, cuts: list[int]
) -> None:
    for threads, piece in itertools.product(THREADS, PIECES):
        reader = CorpusReader(tokenizer, threads=threads, piece_bytes=piece)
        reader.begin_stream("stream")
        rest = text
        for cut in cuts:
            reader.read_block(rest[:cut])
            rest = rest[cut:]
        reader.read_block(rest)
        reader.end_stream()
        assert reader.bytes == len(text)
        assert result(reader) == expected(sentences_of(text, tokenizer))


@pytest.mark.parametrize("tokenizer", NATIVE)
@given(sentences=st.lists(texts))
def test_each_text_of_a_list_is_one_sentence(
    tokenizer: str, sentences: list[bytes]
) -> None:
    for threads, piece in itertools.product(THREADS, PIECES):
        reader = CorpusReader(tokenizer, threads=threads, piece_bytes=piece)
        reader.read_sentences(sentences)
        assert result(reader) == expected(map(SPLIT[tokenizer], sentences))


@pytest.mark.parametrize("tokenizer", NATIVE)
def test_hard_text_equals_the_definition(path: Path, tokenizer: str) -> None:
    path.write_bytes(HARD_TEXT * 50)
    for threads, piece in itertools.product(THREADS, (*range(1, 70), 1 << 19)):
        reader = CorpusReader(tokenizer, threads=threads, piece_bytes=piece)
        reader.read_file(path)
        assert result(reader) == expected(sentences_of(HARD_TEXT * 50, tokenizer))


def test_random_words_over_many_rounds_equal_the_definition(path: Path) -> None:
    random_words = random.Random(1)
    text = b"".join(
        b"%x%c" % (int(random_words.paretovariate(0.4)) % 10**24, b" \n\n "[i % 4])
        for i in range(60_000)
    )
    path.write_bytes(text)
    for threads in THREADS:
        reader = CorpusReader(threads=threads, piece_bytes=1000)
        reader.read_file(path)
        assert result(reader) == expected(sentences_of(text, "whitespace"))


@pytest.mark.parametrize("byte", range(256))
def test_white_space_is_exactly_nul_tab_lf_cr_and_space(byte: int) -> None:
    tokens = Tokenizer.of("whitespace").tokenize(
        (b"a%cb" % byte).decode("utf-8", "surrogateescape")
    )
    assert len(tokens) == (2 if byte in b"\0\t\n\r " else 1)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (b"", 0),
        (b"\n", 1),
        (b"\n\n\n", 3),
        (b"a", 1),
        (b"a\n", 1),
        (b"a\n ", 1),
        (b"a\n \t\r\0", 1),
        (b"a\n b", 2),
        (b"  ", 0),
        (b" \n", 1),
        (b"\r\n\r\n", 2),
    ],
)
def test_every_line_is_a_sentence(path: Path, text: bytes, sentences: int) -> None:
    path.write_bytes(text)
    ids, _, sources = read_corpus(path)
    assert ids.sentences == sources[0]["sentences"] == sentences


def test_a_last_line_without_line_end_is_a_sentence_of_its_file(path: Path) -> None:
    other = path.with_name("other.txt")
    path.write_bytes(b"a b")
    other.write_bytes(b"c\n")
    ids, vocabulary, _ = read_corpus([path, other])
    assert ids.ids.tolist() == [3, 4, 2, 5, 2]
    assert vocabulary.words()[3:] == ["a", "b", "c"]


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("line_end", [b"", b"\n"])
def test_a_line_of_many_megabytes_is_one_sentence(
    path: Path, threads: int, line_end: bytes
) -> None:
    path.write_bytes(b"a rose is " * 1_000_000 + line_end)
    ids, vocabulary, _ = read_corpus(path, threads=threads)
    assert ids.sentences == 1
    assert ids.tokens == 3_000_000
    assert np.array_equal(ids.ids[:-1].reshape(-1, 3), [[3, 4, 5]] * 1_000_000)
    assert len(vocabulary) == 6


@pytest.mark.parametrize("threads", THREADS)
def test_a_word_of_many_megabytes_is_one_word(path: Path, threads: int) -> None:
    word = b"x" * 5_000_000
    path.write_bytes(b"a " + word + b" b " + word)
    ids, vocabulary, _ = read_corpus(path, threads=threads)
    assert ids.ids.tolist() == [3, 4, 5, 4, 2]
    assert vocabulary.word(4) == word.decode()


def test_files_streams_and_sentences_share_one_vocabulary(path: Path) -> None:
    path.write_bytes(b"a b\n")
    reader = CorpusReader()
    reader.read_sentences(["b c"])
    reader.read_file(path)
    reader.begin_stream("stream")
    reader.read_block(b"c d")
    reader.end_stream()
    reader.read_sentences([b"d"])
    assert result(reader) == expected(
        [[b"b", b"c"], [b"a", b"b"], [b"c", b"d"], [b"d"]]
    )


def test_a_finished_reader_is_an_error() -> None:
    reader = CorpusReader()
    reader.finish()
    with pytest.raises(InputError, match="finished"):
        reader.read_sentences(["a"])
    with pytest.raises(InputError, match="finished"):
        reader.finish()


def test_a_file_that_shrinks_is_an_error_and_no_crash(path: Path) -> None:
    path.write_bytes(b"word " * 1_000_000)

    def shrink(stage: str, done: int, total: int) -> None:
        os.truncate(path, 10)

    with pytest.raises(InputError, match="became shorter"):
        CorpusReader(progress=shrink, piece_bytes=1000).read_file(path)


# ---- special words


@pytest.mark.parametrize("word", ["<s>", "</s>", "<unk>"])
@pytest.mark.parametrize("threads", THREADS)
def test_special_words_are_errors_that_name_the_line(
    path: Path, word: str, threads: int
) -> None:
    path.write_text("a b\n\n" * 5000 + f"c {word} d\n" + "e\n" * 5000 + word)
    with pytest.raises(InputError, match=rf"corpus\.txt:10001: .* {word}.*skip_symbol"):
        read_corpus(path, threads=threads)
    lines = path.read_text().splitlines()
    with pytest.raises(InputError, match=rf"sentence 10001: .* {word}.*skip_symbols"):
        read_corpus(lines, threads=threads)
    with (
        path.open("rb") as file,
        pytest.raises(InputError, match=rf"corpus\.txt:10001: .* {word}"),
    ):
        read_corpus(file, threads=threads)


def test_the_line_of_a_special_word_is_that_of_its_own_file(path: Path) -> None:
    other = path.with_name("other.txt")
    path.write_bytes(b"a\nb")
    other.write_bytes(b"c\n<s>\n")
    with pytest.raises(InputError, match=r"other\.txt:2: "):
        read_corpus([path, other])


@given(st.lists(st.sampled_from([b"<s>", b"</s>", b"<unk>", b"a", b"<S>", b"\n"])))
def test_skipped_special_words_are_white_space(listed: list[bytes]) -> None:
    text = b" ".join(listed)
    kept = b" ".join(word for word in listed if word not in SPECIAL)
    ids, vocabulary, _ = read_corpus(io.BytesIO(text), skip_symbols=True)
    assert (ids.ids.tolist(), [word.encode() for word in vocabulary]) == expected(
        sentences_of(kept, "whitespace")
    )


@pytest.mark.parametrize("tokenizer", ["characters", "bytes"])
def test_special_words_are_characters_like_others(tokenizer: str) -> None:
    ids, vocabulary, _ = read_corpus(["<s>"], tokenizer)
    assert ids.tokens == 3
    assert "".join(vocabulary.words()[3:]) in ("<s>", "<0x3C>s>")


# ---- tokenizers


@given(st.one_of(st.text(), st.sampled_from(["▁", "▁▁t", "\u2581n\n", "<0x0A>"])))
@pytest.mark.parametrize("name", ["characters", "bytes"])
def test_detokenize_undoes_tokenize(name: str, text: str) -> None:
    tokenizer = Tokenizer.of(name)
    assert tokenizer.detokenize(tokenizer.tokenize(text)) == text


@given(texts)
@pytest.mark.parametrize("name", ["characters", "bytes"])
def test_detokenize_undoes_tokenize_for_any_bytes(name: str, text: bytes) -> None:
    tokenizer = Tokenizer.of(name)
    tokens = tokenizer.tokenize(text.decode("utf-8", "surrogateescape"))
    back = tokenizer.detokenize(tokens)
    assert back.encode("utf-8", "surrogateescape") == text


@given(texts)
@pytest.mark.parametrize("name", NATIVE)
def test_tokenize_equals_the_definition(name: str, text: bytes) -> None:
    tokens = Tokenizer.of(name).tokenize(text.decode("utf-8", "surrogateescape"))
    assert [t.encode("utf-8", "surrogateescape") for t in tokens] == SPLIT[name](text)


@given(texts)
@pytest.mark.parametrize("name", ["characters", "bytes"])
def test_tokens_hold_no_white_space(name: str, text: bytes) -> None:
    decoded = text.decode("utf-8", "surrogateescape")
    for token in Tokenizer.of(name).tokenize(decoded):
        assert not set(token) & set("\0\t\n\r ")


def test_characters_are_code_points() -> None:
    tokenizer = Tokenizer.of("characters")
    assert tokenizer.tokenize("한 e\u0301👍🏽\t▁") == [
        "한",
        "▁",
        "e",
        "\u0301",
        "👍",
        "🏽",
        "▁t",
        "▁▁",
    ]


def test_whitespace_joins_with_blanks() -> None:
    tokenizer = Tokenizer.of("whitespace")
    assert tokenizer.detokenize(tokenizer.tokenize(" a  b\n")) == "a b"


def test_detokenize_takes_tokens_that_tokenize_never_makes() -> None:
    assert Tokenizer.of("characters").detokenize(["<unk>", "ab", "▁x"]) == "<unk>ab▁x"
    assert Tokenizer.of("bytes").detokenize(["<unk>", "<0x0A>", "한"]) == "<unk>\n한"
    for name in ("characters", "bytes"):
        assert Tokenizer.of(name).detokenize([]) == ""


@pytest.mark.parametrize("name", NATIVE)
def test_a_native_tokenizer_is_told_by_its_name(name: str) -> None:
    tokenizer = Tokenizer.of(name)
    assert tokenizer.name == name
    assert tokenizer.native
    assert tokenizer.to_json() == ""
    assert Tokenizer.of(tokenizer) is tokenizer
    assert pickle.loads(pickle.dumps(tokenizer)) == tokenizer
    assert len({Tokenizer.of(other) for other in NATIVE} | {tokenizer}) == len(NATIVE)


@pytest.mark.parametrize("tokenizer", ["words", 3, None, "missing.json"])
def test_an_unknown_tokenizer_is_an_error_that_names_the_known(
    tokenizer: object,
) -> None:
    with pytest.raises(InputError, match="'whitespace', 'characters', 'bytes'"):
        Tokenizer.of(tokenizer)


def test_a_lone_surrogate_is_an_error() -> None:
    with pytest.raises(InputError, match=r"lone surrogate U\+D800"):
        Tokenizer.of("characters").tokenize("a\ud800")


# ---- scoring side


@pytest.mark.parametrize("tokenizer", NATIVE)
@given(known=texts, asked=st.lists(texts))
def test_encoded_texts_equal_the_definition(
    tokenizer: str, known: bytes, asked: list[bytes]
) -> None:
    words = [word for word in SPLIT[tokenizer](known) if word not in SPECIAL]
    vocabulary = Vocabulary.from_words(words)
    id_of = dict(zip(SPECIAL, range(3), strict=True))
    for word in words:
        id_of.setdefault(word, len(id_of))
    want = [[id_of.get(word, 0) for word in SPLIT[tokenizer](text)] for text in asked]
    as_str = [text.decode("utf-8", "surrogateescape") for text in asked]
    for given_texts in (asked, as_str):
        ids, offsets = encode_batch(given_texts, vocabulary, tokenizer)
        assert offsets.tolist() == list(itertools.accumulate(map(len, want), initial=0))
        assert ids.tolist() == list(itertools.chain.from_iterable(want))
        assert (ids.dtype, offsets.dtype) == (np.uint32, np.int64)


@given(st.lists(texts.map(split_words).map(b" ".join)))
def test_training_and_scoring_cut_alike(sentences: list[bytes]) -> None:
    ids, vocabulary, _ = read_corpus(
        [s for s in sentences if not has_special([s.split()])]
    )
    texts_again = [s for s in sentences if not has_special([s.split()])]
    again, offsets = encode_batch(texts_again, vocabulary)
    corpus_ids, corpus_offsets = ids.to_arrays()
    assert np.array_equal(again, corpus_ids)
    assert np.array_equal(offsets, corpus_offsets)


def test_long_texts_of_a_batch_keep_their_borders() -> None:
    vocabulary = Vocabulary.from_words(["a", "b"])
    ids, offsets = encode_batch(["a b " * 100_000, "", "b\nb", " "] * 3, vocabulary)
    assert np.diff(offsets).tolist() == [200_000, 0, 2, 0] * 3
    assert ids[200_000:200_002].tolist() == [4, 4]


def test_special_words_of_a_scored_text_have_their_ids() -> None:
    vocabulary = Vocabulary.from_words(["a"])
    ids, _ = encode_batch(["<s> a </s> <unk> b"], vocabulary)
    assert ids.tolist() == [1, 3, 2, 0, 0]


def test_a_text_of_another_type_is_an_error() -> None:
    with pytest.raises(InputError, match="str or bytes, not float"):
        encode_batch(["a", 1.5], Vocabulary.from_words([]))  # type: ignore[list-item]


# ---- the library tokenizers


@pytest.fixture(scope="module")
def library_json() -> str:
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(
        add_prefix_space=False
    )
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<s>", "<pad>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["a rose is a rose", "나는 학교에"] * 10, trainer)
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding()
    return str(tokenizer.to_str())


def test_library_tokenizers_train_and_score_alike(
    tmp_path: Path, library_json: str
) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(library_json, "utf-8")
    tokenizer = Tokenizer.of(path)
    sentences = ["a rose is a rose", "", "나는 학교에 간다", "red"]
    ids, vocabulary, sources = read_corpus(sentences, tokenizer)
    assert sources[0]["sentences"] == 4
    again, offsets = tokenizer.encode_batch(sentences, vocabulary)
    corpus_ids, corpus_offsets = ids.to_arrays()
    assert np.array_equal(again, corpus_ids)
    assert np.array_equal(offsets, corpus_offsets)
    first = [vocabulary.word(int(i)) for i in again[: offsets[1]]]
    assert first == tokenizer.tokenize(sentences[0])
    assert list(dict.fromkeys(corpus_ids.tolist())) == list(range(3, len(vocabulary)))


def test_library_tokenizers_read_files_like_lines(
    tmp_path: Path, library_json: str
) -> None:
    tokenizer = Tokenizer.from_json(library_json)
    path = tmp_path / "a.txt"
    path.write_bytes("a rose\n\n나는\nlast".encode())
    from_file = read_corpus(path, tokenizer)
    from_lines = read_corpus(["a rose", "", "나는", "last"], tokenizer)
    assert np.array_equal(from_file[0].ids, from_lines[0].ids)
    assert from_file[1] == from_lines[1]


@given(text=st.text())
def test_library_tokenizers_give_the_text_back(library_json: str, text: str) -> None:
    tokenizer = Tokenizer.from_json(library_json)
    text = text.replace("<s>", "").replace("<pad>", "")
    assert tokenizer.detokenize(tokenizer.tokenize(text)) == text


def test_library_tokenizers_survive_the_model_file(library_json: str) -> None:
    tokenizer = Tokenizer.from_json(library_json)
    assert tokenizer.name == "tokenizers"
    assert not tokenizer.native
    assert Tokenizer.from_json(tokenizer.to_json()) == tokenizer
    assert pickle.loads(pickle.dumps(tokenizer)) == tokenizer


def test_a_special_token_of_the_library_is_an_error_that_names_the_line(
    tmp_path: Path, library_json: str
) -> None:
    tokenizer = Tokenizer.from_json(library_json)
    path = tmp_path / "a.txt"
    path.write_bytes(b"a\n\nb <s> c\n")
    with pytest.raises(InputError, match=r"a\.txt:3: .*<s>.*skip_symbols"):
        read_corpus(path, tokenizer)
    ids, vocabulary, _ = read_corpus(path, tokenizer, skip_symbols=True)
    assert ids.sentences == 3
    assert "<s>" not in vocabulary.words()[3:]


def test_invalid_bytes_reach_the_library_as_replacement_characters(
    library_json: str,
) -> None:
    tokenizer = Tokenizer.from_json(library_json)
    assert tokenizer.tokenize("a\udcff") == tokenizer.tokenize("a\ufffd")


@pytest.mark.parametrize("text", ["", "{}", "[]", "not json"])
def test_another_json_is_not_a_tokenizer(text: str) -> None:
    pytest.importorskip("tokenizers")
    with pytest.raises(InputError, match="not a tokenizer"):
        Tokenizer.from_json(text)


def test_library_tokenizers_without_the_library_name_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingDependencyError, match=r"ngram-engine\[tokenizers\]"):
        Tokenizer.from_json("{}")


# ---- corpora


def words_of(corpus: object, **options: Any) -> list[str]:
    ids, vocabulary, _ = read_corpus(corpus, **options)
    return [vocabulary.word(int(i)) for i in ids.ids]


def test_every_source_of_the_same_text_gives_the_same_corpus(tmp_path: Path) -> None:
    text = "a rose\nis 한국어\n\nlast"
    plain = tmp_path / "plain.txt"
    plain.write_text(text, "utf-8")
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(text.encode()))
    want = ["a", "rose", "</s>", "is", "한국어", "</s>", "</s>", "last", "</s>"]
    lines = text.splitlines()
    corpora = [
        plain,
        str(plain),
        packed,
        [plain],
        (plain,),
        lines,
        tuple(lines),
        iter(lines),
        (line for line in lines),
        np.array(lines),
        [line.encode() for line in lines],
        io.StringIO(text),
        io.BytesIO(text.encode()),
        io.BytesIO(gzip.compress(text.encode())),
    ]
    for corpus in corpora:
        assert words_of(corpus) == want
    with plain.open(encoding="utf-8") as text_file, packed.open("rb") as binary_file:
        assert words_of(text_file) == want
        assert words_of(binary_file) == want


def test_sources_tell_name_and_size_of_each_part(tmp_path: Path) -> None:
    one, two = tmp_path / "one.txt", tmp_path / "two.txt.gz"
    one.write_bytes(b"a b\nc\n")
    two.write_bytes(gzip.compress(b"d\n"))
    _, _, sources = read_corpus([one, two])
    assert sources == [
        {"name": str(one), "bytes": 6, "sentences": 2, "tokens": 3},
        {"name": str(two), "bytes": 2, "sentences": 1, "tokens": 1},
    ]


def test_dash_is_stdin() -> None:
    code = "from ngram.text import read_corpus; print(read_corpus('-')[1].words())"
    done = subprocess.run(
        [sys.executable, "-c", code], input=b"a b\n", capture_output=True, check=True
    )
    assert done.stdout.strip() == b"['<unk>', '<s>', '</s>', 'a', 'b']"


def test_a_text_given_as_a_path_is_an_error_that_shows_the_list() -> None:
    for text in ("a rose is a rose", "line\nline", "word " * 10_000):
        with pytest.raises(InputError, match=r"pass a list of sentences: \[text\]"):
            read_corpus(text)
    with pytest.raises(InputError, match="there is no such file"):
        read_corpus("missing.txt")


@pytest.mark.parametrize("corpus", [3, None, 2.5, b"text", bytearray(b"a"), {"a": 1}])
def test_another_type_is_an_error_that_names_the_accepted(corpus: object) -> None:
    with pytest.raises(InputError, match="a corpus is a path, a list of"):
        read_corpus(corpus)


@pytest.mark.parametrize("wrong", [None, 1.5, ["a", "b"], 3])
def test_a_sentence_of_another_type_is_an_error_that_counts(wrong: object) -> None:
    with pytest.raises(InputError, match=r"sentence 20001 of the corpus is a"):
        read_corpus(["a"] * 20_000 + [wrong])


def test_paths_and_sentences_do_not_mix(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="only paths, or only sentences"):
        read_corpus([tmp_path / "a", "a sentence"])
    with pytest.raises(InputError, match="only paths, or only sentences"):
        read_corpus(["a sentence", tmp_path / "a"])


def test_names_of_files_in_a_list_are_sentences_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"content\n")
    with pytest.warns(UserWarning, match=r"pass pathlib\.Path"):
        assert words_of([str(path)]) == [str(path), "</s>"]


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("한국어\n".encode("utf-16"), "iconv -f UTF-16 -t UTF-8"),
        ("한국어\n".encode("utf-32"), "iconv -f UTF-32 -t UTF-8"),
        (b"\xfe\xff" + "한국어\n".encode("utf-16-be"), "iconv -f UTF-16"),
        ("hello world, this is text\n".encode("utf-16-le"), "iconv -f UTF-16"),
        ("hello world, this is text\n".encode("utf-32-le"), "iconv -f UTF-32"),
        ("나는 학교에 간다\n꽃이 피었다\n".encode("utf-16-le"), "iconv -f UTF-16LE"),
        ("나는 학교에 간다\n꽃이 피었다\n".encode("utf-16-be"), "iconv -f UTF-16BE"),
        ("我爱北京天安门\n太阳升起来了\n".encode("utf-16-le"), "iconv -f UTF-16LE"),
        ("мы идём домой\nи поём\n".encode("utf-16-be"), "iconv -f UTF-16BE"),
        (b"# made elsewhere\n\\data\\\nngram 1=3\n", "ARPA model"),
        (b"\n\\data\\\nngram 1=3\n", r"ARPA model.*ngram\.read_arpa"),
        (b"mmap lm http://kheafield.com/code format version 5\n\0", "KenLM"),
        ((200).to_bytes(8, "little") + b'{"__metadata__":{}', r"ngram\.load"),
        (b"PK\x03\x04...", "zip archive"),
        (b"%PDF-1.7", "PDF"),
        (gzip.compress(gzip.compress(b"a", mtime=0), mtime=0), "compressed twice"),
    ],
)
def test_what_is_no_text_is_an_error_that_says_what_it_is(
    tmp_path: Path, head: bytes, message: str
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(head)
    with pytest.raises(InputError, match=rf"a\.txt: .*{message}"):
        read_corpus(path)


def test_some_nuls_are_white_space_and_no_error(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\0two words\0here\n")
    assert words_of(path) == ["one", "two", "words", "here", "</s>"]


@pytest.mark.parametrize(
    "text",
    [
        "café à la crème\nl'été déjà passé\n".encode("latin-1"),
        b"caf\xe9 \0 cr\xe8me \0\n\0d\xe9j\xe0 pass\xe9 \0 l'\xe9t\xe9\n",
        "나는 학교에 간다\n꽃이 피었다\n".encode("cp949"),
        "我爱北京天安门\n太阳升起来了\n".encode("gb18030"),
        b"\xff\x00 one two \x00 three four\n",
        HARD_TEXT,
    ],
)
def test_other_bytes_are_not_taken_for_utf16(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "a.txt"
    for shift in (b"", b" "):
        path.write_bytes(shift + text)
        assert words_of(path)


@given(text=st.binary(min_size=16))
def test_random_words_are_not_taken_for_utf16(text: bytes) -> None:
    words = b" ".join(text[i : i + 5] for i in range(0, len(text), 5)).replace(
        b"\0", b""
    )
    check_text(b"a" + words + b"\n", "text", binary=False)


@pytest.mark.parametrize("name", ["a b.txt", "a.txt"])
def test_a_missing_path_is_no_text_in_a_string(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        read_corpus([tmp_path / name])


def test_open_text_gives_the_bytes_of_a_text(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"a b\n"))
    with open_text(path, Tokenizer.of("whitespace")) as stream:
        assert stream.read() == b"a b\n"


def test_the_bytes_tokenizer_takes_any_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"\xff\xfe" + bytes(100))
    ids, _, _ = read_corpus(path, "bytes")
    assert ids.tokens == 102


def test_a_byte_order_mark_of_utf8_is_part_of_the_word(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfa\n")
    assert words_of(path) == ["\ufeffa", "</s>"]


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2"])
def test_threads_are_a_positive_integer(threads: Any) -> None:
    with pytest.raises(InputError, match="threads is"):
        read_corpus(["a"], threads=threads)


# ---- progress


@pytest.mark.parametrize("threads", THREADS)
def test_progress_reaches_the_size_of_the_file(path: Path, threads: int) -> None:
    path.write_bytes(b"word\n" * 100_000)
    calls: list[tuple[str, int, int]] = []
    read_corpus(path, threads=threads, progress=lambda *call: calls.append(call))
    assert calls[0] == ("reading", 0, 500_000)
    assert {stage for stage, _, _ in calls} == {"reading"}
    done = [call[1] for call in calls]
    assert done == sorted(done)
    assert done[-1] <= 500_000


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_error_of_the_callback_stops_reading_and_comes_out(
    path: Path, threads: int, error: type[BaseException]
) -> None:
    path.write_bytes(b"word\n" * 100_000)

    def stop(stage: str, done: int, total: int) -> None:
        raise error

    with pytest.raises(error):
        read_corpus(path, threads=threads, progress=stop)


def test_progress_that_cannot_be_called_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="callable or None"):
        CorpusReader(progress=3)  # type: ignore[arg-type]


# ---- arrays


def test_arrays_make_a_corpus(tmp_path: Path) -> None:
    vocabulary = Vocabulary.from_words(["a", "b"])
    ids, offsets = [3, 4, 3], [0, 2, 2, 3]
    for dtype in (np.int32, np.int64, np.uint32, np.uint64):
        corpus = np.array(ids, dtype), np.array(offsets), vocabulary
        tokens, same, sources = read_corpus(corpus)
        assert tokens.ids.tolist() == [3, 4, 2, 2, 3, 2]
        assert same is vocabulary
        assert sources[0]["sentences"] == 3
        back = tokens.to_arrays()
        assert (back[0].tolist(), back[1].tolist()) == (ids, offsets)


def test_token_ids_with_their_vocabulary_are_a_corpus() -> None:
    ids, vocabulary, _ = read_corpus(["a b"])
    assert read_corpus((ids, vocabulary))[:2] == (ids, vocabulary)
    with pytest.raises(InputError, match="do not belong together"):
        read_corpus((ids, Vocabulary.from_words([])))


@pytest.mark.parametrize("wrong", [0, 1, 2, 5, -1, 2**31, 2**32 + 3, -(2**62)])
def test_an_id_that_is_no_word_is_an_error_that_names_its_place(wrong: int) -> None:
    vocabulary = Vocabulary.from_words(["a", "b"])
    with pytest.raises(InputError, match=rf"ids\[1\] = {wrong} is not the id"):
        TokenIds.from_arrays([3, wrong], [0, 2], vocabulary)


@pytest.mark.parametrize(
    "offsets", [[], [0], [1, 2], [0, 1], [0, 3], [0, 2, 1, 2], [0, -1, 2], [-1, 2]]
)
def test_wrong_offsets_are_errors(offsets: list[int]) -> None:
    vocabulary = Vocabulary.from_words(["a", "b"])
    with pytest.raises(InputError, match="offsets"):
        TokenIds.from_arrays([3, 4], np.array(offsets, np.int64), vocabulary)


@pytest.mark.parametrize("ids", [[3.0], [[3]], ["a"], np.array([2**64 - 1], np.uint64)])
def test_ids_are_a_row_of_integers(ids: Any) -> None:
    with pytest.raises(InputError, match="ids"):
        TokenIds.from_arrays(ids, [0, 1], Vocabulary.from_words(["a"]))


def test_ids_are_a_view_that_outlives_its_owner() -> None:
    ids = read_corpus(["a b"])[0].ids
    assert not ids.flags.writeable
    assert ids.tolist() == [3, 4, 2]


def test_token_ids_cannot_be_made_by_their_class() -> None:
    with pytest.raises(TypeError, match="from_arrays"):
        TokenIds()
