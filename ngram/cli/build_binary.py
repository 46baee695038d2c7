"""`ngram build_binary`: the command line of KenLM's build_binary.

Options, output and exit statuses follow build_binary, not the other commands: help on
stderr with status 1. `docs/kenlm.md` lists what differs.
"""

import getopt
import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from ngram.cli.lmplz import ABORTED, UNITS, Arguments, say
from ngram.errors import InputError, NgramError

if TYPE_CHECKING:
    from ngram.kenlm import BinaryOptions

HELP = """\
Usage: ngram build_binary [OPTIONS] [probing|trie] ARPA [OUTPUT]

  Write a binary file of KenLM, as KenLM's build_binary does. Without OUTPUT, estimate
  the memory that each kind of file takes. `ngram convert` makes model files of this
  package, which are smaller than hash tables. What differs is listed in docs/kenlm.md.

  probing     Hash tables (the default): the fastest, and the largest.
  trie        A trie: smaller and slower.

  -p NUMBER   Places of a hash table per entry, above 1.  [default: 1.5]
  -q BITS     Quantise probabilities of a trie, 1 to 25 bits.
  -b BITS     Bits of quantised back-offs.  [default: those of -q]
  -a BITS     Compress pointers of a trie; at most so many bits of each go to an array.
  -u NUMBER   log10 probability of <unk>, if the ARPA file lacks it.  [default: -100]
  -s          Take models without <s> or </s>.
  -v          Do not spell the words in the file.
  -i, -w mmap|after, -T PREFIX, -S SIZE
              Accepted and not used.
  -r FILES    Rest costs: not possible, an error."""

SIZE = re.compile(rf"([0-9]+\.?[0-9]*|\.[0-9]+)[{UNITS}k%]?")


class UsageError(Exception):
    """A command line that build_binary would refuse."""


@click.command(
    "build_binary",
    cls=Arguments,
    short_help="Write KenLM's binary files, as its build_binary.",
)
def command(arguments: list[str]) -> int:
    """Write a binary file of KenLM, with the options of its build_binary."""
    try:
        options, files = getopt.gnu_getopt(arguments, "q:b:a:u:p:t:T:m:S:w:sir:vh")
    except getopt.GetoptError as error:
        say(f"Error: {error}.\n{HELP}")
        return 1
    given = dict(options)
    if "-h" in given or not 1 <= len(files) <= 3:
        say(HELP)
        return 1
    if given.get("-w", "after") not in ("mmap", "after"):
        say(HELP)
        return 1
    if "-b" in given and "-q" not in given:
        say("Error: -b quantises back-offs only together with -q. Add -q.")
        return ABORTED
    structure = files.pop(0) if len(files) == 3 else "probing"
    if structure not in ("probing", "trie"):
        say(HELP)
        return 1
    try:
        run(structure, files, given)
    except (NgramError, UsageError) as error:
        say(f"Error: {error}")
        say("ERROR")
        return 1
    return 0


def run(structure: str, files: list[str], given: dict[str, str]) -> None:
    """Build, or estimate."""
    from ngram.kenlm import BinaryOptions, build_binary

    if "-S" in given and not SIZE.fullmatch(given["-S"]):
        raise UsageError(f"-S is a size such as 64M, 4G or 80%, not '{given['-S']}'.")
    if "-r" in given:
        raise UsageError("rest costs (-r) cannot be built. Leave the option out.")
    prob_bits = whole(given, "-q", 8)
    options = BinaryOptions(
        structure if len(files) == 2 else "probing",
        multiplier=number(given, "-p", 1.5),
        prob_bits=prob_bits,
        backoff_bits=whole(given, "-b", prob_bits),
        pointer_bits=min(whole(given, "-a", 22), 255),
        quantised="-q" in given and len(files) == 2,
        compressed="-a" in given and structure == "trie" and len(files) == 2,
        spelled="-v" not in given,
    )
    unk_log10_prob = number(given, "-u", -100)
    if len(files) == 1:
        say("\n".join(estimate(arpa_counts(files[0]), options)))
        return
    if unk_log10_prob > 0:
        raise UsageError(f"-u is a log10 probability, at most 0, not {given['-u']}.")
    build_binary(
        files[0],
        files[1],
        options,
        unk_log10_prob=unk_log10_prob,
        markers_needed="-s" not in given,
    )
    say("SUCCESS")


def whole(given: dict[str, str], name: str, default: int) -> int:
    if name not in given:
        return default
    if not given[name].isdecimal():
        raise UsageError(f"{name} is a whole number, not '{given[name]}'.")
    return int(given[name])


def number(given: dict[str, str], name: str, default: float) -> float:
    try:
        value = float(given.get(name, default))
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise UsageError(f"{name} is a number, not '{given[name]}'.")
    return value


def arpa_counts(path: str) -> list[int]:
    """Return how many n-grams the header of an ARPA file declares, order by order."""
    import io

    from ngram.files import open_input

    counts: list[int] = []
    with open_input(path) as stream, io.BufferedReader(stream) as lines:
        for line in lines:
            declared = re.fullmatch(rb"ngram\s+(\d+)\s*=\s*(\d+)\s*", line)
            if declared and int(declared[1]) == len(counts) + 1:
                counts.append(int(declared[2]))
            elif line.startswith(b"\\") and counts:
                break
    if not counts:
        raise InputError(f"{path}: this is not ARPA: no line says 'ngram 1='.")
    if len(counts) == 1:
        raise InputError(f"{path}: KenLM's files hold models of order 2 and more.")
    return counts


def estimate(counts: list[int], options: "BinaryOptions") -> Iterable[str]:
    """Return the lines that say how large each kind of file would be."""
    from ngram._core.kenlm import file_bytes

    numbers = options.as_kernel()
    quantised = f"-q {options.prob_bits} -b {options.backoff_bits}"
    pointers = f"-a {options.pointer_bits}"
    multiplier = f"-p {options.multiplier:g}"
    both = "array pointer compression and quantization"
    rows = [
        ("probing", "probing", f"assuming {multiplier}"),
        ("probing", "rest", f"assuming -r models {multiplier}"),
        ("trie", "trie", "without quantization"),
        ("trie", "quant", f"assuming {quantised} quantization "),
        ("trie", "array", f"assuming {pointers} array pointer compression"),
        ("trie", "quant-array", f"assuming {pointers} {quantised} {both}"),
    ]
    sizes = [file_bytes(counts, **{**numbers, "kind": kind}) for _, kind, _ in rows]
    step = next((i for i in range(3) if min(sizes) < 10 << 10 * (i + 1)), 3)
    divisor = 1 << 10 * step
    width = max(2, math.ceil(math.log10(max(sizes) / divisor)))
    yield "Memory estimate for binary LM:"
    yield f"type    {' kMG'[step]:>{width - 1}}B"
    for (name, _, note), size in zip(rows, sizes, strict=True):
        yield f"{name:<8}{size // divisor:>{width}} {note}"
