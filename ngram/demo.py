"""Give text to try the package on, with nothing to download.

Input is what an installation already has: for English the docstrings of the standard
library and the language reference that `pydoc` shows (both parsed, never imported or
executed), for Korean two small files of sentences in `ngram/data`. Output is, per
language, a list of training sentences and a list of held-out sentences, tokens
separated by blanks. Read `ngram/text.py` next, where sentences become tokens.
"""

import ast
import os
import re
import sysconfig
import warnings
import zlib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from ngram.errors import InputError

# Tests, tables, generated files and programs hold little prose.
SKIPPED_FOLDERS = frozenset(
    {
        "__pycache__",
        "config",
        "dist-packages",
        "encodings",
        "idle_test",
        "idlelib",
        "lib-dynload",
        "lib2to3",
        "pydoc_data",
        "site-packages",
        "test",
        "tests",
        "turtledemo",
    }
)
TOPICS_FILE = "pydoc_data/topics.py"
# One file or topic in so many is held out.
HELD_OUT_SHARE = 20
MIN_TOKENS, MAX_TOKENS = 3, 60
MIN_WORD_SHARE = 0.7

BLANK_LINE = re.compile(r"\n[ \t]*\n")
# Doctests, grammar rules, table borders, and columns set apart by three blanks.
NOT_PROSE = re.compile(r"^\s*>>>|::=|^\s*[+|]|\S {3,}\S", re.MULTILINE)
HEADING = re.compile(r"^.*\n\s*([*=~^\"#-])\1{2,}\s*$", re.MULTILINE)
# A list item, a field, or a described name starts a new piece of text.
ITEM = re.compile(
    r"^[ \t]*(?:[-*•o] +|\(?\d+[.)] +|:\w[^:\n]*:\s+|[\w.*]+ +--? +)", re.MULTILINE
)
MARKUP = (
    (re.compile(r":[\w:+-]+:`~?([^`<]*?)(?:\s*<[^`]*>)?`"), r"\1"),
    (re.compile(r"``([^`]*)``"), r"\1"),
    (re.compile(r"`([^`<]*?)(?:\s*<[^`]*>)?`_{0,2}"), r"\1"),
    (re.compile(r"(?<![\w*])(\*{1,2})([^*\s](?:[^*]*[^*\s])?)\1(?![\w*])"), r"\2"),
    (re.compile(r" ?\[\d+\]_?"), ""),
    (re.compile(r"\(\)"), ""),
    (re.compile("[\"`“”]|''"), ""),
    (re.compile("’"), "'"),
)
SENTENCE_END = re.compile(
    r"(?<!e\.g\.)(?<!i\.e\.)(?<!vs\.)(?:(?<=[.!?])|(?<=[.!?]\)))\s+(?=[A-Z(])"
)
SENTENCE = re.compile(r"\(?[A-Z][^\n]*[.!?]\)?")
TOKEN = re.compile(r"e\.g\.|i\.e\.|\w+(?:[.'-]\w+)*|\.{3}|--|[^\w\s]")
WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*")


def english_corpus() -> tuple[list[str], list[str]]:
    """Return English sentences from the Python installation, for training and testing.

    The text is the docstrings of the standard library and the language reference in
    `pydoc_data`. It is lower case, with punctuation as tokens of its own, and without
    code, headings and markup. No sentence occurs twice. Whole files and whole topics
    are held out, chosen by a checksum of their names, so one installation always gives
    the same sentences; another Python version gives slightly different ones.

    Returns
    -------
    train : list of str
        About 19 in 20 parts of the text.
    held_out : list of str
        The rest, without sentences that are also in `train`.

    Raises
    ------
    InputError
        If the installation has no Python sources, as some embedded ones do.

    Examples
    --------
    >>> train, held_out = english_corpus()
    >>> len(train) > 10_000 > len(held_out) > 100
    True
    """
    library = Path(sysconfig.get_paths()["stdlib"])
    parts: tuple[list[str], list[str]] = ([], [])
    for name, text in _texts(library):
        is_held_out = zlib.crc32(name.encode()) % HELD_OUT_SHARE == 0
        parts[is_held_out].extend(_sentences(text))
    if not parts[0]:
        raise InputError(
            f"no docstrings found under {library}: this Python installation has no "
            "source files of the standard library. Use another installation, or train "
            "on a text of your own."
        )
    train = dict.fromkeys(parts[0])
    held_out = dict.fromkeys(parts[1])
    return list(train), [sentence for sentence in held_out if sentence not in train]


def korean_corpus() -> tuple[list[str], list[str]]:
    """Return Korean sentences about everyday life, for training and testing.

    Tokens are what blanks separate (eojeol); there is no punctuation. The sentences
    were written for this package.

    Returns
    -------
    train : list of str
        More than a thousand sentences.
    held_out : list of str
        Every twenty-third sentence of the same collection, none of them in `train`.

    Notes
    -----
    No 5-gram occurs exactly three times, so the closed form of the modified Kneser-Ney
    discounts is undefined for order 5. It is defined for orders up to 4.

    Examples
    --------
    >>> train, held_out = korean_corpus()
    >>> "길가에 꽃이 피었다" in train, len(held_out)
    (True, 60)
    """
    return _lines("korean.txt"), _lines("korean.held_out.txt")


def _lines(name: str) -> list[str]:
    data = resources.files("ngram").joinpath("data", name)
    return data.read_text(encoding="utf-8").splitlines()


def _texts(library: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and text of every docstring and every topic, in a fixed order.

    All docstrings of a file carry the file's name.
    """
    for path in _source_files(library):
        name = path.relative_to(library).as_posix()
        for text in _docstrings(path.read_bytes()):
            yield name, text
    for topic, text in _topics(library / TOPICS_FILE):
        yield f"{TOPICS_FILE}:{topic}", text


def _source_files(library: Path) -> list[Path]:
    paths = []
    for folder, folders, names in os.walk(library):
        folders[:] = [
            name for name in folders if name not in SKIPPED_FOLDERS and "-" not in name
        ]
        paths += [Path(folder, name) for name in names if name.endswith(".py")]
    # Distributions link to files outside the library, which may be absent.
    return sorted(path for path in paths if path.is_file())


def _docstrings(source: bytes) -> Iterator[str]:
    # A docstring worth reading has several lines; most files without one are tables.
    if b'"""' not in source and b"'''" not in source:
        return
    for node in _definitions(_parsed(source)):
        text = ast.get_docstring(node)
        if text:
            yield text


def _parsed(source: bytes) -> ast.Module:
    """Return the syntax tree of a file, an empty one if it is not valid Python.

    A template or a broken file is no loss to a demonstration.
    """
    with warnings.catch_warnings():
        # Old escapes in the library's strings are not this package's to report.
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError):
            return ast.Module(body=[], type_ignores=[])


def _definitions(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield a module, its classes and their functions, in the order of the source.

    Definitions inside `if` and `try` are left out: `ast.walk` would find them, but
    visits every expression and takes longer than parsing.
    """
    yield node
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _definitions(child)


def _topics(path: Path) -> list[tuple[str, str]]:
    """Return the entries of the dictionary `topics`, or none if there is no such."""
    if not path.is_file():
        return []
    for node in _parsed(path.read_bytes()).body:
        value = getattr(node, "value", None)
        if not isinstance(value, ast.Dict):
            continue
        try:
            entries = ast.literal_eval(value)
        except ValueError:
            continue
        return sorted(
            (name, text)
            for name, text in entries.items()
            if isinstance(name, str) and isinstance(text, str)
        )
    return []


def _sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a documentation text that read as prose."""
    for paragraph in _paragraphs(text):
        for item in ITEM.split(paragraph):
            for piece in SENTENCE_END.split(_without_markup(item)):
                if SENTENCE.fullmatch(piece) and "://" not in piece:
                    tokens = TOKEN.findall(piece.lower())
                    if _is_prose(tokens):
                        yield " ".join(tokens)


def _without_markup(text: str) -> str:
    for pattern, replacement in MARKUP:
        text = pattern.sub(replacement, text)
    return " ".join(text.split())


def _paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of a text without code and headings.

    A paragraph ending in two colons announces code: what follows and is indented
    deeper belongs to it.
    """
    code_indent: int | None = None
    for paragraph in BLANK_LINE.split(HEADING.sub("\n", text)):
        lines = paragraph.strip("\n")
        indent = len(lines) - len(lines.lstrip())
        if code_indent is not None and indent > code_indent:
            continue
        code_indent = indent if lines.rstrip().endswith("::") else None
        if not NOT_PROSE.search(lines):
            yield lines


def _is_prose(tokens: list[str]) -> bool:
    if not MIN_TOKENS <= len(tokens) <= MAX_TOKENS:
        return False
    n_words = sum(WORD.fullmatch(token) is not None for token in tokens)
    return n_words >= max(MIN_TOKENS, MIN_WORD_SHARE * len(tokens))
