"""Calibration, the paired test, and words around names."""

from __future__ import annotations

import json

import numpy as np
import pytest

from imgclf.errors import OptionError
from imgclf.evaluation import Evaluation
from imgclf.report import calibration, paired
from imgclf.report.wording import Sentence, flat, markdown, shortened, yaml


def evaluation(sure, right, names=("cat", "dog")):
    """Two classes; the answer is always the first."""
    said = np.stack([sure, 1 - np.asarray(sure)], axis=1).astype(np.float32)
    keys = np.array([f"{number}.jpg" for number in range(len(said))])
    return Evaluation(keys, said, names, np.where(right, 0, 1))


def test_the_calibration_error_by_hand():
    """Four pictures at 0.75, of which two are right, and two at 0.95, both right: (4·0.25 + 2·0.05) / 6."""
    found = calibration(evaluation([0.75] * 4 + [0.95] * 2, [1, 1, 0, 0, 1, 1]))
    assert found.error == pytest.approx((4 * 0.25 + 2 * 0.05) / 6, abs=1e-6)
    assert [(each.low, each.high, each.count) for each in found.bins] == [(0.7, 0.8, 4), (0.9, 1.0, 2)]
    assert [each.accuracy for each in found.bins] == [0.5, 1.0]
    assert found.confidence == pytest.approx((4 * 0.75 + 2 * 0.95) / 6)
    brier = (2 * 2 * 0.25**2 + 2 * 2 * 0.75**2 + 2 * 2 * 0.05**2) / 6
    assert found.brier == pytest.approx(brier, abs=1e-6)


def test_a_bound_belongs_to_the_bin_below_it():
    """0.8 is in 0.7 to 0.8, as the papers have it, also where float32 stores a little more."""
    assert [each.high for each in calibration(evaluation([0.8], [1])).bins] == [0.8]


def test_chance_explains_what_a_perfect_classifier_shows():
    """Right answers drawn from the confidences stay below; a classifier that is always too sure does not."""
    rng = np.random.default_rng(1)
    sure = rng.uniform(0.5, 1, 2000)
    perfect = calibration(evaluation(sure, rng.random(2000) < sure))
    boaster = calibration(evaluation(np.full(2000, 0.95), rng.random(2000) < 0.7))
    assert perfect.error <= perfect.chance < 0.05
    assert boaster.error > 5 * boaster.chance


def test_the_paired_test_by_hand():
    """Eight against one: 2·(C(9,0) + C(9,1)) / 2⁹; the interval lies around the difference."""
    one = evaluation([0.9] * 20, [1] * 8 + [0] + [1] * 8 + [0] * 3)
    other = evaluation([0.9] * 20, [0] * 8 + [1] + [1] * 8 + [0] * 3)
    found = paired(one, other)
    assert (len(found.first_alone), len(found.second_alone), found.both, found.neither) == (8, 1, 8, 3)
    assert found.p_value == pytest.approx(20 / 512)
    assert found.difference == pytest.approx(-7 / 20)
    low, high = found.interval
    assert low < found.difference < high < 0
    assert paired(one, one).p_value == 1


def test_classes_in_another_order_are_the_same_classes():
    """Right is right, whatever column it stands in."""
    one = evaluation([0.9, 0.6], [1, 0])
    other = Evaluation(one.keys, one.probabilities[:, ::-1], ("dog", "cat"), 1 - one.true_labels)
    assert paired(one, other).both == 1
    with pytest.raises(OptionError, match="Compare classifiers of the same classes"):
        paired(one, evaluation([0.9, 0.6], [1, 0], names=("cat", "fox")))
    with pytest.raises(OptionError, match="Evaluate both on the same Dataset"):
        paired(one, evaluation([0.9], [1]))


@pytest.mark.parametrize(
    "name", ["<script>", "a\nb", "[x](http://evil)", "www.evil.com", "*a*", "`a`", "| b", "\x1b[2J", "$x$"]
)
def test_markdown_shows_names_as_they_are(name):
    """Read by a parser of Markdown, a name is text: neither a link nor an element nor emphasis."""
    reader = pytest.importorskip("markdown_it").MarkdownIt("gfm-like", {"linkify": False})
    tokens = reader.parse(f"- name: {markdown(name)}\n")
    inline = [token for token in tokens if token.type == "inline"]
    kinds = {child.type for token in inline for child in token.children}
    assert kinds <= {"text", "text_special"}
    assert "".join(child.content for token in inline for child in token.children) == f"name: {shortened(name)}"


def test_yaml_holds_any_text():
    """What stands between the quotes is one text again."""
    for name in ('"', "a: b", "---", "\\", "'", "é", "\ud800", "{{x}}", "\u2028"):
        assert json.loads(yaml(name)) == shortened(name)


def test_a_sentence_keeps_braces_in_names():
    """A name that looks like a place for another is only a name."""
    sentence = Sentence("{} and {}.", ("{0.__class__}", "{}"))
    assert sentence.markdown() == "\\{0.\\_\\_class\\_\\_\\} and \\{\\}."
    assert str(sentence.__html__()) == "<bdi>{0.__class__}</bdi> and <bdi>{}</bdi>."


def test_settings_of_a_stranger_stay_small():
    """Nested deep or wide, whatever a file says ends."""
    deep = wide = {}
    for _ in range(50):
        deep = {"a": deep}
    wide = {str(number): "x" * 10_000 for number in range(5000)}
    assert len(flat(deep)) <= 1
    assert len(flat(wide)) == 200
    assert all(len(value) <= 120 for value in flat(wide).values())
