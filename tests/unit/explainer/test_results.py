from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from matplotlib.figure import Figure

from imgclf.errors import OptionError, UnknownNameError
from imgclf.explainer.results import Explanation, FeatureMaps

RNG = np.random.default_rng(2)


@pytest.fixture
def explanation(images):
    maps = {"base/conv1": RNG.normal(size=(3, 7, 7)), "conv2": RNG.normal(size=(3, 4, 4)) + 1}
    maps["conv2"][1] = -1
    return Explanation(
        keys=("a_cat.jpg", "pictures/of/many/animals/in/$folders$/b.jpg", "c"),
        images=images,
        names=("cat", "dog", "cat"),
        labels=np.array([0, 1, 0]),
        probabilities=np.array([[0.9, 0.1], [0.25, 0.75], [0.4, 0.6]], np.float32),
        scores=np.array([2.0, 1.0, -0.5], np.float32),
        method="grad_cam",
        maps={path: values.astype(np.float32) for path, values in maps.items()},
    )


@pytest.fixture
def feature_maps(images):
    maps = {"conv1": RNG.normal(size=(3, 14, 14, 4)), "conv2": RNG.normal(size=(3, 5, 5, 40))}
    maps["conv1"][..., 1] = 3  # a constant channel
    return FeatureMaps(("a", "b", "c"), images, {path: m.astype(np.float32) for path, m in maps.items()})


def texts(figure):
    return [text.get_text() for axis in figure.axes for text in [axis.title, axis.xaxis.label, axis.yaxis.label]]


def test_the_record_is_frozen(explanation, feature_maps):
    for record in (explanation, feature_maps):
        with pytest.raises(FrozenInstanceError):
            record.maps = {}


def test_blank_is_told_for_each_layer_and_picture(explanation):
    assert {path: flags.tolist() for path, flags in explanation.blank.items()} == {
        "base/conv1": [False, False, False],
        "conv2": [False, True, False],
    }


def test_heatmap_has_the_pictures_size_and_the_last_layer_is_the_default(explanation):
    heat = explanation.heatmap()
    assert heat.shape == (3, 16, 16)
    assert heat.max(axis=(1, 2)).tolist() == [1, 0, 1]
    assert np.array_equal(heat, explanation.heatmap("conv2"))
    assert not np.array_equal(heat, explanation.heatmap("base/conv1"))
    with pytest.raises(UnknownNameError, match="Did you mean 'conv2'"):
        explanation.heatmap("conv22")


def test_overlay_goes_from_the_grey_picture_to_the_colours(explanation, images):
    grey = explanation.overlay(alpha=0)
    assert grey.shape == (3, 16, 16, 3)
    assert grey.dtype == np.uint8
    assert np.abs(grey[..., 0] - images @ np.array([0.299, 0.587, 0.114])).max() <= 0.5
    colors = explanation.overlay(alpha=1)
    hottest = explanation.heatmap()[0] == 1
    assert (colors[0][hottest] == [253, 231, 37]).all()  # the last colour of viridis
    assert (colors[1] == [68, 1, 84]).all()  # the first: the map is blank
    with pytest.raises(OptionError, match="from 0 to 1"):
        explanation.overlay(alpha=2)


def test_the_table_holds_a_row_per_picture(explanation, tmp_path):
    assert explanation.table().records()[1] == {
        "key": "pictures/of/many/animals/in/$folders$/b.jpg",
        "class": "dog",
        "probability": 0.75,
        "logit": 1.0,
        "blank": 1,
    }
    assert str(explanation).splitlines()[1].startswith("a_cat.jpg")
    assert "<td>dog</td>" in explanation._repr_html_()
    assert explanation.to_csv(tmp_path / "why.csv").read_text().startswith("key,class,probability,logit,blank\n")
    assert repr(explanation) == "Explanation(grad_cam: 3 pictures × 2 layers: base/conv1, conv2)"


def test_plot_has_a_row_per_picture_and_a_column_per_layer(explanation):
    figure = explanation.plot()
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 3 * 3 + 1
    titles = texts(figure)
    assert "a_cat.jpg\ncat: p = 0.900" in titles
    assert titles.count("conv1") == titles.count("conv2") == 3
    assert "share of each map's maximum" in titles
    words = [(i, text.get_text()) for i, axis in enumerate(figure.axes) for text in axis.texts]
    assert words == [(5, "blank")]  # the second picture's second layer
    figure.canvas.draw()  # also the key with "$", which is no formula


def test_many_layers_go_on_in_a_further_row(explanation):
    maps = {f"conv{i}": explanation.maps["conv2"] for i in range(11)}
    figure = Explanation(**{**vars(explanation), "maps": maps}).plot()
    assert len(figure.axes) == 3 * 2 * 7 + 1  # rows of 6 and 5, each beside the picture
    assert sum(axis.get_title().startswith("conv") for axis in figure.axes) == 33


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_pictures_of_other_channels_are_drawn(explanation, channels):
    images = RNG.integers(0, 256, (3, 16, 16, channels)).astype(np.uint8)
    figure = Explanation(**{**vars(explanation), "images": images}).plot()
    figure.canvas.draw()


def test_a_strip_per_layer(feature_maps):
    figure = feature_maps.plot("b", channels=8)
    labels = texts(figure)
    assert "conv1\n14×14×4" in labels
    assert "conv2\n5×5×40" in labels
    assert len(figure.axes) == 3
    mosaics = [axis.images[0].get_array() for axis in figure.axes[1:]]
    assert [m.shape for m in mosaics] == [(42, 8 * 45 - 3), (35, 8 * 37 - 2)]  # enlarged 3 and 7 times
    first = feature_maps.maps["conv2"][1, :, :, 0]
    assert np.allclose(mosaics[1][::7, :35:7], (first - first.min()) / np.ptp(first))
    assert np.ma.masked_invalid(mosaics[0])[:, 45:87].max() == 0  # the constant channel is dark, not NaN


def test_all_channels_of_one_layer(feature_maps):
    figure = feature_maps.plot(2, layer="conv2")
    assert "conv2: c" in texts(figure)
    mosaic = figure.axes[0].images[0].get_array()
    assert np.isfinite(np.ma.filled(mosaic, np.nan)).sum() == 40 * 35**2


def test_a_picture_or_layer_that_is_not_there_is_told(feature_maps):
    with pytest.raises(OptionError, match="a position from 0 to 2"):
        feature_maps.plot(3)
    with pytest.raises(UnknownNameError, match="no picture is called 'd'"):
        feature_maps.plot("d")
    with pytest.raises(UnknownNameError, match="Did you mean 'conv2'"):
        feature_maps.plot(layer="conv3")


@pytest.mark.parametrize(("suffix", "starts"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".PNG", b"\x89PNG")])
def test_figures_are_saved_whole(explanation, feature_maps, tmp_path, suffix, starts):
    for name, record in (("why", explanation), ("maps", feature_maps)):
        path = record.save(tmp_path / "new" / f"{name}{suffix}")
        assert path.read_bytes().startswith(starts)
    assert len(list((tmp_path / "new").iterdir())) == 2  # no temporary file is left


def test_another_kind_of_file_is_refused_and_the_old_one_stays(explanation, tmp_path, monkeypatch):
    with pytest.raises(OptionError, match=r"expected '\.png' or '\.svg'"):
        explanation.save(tmp_path / "why.jpg")
    (tmp_path / "why.png").write_text("old")

    def failing(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", failing)
    with pytest.raises(OSError, match="disk full"):
        explanation.save(tmp_path / "why.png")
    assert (tmp_path / "why.png").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1
