"""Comparing smoothing methods: the numbers of models, tables, plots and bad input."""

import json
import math
import random
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ngram
from ngram.cli.group import run
from ngram.comparison import (
    SmoothingComparison,
    SmoothingScore,
    as_records,
    compare_smoothings,
)
from ngram.errors import InputError, MissingDependencyError
from ngram.smoothing import METHODS, Dirichlet

LINES = ("the cat", "a dog", "the dog", "a bird", "the bird")
ENDS = ("sat on the mat", "ran home", "saw the cat", "sang", "sat down", "ran")


def text(seed: int, sentences: int) -> list[str]:
    generator = random.Random(seed)
    return [
        f"{generator.choice(LINES)} {generator.choice(ENDS)}" for _ in range(sentences)
    ]


TRAIN, DEV = text(1, 300), [*text(2, 80), "a new cat sang"]


@pytest.fixture(scope="module")
def compared() -> SmoothingComparison:
    return compare_smoothings(TRAIN, DEV, orders=[1, 3], sizes=[20, 300])


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("order", [1, 3])
def test_bits_are_those_of_the_perplexity_of_a_model(
    compared: SmoothingComparison, name: str, order: int
) -> None:
    heldout = DEV[1::2] if METHODS[name].needs_heldout else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ngram.DiscountWarning)
        warnings.filterwarnings("ignore", message="the model gives scores")
        model = ngram.train(TRAIN, order, smoothing=name, heldout=heldout)
        expected = model.perplexity(DEV[::2])
    (score,) = (
        s
        for s in compared.scores
        if (s.method.partition(":")[0], s.order, s.sentences) == (name, order, 300)
    )
    # The model sums float32 logarithms up to 16 in float32.
    assert score.perplexity == pytest.approx(expected.perplexity, rel=1e-5)
    known = 2.0 ** min(score.bits_per_known_token, 1000)
    if math.isfinite(score.bits_per_known_token):
        assert known == pytest.approx(expected.perplexity_excluding_oov, rel=1e-5)


def test_all_sizes_orders_and_methods_are_there(compared: SmoothingComparison) -> None:
    assert compared.orders == (1, 3)
    assert compared.sizes == (20, 300)
    names = [method.partition(":")[0] for method in compared.methods]
    assert names == list(METHODS)
    assert len(compared.scores) == 2 * 2 * len(METHODS)
    assert compared.dev_sentences == 41
    assert compared.heldout_sentences == 40
    assert compared.oov == 1  # "new"
    assert compared.scores[0].tokens == sum(len(line.split()) for line in TRAIN[:20])


def test_the_ranking_has_the_best_first_and_no_scores(
    compared: SmoothingComparison,
) -> None:
    ranking = compared.ranking(300, 3)
    bits = [score.bits_per_token for score in ranking]
    assert bits == sorted(bits)
    assert "stupid-backoff:backoff=0.4" not in [score.method for score in ranking]
    assert len(ranking) == len(METHODS) - 1


def test_smaller_sizes_keep_the_vocabulary_of_the_whole_text() -> None:
    train = ["a b", "c d e"]
    result = compare_smoothings(
        train, ["a b c"], orders=[1], sizes=[1], methods=["additive:delta=1"]
    )
    # <unk>, </s>, a, b, c, d, e: (1 + 1) / (3 + 7) for a, b, </s>; 1 / 10 for c.
    assert result.scores[0].bits_per_token == pytest.approx(
        -(3 * math.log2(0.2) + math.log2(0.1)) / 4, abs=1e-6
    )


def test_methods_may_carry_options_or_be_objects() -> None:
    result = compare_smoothings(
        TRAIN, DEV, orders=[2], sizes=[300], methods=["laplace", Dirichlet(mass=5)]
    )
    assert result.methods == ("additive:delta=1", "dirichlet:mass=5")
    assert (result.dev_sentences, result.heldout_sentences) == (81, 0)


def test_held_out_text_of_ones_own_leaves_all_of_dev() -> None:
    result = compare_smoothings(
        TRAIN,
        DEV,
        heldout=text(3, 50),
        orders=[2],
        sizes=[300],
        methods=["jelinek-mercer", "witten-bell"],
    )
    assert (result.dev_sentences, result.heldout_sentences) == (81, 50)


def test_sizes_are_powers_of_ten_and_all_by_default() -> None:
    result = compare_smoothings(TRAIN, DEV, orders=[1], methods=["witten-bell"])
    assert result.sizes == (100, 300)


def test_threads_change_no_number() -> None:
    one, three = (
        compare_smoothings(TRAIN, DEV, orders=[3], sizes=[300], threads=threads)
        for threads in (1, 3)
    )
    assert one == three


def test_progress_counts_sizes_and_orders() -> None:
    seen: list[tuple[int, int]] = []

    def progress(stage: str, done: int, total: int) -> None:
        if stage == "compare":
            seen.append((done, total))

    compare_smoothings(
        TRAIN,
        DEV,
        orders=[1, 2],
        sizes=[20, 300],
        methods=["witten-bell"],
        progress=progress,
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_records_are_what_json_can_say(compared: SmoothingComparison) -> None:
    records = as_records(compared)
    assert len(records) == len(compared.scores)
    assert {"method", "order", "sentences", "bits_per_token"} < set(records[0])


def test_perplexity_of_zero_probability_is_infinite() -> None:
    score = SmoothingScore("maximum-likelihood", 2, 1, 1, math.inf, math.inf, True)
    assert score.perplexity == math.inf


# --- Bad input ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ["unheard-of"]}, "smoothing is 'unheard-of': there is no such"),
        ({"orders": [0]}, "orders holds 0: pass integers from 1 to 255."),
        ({"orders": []}, "orders is empty"),
        ({"orders": [2.5]}, "orders holds 2.5"),
        ({"sizes": [301]}, "sizes holds 301: pass integers from 1 to 300."),
        ({"sizes": [True]}, "sizes holds True"),
        ({"dev": []}, "the development text has no words: 0 sentences"),
        ({"dev": ["", ""]}, "the development text has no words: 2 sentences"),
        ({"dev": ["a"]}, "the development text is too short to be halved"),
        ({"methods": "katz"}, "methods is 'katz': pass a list"),
        ({"heldout": [""]}, "the held-out text has no words"),
        ({"train": ["", ""]}, "the training text has no words"),
    ],
    ids=str,
)
def test_unusable_arguments_are_refused(options: dict[str, Any], message: str) -> None:
    arguments = {"train": TRAIN, "dev": DEV, "orders": [2], **options}
    with pytest.raises(InputError, match=re.escape(message)):
        compare_smoothings(**arguments)


# --- Plots ---


def test_a_plot_must_be_of_a_kind_that_is_known(compared: SmoothingComparison) -> None:
    with pytest.raises(InputError, match=r"end in \.svg, \.png or \.pdf"):
        compared.plot("plot.txt")


def test_a_plot_needs_matplotlib(
    compared: SmoothingComparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match=r"ngram-engine\[plot\]"):
        compared.plot("plot.svg")


@pytest.mark.filterwarnings("ignore")  # what matplotlib says of others is not ours
@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_a_plot_has_a_panel_for_each_order(
    compared: SmoothingComparison, tmp_path: Path, suffix: str
) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / f"plot.{suffix}"
    compared.plot(path)
    assert path.stat().st_size > 1000
    if suffix == "svg":
        drawing = path.read_text(encoding="utf-8")
        assert "<!-- order 3 -->" in drawing
        assert "<!-- kneser-ney -->" in drawing
        assert "stupid-backoff" not in drawing


# --- The command line ---


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    train, dev = tmp_path / "train.txt", tmp_path / "dev.txt"
    train.write_text("\n".join(TRAIN) + "\n", "utf-8")
    dev.write_text("\n".join(DEV) + "\n", "utf-8")
    return train, dev


def test_the_command_prints_a_table(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture
) -> None:
    train, dev = map(str, files)
    methods = "witten-bell kneser-ney stupid-backoff jelinek-mercer"
    command = ["smoothings", train, "--dev", dev, "--orders", "2", "--sizes", "300"]
    assert run([*command, "--methods", methods]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0].split() == ["order", "2"]
    assert rows[1].split() == ["sentences", "300"]
    assert [row.split()[0] for row in rows[2:6]] == [
        "witten-bell",
        "kneser-ney",
        "stupid-backoff:backoff=0.4",
        "jelinek-mercer",
    ]
    assert sum(row.endswith("*") for row in rows) == 1
    assert re.search(r"\(\d\.\d{3}\)", rows[4])
    assert "41 sentences, 1 out of vocabulary" in rows[-1]


def test_the_command_prints_json(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture
) -> None:
    train, dev = map(str, files)
    command = ["smoothings", train, "--dev", dev, "--orders", "2", "--sizes", "300"]
    methods = ["--methods", "maximum-likelihood laplace", "--heldout", dev]
    assert run([*command, *methods, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [s["method"] for s in answer["scores"]] == [
        "maximum-likelihood",
        "additive:delta=1",
    ]
    assert answer["scores"][0]["bits_per_token"] is None
    assert answer["dev_sentences"] == 81


def test_training_takes_a_method_and_held_out_text(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    train, dev = map(str, files)
    output = str(tmp_path / "m.ngram")
    command = ["train", train, "-o", output, "--order", "2"]
    assert run([*command, "--smoothing", "jelinek-mercer", "--heldout", dev]) == 0
    assert run(["info", output]) == 0
    assert re.search(r"option smoothing +jelinek-mercer", capsys.readouterr().out)
    same = ngram.train(
        Path(train), 2, smoothing="jelinek-mercer", heldout=Path(dev), threads=1
    )
    assert ngram.load(output).score(DEV[0]) == same.score(DEV[0])
    arpa = str(tmp_path / "m.arpa")
    assert run(["train", train, "-o", arpa, "--smoothing", "laplace"]) == 0
    assert ngram.read_arpa(arpa).score("a") < 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--smoothing", "x"], "there is no such method. Pass one of"),
        (["--smoothing", "jelinek-mercer"], "pass --heldout, text that"),
        (
            ["--heldout", "DEV"],
            "--heldout has no effect with --smoothing mod",
        ),
    ],
    ids=str,
)
def test_errors_of_training_are_in_the_words_of_the_shell(
    files: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    arguments: list[str],
    message: str,
) -> None:
    train, dev = map(str, files)
    arguments = [dev if argument == "DEV" else argument for argument in arguments]
    assert run(["train", train, "-o", str(tmp_path / "m.ngram"), *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_command_refuses_a_plot_before_it_works(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture
) -> None:
    train, dev = map(str, files)
    assert run(["smoothings", train, "--dev", dev, "--plot", "plot.gif"]) == 1
    assert "'plot.gif' is no name of a plot" in capsys.readouterr().err
    plot = "absent/plot.svg"
    assert run(["smoothings", train, "--dev", dev, "--plot", plot]) == 1
    assert "Create the directory first" in capsys.readouterr().err


def test_scores_of_a_comparison_are_finite_where_smoothed(
    compared: SmoothingComparison,
) -> None:
    for score in compared.scores:
        smoothed = score.method != "maximum-likelihood"
        assert np.isfinite(score.bits_per_token) == smoothed
