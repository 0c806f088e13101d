"""What a benchmark says of itself: contenders for the same work, a reference, targets.

In: the modules of this folder that hold a ``BENCHMARK``.  Out: records; nothing is run here.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

OURS = "imgclf"
GROUPS = ("Training", "Loading", "Prediction", "Explanation", "Start", "Growth")

Round = Mapping[str, float]
"""``seconds``, ``cpu_seconds``, ``peak_mb``, ``start_mb`` and whatever figures the contender gave."""


@dataclass(frozen=True)
class Options:
    """What a contender is told.

    Attributes:
        data: The folder of real pictures (``dogs_vs_cats/{train,validation,test}/{cats,dogs}``,
            ``mnist/train.csv.gz``), or None.
        tiny: Take built-in data and be done in a second: it is only asked whether everything still works.
        work: A folder of the contender's own, removed at the end.
        threads: How many cores the process was given; None: all.
    """

    data: Path | None
    tiny: bool
    work: Path
    threads: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "data": str(self.data) if self.data else None,
            "tiny": self.tiny,
            "work": str(self.work),
            "threads": self.threads,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Options:
        """From what :meth:`to_dict` gave."""
        data = content.get("data")
        return cls(
            Path(data) if data else None,
            bool(content.get("tiny")),
            Path(content["work"]),
            content.get("threads"),
        )


Contender = Callable[[Options], Callable[[], Mapping[str, float]]]
"""Imports, builds and warms up; gives back ``once()``, a round of the work, which returns its figures.

It may return its own ``seconds`` and ``cpu_seconds``.  If ``once`` has a ``close``, that is called before another
contender is set up in the same process.
"""


@dataclass(frozen=True)
class Target:
    """A figure that is to be reached.

    Attributes:
        text: What the figure is: ``"memory beyond the array, MB"``.
        of: From the contenders' rounds of one turn, by name, to the figure.
        at_least: What the median over the turns must not fall below …
        at_most: … or not rise above.
        unit: What stands behind the figure: ``"×"``, ``" s"``, ``" MB"``.
    """

    text: str
    of: Callable[[Mapping[str, Round]], float]
    at_least: float | None = None
    at_most: float | None = None
    unit: str = "×"


@dataclass(frozen=True)
class Benchmark:
    """One comparison on the same work.

    Attributes:
        name: That of its module.
        title: A heading.
        unit: What a round counts, in the plural: it returns ``{unit: how many}``, and seconds are compared per unit.
            A round that does not count is one.
        contenders: ``setup`` functions by name; ours comes first.
        reference: The contender that ours is compared with.
        target: Ours is to be at least so many times as fast as the reference.
        target_seconds: A round of ours is to take at most so long.
        targets: Others than these.
        needs: By contender: modules without which it is left out, such as ``{"pytorch": ("torch",)}``.
        group: The part of the page that it stands in: one of ``GROUPS``.
        threads: Each contender gets so many cores; None: all.
        about: What is compared with what, in a sentence or two.
        note: What bounds the figure; shown beside a target that is not reached.
        alone: Its contenders change the process that they run in (they set a limit), so no other ever runs in it.
        parts: Seconds by name, which together are where the time goes: from the rounds of one turn, as for a target.
        show: Further figures that its rounds return and that the table shows: ``{"accuracy": "accuracy"}``.
    """

    name: str
    title: str
    unit: str
    contenders: Mapping[str, Contender]
    reference: str | None = None
    target: float | None = None
    target_seconds: float | None = None
    targets: tuple[Target, ...] = ()
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    group: str = "Training"
    threads: int | None = None
    about: str = ""
    note: str = ""
    alone: bool = False
    show: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, Callable[[Mapping[str, Round]], float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wrong = [name for name in (self.reference, *self.needs) if name and name not in self.contenders]
        if wrong or self.group not in GROUPS:
            raise ValueError(f"{self.name}: no such contender or group: {', '.join([*wrong, self.group])}")

    @property
    def ours(self) -> str:
        """The contender that the targets are for."""
        return next(iter(self.contenders))

    def cost(self, measured: Round, of: str = "seconds") -> float:
        """What one unit of a round costs, in *of*."""
        return measured[of] / measured.get(self.unit, 1)

    def ratio(self, rounds: Mapping[str, Round], than: str, ours: str | None = None, of: str = "seconds") -> float:
        """How many times as much *than* costs as *ours*: above 1, ours is faster."""
        return self.cost(rounds[than], of) / self.cost(rounds[ours or self.ours], of)

    def counts(self, rounds: Iterable[Round]) -> bool:
        """Whether a round is more than one unit, so that a rate says more than seconds do."""
        return any(measured.get(self.unit, 1) > 1 for measured in rounds)

    def all_targets(self) -> tuple[Target, ...]:
        """Those given in short, and the others."""
        short: list[Target] = []
        if self.target is not None and self.reference is not None:
            short.append(faster(self, self.reference, self.target))
        if self.target_seconds is not None:
            short.append(Target("seconds", lambda r: r[self.ours]["seconds"], at_most=self.target_seconds, unit=" s"))
        return (*short, *self.targets)


def faster(benchmark: Benchmark, than: str, at_least: float, ours: str | None = None) -> Target:
    """The target that *ours* is at least so many times as fast as *than*, per unit of work."""
    whose = "" if ours is None else f" of {ours}"
    return Target(f"speed{whose} against {than}", lambda rounds: benchmark.ratio(rounds, than, ours), at_least=at_least)


def with_target(benchmark: Benchmark, *targets: Target) -> Benchmark:
    """*benchmark* with more targets, such as :func:`faster` makes of it."""
    return replace(benchmark, targets=(*benchmark.targets, *targets))


def names() -> list[str]:
    """The modules here that hold a benchmark, by their text: some of the others import a backend."""
    found = sorted(Path(__file__).parent.glob("*.py"))
    return [path.stem for path in found if re.search(r"^BENCHMARK\b", path.read_text("utf-8"), re.MULTILINE)]


def load(name: str) -> Benchmark:
    """The benchmark of a module."""
    found: Benchmark = importlib.import_module(f"benchmarks.{name}").BENCHMARK
    if found.name != name:
        raise ValueError(f"benchmarks/{name}.py calls itself {found.name!r}; give it the name of its module")
    return found
