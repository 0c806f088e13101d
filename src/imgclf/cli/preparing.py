"""From what somebody typed to a ``Job``: the path looked at, checked, the recipe chosen, the time kept."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import OptionError, RunError, listed
from ..recognition import Recognised, recognise
from ..source_spec import KINDS, SourceSpec
from .terminal import parsed, quiet_import, say

if TYPE_CHECKING:
    from ..health import HealthReport
    from ..jobs import Job, Parts
    from ..runs import TrainingRun
    from ..trainer import Trainer

_MOST_RUNS = 10_000


@dataclass(frozen=True)
class Asked:
    """What somebody typed that decides what is trained.

    Attributes:
        path: The pictures; None with *config*.
        settings: ``NAME=VALUE`` of the recipe, the named options first.
        source: ``NAME=VALUE`` of the source.
        config: A run to be repeated.
        time: About how long; None: as long as the recipe says.
    """

    path: Path | None
    image_size: str | None
    color_mode: str | None
    fit: str | None
    kind: str | None
    source: tuple[str, ...]
    validation: float | None
    test: float | None
    split_seed: int | None
    groups: str | None
    recipe: str | None
    settings: tuple[str, ...]
    config: Path | None
    time: str | None

    @property
    def of_job(self) -> dict[str, Any]:
        """What was said of the pictures, by the names of a ``Job``."""
        said: dict[str, Any] = {
            "image_size": None if self.image_size is None else read_size(self.image_size),
            "color_mode": self.color_mode,
            "fit": self.fit,
            "validation": self.validation,
            "split_seed": self.split_seed,
            "groups": self.groups,
        }
        given = {name: value for name, value in said.items() if value is not None}
        return given if self.test is None else {**given, "test": self.test or None}

    def check(self) -> None:
        """Refuse what cannot be, before anything is read.

        Raises:
            OptionError, UnknownNameError: a setting, a size, a share or a time that cannot be.
        """
        from .. import recipes
        from ..jobs import Job
        from ..trainer import Trainer

        base = recipes.get(self.recipe) if self.recipe is not None else Trainer("bn_cnn")
        Job({"all": SourceSpec("folders", "")}, changed(base, self.settings), **self.of_job)
        if self.time is not None:
            seconds(self.time)

    @property
    def identity(self) -> dict[str, Any]:
        """The same for the same command, as JSON holds it."""
        said = {name: value for name, value in asdict(self).items() if value not in (None, ())}
        for name in ("path", "config"):
            if name in said:
                said[name] = str(Path(said[name]).absolute())
        return {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}


def run_folder(asked: Asked) -> Path:
    """``runs/<name>``, or with the first number behind it whose run is this one or none."""
    place = asked.path or asked.config
    if place is None:
        raise OptionError("no path is given; expected the pictures, such as: imgclf train photos/. Give it.")
    name = re.sub(r"(\.csv|\.tsv|\.gz|\.zip|\.json)+$", "", Path(place).resolve().name) or "pictures"
    if name == "config":
        name = Path(place).resolve().parent.name
    folders = [Path("runs") / (name if number == 1 else f"{name}-{number}") for number in range(1, _MOST_RUNS)]
    free = next((folder for folder in folders if not _taken(folder)), None)
    own = (folder for folder in folders[: folders.index(free) if free else None] if asked_of(folder) == asked.identity)
    if (found := next(own, free)) is None:
        raise OptionError(f"runs/ holds {_MOST_RUNS:,} runs called {name!r}. Say --run-dir.")
    return found


def _taken(folder: Path) -> bool:
    return folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))


def asked_of(folder: Path) -> dict[str, Any] | None:
    """What was typed for the run in *folder*; None where there is no such run."""
    with quiet_import():
        from ..jobs import config_of
    try:
        said = (config_of(folder).get("notes") or {}).get("asked")
    except RunError:
        return None
    return said if isinstance(said, dict) else None


@dataclass(frozen=True)
class Prepared:
    """What is to be trained.

    Attributes:
        job: Pictures and recipe.
        parts: The pictures, where they are loaded already.
        health: What a check found; None: nothing was checked.
    """

    job: Job
    parts: Parts | None = None
    health: HealthReport | None = None


def repeated(asked: Asked, config: Path, *, check: bool) -> Prepared:
    """The job of a run, with other pictures or settings where these are given."""
    with quiet_import():
        from ..jobs import Job, config_of, read_config
        from ..trainer import Trainer
    if asked.path is None or asked.config is None:
        job = read_config(config)
    else:
        content = config_of(config)
        said = {"parts": {}, **(content.get("notes") or {}).get("job", {})}
        found = {name: spec.to_dict() for name, spec in _found(asked).labelled.items()}
        job = Job.from_dict({**said, "parts": found}, Trainer.from_dict(content["trainer"]))
    if asked.config is not None:
        if asked.recipe is not None:
            raise OptionError("--config brings a recipe of its own, and --recipe is given, too. Leave one of them out.")
        job = replace(job, trainer=changed(job.trainer, asked.settings), **asked.of_job)
    return Prepared(job, None, _checked(job.parts) if check else None)


def chosen(asked: Asked, *, check: bool) -> Prepared:
    """The job that suits the pictures at a path."""
    found = _found(asked)
    say(found)
    health = _checked(found.labelled) if check else None
    say("choosing a network and a recipe …")
    with quiet_import():
        from .. import recipes
        from ..jobs import Job
        from ..planning import plan
    specs = found.labelled
    suits = plan((specs.get("all") or specs["train"]).open())
    base = suits.trainer if asked.recipe is None else recipes.get(asked.recipe)
    job = Job(specs, changed(base, asked.settings), **{"image_size": suits.image_size, **asked.of_job})
    if asked.recipe is None and not any(one.startswith("architecture=") for one in asked.settings):
        height, width = job.image_size or (0, 0)
        say(suits.reason + (f", at {height}×{width}" if job.image_size else ""))
    if asked.time is None:
        return Prepared(job, None, health)
    return _in_time(job, seconds(asked.time), health, fixed=asked.image_size is not None)


def written_report(
    folder: Path, run: TrainingRun, parts: Parts, health: HealthReport | None, out: Path | None = None
) -> Path:
    """Write the report of the run in *folder*, there or to *out*; returns its path."""
    from ..report import write_report

    return write_report(
        out or folder / "report.html",
        run,
        train=parts.train,
        validation=parts.validation,
        test=parts.test,
        health=health,
        command=f"imgclf train --config {shlex.quote(str(folder / 'config.json'))}",
    )


def changed(trainer: Trainer, settings: Sequence[str]) -> Trainer:
    """*trainer* with ``NAME=VALUE`` settings; ``options.dropout=0.3`` changes one of several.

    Raises:
        OptionError: a setting without ``=``, or out of its range.
        UnknownNameError: no such setting.
    """
    from ..augmentation import Augmentation
    from ..trainer import Trainer as Recipe
    from ..trainer import check_settings

    changes: dict[str, Any] = {}
    for name, value in map(_pair, settings):
        whole, _, part = name.partition(".")
        check_settings([whole])
        if whole == "callbacks":
            raise OptionError("callbacks cannot be typed. Train from Python; --print-code begins the script.")
        if not part and isinstance(getattr(trainer, whole), Mapping) and not isinstance(value, Mapping):
            raise OptionError(f"{name}={value}: {name} has parts; expected {name}.PART=VALUE. Name the part.")
        if not part:
            changes[whole] = None if value == "none" and whole != "augmentation" else value
            if whole == "architecture" and value != trainer.architecture:
                changes.setdefault("options", {})
            continue
        held = changes.get(whole, getattr(trainer, whole))
        if whole == "augmentation":
            given = Augmentation.preset(held) if isinstance(held, str) else held or Augmentation()
            changes[whole] = Augmentation.from_dict({**given.to_dict(), part: value})
        elif isinstance(held, Mapping) or held is None:
            changes[whole] = {**(held or {}), part: value}
        else:
            raise OptionError(f"{name}={value}: {whole} has no parts; expected {whole}=VALUE. Leave out .{part}.")
    content = {item.name: getattr(trainer, item.name) for item in fields(Recipe)}
    return Recipe(**{**content, **changes})


def read_size(text: str) -> tuple[int, int]:
    """``150`` or ``120x160`` (height, width).

    >>> read_size("120x160")
    (120, 160)
    """
    if not (match := re.fullmatch(r"(\d{1,5})(?:\s*[x×,]\s*(\d{1,5}))?", text.strip())):
        raise OptionError(f"--image-size is {text!r}; expected pixels, such as 150 or 120x160 (height, width).")
    height = int(match[1])
    return height, int(match[2] or height)


def seconds(text: str) -> float:
    """``10m``, ``90s``, ``1.5h``, ``1h30m``; a bare number is minutes.

    >>> seconds("1h30m")
    5400.0
    """
    number = r"(\d+(?:\.\d+)?)"
    said = text.strip().lower()
    said += "m" * bool(re.fullmatch(number, said))
    match = re.fullmatch(rf"(?:{number}\s*h)?\s*(?:{number}\s*m)?\s*(?:{number}\s*s)?", said)
    total = (
        sum(unit * float(found or 0) for unit, found in zip((3600, 60, 1), match.groups(), strict=True)) if match else 0
    )
    if total <= 0:
        raise OptionError(f"--time is {text!r}; expected a time such as 10m, 90s or 1h30m.")
    return total


def _found(asked: Asked) -> Recognised:
    if asked.path is None:
        raise OptionError("no path is given; expected the pictures, such as: imgclf train photos/. Give it.")
    if asked.kind is not None and asked.kind not in KINDS:
        raise OptionError(f"--kind is {asked.kind!r}; expected one of {listed(KINDS, 9)}.")
    return recognise(asked.path, asked.kind, **dict(map(_pair, asked.source)))  # type: ignore[arg-type]


def _pair(text: str) -> tuple[str, Any]:
    name, mark, value = text.partition("=")
    if not mark or not name:
        raise OptionError(f"{text!r} is no NAME=VALUE, such as epochs=20. Write it so.")
    whole, dot, part = name.strip().partition(".")
    return whole.replace("-", "_") + dot + part, parsed(value)


def _checked(parts: Mapping[str, SourceSpec]) -> HealthReport:
    from .. import health

    report = health.check({name: spec.open() for name, spec in parts.items()})
    grave = [finding for finding in report.findings if finding.severity != "note"]
    say("checked: nothing wrong" if not grave else f"checked: {len(grave)} finding{'s' * (len(grave) > 1)}")
    for finding in grave[:4]:
        say(finding)
    if len(grave) > 4:
        say(f"… and {len(grave) - 4} more: imgclf check says all of it")
    return report


def _in_time(job: Job, limit: float, health: HealthReport | None, *, fixed: bool) -> Prepared:
    """*job* with as many epochs as *limit* seconds allow here, at a smaller size where they would be too few."""
    from ..planning import fitted, seconds_per_epoch, smaller, too_slow

    while True:
        parts = job.load()
        epoch = seconds_per_epoch(job.trainer, parts.train, parts.validation)
        less = smaller(job.image_size) if job.image_size is not None and not fixed else None
        if less is None or not too_slow(limit, epoch):
            break
        say(f"an epoch takes about {epoch:.0f} s at {job.image_size[0]}×{job.image_size[1]}: smaller pictures instead")  # type: ignore[index]
        job = replace(job, image_size=less)
    job = replace(job, trainer=fitted(job.trainer, limit, epoch))
    say(f"an epoch takes about {epoch:.1f} s: at most {job.trainer.epochs} epochs in {limit / 60:.3g} minutes")
    return Prepared(job, parts, health)
