"""Attacks through what Keras and HDF5 would read: a network of the registry is never given to them."""

from __future__ import annotations

import base64
import io
import json

import h5py
import numpy as np
from model_attacking import WEIGHTS, attack, bomb, sealed, zipped

EVIL_LAYERS = {
    "Lambda": {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": {
            "name": "evil",
            "function": {
                "class_name": "__lambda__",
                "config": {"code": base64.b64encode(b"\xe3" + bytes(40)).decode(), "defaults": None, "closure": None},
            },
        },
        "registered_name": None,
    },
    "TFSMLayer": {
        "module": "keras.layers",
        "class_name": "TFSMLayer",
        "config": {"name": "evil", "filepath": "/owned", "call_endpoint": "serve"},
        "registered_name": None,
    },
    "TorchModuleWrapper": {
        "module": "keras.layers",
        "class_name": "TorchModuleWrapper",
        "config": {"name": "evil", "module": base64.b64encode(b"\x80\x04cos\nsystem\n(S'touch owned'\ntR.").decode()},
        "registered_name": None,
    },
    "os.system": {
        "module": "keras.layers",
        "class_name": "Activation",
        "config": {
            "name": "evil",
            "activation": {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"},
        },
        "registered_name": None,
    },
    "builtins.exec": {
        "module": "builtins",
        "class_name": "exec",
        "config": {"source": "open('owned','w')"},
        "registered_name": None,
    },
    "enable_unsafe_deserialization": {
        "module": "keras.config",
        "class_name": "enable_unsafe_deserialization",
        "config": {},
        "registered_name": None,
    },
    "get_file": {
        "module": "keras.utils",
        "class_name": "get_file",
        "config": {"fname": "owned", "origin": "http://127.0.0.1:9/owned"},
        "registered_name": None,
    },
    "StringLookup with a path": {
        "module": "keras.layers",
        "class_name": "StringLookup",
        "config": {"name": "evil", "vocabulary": "/etc/passwd", "output_mode": "int"},
        "registered_name": None,
    },
    "a layer called ..": {
        "module": "keras.layers",
        "class_name": "Dense",
        "config": {"name": "..", "units": 2},
        "registered_name": None,
        "build_config": {"input_shape": [None, 192]},
    },
    "20 million units": {
        "module": "keras.layers",
        "class_name": "Dense",
        "config": {"name": "evil", "units": 20_000_000},
        "registered_name": None,
        "build_config": {"input_shape": [None, 192]},
    },
}


def sequential(layer):
    """The configuration of a plain model with *layer* in it."""
    inputs = {
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": {"batch_shape": [None, 8, 8, 3], "dtype": "float32", "name": "pixels"},
        "registered_name": None,
    }
    flat = {"module": "keras.layers", "class_name": "Flatten", "config": {"name": "flat"}, "registered_name": None}
    config = {"name": "evil", "trainable": True, "layers": [inputs, flat, layer]}
    whole = {"module": "keras", "class_name": "Sequential", "config": config, "registered_name": None}
    return json.dumps({**whole, "build_config": {"input_shape": [None, 8, 8, 3]}}).encode()


CONFIGS = {
    **{name: sequential(layer) for name, layer in EVIL_LAYERS.items()},
    "nested a hundred thousand deep": b"[" * 100_000 + b"]" * 100_000,
    "of ten megabytes": b'{"x": "' + b"x" * 10_000_000 + b'"}',
    "of nothing": b"",
    "of no JSON": b"\xff\xfe",
}

for _name, _config in CONFIGS.items():

    @attack(f"configuration: {_name}")
    def _configured(sound, path, config=_config):
        sealed({**sound.members, "config.json": config}, sound.manifest, path)


def hdf5(fill):
    """HDF5 text that *fill* has filled."""
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        fill(file.create_group("layers/dense/vars"))
    return memory.getvalue()


def virtual(group):
    layout = h5py.VirtualLayout((192, 2), "float32")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (192, 2))
    group.create_virtual_dataset("0", layout)


HDF5 = {
    "from another file": lambda group: group.create_dataset(
        "0", (192, 2), "float32", external=[("/etc/passwd", 0, 1536)]
    ),
    "put together from others": virtual,
    "behind a soft link": lambda group: group.__setitem__("0", h5py.SoftLink("/nowhere")),
    "behind a link to another file": lambda group: group.__setitem__("0", h5py.ExternalLink("/etc/passwd", "/")),
    "of 3.6 GB in nothing": lambda group: group.create_dataset(
        "0", (30_000, 30_000), "float32", chunks=(1000, 1000), compression="gzip", fillvalue=1.0
    ),
    "of a shape of 10 TB": lambda group: group.create_dataset("0", (10**6, 10**7), "uint8", chunks=(1000, 1000)),
}

for _name, _fill in HDF5.items():

    @attack(f"HDF5 {_name}, network of the registry", harmless="only numbers")
    def _weights(sound, path, fill=_fill):
        content, offset, weights = hdf5(fill), 64, []
        for dtype, shape, _ in sound.manifest["weights"]:
            weights.append([dtype, shape, offset])
            offset += int(np.prod(shape)) * np.dtype(dtype).itemsize
        sealed({**sound.members, WEIGHTS: content}, {**sound.manifest, "weights": weights}, path)


@attack("HDF5 that is none, where the weights stand")
def _(sound, path):
    content = bytearray(len(sound.members[WEIGHTS]))
    for dtype, shape, offset in sound.manifest["weights"]:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        content[offset : offset + size] = sound.members[WEIGHTS][offset : offset + size]
    sealed({**sound.members, WEIGHTS: bytes(content)}, sound.manifest, path)


@attack("a second set of weights behind the HDF5")
def _(sound, path):
    content, weights = sound.members[WEIGHTS], []
    for dtype, shape, _ in sound.manifest["weights"]:
        weights.append([dtype, shape, len(content)])
        content += np.full(shape, 7, dtype).tobytes()
    sealed({**sound.members, WEIGHTS: content}, {**sound.manifest, "weights": weights}, path)


# Plain Keras reads the configuration and imgclf the registry: what the two are shown must be one network, and saying
# that another version of Keras wrote it is no way round.
OTHER = {
    "an activation missing": lambda layers: layers["conv1"].pop("activation"),
    "every activation missing": lambda layers: [config.pop("activation", None) for config in layers.values()],
    "the size of filters missing": lambda layers: layers["conv1"].pop("kernel_size"),
    "another activation": lambda layers: layers["conv1"].update(activation="tanh"),
    "a rank for fine tuning": lambda layers: layers["logits"].update(lora_rank=1),
    "an input shape of its own": lambda layers: layers["logits"].update(input_shape=[1]),
    "an activation missing in the last layer": lambda layers: layers["probabilities"].pop("activation"),
    "a scale missing": lambda layers: layers["scaling"].pop("scale"),
}

for _name, _change in OTHER.items():

    @attack(f"said to be of another Keras, with {_name}")
    def _other_version(sound, path, change=_change):
        config = json.loads(sound.members["config.json"])
        change({layer["config"]["name"]: layer["config"] for layer in config["config"]["layers"]})
        metadata = {**json.loads(sound.members["metadata.json"]), "keras_version": "3.99.0"}
        members = {"config.json": json.dumps(config).encode(), "metadata.json": json.dumps(metadata).encode()}
        sealed({**sound.members, **members}, sound.manifest, path)


@attack("said to be of another Keras, with a layer of another module")
def _(sound, path):
    config = sound.members["config.json"].replace(b'"module": "keras.layers"', b'"module": "owned"')
    metadata = {**json.loads(sound.members["metadata.json"]), "keras_version": "3.99.0"}
    members = {"config.json": config, "metadata.json": json.dumps(metadata).encode()}
    sealed({**sound.members, **members}, sound.manifest, path)


# Networks of somebody's own: without trust never opened, and with trust still bounded.

DENSE = {
    "module": "keras.layers",
    "class_name": "Dense",
    "config": {"name": "dense", "units": 2, "activation": "softmax", "use_bias": False},
    "registered_name": None,
    "build_config": {"input_shape": [None, 192]},
}


def foreign(sound, config, weights=None):
    """Another program's file."""
    members = {**sound.members, "config.json": config}
    return zipped({**members, WEIGHTS: weights or members[WEIGHTS]}.items())


for _name, _config in CONFIGS.items():

    @attack(f"untrusted, {_name}")
    def _untrusted(sound, path, config=_config):
        return foreign(sound, config)

    @attack(f"trusted, {_name}", trust=True)
    def _trusted(sound, path, config=_config):
        return foreign(sound, config)

    @attack(f"own network, {_name}", trust=True)
    def _own(sound, path, config=_config):
        manifest = {**sound.manifest, "network": None, "weights": []}
        sealed({**sound.members, "config.json": config}, manifest, path)


for _name, _fill in HDF5.items():

    @attack(f"trusted, HDF5 {_name}", trust=True)
    def _trusted_weights(sound, path, fill=_fill):
        return foreign(sound, sequential(DENSE), hdf5(fill))


@attack("trusted, of schema 1 and without a model", trust=True)
def _(sound, path):
    return zipped([("imgclf.json", json.dumps({**sound.manifest, "schema": 1}))])


@attack("trusted, of schema 1 and with a layer that runs code", trust=True)
def _(sound, path):
    manifest = json.dumps({**sound.manifest, "schema": 1})
    return zipped([("imgclf.json", manifest), *{**sound.members, "config.json": CONFIGS["os.system"]}.items()])


@attack("configuration that steers a terminal")
def _(sound, path):
    config = json.loads(sound.members["config.json"])
    config["\x1b[2J\x1b]0;owned\x07"] = "\x1b[2J"
    sealed({**sound.members, "config.json": json.dumps(config).encode()}, sound.manifest, path)


@attack("trusted, HDF5 that goes round in a circle", trust=True)
def _(sound, path):
    return foreign(sound, sequential(DENSE), hdf5(lambda group: group.__setitem__("again", group.file["/"])))


@attack("trusted, a bomb of 1 GB", trust=True)
def _(sound, path):
    return bomb([(WEIGHTS, 1 << 30)], sound)


@attack("trusted, five bombs of 200 MB", trust=True)
def _(sound, path):
    return bomb([(f"assets/{n}.bin", 200 << 20) for n in range(5)], sound)
