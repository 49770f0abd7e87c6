"""Keys and contexts by themselves. `services_in_pytest` tests them in suites."""

import pickle

import pytest

from looprig import Context, Key, LooprigError


def test_a_key_is_its_name() -> None:
    assert Key[str]("dsn") == Key[int]("dsn") == Key("dsn")
    assert Key("dsn") != Key("other")
    assert Key("dsn") != "dsn"
    assert len({Key[str]("dsn"), Key("dsn"), Key("other")}) == 2  # pyright: ignore[reportUnknownArgumentType]
    assert repr(Key[str]("dsn")) == "Key('dsn')"
    assert pickle.loads(pickle.dumps(Key[str]("dsn"))) == Key("dsn")  # noqa: S301 - our own


def test_a_key_keeps_its_name() -> None:
    with pytest.raises(AttributeError):
        Key("dsn").name = "other"  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]


def test_a_text_is_a_key_too() -> None:
    context = Context({Key[str]("dsn"): "here", Key("size"): 3})
    assert context.get("dsn") == context.get(Key[str]("dsn")) == "here"
    context.set("dsn", "there")
    assert context.get(Key[str]("dsn")) == "there"
    assert "size" in context
    assert Key("size") in context
    assert list(context) == ["dsn", "size"]
    assert repr(context) == "<looprig.Context of dsn, size>"
    assert repr(Context()) == "<looprig.Context of nothing>"


def test_what_is_not_there_is_told_with_what_is() -> None:
    with pytest.raises(LooprigError) as caught:
        Context({"b": 1, "a": 2}).get("c")
    assert str(caught.value).startswith("The context has no 'c'; it has a, b.\n  ")
    assert caught.value.parties[0][1].path == __file__
