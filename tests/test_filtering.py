"""Filtering: what is kept, in every format, and what a kill leaves."""

import gzip
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import ngram
from ngram.cli.group import group
from ngram.filtering import FORMULAS, documents, run

WORDS = ["the", "cat", "dog", "sat", "on", "mat", "a", "red", "zzz", "한국어", "문장"]
TRAINING = [
    "the cat sat on the mat",
    "the dog sat on a mat",
    "a red cat",
    "한국어 문장",
    "the red dog sat",
] * 4


@pytest.fixture(scope="module")
def model() -> ngram.Model:
    return ngram.train(TRAINING, 3, discount_fallback=(0.5, 1.0, 1.5))


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make batches of a few lines, so that little text has many."""
    monkeypatch.setattr(documents, "BLOCK", 300)
    monkeypatch.setattr(documents, "ROWS", 7)
    monkeypatch.setattr(run, "CHECKPOINT", 3)


def some_documents(count: int, seed: int = 0, lines: int = 4) -> list[str]:
    rng = np.random.default_rng(seed)
    return [
        "\n".join(
            " ".join(rng.choice(WORDS, rng.integers(0, 7)))
            for _ in range(rng.integers(1, lines + 1))
        )
        for _ in range(count)
    ]


def by_definition(model: ngram.Model, document: str, formula: str) -> float:
    """The perplexity of a document in plain Python."""
    log10_prob = predictions = 0.0
    for line in document.split("\n"):
        if formula == "cc_net.1":
            log10_prob += model.score(line)
            predictions += len(line.split()) + 1
        elif tokens := model.tokenize(line):
            log10_prob += model.score(line)
            predictions += len(tokens) + 1
    if predictions == 0:
        return math.nan
    value = 10.0 ** (-log10_prob / predictions)
    return round(value, 1) if formula == "cc_net.1" else value


def write_json(path: Path, texts: list[str]) -> Path:
    with open(path, "w", encoding="utf-8") as file:
        for number, text in enumerate(texts):
            item = {"id": number, "text": text}
            # Both spellings of what is no ASCII; blanks that a parser would drop.
            file.write(json.dumps(item, ensure_ascii=number % 2 == 0) + " \n")
    return path


def write_parquet(path: Path, texts: list[str]) -> Path:
    column = pyarrow.array(texts, pyarrow.string())
    table = pyarrow.table({"id": range(len(texts)), "text": column})
    pyarrow.parquet.write_table(table, path, row_group_size=11)
    return path


def read_ids(path: Path) -> list[int]:
    if path.suffix == ".parquet":
        return pyarrow.parquet.read_table(path)["id"].to_pylist()  # type: ignore[no-any-return]
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    return [json.loads(line)["id"] for line in data.splitlines()]


@given(st.lists(st.lists(st.sampled_from([*WORDS, "\n", "\n\n", "\v"])).map(" ".join)))
@pytest.mark.parametrize("formula", FORMULAS)
def test_perplexities_are_those_of_the_definition(
    model: ngram.Model, formula: str, texts: list[str]
) -> None:
    found = ngram.document_perplexities(model, texts, formula=formula)
    expected = [by_definition(model, text, formula) for text in texts]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "parquet"])
def test_a_range_keeps_documents_in_order(
    model: ngram.Model, tmp_path: Path, ending: str
) -> None:
    texts = some_documents(200)
    write = write_parquet if ending == "parquet" else write_json
    source = write(tmp_path / f"in.{ending.removesuffix('.gz')}", texts)
    perplexities = ngram.document_perplexities(model, texts)
    kept, rejected = tmp_path / f"out.{ending}", tmp_path / f"rest.{ending}"
    result = ngram.filter_documents(
        model, source, kept, minimum=15, maximum=25, rejected=rejected
    )
    good = (perplexities >= 15) & (perplexities <= 25)
    assert 20 < good.sum() < 180
    assert read_ids(kept) == np.flatnonzero(good).tolist()
    assert read_ids(rejected) == np.flatnonzero(~good).tolist()
    assert result.documents == 200
    assert result.kept == {str(kept): good.sum(), str(rejected): 200 - good.sum()}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [source.name, kept.name, rejected.name]
    )


def test_kept_lines_of_text_and_json_are_the_bytes_that_came(
    model: ngram.Model, tmp_path: Path
) -> None:
    lines = [text.encode() for text in some_documents(100, lines=1)]
    lines[3:5] = [b"the cat\r", b"\xff\xfe bytes that are no UTF-8"]
    source, kept = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_bytes(b"\n".join(lines))  # the last line has no end
    ngram.filter_documents(model, source, kept, maximum=math.inf)
    spoken = [line for line in lines if line.split()]
    assert kept.read_bytes() == b"".join(line + b"\n" for line in spoken)

    source = write_json(tmp_path / "in.jsonl", some_documents(50))
    kept = tmp_path / "out.jsonl"
    ngram.filter_documents(model, source, kept, cutoffs=[1e9])
    assert (tmp_path / "out.head.jsonl").read_bytes().splitlines() == [
        line
        for line in source.read_bytes().splitlines()
        if json.loads(line)["text"].strip()
    ]


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_buckets_are_cut_at_percentiles_of_the_reference(
    model: ngram.Model, tmp_path: Path, ending: str
) -> None:
    write = write_parquet if ending == "parquet" else write_json
    texts, others = some_documents(150), some_documents(90, seed=1)
    source = write(tmp_path / f"in.{ending}", texts)
    reference = write(tmp_path / f"reference.{ending}", others)
    result = ngram.filter_documents(
        model,
        source,
        tmp_path / f"out.{ending}",
        reference=reference,
        percentiles=(30, 60),
        annotate=True,
    )
    known = ngram.document_perplexities(model, others)
    low, high = np.percentile(known[~np.isnan(known)], [30, 60])
    assert result.cutoffs == (low, high)
    perplexities = ngram.document_perplexities(model, texts)
    expected = {
        "head": np.flatnonzero(perplexities < low),
        "middle": np.flatnonzero((perplexities >= low) & (perplexities < high)),
        "tail": np.flatnonzero(~(perplexities < high)),
    }
    for bucket, ids in expected.items():
        path = tmp_path / f"out.{bucket}.{ending}"
        assert read_ids(path) == ids.tolist()
        if ending == "parquet":
            rows = pyarrow.parquet.read_table(path).to_pylist()
        else:
            rows = [json.loads(line) for line in path.read_bytes().splitlines()]
        assert {row["bucket"] for row in rows} == {bucket}
        for row in rows:
            value = perplexities[row["id"]]
            known_value = None if ending == "jsonl" and np.isnan(value) else value
            np.testing.assert_equal(row["perplexity"], known_value)


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_lines_leave_one_by_one(
    model: ngram.Model, tmp_path: Path, ending: str
) -> None:
    write = write_parquet if ending == "parquet" else write_json
    texts = some_documents(100)
    source, kept = write(tmp_path / f"in.{ending}", texts), tmp_path / f"out.{ending}"
    result = ngram.filter_documents(model, source, kept, maximum=20, unit="line")
    expected = {}
    for number, text in enumerate(texts):
        lines = text.split("\n")
        good = ngram.document_perplexities(model, lines) <= 20
        if good.any():
            chosen = [line for line, keep in zip(lines, good, strict=True) if keep]
            expected[number] = "\n".join(chosen)
    if ending == "parquet":
        rows = pyarrow.parquet.read_table(kept).to_pylist()
    else:
        rows = [json.loads(line) for line in kept.read_bytes().splitlines()]
    assert {row["id"]: row["text"] for row in rows} == expected
    assert result.documents == sum(text.count("\n") + 1 for text in texts)


class StoppedError(Exception):
    """What ends a job in the middle."""


@pytest.mark.parametrize("ending", ["txt", "jsonl.gz", "parquet"])
@pytest.mark.parametrize("stops", [[1], [4], [9, 10], [3, 3, 4, 3]])
def test_a_stopped_job_goes_on_to_the_same_bytes(
    model: ngram.Model, tmp_path: Path, ending: str, stops: list[int]
) -> None:
    texts = some_documents(600, lines=1 if ending == "txt" else 3)
    sources = []
    for number in range(2):
        source = tmp_path / f"in{number}.{ending.removesuffix('.gz')}"
        half = texts[number::2]
        if ending == "txt":
            source.write_text("\n".join(half) + "\n", encoding="utf-8")
        elif ending == "parquet":
            write_parquet(source, half)
        else:
            write_json(source, half)
        sources.append(source)
    whole, parts = tmp_path / f"whole.{ending}", tmp_path / f"parts.{ending}"
    ngram.filter_documents(model, sources, whole, maximum=20)
    for stop in stops:
        calls = iter(range(stop))

        def progress(stage: str, done: int, total: int, calls: Iterator[int] = calls):
            if next(calls, None) is None:
                raise StoppedError

        with pytest.raises(StoppedError):
            ngram.filter_documents(model, sources, parts, maximum=20, progress=progress)
        assert not parts.exists()
    result = ngram.filter_documents(model, sources, parts, maximum=20)
    assert result.resumed == (max(stops) >= 3)
    assert parts.read_bytes() == whole.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {
        *(source.name for source in sources),
        whole.name,
        parts.name,
    }


def test_a_killed_job_goes_on_to_the_same_bytes(
    model: ngram.Model, tmp_path: Path
) -> None:
    model.save(tmp_path / "model.ngram")
    source = tmp_path / "in.txt"
    text = "\n".join(some_documents(4000, lines=1)) + "\n"
    source.write_text(text * 100, encoding="utf-8")  # some 30 batches
    program = (
        "import sys, ngram\n"
        "from ngram.filtering import documents, run\n"
        "documents.BLOCK, run.CHECKPOINT = 1 << 18, 2\n"
        "def slow(stage, done, total): print(done, flush=True)\n"
        "ngram.filter_documents(ngram.load(sys.argv[1]), sys.argv[2], sys.argv[3],\n"
        "                       maximum=20, progress=slow)\n"
    )
    model_path, out = str(tmp_path / "model.ngram"), str(tmp_path / "out.txt.gz")
    command = [sys.executable, "-c", program, model_path, str(source)]
    for calls in (5, 9):
        job = subprocess.Popen([*command, out], stdout=subprocess.PIPE)
        assert job.stdout is not None
        for _ in range(calls):
            assert job.stdout.readline()
        job.send_signal(signal.SIGKILL)
        job.communicate()
        assert not os.path.exists(out)
        assert os.path.exists(f"{out}.resume")
    subprocess.run([*command, out], check=True, stdout=subprocess.DEVNULL)
    whole = str(tmp_path / "whole.txt.gz")
    subprocess.run([*command, whole], check=True, stdout=subprocess.DEVNULL)
    assert Path(out).read_bytes() == Path(whole).read_bytes()
    assert not os.path.exists(f"{out}.resume")


def test_another_job_does_not_go_on(model: ngram.Model, tmp_path: Path) -> None:
    source, out = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_text("the cat\n" * 500, encoding="utf-8")

    def stop(stage: str, done: int, total: int) -> None:
        if done > 200:
            raise StoppedError

    with pytest.raises(StoppedError):
        ngram.filter_documents(model, source, out, maximum=20, progress=stop)
    with pytest.raises(ngram.InputError, match=r"another job.*range differ"):
        ngram.filter_documents(model, source, out, maximum=18)
    os.utime(source, (time.time(), 1))
    with pytest.raises(ngram.InputError, match=r"another job.*inputs differ"):
        ngram.filter_documents(model, source, out, maximum=20)
    result = ngram.filter_documents(model, source, out, maximum=18, restart=True)
    assert result.documents == 500
    assert not result.resumed


def test_two_jobs_do_not_write_one_output(model: ngram.Model, tmp_path: Path) -> None:
    source, out = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_text("the cat\n" * 500, encoding="utf-8")

    def again(stage: str, done: int, total: int) -> None:
        ngram.filter_documents(model, source, out, maximum=20)

    with pytest.raises(ngram.InputError, match="another process is writing"):
        ngram.filter_documents(model, source, out, maximum=20, progress=again)


@pytest.mark.parametrize("ending", ["txt", "txt.gz", "jsonl", "parquet"])
def test_empty_inputs_give_empty_outputs(
    model: ngram.Model, tmp_path: Path, ending: str
) -> None:
    source, out = tmp_path / f"in.{ending}", tmp_path / f"out.{ending}"
    if ending == "parquet":
        write_parquet(source, [])
    else:
        source.write_bytes(gzip.compress(b"") if ending.endswith("gz") else b"")
    result = ngram.filter_documents(model, source, out, maximum=20)
    assert result.documents == 0
    if ending == "parquet":
        assert pyarrow.parquet.read_table(out).num_rows == 0
    elif ending == "txt.gz":
        assert gzip.decompress(out.read_bytes()) == b""
    else:
        assert out.read_bytes() == b""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "nothing says what to keep"),
        ({"maximum": -1}, "maximum is -1"),
        ({"maximum": math.nan}, "maximum is nan"),
        ({"minimum": 9, "maximum": 8}, "minimum is 9, above maximum"),
        ({"percentiles": (30, 60)}, "percentiles need reference"),
        ({"reference": "in.jsonl"}, "reference needs percentiles"),
        ({"cutoffs": (60, 30)}, "ascending"),
        ({"cutoffs": (1, 2, 3)}, "one or two"),
        ({"percentiles": (30, 101), "reference": "in.jsonl"}, "from 0 to 100"),
        ({"cutoffs": (30,), "maximum": 9}, "drop minimum, maximum"),
        ({"maximum": 20, "unit": "word"}, "unit is 'word'"),
        ({"maximum": 20, "formula": "cc_net"}, "formula is 'cc_net'.*cc_net.1"),
        ({"maximum": 20, "file_format": "csv"}, "format is 'csv'"),
        ({"maximum": 20, "field": "body"}, "line 1: the field 'body' is missing"),
        ({"maximum": 20, "field": "id"}, "line 1: the field 'id' is no string"),
        ({"maximum": 20, "annotate": True, "unit": "line"}, "annotate"),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(
    model: ngram.Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: dict[str, object],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "in.jsonl", some_documents(5))
    with pytest.raises(ngram.InputError, match=message):
        ngram.filter_documents(model, "in.jsonl", "out.jsonl", **arguments)  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"text": "a"}\n{"text": \n', "line 2: is no JSON"),
        (b'{"text": "a"}\n[1]\n', "line 2: is no JSON object but list"),
        (b'{"text": "a"}\n{}\n', "line 2: the field 'text' is missing; there is noth"),
        (b'{"text": null}\n', "line 1: the field 'text' is no string"),
        (b"\xff\xfe{\x00}\x00", "UTF-16"),
    ],
)
def test_documents_that_cannot_be_read_are_named(
    model: ngram.Model, tmp_path: Path, content: bytes, message: str
) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(content)
    with pytest.raises(ngram.InputError, match=message):
        ngram.filter_documents(model, source, tmp_path / "out.jsonl", maximum=20)
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_files_that_do_not_go_together_are_refused(
    model: ngram.Model, tmp_path: Path
) -> None:
    text, table = tmp_path / "a.txt", write_parquet(tmp_path / "a.parquet", ["the cat"])
    text.write_text("the cat\n", encoding="utf-8")
    with pytest.raises(ngram.InputError, match="one format at a time"):
        ngram.filter_documents(model, [text, table], tmp_path / "out", maximum=20)
    with pytest.raises(ngram.InputError, match="is also"):
        ngram.filter_documents(model, text, text, maximum=20)
    with pytest.raises(ngram.InputError, match="there is no such file"):
        ngram.filter_documents(model, tmp_path / "b", tmp_path / "out", maximum=20)
    other = tmp_path / "b.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a"], "x": [1.5]}), other)
    with pytest.raises(ngram.InputError, match="different columns"):
        ngram.filter_documents(
            model, [table, other], tmp_path / "out.parquet", cutoffs=[1e9]
        )
    with pytest.raises(ngram.InputError, match="is no Parquet file"):
        ngram.filter_documents(
            model, text, tmp_path / "out", maximum=20, file_format="parquet"
        )


def test_lone_surrogates_survive(model: ngram.Model, tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"text": "the \\ud800 cat"}\n', encoding="utf-8")
    ngram.filter_documents(model, source, out, maximum=1e9, annotate=True)
    assert json.loads(out.read_bytes())["text"] == "the \ud800 cat"


def test_the_command_filters_stdin_to_stdout(
    model: ngram.Model, tmp_path: Path
) -> None:
    model.save(tmp_path / "model.ngram")
    arguments = ["filter", str(tmp_path / "model.ngram"), "-", "-o", "-", "--max", "8"]
    program = [sys.executable, "-m", "ngram.cli", *arguments]
    text = "the cat sat on the mat\nzzz zzz zzz\n\n"
    done = subprocess.run(program, input=text, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout == "the cat sat on the mat\n"
    assert "read" in done.stderr


def test_the_command_reports_as_json(model: ngram.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model.ngram")
    source = write_json(tmp_path / "in.jsonl", some_documents(30))
    out = tmp_path / "out.jsonl"
    arguments = ["filter", str(tmp_path / "model.ngram"), str(source), "-o", str(out)]
    done = CliRunner().invoke(group, [*arguments, "--cutoffs", "8", "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["documents"] == 30
    assert sum(report["kept"].values()) == 30
    assert list(report["kept"]) == [
        str(tmp_path / f"out.{b}.jsonl") for b in ("head", "tail")
    ]
