"""Decoding of JSON into typed values, and encoding of objects as JSON.

msgspec decodes, or pydantic in strict mode if the type is or contains a pydantic model. So `"1"` is never accepted for
an `int`. Both are extras and are imported at first use.

Does not know HTTP, only bytes and types. Invariants of every `Decoder`:
1. A body that does not fit the type raises a `ValueError` that says where.
2. A type that the decoder does not support raises a `TypeError`.
"""

import dataclasses
import json
import re
import sys
from collections.abc import Hashable, Iterator
from functools import lru_cache
from typing import Any, Final, Protocol, TypeVar, cast, final, get_args, get_type_hints

from typing_extensions import TypeForm

from looprig._extras import import_extra
from looprig.exceptions import ExtraMissingError

__all__ = ["DEFAULT_DECODER", "Decoder", "MsgspecDecoder", "PydanticDecoder", "encode_json", "form_name"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_T = TypeVar("_T")


class Decoder(Protocol):
    """A decoder of JSON bodies into values of a type.

    Raises `ValueError` for a body that does not fit, and `TypeError` for a type that it does not support.
    """

    def decode(self, body: bytes, into: TypeForm[_T]) -> _T:
        """Decode the whole body into one value."""
        ...


@lru_cache(maxsize=256)  # msgspec analyses the type each time a decoder is created
def _msgspec_decoder(form: Any) -> Any:
    msgspec = import_extra("msgspec", extra="msgspec", needed_for=f"Decoding into {form_name(form)}")
    return msgspec.json.Decoder(form)


@final
class MsgspecDecoder:
    """A strict decoder that uses msgspec, for Structs, dataclasses, TypedDicts, unions and the types in them."""

    def decode(self, body: bytes, into: TypeForm[_T]) -> _T:
        """Decode the whole body into one value."""
        try:
            decoder = _msgspec_decoder(cast("Hashable", into))
        except TypeError:  # the type isn't hashable, or msgspec does not support it and raises again here
            decoder = _msgspec_decoder.__wrapped__(into)
        msgspec = sys.modules["msgspec"]
        try:
            return cast("_T", decoder.decode(body))
        except msgspec.DecodeError as error:  # a ValueError itself only in newer versions of msgspec
            raise ValueError(str(error)) from error


@final
class PydanticDecoder:
    """A decoder that uses pydantic's `TypeAdapter`, in strict mode for JSON."""

    def decode(self, body: bytes, into: TypeForm[_T]) -> _T:
        """Decode the whole body into one value."""
        pydantic = import_extra("pydantic", extra="pydantic", needed_for=f"Decoding into {form_name(into)}")
        try:
            return cast("_T", pydantic.TypeAdapter(into).validate_json(body, strict=True))
        except pydantic.ValidationError as error:
            raise ValueError(_pydantic_summary(error)) from error


@final
class _ByTypeDecoder:
    """A decoder that uses pydantic for a type that contains a pydantic model, and msgspec for all others."""

    def __init__(self) -> None:
        self._pydantic = PydanticDecoder()
        self._msgspec = MsgspecDecoder()

    def decode(self, body: bytes, into: TypeForm[_T]) -> _T:
        decoder: Decoder = self._pydantic if _has_pydantic_model(into) else self._msgspec
        return decoder.decode(body, into)


DEFAULT_DECODER: Final[Decoder] = _ByTypeDecoder()

_SIGNS_OF_FIELDS: Final = ("__dataclass_fields__", "__struct_fields__", "__total__", "_fields")
"""Attributes of dataclasses, Structs, TypedDicts and NamedTuples, whose fields have types to look into."""


def encode_json(value: object) -> bytes:
    """Encode plain data, Structs, dataclasses and pydantic models, also nested in each other.

    Dates, UUIDs, enums and sets need msgspec. Raises `TypeError` for an object that can't be encoded.
    """
    try:
        msgspec = import_extra("msgspec", extra="msgspec", needed_for="Encoding JSON")
    except ExtraMissingError:  # plain data needs no extra
        return json.dumps(value, default=_plain, ensure_ascii=False, separators=(",", ":")).encode()
    return cast("bytes", msgspec.json.encode(value, enc_hook=_plain))


def form_name(form: object) -> str:
    """Return the text of a type as a person would write it, without module names.

    >>> form_name(list[int] | None)
    'list[int] | None'
    """
    if form is None or form is type(None):
        return "None"
    if isinstance(form, type) and not get_args(form):
        return form.__qualname__.rpartition("<locals>.")[2]
    return re.sub(r"(?:[\w<>]+\.)+(?=\w)", "", repr(form))


def _plain(value: object) -> object:
    if _is_pydantic_model(type(value)):
        return cast("Any", value).model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    raise TypeError(f"a {type(value).__qualname__} cannot be sent as JSON: {value!r}")


def _pydantic_summary(error: Any) -> str:
    """Return all errors in the style of msgspec. pydantic's own text includes links to its documentation."""
    faults = error.errors(include_url=False, include_context=False)
    return "; ".join(f"{fault['msg']} - at `{_path(fault['loc'])}`" for fault in faults)


def _path(steps: tuple[str | int, ...]) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def _has_pydantic_model(form: object) -> bool:
    if "pydantic" not in sys.modules:  # then no model can exist
        return False
    seen: set[int] = set()
    found: list[object] = [form]
    while found:
        each = found.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if _is_pydantic_model(each):
            return True
        found.extend(_parts(each))
    return False


def _is_pydantic_model(form: object) -> bool:
    pydantic = sys.modules.get("pydantic")
    if pydantic is None or not isinstance(form, type):
        return False
    try:
        return issubclass(form, pydantic.BaseModel) or bool(pydantic.dataclasses.is_pydantic_dataclass(form))
    except TypeError:  # a generic alias that claims to be a type
        return False


def _parts(form: object) -> Iterator[object]:
    yield from get_args(form)
    value = getattr(form, "__value__", None)  # a `type` alias
    if value is not None:
        yield value
    if isinstance(form, type) and any(hasattr(form, sign) for sign in _SIGNS_OF_FIELDS):
        try:
            yield from get_type_hints(form).values()
        except NameError:  # the decoder reports the missing name
            return
