"""``Job``: a whole training as data: where the pictures lie, how they are prepared and parted, by which recipe.

In: what ``recognise`` found and a ``Trainer``.  Out: the parts as ``Dataset``s, and all of it as JSON or Python.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from .dataset import Dataset
from .errors import DatasetError, OptionError, RunError
from .images import ColorMode, Fit, ImageSpec
from .run_folder import RunFolder
from .source_spec import SourceSpec
from .sources.patterns import classes_of
from .trainer import Trainer

_NOTE = "job"  # under this name config.json has it
_HELD_OUT = ("validation", "test")


class Parts(NamedTuple):
    """The pictures of a job: to train on, to choose the epoch by, and to measure with."""

    train: Dataset
    validation: Dataset
    test: Dataset | None

    @property
    def judged(self) -> tuple[str, Dataset]:
        """The part whose accuracy is told, by name: the test part, or the validation part where there is none."""
        return ("validation", self.validation) if self.test is None else ("test", self.test)


@dataclass(frozen=True)
class Job:
    """A training that can be repeated: from Python, from its ``config.json``, or as a script.

    Attributes:
        parts: ``"all"``, to be split, or ``"train"`` with ``"validation"``, ``"test"`` or both.
        trainer: The recipe.
        image_size: ``(height, width)``; None keeps that of a table of pixels.
        color_mode: ``"rgb"``, ``"grayscale"``, or None for what the source holds.
        fit: How another aspect is dealt with.
        validation: The share of every class to choose the epoch by, where no part is for that.
        test: The share of every class to measure with, where no part is for that; None: none.
        split_seed: Another seed, another split.
        duplicates: What a split keeps together: ``"near"``, ``"exact"`` or ``"ignore"``.
        groups: What it keeps together besides: pictures in whose keys this regular expression matches the same text,
            such as ``"patient_[0-9]+"``.
    """

    parts: Mapping[str, SourceSpec]
    trainer: Trainer
    _: KW_ONLY
    image_size: tuple[int, int] | None = None
    color_mode: ColorMode | None = None
    fit: Fit = "stretch"
    validation: float = 0.15
    test: float | None = 0.15
    split_seed: int = 42
    duplicates: str = "near"
    groups: str | None = None

    def __post_init__(self) -> None:
        if not self.parts.keys() & {"all", "train"}:
            raise OptionError(f"the parts are {sorted(self.parts)}; expected 'all' or 'train' among them. Give one.")
        shares = (self.validation, self.test if self.test is not None else 0.5)
        if not all(isinstance(share, float) and 0 < share < 1 for share in shares) or type(self.split_seed) is not int:
            raise OptionError(
                f"validation is {self.validation!r}, test {self.test!r}, split_seed {self.split_seed!r}; expected "
                "shares above 0 and below 1, and a whole number. Change them."
            )
        if self.image_size is not None:
            object.__setattr__(self, "image_size", ImageSpec(self.image_size, "rgb", self.fit).image_size)

    def load(self, *, progress: bool = True) -> Parts:
        """The parts, decoded; pictures that cannot be read are left out, with a warning.

        Raises:
            DatasetError: a path is not laid out as the job says, or a part cannot be split off.
        """
        loaded = {
            name: Dataset.load(
                spec.open(),
                image_size=self.image_size,
                color_mode=self.color_mode,
                fit=self.fit,
                on_error="skip",
                progress=progress,
            )
            for name, spec in self.parts.items()
        }
        whole = loaded["all" if "all" in loaded else "train"]
        named = {name: loaded[name].with_class_names(whole.class_names) for name in _HELD_OUT if name in loaded}
        groups = None if self.groups is None else groups_of([str(key) for key in whole.keys], self.groups)
        how: Any = {"seed": self.split_seed, "duplicates": self.duplicates, "groups": groups}
        if not named and self.test is not None:
            return Parts(*whole.split(validation=self.validation, test=self.test, **how))
        if "validation" not in named:
            whole, named["validation"] = whole.split(validation=self.validation, **how)
        elif "test" not in named and self.test is not None:
            whole, named["test"] = whole.split(validation=self.test, **how)
        return Parts(whole, named["validation"], named.get("test"))

    @property
    def judged(self) -> str:
        """The part whose accuracy is told."""
        return "test" if "test" in self.parts or self.test is not None else "validation"

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it, without the recipe, which ``config.json`` has of its own; paths are absolute."""
        said = {item.name: getattr(self, item.name) for item in fields(self) if item.name not in ("parts", "trainer")}
        return {"parts": {name: spec.absolute().to_dict() for name, spec in self.parts.items()}, **said}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], trainer: Trainer) -> Job:
        """From what :meth:`to_dict` gave."""
        known = {item.name for item in fields(cls)} - {"parts", "trainer"}
        try:
            said: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value for name, value in content.items()
            }
            parts = {name: SourceSpec.from_dict(spec) for name, spec in content["parts"].items()}
            return cls(parts, trainer, **{name: said[name] for name in known & said.keys()})
        except (KeyError, TypeError, AttributeError) as error:
            raise RunError(
                f"the job of a run is damaged ({error!r}). Restore config.json, or give the pictures."
            ) from None

    def notes(self, **more: Any) -> dict[str, Any]:
        """What ``Trainer.fit`` is to note, so that :func:`read_config` finds the job again."""
        return {_NOTE: self.to_dict(), **more}

    @property
    def code(self) -> str:
        """The Python script that does the same with imgclf, up to ``trainer.fit``."""
        recipe = trainer_code(self.trainer)
        names = {spec.code.partition("(")[0] for spec in self.parts.values()} | {"Dataset", "Trainer"}
        more = [] if self.groups is None else ["from imgclf.jobs import groups_of"]
        names |= {"Augmentation"} if any("Augmentation(" in line for line in recipe) else set()
        options = [f"image_size={self.image_size!r}"] if self.image_size else []
        options += [f"color_mode={self.color_mode!r}"] if self.color_mode else []
        options += [f"fit={self.fit!r}"] if self.fit != "stretch" else []
        told = "".join(f", {option}" for option in [*options, "on_error='skip'"])
        lines = [
            f"{'data' if name == 'all' else name} = Dataset.load({spec.code}{told})"
            for name, spec in self.parts.items()
        ]
        head = [f"from imgclf import {', '.join(sorted(names))}", *more, ""]
        return "\n".join([*head, *lines, *self._split_code(), *recipe])

    def _split_code(self) -> list[str]:
        how = f"seed={self.split_seed!r}" + (f", duplicates={self.duplicates!r}" if self.duplicates != "near" else "")
        whole = "data" if "all" in self.parts else "train"
        if self.groups is not None:
            how += f", groups=groups_of({whole}.keys.tolist(), {self.groups!r})"
        if not self.parts.keys() & set(_HELD_OUT) and self.test is not None:
            return [
                f"train, validation, test = {whole}.split(validation={self.validation!r}, test={self.test!r}, {how})"
            ]
        if "validation" not in self.parts:
            return [f"train, validation = {whole}.split(validation={self.validation!r}, {how})"]
        if "test" not in self.parts and self.test is not None:
            return [f"train, test = {whole}.split(validation={self.test!r}, {how})"]
        return []


def groups_of(keys: Sequence[str], pattern: str) -> list[str]:
    """The group of each of *keys*: the text that *pattern* matches in it, or the key itself.

    >>> groups_of(["cat/anna_1.png", "cat/anna_2.png", "dog/7.png"], "anna|ben")
    ['anna', 'anna', 'dog/7.png']

    Raises:
        OptionError: *pattern* is no regular expression, or takes too long.
        DatasetError: it matches in none of the keys.
    """
    found = classes_of(list(keys), f"(?P<label>{pattern})")
    if not any(found):
        raise DatasetError(f"the pattern of groups, {pattern!r}, matches in no key, such as {keys[0]!r}. Change it.")
    return [group or key for group, key in zip(found, keys, strict=True)]


def trainer_code(trainer: Trainer) -> list[str]:
    """The lines of Python that make *trainer*; settings that are the default are left out."""
    said = trainer.to_dict()
    plain = Trainer("small_cnn").to_dict()
    changed = {name: value for name, value in said.items() if name != "architecture" and value != plain[name]}
    if isinstance(changed.get("augmentation"), Mapping):
        settings = [f"        {name}={value!r}," for name, value in _changed_augmentation(trainer).items()]
        changed["augmentation"] = _Code("\n".join(["Augmentation(", *settings, "    )"]))
    lines = [f"    {name}={value!r}," for name, value in changed.items()]
    return ["trainer = Trainer(", f"    {said['architecture']!r},", *lines, ")"]


def read_config(path: str | os.PathLike[str]) -> Job:
    """The job of a run, from its ``config.json`` or the folder that holds it.

    Raises:
        RunError: there is none, or it is of no run.
        OptionError: the run was not made from a job: its pictures are not noted.
    """
    content = config_of(path)
    notes = content.get("notes") or {}
    if _NOTE not in notes:
        raise OptionError(
            f"'{path}' does not say where the pictures of the run lie: it was not made by the command line. Give the "
            "path of the pictures, too."
        )
    return Job.from_dict(notes[_NOTE], Trainer.from_dict(content["trainer"]))


def parts_of_run(folder: str | os.PathLike[str], *, progress: bool = True) -> Parts:
    """The pictures of a run, once they are those that it was trained on.

    Raises:
        DatasetError: pictures were added, removed or changed, so that the test part may hold some that were trained on.
        RunError, OptionError: as :func:`read_config`.
    """
    config, parts = config_of(folder), read_config(folder).load(progress=progress)
    for name, part in (("train", parts.train), ("validation", parts.validation)):
        if part.fingerprint != config[name]["fingerprint"]:
            raise DatasetError(
                f"the pictures are not those that the run in '{folder}' was made of: its {name} part has changed, so "
                "the test part may hold pictures that it learnt. Give pictures that it has not seen."
            )
    return parts


def config_of(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The content of a ``config.json``, given itself or by its folder.

    Raises:
        RunError: there is none, or it is of no run.
    """
    given = Path(path)
    return RunFolder(given.parent if given.name == "config.json" else given).config()


class _Code(str):
    """Python code, which shows itself as it is."""

    __slots__ = ()
    __repr__ = str.__str__


def _changed_augmentation(trainer: Trainer) -> dict[str, Any]:
    from .augmentation import Augmentation

    chosen, plain = trainer.chosen_augmentation, Augmentation()
    return {
        item.name: getattr(chosen, item.name)
        for item in fields(Augmentation)
        if getattr(chosen, item.name) != getattr(plain, item.name)
    }
