"""Files at the edge: inputs of any compression, outputs that are complete or absent.

Read in this order: `compression.py`, `formats.py` (what a file is, by its first bytes),
`streams.py` (inputs and outputs). Read `ngram/text.py` next, which reads corpora.
"""

from ngram.files.compression import SUFFIXES, compression, zstandard
from ngram.files.formats import check_text, is_arpa, is_container, is_counts
from ngram.files.streams import (
    STANDARD_OUTPUTS,
    STDIN,
    STDOUT,
    InputStream,
    atomic_output,
    check_output,
    is_file_output,
    open_input,
    write_error,
)

__all__ = [
    "STANDARD_OUTPUTS",
    "STDIN",
    "STDOUT",
    "SUFFIXES",
    "InputStream",
    "atomic_output",
    "check_output",
    "check_text",
    "compression",
    "is_arpa",
    "is_container",
    "is_counts",
    "is_file_output",
    "open_input",
    "write_error",
    "zstandard",
]
