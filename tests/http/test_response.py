"""Responses, headers and decoding, without a network."""

import pickle
import sys
from collections.abc import Collection, Container
from dataclasses import dataclass, make_dataclass
from typing import Any, NamedTuple, cast

import msgspec
import pydantic
import pytest
from typing_extensions import TypeAliasType, TypedDict

from looprig.exceptions import ExtraMissingError, LooprigError, UnexpectedResponseError
from looprig.http import Headers, Request, Response
from looprig.http.decode import MsgspecDecoder, PydanticDecoder, encode_json, form_name
from looprig.http.response import expected_statuses


class Model(pydantic.BaseModel):
    """A pydantic model."""

    id: int


class Struct(msgspec.Struct):
    """A msgspec Struct."""

    id: int


@dataclass
class HoldsModel:
    """A dataclass that contains a model."""

    model: Model


class TypedDictOfModels(TypedDict):
    """A TypedDict that contains models."""

    models: list[Model]


class TupleOfModel(NamedTuple):
    """A NamedTuple that contains a model."""

    model: Model


@dataclass
class Node:
    """A dataclass that contains itself."""

    next: "Node | None"


Aliased = TypeAliasType("Aliased", list[Model])


def answer(body: bytes, *, content_type: str = "application/json", sent: bytes | None = None) -> Response:
    headers = Headers([("Content-Type", content_type), ("Server", "test")])
    request = Request("POST", "http://h/p", Headers([("Host", "h")]), sent)
    return Response(200, "OK", headers, body, "http://h/p", "POST", request)


def test_headers_keep_every_value_and_look_names_up_without_case() -> None:
    """As a mapping, headers give the first value of a name."""
    headers = Headers([("Set-Cookie", "a"), ("X", "1"), ("set-cookie", "b")])
    assert (headers["SET-COOKIE"], headers.get_all("Set-Cookie")) == ("a", ("a", "b"))
    assert (list(headers), len(headers)) == (["Set-Cookie", "X"], 2)
    assert "x" in headers
    assert cast("object", 1) not in cast("Container[object]", headers)
    assert headers.get("y", "none") == "none"
    assert headers == Headers(headers.pairs)
    assert hash(headers) == hash(Headers(headers.pairs))
    assert headers != {"X": "1"}
    assert repr(headers) == "Headers([('Set-Cookie', 'a'), ('X', '1'), ('set-cookie', 'b')])"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", "é".encode()),
        ("text/plain; charset=latin-1", b"\xe9"),
        ('text/html;Charset="UTF-16"', "é".encode("utf-16")),
    ],
)
def test_text_follows_the_charset(content_type: str, body: bytes) -> None:
    """UTF-8 if none is given."""
    assert answer(body, content_type=content_type).text == "é"


@pytest.mark.parametrize("charset", ["utf-8", "no-such-charset"])
def test_text_that_is_none_is_told(charset: str) -> None:
    """It is never replaced by question marks; the body is shown as bytes."""
    with pytest.raises(UnexpectedResponseError, match=f"its body is not text in {charset}: ") as raised:
        _ = answer(b"\xe9", content_type=f"text/plain; charset={charset}").text
    assert str(raised.value).splitlines()[-1] == r"  < b'\xe9'"


def test_json_that_is_none_is_told_with_what_was_sent() -> None:
    """The error includes the request's body."""
    with pytest.raises(UnexpectedResponseError) as raised:
        answer(b"<html>", sent=b'{"a": 1}').json()
    assert str(raised.value) == (
        "POST http://h/p answered 200 OK, but its body is not JSON: "
        "Expecting value: line 1 column 1 (char 0).\n"
        '  > {"a": 1}\n'
        "  < Content-Type: application/json\n"
        "  < <html>"
    )


def test_a_long_body_is_cut() -> None:
    """The error says how much is left out."""
    text = str(answer(b"x" * 5000).unexpected("too long."))
    assert text.endswith("\n  < ... (3000 more characters)")
    assert len(text) < 2200


def test_responses_and_their_errors_survive_pickling() -> None:
    """pytest-xdist passes errors between processes."""
    response = answer(b"{}")
    assert pickle.loads(pickle.dumps(response)) == response  # noqa: S301 - our own
    error = response.unexpected("really.")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own


@pytest.mark.parametrize(
    ("into", "body", "value"),
    [
        (int, b"1", 1),
        (Struct | None, b"null", None),
        (Struct | None, b'{"id":1}', Struct(1)),
        (Model, b'{"id":1}', Model(id=1)),
        (list[Model] | None, b'[{"id":1}]', [Model(id=1)]),
        (HoldsModel, b'{"model":{"id":1}}', HoldsModel(Model(id=1))),
        (TypedDictOfModels, b'{"models":[{"id":1}]}', {"models": [Model(id=1)]}),
        (TupleOfModel, b'[{"id":1}]', TupleOfModel(Model(id=1))),
        (Node, b'{"next":{"next":null}}', Node(Node(None))),
        (Aliased, b'[{"id":1}]', [Model(id=1)]),
        (None, b"", None),
        (type(None), b"null", None),
    ],
)
def test_each_type_is_decoded_by_the_library_whose_models_it_holds(into: Any, body: bytes, value: object) -> None:
    """Including models inside dataclasses, TypedDicts, NamedTuples and unions."""
    assert answer(body).decode(into) == value


@pytest.mark.parametrize(
    ("into", "why"),
    [
        (Struct, "does not decode into Struct: Expected `int`, got `str` - at `$.id`."),
        (list[Struct], "does not decode into list[Struct]: Expected `array`, got `object`."),
        (Model, "does not decode into Model: Input should be a valid integer - at `$.id`."),
        (list[Model], "does not decode into list[Model]: Input should be a valid array - at `$`."),
    ],
)
def test_both_libraries_are_strict_and_tell_faults_alike(into: Any, why: str) -> None:
    """Neither accepts `"1"` as an int."""
    with pytest.raises(UnexpectedResponseError) as raised:
        answer(b'{"id":"1"}').decode(into)
    assert str(raised.value).splitlines()[0].endswith(why)


@pytest.mark.parametrize("into", [Struct, object, Model])
def test_a_type_that_nothing_decodes_is_the_tests_mistake(into: Any) -> None:
    """The error is another one than for a body that doesn't match."""

    class Refuses:
        def decode(self, body: bytes, into: object) -> Any:
            raise TypeError("unknown")

    with pytest.raises(LooprigError, match=r"JSON cannot be decoded into \w+: unknown\.\nPass into= a type") as raised:
        answer(b"1").decode(into, decoder=Refuses())
    assert type(raised.value) is LooprigError


def test_a_type_with_a_name_that_is_not_there_is_the_tests_mistake() -> None:
    """The decoding library says which name is missing."""
    unfinished = make_dataclass("Unfinished", [("field", "Nowhere")])
    with pytest.raises((LooprigError, NameError), match="Nowhere"):
        answer(b"{}").decode(unfinished)


@pytest.mark.parametrize(
    ("module", "decode", "extra"),
    [("msgspec", MsgspecDecoder().decode, "msgspec"), ("pydantic", PydanticDecoder().decode, "pydantic")],
)
def test_a_missing_library_names_its_extra(
    module: str, decode: Any, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the command that installs it."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ExtraMissingError) as raised:
        decode(b"1", list[int])
    assert str(raised.value) == (
        f"Decoding into list[int] needs {extra}, which is not installed.\npip install 'looprig[{extra}]'"
    )


def test_json_is_encoded_without_msgspec_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Msgspec is optional; the body that is sent is the same."""
    value = {"model": Model(id=1), "nodes": [Node(None)], "text": "é"}
    expected = '{"model":{"id":1},"nodes":[{"next":null}],"text":"é"}'.encode()
    assert encode_json(value) == expected
    monkeypatch.setitem(sys.modules, "msgspec", None)
    assert encode_json(value) == expected
    with pytest.raises(TypeError, match="a object cannot be sent as JSON"):
        encode_json(object())
    monkeypatch.delitem(sys.modules, "pydantic")
    assert encode_json(value["text"]) == '"é"'.encode()


@pytest.mark.parametrize(
    ("status", "text"),
    [(200, "200"), ({404, 200}, "200 or 404"), (range(200, 300), "200 to 299"), ([], "no status at all")],
)
def test_expectations_are_written_as_people_do(status: int | Collection[int], text: str) -> None:
    """In the first line of the error."""
    assert expected_statuses(status) == text


def test_expect_gives_the_response_back() -> None:
    """So that calls can be chained."""
    response = answer(b"{}")
    assert response.expect(200) is response
    assert response.expect(range(200, 300)) is response
    with pytest.raises(UnexpectedResponseError, match="answered 200 OK, expected 201 or 202"):
        response.expect({201, 202})


def test_types_are_named_without_their_modules() -> None:
    """Even if they are defined in a function."""

    class Local: ...

    assert form_name(Local) == "Local"
    assert form_name(list[Local] | None) == "list[Local] | None"
    assert form_name(None) == "None"
    assert form_name(dict[str, Any]) == "dict[str, Any]"
