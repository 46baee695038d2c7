"""Build the compiled core: one Cython binding per topic over the C++17 engine.

The bindings live in `ext/ngram/_core`, the engine (headers only) in `ext/engine`; every
`.pyx` there becomes the module of the same name. Environment: `NGRAM_DEBUG=1` compiles
bounds checks into the bindings and assertions into the engine; `NGRAM_SANITIZE=1` does
the same and adds the address and undefined-behaviour sanitizers.
"""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

SANITIZE = os.environ.get("NGRAM_SANITIZE") == "1"
DEBUG = SANITIZE or os.environ.get("NGRAM_DEBUG") == "1"
VARIANT = "sanitize" if SANITIZE else "debug" if DEBUG else "release"
BUILD = f"build/{VARIANT}"  # variants never share object files
CORES = os.cpu_count() or 1


def compile_args() -> list[str]:
    if sys.platform == "win32":
        return ["/std:c++17", "/O2", "/utf-8", "/EHsc"]
    # No fused multiply-add: float32 results are the same on every machine.
    arguments = ["-std=c++17", "-ffp-contract=off", "-fvisibility=hidden", "-Wall"]
    if not DEBUG:
        return [*arguments, "-O3", "-g0"]
    arguments += ["-O1", "-g", "-D_GLIBCXX_ASSERTIONS", "-UNDEBUG"]
    if SANITIZE:
        arguments += ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    return arguments


def link_args() -> list[str]:
    if sys.platform == "win32":
        return []
    if SANITIZE:
        return ["-pthread", "-fsanitize=address,undefined"]
    strip = sys.platform == "linux" and not DEBUG
    return ["-pthread", "-s"] if strip else ["-pthread"]


HEADERS = sorted(path.as_posix() for path in Path("ext/engine").rglob("*.hpp"))

EXTENSIONS = [
    Extension(
        f"ngram._core.{binding.stem}",
        [binding.as_posix()],
        include_dirs=["ext/engine"],
        depends=HEADERS,
        language="c++",
        extra_compile_args=compile_args(),
        extra_link_args=link_args(),
    )
    for binding in sorted(Path("ext/ngram/_core").glob("*.pyx"))
]

setup(
    ext_modules=cythonize(
        EXTENSIONS,
        include_path=["ext"],
        build_dir=BUILD,
        nthreads=CORES,
        compiler_directives={
            "language_level": 3,
            "boundscheck": DEBUG,
            "wraparound": False,
            "initializedcheck": DEBUG,
            "cdivision": not DEBUG,
            "embedsignature": False,
            "freethreading_compatible": False,
        },
    ),
    options={"build": {"build_base": BUILD}, "build_ext": {"parallel": CORES}},
)
