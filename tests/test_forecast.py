"""Forecasts: near what training then takes, and refused where nothing can be known."""

import gzip
import random
from pathlib import Path

import pytest

import ngram
from ngram import forecast as module
from ngram.errors import DiscountWarning, InputError, MemoryBudgetError
from ngram.forecast import forecast
from ngram.memory import PROCESS


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    generator = random.Random(2)
    path = tmp_path_factory.mktemp("forecast") / "text.txt"
    with path.open("w") as file:
        for _ in range(12_000):
            words = generator.randrange(1, 25)
            line = (f"말{int(generator.paretovariate(0.8))}" for _ in range(words))
            file.write(" ".join(line) + "\n")
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_a_forecast_from_a_tenth_of_the_text_is_near_the_truth(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compressed: bool
) -> None:
    path = text
    if compressed:
        path = tmp_path / "text.txt.gz"
        path.write_bytes(gzip.compress(text.read_bytes(), mtime=0))
    monkeypatch.setattr(module, "SAMPLE", text.stat().st_size // 10)
    monkeypatch.setattr(module, "BLOCK", 1 << 13)
    found = forecast([path], 3, threads=1)
    model = ngram.train(text, 3, threads=1)
    training = model.info()["training"]
    source = training["sources"][0]
    assert found.tokens == pytest.approx(source["tokens"], rel=0.1)
    assert found.sentences == pytest.approx(source["sentences"], rel=0.1)
    for guess, truth in zip(found.ngrams, model.info()["ngrams"], strict=True):
        assert guess == pytest.approx(truth, rel=0.25)
    model.save(tmp_path / "m.ngram")
    model.write_arpa(tmp_path / "m.arpa")
    for guess, name in ((found.model, "m.ngram"), (found.arpa, "m.arpa")):
        assert guess == pytest.approx((tmp_path / name).stat().st_size, rel=0.3)
    monkeypatch.undo()
    whole = forecast([text], 3)  # the same without the error of the sample
    assert whole.model == pytest.approx((tmp_path / "m.ngram").stat().st_size, rel=0.05)
    assert found.temporary == 0
    assert found.seconds > 0


def test_a_small_text_is_counted_whole(tmp_path: Path) -> None:
    path = tmp_path / "small.txt"
    path.write_text("a rose is a rose\na rose is red\n")
    found = forecast([path, path], 2)
    with pytest.warns(DiscountWarning):
        model = ngram.train([path, path], 2)
    assert list(found.ngrams) == model.info()["ngrams"]
    assert (found.sentences, found.tokens) == (4, 18)


def test_a_small_budget_needs_temporary_files(tmp_path: Path, text: Path) -> None:
    monkeypatch = pytest.MonkeyPatch()
    with monkeypatch.context() as patch:
        patch.setattr(module, "SAMPLE", text.stat().st_size)
        patch.setattr("ngram.memory.estimate_bytes", lambda *sizes: 2**40)
        found = forecast([text], 3, memory="300M", temp_dir=tmp_path)
    assert found.temporary > 0
    assert found.memory == 300 << 20


def test_methods_that_keep_all_counts_need_memory_for_them(text: Path) -> None:
    options = {"order": 3, "smoothing": "witten-bell"}
    found = forecast([text], **options)
    ngrams = ngram.train(text, **options).info()["ngrams"]
    assert list(found.ngrams) == ngrams
    assert found.memory == PROCESS + 32 * sum(ngrams) + 40 * max(ngrams)
    assert found.temporary == 0
    too_little = f"{sum(ngrams):,} n-grams take about"
    with pytest.raises(MemoryBudgetError, match=too_little):
        forecast([text], memory="97M", **options)
    with pytest.raises(MemoryBudgetError, match=too_little):
        ngram.train(text, memory="97M", **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": 0}, "order is 0"),
        ({"order": -3}, "order is -3"),
        ({"smoothing": "foo"}, "smoothing is 'foo'"),
        ({"smoothing": "jelinek-mercer"}, "heldout"),
        ({"prune": [1, 0]}, "thresholds"),
        ({"memory": "0"}, "memory is '0'"),
    ],
)
def test_a_forecast_checks_what_training_checks(
    text: Path, options: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        forecast([text], **options)


def test_standard_input_cannot_be_sampled(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent"):
        forecast([tmp_path / "absent"])
    with pytest.raises(InputError, match="only files can be sampled"):
        forecast(["/dev/null"])


def test_a_text_without_words_has_no_forecast(tmp_path: Path) -> None:
    (tmp_path / "blank").write_text("\n \n")
    with pytest.raises(InputError, match="no words"):
        forecast([tmp_path / "blank"])
