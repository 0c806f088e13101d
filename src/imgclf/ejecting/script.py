"""Settings, pictures and a network's code → the text of ``train.py``.

In: a ``Trainer`` and what the script reads.  Out: source text from ``train.py.jinja``, in which every value is a
literal.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import keras

from .. import _backend
from ..augmentation import Augmentation
from ..backend_choice import package_version
from ..dataset import Dataset
from ..recorder import MODES
from ..trainer import Trainer
from .literals import literal
from .network import Code
from .pictures import Pictures

_BORDERS = {
    "nearest": "BORDER_REPLICATE",
    "constant": "BORDER_CONSTANT",
    "reflect": "BORDER_REFLECT",
    "wrap": "BORDER_WRAP",
}


def script(trainer: Trainer, train: Dataset, pictures: Pictures, code: Code, *, test: bool, digest: str) -> str:
    """The text of ``train.py``.

    Args:
        trainer: The recipe.
        train: The training set, for class names and preprocessing.
        pictures: Where the pictures lie.
        code: The network's.
        test: Whether there is a test part.
        digest: SHA-256 of all pixels.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(  # noqa: S701 - Python, not HTML: every value goes through literal
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined
    )
    environment.filters["literal"] = literal
    template = environment.from_string(files(__package__).joinpath("train.py.jinja").read_text(encoding="utf-8"))
    augmentation = trainer.chosen_augmentation
    if augmentation is not None and augmentation.is_identity:
        augmentation = None
    kernels = code.normalises and _backend.has_fused_normalisation()
    return template.render(
        version=package_version("imgclf"),
        class_names=list(train.class_names),
        shape=train.spec.shape,
        fit=train.spec.fit,
        mode="RGB" if train.spec.color_mode == "rgb" else "L",
        test=test,
        digest=digest,
        network=code.lines,
        units=code.units,
        start=code.start is not None,
        fused=kernels,
        policy=trainer.policy,
        optimizer=_optimizer(trainer),
        callbacks=list(_callbacks(trainer)),
        seed=trainer.seed,
        epochs=trainer.epochs,
        batch_size=trainer.batch_size,
        steps_per_epoch=trainer.steps_per_epoch,
        monitor=trainer.monitor,
        class_weights=_class_weights(trainer, train),
        **_reading(pictures),
        **_augmenting(augmentation),
    )


def _reading(pictures: Pictures) -> dict[str, Any]:
    said = {"kind": pictures.kind, "folder": str(pictures.folder), "archive": pictures.archive}
    if pictures.layout is None:
        return said
    (height, width, channels), delimiter, label, packed = pictures.layout
    shape = (height, width) if channels == 1 else (height, width, channels)
    return {**said, "table_shape": shape, "delimiter": delimiter, "label_column": label, "packed": packed}


def _augmenting(augmentation: Augmentation | None) -> dict[str, Any]:
    """What the template needs to know of *augmentation*: only what is in use is written."""
    if augmentation is None:
        return {"augmentation": False}
    draws = _draws(augmentation)
    moving = {"theta", "shift_x", "shift_y", "shear", "zoom_x", "zoom_y"}
    flips = augmentation.horizontal_flip or augmentation.vertical_flip
    moves = flips or bool(moving & draws.keys())
    lines = [f"{name} = {draw}" for name, draw in draws.items()]
    if moves:
        groups = (("theta", "shear", "shift_x", "shift_y"), "0.0"), (("zoom_x", "zoom_y"), "1.0")
        still = [([name for name in names if name not in draws], value) for names, value in groups]
        lines += [" = ".join([*names, value]) for names, value in still if names]
    for chosen, place, name in ((augmentation.horizontal_flip, 6, "zoom_x"), (augmentation.vertical_flip, 7, "zoom_y")):
        lines += [f"if u[{place}] < 0.5:", f"    {name} = -{name}"] if chosen else []
    return {
        "augmentation": True,
        "draws": lines,
        "moves": moves,
        "colours": not {"brightness", "channel_shift"}.isdisjoint(draws),
        "brightness": "brightness" in draws,
        "channel_shift": "channel_shift" in draws,
        "border": _BORDERS[augmentation.fill_mode],
        "cval": augmentation.cval,
    }


def _draws(augmentation: Augmentation) -> dict[str, str]:
    """Variable → how it is drawn, in the order of the ten numbers, for those that can be other than they are."""
    rotation, shear, shift = augmentation.rotation_range, augmentation.shear_range, augmentation.channel_shift_range
    zoom = augmentation.zoom_range
    low, high = zoom if isinstance(zoom, tuple) else (1 - zoom, 1 + zoom)
    dark, bright = augmentation.brightness_range or (1.0, 1.0)
    draws = {
        "theta": rotation and f"between({-rotation}, {rotation}, u[0])  # degrees",
        "shift_x": _shift(augmentation.width_shift_range, "WIDTH", 1),
        "shift_y": _shift(augmentation.height_shift_range, "HEIGHT", 2),
        "shear": shear and f"between({-shear}, {shear}, u[3])  # degrees",
        "zoom_x": (low, high) != (1, 1) and f"between({low}, {high}, u[4])  # above 1 the content becomes smaller",
        "zoom_y": (low, high) != (1, 1) and f"between({low}, {high}, u[5])",
        "brightness": (dark, bright) != (1, 1) and f"between({dark}, {bright}, u[8])",
        "channel_shift": shift and f"between({-shift}, {shift}, u[9])",
    }
    return {name: draw for name, draw in draws.items() if isinstance(draw, str)}


def _shift(share: float, side: str, place: int) -> str | None:
    pixels = f"({share} * {side})" if share < 1 else f"{share}"
    return f"between(-1, 1, u[{place}]) * {pixels}  # pixels" if share else None


def _class_weights(trainer: Trainer, train: Dataset) -> str | list[float] | None:
    wanted = trainer.class_weights
    return wanted if wanted is None or isinstance(wanted, str) else [float(wanted[name]) for name in train.class_names]


def _optimizer(trainer: Trainer) -> str:
    settings = {"learning_rate": trainer.learning_rate, **trainer.optimizer_options}
    made = keras.optimizers.get({"class_name": trainer.optimizer, "config": dict(settings)})
    return f"keras.optimizers.{type(made).__name__}({_said(settings)})"


def _callbacks(trainer: Trainer) -> Iterator[str]:
    """The reduction of the learning rate and early stopping, in the order in which they are called."""
    if trainer.reduce_lr_patience is not None:
        settings = {
            "monitor": trainer.reduce_lr_monitor,
            "mode": MODES[trainer.reduce_lr_monitor],
            "patience": trainer.reduce_lr_patience,
            "factor": trainer.reduce_lr_factor,
            "min_lr": trainer.reduce_lr_minimum,
        }
        yield f"keras.callbacks.ReduceLROnPlateau({_said(settings)})"
    if trainer.early_stopping_patience is not None:
        monitor = trainer.early_stopping_monitor
        settings = {"monitor": monitor, "mode": MODES[monitor], "patience": trainer.early_stopping_patience}
        yield f"keras.callbacks.EarlyStopping({_said(settings)})"


def _said(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name}={literal(value)}" for name, value in settings.items())
