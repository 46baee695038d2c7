"""Inputs of any compression, and outputs that are complete or absent."""

import bz2
import errno
import gzip
import io
import lzma
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ngram.errors import InputError, MissingDependencyError, ModelFileError
from ngram.files import atomic_output, check_output, open_input

zstandard = pytest.importorskip("zstandard")

COMPRESS = {
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": zstandard.compress,
}
# Random bytes do not compress, and repetition does more than one block's worth.
DATA = os.urandom(1 << 16) + b"a rose is a rose \xff\n" * 80_000 + os.urandom(99)

posix = pytest.mark.skipif(os.name != "posix", reason="devices and modes of POSIX")
suffixes = pytest.mark.parametrize("suffix", COMPRESS)


def content(path: Path) -> bytes:
    with open_input(path) as stream:
        return b"".join(stream.blocks())


def others(directory: Path, *names: str) -> list[str]:
    return sorted(set(os.listdir(directory)) - set(names))


# ---- inputs


@suffixes
def test_compressed_input_reads_as_what_was_compressed(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(COMPRESS[suffix](DATA))
    assert content(path) == DATA


@suffixes
def test_several_members_read_as_one_input(tmp_path: Path, suffix: str) -> None:
    compress = COMPRESS[suffix]
    path = tmp_path / "a"
    path.write_bytes(compress(b"one\n") + compress(b"") + compress(DATA))
    assert content(path) == b"one\n" + DATA


@suffixes
def test_compression_is_told_by_content_not_by_name(
    tmp_path: Path, suffix: str
) -> None:
    packed = tmp_path / "a.txt"
    packed.write_bytes(COMPRESS[suffix](b"text\n"))
    plain = tmp_path / f"b{suffix}"
    plain.write_bytes(b"plain\n")
    assert content(packed) == b"text\n"
    assert content(plain) == b"plain\n"


@suffixes
@pytest.mark.parametrize("kept", [0.5, 0.999, 12])
def test_truncated_input_is_an_error_that_names_the_file(
    tmp_path: Path, suffix: str, kept: float
) -> None:
    packed = COMPRESS[suffix](DATA)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(packed[: int(kept if kept > 1 else kept * len(packed))])
    with pytest.raises(InputError, match=rf"a\{suffix}: .*damaged or incomplete"):
        content(path)


@suffixes
def test_data_after_the_compressed_data_is_an_error(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / "a"
    path.write_bytes(COMPRESS[suffix](DATA) + b"garbage")
    with pytest.raises(InputError, match="other data follows"):
        content(path)


def test_padding_after_gzip_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(b"x") + b"\0" * 512)
    assert content(path) == b"x"


def test_bzh_begins_a_text_unless_a_block_follows(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"BZh9 is how bzip2 begins\n")
    assert content(path) == b"BZh9 is how bzip2 begins\n"


def test_empty_input_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"")
    assert content(path) == b""


def test_an_open_file_stays_open() -> None:
    file = io.BytesIO(gzip.compress(b"x"))
    with open_input(file) as stream:
        assert stream.read() == b"x"
    assert not file.closed


def test_input_works_with_buffered_readers(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"one\ntwo\n"))
    with io.BufferedReader(open_input(path)) as stream:
        assert stream.readlines() == [b"one\n", b"two\n"]


def test_dash_is_stdin() -> None:
    code = "from ngram.files import open_input; print(open_input('-').read())"
    result = subprocess.run(
        [sys.executable, "-c", code],
        input=gzip.compress(b"hi"),
        capture_output=True,
        check=True,
    )
    assert result.stdout.strip() == b"b'hi'"


@posix
def test_a_pipe_is_an_input(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(DATA,))
    writer.start()
    assert content(path) == DATA
    writer.join()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.txt", "missing.txt: there is no such file"),
        (".", "this is a directory"),
        ("a\0b", "cannot be opened"),
    ],
)
def test_unusable_paths_are_input_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        open_input(name)


@pytest.mark.parametrize("source", [3, None, io.StringIO("text")])
def test_only_paths_and_binary_files_are_inputs(source: object) -> None:
    with pytest.raises(InputError, match="path or a file opened in binary mode"):
        open_input(source)  # type: ignore[arg-type]


def test_zstandard_without_its_library_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zst"
    path.write_bytes(zstandard.compress(b"x"))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(MissingDependencyError, match=r"ngram-engine\[zstd\]"):
        content(path)
    with (
        pytest.raises(MissingDependencyError, match=r"ngram-engine\[zstd\]"),
        atomic_output(tmp_path / "b.zst"),
    ):
        pass
    assert others(tmp_path) == ["a.zst"]


# ---- outputs


@pytest.mark.parametrize("suffix", ["", ".txt", *COMPRESS])
def test_output_reads_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    with atomic_output(path) as sink:
        sink.write(DATA[: 1 << 20])
        sink.write(DATA[1 << 20 :])
    assert content(path) == DATA
    assert others(tmp_path, path.name) == []
    if suffix in COMPRESS:
        assert path.stat().st_size < len(DATA) // 2


def test_compressed_output_depends_on_content_alone(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        with atomic_output(tmp_path / name) as sink:
            sink.write(b"x")
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


@posix
def test_the_next_output_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    path = tmp_path / "a [1].txt"
    code = (
        "import os, signal, sys; from ngram.files import atomic_output\n"
        "with atomic_output(sys.argv[1]) as sink:\n"
        "    sink.write(bytes(1 << 21))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, path], check=False)
    assert len(others(tmp_path)) == 1
    like_ours = [".a [1].txt.0123.tmp", ".a 1.txt.0123456789abcdef.tmp"]
    for name in like_ours:
        (tmp_path / name).touch()
    with atomic_output(path) as sink:
        sink.write(b"x")
    assert others(tmp_path, path.name) == sorted(like_ours)


@posix
def test_outputs_of_one_name_do_not_remove_each_other(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with atomic_output(path) as one, atomic_output(path) as other:
        one.write(b"one")
        other.write(b"other")
    assert path.read_bytes() == b"one"  # closed last
    assert others(tmp_path, path.name) == []


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_output_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException], suffix: str
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")
    with pytest.raises(error):  # noqa: PT012, SIM117
        with atomic_output(path) as sink:
            sink.write(DATA)
            raise error
    assert path.read_bytes() == b"old"
    assert others(tmp_path, path.name) == []


def test_output_appears_only_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with atomic_output(path) as sink:
        sink.write(b"x")
        assert not path.exists()
    assert path.read_bytes() == b"x"


def test_a_full_disk_is_an_error_that_names_the_path_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    path = tmp_path / "a.arpa"
    with (
        pytest.raises(ModelFileError, match=r"a\.arpa: .*[Nn]o space left.*Free"),
        atomic_output(path) as sink,
    ):
        sink.write(b"x")
    assert others(tmp_path) == []


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("size", [1, 10 << 20])
def test_a_full_device_is_an_error_that_names_it(size: int) -> None:
    with (
        pytest.raises(ModelFileError, match=r"/dev/full: .*No space left"),
        atomic_output("/dev/full") as sink,
    ):
        sink.write(b"x" * size)


@posix
def test_devices_are_written_directly() -> None:
    before = os.stat("/dev/null")
    with atomic_output("/dev/null") as sink:
        sink.write(b"x")
    assert os.stat("/dev/null").st_ino == before.st_ino


@posix
@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1"])
def test_stdout_continues_where_it_is(tmp_path: Path, name: str) -> None:
    code = (
        "import sys; from ngram.files import atomic_output\n"
        "print('before')\n"
        f"with atomic_output({name!r}) as sink: sink.write(b'text\\n')\n"
        "print('after')"
    )
    path = tmp_path / "out"
    path.write_bytes(b"first\n")
    with path.open("ab") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    expected = {b"first", b"before", b"text", b"after"}
    assert set(path.read_bytes().split()) == expected
    assert path.read_bytes().startswith(b"first\n")


@posix
def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to(target)
    with atomic_output(link) as sink:
        sink.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


@posix
def test_a_replaced_file_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with atomic_output(path) as sink:
        sink.write(b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_output_into_a_missing_directory_says_so(tmp_path: Path) -> None:
    with (
        pytest.raises(ModelFileError, match="Create the directory first"),
        atomic_output(tmp_path / "no" / "a"),
    ):
        pass


def test_output_onto_a_directory_says_so(tmp_path: Path) -> None:
    with (
        pytest.raises(ModelFileError, match="is a directory"),
        atomic_output(tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "no name"),
        ("no/a", "no/a: .*Create the directory first"),
        ("folder", "folder: this is a directory"),
        ("a/", "a/: this names a directory"),
        ("file/a", "file/a: cannot be written: Not a directory"),
        ("x" * 300, "cannot be written: File name too long"),
        ("model.GZ", "model.GZ: a model.*does not end in .GZ"),
    ],
)
def test_an_output_is_checked_before_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").touch()
    with pytest.raises(ModelFileError, match=message):
        check_output(name, compressible=False)


@pytest.mark.parametrize("name", ["-", "new", "file", "a.gz", os.devnull])
def test_the_check_of_a_possible_output_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("content")
    check_output(name)
    assert others(tmp_path) == ["file"]
    assert Path("file").read_text() == "content"


@posix
@pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() == 0, reason="root writes everywhere"
)
def test_an_output_in_a_directory_that_is_not_writable(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ModelFileError, match="Choose a directory"):
        check_output(tmp_path / "a")
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("path", [3, None, "a\0b"])
def test_only_paths_are_outputs(path: object) -> None:
    with (
        pytest.raises(InputError, match="an output is a path"),
        atomic_output(path),  # type: ignore[arg-type]
    ):
        pass
