import contextlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sketchseek.errors import SketchseekError
from sketchseek.evaluation.vectors import npz as vectors
from sketchseek.evaluation.vectors.npz import check_pair, load_vectors

GOOD: dict[str, Any] = {"vectors": np.eye(3, 4, dtype=np.float32), "labels": np.array(["bat", "cow", "bat"])}


def save(folder: Path, name: str = "v.npz", **arrays: Any) -> Path:
    path = folder / name
    np.savez(path, **{key: value for key, value in (GOOD | arrays).items() if value is not None})
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    found = load_vectors(
        save(tmp_path, instances=np.array([1, 2, 3]), names=np.array(["a", "b", "c"]), more=np.zeros(9))
    )
    assert np.array_equal(found.vectors, GOOD["vectors"])
    assert found.labels.tolist() == ["bat", "cow", "bat"]
    assert found.instances is not None
    assert found.instances.tolist() == [1, 2, 3]
    assert found.row(1) == "row 1 (b)"
    assert len(found) == 3


def test_compressed_files_bytes_and_small_numbers_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "v.npz"
    np.savez_compressed(path, vectors=np.eye(3, dtype=np.float16), labels=np.array([b"bat", b"c\xc3\xb4w", b"bat"]))
    assert load_vectors(path).labels.tolist() == ["bat", "côw", "bat"]
    assert load_vectors(save(tmp_path, labels=np.array([1, 2, 1], np.uint8))).labels.dtype == np.int64


def with_row(row: list[float]) -> Any:
    return np.array([[1, 0, 0, 0], row, [0, 1, 0, 0]], np.float32)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"vectors": None}, "no array 'vectors'"),
        ({"labels": None}, "no array 'labels'"),
        ({"vectors": with_row([0, float("nan"), 0, 0])}, "row 1 .* holds NaN or infinity"),
        ({"vectors": with_row([0, float("-inf"), 0, 0])}, "row 1 .* holds NaN or infinity"),
        ({"vectors": with_row([0, 0, -0.0, 0])}, "row 1 .* is all zeros"),
        ({"vectors": with_row([0, 0, 0, 0]), "names": np.array(["a", "bat/7.png", "c"])}, r"row 1 \(bat/7.png\)"),
        ({"vectors": np.ones(3)}, r"float64 of shape \(3,\)"),
        ({"vectors": np.ones((3, 2, 2))}, r"shape \(3, 2, 2\)"),
        ({"vectors": np.ones((0, 4)), "labels": np.array([], np.int64)}, "not empty"),
        ({"vectors": np.ones((3, 0))}, "not empty"),
        ({"vectors": np.ones((3, 4), np.complex64)}, "must be real numbers"),
        ({"vectors": np.full((3, 4), "1.0")}, "must be real numbers"),
        ({"labels": np.array(["bat", "cow"])}, "'labels' .* one for each of the 3 vectors"),
        ({"labels": np.array([["bat"], ["cow"], ["bat"]])}, r"shape \(3, 1\)"),
        ({"labels": np.array([0.0, 1.0, 0.0])}, "'labels' .* whole numbers or words"),
        ({"labels": np.array([1, 2, 2**63], np.uint64)}, "2\\^63 or more"),
        ({"labels": np.array([b"bat", b"\xff", b"bat"])}, "not UTF-8"),
        ({"labels": np.array([1, 0x110000, 3], np.uint32).view("U1")}, "not UTF-8"),
        ({"labels": np.array([1, 0xD800, 3], np.uint32).view("U1")}, "not UTF-8"),
        ({"labels": np.array(["bat", None, 3], object)}, "Python objects"),
        ({"instances": np.array([1])}, "'instances'"),
        ({"names": np.array([1, 2, 3])}, "'names' .* must be words"),
    ],
)
def test_a_bad_array_is_one_clear_sentence(arrays: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = save(tmp_path, **arrays)
    with pytest.raises(SketchseekError, match=said) as caught:
        load_vectors(path)
    assert str(path) in str(caught.value)


def damaged(path: Path, where: int) -> bytes:
    content = bytearray(path.read_bytes())
    content[where] ^= 0xFF
    return bytes(content)


def test_a_bad_file_is_one_clear_sentence(tmp_path: Path) -> None:
    good = save(tmp_path)
    path = tmp_path / "bad.npz"
    with pytest.raises(SketchseekError, match="there is no file"):
        load_vectors(path)
    with pytest.raises(SketchseekError, match="there is no file"):
        load_vectors(tmp_path)
    array = io.BytesIO()
    np.save(array, np.eye(3))
    for content in (b"", b"hello", array.getvalue(), good.read_bytes()[:-30]):
        path.write_bytes(content)
        with pytest.raises(SketchseekError, match=r"is not an \.npz file"):
            load_vectors(path)
    # A changed byte in the data of an array does not match its checksum.
    path.write_bytes(damaged(good, good.read_bytes().index(b"\x93NUMPY") + 140))
    with pytest.raises(SketchseekError, match="is damaged"):
        load_vectors(path)


def test_any_changed_byte_is_read_alike_or_refused_in_one_sentence(tmp_path: Path) -> None:
    good = save(tmp_path)
    path = tmp_path / "bad.npz"
    for where in range(0, good.stat().st_size, 3):
        path.write_bytes(damaged(good, where))
        with contextlib.suppress(SketchseekError):
            assert np.array_equal(load_vectors(path).vectors, GOOD["vectors"])


def member(shape: str, data: bytes) -> bytes:
    """An .npy file with any header."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


@pytest.mark.parametrize("shape", ["(3, 1000000000000)", "(3, 10**9)", "(-3, 4)", "'x'", "(" * 250 + ")" * 250])
def test_a_header_that_lies_is_refused(shape: str, tmp_path: Path) -> None:
    path = tmp_path / "lie.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("vectors.npy", member(shape, bytes(48)))
    with pytest.raises(SketchseekError, match="damaged"):
        load_vectors(path)


def zipped(path: Path, content: bytes, compression: int = zipfile.ZIP_STORED) -> Path:
    """An archive whose arrays all have this content."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name in ("vectors", "labels"):
            archive.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize("content", [b"", b"hello", b"\x93NUMPY", b"\x93NUMPY\x09\x00" + bytes(200), b"PK\x03\x04" * 9])
def test_a_member_that_is_no_array_is_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(SketchseekError, match=r"bad\.npz cannot be read, it is damaged"):
        load_vectors(zipped(tmp_path / "bad.npz", content))


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_that_numpy_never_writes_is_refused(compression: int, tmp_path: Path) -> None:
    with pytest.raises(SketchseekError, match=r"compressed in an unusual way; write it with numpy\.savez"):
        load_vectors(zipped(tmp_path / "odd.npz", member("(3, 4)", np.eye(3, 4, dtype="<f4").tobytes()), compression))


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300), header=st.text(max_size=120))
def test_arrays_of_any_content_end_in_one_sentence(content: bytes, header: str, tmp_path: Path) -> None:
    path = tmp_path / "any.npz"
    head = header.encode("latin-1", "replace")
    lying = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + content
    for data in (content, lying):
        with pytest.raises(SketchseekError, match=r"any\.npz"):
            load_vectors(zipped(path, data))


def test_a_file_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, vectors=np.ones((1000, 1000)), labels=np.zeros(1000, np.int64))
    assert path.stat().st_size < 50_000
    monkeypatch.setattr(vectors, "MAX_BYTES", 1_000_000)
    monkeypatch.setattr(np.lib.format, "read_array", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(SketchseekError, match="more than the limit"):
        load_vectors(path)


def test_sets_that_cannot_be_compared(tmp_path: Path) -> None:
    words = load_vectors(save(tmp_path, "words.npz"))
    for arrays, by_instances, said in (
        ({"vectors": np.ones((3, 5))}, False, "words.npz have size 4 and those of .*other.npz size 5"),
        ({"labels": np.array([1, 2, 1])}, False, "'labels' are words in .*words.npz and numbers in .*other.npz"),
        ({"labels": np.array(["a", "b", "c"])}, False, "no label in common"),
        ({"instances": np.array(["a", "b", "c"])}, True, "words.npz has no array 'instances'"),
    ):
        other = load_vectors(save(tmp_path, "other.npz", **arrays))
        with pytest.raises(SketchseekError, match=said):
            check_pair(words, other, instances=by_instances)
    check_pair(words, words, instances=False)
