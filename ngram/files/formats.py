"""Formats: what a file is, by its first bytes.

Input: the beginning of a file. Output: whether it is ARPA, a file of this package or a
text; and for what is no text a sentence that says what it is and what to do. Read
`streams.py` next.
"""

import codecs
import re

from ngram.errors import InputError
from ngram.files.compression import compression

__all__ = ["check_text", "is_arpa", "is_container", "is_counts"]

# What a text is not, by its first bytes.
OTHER_FORMATS = {
    b"mmap lm http://kheafield.com/code": (
        "a binary model of KenLM. Pass the text it was trained on"
    ),
    b"PK\x03\x04": "a zip archive. Unpack it first",
    b"%PDF-": "a PDF document. Extract its text first, for example with pdftotext",
    b"PAR1": "a Parquet table. Write its text column to a file with a line for each "
    "text, or pass it in Python as an iterable of str",
    b"\x93NUMPY": "a NumPy array. Write a text, or pass (ids, offsets, vocabulary) in "
    "Python",
}
BYTE_ORDER_MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
ARPA_HEADER = re.compile(rb"^[ \t]*\\data\\\s+ngram[ \t]+\d+[ \t]*=", re.MULTILINE)
# Characters that are rare in text, for the recognition of UTF-16.
UNUSUAL = re.compile(
    "[^\\t\\n\\r -~\u00a0-\u06ff\u0900-\u0e7f\u1100-\u11ff\u1e00-\u1fff\u2010-\u2027"
    "\u2030-\u205e\u20a0-\u20bf\u3000-\u30ff\u3131-\u318e\u4e00-\u9fff\uac00-\ud7a3"
    "\uff00-\uffef]"
)


def is_arpa(head: bytes) -> bool:
    """Return whether a file that begins with `head` is ARPA; text may stand before."""
    return head.lstrip().startswith(b"\\data\\") or bool(ARPA_HEADER.search(head))


def is_container(head: bytes) -> bool:
    """Return whether a file that begins with `head` may be one of ours: binary."""
    return head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < 100_000_000


def is_counts(head: bytes) -> bool:
    """Return whether a file that begins with `head` is one of counts."""
    return is_container(head) and b'"content":"counts"' in head[:256]


def check_text(head: bytes, name: str, *, binary: bool = False) -> None:
    """Raise InputError if a file that begins with `head` is not a text.

    Parameters
    ----------
    head : bytes
        The first bytes, some thousand if there are as many.
    name : str
        Of the file, for the message.
    binary : bool
        Any bytes will do, so the encoding is not checked.
    """
    for magic, what in OTHER_FORMATS.items():
        if head.startswith(magic):
            raise InputError(f"{name}: this is {what}.")
    if is_arpa(head):
        raise InputError(
            f"{name}: this is an ARPA model, not a text. Pass it as the model: convert "
            "it with `ngram convert`, or read it with ngram.read_arpa(path)."
        )
    if is_counts(head):
        raise InputError(
            f"{name}: this is a file of counts, not a text. Train from it: "
            "`ngram train --from-counts`, or ngram.train(ngram.Counts.load(path))."
        )
    if is_container(head):
        raise InputError(
            f"{name}: this is a model file (safetensors), not a text. Pass it "
            "as the model, or open it with ngram.load(path)."
        )
    if compression(head):
        raise InputError(f"{name}: this is compressed twice. Decompress it first.")
    if binary:
        return
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            raise _encoding_error(name, encoding)
    if len(head) >= 16 and head.count(0) * 3 > len(head):
        # Latin letters have one NUL each in UTF-16, three in UTF-32.
        wide = head.count(0) * 2 > len(head)
        raise _encoding_error(name, "UTF-32" if wide else "UTF-16")
    for encoding in ("UTF-16LE", "UTF-16BE"):
        if _is_utf16(head, encoding):
            raise _encoding_error(name, encoding)


def _is_utf16(head: bytes, encoding: str) -> bool:
    """Return whether bytes are surely UTF-16, of any script and without a mark.

    They make no text as UTF-8; most of the bytes of blanks and line ends are halves of
    blanks and line ends of 16 bits; and nearly all characters are of a known script.
    """
    if len(head) < 16 or _is_utf8_text(head):
        return False
    units = memoryview(head[: len(head) // 2 * 2])
    low, high = (0, 1) if encoding == "UTF-16LE" else (1, 0)
    halves = zip(units[low::2], units[high::2], strict=True)
    blanks = sum(value in b" \n" and top == 0 for value, top in halves)
    if not blanks or 2 * blanks < head.count(b" ") + head.count(b"\n"):
        return False
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return False
    return len(UNUSUAL.findall(text)) <= 0.05 * len(text)


def _is_utf8_text(head: bytes) -> bool:
    """Return whether bytes are UTF-8, perhaps cut, with few control characters."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    controls = sum(
        "\0" < character < "\t" or "\r" < character < " " for character in text
    )
    return 8 * controls < len(text)


def _encoding_error(name: str, encoding: str) -> InputError:
    return InputError(
        f"{name}: this text is encoded in {encoding}; it must be UTF-8. Convert it: "
        f"iconv -f {encoding} -t UTF-8 {name} > converted.txt"
    )
