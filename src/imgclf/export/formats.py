"""The formats of export: how each is written, and read again by the program that will run it."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ..images import Pixels
from .card import NAME
from .serving import INPUT, OUTPUT, Serving

Answer = Callable[[Pixels], npt.NDArray[np.float32]]
"""uint8 ``(n, h, w, c)`` → float32 ``(n, classes)``."""

SAVED_MODEL = "saved_model.pb"
"""The file that every SavedModel holds."""

_EXTRA = "assets.extra"  # TensorFlow's own name for what others add to a SavedModel


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        title: As its makers write it.
        ending: Of its files; empty for a folder.
        packages: What must be installed beside TensorFlow.
        write: ``write(serving, path, card)`` writes a file or fills a folder.
        open: The written file as a function, run by the program that the format is for.
    """

    title: str
    ending: str
    packages: tuple[str, ...]
    write: Callable[[Serving, Path, dict[str, Any]], None]
    open: Callable[[Path], Answer]


def write_onnx(serving: Serving, path: Path, card: dict[str, Any]) -> None:
    """ONNX; names and card stand in its ``metadata_props``, which every runtime can read."""
    import onnx

    with _quiet():
        serving.export(path, format="onnx", input_signature=serving.signature, verbose=False)
    model = onnx.load(path)
    _rename_output(model.graph)
    for value, axes in ((model.graph.input[0], ("n", "height", "width")), (model.graph.output[0], ("n",))):
        for axis, name in enumerate(axes):
            value.type.tensor_type.shape.dim[axis].dim_param = name
    texts = {"class_names": json.dumps(card["class_names"], ensure_ascii=False), NAME: _text(card)}
    onnx.helper.set_model_props(model, texts)
    onnx.save(model, path)


def _rename_output(graph: Any) -> None:
    before = graph.output[0].name
    for node in graph.node:
        for at, name in enumerate(node.output):
            if name == before:
                node.output[at] = OUTPUT
        for at, name in enumerate(node.input):
            if name == before:
                node.input[at] = OUTPUT
    graph.output[0].name = OUTPUT


def open_onnx(path: Path) -> Answer:
    """The file in ONNX Runtime, on the processor."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: np.asarray(session.run([OUTPUT], {INPUT: images})[0])


def write_litert(serving: Serving, path: Path, card: dict[str, Any]) -> None:
    """LiteRT (``.tflite``), with ``labels.txt`` and the card appended as a zip archive.

    That is how TensorFlow Lite's metadata carry files; readers of the graph do not see them, readers of zips do.
    """
    with _quiet():
        serving.export(path, format="litert", input_signature=serving.signature, verbose=False)
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in (("labels.txt", "\n".join(card["class_names"]) + "\n"), (NAME, _text(card))):
            archive.writestr(zipfile.ZipInfo(name), text)  # of 1980: the same classifier gives the same bytes


def open_litert(path: Path) -> Answer:
    """The file in LiteRT's interpreter, on the processor."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(path))

    def answer(images: Pixels) -> npt.NDArray[np.float32]:
        place = runner.get_input_details()[0]["index"]
        runner.resize_tensor_input(place, images.shape)
        runner.allocate_tensors()
        runner.set_tensor(place, images)
        runner.invoke()
        return np.array(runner.get_tensor(runner.get_output_details()[0]["index"]))

    return answer


def write_saved_model(serving: Serving, path: Path, card: dict[str, Any]) -> None:
    """SavedModel, with the endpoints ``serve`` and ``serving_default``; the card lies in ``assets.extra``."""
    with _quiet():
        serving.export(path, format="tf_saved_model", input_signature=serving.signature, verbose=False)
    (path / _EXTRA).mkdir()
    (path / _EXTRA / NAME).write_text(_text(card), encoding="utf-8", newline="")


def open_saved_model(path: Path) -> Answer:
    """The folder in TensorFlow, through Keras's own layer for it."""
    layer = keras.layers.TFSMLayer(path, call_endpoint="serve")
    return lambda images: np.asarray(layer(images)[OUTPUT])


FORMATS = {
    "onnx": Format("ONNX", ".onnx", ("onnx", "onnxruntime", "tf2onnx"), write_onnx, open_onnx),
    "litert": Format("LiteRT", ".tflite", ("ai_edge_litert",), write_litert, open_litert),
    "saved_model": Format("SavedModel", "", (), write_saved_model, open_saved_model),
}
"""Each format under the name that the user gives; that of the extra that brings its packages."""


@contextmanager
def _quiet() -> Iterator[None]:
    """The converters warn of each other's ageing, which is none of the user's concern."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _text(card: dict[str, Any]) -> str:
    return json.dumps(card, ensure_ascii=False, allow_nan=False)
