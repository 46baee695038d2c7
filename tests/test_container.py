"""The model file: what is written is read back, and nothing else is ever accepted."""

import errno
import gzip
import json
import os
import pickle
import zlib

import numpy as np
import pytest

from ngram.container import (
    FORMAT_VERSION,
    VERIFY_UP_TO,
    Written,
    create_container,
    open_container,
    write_container,
)
from ngram.errors import ModelFileError

ARRAYS = {
    "lines": np.arange(64, dtype=np.uint64).reshape(8, 8),
    "odd": np.arange(5, dtype=np.uint8),
    "floats": np.array([0.5, -np.inf, np.nan], dtype=np.float32),
    "empty": np.empty(0, dtype=np.int64),
    "scalar_like": np.array([7], dtype=np.uint32),
}
METADATA = {"structure": "none", "한국어": "설명 \U0001f600"}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.ngram"
    write_container(path, ARRAYS, METADATA)
    return path


def rewrite_header(path, change, *, keep_checksum=False):
    """Write the file again with a header whose JSON text `change` has changed."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = change(content[8 : 8 + length].decode("ascii"))
    header = header.rstrip(" ")
    header += " " * (-(8 + len(header)) % 4096)
    if not keep_checksum:
        key = '"header_crc32":"'
        position = header.index(key) + len(key)
        header = header[:position] + "00000000" + header[position + 8 :]
        crc32 = f"{zlib.crc32(header.encode('ascii')):08x}"
        header = header[:position] + crc32 + header[position + 8 :]
    path.write_bytes(
        len(header).to_bytes(8, "little")
        + header.encode("ascii")
        + content[8 + length :]
    )


def test_arrays_and_metadata_come_back(path):
    container = open_container(path)
    assert container.metadata == METADATA
    assert list(container.arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        read = container.arrays[name]
        assert read.dtype == array.dtype
        assert read.shape == array.shape
        np.testing.assert_array_equal(read, array)


def test_arrays_are_read_only_and_aligned_to_cache_lines(path):
    for array in open_container(path).arrays.values():
        assert not array.flags.writeable
        assert array.size == 0 or array.ctypes.data % 64 == 0


def test_data_begins_at_a_page(path):
    length = int.from_bytes(path.read_bytes()[:8], "little")
    assert (8 + length) % 4096 == 0


def test_the_same_input_gives_the_same_bytes(path, tmp_path):
    write_container(tmp_path / "again", ARRAYS, METADATA)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_the_file_is_a_safetensors_file(path):
    safetensors = pytest.importorskip("safetensors.numpy")
    with safetensors.safe_open(path, framework="numpy") as opened:
        assert opened.metadata()["format"] == "ngram"
        assert set(opened.keys()) == set(ARRAYS)
        for name, array in ARRAYS.items():
            read = opened.get_tensor(name)
            assert read.dtype == array.dtype
            np.testing.assert_array_equal(read[: array.size], array.reshape(-1))


def test_every_array_is_covered_by_a_checksum(path):
    content = bytearray(path.read_bytes())
    base = 8 + int.from_bytes(content[:8], "little")
    for position in range(base, len(content), 7):
        content[position] ^= 0x10
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match="damaged: its CRC-32 is"):
            open_container(path)
        content[position] ^= 0x10


def test_a_changed_byte_of_the_header_is_an_error(path):
    content = bytearray(path.read_bytes())
    length = int.from_bytes(content[:8], "little")
    text = len(content[: 8 + length].rstrip())
    for position in [*range(0, text, 3), text, 8 + length - 1]:
        content[position] ^= 0x01
        path.write_bytes(content)
        with pytest.raises(ModelFileError):
            open_container(path)
        content[position] ^= 0x01


def test_a_file_cut_off_anywhere_is_an_error(path):
    content = path.read_bytes()
    for size in [*range(0, 200), *range(4000, len(content))]:
        path.write_bytes(content[:size])
        with pytest.raises(ModelFileError):
            open_container(path)


def test_a_cut_off_file_says_so(path):
    path.write_bytes(path.read_bytes()[:-64])
    with pytest.raises(
        ModelFileError, match=r"cut off: it has .* bytes and its header"
    ):
        open_container(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ModelFileError, match="cut off: it has 100 bytes"):
        open_container(path)


def test_bytes_after_the_end_are_an_error(path):
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ModelFileError, match="too long"):
        open_container(path)


def test_arrays_are_not_verified_when_told_not_to(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    container = open_container(path, verify=False)
    with pytest.raises(ModelFileError, match="'scalar_like' is damaged"):
        container.verify()


def test_large_files_are_verified_only_on_request(tmp_path):
    path = tmp_path / "large"
    write_container(path, {"large": np.zeros(VERIFY_UP_TO, np.uint8)}, {})
    with open(path, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x01")
    open_container(path)
    with pytest.raises(ModelFileError, match="'large' is damaged"):
        open_container(path, verify=True)


def test_a_file_read_into_memory_may_change(path):
    container = open_container(path, in_memory=True)
    path.write_bytes(b"\xff" * path.stat().st_size)
    np.testing.assert_array_equal(container.arrays["odd"], ARRAYS["odd"])


def test_a_newer_format_names_the_version(path):
    rewrite_header(
        path,
        lambda text: text.replace('"format_version":"1"', '"format_version":"2"', 1),
    )
    with pytest.raises(
        ModelFileError, match=r"format version 2, this release .* version 1"
    ):
        open_container(path)
    assert FORMAT_VERSION == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\n", "text file"),
        (
            b"mmap lm http://kheafield.com/code format version 5\n\0" + bytes(99),
            "KenLM",
        ),
        (gzip.compress(b"\\data\\\n"), "compressed .gzip."),
        (b"\\data\\\nngram 1=3\n", "ngram.read_arpa"),
        (b"# note\n\n\\data\\\nngram 1=3\n", "ngram.read_arpa"),
        ("고양이가 앉았다\n".encode(), "text file"),
        (pickle.dumps({"a": 1}, protocol=4), "pickle"),
        (bytes(4096), "not an n-gram model file"),
    ],
)
def test_other_files_are_recognised(path, content, message):
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=message) as raised:
        open_container(path)
    assert str(path) in str(raised.value)


def test_other_safetensors_files_are_recognised(path):
    header = b'{"weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(ModelFileError, match="safetensors file, but no n-gram model"):
        open_container(path)


def test_a_missing_file_and_a_directory_are_errors(tmp_path):
    with pytest.raises(ModelFileError, match=r"cannot open the model .*No such file"):
        open_container(tmp_path / "missing")
    with pytest.raises(ModelFileError, match="directory"):
        open_container(tmp_path)


def test_an_absurd_header_length_is_an_error(path):
    content = bytearray(path.read_bytes())
    content[:8] = (1 << 62).to_bytes(8, "little")
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="header would have"):
        open_container(path)


def edit(change):
    """Return a function that parses the header, lets `change` edit it, and dumps it."""

    def apply(text):
        header = json.loads(text)
        tensors = json.loads(header["__metadata__"]["tensors"])
        change(header, tensors)
        header["__metadata__"]["tensors"] = json.dumps(tensors)
        return json.dumps(header, separators=(",", ":"))

    return apply


def set_field(name, field, value):
    def change(header, tensors):
        (header if field in header[name] else tensors)[name][field] = value

    return edit(change)


def drop_tensor(header, tensors):
    del header["odd"]


def drop_description(header, tensors):
    del tensors["odd"]


def describe_nothing(header, tensors):
    tensors["ghost"] = tensors["odd"]


def add_field(header, tensors):
    header["odd"]["more"] = 1


def number_in_metadata(header, tensors):
    header["__metadata__"]["note"] = 1


@pytest.mark.parametrize(
    "change",
    [
        set_field("odd", "dtype", "F99"),
        set_field("odd", "dtype", ["U8"]),
        set_field("odd", "shape", [1 << 61]),
        set_field("odd", "shape", [-64]),
        set_field("odd", "shape", [True]),
        set_field("odd", "shape", [64.0]),
        set_field("odd", "shape", "64"),
        set_field("odd", "shape", [8, 8]),
        set_field("odd", "data_offsets", [512, 512]),
        set_field("odd", "data_offsets", [448, 512]),
        set_field("odd", "data_offsets", [576, 512]),
        set_field("odd", "data_offsets", [513, 577]),
        set_field("odd", "data_offsets", [0, 64]),
        set_field("odd", "data_offsets", [10**400, 10**401]),
        set_field("odd", "data_offsets", [512]),
        edit(drop_tensor),
        edit(drop_description),
        edit(describe_nothing),
        edit(add_field),
        edit(number_in_metadata),
        edit(lambda header, tensors: tensors["odd"].update(shape=[65])),
        edit(lambda header, tensors: tensors["odd"].update(shape=[2**40, 2**40])),
        edit(lambda header, tensors: tensors["odd"].update(shape=5)),
        edit(lambda header, tensors: tensors["odd"].update(crc32=5)),
        edit(lambda header, tensors: tensors.update(odd=None)),
        lambda text: text.replace('"odd":{', '"lines":{', 1),
        lambda text: text.replace('"structure":', '"format":', 1),
        lambda text: text.replace('"structure":"none"', '"tensors":"{}"', 1),
        lambda text: text.rstrip()[:-1],
        lambda text: text.rstrip() + "}",
        lambda text: text.replace("[5]", "[" * 100_000, 1),
        lambda text: text.replace('"none"', "NaN", 1),
        lambda text: text.replace('"none"', "[" * 100_000, 1),
        lambda text: text.replace('"none"', "9" * 5000, 1),
    ],
)
def test_a_header_that_does_not_describe_the_file_is_an_error(path, change):
    rewrite_header(path, change)
    with pytest.raises(ModelFileError):
        open_container(path)


def test_a_rewritten_header_that_changes_nothing_is_read(path):
    rewrite_header(path, edit(lambda header, tensors: None))
    assert open_container(path).metadata == METADATA


def test_saving_over_an_open_file_leaves_what_was_opened(path):
    container = open_container(path)
    write_container(path, {"odd": np.zeros(5, np.uint8)}, {})
    np.testing.assert_array_equal(container.arrays["odd"], ARRAYS["odd"])


def test_arrays_written_one_by_one_give_the_same_bytes(path, tmp_path):
    def make(descriptor, offset):
        content = ARRAYS["odd"].tobytes().ljust(64, b"\0")
        os.lseek(descriptor, offset, os.SEEK_SET)
        os.write(descriptor, content)
        return {"odd": Written("U8", (5,), zlib.crc32(content))}

    with create_container(tmp_path / "again", ARRAYS, METADATA) as writer:
        for name, array in ARRAYS.items():
            if name == "odd":
                writer.stream(make)
            else:
                writer.add(name, array)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_an_error_while_arrays_are_written_names_the_file(tmp_path):
    def make(descriptor, offset):
        raise OSError(errno.ENOSPC, "No space left on device")

    with (
        pytest.raises(ModelFileError, match=r"cannot be written: No space.*Free"),
        create_container(tmp_path / "model", ["odd"], {}) as writer,
    ):
        writer.stream(make)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_no_file(tmp_path):
    path = tmp_path / "model"
    with pytest.raises(TypeError, match="'texts' has dtype"):
        write_container(path, {"texts": np.array(["a"])}, {})
    with pytest.raises(TypeError, match="3 dimensions"):
        write_container(path, {"cube": np.zeros((1, 1, 1))}, {})
    with pytest.raises(ValueError, match="'format' belongs to the container"):
        write_container(path, {}, {"format": "mine"})
    with pytest.raises(ValueError, match="surrogates not allowed"):
        write_container(path, {}, {"note": "\udcff"})
    assert list(tmp_path.iterdir()) == []
