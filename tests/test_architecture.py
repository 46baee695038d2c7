"""Data flows one way: a module imports only what stands before it.

The lists below are the order. Whatever has no place in them fails, so a new module,
kernel or binding is placed when it is born.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ngram"
BINDINGS = ROOT / "ext" / "ngram" / "_core"
ENGINE = ROOT / "ext" / "engine"

pytestmark = pytest.mark.skipif(
    not PACKAGE.is_dir(), reason="the sources are not here: a wheel is being tested"
)

MODULES = [
    "version",
    "errors",
    "arguments",
    "threads",
    "memory",
    "files",
    "container",
    "text",
    "vocabulary",
    "counts",
    "smoothing",
    "arpa",
    "scoring",
    "prediction",
    "model",
    "filtering",
    "fitting",
    "estimate",
    "forecast",
    "pruning",
    "comparison",
    "classes",
    "decay",
    "skip",
    "mixture",
    "lmplz",
    "kenlm",
    "demo",
    "cli",
]
KERNELS = [
    "base",
    "text",
    "ngrams",  # what smoothing writes, and arpa and model read; sorted, as counts are
    "counts",
    "classes",
    "smoothing",
    "pruning",
    "model",
    "arpa",
    "scoring",
    "prediction",
    "kenlm",
]
TOPICS = [
    "progress",
    "buffer",
    "vocabulary",
    "text",
    "counts",
    "classes",
    "ngrams",
    "estimate",
    "arpa",
    "model",
    "texts",
    "scoring",
    "prediction",
    "pruning",
    "kenlm",
]


def place(name: str, order: list[str], what: str) -> int:
    assert name in order, (
        f"{what} {name!r} has no place in the flow: put it into the list in "
        "tests/test_architecture.py"
    )
    return order.index(name)


def kernel_place(name: str) -> int:
    """Return the place of a header, named by its path below `ext/engine`."""
    if name in KERNELS:
        return KERNELS.index(name)
    return place(name.partition("/")[0], KERNELS, "kernel")


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def topic(path: Path) -> str:
    """Return the topic of a module: its name, or that of its package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_topics(path: Path) -> set[str]:
    """Return the topics of this package that a file imports, wherever in the file.

    Names imported for annotations alone (`if TYPE_CHECKING:`) are no dependency.
    """
    package = ("ngram", *path.relative_to(PACKAGE).parent.parts)
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            found.add(module)
            found.update(f"{module}.{alias.name}" for alias in node.names)
    modules = [name.split(".") for name in found if name.startswith("ngram.")]
    return {parts[1] for parts in modules if parts[1] in known_topics()}


def known_topics() -> set[str]:
    return {topic(path) for path in sources()} - {"__init__", "_core"}


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.stem)
def test_every_module_imports_only_modules_before_it(path: Path) -> None:
    if topic(path) in ("__init__", "_core"):
        return  # the package itself only names what the modules hold
    mine = place(topic(path), MODULES, "module")
    for other in imported_topics(path) - {topic(path)}:
        assert place(other, MODULES, "module") < mine, f"{path} imports ngram.{other}"


@pytest.mark.parametrize(
    "path", sorted(ENGINE.rglob("*.hpp")), ids=lambda path: path.name
)
def test_every_kernel_includes_only_kernels_before_it(path: Path) -> None:
    mine = kernel_place(path.relative_to(ENGINE).as_posix())
    for name in re.findall(r'#include "([^"]+)"', path.read_text(encoding="utf-8")):
        assert (ENGINE / name).is_file(), f"{path} includes {name} by another path"
        assert kernel_place(name) <= mine, f"{path} includes {name}"


@pytest.mark.parametrize(
    "path", sorted(BINDINGS.glob("*.p[yx][xd]")), ids=lambda path: path.name
)
def test_every_binding_imports_only_bindings_before_it(path: Path) -> None:
    mine = place(path.stem, TOPICS, "binding")
    pattern = r"(?:c?import|from) +ngram\._core(?:\.(\w+)| +c?import +([\w, ]+))"
    for module, names in re.findall(pattern, path.read_text(encoding="utf-8")):
        for other in [module] if module else re.split(r", *", names.strip()):
            assert place(other, TOPICS, "binding") <= mine, f"{path} imports {other}"


@pytest.mark.parametrize(
    "path", sorted(ENGINE.rglob("*.hpp")), ids=lambda path: path.name
)
def test_kernels_do_not_print_and_do_not_know_python(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\bprintf\(|std::c(?:out|err)\b|<iostream>", text)
    if path.name != "python_errors.hpp":
        assert "Python.h" not in text


@pytest.mark.parametrize(
    "path", sorted(BINDINGS.glob("*.pyx")), ids=lambda path: path.name
)
def test_every_binding_has_a_stub(path: Path) -> None:
    assert (PACKAGE / "_core" / f"{path.stem}.pyi").is_file()


def test_nothing_below_the_command_line_prints() -> None:
    for path in sources():
        if topic(path) != "cli":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                is_print = isinstance(node, ast.Name) and node.id == "print"
                assert not is_print, f"{path}:{node.lineno} prints"


def test_every_public_name_is_there() -> None:
    import ngram

    names = set(ngram.__all__) - {"__version__"}
    assert names == set(ngram._MODULES)
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    typed = {
        (alias.name, str(node.module).removeprefix("ngram."))
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("ngram.")
        for alias in node.names
    } - {("__version__", "version")}
    assert typed == set(ngram._MODULES.items())
    for name in ngram.__all__:
        assert getattr(ngram, name) is not None


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import ngram", {"sklearn", "scipy", "click", "rich"}),
        (
            "import ngram; [getattr(ngram, name) for name in ngram.__all__]",
            {"sklearn", "scipy", "click", "rich", "tokenizers", "zstandard", "kenlm"},
        ),
        ("import ngram.cli.group", {"numpy", "rich", "sklearn"}),
    ],
)
def test_importing_needs_little(statement: str, absent: set[str]) -> None:
    code = f"{statement}; import sys; print(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in answer.stdout.split()}
    assert "ngram" in loaded
    assert not loaded & absent
