"""docs/performance.md says what was measured: no figure by hand, no target reached that was not."""

from __future__ import annotations

import pytest
from benchmarks import chart, harness, page
from benchmarks.harness import Benchmark, Target, faster, with_target


def test_the_page_is_up_to_date():
    """Run ``python -m benchmarks.page`` where this fails."""
    assert page.PAGE.read_text(encoding="utf-8") == page.page(page.held(), page.elsewhere())


@pytest.mark.parametrize("group", harness.GROUPS)
def test_the_figures_are_up_to_date(group):
    results = page.held()
    found, path = page.in_group(results, group), page.RESULTS / f"{group.lower()}.svg"
    assert path.exists() == bool(found)
    assert not found or chart.digest(found, results) in path.read_text(encoding="utf-8")


def test_every_result_has_its_benchmark():
    for results in (page.held(), *page.elsewhere()):
        assert set(results) <= set(harness.names())


def test_no_result_is_of_tiny_data():
    for results in (page.held(), *page.elsewhere()):
        assert [name for name, result in results.items() if result["settings"]["tiny"]] == []


def rounds(*seconds, pictures=10):
    return [{"seconds": each, "cpu_seconds": 2 * each, "peak_mb": 100.0, "pictures": pictures} for each in seconds]


@pytest.fixture
def benchmark(monkeypatch):
    """Ours against two others; one of them is not installed."""
    made = Benchmark(
        name="made",
        title="A made one",
        unit="pictures",
        contenders=dict.fromkeys(["imgclf", "keras", "torch"]),
        reference="keras",
        target=3.0,
        target_seconds=0.5,
        group="Loading",
        note="The memory's rate bounds it.",
        show={"peak_mb": "peak memory, MB"},
    )
    made = with_target(made, faster(made, "torch", 1.0))
    monkeypatch.setattr(harness, "names", lambda: ["made"])
    monkeypatch.setattr(harness, "load", lambda name: made)
    return made


@pytest.fixture
def result():
    return {
        "command": "python -m benchmarks made",
        "benchmark": "made",
        "date": "2026-01-02",
        "commit": "abc",
        "machine": {
            "processor": "Some Processor",
            "architecture": "x86_64",
            "cores": 2,
            "flags": ["avx2"],
            "memory_gb": 8,
            "system": "Linux 6",
            "load": 0.1,
        },
        "settings": {"tiny": False, "rounds": 3, "threads": None},
        "contenders": {
            "imgclf": {"rounds": rounds(1, 2, 1), "versions": {"keras": "3.15.1"}},
            "keras": {"rounds": rounds(10, 8, 4, pictures=20), "versions": {"keras": "3.15.1"}},
            "torch": {"left_out": "not installed: torch", "missing": ["torch"]},
        },
    }


def test_a_table_has_medians_and_ratios_turn_by_turn(benchmark, result):
    said = page.page({"made": result})
    assert "| imgclf | 10.0 (5.00 to 10.0) | 200 | 100 |  |" in said
    assert "| keras | 2.50 (2.00 to 5.00) | 800 | 100 | 2.00× (2.00 to 5.00) |" in said  # 5, 2 and 2 per picture
    assert "| torch | left out: not installed: torch |  |  |  |" in said
    assert "Some Processor, 2 cores: x86_64 (avx2), 8 GB of memory, Linux 6" in said
    assert "keras 3.15.1" in said


def test_targets_are_judged_plainly(benchmark, result):
    said = page.page({"made": result})
    missed = "at least 3×: 2.00× (2.00 to 5.00), **not reached**. The memory's rate bounds it."
    assert f"- Target: speed against keras, {missed}" in said
    assert "- Target: seconds, at most 0.5 s: 1.00 s (1.00 to 2.00), **not reached**." in said
    assert "- Target: speed against torch, at least 1×: **not measured**." in said
    result["contenders"]["imgclf"]["rounds"] = rounds(0.1, 0.2, 0.4)
    said = page.page({"made": result})
    assert "at least 3×: 20.0× (5.00 to 50.0), **reached**.\n" in said
    assert "at most 0.5 s: 0.200 s (0.100 to 0.400), **reached**.\n" in said


def test_another_machine_has_a_part_of_its_own(benchmark, result):
    other = {**result, "machine": {**result["machine"], "accelerator": "Some Card"}}
    said = page.page({"made": result}, [{"made": other}])
    before, after = said.split("## On another machine: Some Card\n")
    assert before.count("### A made one") == after.count("### A made one") == 1
    assert "- Some Card: Some Processor, 2 cores, x86_64" in after


def test_a_target_may_be_any_figure_of_a_turn(benchmark, result):
    target = Target("twice", lambda turn: 2 * turn["imgclf"]["seconds"], at_most=1.0)
    ran = {"imgclf": rounds(0.5, 0.5, 4.0)}
    assert page.reached(target, ran) == ([1.0, 1.0, 8.0], True)
    assert page.reached(target, {"imgclf": []}) is None


def test_a_figure_draws_every_contender_that_ran(benchmark, result, tmp_path):
    chart.draw([benchmark], {"made": result}, tmp_path / "a.svg")
    chart.draw([benchmark], {"made": result}, tmp_path / "b.svg")
    drawn = (tmp_path / "a.svg").read_bytes()
    assert drawn == (tmp_path / "b.svg").read_bytes()
    assert b"imgclf" in drawn
    assert b"torch" not in drawn
    before = chart.digest([benchmark], {"made": result})
    assert before.encode() in drawn
    result["contenders"]["imgclf"]["rounds"] = rounds(1.1, 2, 1.1)
    assert chart.digest([benchmark], {"made": result}) != before


@pytest.mark.parametrize(
    ("value", "said"), [(0, "0"), (0.012345, "0.0123"), (7.891, "7.89"), (456.4, "456"), (12345, "12,300")]
)
def test_numbers_have_three_figures(value, said):
    assert page.number(value) == said
