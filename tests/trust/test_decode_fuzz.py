"""Some thousand of the mutants of ``benchmarks/decode_fuzz.py``; its ten minutes are kept in ``docs/results``."""

from __future__ import annotations

import math

import numpy as np
import pytest
from benchmarks import decode_fuzz as fuzzer

MUTANTS = 20_000  # about ten seconds on one core
PROMISE = pytest.mark.promise(
    "decode-fuzz", "Pictures damaged at random give a picture or an ImageError, never more than 2 s, and memory is flat"
)


@PROMISE
def test_some_thousand_mutants(record_property):
    seen = fuzzer.fuzz(20260, range(MUTANTS), math.inf)
    refused = seen["mutants"] - seen["outcomes"]["picture"]
    record_property(
        "measured",
        f"{seen['mutants']:,} mutants: {refused:,} refused, {len(seen['findings'])} findings, "
        f"slowest {seen['slowest_s']} s, memory {min(seen['resident_mb'])} to {max(seen['resident_mb'])} MB",
    )
    assert seen["mutants"] == MUTANTS
    assert seen["findings"] == []
    assert seen["over_2_s"] == []
    assert min(refused, MUTANTS - refused) > MUTANTS / 10  # mutants that are all refused at once would test nothing
    assert seen["resident_mb"][-1] - seen["resident_mb"][0] < 100


def test_a_mutant_is_the_same_everywhere():
    seeds = fuzzer.seeds()
    assert fuzzer.mutant(seeds, 1, 7) == fuzzer.mutant(seeds, 1, 7) != fuzzer.mutant(seeds, 1, 8)
    assert all(fuzzer.examine(seed) == "picture" for seed in seeds)


def test_a_decoder_that_lets_an_error_through_is_found(monkeypatch):
    def careless(content):
        if len(content) % 7 == 0:
            raise IndexError(len(content))
        return np.zeros((1, 1, 3), np.uint8)

    monkeypatch.setattr(fuzzer, "read_image", careless)
    assert {finding["error"][:6] for finding in fuzzer.fuzz(1, range(200), math.inf)["findings"]} >= {
        "IndexE",
        "Assert",
    }
