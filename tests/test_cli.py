"""The command line: what it prints, where, and with which exit status.

Commands run in this process where nothing but their output matters, and in a process
of their own for signals, pipes, limits and time.
"""

import ast
import contextlib
import errno
import gzip
import io
import itertools
import json
import math
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import pytest

import ngram
from ngram.cli.advice import Spelling
from ngram.cli.group import COMMANDS, in_shell, load_command, run
from ngram.cli.options import decimal_numbers, whole_numbers
from ngram.cli.output import print_table, quantity
from ngram.demo import korean_corpus

COMMAND = [sys.executable, "-P", "-m", "ngram.cli"]
SANITIZED = "asan" in os.environ.get("LD_PRELOAD", "")  # everything takes longer
LARGE = 20_000 if SANITIZED else 100_000  # sentences
MOMENTS = 4 if SANITIZED else 9


class Answer(NamedTuple):
    status: int
    out: str
    err: str


Call = Callable[..., Answer]


@pytest.fixture
def call(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Return a function that runs one command line in this process."""

    def call(*arguments: object, stdin: str | bytes = "") -> Answer:
        data = stdin if isinstance(stdin, bytes) else stdin.encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        capsys.readouterr()
        try:
            status = run([str(argument) for argument in arguments])
        except SystemExit as leaving:
            status = int(leaving.code or 0)
        return Answer(status, *capsys.readouterr())

    return call


def start(*arguments: object, **options: object) -> subprocess.Popen:
    """Start one command line in a process of its own."""
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen([*COMMAND, *map(str, arguments)], **settings)  # type: ignore[call-overload]


def finish(process: subprocess.Popen, stdin: bytes | None = None) -> Answer:
    out, err = process.communicate(stdin, timeout=120)
    return Answer(process.returncode, (out or b"").decode(), err.decode())


def check_error(answer: Answer, status: int = 1) -> str:
    """Check that a failure is one sentence on stderr, and return it."""
    assert answer.status == status, answer
    assert "Traceback" not in answer.err
    message = answer.err.strip().splitlines()[-1]
    assert message.startswith("Error: ")
    if status == 1:
        errors = [line for line in answer.err.splitlines() if "Warning" not in line]
        assert len(errors) == 1, answer.err
    return message


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="session")
def text(folder: Path) -> Path:
    path = folder / "korean.txt"
    path.write_text("".join(f"{line}\n" for line in korean_corpus()[0]), "utf-8")
    return path


@pytest.fixture(scope="session")
def model(folder: Path, text: Path) -> Path:
    path = folder / "korean.ngram"
    assert run(["train", str(text), "-o", str(path), "--order", "3"]) == 0
    return path


@pytest.fixture(scope="session")
def arpa(folder: Path, model: Path) -> Path:
    path = folder / "korean.arpa"
    assert run(["convert", str(model), str(path)]) == 0
    return path


@pytest.fixture(scope="session")
def large_text(folder: Path) -> Path:
    """Return a text whose training takes long enough to be interrupted."""
    path = folder / "large.txt"
    ids = np.random.default_rng(1).zipf(1.3, (LARGE, 20)) % 5000
    path.write_text("".join(f"w{' w'.join(map(str, row))}\n" for row in ids.tolist()))
    return path


# --- every command -----------------------------------------------------------------


# They follow other programs, which have their own help: test_lmplz.py, test_kenlm.py.
FOREIGN = ("lmplz", "query", "build_binary")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in FOREIGN])
def test_every_command_explains_itself_and_offers_json(call: Call, name: str) -> None:
    answer = call(name, "--help")
    assert answer.status == 0
    assert answer.out.startswith("Usage: ngram " + name)
    assert "--json" in answer.out


def test_every_command_is_one_file() -> None:
    import ngram.cli

    folder = Path(ngram.cli.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")}
    shared = {"__init__", "__main__", "advice", "files", "group", "options", "output"}
    assert modules == set(COMMANDS) | shared


def test_help_lists_every_command(call: Call) -> None:
    answer = call("--help")
    assert answer.status == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name} +\w", answer.out, re.MULTILINE)


def test_version(call: Call) -> None:
    assert call("--version") == (0, f"ngram, version {ngram.__version__}\n", "")


@pytest.mark.skipif(SANITIZED, reason="the sanitizers cost time")
@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"]])
def test_help_starts_in_less_than_150_ms(arguments: list[str]) -> None:
    # Processor time: other work on this machine does not count.
    times = []
    for _ in range(10):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*COMMAND, *arguments], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        )
    assert min(times) < 0.15


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"]])
def test_help_does_not_import_numpy(arguments: list[str]) -> None:
    command = [sys.executable, "-X", "importtime", "-P", "-m", "ngram.cli", *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "click" in answer.stderr
    assert "numpy" not in answer.stderr
    assert "rich" not in answer.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion(shell: str) -> None:
    environment = os.environ | {"_NGRAM_COMPLETE": f"{shell}_source"}
    answer = finish(start(env=environment))
    assert answer.status == 0
    assert "ngram" in answer.out


def test_completion_knows_the_commands() -> None:
    environment = os.environ | {
        "_NGRAM_COMPLETE": "bash_complete",
        "COMP_WORDS": "ngram ge",
        "COMP_CWORD": "1",
    }
    assert finish(start(env=environment)).out == "plain,generate\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["train"],
        ["train", "text.txt"],
        ["train", "text.txt", "-o", "m", "--prune", "a"],
        ["score", "--bogus"],
        ["next", "m", "-k", "0"],
        ["generate", "m", "--temperature", "-1"],
        ["generate", "m", "--top-p", "1.5"],
        ["score", "m", "--threads", "0"],
        ["compare", "m"],
        ["train", "t", "-o", "m", "--prune", f"0,{10**20}"],
        ["train", "t", "-o", "m", "--vocab-pad", f"{10**20}"],
        ["next", "m", "-k", f"{10**20}"],
        ["generate", "m", "-n", f"{10**20}"],
        ["generate", "m", "--max-tokens", f"{10**20}"],
        ["generate", "m", "--top-k", f"{10**20}"],
        ["generate", "m", "--seed", f"{2**63}"],
        ["score", "m", "--threads", "1025"],
        ["score", "-"],
        ["score", "-", "text.txt", "-"],
        ["perplexity", "-"],
        ["compare", "-", "-"],
        ["next", "-", "-"],
        ["train", "text.txt", "-o", "-", "--json"],
        ["train", "text.txt", "-o", "m.arpa", "--successors"],
        ["train", "text.txt", "-o", "/dev/stdout", "--json"],
        ["convert", "m", "-", "--json"],
    ],
)
def test_wrong_usage_exits_with_2(call: Call, arguments: list[str]) -> None:
    check_error(call(*arguments), status=2)


# --- train, convert, info ----------------------------------------------------------


def test_train_writes_a_model_and_prints_nothing_on_stdout(
    call: Call, text: Path, tmp_path: Path
) -> None:
    path = tmp_path / "m.ngram"
    answer = call("train", text, "-o", path, "--order", 3)
    assert answer.status == 0
    assert answer.out == ""
    assert "m.ngram" in answer.err
    with ngram.load(path) as model:
        assert model.order == 3
    assert [item.name for item in tmp_path.iterdir()] == ["m.ngram"]


def test_train_gives_the_same_bytes_for_any_number_of_threads(
    call: Call, text: Path, tmp_path: Path
) -> None:
    contents = set()
    for threads in (1, 2, 5):
        path = tmp_path / f"m{threads}.ngram"
        assert call("train", text, "-o", path, "--threads", threads).status == 0
        contents.add(path.read_bytes())
    assert len(contents) == 1


def test_train_json_says_what_was_made(call: Call, text: Path, tmp_path: Path) -> None:
    answer = call("train", text, "-o", tmp_path / "m.ngram", "--order", 2, "--json")
    assert answer.status == 0
    assert json.loads(answer.out)["order"] == 2


def test_train_passes_every_option_on(call: Call, text: Path, tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text("길가에 꽃이 피었다", "utf-8")
    path = tmp_path / "m.ngram"
    answer = call(
        *("train", text, "-o", path, "--order", 3, "--prune", "0,0,1"),
        *("--limit-vocab", words, "--no-interpolate-unigrams", "--vocab-pad", 0),
        *("--discount-fallback", "0.5,1,1.5", "--skip-symbols", "--threads", 1),
        *("-S", "1G", "-T", tmp_path, "--tokenizer", "whitespace"),
    )
    assert answer.status == 0, answer.err
    with ngram.load(path) as model:
        assert sorted(list(model.vocabulary)[3:]) == ["길가에", "꽃이", "피었다"]


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".zst"])
def test_train_writes_arpa_by_name(
    call: Call, text: Path, arpa: Path, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"m.arpa{suffix}"
    assert call("train", text, "-o", path, "--order", 3).status == 0
    back = tmp_path / "back.arpa"
    assert call("convert", path, back).status == 0
    assert back.read_bytes() == arpa.read_bytes()


def test_train_reads_stdin_and_writes_arpa_to_stdout(text: Path, arpa: Path) -> None:
    answer = finish(
        start("train", "-", "-o", "-", "--order", 3, stdin=subprocess.PIPE),
        text.read_bytes(),
    )
    assert answer.status == 0
    assert answer.out == arpa.read_text("utf-8")


def test_several_files_and_gzip_are_one_text(
    call: Call, text: Path, model: Path, tmp_path: Path
) -> None:
    lines = text.read_bytes().splitlines(keepends=True)
    (tmp_path / "a.txt").write_bytes(b"".join(lines[:100]))
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"".join(lines[100:])))
    answer = call(
        *("train", tmp_path / "a.txt", tmp_path / "b.txt.gz"),
        *("-o", tmp_path / "m.arpa", "--order", 3),
    )
    assert answer.status == 0
    call("convert", model, tmp_path / "expected.arpa")
    expected = (tmp_path / "expected.arpa").read_bytes()
    assert (tmp_path / "m.arpa").read_bytes() == expected


def test_convert_there_and_back_is_the_same(
    call: Call, arpa: Path, tmp_path: Path
) -> None:
    assert call("convert", arpa, tmp_path / "m.ngram").status == 0
    assert call("convert", tmp_path / "m.ngram", tmp_path / "m.arpa").status == 0
    assert (tmp_path / "m.arpa").read_bytes() == arpa.read_bytes()


def test_convert_between_stdin_and_stdout(arpa: Path) -> None:
    process = start("convert", "-", "-", stdin=subprocess.PIPE)
    answer = finish(process, arpa.read_bytes())
    assert answer.status == 0
    assert answer.out == arpa.read_text("utf-8")


@pytest.mark.parametrize("start_of_file", [b"", b"\n# made elsewhere\n\n"])
@pytest.mark.parametrize("name", ["m.lm", "m", "m.lm.gz"])
def test_arpa_is_told_by_its_content(
    call: Call, arpa: Path, tmp_path: Path, name: str, start_of_file: bytes
) -> None:
    path = tmp_path / name
    content = start_of_file + arpa.read_bytes()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert call("convert", path, tmp_path / "m.ngram").status == 0
    assert call("convert", tmp_path / "m.ngram", tmp_path / "M.ARPA").status == 0
    assert (tmp_path / "M.ARPA").read_bytes() == arpa.read_bytes()
    line = "길가에 꽃이 피었다\n"
    assert call("score", path, stdin=line) == call("score", arpa, stdin=line)


def test_info_says_how_the_model_was_made(call: Call, model: Path) -> None:
    answer = call("info", model)
    assert answer.status == 0
    assert "whitespace" in answer.out
    assert "korean.txt" in answer.out
    assert len(answer.out.rpartition("\n\n")[2].splitlines()) == 4  # a row per order
    info = json.loads(call("info", model, "--json").out)
    assert info["order"] == 3


# --- mix ---------------------------------------------------------------------------


@pytest.fixture(scope="session")
def other(folder: Path) -> Path:
    """Return a model of the first half of the Korean text, of another order."""
    path, half = folder / "half.ngram", folder / "half.txt"
    lines = korean_corpus()[0]
    half.write_text("".join(f"{line}\n" for line in lines[: len(lines) // 2]), "utf-8")
    assert run(["train", str(half), "-o", str(path), "--order", "2"]) == 0
    return path


@pytest.fixture(scope="session")
def dev(folder: Path) -> Path:
    path = folder / "dev.txt"
    path.write_text("".join(f"{line}\n" for line in korean_corpus()[0][::7]), "utf-8")
    return path


@pytest.mark.parametrize("kind", ["linear", "context", "log-linear"])
def test_mix_is_the_mixture_of_python(
    call: Call, model: Path, other: Path, dev: Path, tmp_path: Path, kind: str
) -> None:
    output = tmp_path / "mixed.ngram"
    answer = call(
        "mix", model, other, "--dev", dev, "--kind", kind, "-o", output, "--json"
    )
    assert answer.status == 0, answer
    report = json.loads(answer.out)
    mixture = ngram.Mixture([ngram.load(model), ngram.load(other)], kind=kind).fit(dev)
    assert report["weights"] == mixture.weights.tolist()
    assert mixture.fit_ is not None
    assert report["perplexity"] == pytest.approx(mixture.fit_.perplexity)
    assert report["perplexity"] <= min(report["perplexities"]) * (1 + 1e-6)
    flat = ngram.load(output)
    assert report["output_perplexity"] == flat.perplexity(dev).perplexity
    assert flat.score("꽃 이 피었다") == mixture.flatten().score("꽃 이 피었다")


def test_mix_prints_a_table(
    call: Call, model: Path, arpa: Path, dev: Path, tmp_path: Path
) -> None:
    answer = call("mix", model, arpa, "--dev", dev, "--weights", "0.25,0.75")
    assert answer.status == 0
    rows = [line.split() for line in answer.out.splitlines()]
    assert rows[0] == ["model", "weight", "perplexity"]
    assert rows[1][:2] == [str(model), "0.2500"]
    assert rows[3][0] == "mixture"
    # Both files are one model, so all perplexities are the same.
    assert rows[1][2] == rows[2][2] == rows[3][1]
    answer = call("mix", model, arpa, "--weights", "0.25,0.75", "-o", "-")
    assert answer.status == 0
    assert answer.out.startswith("\\data\\")
    assert answer.err.startswith("model")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "nothing to do"),
        (["--weights", "0.5,0.6", "-o", "x.ngram"], 1, "sum to 1.1"),
        (["--weights", "1", "-o", "x.ngram"], 1, "one for each of the 2 components"),
        (["--weights=-1,2", "-o", "x.ngram"], 1, "0 or more"),
        (["--weights", "nan,1", "-o", "x.ngram"], 1, "finite"),
        (["--dev", "absent.txt"], 1, "absent.txt"),
        (["--kind", "product", "--dev", "dev.txt"], 2, "product"),
        (["-", "--dev", "-"], 2, "stdin can be one model or the text"),
        (["-o", "absent/x.ngram"], 1, "absent"),
    ],
)
def test_mix_says_what_is_wrong(
    call: Call,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in check_error(call("mix", model, model, *arguments), status)


def test_mix_needs_a_text_with_sentences(
    call: Call, model: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_bytes(b"")
    message = check_error(call("mix", model, model, "--dev", empty))
    assert "at least one sentence" in message


def test_mix_refuses_models_of_different_tokens(
    call: Call, model: Path, text: Path, dev: Path, tmp_path: Path
) -> None:
    characters = tmp_path / "characters.ngram"
    options = ["--tokenizer", "characters", "--order", "3"]
    assert call("train", text, "-o", characters, *options).status == 0
    message = check_error(call("mix", model, characters, "--dev", dev))
    assert "same tokenizer" in message


# --- score, perplexity, compare ----------------------------------------------------


def test_score_prints_one_number_per_sentence(
    call: Call, model: Path, text: Path
) -> None:
    sentences = text.read_text("utf-8").splitlines()
    answer = call("score", model, text)
    assert answer.status == 0
    printed = [float(line) for line in answer.out.splitlines()]
    with ngram.load(model) as opened:
        expected = opened.score_batch(sentences)
    assert printed == pytest.approx(expected.tolist(), abs=1e-6)  # six decimals


def test_score_reads_stdin_and_takes_arpa(call: Call, model: Path, arpa: Path) -> None:
    line = "길가에 꽃이 피었다\n"
    assert call("score", model, stdin=line).out == call("score", arpa, stdin=line).out
    assert (
        call("score", model, "-", stdin=line).out
        == call("score", model, stdin=line.strip()).out
    )


def test_score_of_tokens_adds_up(call: Call, model: Path) -> None:
    answer = call(
        "score", model, "--tokens", "--json", stdin="길가에 없는말 피었다\n\n"
    )
    records = [json.loads(line) for line in answer.out.splitlines()]
    assert [len(record["tokens"]) for record in records] == [4, 1]
    assert [token["token"] for token in records[0]["tokens"]] == [
        "길가에",
        "없는말",
        "피었다",
        "</s>",
    ]
    assert records[0]["tokens"][1]["is_oov"]
    for record in records:
        total = math.fsum(token["log10_prob"] for token in record["tokens"])
        assert record["log10_prob"] == pytest.approx(total, rel=1e-12)


def test_score_leaves_out_bos_and_eos(call: Call, model: Path) -> None:
    outputs = {
        call("score", model, *flags, stdin="길가에 꽃이").out
        for flags in ([], ["--no-bos"], ["--no-eos"], ["--no-bos", "--no-eos"])
    }
    assert len(outputs) == 4


def test_invalid_utf8_comes_back_unchanged(call: Call, model: Path) -> None:
    process = start("score", model, "--tokens", stdin=subprocess.PIPE)
    out, _ = process.communicate(b"a \xff\xfe b\n", timeout=120)
    assert b"\xff\xfe" in out
    answer = call("score", model, "--tokens", "--json", stdin=b"a \xff b\n")
    assert json.loads(answer.out)["tokens"][1]["token"] == "\udcff"


def test_perplexity(call: Call, model: Path, text: Path) -> None:
    answer = call("perplexity", model, text, "--json")
    result = json.loads(answer.out)
    sentences = text.read_text("utf-8").splitlines()
    with ngram.load(model) as opened:
        assert result["perplexity"] == opened.perplexity(sentences).perplexity
    printed = call("perplexity", model, text).out
    assert f"{result['perplexity']:.4f}" in printed


def test_compare_ranks_the_natural_sentence_first(call: Call, model: Path) -> None:
    good, bad = "길가에 꽃이 피었다", "꽃이 길가에 때렸다"
    answer = call("compare", model, bad, good, "--json")
    assert [entry["text"] for entry in json.loads(answer.out)] == [good, bad]
    lines = call("compare", model, bad, good).out.splitlines()
    assert lines[1].endswith(good)
    assert lines[2].endswith(bad)
    piped = call("compare", model, "-", "--by", "log10", stdin=f"{bad}\n{good}\n")
    assert piped.out.splitlines()[1].endswith(good)


def test_compare_without_a_sentence_says_so(call: Call, model: Path) -> None:
    assert "no sentences" in check_error(call("compare", model, "-", stdin=""))


# --- next, generate, demo ----------------------------------------------------------


def test_next_prints_the_most_probable_tokens(call: Call, model: Path) -> None:
    answer = call("next", model, "길가에", "꽃이", "-k", 3)
    rows = [line.split("\t") for line in answer.out.splitlines()]
    assert len(rows) == 3
    probabilities = [float(probability) for probability, _ in rows]
    assert probabilities == sorted(probabilities, reverse=True)
    records = json.loads(call("next", model, "길가에 꽃이", "-k", 3, "--json").out)
    assert [token["token"] for token in records["next"]] == [row[1] for row in rows]
    assert call("next", model, "-", "-k", 3, stdin="길가에 꽃이\n").out == answer.out


def test_next_takes_the_first_letters_or_a_set(call: Call, model: Path) -> None:
    everything = call("next", model, "길가에", "-k", 1000).out.splitlines()
    tokens = [row.split("\t")[1] for row in everything]
    letter = tokens[3][0]
    answer = call("next", model, "길가에", "-k", 1000, "--prefix", letter)
    assert answer.out.splitlines() == [
        row for row, token in zip(everything, tokens, strict=True) if token[0] == letter
    ]
    some = call("next", model, "길가에", "--among", tokens[5], "--among", tokens[2])
    assert some.out.splitlines() == [everything[2], everything[5]]


def test_complete_prints_the_most_probable_ends(call: Call, model: Path) -> None:
    answer = call("complete", model, "길가에", "-n", 3)
    rows = [line.split("\t") for line in answer.out.splitlines()]
    assert [float(row[0]) for row in rows] == sorted(
        (float(row[0]) for row in rows), reverse=True
    )
    record = json.loads(call("complete", model, "길가에", "-n", 3, "--json").out)
    assert [" ".join(end["tokens"]) for end in record["completions"]] == [
        row[1] for row in rows
    ]


def test_generate_repeats_with_the_same_seed(call: Call, model: Path) -> None:
    first = call("generate", model, "-n", 5, "--seed", 7)
    assert first.status == 0
    assert len(first.out.splitlines()) == 5
    assert call("generate", model, "-n", 5, "--seed", 7).out == first.out
    assert call("generate", model, "-n", 5, "--seed", 8).out != first.out


def test_lines_of_neighbouring_seeds_differ(call: Call, model: Path) -> None:
    third, fourth = (
        call("generate", model, "-n", 9, "--seed", seed).out.splitlines()
        for seed in (3, 4)
    )
    assert third[1:] != fourth[:-1]
    assert call("generate", model, "-n", 4, "--seed", 3).out.splitlines() == third[:4]


def test_generate_takes_the_largest_seed(call: Call, model: Path) -> None:
    assert call("generate", model, "-n", 2, "--seed", 2**63 - 1).status == 0


def test_generate_continues_a_prefix(call: Call, model: Path) -> None:
    answer = call("generate", model, "길가에", "--seed", 1, "--top-k", 3, "--json")
    assert json.loads(answer.out)["text"].startswith("길가에")


def test_demo_shows_that_flowers_bloom(call: Call) -> None:
    answer = call("demo", "--json")
    assert answer.status == 0
    english, korean = (json.loads(line) for line in answer.out.splitlines())
    assert [row["order"] for row in english["perplexity"]] == [1, 2, 3, 4, 5]
    perplexities = [row["perplexity"] for row in english["perplexity"]]
    assert perplexities[0] > perplexities[1] > perplexities[2]
    candidates = korean["candidates"]
    assert candidates["context"] == "길가에 꽃이 흐드러지게"
    assert candidates["in_training_text"] is False
    tokens = [entry["token"] for entry in candidates["ranking"]]
    assert tokens[0] == "피었다"
    assert set(tokens) == {"피었다", "때렸다", "껐다"}


# --- bad input ---------------------------------------------------------------------


def utf16(path: Path) -> None:
    path.write_bytes("the cat\nsat here\n".encode("utf-16"))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"\n \n\t\n", "no words"),
        ("the cat\nsat here\n".encode("utf-16"), "UTF-16"),
        (b"a b\n<s> c\n", ":2"),
    ],
    ids=["empty", "blank lines", "UTF-16", "special word"],
)
@pytest.mark.parametrize("suffix", ["ngram", "arpa"])
def test_a_text_that_cannot_train_says_why(
    call: Call, tmp_path: Path, content: bytes, word: str, suffix: str
) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    message = check_error(call("train", path, "-o", tmp_path / f"m.{suffix}"))
    assert "text.txt" in message or "text" in message
    assert word in message
    assert [item.name for item in tmp_path.iterdir()] == ["text.txt"]


def test_a_gzip_file_named_txt_is_read_as_what_it_is(
    call: Call, text: Path, arpa: Path, tmp_path: Path
) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(gzip.compress(text.read_bytes()))
    assert call("train", path, "-o", tmp_path / "m.arpa", "--order", 3).status == 0
    assert (tmp_path / "m.arpa").read_bytes() == arpa.read_bytes()
    path.write_bytes(path.read_bytes()[:-9])
    message = check_error(call("train", path, "-o", tmp_path / "n.arpa"))
    assert "text.txt" in message
    assert "gzip" in message


@pytest.mark.parametrize("content", [b"word", b"a\0b\0\n\0\n", b"\xff\xfe\x41 \x80\n"])
def test_odd_text_trains(call: Call, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    answer = call("train", path, "-o", tmp_path / "m.ngram", "--order", 2)
    if content.startswith(b"\xff\xfe"):
        check_error(answer)  # looks like UTF-16: said so instead of trained silently
        return
    assert answer.status == 0, answer.err
    assert "Warning" in answer.err
    assert call("score", tmp_path / "m.ngram", stdin="word\n").status == 0


def test_strict_refuses_what_the_default_repairs(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("one word\n")
    message = check_error(call("train", path, "-o", tmp_path / "m.ngram", "--strict"))
    assert "discount" in message
    assert not (tmp_path / "m.ngram").exists()


def test_a_missing_text_a_directory_and_a_broken_link(
    call: Call, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")  # unreadable, for root too
    for name in ("absent", "folder", "loop"):
        message = check_error(call("train", tmp_path / name, "-o", tmp_path / "m"))
        assert name in message
        message = check_error(call("score", tmp_path / name, stdin="a\n"))
        assert name in message
    assert not (tmp_path / "m").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_an_unreadable_text(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("a b\n")
    path.chmod(0)
    assert "ermission" in check_error(call("train", path, "-o", tmp_path / "m"))


@pytest.mark.slow
def test_a_line_of_100_mb(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"a b c d e " * 10_000_000 + b"\n" + b"x" * 100_000_000)
    answer = finish(start("train", path, "-o", tmp_path / "m.ngram", "--order", 3))
    assert answer.status == 0, answer.err
    with ngram.load(tmp_path / "m.ngram") as model:
        assert len(model.vocabulary) == 9


@pytest.mark.parametrize(
    "options",
    [
        ["--order", "0"],
        ["--order", "-1"],
        ["--order", "300"],
        ["--order", "2.5"],
        ["--prune", "-1"],
        ["--prune", "2,1"],
        ["--discount-fallback", "9,9,9"],
        ["--memory", "much"],
        ["--tokenizer", "nothing"],
        ["--tokenizer", "absent.json"],
        ["--limit-vocab", "absent.txt"],
        ["--temp", "absent/folder"],
        ["--threads", "-3"],
        ["--vocab-pad", "-1"],
    ],
    ids=" ".join,
)
def test_a_wrong_option_is_one_sentence(
    call: Call, text: Path, tmp_path: Path, options: list[str]
) -> None:
    answer = call("train", text, "-o", tmp_path / "m.ngram", *options)
    assert answer.status in (1, 2)
    check_error(answer, answer.status)
    assert not list(tmp_path.iterdir())


def test_the_output_folder_does_not_exist(
    call: Call, text: Path, model: Path, tmp_path: Path
) -> None:
    target = tmp_path / "absent" / "m.ngram"
    assert "absent" in check_error(call("train", text, "-o", target))
    assert "absent" in check_error(call("convert", model, target))


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("absent/m.ngram", "absent/m.ngram"),
        (".", "directory"),
        ("", "no name"),
        ("m.ngram.gz", "m.ngram.gz"),
        ("file/m.ngram", "file/m.ngram"),
        ("x" * 300, "xxx"),
    ],
)
def test_an_impossible_output_is_noticed_before_the_input_is_read(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, word: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    # Neither input exists: their errors would come first.
    assert word in check_error(call("train", "no.txt", "-o", name))
    assert word in check_error(call("convert", "no.arpa", name))
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_advice_is_in_the_words_of_the_command_line(
    call: Call, text: Path, tmp_path: Path
) -> None:
    special = tmp_path / "special.txt"
    special.write_text("a <s> b\n")
    message = check_error(call("train", special, "-o", tmp_path / "m.ngram"))
    assert "or pass --skip-symbols to read" in message
    message = check_error(call("score", text, stdin="a\n"))
    assert "`ngram train`" in message


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("order is 0: pass 1.", "--order is 0: pass 1."),
        ("prune holds -1.", "--prune holds -1."),
        ("max_bytes is 9: pass more.", "--size is 9: pass more."),  # of another command
        ("pass `heldout`, a text", "pass --heldout, a text"),
        ("with order=3, or", "with --order 3, or"),
        ("pass discount_fallback=(0.5, 1.0).", "pass --discount-fallback 0.5,1."),
        ("pass skip_symbols=True to", "pass --skip-symbols to"),
        ("skip_symbols=False has", "no --skip-symbols has"),
        ("interpolate_unigrams=False.", "--no-interpolate-unigrams."),
        ("smoothing='katz'. Leave", "--smoothing katz. Leave"),
        ("the order is 3", "the order is 3"),
        ("t.txt:3: `x` and y=2", "t.txt:3: `x` and y=2"),
    ],
)
def test_arguments_become_options(message: str, expected: str) -> None:
    assert in_shell(message, "train") == expected


def test_an_argument_has_the_same_option_in_every_command() -> None:
    found: dict[str, set[str]] = {}
    for name in COMMANDS:
        for option in load_command(name).params:
            if isinstance(option, click.Option) and option.name is not None:
                found.setdefault(option.name, set()).add(Spelling.of(option).option)
    several = {name: options for name, options in found.items() if len(options) > 1}
    # A weight for each text, and the weights of a mixture.
    assert several == {"weights": {"--weight", "--weights"}}


@pytest.mark.parametrize("name", ["model.arpa", "model.ngram"])
def test_a_model_is_told_by_its_content(
    call: Call, model: Path, tmp_path: Path, name: str
) -> None:
    shutil.copy(model, tmp_path / name)
    assert call("info", tmp_path / name).out == call("info", model).out


def test_a_file_that_is_no_tokenizer_is_named(
    call: Call, text: Path, tmp_path: Path
) -> None:
    pytest.importorskip("tokenizers")
    target = tmp_path / "m.ngram"
    message = check_error(call("train", text, "-o", target, "--tokenizer", text))
    assert "korean.txt" in message


@pytest.mark.parametrize("command", ["score", "perplexity"])
def test_what_cannot_be_trained_on_cannot_be_scored(
    call: Call, model: Path, arpa: Path, tmp_path: Path, command: str
) -> None:
    utf16(tmp_path / "utf16.txt")
    kenlm = tmp_path / "kenlm.bin"
    kenlm.write_bytes(b"mmap lm http://kheafield.com/code format version 5\n\0")
    for path, word in (
        (tmp_path / "utf16.txt", "iconv"),
        (kenlm, "KenLM"),
        (arpa, "ARPA"),
        (model, "model file"),
    ):
        message = check_error(call(command, model, path))
        assert path.name in message
        assert word in message


@pytest.mark.parametrize(
    "line",
    [
        "train x -o x",
        "train x -o link",
        "train other x -o x",
        "train x -o x --dry-run",
        "train other -o x --smoothing jelinek-mercer --heldout x",
        "train other -o x --limit-vocab x",
        "train --from-counts x -o x",
        "count x -o x",
        "classes x -o x",
        "mix model --dev x -o x",
        "lmplz -o 2 --text x --arpa x",
    ],
)
def test_an_output_does_not_replace_the_text_it_is_made_of(
    call: Call,
    text: Path,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, source in (("x", text), ("other", text), ("model", model)):
        Path(name).write_bytes(source.read_bytes())
    Path("link").symlink_to("x")
    message = check_error(call(*line.split()))
    assert "would replace x, which it is made of" in message
    assert Path("x").read_bytes() == text.read_bytes()


@pytest.mark.parametrize("name", ["m.ngram", "m.arpa", "m.arpa.gz"])
def test_a_full_disk_leaves_nothing(text: Path, tmp_path: Path, name: str) -> None:
    # A limit on file size fails like a full disk, in the middle of writing.
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    target = tmp_path / name
    target.write_bytes(b"what was here before")
    process = start("train", text, "-o", target, preexec_fn=limit)
    check_error(finish(process))
    assert [item.name for item in tmp_path.iterdir()] == [name]
    assert target.read_bytes() == b"what was here before"


def test_a_full_file_system(text: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if mounted.returncode != 0:
        pytest.skip("tmpfs cannot be mounted here")
    try:
        for name in ("m.ngram", "m.arpa"):
            message = check_error(finish(start("train", text, "-o", small / name)))
            assert "space" in message
            assert not list(small.iterdir())
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_full_disk_of_temporary_files_is_not_stdout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call, text: Path
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "a temporary file in t cannot be written: No space")

    monkeypatch.setattr("ngram.estimate.Estimator", fail)
    message = check_error(call("train", text, "-o", tmp_path / "m.ngram"))
    assert message == "Error: a temporary file in t cannot be written: No space"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("as_file", [True, False])
def test_dev_full(text: Path, arpa: Path, model: Path, as_file: bool) -> None:
    if as_file:
        answers = [finish(start("train", text, "-o", "/dev/full", "--order", 2))]
    else:
        with open("/dev/full", "wb") as full:
            answers = [
                finish(start(*arguments, stdout=full))
                for arguments in (
                    ["convert", model, "-"],
                    ["score", model, text],
                    ["info", model],
                )
            ]
    for answer in answers:
        message = check_error(answer)
        assert "space" in message
        assert re.search("/dev/full|stdout|standard output", message)
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize("arguments", [["convert"], ["score"]])
def test_a_broken_pipe_is_quiet_and_has_the_status_of_its_signal(
    model: Path, text: Path, arguments: list[str], tmp_path: Path
) -> None:
    source = tmp_path / "long.txt"
    source.write_bytes(text.read_bytes() * 20)
    target = "-" if arguments == ["convert"] else source
    process = start(*arguments, model, target)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=120) == 128 + signal.SIGPIPE
    process.stderr.close()


@pytest.mark.parametrize("redirection", [">&-", "<&-"])
def test_closed_standard_streams_do_no_harm(model: Path, redirection: str) -> None:
    command = ["bash", "-c", f'"$@" {redirection}', "bash", *COMMAND]
    for arguments in (["info", model], ["next", model, "길가에"]):
        answer = subprocess.run(
            [*command, *map(str, arguments)], capture_output=True, check=False
        )
        assert b"Traceback" not in answer.stderr


def test_training_works_with_closed_stderr(text: Path, tmp_path: Path) -> None:
    command = ["bash", "-c", '"$@" 2>&-', "bash", *COMMAND]
    for name in ("m.ngram", "m.arpa"):
        arguments = ["train", text, "-o", tmp_path / name, "--order", 2]
        subprocess.run([*command, *map(str, arguments)], check=True)
        assert (tmp_path / name).stat().st_size > 0


def test_arpa_to_closed_stdout_is_an_error(text: Path) -> None:
    command = ["bash", "-c", '"$@" >&-', "bash", *COMMAND, "train", text, "-o", "-"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    assert "stdout is closed" in check_error(finish(process))


def test_ctrl_c_while_waiting_for_text(tmp_path: Path) -> None:
    target = tmp_path / "m.ngram"
    process = start("train", "-", "-o", target, stdin=subprocess.PIPE)
    assert process.stdin is not None
    # More than a pipe holds: when this returns, the command is reading.
    process.stdin.write(b"some words of text\n" * 20_000)
    process.stdin.flush()
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=2)
    assert process.returncode == 130
    out, err = (pipe.read() for pipe in (process.stdout, process.stderr))
    assert out == b""
    assert err.strip() == b""
    assert not list(tmp_path.iterdir())
    for pipe in (process.stdin, process.stdout, process.stderr):
        with contextlib.suppress(BrokenPipeError):
            pipe.close()


@pytest.fixture(scope="session")
def training_seconds(large_text: Path, folder: Path) -> float:
    started = time.perf_counter()
    assert finish(start("train", large_text, "-o", folder / "large.ngram")).status == 0
    return time.perf_counter() - started


def moments(seconds: float) -> Iterator[float]:
    for moment in range(1, MOMENTS + 1):
        yield seconds * moment / (MOMENTS + 1)


# Runs `ngram train`, asks on stdout for Ctrl-C when the stage of this number begins,
# and works on; at the next stage, or at the end, it waits until stdin is closed.
ASKING = """
import os, sys
from contextlib import contextmanager
import ngram.cli.train
from ngram.cli import main

moment = int(sys.argv.pop(1))


@contextmanager
def progress():
    stages = []

    def report(stage, done, total):
        if stage in stages:
            return
        stages.append(stage)
        if len(stages) == moment:
            os.write(1, stage.encode())
        elif len(stages) > moment:
            os.read(0, 1)

    yield report
    if len(stages) >= moment:
        os.read(0, 1)


ngram.cli.train.progress = progress
main()
"""


@pytest.mark.parametrize("name", ["m.ngram", "m.arpa"])
def test_ctrl_c_in_any_stage_leaves_nothing_partial(
    large_text: Path, tmp_path: Path, name: str
) -> None:
    target = tmp_path / name
    command = [sys.executable, "-P", "-c", ASKING]
    training = ["train", str(large_text), "-o", str(target), "--discount-fallback"]
    for moment in itertools.count(1):
        process = subprocess.Popen(
            [*command, str(moment), *training],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        stage = os.read(process.stdout.fileno(), 100)
        if stage:
            process.send_signal(signal.SIGINT)
        answer = finish(process)
        if not stage:  # there are no more
            assert answer.status == 0
            assert moment > 5
            break
        assert answer.status == 130, stage
        assert answer.err.strip() == "", stage
        left = list(tmp_path.iterdir())
        if left:  # Ctrl-C came after the last byte
            assert left == [target]
            check_complete(target)
            target.unlink()
    check_complete(target)


def check_complete(target: Path) -> None:
    if target.suffix == ".arpa":
        assert target.read_text().endswith("\\end\\\n")
    else:
        ngram.load(target, verify=True).close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_leaves_nothing_partial(
    large_text: Path, tmp_path: Path, number: signal.Signals
) -> None:
    process = start("train", "-", "-o", tmp_path / "m.arpa", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(large_text.read_bytes())
    process.stdin.close()
    process.stdin = None  # for `communicate`
    while not list(tmp_path.iterdir()):
        assert process.poll() is None
    process.send_signal(number)
    answer = finish(process)
    assert answer.status == 128 + number
    assert all(line.startswith("Warning: ") for line in answer.err.strip().splitlines())
    assert list(tmp_path.iterdir()) == []


def test_kill_at_any_moment_keeps_the_old_model(
    call: Call, model: Path, large_text: Path, training_seconds: float, tmp_path: Path
) -> None:
    target = tmp_path / "m.ngram"
    for seconds in moments(training_seconds):
        target.write_bytes(model.read_bytes())
        process = start("train", large_text, "-o", target)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        finish(process)
        with ngram.load(target) as opened:
            assert opened.order in (3, 5)  # the old one or the new one, never half


# --- files that are not models -----------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_model(
    call: Call, model: Path, tmp_path: Path, share: float
) -> None:
    content = model.read_bytes()
    path = tmp_path / "m.ngram"
    path.write_bytes(content[: int(len(content) * share)])
    assert "m.ngram" in check_error(call("info", path))
    assert "m.ngram" in check_error(call("score", path, stdin="a\n"))


def test_a_flipped_bit_is_noticed_or_harmless(
    call: Call, model: Path, tmp_path: Path
) -> None:
    content = bytearray(model.read_bytes())
    path = tmp_path / "m.ngram"
    for position in range(0, len(content), max(1, len(content) // 40)):
        content[position] ^= 0x10
        path.write_bytes(content)
        content[position] ^= 0x10
        answer = call("score", path, stdin="길가에 꽃이 피었다\n")
        if answer.status != 0:
            assert "m.ngram" in check_error(answer)


def test_a_model_of_a_later_version(call: Call, model: Path, tmp_path: Path) -> None:
    content = model.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + size]
    later, replaced = re.subn(
        rb'("format_version\\?"\s*:\s*\\?"?)(\d)', rb"\g<1>9", header
    )
    assert replaced == 1
    path = tmp_path / "m.ngram"
    path.write_bytes(content[:8] + later + content[8 + size :])
    message = check_error(call("info", path))
    assert "version" in message


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (
            b"mmap lm http://kheafield.com/code format version 5\n\0" + b"\0" * 200,
            "KenLM",
        ),
        (
            b"\\data\\\nngram 1=3\n\n\\1-grams:\n",
            "m.bin:4: the file ends in the 1-grams",
        ),
        (gzip.compress(b"something"), "gz"),
        (b"just some text\nof two lines\n", "m.bin"),
        (b"", "empty"),
    ],
    ids=["KenLM binary", "ARPA", "gzip", "text", "empty"],
)
def test_another_file_given_as_a_model(
    call: Call, tmp_path: Path, content: bytes, word: str
) -> None:
    path = tmp_path / "m.bin"
    path.write_bytes(content)
    assert word in check_error(call("score", path, stdin="a\n"))


def test_a_broken_arpa_names_the_line(call: Call, arpa: Path, tmp_path: Path) -> None:
    lines = arpa.read_text("utf-8").splitlines(keepends=True)
    number = next(i for i, line in enumerate(lines) if line.startswith("\\2-grams"))
    lines[number + 1] = "nonsense\n"
    path = tmp_path / "m.arpa"
    path.write_text("".join(lines), "utf-8")
    message = check_error(call("convert", path, tmp_path / "m.ngram"))
    assert f"m.arpa:{number + 2}" in message
    assert not (tmp_path / "m.ngram").exists()


# --- small parts -------------------------------------------------------------------


def test_numbers_are_read_with_commas_or_blanks() -> None:
    assert whole_numbers("0,0, 1") == (0, 0, 1)
    assert decimal_numbers(".5 1 1.5") == (0.5, 1.0, 1.5)


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "0"), (950, "950"), (12_345, "12.3k"), (4_560_000, "4.56M"), (1.2e9, "1.2G")],
)
def test_quantities_are_short(number: float, expected: str) -> None:
    assert quantity(number) == expected


def test_tables_align_korean(capsys: pytest.CaptureFixture) -> None:
    print_table([("꽃", "1"), ("tree", "22")], "<>")
    assert capsys.readouterr().out == "꽃     1\ntree  22\n"


def test_commands_import_heavy_modules_inside_functions() -> None:
    import ngram.cli

    for path in Path(ngram.cli.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.module:
                assert node.module.split(".")[0] not in {"numpy", "rich"}
