"""The command lmplz: the ARPA, the lines and the exit statuses of KenLM's program."""

import os
import re
import resource
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from golden_cases import GoldenCase, OrderStatistics, parameters, parse_arpa, succeeded

import ngram
from ngram.cli.group import run
from ngram.cli.lmplz import OPTIONS, parse
from ngram.errors import DiscountError, InputError
from ngram.lmplz import Run, hash_ids, murmur_hash
from ngram.vocabulary import Vocabulary

TEXT = "a rose is a rose\nthe rose is red\na red rose\n\nthe end\n"


class Answer(NamedTuple):
    status: int
    out: str
    err: str


Lmplz = Callable[..., Answer]


@pytest.fixture
def lmplz(capfd: pytest.CaptureFixture) -> Lmplz:
    """Return a function that runs one command line in this process."""

    def lmplz(*arguments: object) -> Answer:
        capfd.readouterr()
        status = run(["lmplz", *map(str, arguments)])
        return Answer(status, *capfd.readouterr())

    return lmplz


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


# --- The same as lmplz ---


def followed(case: GoldenCase) -> bool:
    """Return whether lmplz wrote a model that is right: see docs/kenlm.md."""
    return succeeded(case) and case.train.read_bytes().endswith(b"\n")


def command_line(case: GoldenCase, arpa: Path) -> list[str]:
    """Return the arguments of a case, with the paths of this machine."""
    words = shlex.split(case.record["command"])[1:]
    words[words.index("--arpa") + 1] = str(arpa)
    words[words.index("-T") + 1] = f"{arpa.parent}/"
    return [str(case.root / w) if w.startswith("text/") else w for w in words]


def statistics(err: str) -> list[OrderStatistics]:
    """Return what was printed below "Statistics:"."""
    rows = re.findall(
        r"^(\d+) (\d+)(?:/(\d+))? D1=(\S+) D2=(\S+) D3\+=(\S+)$", err, re.MULTILINE
    )
    return [
        OrderStatistics(int(order), int(kept), int(total or kept), (d1, d2, d3))
        for order, kept, total, d1, d2, d3 in rows
    ]


@pytest.mark.parametrize("case", parameters(followed))
def test_the_arpa_and_the_statistics_are_those_of_lmplz(
    lmplz: Lmplz, case: GoldenCase, tmp_path: Path
) -> None:
    path = tmp_path / "model.arpa"
    answer = lmplz(*command_line(case, path))
    assert answer.status == 0, answer.err
    assert answer.out == ""
    assert statistics(answer.err) == case.statistics
    mine, theirs = parse_arpa(path.read_bytes()), case.arpa
    assert mine.comments[1:] == theirs.comments[1:]  # the first names the input file
    assert len(mine.comments) == len(theirs.comments)
    assert mine.header == theirs.header
    for section, expected in zip(mine.sections, theirs.sections, strict=True):
        assert section.ngrams == expected.ngrams
        for values in ("log10_prob", "log10_backoff"):
            # Rounded once here, by glibc's log10f there, up to three times in a row
            # where values are collapsed: a few float32 steps of numbers below 8.
            np.testing.assert_allclose(
                getattr(section, values), getattr(expected, values), rtol=0, atol=2e-6
            )


@pytest.mark.parametrize(
    "case", parameters(lambda case: case.exit_code != 0 and bool(case.error))
)
def test_what_lmplz_refuses_has_its_exit_status(
    lmplz: Lmplz, case: GoldenCase, tmp_path: Path
) -> None:
    path = tmp_path / "model.arpa"
    answer = lmplz(*command_line(case, path))
    # A shell sees 128 + 6 where lmplz aborts.
    assert answer.status == (134 if case.exit_code == -6 else case.exit_code)
    assert answer.err.splitlines()[-1].startswith("Error: ")
    assert not path.exists()


def test_a_last_line_without_newline_is_a_sentence(
    lmplz: Lmplz, tmp_path: Path
) -> None:
    models = []
    for ending in ("", "\n"):
        path = tmp_path / "text.txt"
        path.write_text(f"a rose is a rose{ending}")
        models.append(lmplz("-o", 2, "--text", path, "--discount_fallback").out)
    assert models[0] == models[1]


def test_the_lines_are_those_of_lmplz(lmplz: Lmplz, text: Path) -> None:
    answer = lmplz("-o", 2, "--text", text, "--discount_fallback")
    assert answer.status == 0
    *lines, usage = answer.err.splitlines()
    assert lines == [
        "=== 1/5 Counting and sorting n-grams ===",
        f"Reading {text}",
        "Unigram tokens 14 types 9",
        "=== 2/5 Calculating and sorting adjusted counts ===",
        "Substituting fallback discounts for order 1: D1=0.5 D2=1 D3+=1.5",
        "Statistics:",
        "1 9 D1=0.428571 D2=1.35714 D3+=1.28571",
        "2 14 D1=0.5 D2=1 D3+=1.5",
        "=== 3/5 Calculating and sorting initial probabilities ===",
        "=== 4/5 Calculating and writing order-interpolated probabilities ===",
        "=== 5/5 Writing ARPA model ===",
    ]
    assert re.fullmatch(r"Name:ngram\tRSSMax:\d+ kB\tuser:.*\treal:\S+", usage)


def test_stdin_and_stdout_are_the_default(text: Path, lmplz: Lmplz) -> None:
    arguments = ["lmplz", "-o", "2", "--discount_fallback", "--verbose_header"]
    answer = subprocess.run(
        [sys.executable, "-P", "-m", "ngram.cli", *arguments],
        input=TEXT.encode(),
        capture_output=True,
        check=True,
    )
    comments, model = answer.stdout.decode().split("\\data\\\n")
    assert comments == (
        "# Input file: stdin\n# Token count: 14\n# Smoothing: Modified Kneser-Ney\n"
    )
    expected = lmplz("-o", 2, "--text", text, "--discount_fallback").out
    assert f"\\data\\\n{model}" == expected


# --- Options ---


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-o 3", {"order": [3]}),
        ("-o3", {"order": [3]}),
        ("--order=3", {"order": [3]}),
        ("--ord 3", {"order": [3]}),
        ("--prune 0 0 1 -o 3", {"prune": [0, 0, 1], "order": [3]}),
        ("--prune=0 1 --prune 2", {"prune": [0, 1, 2]}),
        ("--discount_fallback -o 3", {"discount_fallback": [], "order": [3]}),
        ("--discount_fallback .4 .9", {"discount_fallback": [0.4, 0.9]}),
        ("--interpolate_unigrams", {"interpolate_unigrams": []}),
        ("--interpolate_unigrams 0", {"interpolate_unigrams": [False]}),
        ("--interpolate_unigrams=Yes", {"interpolate_unigrams": [True]}),
        ("-ho 2", {"help": [], "order": [2]}),
        ("-S 80% -T /tmp/", {"memory": ["80.0%"], "temp_prefix": ["/tmp/"]}),
        ("-S 64", {"memory": [1 << 16]}),
        ("--memory=.5k", {"memory": [1 << 9]}),
        ("--mem 7b", {"memory": [7]}),
        ("-S1.5G", {"memory": [3 << 29]}),
        ("--sort_block 64M --minimum_block 8", None),
        ("--block_count 2 --vocab_estimate 1000000 --vocab_pad +9", None),
    ],
)
def test_options_are_read_as_lmplz_reads_them(
    line: str, expected: dict[str, list[object]] | None
) -> None:
    given, stray = parse(line.split())
    assert expected is None or given == expected
    assert stray == []


def test_words_that_belong_to_no_option_are_ignored_with_a_warning(
    lmplz: Lmplz, text: Path
) -> None:
    assert parse(["-o", "3", "x", "--", "-y"]) == ({"order": [3]}, ["x", "-y"])
    answer = lmplz("-o", 2, "x", "--text", text, "--discount_fallback")
    assert answer.status == 0
    assert answer.err.startswith("Warning: 'x' ")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--text t", "--order is missing"),
        ("--order", "--order needs an argument"),
        ("-o", "--order needs an argument"),
        ("-o a", "'a'"),
        ("-o 3.5", "'3.5'"),
        ("-o -1", "'-1'"),
        ("-o 256", "256"),
        ("-o 3 -o 3", "more than once"),
        ("-o 3 --bogus", "'--bogus'"),
        ("-o 3 -x", "'-x'"),
        ("-o 3 --version", "'--version'"),
        ("-o 3 --te x", "--temp_prefix or --text"),
        ("-o 3 --skip_symbols=1", "takes no argument"),
        ("-o 3 --prune x", "'x'"),
        ("-o 3 --prune 1 0", "prune"),
        ("-o 1 --prune 0 1", "prune"),
        ("-o 3 --discount_fallback x", "'x'"),
        ("-o 3 --discount_fallback nan", "'nan'"),
        ("-o 3 --discount_fallback 2", "discount"),
        ("-o 3 --discount_fallback 1 1 1 1", "discount"),
        ("-o 3 --interpolate_unigrams maybe", "'maybe'"),
        ("-o 3 --vocab_pad 9 --interpolate_unigrams 0", "vocab_pad"),
        ("-o 3 -S much", "'much'"),
        ("-o 3 -S 10X", "'10X'"),
        ("-o 3 -S 101%", "101"),
        ("-o 3 -T absent/f/x", "absent/f"),
        ("-o 3 --text absent/t", "absent/t"),
        ("-o 3 --arpa absent/m", "absent/m"),
        ("-o 3 --limit_vocab_file absent/w", "absent/w"),
        ("-o 3 --intermediate p", "--arpa"),
        ("--install-script absent", "absent"),
    ],
)
def test_a_wrong_command_line_has_the_status_1_and_says_why(
    lmplz: Lmplz, text: Path, line: str, words: str
) -> None:
    arguments = [*line.split(), *(() if "--text" in line else ("--text", text))]
    if line.startswith(("--order", "-o")) and line.count(" ") == 0:
        arguments = [line]
    answer = lmplz(*arguments)
    assert answer.status == 1
    assert answer.out == ""
    assert len(answer.err.splitlines()) == 1
    assert answer.err.startswith("Error: ")
    assert words in answer.err


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (TEXT, (), "--discount_fallback"),
        ("a <s> b\n", ("--discount_fallback",), "--skip_symbols"),
        ("", ("--discount_fallback",), "empty"),
        (TEXT, ("--discount_fallback", "--arpa", "/dev/full"), "space"),
    ],
    ids=["no discounts", "special word", "empty text", "full disk"],
)
def test_work_that_fails_has_the_status_of_an_abort(
    lmplz: Lmplz, text: Path, content: str, options: tuple[str, ...], words: str
) -> None:
    text.write_text(content)
    answer = lmplz("-o", 2, "--text", text, *options)
    assert answer.status == 134
    assert "=== 1/5" in answer.err
    assert words in answer.err.splitlines()[-1]
    assert lmplz("-o", 0, "--text", text).status == 134


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"], ["--he", "-o", "2"]])
def test_help_names_every_option_on_stderr_with_the_status_1(
    lmplz: Lmplz, arguments: list[str]
) -> None:
    answer = lmplz(*arguments)
    assert answer.status == 1
    assert answer.out == ""
    for option in OPTIONS:
        assert f"--{option.name}" in answer.err


def test_skipped_symbols_and_a_limited_vocabulary(
    lmplz: Lmplz, text: Path, tmp_path: Path
) -> None:
    options = ("-o", 2, "--text", text, "--discount_fallback")
    before = lmplz(*options).out
    text.write_text(TEXT.replace("rose", "<s> rose"))
    assert lmplz(*options, "--skip_symbols").out == before
    (tmp_path / "words").write_text("rose red")
    limited = lmplz(*options, "--skip", "--limit_vocab_file", tmp_path / "words").out
    rows = limited.partition("\\2-grams")[0].partition(":\n")[2].splitlines()
    words = [row.split("\t")[1] for row in rows if row]
    assert words == ["<unk>", "<s>", "</s>", "rose", "red"]


# --- What only lmplz has ---


def test_collapsed_values_of_a_sentence_multiply_to_its_probability(
    text: Path, tmp_path: Path
) -> None:
    path = tmp_path / "q.arpa"
    options = {"order": 3, "text": str(text), "discount_fallback": (0.5, 1, 1.5)}
    job = Run(arpa=str(path), collapse_values=True, **options)  # type: ignore[arg-type]
    job.estimate(job.options(), lambda line: None)
    q = {
        ngram_: value
        for section in parse_arpa(path.read_bytes()).sections
        for ngram_, value in zip(section.ngrams, section.log10_prob, strict=True)
    }
    model = ngram.train(text, 3, discount_fallback=(0.5, 1, 1.5))
    for line in (*TEXT.splitlines(), "rose the red is", "end end a"):
        words = ["<s>", *line.split(), "</s>"]
        total = q[b"<s>",]
        for i in range(1, len(words)):
            longest = next(
                key
                for start in range(max(0, i - 2), i + 1)
                if (key := tuple(w.encode() for w in words[start : i + 1])) in q
            )
            total += q[longest]
        # The values are float32, a dozen of them below 8.
        assert total == pytest.approx(model.score(line), abs=1e-5)


def test_words_are_renumbered_by_their_hash() -> None:
    vocabulary = Vocabulary.from_words([f"w{i}" for i in range(50)])
    ids = hash_ids(vocabulary).tolist()
    assert ids[0] == 0
    assert sorted(ids) == list(range(53))
    by_id = sorted(list(vocabulary)[1:], key=lambda word: ids[vocabulary.id(word)])
    hashes = [murmur_hash(word.encode()) for word in by_id]
    assert hashes == sorted(hashes)


def test_a_run_checks_its_options_before_the_text_is_read(text: Path) -> None:
    with pytest.raises(InputError, match="order"):
        Run(0, text=str(text)).options()
    job = Run(2, text=str(text), arpa=os.devnull)
    with pytest.raises(DiscountError):
        job.estimate(job.options(), lambda line: None)


# --- The script ---


def test_the_script_named_lmplz_is_lmplz(
    lmplz: Lmplz, text: Path, tmp_path: Path
) -> None:
    for _ in range(2):  # again over its own
        assert lmplz("--install-script", tmp_path).status == 0
    arguments = ["-o", "2", "--text", str(text), "--discount_fallback"]
    answer = subprocess.run(
        [tmp_path / "lmplz", *arguments], capture_output=True, text=True, check=True
    )
    assert answer.stdout == lmplz(*arguments).out


def test_a_script_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "ngram.cli", "lmplz", "--install-script"]
    answer = subprocess.run(
        [*command, tmp_path],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (9, 9)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert "lmplz: cannot be written: File too large" in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_script_does_not_replace_another_program(
    lmplz: Lmplz, tmp_path: Path
) -> None:
    (tmp_path / "lmplz").write_bytes(b"\x7fELF\xff")
    answer = lmplz("--install-script", tmp_path)
    assert answer.status == 1
    assert "another program" in answer.err
    assert (tmp_path / "lmplz").read_bytes() == b"\x7fELF\xff"
