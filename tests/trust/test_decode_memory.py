"""Memory stays where it is, however many pictures are decoded; measured in a process that has done nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="memory is measured where the system tells it")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PROMISE = pytest.mark.promise("memory-decode", "Memory is flat over 100,000 decodes, good and broken ones mixed.")
LEAK = "held = []; decode_memory.read_image = lambda content: held.append(bytearray(3072))"


def watched(decodes, spoil=""):
    code = f"import json, decode_memory\n{spoil}\nprint(json.dumps(decode_memory.watch({decodes})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=BENCHMARKS, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@PROMISE
@pytest.mark.parametrize("decodes", [6_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_memory_is_flat(decodes, record_property):
    seen = watched(decodes)
    first, last = seen["resident_mb"][0], seen["resident_mb"][-1]
    record_property(
        "measured", f"{seen['decodes']:,} decodes: {first:.1f} MB, then {last:.1f} MB; growth {seen['growth_mb']} MB"
    )
    assert seen["refused"] == decodes // 10
    assert seen["growth_mb"] < 3


def test_a_leak_would_be_seen():
    assert watched(6_000, LEAK)["growth_mb"] > 10
