"""A page in the browser to try a classifier on: drop a picture, see classes, probabilities and what speaks for one.

In: a classifier.  Out: a page of Gradio's on this computer's loopback address.  Nothing is sent anywhere.

::

    from imgclf import Classifier, demo

    demo.launch(Classifier.load("pets.keras"))  # until Ctrl-C

Gradio shows and carries; it never decodes.  A file is read by the decoder that training had, and is removed from the
disk as soon as its pixels are known.  Names of classes and files are a stranger's: they appear as text, never as HTML.
"""

from __future__ import annotations

import base64
import contextlib
import io
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL import __version__ as pillow_version

from .classifier import Classifier
from .errors import ImageError, ImgclfError, MissingPackageError, OptionError
from .explainer import Explainer
from .explainer.cam import METHODS, TITLES, Method, suggested_method
from .opening import MAX_BYTES
from .tables import visible

Pixels = npt.NDArray[np.uint8]

ADDRESS = "127.0.0.1"
TOP = 10
"""Classes that are shown, the likeliest first."""

LIKELIEST = -1
"""In place of a class: explain the one that the network says."""

_SUGGESTED = 7860  # the first port that is tried, Gradio's own; up to a hundred follow
_INSTALL = "Install it: pip install 'gradio>=6', and then pip install 'pillow>=13'."
_KEPT = 3600  # seconds after which the pixels of a page that nobody uses are forgotten
_STYLE = """
footer { display: none !important }
.output-class { overflow-wrap: anywhere !important }
.pictures { display: flex; flex-wrap: wrap; gap: 12px }
.pictures figure { flex: 1 1 220px; margin: 0 }
.pictures img { width: 100%; max-height: 60vh; object-fit: contain; image-rendering: auto; border-radius: 6px }
.pictures figcaption { font-size: 0.85em; opacity: 0.75; text-align: center }
"""


@dataclass(frozen=True)
class Answer:
    """What the page shows of one picture.

    Attributes:
        probabilities: Class → probability, the likeliest first, at most ``TOP``; control characters are escaped.
        picture: As the network sees it: uint8 ``(height, width, 1 or 3)``.
        overlay: What speaks for the class, over the picture: uint8 ``(height, width, 3)``; None where nothing can be
            explained.
        words: What is explained, or why it cannot be.
    """

    probabilities: dict[str, float]
    picture: Pixels
    overlay: Pixels | None
    words: str


class Guide:
    """Answers and explanations of one classifier: everything on the page that is not Gradio's.

    Args:
        classifier: Whose answers are shown.
    """

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        self.explainer = Explainer(classifier)

    @cached_property
    def method(self) -> Method:
        """The method to begin with: HiResCAM where the network flattens its maps, as Grad-CAM misleads there."""
        return suggested_method(self.classifier.model)

    @property
    def choices(self) -> list[tuple[str, int]]:
        """What may be explained: words for the user and a class's number, or ``LIKELIEST``."""
        names = [(visible(name), number) for number, name in enumerate(self.classifier.class_names)]
        return [("the likeliest class", LIKELIEST), *names]

    def read(self, path: str | os.PathLike[str]) -> Pixels:
        """The picture at *path* as the network sees it, by the decoder of training: uint8 ``spec.shape``.

        Raises:
            ImageError: as :func:`~imgclf.images.prepare_image`; it names the file without its folder.
        """
        try:
            pixels: Pixels = self.classifier.prepare(path)[1][0]
            return pixels
        except ImageError as error:
            name = os.fspath(path)
            raise ImageError(str(error).replace(repr(name), repr(Path(name).name))) from None

    def answer(self, pixels: Pixels, label: int = LIKELIEST, method: Method | None = None) -> Answer:
        """What the classifier says of *pixels*, and what in them speaks for a class.

        Args:
            pixels: What :meth:`read` gave.
            label: The class to explain, by its number; ``LIKELIEST``: the one that is said.
            method: One of Grad-CAM's family; None: :attr:`method`.

        Raises:
            ImgclfError: the probabilities are no finite numbers.
        """
        said = self.classifier.predict(pixels).probabilities[0]
        if not np.isfinite(said).all():
            raise ImgclfError("the answer is no finite number: the network is damaged. Train it again.")
        order = np.argsort(-said, kind="stable")[:TOP]
        names = self.classifier.class_names
        likeliest = {visible(names[number]): float(said[number]) for number in order}
        chosen = int(order[0]) if label == LIKELIEST else label
        try:
            why = self.explainer.grad_cam(pixels, names[chosen], method=method or self.method)
        except ImgclfError as error:  # a network without feature maps still answers
            return Answer(likeliest, pixels, None, f"No explanation: {error}")
        words = f"{why.description}: what speaks for {visible(names[chosen])!r} (probability {said[chosen]:.3f})."
        if all(blank[0] for blank in why.blank.values()):
            words += " The map is blank: nothing at this layer does."
        return Answer(likeliest, pixels, why.overlay()[0], words)


def build(classifier: Classifier) -> Any:
    """The page, as Gradio's ``Blocks``: for a program that serves it by itself; :func:`launch` does all of it.

    Args:
        classifier: What is to be tried.

    Raises:
        MissingPackageError: Gradio is not installed or too old, or it brought a Pillow that is.
    """
    gradio = _gradio()
    guide = Guide(classifier)
    with gradio.Blocks(title="imgclf", analytics_enabled=False, delete_cache=(60, 60)) as page:
        gradio.Markdown("## Drop a picture")
        pixels = gradio.State(None, time_to_live=_KEPT)
        with gradio.Row():
            with gradio.Column(scale=2, min_width=280):
                file = gradio.File(label="JPEG, PNG, GIF, BMP or WebP", file_types=["image"], height=150)
                answer = gradio.Label(label="Classes", num_top_classes=TOP)
            with gradio.Column(scale=3, min_width=280):
                words = gradio.Textbox(label="Explanation", interactive=False, lines=2)
                pictures = gradio.HTML(js_on_load=None)
                with gradio.Row():
                    label = gradio.Dropdown(guide.choices, value=LIKELIEST, label="Explain", min_width=130)
                    titles = [(TITLES[method], method) for method in METHODS]
                    method = gradio.Dropdown(titles, value=guide.method, label="Method", min_width=130)
        shown = [answer, words, pictures]

        def show(known: Pixels, label: int, method: Method) -> tuple[Any, ...]:
            try:
                found = guide.answer(known, label, method)
            except ImgclfError as error:
                return None, gradio.update(label="No answer", value=str(error)), ""
            return found.probabilities, gradio.update(label="Explanation", value=found.words), _figures(found)

        def take(path: str, label: int, method: Method) -> tuple[Any, ...]:
            try:
                known = guide.read(path)
            except ImgclfError as error:
                return None, None, None, gradio.update(label="This file cannot be read", value=str(error)), ""
            finally:
                Path(path).unlink(missing_ok=True)  # the pixels are all that is needed
            return None, known, *show(known, label, method)

        def again(known: Pixels | None, label: int, method: Method) -> tuple[Any, ...]:
            return (gradio.skip(),) * len(shown) if known is None else show(known, label, method)

        given = [file, label, method]
        file.upload(take, given, [file, pixels, *shown], api_name="answer", api_visibility="undocumented")
        for choice in (label, method):
            choice.input(again, [pixels, label, method], shown, api_visibility="private")
    return page


def launch(classifier: Classifier, port: int | None = None, open_browser: bool = True) -> None:
    """Serve the page on this computer's loopback address until Ctrl-C or SIGTERM.

    Everybody with an account on this computer can open the page; nobody from outside can.

    Args:
        classifier: What is to be tried.
        port: From 1 to 65535; None takes the first free one from 7860 on.
        open_browser: Open the page at once.

    Raises:
        OptionError: a port that is taken or cannot be.
        ImgclfError: as :func:`build`.
    """
    if port is not None and not 1 <= port <= 65535:
        raise OptionError(f"port is {port}; expected 1 to 65535, or nothing for the first free one.")
    with tempfile.TemporaryDirectory(prefix="imgclf-demo-") as folder, _settings(folder):
        page = build(classifier)
        try:
            _, address, _ = page.launch(
                server_name=ADDRESS,
                server_port=port,
                inbrowser=open_browser,
                share=False,
                quiet=True,
                prevent_thread_lock=True,
                footer_links=[],
                run_history=False,
                enable_monitoring=False,
                ssr_mode=False,
                pwa=False,
                mcp_server=False,
                max_file_size=MAX_BYTES,
                state_session_capacity=100,
                theme=_theme(),
                css=_STYLE,
            )
        except OSError as error:
            which = f"port {port} is" if port else f"the ports from {_SUGGESTED} to {_SUGGESTED + 99} are"
            raise OptionError(f"{which} taken. Choose another one with port, or end what listens there.") from error
        with _stop_signal() as stop:
            print(f"The demo is at {address} and ends with Ctrl-C.", flush=True)
            while not stop.wait(0.5):  # in pieces: on Windows a signal does not end a wait
                pass
            page.close(verbose=False)


def _gradio() -> Any:
    """Gradio, once it and its Pillow are fit for files of strangers."""
    with _settings():
        try:
            import gradio
        except ImportError as error:
            raise MissingPackageError(
                f"the demo needs Gradio, which cannot be imported ({error}). {_INSTALL}"
            ) from None
    if int(gradio.__version__.split(".")[0]) < 6:
        raise MissingPackageError(f"Gradio is {gradio.__version__}; the demo needs 6 or newer. {_INSTALL}")
    if int(pillow_version.split(".")[0]) < 13:  # Gradio asks for one: docs/design.md says what it lets through
        raise MissingPackageError(
            f"Pillow is {pillow_version}, which small files bring to its knees; the demo opens those of anybody and "
            "needs 13 or newer. Install it: pip install 'pillow>=13'. pip warns that Gradio wants another; it works."
        )
    return gradio


def _theme() -> Any:
    """A theme of the system's fonts: Gradio's own may come from Google."""
    from gradio import themes

    sans = [themes.Font(name) for name in ("system-ui", "sans-serif")]
    mono = [themes.Font(name) for name in ("ui-monospace", "monospace")]
    return themes.Default(font=sans, font_mono=mono)


def _figures(found: Answer) -> str:
    """HTML of the picture and its overlay.  Inside it stand pixels and fixed words only."""
    parts = [("as the network sees it", found.picture)]
    parts += [("what speaks for the class", found.overlay)] if found.overlay is not None else []
    figures = (
        f'<figure><img alt="{words}" src="{_data_uri(pixels)}"><figcaption>{words}</figcaption></figure>'
        for words, pixels in parts
    )
    return f'<div class="pictures">{"".join(figures)}</div>'


def _data_uri(pixels: Pixels) -> str:
    """A PNG within the page, so that no file of it is ever on the disk."""
    content = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(content, "PNG")
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


@contextlib.contextmanager
def _settings(folder: str | None = None) -> Iterator[None]:
    """The environment as Gradio is to find it: no telemetry, no other address, no files that it may give away.

    What the user has set for other programs (``GRADIO_SHARE``, ``GRADIO_ALLOWED_PATHS``) does not count meanwhile.
    """
    found = dict(os.environ)
    ours = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "NO_PROXY": ADDRESS, "no_proxy": ADDRESS}
    ours |= {"GRADIO_TEMP_DIR": folder} if folder else {}
    touched = ours.keys() | {name for name in found if name.startswith("GRADIO_") and name != "GRADIO_TEMP_DIR"}
    for name in touched:
        os.environ.pop(name, None)
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in touched:
            os.environ.pop(name, None)
            if name in found:
                os.environ[name] = found[name]


@contextlib.contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; a second one does not break into the end of the first.

    Outside the main thread, where there are no signals, nothing sets it.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    wanted = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in wanted}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
