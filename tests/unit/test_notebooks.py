"""In a notebook every result shows itself by its last line: as a page or a picture, and nothing opens by itself."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from squares import squares

import imgclf
from imgclf import health, label_errors, recipes
from imgclf.evaluation import Evaluation
from imgclf.figure import NotebookFigure

HOSTILE = ("<script>alert(1)</script>", "</table>&<img src=x>")


class Elements(HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self, text):
        super().__init__()
        self.found, self.attributes = set(), []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.add(tag)
        self.attributes += attrs


def data():
    images, labels = squares(24, (28, 28))
    return imgclf.Dataset.from_arrays(images[..., :1], labels, HOSTILE)


@pytest.fixture(scope="module")
def results():
    """One of everything that imgclf gives back."""
    everything = data()
    train, validation = everything.split(validation=0.25, duplicates="ignore")
    run = imgclf.Trainer("mnist_cnn", epochs=1, precision="float32").fit(train, validation, verbose=0)
    pictures = validation.take([0, 1])
    explainer = imgclf.Explainer(run.classifier)
    explanation = explainer.grad_cam(pictures)
    images, labels = squares(6)
    images[1] = images[0]  # under the other label
    evaluation = run.classifier.evaluate(validation)
    doubtful = Evaluation(
        np.array(["a", "b", "c", "d"]),
        np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.95, 0.05]], np.float32),
        HOSTILE,
        np.array([0, 0, 1, 1]),
    )
    return {
        "Dataset": everything,
        "TrainingRun": run,
        "Classifier": run.classifier,
        "Evaluation": evaluation,
        "Predictions": run.classifier.predict(pictures),
        "LabelErrors": label_errors.find(doubtful),
        "HealthReport": health.check(imgclf.ArraySource(images, labels, HOSTILE)),
        "Explanation": explanation,
        "Attribution": explainer.attribute(pictures, method="gradient"),
        "FeatureMaps": explainer.feature_maps(pictures),
        "Faithfulness": explainer.faithfulness(pictures, explanation, steps=2),
        "SanityCheck": explainer.sanity_check(pictures),
        "Comparison": imgclf.compare({"<i>one</i>": run.classifier, "two": run.classifier}, pictures),
        "registry": imgclf.registry,
        "recipes": recipes.table(),
        "Augmentation": imgclf.Augmentation.preset("book"),
        "no augmentation": imgclf.Augmentation(),
    }


NAMES = (
    "Dataset", "TrainingRun", "Classifier", "Evaluation", "Predictions", "LabelErrors", "HealthReport", "Explanation",
    "Attribution", "FeatureMaps", "Faithfulness", "SanityCheck", "Comparison", "registry", "recipes", "Augmentation",
    "no augmentation",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_result_is_a_page_without_elements_of_a_stranger(results, name):
    """Plain elements without an attribute: nothing is loaded, nothing runs, no name becomes markup."""
    text = results[name]._repr_html_()
    page = Elements(text)
    assert page.found <= {"p", "table", "thead", "tbody", "tr", "th", "td"}
    assert page.found
    assert page.attributes == []
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Dataset", "<td>12</td>"),
        ("TrainingRun", "best epoch 1 of 1"),
        ("Classifier", "<td>28 × 28 × 1, grayscale, fit stretch</td>"),
        ("Evaluation", "95 % interval"),
        ("LabelErrors", "1 of 4 labels are probably wrong"),
        ("HealthReport", "<th>what to do</th>"),
        ("Explanation", "plot() draws the maps"),
        ("FeatureMaps", "<th>greatest</th>"),
        ("registry", "<td>small_cnn</td>"),
        ("recipes", "<td>mnist_csv</td>"),
        ("Augmentation", "<td>rotation_range</td><td>40.0</td>"),
        ("no augmentation", "stays as it is"),
    ],
)
def test_a_page_says_what_matters(results, name, said):
    """The first thing one wants to know stands on the page."""
    assert said in results[name]._repr_html_()


def test_every_table_of_a_result_goes_to_files_and_to_pandas(results, tmp_path):
    """What has a table has its four other forms."""
    pytest.importorskip("pandas")
    for name in (
        "TrainingRun",
        "Evaluation",
        "Predictions",
        "LabelErrors",
        "FeatureMaps",
        "Faithfulness",
        "Comparison",
    ):
        result = results[name]
        assert len(result.to_pandas()) == len(result.table())
        assert result.to_csv(tmp_path / "t.csv").stat().st_size
        assert result.to_json(tmp_path / "t.json").read_text("utf-8").startswith("[")


def test_an_evaluation_shows_its_mistakes_worst_first():
    """Of many mistakes a page has the thirty worst and the number of all."""
    said = np.full((100, 2), [0.9, 0.1], np.float32)
    said[7] = [0.99, 0.01]
    page = Evaluation(np.arange(100).astype(str), said, ("cat", "dog"), np.ones(100, int))._repr_html_()
    assert "100 wrong answers" in page
    rows = page.split("100 wrong answers")[1]
    assert rows.count("<tr>") == 31
    assert rows.index("<td>7</td>") < rows.index("<td>0</td>")


@pytest.mark.parametrize("name", ["TrainingRun", "Evaluation", "Explanation", "FeatureMaps"])
def test_a_figure_shows_itself_where_pyplot_was_never_imported(results, name):
    """IPython prints Matplotlib's own Figure as text until pyplot is imported; ours brings its picture along."""
    figure = results[name].plot()
    assert isinstance(figure, NotebookFigure)
    assert figure._repr_png_().startswith(b"\x89PNG")


UNASKED = """
import sys, numpy as np
from imgclf import Augmentation, Dataset
from imgclf.evaluation import Evaluation
said = Evaluation(np.array(["a", "b"]), np.eye(2, dtype=np.float32), ("cat", "dog"), np.array([0, 1]))
data = Dataset.from_arrays(np.zeros((4, 8, 8, 3), np.uint8), [0, 1, 0, 1], ["cat", "dog"])
for shown in (said, data):
    repr(shown), str(shown), shown._repr_html_()
assert "matplotlib" not in sys.modules, "a table needs no figure"
said.plot()._repr_png_(), data.show()._repr_png_(), Augmentation.preset("book").preview(data.images[0])._repr_png_()
assert "matplotlib.pyplot" not in sys.modules, "pyplot keeps and shows figures"
"""


def test_no_figure_is_drawn_or_shown_unasked():
    """Tables load no Matplotlib, and figures no pyplot, whose figures a notebook shows a second time."""
    done = subprocess.run([sys.executable, "-c", UNASKED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
