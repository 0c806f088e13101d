from __future__ import annotations

import pytest

from imgclf import errors
from imgclf.errors import ImgclfError, UnknownNameError, listed, unknown_name


@pytest.mark.parametrize("error", ImgclfError.__subclasses__())
def test_every_error_has_two_parents(error):
    """Each can be caught as ours or as the built-in that it is."""
    assert issubclass(error, (ValueError, RuntimeError, OSError, ImportError))
    assert error.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize(
    ("count", "said"), [(0, ""), (1, "0"), (5, "0, 1, 2, 3, 4"), (6, "0, 1, 2, 3, 4 and 1 more"), (2000, "1,995 more")]
)
def test_lists_are_capped(count, said):
    assert listed(range(count)).endswith(said)


@pytest.mark.parametrize(
    ("key", "reason", "said"),
    [
        ("1.jpg", "'cat/1.jpg' is empty", "'cat/1.jpg' is empty"),
        ("0", "pixels are uint80", "'0': pixels are uint80"),
        ("0", "KeyError: '0'", "'0': KeyError: '0'"),
        ("a(.jpg", "'x/a(.jpg' is empty", "'x/a(.jpg' is empty"),
    ],
)
def test_every_reason_names_its_picture_once(key, reason, said):
    assert errors.about(key, reason) == said


def test_the_nearest_name_is_suggested():
    error = unknown_name("preset", "bok", ["book", "mnist"])
    assert isinstance(error, UnknownNameError)
    assert str(error) == "no preset is called 'bok'. Did you mean 'book'? Known: 'book', 'mnist'."
    assert "Did you mean" not in str(unknown_name("preset", "zzz", ["book"]))
