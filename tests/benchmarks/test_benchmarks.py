"""Every benchmark runs with tiny data, so that none rots; the harness leaves out what fails and never falls over it."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from benchmarks import harness, machine, page, turns
from benchmarks.child import Child, LeftOutError
from benchmarks.harness import Benchmark, Options
from benchmarks.turns import Run

ROOT = Path(__file__).parents[2]


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """What all benchmarks measure with tiny data, in one process: TensorFlow takes ten seconds to import."""
    out = tmp_path_factory.mktemp("results")
    done = command("--tiny", "--one-process", "--rounds", 1, "--out", out)
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in out.glob("*.json")}
    assert set(found) == set(harness.names()), done.stdout + done.stderr
    failed = [
        entry
        for result in found.values()
        for entry in result["contenders"].values()
        if "left_out" in entry and "missing" not in entry
    ]
    assert done.returncode == bool(failed)
    return found


@pytest.mark.slow  # all scripts, each in processes of its own: three minutes
@pytest.mark.parametrize("name", harness.names())
def test_a_benchmark_runs(tiny, name):
    benchmark, result = harness.load(name), tiny[name]
    assert set(result["contenders"]) == set(benchmark.contenders)
    ran = {each: entry for each, entry in result["contenders"].items() if "missing" not in entry}
    assert benchmark.ours in ran
    for each, entry in ran.items():
        assert "left_out" not in entry, f"{each}: {entry['left_out']}"
        assert len(entry["rounds"]) == 1, each
        assert all(math.isfinite(value) and value >= 0 for measured in entry["rounds"] for value in measured.values())
        assert all(measured["seconds"] > 0 and benchmark.cost(measured) > 0 for measured in entry["rounds"])
        assert set(benchmark.show) & {"peak_mb"} <= set(entry["rounds"][0])
    for target in benchmark.all_targets():
        found = page.reached(target, {each: entry["rounds"] for each, entry in ran.items()})
        assert found or len(ran) < len(benchmark.contenders), f"{target.text}: names no contender of the benchmark"


@pytest.mark.slow
def test_there_are_benchmarks_of_every_kind(tiny):
    assert len(tiny) >= 9
    assert {harness.load(name).group for name in tiny} <= set(harness.GROUPS)


@pytest.mark.slow
def test_a_result_says_where_it_comes_from(tiny):
    for result in tiny.values():
        assert result["command"].startswith(f"python -m benchmarks {result['benchmark']} ")
        assert {"date", "commit", "machine", "versions", "settings"} <= set(result)
        assert result["machine"]["cores"] >= 1


def test_no_script_hides_a_module_of_pythons_own():
    """``python benchmarks/decode_fuzz.py`` looks for modules beside the script first."""
    stems = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    assert stems & sys.stdlib_module_names == set()


def test_an_unknown_name_is_refused(tmp_path):
    done = command("predict_two", "--out", tmp_path)
    assert done.returncode == 1
    assert "no benchmark predict_two; there are augment, " in done.stderr
    assert list(tmp_path.iterdir()) == []


CONTENDERS = """
    import os, sys, time
    from benchmarks.harness import Benchmark

    def fine(options):
        print("noise on the standard output")
        os.write(1, b"more of it")
        return lambda: {"loops": 10}

    def own_seconds(options):
        return lambda: {"seconds": 0.25, "threads": options.threads}

    def broken(options):
        raise RuntimeError("no such thing")

    def falls(options):
        def once():
            sys.stderr.write("last words\\n")
            os._exit(3)
        return once

    def raises(options):
        def once():
            raise ValueError("in a round")
        return once

    def reads(options):
        return lambda: {"characters": len(sys.stdin.read())}

    def busy(options):
        import threading
        def burn():
            while True:
                sum(range(1000))
        threading.Thread(target=burn, daemon=True).start()
        return lambda: {"loops": time.sleep(0.1) or 1}

    class Holds:
        def __init__(self, options):
            self.path = options.work / "closed"
        def __call__(self):
            return {}
        def close(self):
            self.path.touch()

    def holds(options):
        return Holds(options)

    def hangs(options):
        return lambda: time.sleep(60)

    names = [fine, holds, hangs, own_seconds, broken, falls, raises, reads, busy]
    contenders = {each.__name__: each for each in names}
    BENCHMARK = Benchmark(name="odd_ones", title="", unit="loops", contenders={**contenders, "absent": fine},
                          needs={"absent": ("os", "no_such_module")})
"""


@pytest.fixture
def child(tmp_path, monkeypatch):
    """A process that knows the odd contenders."""
    (tmp_path / "odd_ones.py").write_text(textwrap.dedent(CONTENDERS))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = Child(sys.executable)
    yield process
    process.end()


def set_up(child, contender, tmp_path, threads=None):
    return child.set_up("odd_ones", contender, Options(None, True, tmp_path, threads).to_dict())


def test_a_round_is_measured_whatever_is_printed(child, tmp_path):
    said = set_up(child, "fine", tmp_path)
    assert said["setup_seconds"] >= 0
    assert "python" in said["versions"]
    measured = child.turn()
    assert measured["loops"] == 10
    assert 0 < measured["seconds"] < 60
    assert {"cpu_seconds", "peak_mb", "start_mb"} <= set(measured)


def test_a_contender_may_time_itself_and_is_given_its_cores(child, tmp_path):
    set_up(child, "own_seconds", tmp_path, threads=1)
    assert child.turn()["seconds"] == 0.25
    assert child.turn()["threads"] == 1


def test_a_contender_finds_nothing_on_the_standard_input(child, tmp_path):
    set_up(child, "reads", tmp_path)
    assert child.turn()["characters"] == 0


@pytest.mark.parametrize(
    ("contender", "reason"),
    [("broken", "RuntimeError: no such thing"), ("absent", "not installed: no_such_module")],
)
def test_what_cannot_be_set_up_is_left_out(child, tmp_path, contender, reason):
    with pytest.raises(LeftOutError, match=reason) as caught:
        set_up(child, contender, tmp_path)
    assert caught.value.missing == (["no_such_module"] if contender == "absent" else [])


@pytest.mark.parametrize(
    ("contender", "reason"), [("raises", "ValueError: in a round"), ("falls", "exit code 3: last words")]
)
def test_what_fails_in_a_round_is_left_out(child, tmp_path, contender, reason):
    set_up(child, contender, tmp_path)
    with pytest.raises(LeftOutError, match=reason):
        child.turn()


def test_another_contender_runs_after_one_that_fell(child, tmp_path):
    set_up(child, "falls", tmp_path)
    with pytest.raises(LeftOutError):
        child.turn()
    set_up(child, "fine", tmp_path)
    assert child.turn()["loops"] == 10


def test_who_does_not_answer_is_left_out(child, tmp_path, monkeypatch):
    set_up(child, "hangs", tmp_path)
    monkeypatch.setattr(child, "_patience", 0.5)
    with pytest.raises(LeftOutError, match="no answer for 0.5 s"):
        child.turn()


def test_what_a_contender_holds_is_let_go_before_the_next(child, tmp_path):
    set_up(child, "holds", tmp_path)
    child.turn()
    assert not (tmp_path / "closed").exists()
    set_up(child, "fine", tmp_path)
    assert (tmp_path / "closed").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="no /proc to look into")
def test_whoever_is_not_at_work_is_stopped(child, tmp_path):
    def state():
        return Path(f"/proc/{child._process.pid}/stat").read_text().rpartition(")")[2].split()[0]

    set_up(child, "busy", tmp_path)
    for _ in range(2):
        child.turn()
        for _ in range(100):
            if state() == "T":
                break
            time.sleep(0.05)
        assert state() == "T"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a stopped process stays")
def test_no_contender_outlives_a_parent_that_is_killed():
    code = "from benchmarks.child import Child; import sys, os; c = Child(sys.executable); c._asked('go', 60)"
    code = f"try:\n {code}\nexcept Exception: pass\nprint(c._process.pid, flush=True)\nos.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    status = Path(f"/proc/{int(done.stdout)}/status")
    for _ in range(100):
        if not status.exists() or "State:\tZ" in status.read_text():
            return
        time.sleep(0.1)
    pytest.fail("it still stands there, stopped")


def test_contenders_take_turns(monkeypatch, tmp_path):
    order = []

    class Noted:
        def __init__(self, python):
            self.python = python

        def set_up(self, module, contender, options):
            self.name = contender
            if contender == "c":
                raise LeftOutError("it does not run", ["torch"])
            return {"python": self.python}

        def turn(self):
            order.append(self.name)
            if self.name == "b" and order.count("b") > 1:
                raise LeftOutError("it fell")
            return {"seconds": 1.0}

        def end(self):
            order.append("end")

    monkeypatch.setattr(turns, "Child", Noted)
    odd = Benchmark(
        name="odd", title="", unit="", contenders=dict.fromkeys("abc"), needs={"b": ("torch",), "c": ("torch",)}
    )
    run = Run(3, None, tiny=True, pythons={"torch": "other"}, say=lambda text: None)
    sizes = [len(result["contenders"]["a"]["rounds"]) for result in run.measure(odd, tmp_path)]
    *_, last = run.measure(odd, tmp_path / "again")
    assert sizes == [1, 2, 3, 3]
    assert order[:8] == ["a", "b", "a", "b", "a", "end", "end", "end"]
    assert last["contenders"]["a"] == {"python": sys.executable, "rounds": [{"seconds": 1.0}] * 3}
    assert last["contenders"]["b"]["python"] == "other"
    assert last["contenders"]["b"]["left_out"] == "it fell"
    assert last["contenders"]["c"] == {"left_out": "it does not run", "missing": ["torch"]}


def test_options_go_to_another_process_and_back(tmp_path):
    options = Options(tmp_path / "data", True, tmp_path, 2)
    assert Options.from_dict(json.loads(json.dumps(options.to_dict()))) == options
    assert Options.from_dict({"work": "w"}) == Options(None, False, Path("w"))


def test_a_benchmark_with_an_unknown_contender_is_refused():
    with pytest.raises(ValueError, match="keras"):
        Benchmark(name="x", title="", unit="", contenders={}, reference="keras")
    with pytest.raises(ValueError, match="Nothing"):
        Benchmark(name="x", title="", unit="", contenders={}, group="Nothing")


def test_the_header_is_plain():
    header = machine.header()
    assert json.loads(json.dumps(header)) == header
    assert header["versions"]["keras"]
    assert machine.memory_mb()["peak"] > 1
