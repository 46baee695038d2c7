"""What is installed, and what a wheel and the source distribution carry.

`$NGRAM_WHEEL` names a wheel to look into; `.ci/run` builds one and sets it.
"""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata, util
from pathlib import Path

import pytest

import ngram

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MODULE_OF = {"pytest-timeout": "pytest_timeout"}  # where the names differ


def test_the_version_is_the_same_everywhere() -> None:
    assert metadata.version("ngram-engine") == ngram.__version__
    changelog = ROOT / "CHANGELOG.md"
    if changelog.exists():
        assert f"## {ngram.__version__}" in changelog.read_text(encoding="utf-8")


def test_the_installed_package_carries_types_stubs_and_data() -> None:
    folder = Path(ngram.__file__).parent
    assert (folder / "py.typed").is_file()
    assert list(folder.glob("data/*.txt"))
    modules = {path.name.partition(".")[0] for path in folder.glob("_core/*.so")}
    stubs = {path.stem for path in folder.glob("_core/*.pyi")}
    assert modules
    assert modules == stubs


@pytest.mark.skipif(os.environ.get("CI") != "true", reason="only promised in CI")
def test_everything_the_test_extra_promises_is_installed() -> None:
    for requirement in PROJECT["project"]["optional-dependencies"]["test"]:
        name = re.split(r"[<>=~! \[]", requirement)[0]
        assert util.find_spec(MODULE_OF.get(name, name)), f"{name} is not installed"


def test_wheels_are_built_for_every_python_from_the_first_one_on() -> None:
    config = PROJECT["tool"]["cibuildwheel"]
    versions = [int(re.fullmatch(r"cp3(\d+)-\*", name)[1]) for name in config["build"]]
    first = int(PROJECT["project"]["requires-python"].removeprefix(">=3."))
    assert versions == list(range(first, first + len(versions)))
    assert set(config["test-extras"]) <= set(
        PROJECT["project"]["optional-dependencies"]
    )


@pytest.mark.skipif("NGRAM_WHEEL" not in os.environ, reason="no wheel was built")
def test_a_wheel_carries_what_runs_and_no_sources() -> None:
    with zipfile.ZipFile(os.environ["NGRAM_WHEEL"]) as wheel:
        names = set(wheel.namelist())
    files = {name for name in names if ".dist-info/" not in name}
    assert all(name.startswith("ngram/") for name in files)
    suffixes = {Path(name).suffix for name in files}
    assert suffixes == {".py", ".pyi", ".so", ".txt", ".typed"}
    assert "ngram/py.typed" in files
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    assert f"-{tag}-{tag}-" in Path(os.environ["NGRAM_WHEEL"]).name


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")
def test_no_file_names_a_package_registry_or_a_machine() -> None:
    listing = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=True
    )
    # Spelled in two parts, so that this file does not name them itself.
    forbidden = [
        r"pypi\." + "org",
        r"files\.python" + "hosted",
        r"/(?:work|root)" + "/",
    ]
    for name in listing.stdout.splitlines():
        path = ROOT / name
        if path.suffix in {".gz", ".xz", ".zst", ".bin"} or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        for pattern in forbidden:
            assert not re.search(pattern, text), f"{name} holds {pattern}"
