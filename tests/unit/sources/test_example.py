from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgclf.sources import example as module
from imgclf.sources.example import NOTHING, ExampleError, dump_example, parse_example

NUMBERS = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4)
FEATURES = st.dictionaries(st.text(max_size=9), st.one_of(st.lists(st.binary(max_size=300), max_size=3), NUMBERS))
WHOLE = dump_example({"image/encoded": [b"\x89PNG" * 50], "image/class/label": [3], "image/filename": [b"a.png"]})


def field(number: int, wire: int, content: bytes) -> bytes:
    return bytes([number << 3 | wire, *([len(content)] if wire == 2 else [])]) + content


def example(name: bytes, feature: bytes) -> bytes:
    return field(1, 2, field(1, 2, field(1, 2, name) + field(2, 2, feature)))


@given(FEATURES)
def test_what_is_written_is_read(features):
    found = parse_example(dump_example(features))
    assert found.keys() == features.keys()
    for name, values in features.items():
        if values and isinstance(values[0], bytes):
            assert (found[name].kind, found[name].texts(), found[name].integers()) == ("bytes", values, [])
        else:
            assert (found[name].integers(), found[name].texts()) == (values, [])


def test_the_same_features_give_the_same_bytes():
    assert dump_example({"b": [1], "a": [b"x"]}) == dump_example({"a": [b"x"], "b": [1]})


@pytest.mark.parametrize(
    ("feature", "kind", "numbers"),
    [
        (field(3, 2, field(1, 2, b"\x03\x07")), "integers", [3, 7]),  # packed
        (field(3, 2, field(1, 0, b"\x03") + field(1, 0, b"\x07")), "integers", [3, 7]),  # one by one
        (field(3, 2, field(1, 0, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")), "integers", [-1]),
        (field(3, 2, field(2, 0, b"\x03")), "integers", []),  # a field of a later version
        (field(3, 2, b""), "integers", []),
        (field(2, 2, field(1, 5, b"\0\0\0\0")), "floats", []),
        (field(1, 2, field(1, 2, b"x")), "bytes", []),
        (field(9, 2, b"x") + field(3, 2, field(1, 0, b"\x05")), "integers", [5]),
        (b"", "nothing", []),
        (field(1, 2, field(1, 2, b"x")) + field(3, 2, field(1, 0, b"\x05")), "integers", [5]),  # the last of two counts
        (
            field(3, 2, field(1, 2, b"\x03")) + field(3, 2, field(1, 0, b"\x05")),
            "integers",
            [3, 5],
        ),  # of one kind: both
        (field(3, 2, field(1, 0, b"\x03")) + field(1, 2, b"") + field(3, 2, field(1, 0, b"\x05")), "integers", [5]),
    ],
)
def test_lists_of_all_kinds(feature, kind, numbers):
    found = parse_example(example(b"f", feature))["f"]
    assert (found.kind, found.integers()) == (kind, numbers)


def test_other_fields_are_passed_over():
    odd = field(7, 0, b"\x96\x01") + field(6, 1, bytes(8)) + field(5, 5, bytes(4)) + field(4, 2, b"x")
    assert parse_example(odd + WHOLE + odd)["image/class/label"].integers() == [3]


def test_features_in_parts_belong_together():
    parts = example(b"a", b"") + example(b"b", b"") + example(b"a", field(3, 2, field(1, 0, b"\x05")))
    assert parse_example(parts)["a"].integers() == [5]
    assert parse_example(parts)["b"] == (parts, *parse_example(parts)["b"][1:])


def test_a_list_in_two_parts_is_one_list():
    first, second = (field(1, 2, field(1, 2, text)) for text in (b"x", b"y"))
    assert parse_example(example(b"f", first + second))["f"].texts() == [b"x", b"y"]


def test_a_feature_that_stands_twice_in_one_entry():
    twice = field(2, 2, field(1, 2, field(1, 2, b"x"))) * 2
    with pytest.raises(ExampleError, match="feature b'f' stands in 2 parts, and one is expected"):
        parse_example(field(1, 2, field(1, 2, field(1, 2, b"f") + twice)))


def test_only_what_is_wanted_is_read():
    content = WHOLE + dump_example({"n" * 200: [7]})
    assert list(parse_example(content, ("image/class/label",))) == ["image/class/label"]
    assert parse_example(content, ("n" * 200, "none"))["n" * 200].integers() == [7]
    assert parse_example(content, ()) == {}
    behind = field(2, 2, field(3, 2, field(1, 0, b"\x05"))) + field(1, 2, b"f")  # the name comes last
    assert parse_example(field(1, 2, field(1, 2, behind)), ("f",))["f"].integers() == [5]


def test_values_beyond_those_asked_for_are_not_decoded(monkeypatch):
    """A list of labels may have millions."""
    packed = dump_example({"label": list(range(1000)), "text": [b"x"] * 1000})
    features, count = parse_example(packed), 0

    def counted(content: bytes, at: int, stop: int) -> tuple[int, int]:
        nonlocal count
        count += 1
        return varint(content, at, stop)

    varint = module._varint
    monkeypatch.setattr(module, "_varint", counted)
    assert features["label"].integers(2) == [0, 1]
    assert features["text"].texts(2) == [b"x"] * 2
    assert count < 10
    assert (len(features["label"].integers()), len(features["text"].texts())) == (1000, 1000)
    assert count > 1000


def test_a_number_ends_after_ten_bytes():
    def told(number: bytes) -> list[int]:
        return parse_example(example(b"f", field(3, 2, field(1, 2, number))))["f"].integers()

    assert told(b"\xff" * 9 + b"\x01") == [-1]
    assert told(b"\x80" * 9 + b"\x00") == [0]
    for number in (b"\x80" * 10 + b"\x00", b"\xff" * 10 + b"\x01"):
        with pytest.raises(ExampleError, match="a number in it does not end"):
            told(number)


def test_nothing_is_no_features():
    assert parse_example(b"") == {}
    assert (NOTHING.kind, NOTHING.texts(), NOTHING.integers()) == ("nothing", [], [])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x0a\x05abc", "ends behind its end"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "ends behind its end"),
        (b"\x0a" + b"\xff" * 20, "a number in it does not end"),
        (b"\x0a", "does not end"),
        (b"\x80", "does not end"),
        (b"\x0b", "written in the way 3"),
        (b"\x0f", "written in the way 7"),
        (b"\x02\x01x", "ends behind its end"),  # the field 0
        (b"\x09\0\0", "ends behind its end"),
        (example(b"\xff\xfe", b""), "is no text"),
        (b"<html>404", "no tf.train.Example"),
    ],
)
def test_what_is_no_example(content, told):
    with pytest.raises(ExampleError, match=told):
        parse_example(content)


def taken_apart(content: bytes) -> None:
    for feature in parse_example(content).values():
        feature.texts()
        feature.integers()


def test_every_cut_and_turned_byte_is_an_error_or_an_example():
    rng = np.random.default_rng(0)
    cases = [WHOLE[:at] for at in range(len(WHOLE))]
    cases += [WHOLE[:at] + bytes([rng.integers(256)]) + WHOLE[at + 1 :] for at in range(len(WHOLE)) for _ in range(5)]
    told = 0
    for case in cases:
        try:
            taken_apart(case)
        except ExampleError:
            told += 1
    assert told > 200


@given(st.binary(max_size=200))
def test_noise_is_an_error_or_an_example(content):
    try:
        taken_apart(content)
    except ExampleError as error:
        assert str(error)
