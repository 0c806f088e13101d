from __future__ import annotations

import numpy as np
import pytest

from imgclf.plots import confusion_matrix, counts, curves, heatmap_rows, image_grid, short_path


def drawn(figure):
    """The figure, really drawn: layout and fonts included."""
    figure.canvas.draw()
    return figure


def test_a_grid_has_a_place_for_every_picture():
    pictures = [np.full((4, 6, 3), 9, np.uint8), np.full((5, 5, 1), 200, np.uint8), np.zeros((4, 4, 3), np.uint8)]
    figure = drawn(image_grid(pictures, ["a", "b", "$c"], columns=2, suptitle="three"))
    assert len(figure.axes) == 4
    assert [len(axis.images) for axis in figure.axes] == [1, 1, 1, 0]
    assert [axis.get_title() for axis in figure.axes[:3]] == ["a", "b", r"\$c"]
    grey = figure.axes[1].images[0]
    assert grey.get_clim() == (0, 255)
    assert len(drawn(image_grid(np.zeros((0, 4, 4, 3), np.uint8))).axes) == 1


def test_curves_show_both_sets_and_the_best_epoch():
    history = {"loss": [3, 2, 1], "val_loss": [3, 2, 4], "accuracy": [0.1, 0.5, 0.9], "val_accuracy": [0.1, 0.6, 0.5]}
    loss, accuracy = drawn(curves(history, best_epoch=2)).axes
    assert loss.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert accuracy.lines[1].get_ydata().tolist() == [0.1, 0.6, 0.5]
    assert accuracy.lines[2].get_xdata() == [2, 2]
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["training", "validation", "best epoch (2)"]
    assert len(drawn(curves({"loss": [1.0]})).axes[0].lines) == 1


def test_curves_of_one_epoch_are_points_at_epoch_one():
    for axis in drawn(curves({"loss": [3.0], "val_loss": [2.0], "accuracy": [0.5], "val_accuracy": [0.4]}, 1)).axes:
        assert [line.get_marker() for line in axis.lines[:2]] == ["o", "o"]
        low, high = axis.get_xlim()
        assert [tick for tick in axis.get_xticks() if low < tick < high] == [1]


@pytest.mark.parametrize(("k", "written"), [(2, 4), (10, 100), (31, 0)])
def test_a_confusion_matrix_writes_its_counts(k, written):
    axis = drawn(confusion_matrix(np.eye(k, dtype=int) * 1234, [f"class {i}" for i in range(k)])).axes[0]
    assert len(axis.texts) == written
    assert not written or axis.texts[0].get_text() == "1,234"
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("predicted", "true")


def test_counts_are_bars():
    axis = drawn(counts({"cat": 3, "dog": 5})).axes[0]
    assert [bar.get_height() for bar in axis.patches] == [3, 5]
    assert [text.get_text() for text in axis.texts] == ["3", "5"]


@pytest.mark.parametrize(("pictures", "layers"), [(1, 1), (2, 3), (4, 13)])
def test_the_legend_of_heat_maps_is_as_thin_beside_many_pictures_and_not_cut_beside_one(pictures, layers):
    images = np.full((pictures, 8, 8, 3), 99, np.uint8)
    names = [f"conv{i}" for i in range(layers)]
    blank = dict.fromkeys(names, [False] * pictures)
    figure = drawn(heatmap_rows(images, dict.fromkeys(names, images), titles=["a\nb\nc\nd"] * pictures, blank=blank))
    bar = figure.axes[-1]
    box, label = bar.get_window_extent(), bar.yaxis.label.get_window_extent()
    assert 0.05 < box.width / figure.dpi < 0.2
    assert box.height / figure.dpi < 6.1
    assert label.y0 >= 0
    assert label.y1 <= figure.bbox.height


def test_a_long_name_of_a_layer_keeps_its_end():
    assert short_path("backbone/conv1") == "conv1"
    short = short_path("backbone/block_13_expanded_conv_depthwise_relu")
    assert len(short) == 24
    assert short.startswith("…")
    assert short.endswith("_conv_depthwise_relu")
