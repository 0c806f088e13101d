"""Nasty pictures, one by one and in a set: each gives its right pixels, or an error that names it and the cause."""

from __future__ import annotations

import csv
import os
import re
import signal
import socket
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from handmade import jpeg, png
from nasty_corpus import SCENE, TRUTH, corpus, reference
from PIL import BmpImagePlugin, GifImagePlugin, Image, ImageFile

from imgclf import opening
from imgclf.dataset import Dataset
from imgclf.errors import ImageError
from imgclf.images import ImageSpec, fit_image, inspect_image, read_image
from imgclf.sources import FolderSource

PROMISE = pytest.mark.promise(
    "nasty-images",
    "Every nasty file gives its right pixels or an error that names it and the cause: no crash, no hang over 2 s, "
    "and in a set a counted and listed skip, never a black picture, never a neighbour's",
)
CORPUS = corpus()
HANG = 2.0  # seconds


def timed(read):
    """What *read* gives, or the words of its ImageError, and the seconds: on a busy machine, those of the processor."""
    start, of_processor = time.perf_counter(), time.thread_time()
    try:
        result = read()
    except ImageError as error:
        result = str(error)
    seconds = time.perf_counter() - start
    return result, seconds if seconds < HANG else time.thread_time() - of_processor


def fault(result, wanted, name):
    """What is wrong with the outcome, in words; None if it is as wanted."""
    if isinstance(wanted, str):
        if not isinstance(result, str):
            return f"became {result.shape}, wanted {wanted!r}"
        if name not in result or not re.search(wanted, result):
            return f"says {result!r}, wanted {wanted!r}"
        return None
    if isinstance(result, str):
        return f"refused: {result}"
    if result.shape != wanted.shape or np.abs(result.astype(int) - wanted).max() > 2:
        return f"has other pixels: {result.shape}, wanted {wanted.shape}"
    return None


@PROMISE
def test_the_generated_corpus(tmp_path, record_property):
    assert len(CORPUS) >= 200
    faults, slowest, refused = {}, 0.0, 0
    for case in CORPUS:
        path = tmp_path / case.name
        path.write_bytes(case.content)
        result, seconds = timed(lambda path=path: read_image(path))
        refused += isinstance(result, str)
        slowest = max(slowest, seconds)
        if said := fault(result, case.wanted, repr(str(path))):
            faults[case.name] = said
        if isinstance(case.wanted, str) and isinstance(result, str):
            assert "\n" not in result
            assert result.endswith((".", "'"))
        if not isinstance(result, str):
            assert inspect_image(path).size == result.shape[:2]
    record_property(
        "measured",
        f"{len(CORPUS)} files: {refused} refused with their cause, {len(CORPUS) - refused} decoded right, 0 crashes, "
        f"slowest {slowest:.2f} s",
    )
    assert faults == {}
    assert slowest < HANG


BOMBS = ("exif_bomb.jpg", "exif_headers.jpg", "index_bomb.jpg", "long_comment.gif", "runs_far_ahead.bmp")
PEAK = """
import resource, sys
from imgclf.images import read_image
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    read_image(path)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is told in kilobytes on Linux")
def test_bombs_take_no_memory(tmp_path):
    """What took Pillow 12 gigabytes, or minutes: the floor of 13 stands on these."""
    bombs = {case.name: case.content for case in CORPUS if case.name in BOMBS}
    assert set(bombs) == set(BOMBS)
    for name, content in bombs.items():
        (tmp_path / name).write_bytes(content)
    command = [sys.executable, "-c", PEAK, *(str(tmp_path / name) for name in BOMBS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert int(done.stdout) < 250_000


@PROMISE
def test_the_collected_files(real_data, record_property):
    folder = real_data / "nasty_images"
    lines = (folder / "MANIFEST.tsv").read_text("utf-8").splitlines()
    rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    faults, slowest, good = {}, 0.0, 0
    for row in rows:
        path = folder / row["file"]
        ours = row["pil_format"] in {"JPEG", "MPO", "PNG", "GIF", "BMP", "WEBP"} and row["pil_result"].startswith("ok")
        result, seconds = timed(lambda path=path: read_image(path))
        slowest, good = max(slowest, seconds), good + ours
        if ours == isinstance(result, str):
            faults[path.name] = result if ours else "decoded"
        elif ours:
            width, height = map(int, row["pil_size"].split("x"))
            assert set(result.shape[:2]) == {height, width}
        else:
            assert repr(str(path)) in result
    record_property(
        "measured", f"{len(rows)} files: {good} decoded, {len(rows) - good} refused, slowest {slowest:.2f} s"
    )
    assert faults == {}
    assert slowest < HANG


def odd_files(folder):
    """What a folder can hold beside pictures: a name, and the pattern of the cause, or pixels."""
    whole = png(SCENE)
    (folder / "folder.png").mkdir()
    yield "folder.png", "no regular file but a folder|Is a directory|Permission denied"
    yield "vanished.png", "cannot be opened: No such file"
    yield "x" * 300 + ".png", "cannot be opened"
    yield "nul\0.png", "cannot be opened"
    (folder / "sparse.png").touch()
    os.truncate(folder / "sparse.png", 10**12)
    yield "sparse.png", "more than the 400,000,000 that are read"
    for name in (
        "café 🐱.png",
        "new\nline.png",
        "quo'te\".png",
        "tab\t.png",
        "\u202egnp.png",
        "-rf.png",
        "a" * 250 + ".png",
    ):
        (folder / name).write_bytes(whole)
        yield name, SCENE
    if os.name == "nt":
        return
    os.mkfifo(folder / "pipe.png")
    yield "pipe.png", "no regular file but a named pipe"
    for name, target, cause in (
        ("zeros.png", "/dev/zero", "no regular file but a device"),
        ("null.png", "/dev/null", "no regular file but a device"),
        ("nowhere.png", "not/there", "a link to something that is not there"),
        ("itself.png", "itself.png", "cannot be opened: Too many levels"),
        ("to_folder.png", "folder.png", "no regular file but a folder"),
        ("link.png", "-rf.png", SCENE),
    ):
        (folder / name).symlink_to(target)
        yield name, cause
    odd = os.fsdecode(b"caf\xe9.png")
    (folder / odd).write_bytes(whole)
    yield odd, SCENE
    half = os.fsdecode(b"half\xff.png")
    (folder / half).write_bytes(whole[:60])
    yield half, "is truncated"
    (folder / "locked.png").write_bytes(whole)
    (folder / "locked.png").chmod(0)
    yield "locked.png", SCENE if os.access(folder / "locked.png", os.R_OK) else "cannot be opened: Permission denied"


@PROMISE
def test_odd_files(tmp_path, record_property):
    previous = signal.signal(signal.SIGALRM, _too_long) if hasattr(signal, "SIGALRM") else None
    count = 0
    try:
        for name, wanted in odd_files(tmp_path):
            path = os.path.join(tmp_path, name)  # noqa: PTH118 (a zero byte, odd bytes)
            if previous is not None:
                signal.alarm(20)
            result, seconds = timed(lambda path=path: read_image(path))
            assert fault(result, wanted, repr(path)) is None
            assert seconds < HANG
            count += 1
    finally:
        if previous is not None:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, previous)
    record_property("measured", f"{count} links, pipes, devices and odd names: 0 hangs, each cause named")


def _too_long(*_):
    raise AssertionError("hung for 20 s")


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no sockets in the file system here")
def test_a_socket_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.png")
        with pytest.raises(ImageError, match="cannot be opened|but a socket"):
            read_image("s.png")


@PROMISE
def test_in_a_set_each_is_a_listed_skip_and_neighbours_keep_their_pixels(tmp_path, record_property):
    """Healthy pictures, each of a colour of its own, stand before and after every nasty one."""
    spec, colors = ImageSpec((9, 9)), {}
    nasty = {case.name: case for case in CORPUS}
    for number, name in enumerate(sorted(nasty)):
        folder = tmp_path / "ab"[number % 2]
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(nasty[name].content)
        for where in ("before", "behind"):
            color = [number % 251 + 1, number // 251 + 1, 77 if where == "before" else 177]
            key = f"{folder.name}/{name}.{where}.png"
            colors[key] = color
            (tmp_path / key).write_bytes(png(np.full((4, 4, 3), color, np.uint8)))
    ignored = {f"a/{name}" for name in ("pipe.png", "zeros.png", "nowhere.png")}
    if os.name != "nt":
        os.mkfifo(tmp_path / "a/pipe.png")
        (tmp_path / "a/zeros.png").symlink_to("/dev/zero")
        (tmp_path / "a/nowhere.png").symlink_to("not/there")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on what is no picture at all, which listing tests
        source = FolderSource(tmp_path)
    with pytest.warns(UserWarning, match="cannot be read and are left out"):
        data = Dataset.load(source, image_size=spec.image_size, on_error="skip", progress=False)
    refused = {f"{'ab'[n % 2]}/{name}" for n, name in enumerate(sorted(nasty)) if isinstance(nasty[name].wanted, str)}
    assert {key for key, _ in data.skipped} == refused
    assert all(repr(str(tmp_path / key)) in reason for key, reason in data.skipped)
    if os.name != "nt":
        assert ignored <= {item.key for item in source.ignored}
    assert len(data) + len(data.skipped) == len(nasty) + len(colors)
    for key, image in zip(data.keys, data.images, strict=True):
        if key in colors:
            assert (image == colors[key]).all(), key
        else:
            wanted = fit_image(nasty[key.partition("/")[2]].wanted.astype(np.uint8), spec)
            assert np.abs(image.astype(int) - wanted).max() <= 2, key
    record_property(
        "measured",
        f"{len(data):,} loaded, {len(data.skipped)} skipped and listed, {len(colors)} neighbours with their own pixels",
    )


SETTINGS = (
    (ImageFile, "LOAD_TRUNCATED_IMAGES", True),
    (Image, "MAX_IMAGE_PIXELS", None),
    (Image, "MAX_IMAGE_PIXELS", 10),
    (Image, "WARN_POSSIBLE_FORMATS", True),
    (GifImagePlugin, "LOADING_STRATEGY", GifImagePlugin.LoadingStrategy.RGB_ALWAYS),
    (BmpImagePlugin, "USE_RAW_ALPHA", True),
)


@PROMISE
@pytest.mark.parametrize(("module", "name", "value"), SETTINGS, ids=lambda value: str(value)[-30:])
def test_what_others_set_pillow_to_changes_nothing(module, name, value, monkeypatch):
    monkeypatch.setattr(module, name, value, raising=False)
    for case in CORPUS[::3]:
        result, _ = timed(lambda case=case: read_image(case.content))
        assert fault(result, case.wanted, "this picture") is None, case.name
    for file, pixels in TRUTH.items():
        assert fault(read_image(reference(file)), pixels, "") is None, file
    assert getattr(module, name) == value  # and it is theirs again


@PROMISE
@pytest.mark.parametrize("action", ["error", "always"])
def test_pillows_warnings_are_neither_errors_nor_noise(action):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter(action)
        before = list(warnings.filters)
        for case in CORPUS:
            result, _ = timed(lambda case=case: read_image(case.content))
            assert fault(result, case.wanted, "this picture") is None, case.name
        assert warnings.filters == before
    assert heard == []


def test_settings_are_given_back_after_many_threads(monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    half = jpeg(SCENE)[:-40]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: timed(lambda: read_image(half))[0], range(400)))
    assert {str(result)[:26] for result in results} == {"this picture is truncated:"}
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


@pytest.mark.parametrize("error", [MemoryError, RecursionError, SystemError, ValueError, KeyError, ZeroDivisionError])
def test_whatever_a_decoder_raises_is_an_image_error(error, monkeypatch, tmp_path):
    monkeypatch.setattr(Image.Image, "load", lambda self: (_ for _ in ()).throw(error("odd")))
    (tmp_path / "a.bmp").write_bytes(reference("rgb.bmp"))
    with pytest.raises(ImageError, match=r"a\.bmp' (does not fit into memory|is damaged)"):
        read_image(tmp_path / "a.bmp")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_who_wants_to_stop_is_not_stopped(error, monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: (_ for _ in ()).throw(error()))
    with pytest.raises(error):
        read_image(reference("rgb.bmp"))
    assert Image.MAX_IMAGE_PIXELS != opening.MAX_PIXELS // 2  # the settings are given back all the same


def test_a_file_replaced_between_listing_and_reading_is_read_as_it_is_then(tmp_path):
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.png").write_bytes(png(SCENE))
    source = FolderSource(tmp_path)
    os.replace(_written(tmp_path / "new", png(255 - SCENE)), tmp_path / "a/1.png")  # noqa: PTH105
    assert (source.read("a/1.png") == 255 - SCENE).all()
    (tmp_path / "b/1.png").unlink()
    with pytest.raises(ImageError, match=r"b/1\.png' cannot be opened: No such file"):
        source.read("b/1.png")


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
