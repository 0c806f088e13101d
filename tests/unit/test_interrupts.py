"""How a block is stopped; a whole run: tests/trust/test_killed_runs.py."""

from __future__ import annotations

import contextlib
import os
import signal
import threading

import pytest

from imgclf.interrupts import RunStopped, check_stopped, stoppable


@pytest.fixture(autouse=True)
def heard():
    """A shell starts what is in the background deaf to SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_block(number, capsys):
    before = signal.getsignal(number)
    with pytest.raises(RunStopped, match="go on") as caught, stoppable(lambda: "go on"):
        os.kill(os.getpid(), number)
        threading.Event().wait(10)
    assert caught.value.code == 128 + number
    assert isinstance(caught.value, KeyboardInterrupt)
    assert isinstance(caught.value, SystemExit)
    assert capsys.readouterr().err == "\ngo on\n"
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("swallowed", [ValueError, None])
def test_a_backend_that_swallows_the_signal_is_stopped_all_the_same(swallowed):
    """TensorFlow, while it traces, makes a SystemError or nothing at all of an exception that comes from a handler."""
    with pytest.raises(RunStopped, match="go on") as caught, stoppable(lambda: "go on"):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            threading.Event().wait(10)
        except RunStopped:
            if swallowed is not None:
                raise swallowed("None values not supported.") from None
        check_stopped(lambda: "go on")
    assert caught.value.code == 143


def test_nothing_stays_of_a_block_that_ends_well():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    threads = threading.active_count()
    with stoppable(lambda: "go on"):
        assert signal.getsignal(signal.SIGTERM) is not before[signal.SIGTERM]
    assert {number: signal.getsignal(number) for number in before} == before
    assert threading.active_count() == threads
    assert signal.set_wakeup_fd(-1) == -1


def test_an_event_loop_keeps_its_own_ear():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    try:
        with stoppable(lambda: "go on"):
            pass
    finally:
        assert signal.set_wakeup_fd(-1) == writer
        os.close(reader)
        os.close(writer)


def test_other_threads_have_no_signals():
    done = []

    def work():
        with stoppable(lambda: "go on"):
            done.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [signal.getsignal(signal.SIGTERM)]


def test_a_second_signal_does_not_break_into_the_end_of_the_first():
    caught = []
    try:
        with stoppable(lambda: "go on"):
            try:
                os.kill(os.getpid(), signal.SIGINT)
                threading.Event().wait(10)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                threading.Event().wait(0.1)
                caught.append("tidied up")
    except KeyboardInterrupt as error:
        caught.append(error.code)
    assert caught == ["tidied up", 130]
    assert signal.set_wakeup_fd(-1) == -1


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stoppable(lambda: "go on"):
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(0.1)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_signal_to_a_forked_child_is_none_to_its_parent(monkeypatch):
    monkeypatch.setattr("imgclf.interrupts.GRACE", 0.3)
    with stoppable(lambda: "go on"):
        child = os.fork()
        if child == 0:
            threading.Event().wait(10)
            os._exit(0)
        threading.Event().wait(0.2)
        os.kill(child, signal.SIGTERM)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        threading.Event().wait(1)  # longer than the guard would wait
    assert status == -signal.SIGTERM


def test_a_signal_that_was_swallowed_ends_the_process_after_the_block():
    with pytest.raises(RunStopped, match="go on"), stoppable(lambda: "go on"), contextlib.suppress(RunStopped):
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(10)
