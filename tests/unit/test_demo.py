"""The demo: from a file to what its page shows; and, where Gradio is installed, the page itself on the loopback."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import signal
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from subprocess import PIPE

import keras
import numpy as np
import pytest
from PIL import Image
from squares import squares

from imgclf import demo
from imgclf.architectures import registry
from imgclf.classifier import Classifier
from imgclf.demo import LIKELIEST, Guide
from imgclf.errors import ImageError, ImgclfError, OptionError

HOSTILE = ("<img src=x onerror=alert(1)>", "**dog** ${1+1}")
SHAPE = (64, 52, 3)


def installed():
    try:
        return bool(find_spec("gradio")) and int(version("pillow").split(".")[0]) >= 13
    except PackageNotFoundError:
        return False


needs_gradio = pytest.mark.skipif(not installed(), reason="no Gradio beside a Pillow of 13 or newer")


@pytest.fixture(scope="module")
def guide():
    keras.utils.set_random_seed(3)
    model = registry.build("small_cnn", input_shape=SHAPE, num_classes=2)
    return Guide(Classifier.from_keras(model, HOSTILE))


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "cat.png"
    Image.fromarray(squares(1, (30, 40))[0][0]).save(path)
    return path


def plain(head, classes):
    inside = [keras.layers.Conv2D(4, 3, name="conv"), *head, keras.layers.Dense(classes, name="dense")]
    return keras.Sequential([keras.Input(SHAPE), *inside, keras.layers.Softmax()])


def test_a_file_becomes_classes_and_an_overlay(guide, picture):
    """The answer is the classifier's own; the overlay has the size that the network sees."""
    pixels = guide.read(picture)
    found = guide.answer(pixels)
    said = guide.classifier.predict(picture)
    assert found.probabilities == pytest.approx(dict(zip(HOSTILE, said.probabilities[0], strict=True)))
    assert list(found.probabilities.values()) == sorted(found.probabilities.values(), reverse=True)
    assert found.overlay.shape == SHAPE
    assert found.picture is pixels
    assert repr(said.names[0]) in found.words


def test_class_and_method_are_chosen(guide, picture):
    """The overlay is the explainer's, for the class and by the method asked for."""
    pixels = guide.read(picture)
    assert guide.method == "hires_cam"  # small_cnn flattens its maps
    assert [number for _, number in guide.choices] == [LIKELIEST, 0, 1]
    for label, method in ((0, "hires_cam"), (1, "grad_cam"), (1, "layer_cam")):
        wanted = guide.explainer.grad_cam(pixels, label, method=method).overlay()[0]
        found = guide.answer(pixels, label, method)
        assert np.array_equal(found.overlay, wanted)
        assert repr(HOSTILE[label]) in found.words


def test_a_turned_photo_is_shown_upright(guide, tmp_path):
    """The file is read by our decoder, which turns it as its EXIF says."""
    upright = Image.fromarray(squares(1, (48, 40))[0][0])
    upright.save(tmp_path / "upright.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.rotate(90, expand=True).save(tmp_path / "turned.webp", lossless=True, exif=exif)
    assert np.array_equal(guide.read(tmp_path / "turned.webp"), guide.read(tmp_path / "upright.png"))


def test_a_broken_file_is_named_without_its_folder(guide, tmp_path):
    """The message is the decoder's; where the file lies meanwhile is nobody's business."""
    (tmp_path / "cat.jpg").write_text("no picture")
    with pytest.raises(ImageError, match=r"^'cat.jpg' is a text.*Convert it"):
        guide.read(str(tmp_path / "cat.jpg"))


def test_of_many_classes_the_likeliest_ten(picture):
    """A thousand classes would fill the page."""
    model = plain([keras.layers.GlobalAveragePooling2D()], 30)
    guide = Guide(Classifier.from_keras(model, [f"class {number}" for number in range(30)]))
    found = guide.answer(guide.read(picture))
    said = guide.classifier.predict(picture).probabilities[0]
    assert guide.method == "grad_cam"
    assert list(found.probabilities.values()) == pytest.approx(np.sort(said)[::-1][:10])


def test_a_network_without_maps_still_answers(picture):
    """Where nothing can be explained the page says why and keeps the answer."""
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")])
    guide = Guide(Classifier.from_keras(model, ["a", "b"]))
    found = guide.answer(guide.read(picture))
    assert set(found.probabilities) == {"a", "b"}
    assert found.overlay is None
    assert found.words.startswith("No explanation: ")
    assert demo._figures(found).count("<img") == 1


def test_a_damaged_network_says_so(picture):
    """NaN is no probability."""
    model = plain([keras.layers.Flatten()], 2)
    guide = Guide(Classifier.from_keras(model, ["a", "b"]))
    model.get_layer("dense").bias.assign([np.nan, 0])
    with pytest.raises(ImgclfError, match="Train it again"):
        guide.answer(guide.read(picture))


def test_the_figures_hold_pixels_and_no_names(guide, picture):
    """HTML is made of base64 and fixed words, and shows the pixels exactly."""
    found = guide.answer(guide.read(picture))
    html = demo._figures(found)
    uris = re.findall(r'src="data:image/png;base64,([A-Za-z0-9+/=]+)"', html)
    assert "onerror" not in html
    shown = [np.asarray(Image.open(io.BytesIO(base64.b64decode(uri)))) for uri in uris]
    assert [np.array_equal(a, b) for a, b in zip(shown, (found.picture, found.overlay), strict=True)] == [True, True]


def test_without_gradio_one_sentence_says_what_to_do(guide, monkeypatch):
    """A missing package is no traceback."""
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(ImgclfError, match="pip install 'gradio>=6'"):
        demo.build(guide.classifier)


@pytest.mark.parametrize(
    ("gradio", "pillow", "said"), [("5.50.0", "13.0.0", "needs 6 or newer"), ("6.31.0", "12.3.0", "Pillow is 12.3.0")]
)
def test_old_packages_are_refused(gradio, pillow, said, guide, monkeypatch):
    """Gradio brings an old Pillow along, silently: the demo must not open anybody's files with it."""
    fake = type(sys)("gradio")
    fake.__version__ = gradio
    monkeypatch.setitem(sys.modules, "gradio", fake)
    monkeypatch.setattr(demo, "pillow_version", pillow)
    with pytest.raises(ImgclfError, match=said):
        demo.build(guide.classifier)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_cannot_be(port, guide):
    """Said before anything is loaded."""
    with pytest.raises(OptionError, match="1 to 65535"):
        demo.launch(guide.classifier, port)


def test_the_environment_is_ours_meanwhile_and_put_back(monkeypatch, tmp_path):
    """No setting for another program opens the page to others, and none of ours stays."""
    monkeypatch.setenv("GRADIO_ALLOWED_PATHS", "/")
    monkeypatch.setenv("GRADIO_SHARE", "True")
    monkeypatch.setenv("NO_PROXY", "example.org")
    before = dict(os.environ)
    with demo._settings(str(tmp_path)):
        ours = {name: value for name, value in os.environ.items() if name.startswith("GRADIO_")}
        assert ours == {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(tmp_path)}
        assert os.environ["NO_PROXY"] == "127.0.0.1"
        assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert dict(os.environ) == before


SERVE = """
import json, signal, sys
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.default_int_handler)
outside = []
def watch(event, args):
    if event in ("socket.connect", "socket.sendto") and isinstance(args[1], tuple) and args[1][0] != "127.0.0.1":
        outside.append(repr(args[1]))
sys.addaudithook(watch)
from imgclf import Classifier
from imgclf.demo import launch
from imgclf.errors import OptionError
try:
    launch(Classifier.load(sys.argv[1]), port=json.loads(sys.argv[2]), open_browser=False)
except OptionError as error:
    print(error)
print("outside", json.dumps(outside))
"""


ASK = """
import json, sys
from gradio_client import Client, handle_file
client = Client(sys.argv[1], verbose=False, analytics_enabled=False)
asked = [client.predict(handle_file(path), -1, "hires_cam", api_name="/answer") for path in sys.argv[2:]]
print(json.dumps(asked))
"""


@pytest.fixture
def serve(tmp_path, guide):
    """Called with a port: the page in a process of its own, whose temporary files lie in ``temporary``."""
    model = guide.classifier.save(tmp_path / "model.keras")
    (tmp_path / "temporary").mkdir()
    started = []

    def start(port):
        surroundings = os.environ | {"TMPDIR": str(tmp_path / "temporary"), "HTTP_PROXY": "http://192.0.2.1:9"}
        command = [sys.executable, "-c", SERVE, str(model), port]
        started.append(subprocess.Popen(command, stdout=PIPE, stderr=PIPE, text=True, env=surroundings))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@needs_gradio
def test_the_page_answers_and_ends(serve, picture, tmp_path):
    """Over HTTP: an answer, a message for a broken file, nothing left on the disk, no word to the outside, Ctrl-C."""
    process = serve("null")
    address = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
    other = serve(address[1])
    (tmp_path / "text.jpg").write_text("no picture")
    asked = subprocess.run(
        [sys.executable, "-c", ASK, address[0], str(picture), str(tmp_path / "text.jpg")],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    (_, answer, words, html), (_, nothing, cause, blank) = json.loads(asked.stdout)
    assert {entry["label"] for entry in answer["confidences"]} == set(HOSTILE)
    assert "HiResCAM" in str(words)
    assert html.count("data:image/png") == 2
    assert not nothing
    assert blank == ""
    assert "'text.jpg' is a text" in str(cause)
    assert f"port {address[1]} is taken" in other.communicate(timeout=120)[0]
    here = tmp_path / "temporary"
    assert [path for path in here.rglob("*") if path.is_file() and path.stat().st_size] == []
    process.send_signal(signal.SIGINT)
    said, faults = process.communicate(timeout=60)
    assert (process.returncode, said.strip()) == (0, "outside []"), faults
    assert "Traceback" not in faults
    assert list(here.iterdir()) == []


@needs_gradio
def test_the_theme_asks_nobody_for_fonts(guide):
    """Only fonts of the system: no style sheet is loaded from elsewhere."""
    theme = demo._theme()
    assert not theme._stylesheets
    assert "https://" not in theme._get_theme_css()
