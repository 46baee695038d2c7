"""README and docstring examples run as printed."""

import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import ngram

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of a language; "" is those of none."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for name, text in found if name == language]


def environment() -> dict[str, str]:
    """Return an environment whose PATH begins with this Python's programs."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return os.environ | {"PATH": path}


def test_the_python_example_runs_as_printed(tmp_path: Path) -> None:
    example = blocks("python")[0]
    assert len(example.strip().splitlines()) <= 14
    answer = subprocess.run(
        [sys.executable, "-P", "-W", "error::UserWarning", "-c", example],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    # The comments behind `print`, then the block that follows: what is printed.
    promised = re.findall(r"^print\(.*\)  # (.*)$", example, re.MULTILINE)
    promised += blocks("")[0].splitlines()
    assert answer.stdout.splitlines() == promised


def test_the_shell_example_runs_as_printed(tmp_path: Path) -> None:
    example = blocks("sh")[0]
    assert len(example.strip().splitlines()) == 5
    answer = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", example],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout


def test_the_two_commands_are_one_line_each() -> None:
    commands = [
        line for line in README.splitlines() if re.match("pip install .* && ", line)
    ]
    assert commands == [
        "pip install . && ngram demo",
        "pip install '.[test]' && pytest",
    ]


def test_every_file_the_readme_links_to_exists() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    for link in links:
        if "://" not in link and (ROOT / "ngram").is_dir():
            assert (ROOT / link).exists(), f"README.md links to {link}"


def public_modules() -> list[str]:
    return [
        module.name
        for module in pkgutil.walk_packages(ngram.__path__, "ngram.")
        if not module.name.endswith("__main__")
    ]


@pytest.mark.parametrize("name", public_modules())
def test_docstring_examples_run(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    with warnings.catch_warnings():
        # Examples are short, and their discounts fall back.
        warnings.simplefilter("ignore", ngram.DiscountWarning)
        assert doctest.testmod(module, optionflags=flags).failed == 0


@pytest.mark.parametrize(
    "path", ["README.md", "benchmarks/README.md", "docs/smoothing.md"]
)
def test_tables_show_what_was_measured(path: str, monkeypatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    tables = importlib.import_module("tables")
    text = (ROOT / path).read_text(encoding="utf-8")
    assert tables.filled(text) == text
