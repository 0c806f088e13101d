from __future__ import annotations

import math

import numpy as np
import pytest

from imgclf.errors import FileError
from imgclf.state_file import read_state, write_state

ARRAYS = {
    "model/0": np.arange(12, dtype=np.float32).reshape(3, 4),
    "model/1": np.array(7, np.int64),
    "model/2": np.zeros((0, 3), np.uint32),
    "a b/é": np.array([True, False]),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
}
RECORD = {"step": 3, "best": -math.inf, "history": {"loss": [1.5, math.nan]}, "text": "é\n"}


def test_a_state_comes_back_bit_by_bit(tmp_path):
    path = tmp_path / "state-00000003.npz"
    write_state(path, RECORD, ARRAYS)
    record, arrays = read_state(path)
    assert math.isnan(record["history"]["loss"].pop())
    assert record == {**RECORD, "history": {"loss": [1.5]}}
    assert list(arrays) == list(ARRAYS)
    for name, array in arrays.items():
        assert (array.dtype, array.shape) == (ARRAYS[name].dtype, ARRAYS[name].shape)
        assert (array == ARRAYS[name]).all()


def test_types_that_numpy_lacks_keep_their_bits(tmp_path):
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    values = np.array([1.5, -2, 3e38], bfloat16)
    write_state(tmp_path / "a.npz", {}, {"a": values})
    assert (read_state(tmp_path / "a.npz")[1]["a"].view(bfloat16) == values).all()


def test_every_flipped_bit_and_every_cut_is_noticed(tmp_path):
    path = tmp_path / "a.npz"
    write_state(path, {"step": 1}, {"a": np.arange(5.0)})
    whole = path.read_bytes()
    unnoticed = 0
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            record, arrays = read_state(path)
        except FileError:
            continue
        unnoticed += 1  # dates and the like: what counts is as it was
        assert record == {"step": 1}
        assert (arrays["a"] == np.arange(5.0)).all()
    assert unnoticed < len(whole) / 3
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(FileError, match="is damaged: .*; the state before it serves"):
            read_state(path)


def test_nothing_is_unpickled(tmp_path):
    path = tmp_path / "a.npz"
    with path.open("wb") as file:
        np.savez(file, record=np.array([{"a": 1}], dtype=object), sha256=np.zeros(32, np.uint8))
    with pytest.raises(FileError, match="is damaged"):
        read_state(path)
