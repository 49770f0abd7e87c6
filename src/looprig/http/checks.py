"""Checks of the values passed to clients, requests and websockets. A wrong value is an error, and nothing is sent.

Does not check responses. Loads no HTTP library. Invariant: values that the types allow are accepted.
"""

import re
from collections.abc import AsyncIterable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Final, ForwardRef, Literal, cast, get_args, get_origin
from urllib.parse import SplitResult, urlsplit

from looprig.declare.values import DURATION, FLAG, STRING, Check, check_values, instance_of, shown
from looprig.exceptions import DeclarationError
from looprig.http.decode import encode_json
from looprig.http.forms import FIELDS, FILES, is_form
from looprig.location import user_location
from looprig.net.unix import SCHEME

__all__ = [
    "ADDRESS",
    "CLOSE_CODE",
    "COOKIE",
    "COOKIE_NAME",
    "DECODER",
    "FORM",
    "HEADERS",
    "MESSAGE",
    "METHOD",
    "PROTOCOLS",
    "QUERY",
    "REASON",
    "SERVICE",
    "STATUS",
    "check_options",
    "check_path",
    "encoded",
]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""A name in HTTP (RFC 9110, section 5.6.2)."""
_CONTROL: Final = re.compile(r"[\r\n\0]")
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_STATUSES: Final = range(100, 1000)
_CLOSE_CODES: Final = (range(1000, 1004), range(1007, 1015), range(3000, 5000))
"""Codes that may be sent in a close frame (RFC 6455, section 7.4)."""
_LONGEST_REASON: Final = 123
"""Maximum number of bytes of the reason in a close frame."""


def _is_token(value: Any) -> bool:
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not _CONTROL.search(value)


def _is_mapping_of_text(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    return all(_is_token(name) and _is_text(text) for name, text in cast("Mapping[object, object]", value).items())


def _is_scalar(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str) or (is_number and abs(value) < float("inf"))


def _is_query(value: Any) -> bool:
    if isinstance(value, Mapping):
        pairs: Iterable[object] = cast("Mapping[object, object]", value).items()
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        pairs = cast("Sequence[object]", value)
    else:
        return False
    return all(isinstance(pair, tuple) and _is_pair(cast("tuple[object, ...]", pair)) for pair in pairs)


def _is_pair(pair: tuple[object, ...]) -> bool:
    if len(pair) != 2 or not isinstance(pair[0], str):  # noqa: PLR2004 - a name and a value
        return False
    several = cast("Sequence[object]", pair[1]) if isinstance(pair[1], list | tuple) else (pair[1],)
    return all(map(_is_scalar, several))


def _is_status(value: Any) -> bool:
    if type(value) is int:
        return value in _STATUSES
    if isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping):
        several = cast("Collection[object]", value)
        return bool(several) and all(isinstance(each, int) and _is_status(each) for each in several)
    return isinstance(value, int) and value in _STATUSES


def _is_list_of_names(value: Any) -> bool:
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return is_list and all(map(_is_token, cast("Sequence[object]", value)))


def _is_close_code(value: Any) -> bool:
    return isinstance(value, int) and any(value in codes for codes in _CLOSE_CODES)


def _is_reason(value: Any) -> bool:
    return isinstance(value, str) and len(value.encode(errors="replace")) <= _LONGEST_REASON


def _is_body(value: Any) -> bool:
    if isinstance(value, Mapping | list | tuple):
        return is_form(cast("Mapping[Any, Any]", value))
    kinds = (bytes, bytearray, memoryview, str, AsyncIterable)
    if value is None or (isinstance(value, kinds) and not isinstance(value, type)):
        return True
    # A file, or a body that aiohttp makes: `FormData`, `Payload`.
    return hasattr(value, "read") or str(type(value).__module__).partition(".")[0] == "aiohttp"


def _is_form(value: Any) -> bool:
    try:
        return _is_known_form(value)
    except TypeError:  # it isn't hashable
        return _is_known_form.__wrapped__(value)


@lru_cache(maxsize=256, typed=True)
def _is_known_form(value: Any) -> bool:
    origin, parts = get_origin(value), get_args(value)
    if origin is Literal:
        return True
    if parts:
        return all(map(_is_form, parts[:1] if origin is Annotated else parts))
    if value is None or value is ... or isinstance(value, type):
        return True
    return type(value).__module__ in {"typing", "typing_extensions"} and not isinstance(value, ForwardRef)


def _is_service(value: Any) -> bool:
    return value is not None and not isinstance(value, type | str | bytes | int | float)


def _is_address(value: Any) -> bool:
    split = _split(value) if isinstance(value, str) else None
    return split is not None and split.scheme in {"http", "https", SCHEME} and bool(split.hostname)


def _split(url: str) -> SplitResult | None:
    try:
        split = urlsplit(url)
        _ = split.port  # raises for an invalid port
    except ValueError:
        return None
    return split


def _has_decode(value: Any) -> bool:
    return not isinstance(value, type) and callable(getattr(value, "decode", None)) and not isinstance(value, bytes)


ADDRESS: Final = Check('an address such as "http://127.0.0.1:8080"', _is_address).or_none()
CLOSE_CODE: Final = Check(
    "a code that a close frame may have: 1000, or 3000 to 4999",
    _is_close_code,
)
COOKIE_NAME: Final = Check("a name of letters, digits and some punctuation", _is_token)
COOKIE: Final = Check("a string in one line", _is_text)
COOKIES: Final = Check("a mapping from names to strings", _is_mapping_of_text)
DATA: Final = Check(
    "bytes, a string, a mapping or a list of pairs, an aiohttp.FormData, a file, or an async iterable of bytes; for "
    "JSON, use json=",
    _is_body,
)
DECODER: Final = Check("an object with a method `decode(body, into)`", _has_decode)
FORM: Final = Check("a type, such as list[User], and not a text or a value", _is_form)
HEADERS: Final = Check("a mapping from names to strings in one line", _is_mapping_of_text)
MESSAGE: Final = instance_of("a string, or bytes; for JSON, use send_json", str, bytes, bytearray, memoryview)
METHOD: Final = Check('a method, such as "GET"', _is_token)
PROTOCOLS: Final = Check("a list of names", _is_list_of_names)
QUERY: Final = Check("a mapping, or a list of pairs, from names to strings or numbers", _is_query)
REASON: Final = Check(f"a string of at most {_LONGEST_REASON} bytes", _is_reason)
SERVICE: Final = Check(
    "a service that is running, not its class: in a test, annotate a parameter with TestClient[Rest]; elsewhere, start "
    "one with `async with rig(Rest) as rest`",
    _is_service,
)
STATUS: Final = Check("a status from 100 to 999, or a collection of some", _is_status)

_OPTIONS: Final[Mapping[str, Check]] = {
    "params": QUERY,
    "headers": HEADERS,
    "cookies": COOKIES,
    "json": instance_of("anything", object),  # `encoded` reports values that can't be sent
    "data": DATA,
    "files": FILES,
    "timeout": DURATION.or_none(),
    "allow_redirects": FLAG,
}


def check_options(name: str, options: Mapping[str, object], *, decodes: bool = True) -> None:
    """Check the keyword arguments of a request. `decodes` says whether it also takes `into`.

    Raises:
        DeclarationError: an argument is unknown or has a wrong value, or there are two bodies.
    """
    if unknown := sorted(options.keys() - _OPTIONS.keys()):
        taken = ", ".join(("into", "status", *_OPTIONS) if decodes else ("status", *_OPTIONS))
        fix = f"It takes {taken}."
        if "into" in unknown:
            fix = f"Pass into= to what reads the body, such as response.iter_events(into=...). {fix}"
        raise DeclarationError(f"{name} takes no {', '.join(unknown)}.", [(name, user_location())], fix)
    for other in ("data", "files"):
        if "json" in options and other in options:
            raise DeclarationError(
                f"{name} was given json= and {other}=, but a request has only one body.",
                [(name, user_location())],
                f"Pass json= or {other}=, not both.",
            )
    check_values(name, ((option, value, _OPTIONS[option]) for option, value in options.items()))
    if options.get("files"):
        _check_files(name, options)


def _check_files(name: str, options: Mapping[str, Any]) -> None:
    check_values(name, [("data", options.get("data"), FIELDS.or_none())])
    if any(header.lower() == "content-type" for header in options.get("headers", ())):
        raise DeclarationError(
            f"{name} was given files= and the header Content-Type, which must contain the boundary of the parts.",
            [(name, user_location())],
            "Leave the header out: files= sets it.",
        )


def check_path(name: str, path: Any, base: str) -> None:
    """Check that a path, or an absolute URL, is on the server whose address is `base`.

    Raises:
        DeclarationError: the path or URL is on another server.
    """
    check_values(name, [("path", path, STRING)])
    if _ABSOLUTE.match(path) is None:
        return
    there = _split(path)
    if there is None or _server(there) != _server(urlsplit(base)):
        raise DeclarationError(
            f"{name} was given {shown(path)}, but sends only to {base}.",
            [(name, user_location())],
            "Pass a path below that address, or open a client for the other one: TestClient(service, url=...).",
        )


def _server(url: SplitResult) -> tuple[str | None, int | None, bool]:
    return url.hostname, url.port or _PORTS.get(url.scheme), url.scheme in {"https", "wss"}


def encoded(name: str, value: object) -> bytes:
    """Encode a value as JSON.

    Raises:
        DeclarationError: the value can't be encoded.
    """
    try:
        return encode_json(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise DeclarationError(
            f"{name} was given {shown(value)}, which cannot be encoded as JSON: {error}.",
            [(name, user_location())],
            "Pass plain data, Structs, dataclasses or pydantic models.",
        ) from error
