from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, JpegImagePlugin

from imgclf import files, opening
from imgclf.errors import ImageError, OptionError
from imgclf.images import ImageSpec, fit_image, inspect_image, prepare_image, read_image
from imgclf.opening import Room


def encoded(picture, kind="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def ramp(height=4, width=6):
    return np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "WEBP", "JPEG"])
def test_every_format_reads_as_rgb_or_grey(kind):
    flat = Image.new("RGB", (5, 4), (200, 100, 50))
    pixels = read_image(encoded(flat, kind))
    assert pixels.shape == (4, 5, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - (200, 100, 50)).max() <= 3  # JPEG and WebP lose a little


@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_lossless_formats_are_exact(kind):
    assert (read_image(encoded(Image.fromarray(ramp()), kind)) == ramp()).all()


def test_grey_has_one_channel():
    grey = Image.fromarray(ramp()[..., 0])
    assert read_image(encoded(grey)).shape == (4, 6, 1)
    assert read_image(encoded(grey.convert("1"))).shape == (4, 6, 1)


def test_a_palette_becomes_its_colours():
    assert (read_image(encoded(Image.new("RGB", (2, 2), (10, 200, 30)).quantize(4))) == (10, 200, 30)).all()


@pytest.mark.parametrize(
    ("mode", "color", "said"),
    [("RGBA", (0, 0, 0, 0), 255), ("RGBA", (0, 0, 0, 255), 0), ("LA", (0, 0), 255), ("RGBA", (0, 0, 0, 127), 128)],
)
def test_transparency_lies_over_white(mode, color, said):
    pixels = read_image(encoded(Image.new(mode, (3, 2), color)))
    assert pixels.shape == (2, 3, 3 if mode == "RGBA" else 1)
    assert (pixels == said).all()


def test_a_transparent_palette_entry_lies_over_white():
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.putdata([0, 1])
    assert read_image(encoded(picture, transparency=0)).tolist() == [[[255, 255, 255], [0, 0, 255]]]


def test_16_bit_grey_is_scaled_not_clipped():
    values = np.array([[0, 128, 129, 257, 32896, 65535]], np.uint16)
    assert read_image(encoded(Image.fromarray(values)))[0, :, 0].tolist() == [0, 0, 1, 1, 128, 255]
    clear = read_image(encoded(Image.fromarray(values), transparency=0))
    assert clear[0, :, 0].tolist() == [255, 0, 1, 1, 128, 255]


def test_cmyk_becomes_rgb():
    pixels = read_image(encoded(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), "JPEG", quality=95))
    assert np.abs(pixels.astype(int) - (0, 255, 255)).max() < 20


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    """However a phone stored it, the picture comes out as Pillow's own transposition shows it."""
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(Image.fromarray(ramp()), "PNG", exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    assert (read_image(content) == np.asarray(upright)).all()
    assert read_image(content).shape == ((6, 4, 3) if orientation > 4 else (4, 6, 3))


def test_a_pillow_picture_is_taken_as_its_file_would_be():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(Image.fromarray(ramp()), exif=exif)
    assert (read_image(Image.open(io.BytesIO(content))) == read_image(content)).all()
    assert (read_image(Image.new("RGBA", (3, 2))) == 255).all()


def test_a_damaged_pillow_picture_is_an_image_error(monkeypatch):
    half = encoded(Image.fromarray(ramp(60, 60)), "JPEG")[:900]
    with pytest.raises(ImageError, match="this picture is truncated"):
        read_image(Image.open(io.BytesIO(half)))
    monkeypatch.setattr(opening, "MAX_PIXELS", 20)
    with pytest.raises(ImageError, match="Make it smaller"):
        read_image(Image.new("L", (9, 9)))


def test_damaged_exif_does_not_lose_the_picture():
    assert read_image(encoded(Image.fromarray(ramp()), "PNG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")).shape == (
        4,
        6,
        3,
    )


def test_the_first_frame_of_several_counts():
    frames = [Image.new("L", (3, 3), value) for value in (10, 200)]
    assert (read_image(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])) == 10).all()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty.*Restore it"),
        (b"<html>no picture</html>", "an HTML page.*Download it again"),
        (encoded(Image.fromarray(ramp(40, 40)), "JPEG")[:400], "Restore it, or remove it"),
        (encoded(Image.fromarray(ramp()), "TIFF"), "a TIFF picture. Convert it to one of JPEG, PNG"),
    ],
)
def test_what_cannot_be_read_is_said(content, said):
    with pytest.raises(ImageError, match=said):
        read_image(content)


def test_the_error_names_the_file(tmp_path):
    path = tmp_path / "cat.7.jpg"
    path.write_bytes(b"")
    with pytest.raises(ImageError, match=r"cat\.7\.jpg' is empty"):
        read_image(path)
    with pytest.raises(ImageError, match=r"dog\.jpg' cannot be opened.*Check the path"):
        read_image(tmp_path / "dog.jpg")
    with pytest.raises(ImageError, match="Check the path"):
        read_image("a\0b.jpg")
    with pytest.raises(ImageError, match=r"Give the path of a picture|Check the path"):
        read_image(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageError, match="Give the path of a picture"):
        read_image(tmp_path / "pipe.png")


def test_a_huge_picture_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(opening, "MAX_PIXELS", 20)
    with pytest.raises(ImageError, match="Make it smaller"):
        read_image(encoded(Image.fromarray(ramp())))
    bomb = encoded(Image.new("1", (20_000, 20_000)))
    with pytest.raises(ImageError, match="Make it smaller"):
        read_image(bomb)


def test_a_picture_is_inspected_without_decoding_it(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 8
    path = tmp_path / "a.PNG"
    path.write_bytes(encoded(Image.fromarray(ramp()), "JPEG", exif=exif))
    facts = inspect_image(path)
    assert (facts.format, facts.mode, facts.size, facts.frames, facts.orientation) == ("JPEG", "RGB", (6, 4), 1, 8)
    assert facts.bytes == path.stat().st_size
    assert not facts.suits(path)
    assert facts.suits("b.JPEG")
    assert facts.size == read_image(path).shape[:2]
    assert inspect_image(path.read_bytes()) == facts
    with pytest.raises(ImageError, match=r"c\.png' cannot be opened"):
        inspect_image(tmp_path / "c.png")
    with pytest.raises(ImageError, match="is a text"):
        inspect_image(b"text")


def test_a_file_is_read_once_and_no_larger_than_allowed(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(Image.fromarray(ramp())))
    monkeypatch.setattr(opening, "MAX_BYTES", 20)
    for source in (path, path.read_bytes()):
        with pytest.raises(ImageError, match="more than the 20 that are read"):
            read_image(source)


def test_values_without_a_known_range_are_refused():
    for value in (200, 70_000, -1):
        with pytest.raises(ImageError, match="32 bits.* uint8"):
            read_image(Image.fromarray(np.array([[value]], np.int32)))
    with pytest.raises(ImageError, match="8 bits"):
        read_image(Image.fromarray(np.zeros((2, 2), np.float32)))


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("mode", ["rgb", "grayscale"])
@given(height=st.integers(1, 40), width=st.integers(1, 40), channels=st.sampled_from([1, 3]), data=st.data())
@settings(max_examples=25, deadline=None)
def test_any_picture_fits_any_spec(fit, mode, height, width, channels, data):
    """Shape and type are the spec's, and a flat picture stays flat wherever it is not a bar."""
    spec = ImageSpec((data.draw(st.integers(1, 30)), data.draw(st.integers(1, 30))), mode, fit)
    fitted = fit_image(np.full((height, width, channels), 77, np.uint8), spec)
    assert fitted.shape == spec.shape
    assert fitted.dtype == np.uint8
    assert set(np.unique(fitted)) <= ({77} if fit != "pad" else {0, 77})


def test_stretch_is_pillows_bilinear():
    wanted = np.asarray(Image.fromarray(ramp(9, 7)).resize((5, 4), Image.Resampling.BILINEAR))
    assert (fit_image(ramp(9, 7), ImageSpec((4, 5))) == wanted).all()


@pytest.mark.parametrize(("width", "rows"), [(192, 122), (64, 224), (384, 61)])
def test_half_a_row_goes_to_the_even_number(width, rows):
    """105 of 192 on 224 are exactly 122.5 rows; in float64 they are a little more."""
    padded = fit_image(np.full((105, width, 3), 255, np.uint8), ImageSpec((224, 224), fit="pad"))
    assert (padded.max(axis=(1, 2)) > 0).sum() == rows


def test_crop_keeps_the_centre_and_pad_keeps_everything():
    picture = np.zeros((10, 30, 3), np.uint8)
    picture[:, 10:20] = 250
    assert (fit_image(picture, ImageSpec((10, 10), fit="crop")) == 250).all()
    padded = fit_image(picture, ImageSpec((30, 30), fit="pad"))
    assert (padded[:10] == 0).all()
    assert (padded[20:] == 0).all()
    assert (padded[10:20] == picture).all()


def test_colour_and_grey_are_brought_to_each_other():
    grey = ramp()[..., :1]
    assert (fit_image(grey, ImageSpec((4, 6))) == np.repeat(grey, 3, axis=2)).all()
    luma = np.asarray(Image.fromarray(ramp()).convert("L"))[..., None]
    assert (fit_image(ramp(), ImageSpec((4, 6), "grayscale")) == luma).all()
    assert fit_image(ramp()[..., 0], ImageSpec((4, 6), "grayscale")).shape == (4, 6, 1)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((4, 4, 3), np.float32), "Multiply by 255"),
        (np.zeros((4, 4, 3), np.int64), "Round and convert"),
        (np.full((4, 4, 3), 200.0), "uint8 from 0 to 255. Round and convert"),
        (np.zeros((4, 4, 4), np.uint8), r"expected \(height, width, 1 or 3\)"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"expected \(height, width, 1 or 3\)"),
        (np.zeros((0, 4, 3), np.uint8), "above 0"),
    ],
)
def test_arrays_of_another_kind_are_refused(array, said):
    with pytest.raises(ImageError, match=said):
        fit_image(array, ImageSpec((4, 4)))


@pytest.mark.parametrize("size", [150, (150,), (0, 4), (4.0, 4), ("4", "4"), (True, 4), None])
def test_a_size_is_two_whole_numbers(size):
    with pytest.raises(OptionError, match=r"expected \(height, width\)"):
        ImageSpec(size)


def test_a_spec_knows_its_words_and_survives_json():
    with pytest.raises(OptionError, match="expected one of"):
        ImageSpec((4, 4), "bgr")
    with pytest.raises(OptionError, match="expected one of"):
        ImageSpec((4, 4), fit="squash")
    spec = ImageSpec((4, 6), "grayscale", "pad")
    assert ImageSpec.from_dict(spec.to_dict()) == spec
    assert spec.shape == (4, 6, 1)


def test_nasty_files_give_a_picture_or_an_image_error(real_data):
    """Damaged, odd and hostile files: never another exception, and the error names the file."""
    for path in sorted((real_data / "nasty_images").iterdir()):
        try:
            assert read_image(path).ndim == 3
        except ImageError as error:
            assert path.name in str(error) or repr(str(path)) in str(error)


def test_16_bit_grey_of_an_opened_file_is_read_as_the_file_is():
    content = encoded(Image.fromarray(np.array([[0, 257, 65535]], np.uint16)))
    assert read_image(Image.open(io.BytesIO(content))).ravel().tolist() == [0, 1, 255]


FORKING = """
import os, signal
from PIL import Image
from imgclf import images

with images._GIVEN, images._ROOM.of(images._MANY_PIXELS), images._ROOM._door:
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        images.read_image(Image.new("RGB", (4, 4)))
        images.read_image(open(FILE, "rb").read())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_forked_process_does_not_wait_for_threads_that_stayed_behind(tmp_path):
    """In a process of its own: some backends object to forks."""
    (tmp_path / "a.png").write_bytes(encoded(Image.new("RGB", (4, 4))))
    program = FORKING.replace("FILE", repr(str(tmp_path / "a.png")))
    subprocess.run([sys.executable, "-c", program], check=True, timeout=90)


@pytest.mark.parametrize(("kind", "options"), [("JPEG", {"progressive": True}), ("JPEG", {}), ("BMP", {})])
def test_a_cut_file_is_refused_even_if_others_allow_them_while_it_is_decoded(kind, options, monkeypatch):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8))
    whole = encoded(noise, kind, **options)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)
    load = ImageFile.ImageFile.load

    def meanwhile(self):
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        return load(self)

    monkeypatch.setattr(ImageFile.ImageFile, "load", meanwhile)
    assert read_image(whole).shape == (200, 200, 3)
    with pytest.raises(ImageError, match="is truncated"):
        read_image(whole[: len(whole) * 7 // 10])


def test_a_jpeg_without_its_end_marker_is_whole_if_something_else_stands_there():
    """Some cameras and recorders pad with zeros instead; browsers show these pictures."""
    flat = encoded(Image.new("RGB", (40, 40), (9, 99, 199)), "JPEG")
    assert (read_image(flat[:-2] + bytes(64)) == read_image(flat)).all()


@pytest.mark.parametrize("size", [(2560, 1440), (3840, 2160)])
def test_a_nearly_empty_screen_is_a_picture(size):
    content = encoded(Image.new("RGB", size, "white"), "WEBP", lossless=True)
    assert len(content) < 1000
    assert read_image(content).min() == 255


def test_a_huge_nearly_empty_webp_is_refused():
    with pytest.raises(ImageError, match="would take long"):
        read_image(encoded(Image.new("RGB", (6000, 3000), "white"), "WEBP", lossless=True))


def test_no_more_is_asked_for_than_a_file_holds(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(Image.new("RGB", (4, 4))))
    asked, read = [], os.read

    def watched(handle, size):
        asked.append(size)
        return read(handle, size)

    monkeypatch.setattr(files.os, "read", watched)
    read_image(path)
    assert asked == [path.stat().st_size + 1]


def scene(height=480, width=640, seed=0):
    """Something like a photograph: smooth shapes, edges and a little grain."""
    rng = np.random.default_rng(seed)
    rough = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)).resize((width, height), Image.BICUBIC)
    grain = rng.normal(0, 4, (height, width, 1))
    pixels = np.asarray(rough).astype(float) + grain
    pixels[height // 3 : height // 2, width // 4 : width // 2] = (250, 20, 30)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def distance(one, other):
    return float(np.abs(one.astype(int) - other).mean())


FITS = [ImageSpec((50, 70), color, fit) for color in ("rgb", "grayscale") for fit in ("stretch", "crop", "pad")]


@pytest.mark.parametrize("spec", FITS, ids=str)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
def test_what_is_not_twice_as_large_is_prepared_as_it_is_read(kind, spec):
    for picture in (scene(90, 80), scene(90, 80).convert("L"), scene(30, 130)):
        content = encoded(picture, kind)
        assert (prepare_image(content, spec) == fit_image(read_image(content), spec)).all()


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "I;16"])
def test_every_kind_of_pixel_is_prepared_as_it_is_read(mode, monkeypatch):
    picture = scene(90, 120)
    grey = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    content = encoded(Image.fromarray(grey) if mode == "I;16" else picture.convert(mode))
    for most in (1_000_000, 1000):  # pixels converted at a time
        monkeypatch.setattr("imgclf.decoding._STRIP", most)
        for spec in FITS:
            assert (prepare_image(content, spec) == fit_image(read_image(content), spec)).all()


@pytest.mark.parametrize("spec", FITS[:4], ids=str)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_large_jpeg_is_decoded_small_and_lies_right(orientation, spec):
    """Nearer to the picture decoded whole than a shift by a third of a pixel would be."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(scene(401, 561, orientation), "JPEG", quality=95, exif=exif)
    whole, small = fit_image(read_image(content), spec), prepare_image(content, spec)
    assert small.dtype == np.uint8
    assert small.shape == spec.shape
    assert small.flags.c_contiguous
    assert distance(small, whole) < min(
        1.5, distance(whole, shifted(whole, 0)) / 3, distance(whole, shifted(whole, 1)) / 3
    )


def shifted(pixels, axis):
    return np.roll(pixels, 1, axis)


def scales_of(content, spec, monkeypatch):
    seen = []
    draft = JpegImagePlugin.JpegImageFile.draft

    def watched(self, mode, size):
        before = self.size
        result = draft(self, mode, size)
        seen.append(round(before[0] / self.width))
        return result

    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "draft", watched)
    prepare_image(content, spec)
    monkeypatch.undo()
    return seen or [1]


@pytest.mark.parametrize(
    ("size", "spec", "scale"),
    [
        ((100, 100), ImageSpec((51, 50)), 1),
        ((100, 100), ImageSpec((50, 50)), 2),
        ((99, 400), ImageSpec((50, 50)), 1),
        ((399, 399), ImageSpec((100, 100)), 2),
        ((400, 400), ImageSpec((100, 100)), 4),
        ((800, 6000), ImageSpec((100, 100)), 8),
        ((1600, 1600), ImageSpec((100, 100)), 8),
        ((8, 8), ImageSpec((1, 1)), 8),
        ((100, 400), ImageSpec((50, 50), fit="crop"), 2),
        ((100, 400), ImageSpec((50, 50), fit="pad"), 8),
        ((100, 100), ImageSpec((200, 200)), 1),
    ],
)
def test_no_picture_is_decoded_smaller_than_wanted(size, spec, scale, monkeypatch):
    assert scales_of(encoded(scene(*size), "JPEG"), spec, monkeypatch) == [scale]


def test_only_a_jpeg_is_decoded_small(monkeypatch):
    for kind in ("PNG", "WEBP", "BMP", "GIF"):
        assert scales_of(encoded(scene(), kind), ImageSpec((8, 8)), monkeypatch) == [1]
    given = Image.open(io.BytesIO(encoded(scene(), "JPEG")))
    assert (prepare_image(given, ImageSpec((8, 8))) == fit_image(read_image(given), ImageSpec((8, 8)))).all()
    assert given.size == (640, 480)  # it is the user's


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_blocks": 3}])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_kinds_of_jpeg_are_decoded_small(mode, options):
    content = encoded(scene().convert(mode), "JPEG", **options)
    spec = ImageSpec((50, 70))
    assert distance(prepare_image(content, spec), fit_image(read_image(content), spec)) < 1.5


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("ending", [b"", b"\xff\xd9"])
def test_what_is_cut_is_refused_at_every_scale(mode, options, ending):
    """The verdict on a file does not depend on the size wanted, wherever it is cut, and where it is given an end."""
    content = encoded(scene(240, 330).convert(mode), "JPEG", quality=90, **options)
    refused = 0
    for cut in np.linspace(300, len(content) - 3, 25).astype(int):
        given = content[:cut] + ending
        verdicts = {_verdict(lambda given=given: read_image(given))}
        verdicts |= {
            _verdict(lambda given=given, side=side: prepare_image(given, ImageSpec((side, side))))
            for side in (200, 110, 60, 20)
        }
        assert len(verdicts) == 1, (cut, verdicts)
        refused += verdicts != {""}
    assert refused > 20 or (ending and "progressive" in options)


def _verdict(call):
    try:
        call()
    except ImageError as error:
        return str(error)
    return ""


def test_limits_are_those_of_the_full_size(monkeypatch):
    content = encoded(scene(), "JPEG")
    monkeypatch.setattr(opening, "MAX_PIXELS", 300_000)
    with pytest.raises(ImageError, match="more pixels than the 300,000"):
        prepare_image(content, ImageSpec((8, 8)))
    scans = encoded(scene(), "JPEG", progressive=True)
    monkeypatch.undo()
    monkeypatch.setattr("imgclf.decoding._SCANS", 640 * 480 * 5)
    with pytest.raises(ImageError, match="scans of 640 × 480"):
        prepare_image(scans, ImageSpec((8, 8)))


def test_there_is_room_for_so_many_pixels_at_a_time():
    room, most, held, lock = Room(100), [0], [0], threading.Lock()

    def work(pixels):
        with room.of(pixels):
            with lock:
                held[0] += min(pixels, 100)
                most[0] = max(most[0], held[0])
            time.sleep(0.001)
            with lock:
                held[0] -= min(pixels, 100)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, [30, 60, 1000, 1, 99] * 8))
    assert 60 < most[0] <= 100
    with pytest.raises(ZeroDivisionError), room.of(100):
        raise ZeroDivisionError
    with room.of(100):
        pass
