"""How contenders are run: each in its own process, one at a time, in turns.

In: a ``Benchmark``.  Out: its result as JSON holds it, rounds as they were measured and nothing derived from them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import machine
from .child import Child, LeftOutError
from .harness import Benchmark, Options, Round


def aloud(text: str) -> None:
    """Print at once, also into a file."""
    print(text, flush=True)


@dataclass(frozen=True)
class Run:
    """How benchmarks are run.

    Attributes:
        rounds: Turns of every contender.
        data: The folder of real pictures, or None.
        tiny: See :class:`Options`.
        pythons: Interpreters by a module's name: they run the contenders that need it.
        shared: A process for all contenders, which is quick and measures nothing worth having; None: one each.
        say: Is told what happens.
    """

    rounds: int
    data: Path | None
    tiny: bool
    pythons: Mapping[str, str] = field(default_factory=dict)
    shared: Child | None = None
    say: Callable[[str], None] = aloud

    def measure(self, benchmark: Benchmark, work: Path) -> Iterator[dict[str, Any]]:
        """The result of *benchmark*: again and again the same record, with one turn more in it."""
        found: dict[str, dict[str, Any]] = {}
        result = {
            "benchmark": benchmark.name,
            **machine.header(),
            "settings": {"tiny": self.tiny, "rounds": self.rounds, "threads": benchmark.threads},
            "contenders": found,
        }
        shared = None if benchmark.alone else self.shared
        children: dict[str, Child] = {}
        try:
            for name in benchmark.contenders:
                child = shared or Child(self._python(benchmark, name))
                children[name] = child
                found[name] = self._begun(child, benchmark, name, work)
                if shared and "left_out" not in found[name]:
                    self._turns(child, found[name], benchmark.name, name, self.rounds)
            for _ in range(0 if shared else self.rounds):
                for name, child in children.items():
                    if "left_out" not in found[name]:
                        self._turns(child, found[name], benchmark.name, name, 1)
                yield result
        finally:
            for child in children.values():
                if child is not shared:
                    child.end()
        yield result

    def _begun(self, child: Child, benchmark: Benchmark, name: str, work: Path) -> dict[str, Any]:
        place = work / benchmark.name / re.sub(r"\W+", "_", name)
        place.mkdir(parents=True)
        options = Options(self.data, self.tiny, place, None if self.shared else benchmark.threads)
        try:
            said = child.set_up(f"benchmarks.{benchmark.name}", name, options.to_dict())
        except LeftOutError as reason:
            self.say(f"{benchmark.name}: {name}: left out: {reason}")
            return {"left_out": str(reason), **({"missing": reason.missing} if reason.missing else {})}
        return {**said, "rounds": []}

    def _turns(self, child: Child, entry: dict[str, Any], benchmark: str, name: str, count: int) -> None:
        try:
            for _ in range(count):
                entry["rounds"].append(child.turn())
                self.say(f"{benchmark}: {name}: {_in_words(entry['rounds'][-1])}")
        except LeftOutError as reason:
            self.say(f"{benchmark}: {name}: left out: {reason}")
            entry["left_out"] = str(reason)

    def _python(self, benchmark: Benchmark, name: str) -> str:
        """The interpreter: the first one given for something that the contender needs, else this one."""
        needed = benchmark.needs.get(name, ())
        return next((python for module, python in self.pythons.items() if module in needed), sys.executable)


def _in_words(measured: Round) -> str:
    return ", ".join(f"{key} {value:.4g}" for key, value in measured.items())
