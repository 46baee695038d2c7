"""A drop-in for the package `kenlm`: its names, signatures and numbers.

Input: an ARPA file, plain or compressed; a binary file of KenLM (probing, trie, with
quantisation and array compression); or a model file of this package. Output: `Model`
with the methods of `kenlm.Model`, whose results are equal to the bit. Binary files of
KenLM are mapped and asked where they lie, all kinds: a probing file holds hashes of
its n-grams instead of their words, so it could not be read into anything else. ARPA
files and ours are asked through our own table, which compares n-grams exactly.
`install` makes `import kenlm` mean this module; `build_binary` writes KenLM's files.
What differs from the package, and what there is besides, is listed in
`docs/kenlm.md`.
"""

import mmap
import os
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ngram._core.kenlm import (
    FullScoreReturn,
    KenlmModel,
    Query,
    State,
    build,
    is_kenlm,
)
from ngram._core.model import Table
from ngram.arpa import parse_parts
from ngram.container import is_container
from ngram.errors import InputError, ModelFileError, NgramError
from ngram.files import atomic_output, check_output
from ngram.model import Model as NativeModel
from ngram.threads import thread_count

__all__ = [
    "ARPALoadComplain",
    "BinaryOptions",
    "Config",
    "FullScoreReturn",
    "LanguageModel",
    "LoadMethod",
    "Model",
    "Query",
    "State",
    "build_binary",
    "install",
]

Progress = Callable[[str, int, int], object]

HEAD = 4096  # bytes that tell what a file is


class LoadMethod:
    """How a binary file comes into memory; values of `Config.load_method`.

    `LAZY` and `POPULATE_OR_LAZY` map the file, `POPULATE_OR_READ` maps it and asks the
    system to read it at once, `READ` and `PARALLEL_READ` copy it into memory.
    """

    LAZY = 0
    POPULATE_OR_LAZY = 1
    POPULATE_OR_READ = 2
    READ = 3
    PARALLEL_READ = 4


class ARPALoadComplain:
    """Values of `Config.arpa_complain`, which has no effect: nothing is printed."""

    ALL = 0
    EXPENSIVE = 1
    NONE = 2


class Config:
    """How to open a model.

    Attributes
    ----------
    load_method : int
        One of `LoadMethod`; by default `POPULATE_OR_READ`.
    show_progress : bool
        Without effect: nothing is printed.
    arpa_complain : int
        Without effect: nothing is printed.
    """

    def __init__(self) -> None:
        self._load_method = LoadMethod.POPULATE_OR_READ
        self._show_progress = True
        self._arpa_complain = ARPALoadComplain.ALL

    @property
    def load_method(self) -> int:
        return self._load_method

    @load_method.setter
    def load_method(self, to: int) -> None:
        self._load_method = _integer("load_method", to)

    @property
    def show_progress(self) -> bool:
        return self._show_progress

    @show_progress.setter
    def show_progress(self, to: object) -> None:
        self._show_progress = bool(to)

    @property
    def arpa_complain(self) -> int:
        return self._arpa_complain

    @arpa_complain.setter
    def arpa_complain(self, to: int) -> None:
        self._arpa_complain = _integer("arpa_complain", to)


def _integer(name: str, value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{name} is an integer, not {type(value).__name__}")
    return value


class Model(KenlmModel):
    """A language model with the interface of `kenlm.Model`.

    Parameters
    ----------
    path : str, bytes or path-like
        An ARPA file, also compressed (gzip, bzip2, xz, zstandard); a binary file of
        KenLM; or a model file of this package. The text of a sentence is always split
        at blanks, whatever tokenizer a model of ours was trained with.
    config : Config, optional
        Only `load_method` has an effect, and only on binary files.

    Attributes
    ----------
    path : bytes
        The file, absolute.
    order : int
        Length of the longest n-grams.

    Raises
    ------
    ModelFileError
        An `OSError`: if the file cannot be read, is damaged, or is no model.

    Examples
    --------
    >>> import ngram.kenlm as kenlm
    >>> model = kenlm.Model("model.arpa")  # doctest: +SKIP
    >>> model.score("a rose is a rose", bos=True, eos=True)  # doctest: +SKIP
    -2.154902
    """

    path: bytes

    def __init__(
        self,
        path: str | bytes | os.PathLike[str] | os.PathLike[bytes],
        config: Config | None = None,
    ) -> None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            raise TypeError(f"Cannot convert {type(path)} to string")
        if not isinstance(config, (Config, type(None))):
            raise TypeError(f"config is a Config, not {type(config).__name__}")
        self.path = os.path.abspath(os.fsencode(path))
        try:
            self._open(os.fsdecode(self.path), (config or Config()).load_method)
        except (NgramError, OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise ModelFileError(f"Cannot read model '{path!s}' ({reason})") from error

    def _open(self, path: str, load_method: int) -> None:
        head = b""
        if stat.S_ISREG(os.stat(path).st_mode):
            with open(path, "rb") as file:
                head = file.read(HEAD)
        if is_kenlm(head):
            self._use_file(_bytes_of(path, load_method))
        elif is_container(head):
            read = load_method in (LoadMethod.READ, LoadMethod.PARALLEL_READ)
            native = NativeModel.load(path, in_memory=read)
            self._use_table(native.in_structure("bucketed").table, native.vocabulary)
        else:
            ngrams, vocabulary, lacked = parse_parts(path)
            table = Table.build(ngrams, thread_count(None), None, consume=True)
            self._use_table(table, vocabulary, lacked["rows"])

    def __repr__(self) -> str:
        return f"<Model from {os.path.basename(self.path)!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Model, (self.path,)


class LanguageModel(Model):
    """The old name of `Model`."""


def _bytes_of(path: str, load_method: int) -> memoryview:
    """Return the bytes of a file, mapped or read."""
    with open(path, "rb") as file:
        if load_method in (LoadMethod.READ, LoadMethod.PARALLEL_READ):
            return memoryview(file.read())
        if load_method == LoadMethod.POPULATE_OR_READ and hasattr(mmap, "MAP_POPULATE"):
            flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
            return memoryview(
                mmap.mmap(file.fileno(), 0, flags=flags, prot=mmap.PROT_READ)
            )
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


@dataclass(frozen=True)
class BinaryOptions:
    """What a binary file of KenLM is to hold, and how.

    Parameters
    ----------
    structure : {"probing", "trie"}, default="probing"
        Hash tables, or a trie, which is smaller and slower.
    multiplier : float, default=1.5
        Places of a hash table per entry; above 1.
    prob_bits, backoff_bits : int, default=8
        Bits of a quantised value, 1 to 25.
    pointer_bits : int, default=22
        Most bits of a pointer that go to an array.
    quantised, compressed : bool, default=False
        Whether values of a trie are quantised, which changes them, and whether its
        pointers are compressed.
    spelled : bool, default=True
        Whether the file spells its words; without, it only knows them when it is asked.
    """

    structure: str = "probing"
    multiplier: float = 1.5
    prob_bits: int = 8
    backoff_bits: int = 8
    pointer_bits: int = 22
    quantised: bool = False
    compressed: bool = False
    spelled: bool = True

    def __post_init__(self) -> None:
        if self.structure not in ("probing", "trie"):
            raise InputError(
                f"structure is 'probing' or 'trie', not {self.structure!r}."
            )
        if self.structure == "probing" and (self.quantised or self.compressed):
            raise InputError(
                "hash tables can neither be quantised nor compressed: choose the "
                "structure 'trie'."
            )
        if not 1 < self.multiplier <= 1e6:
            raise InputError(f"multiplier is above 1, not {self.multiplier}.")
        for name in ("prob_bits", "backoff_bits"):
            if not 1 <= getattr(self, name) <= 25:
                raise InputError(f"{name} is from 1 to 25, not {getattr(self, name)}.")
        if not 0 <= self.pointer_bits <= 255:
            raise InputError(f"pointer_bits is from 0 to 255, not {self.pointer_bits}.")

    def as_kernel(self) -> dict[str, Any]:
        """Return the options as the engine takes them."""
        kinds = {
            (False, False): self.structure,
            (True, False): "quant",
            (False, True): "array",
            (True, True): "quant-array",
        }
        return {
            "kind": kinds[self.quantised, self.compressed],
            "multiplier": self.multiplier,
            "prob_bits": self.prob_bits,
            "backoff_bits": self.backoff_bits,
            "pointer_limit": self.pointer_bits,
            "has_words": self.spelled,
        }


def build_binary(
    arpa: str | os.PathLike[str],
    path: str | os.PathLike[str],
    options: BinaryOptions | None = None,
    *,
    unk_log10_prob: float = -100.0,
    markers_needed: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Write a model as a binary file of KenLM, for programs that read nothing else.

    Tries are byte for byte those of `build_binary`; hash tables too, unless the ARPA
    file lacked n-grams that were added. The whole file is in memory while it is built.

    Parameters
    ----------
    arpa : path-like
        An ARPA file, also compressed.
    path : path-like
        The file to write. It appears when it is complete.
    options : BinaryOptions, optional
    unk_log10_prob : float, default=-100
        What `<unk>` gets if the ARPA file lacks it.
    markers_needed : bool, default=False
        Whether a file without `<s>` or `</s>` is an error.
    threads : int, default=None
        By default, all processors. The bytes do not depend on it.
    progress : callable(stage, done, total), default=None

    Raises
    ------
    InputError
        If the text is not ARPA, or its order is 1, which KenLM does not know.
    ModelFileError
        If the file cannot be written.
    """
    check_output(path, compressible=False)
    ngrams, vocabulary, lacked = parse_parts(
        arpa, unk_log10_prob=unk_log10_prob, threads=threads, progress=progress
    )
    if markers_needed and (lacked["bos"] or lacked["eos"]):
        raise InputError(
            f"{os.fspath(arpa)}: the 1-grams lack {'<s>' if lacked['bos'] else '</s>'}."
        )
    content = build(
        ngrams,
        vocabulary,
        lacked["rows"],
        thread_count(threads),
        progress,
        **(options or BinaryOptions()).as_kernel(),
    )
    with atomic_output(path) as sink:
        sink.write(content)


def install() -> None:
    """Make `import kenlm` mean this module, for code that cannot be changed.

    Call it before that code is imported. Calling it again is fine.

    Raises
    ------
    InputError
        If the package `kenlm` was imported already: its users would keep it.

    Examples
    --------
    >>> import ngram.kenlm
    >>> ngram.kenlm.install()  # doctest: +SKIP
    >>> import kenlm  # doctest: +SKIP
    """
    module = sys.modules[__name__]
    if sys.modules.get("kenlm", module) is not module:
        raise InputError(
            "the package kenlm was imported already, and its users keep it: call "
            "ngram.kenlm.install() before that."
        )
    sys.modules["kenlm"] = module
