"""Weights are found in Keras's HDF5 by their bytes, and read back without HDF5."""

from __future__ import annotations

import io
import zipfile

import h5py
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from imgclf.weights import DTYPES, Place, array_at, check_extent, check_hdf5, check_places, fits, places_of, set_weights


class Odd(layers.Layer):
    """Weights of every shape and type that there is."""

    def build(self, shape):
        self.scalar = self.add_weight(shape=(), initializer="ones", name="scalar")
        self.none = self.add_weight(shape=(0, 3), initializer="zeros", name="none")
        self.count = self.add_weight(shape=(2,), dtype="int32", initializer="ones", trainable=False, name="count")
        self.half = self.add_weight(shape=(3,), dtype="float16", initializer="ones", name="half")
        self.deep = self.add_weight(shape=(1, 2, 1, 2, 3), initializer="glorot_uniform", name="deep")

    def call(self, x):
        return x * self.scalar


def model(*parts):
    pixels = keras.Input((4, 4, 3))
    x = layers.Flatten()(pixels)
    for part in parts:
        x = part(x)
    return keras.Model(pixels, x)


def hdf5(network, tmp_path):
    network.save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        return archive.read("model.weights.h5")


def test_every_weight_is_found_and_comes_back(tmp_path):
    keras.utils.set_random_seed(0)
    network = model(Odd(), layers.Dense(3), layers.BatchNormalization(), layers.Dense(3))
    content = hdf5(network, tmp_path)
    places = check_places([place.to_list() for place in places_of(network, content)], len(content))
    assert fits(network, places) is None
    assert {(), (0, 3), (1, 2, 1, 2, 3)} <= {place.shape for place in places}
    wanted = network.get_weights()
    network.set_weights([np.zeros_like(weight) for weight in wanted])
    set_weights(network, places, content)
    for weight, before in zip(network.get_weights(), wanted, strict=True):
        assert (weight.dtype, weight.shape) == (before.dtype, before.shape)
        assert (weight == before).all()


def test_what_is_not_there_is_not_guessed(tmp_path):
    """Weights that changed since, and a file that holds more than the weights."""
    network = model(layers.Dense(3))
    content = hdf5(network, tmp_path)
    network.set_weights([weight + 1 for weight in network.get_weights()])
    assert places_of(network, content) is None
    network.compile("adam", "mse")
    network.fit(np.zeros((2, 4, 4, 3)), np.zeros((2, 3)), verbose=0)
    assert places_of(network, hdf5(network, tmp_path)) is None


def test_a_weight_may_stand_there_twice(tmp_path):
    pixels = keras.Input((4, 4, 3))
    network = keras.Model(pixels, layers.SpectralNormalization(layers.Conv2D(2, 3))(pixels))
    content = hdf5(network, tmp_path)
    places = places_of(network, content)
    assert fits(network, places) is None
    for weight, place in zip(network.get_weights(), places, strict=True):
        assert (array_at(place, content) == weight).all()


def test_hdf5_ends_where_it_says(tmp_path):
    content = hdf5(model(layers.Dense(3)), tmp_path)
    check_extent(content)
    with h5py.File(tmp_path / "later.h5", "w", libver="latest") as file:
        file["x"] = np.ones(3)
    check_extent((tmp_path / "later.h5").read_bytes())
    with h5py.File(tmp_path / "user.h5", "w", userblock_size=512) as file:
        file["x"] = np.ones(3)
    for wrong in (content + b"\0", content[:-1], bytes(len(content)), b"", content[:20], bytes(512) + content):
        with pytest.raises(ValueError, match="own head go from|no HDF5"):
            check_extent(wrong)
    with pytest.raises(ValueError, match="no HDF5"):
        check_extent((tmp_path / "user.h5").read_bytes())


@settings(max_examples=200, deadline=None)
@given(
    places=st.lists(
        st.tuples(
            st.sampled_from([*DTYPES, "object", "U9"]),
            st.lists(st.integers(-1, 9), max_size=3),
            st.integers(-5, 150),
        ).map(list),
        max_size=4,
    )
)
def test_an_index_that_passes_cuts_arrays_that_share_nothing(places):
    try:
        passed = check_places(places, 120)
    except ValueError:
        return
    taken = np.zeros(120, int)
    for place in passed:
        array = array_at(place, bytes(120))
        assert (array.shape, str(array.dtype)) == (place.shape, place.dtype)
        assert 0 <= place.offset <= place.end <= 120
        taken[place.offset : place.end] += 1
    assert taken.max(initial=0) <= 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "a list"),
        ([["float32", [1], 0]] * 20_001, "a list of at most"),
        ([["float32", [2], 0], ["float32", [2], 4]], "share the bytes at 4"),
        ([["float32", [2], 95]], "ends at 103, behind the 100 bytes"),
        ([["float32", [True], 0]], "weight 0 is"),
        ([["float32", [1 << 40, 1 << 40], 0]], "weight 0 is"),
        ([["object", [1], 0]], "weight 0 is"),
        ([["float32", [1]]], "not described"),
    ],
)
def test_a_bad_index_is_said(content, said):
    with pytest.raises(ValueError, match=said):
        check_places(content, 100)


def test_another_network_is_told_by_its_weights():
    network = model(layers.Dense(3))
    right = (Place("float32", (48, 3), 0), Place("float32", (3,), 576))
    assert fits(network, right) is None
    assert "2 weights and the file 1" in fits(network, right[:1])
    assert "in the network and float64 (3,) in the file" in fits(network, (right[0], Place("float64", (3,), 576)))
    assert "in the network and float32 (3, 48)" in fits(network, (Place("float32", (3, 48), 0), right[1]))


def made(fill):
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        fill(file.create_group("g"))
    return memory.getvalue()


def test_hdf5_that_leads_elsewhere_or_swells_is_refused():
    check_hdf5(made(lambda group: group.create_dataset("x", data=np.ones(9))))
    layout = h5py.VirtualLayout((4,), "float32")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
    for said, fill in (
        ("another file", lambda group: group.create_dataset("x", (4,), external=[("/etc/passwd", 0, 16)])),
        ("another file", lambda group: group.create_virtual_dataset("x", layout)),
        ("a link", lambda group: group.__setitem__("x", h5py.SoftLink("/g"))),
        ("a link", lambda group: group.__setitem__("x", h5py.ExternalLink("other.h5", "/"))),
        ("second name", lambda group: group.__setitem__("x", group)),
        ("unpack to", lambda group: group.create_dataset("x", (10**5, 10**5), chunks=(10**3, 10**3))),
    ):
        with pytest.raises(ValueError, match=said):
            check_hdf5(made(fill))
    with pytest.raises(ValueError, match="no HDF5"):
        check_hdf5(b"\x89HDF\r\n\x1a\n")
