"""Attacks on ``imgclf.json``: as text, and in what it says."""

from __future__ import annotations

import json

from model_attacking import attack, said, sealed

TEXTS = {
    "nested a hundred thousand deep": lambda text: b"[" * 100_000 + b"]" * 100_000,
    "nested a hundred deep": lambda text: text.replace(
        b'"provenance": {', b'"provenance": {"x": ' + deep(100) + b",", 1
    ),
    "a key twice": lambda text: text.replace(b'"schema": 2', b'"schema": 2,\n "schema": 2', 1),
    "NaN": lambda text: text.replace(b'"schema": 2', b'"schema": NaN', 1),
    "1e999": lambda text: text.replace(b'"schema": 2', b'"schema": 1e999', 1),
    "a number of 5,000 digits": lambda text: text.replace(b'"schema": 2', b'"schema": ' + b"9" * 5000, 1),
    "no UTF-8": lambda text: text.replace(b'"schema"', b'"sch\xffma"', 1),
    "UTF-16": lambda text: text.decode().encode("utf-16"),
    "half a character": lambda text: text.replace(b'"top"', b'"\\ud800"', 1),
    "other spaces": lambda text: text.replace(b"\n", b"\n\n"),
    "a list": lambda text: b"[]",
    "no JSON": lambda text: b"{",
    "nothing": lambda text: b"",
    "null": lambda text: b"null",
    "six megabytes of it": lambda text: b'{"x": [' + b"[]," * 2_000_000 + b"[]]}",
    "three megabytes of brackets": lambda text: b"[" + b"{},\n" * 750_000 + b"{}]",
}


def deep(levels):
    return b"[" * levels + b"]" * levels


for _name, _change in TEXTS.items():

    @attack(f"manifest: {_name}")
    def _text(sound, path, change=_change):
        sealed(sound.members, change(json.dumps(sound.manifest, indent=1, ensure_ascii=False).encode()), path)


SAID = {
    "a later schema": {"schema": 99},
    "schema 0": {"schema": 0},
    "schema 1 without its form": {"schema": 1},
    "schema -1": {"schema": -1},
    "schema in text": {"schema": "2"},
    "schema true": {"schema": True},
    "schema 2.0": {"schema": 2.0},
    "no schema": {"schema": None},
    "a key too many": {"run": "rm -rf"},
    "one class": {"class_names": ["top"]},
    "three classes for two": {"class_names": ["top", "bottom", "middle"]},
    "a class twice": {"class_names": ["top", "top"]},
    "classes that are numbers": {"class_names": [0, 1]},
    "classes that are lists": {"class_names": [["top"], ["bottom"]]},
    "classes in one text": {"class_names": "top"},
    "a class without a name": {"class_names": ["", "bottom"]},
    "a class with control characters": {"class_names": ["\x1b[2Jtop", "bottom"]},
    "a class of two lines": {"class_names": ["top\nbottom", "bottom"]},
    "a class of a megabyte": {"class_names": ["x" * 1_000_000, "bottom"]},
    "200,000 classes": {"class_names": [str(number) for number in range(200_000)]},
    "provenance in text": {"provenance": "somewhere"},
    "pictures of a billion pixels": {"spec.image_size": [31623, 31623], "network.input_shape": [31623, 31623, 3]},
    "pictures of 10^30 pixels": {"spec.image_size": [10**15, 10**15]},
    "pictures of no pixels": {"spec.image_size": [0, 8]},
    "pictures of true pixels": {"spec.image_size": [True, 8]},
    "pictures of half pixels": {"spec.image_size": [8.5, 8]},
    "pictures of negative size": {"spec.image_size": [-8, -8]},
    "pictures of three axes": {"spec.image_size": [8, 8, 3]},
    "pictures that the network does not take": {"spec.image_size": [9, 9]},
    "a colour mode of its own": {"spec.color_mode": "cmyk"},
    "a colour mode that is a list": {"spec.color_mode": ["rgb"]},
    "a fit of its own": {"spec.fit": "eval"},
    "no spec": {"spec": None},
    "no network, but weights": {"network": None},
    "a network in text": {"network": "small_cnn"},
    "a network that nobody registered": {"network.name": "resnet9000"},
    "a network called by a path": {"network.name": "../../etc/passwd"},
    "a network called by a list": {"network.name": ["small_cnn"]},
    "another network": {"network.name": "mnist_cnn", "network.options": {}},
    "an option that is none": {"network.options": {"backdoor": 1}},
    "an option called by no name": {"network.options": {"a b": 1}},
    "an option called pixels": {"network.options.pixels": 1},
    "20 million units": {"network.options.dense": 20_000_000},
    "two billion filters": {"network.options.filters": [2_000_000_000]},
    "10^18 filters": {"network.options.filters": [10**18]},
    "a million layers": {"network.options.filters": [1] * 1_000_000},
    "a hundred layers": {"network.options.filters": [1] * 100},
    "negative filters": {"network.options.filters": [-2]},
    "filters in text": {"network.options.filters": ["2"]},
    "filters in a table": {"network.options.filters": {"__class__": "os"}},
    "filters that are true": {"network.options.filters": [True]},
    "filters nested": {"network.options.filters": [[[[[[2]]]]]]},
    "a share of 2": {"network.options.dropout": 2.0},
    "a share of 10^300": {"network.options.dropout": 1e300},
    "an option of a megabyte": {"network.options.dropout": "x" * 1_000_000},
    "a head of its own": {"network.head": "linear"},
    "the other head": {"network.head": "softmax"},
    "a sigmoid for three": {"network.num_classes": 3, "class_names": ["a", "b", "c"]},
    "a billion classes": {"network.num_classes": 10**9},
    "true classes": {"network.num_classes": True},
    "a policy of its own": {"network.policy": "int8"},
    "another policy": {"network.policy": "float64"},
    "an input of two axes": {"network.input_shape": [8, 8]},
    "an input of no pixels": {"network.input_shape": [0, 8, 3]},
    "a key of the network too many": {"network.code": "import os"},
    "weights in a table": {"weights": {}},
    "no weights": {"weights": []},
    "a million weights": {"weights": [["float32", [1], 0]] * 20_001},
    "a weight too few": {"weights": lambda weights: weights[:-1]},
    "a weight too many": {"weights": lambda weights: [*weights, ["float32", [0], 0]]},
    "weights in another order": {"weights": lambda weights: weights[::-1]},
    "a weight that is text": {"weights": lambda weights: ["float32", *weights[1:]]},
    "a weight of two parts": {"weights": lambda weights: [weights[0][:2], *weights[1:]]},
}
FIRST = {  # the first weight's type, shape and offset
    "at a negative offset": (0, 0, -8),
    "at the end": (0, 0, 1 << 20),
    "at 2^70": (0, 0, 1 << 70),
    "at true": (0, 0, True),
    "at 8.0": (0, 0, 8.0),
    "at a text": (0, 0, "8"),
    "at null": (0, 0, None),
    "of 10^12 numbers": (0, [10**6, 10**6], 0),
    "of 2^62 numbers times none": (0, [1 << 62, 0], 0),
    "of true axes": (0, [True, 2], 0),
    "of negative axes": (0, [-1, -8], 0),
    "of 64 axes": (0, [1] * 64, 0),
    "of half an axis": (0, [1.5], 0),
    "of a shape in text": (0, "12", 0),
    "of objects": ("object", 0, 0),
    "of gigabytes each": ("V1000000000", 0, 0),
    "of a structure": ("[('a', '<i4')]", 0, 0),
    "of dates": ("datetime64[s]", 0, 0),
    "of numbers twice as long": ("float64", 0, 0),
    "of whole numbers": ("int32", 0, None),
    "of a type in a list": (["float32"], 0, 0),
    "that is another's": (0, 0, "second"),
}


def first(change):
    def weights(before):
        entry = [new if new != 0 else old for new, old in zip(change, before[0], strict=True)]
        if change[2] == "second":
            entry[2] = before[1][2]
        if change == ("int32", 0, None):
            entry[2] = before[0][2]
        return [entry, *before[1:]]

    return {"weights": weights}


SAID |= {f"a first weight {name}": first(change) for name, change in FIRST.items()}


for _name, _changes in SAID.items():

    @attack(f"manifest with {_name}")
    def _said(sound, path, changes=_changes):
        sealed(sound.members, said(sound.manifest, changes), path)


@attack("classes called by paths", harmless=True)
def _(sound, path):
    sealed(sound.members, said(sound.manifest, {"class_names": ["../../owned", "/owned"]}), path)


@attack("classes called by programs", harmless=True)
def _(sound, path):
    sealed(
        sound.members, said(sound.manifest, {"class_names": ["<script>alert(1)</script>", '=cmd|"/C calc"!A0']}), path
    )


@attack("a key of the manifest missing")
def _(sound, path):
    sealed(sound.members, {key: value for key, value in sound.manifest.items() if key != "provenance"}, path)
