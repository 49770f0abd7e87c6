"""Forms: the fields of `data=` and the files of `files=`, encoded as a body.

Takes them in the shapes that httpx takes. Does no I/O but to read the files, from their beginning to their end.

Invariants:
1. A body with files is complete before it is sent. So it can be sent again after a redirect, and no file is closed.
2. Names are encoded as browsers do (HTML standard, "multipart form data"): as UTF-8, with quotes escaped.
"""

import io
import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from secrets import token_hex
from typing import IO, Any, Final, NamedTuple, TypeAlias, cast

from looprig.declare.values import Check, shown
from looprig.exceptions import DeclarationError
from looprig.location import user_location

__all__ = ["FIELDS", "FILES", "FileContent", "FileValue", "Files", "fields_of", "is_form", "multipart"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

FileContent: TypeAlias = bytes | str | IO[bytes]
FileValue: TypeAlias = (
    FileContent
    | tuple[str | None, FileContent]
    | tuple[str | None, FileContent, str | None]
    | tuple[str | None, FileContent, str | None, Mapping[str, str]]
)
"""The content of a file; or its name, content, media type and headers."""
Files: TypeAlias = Mapping[str, FileValue] | Sequence[tuple[str, FileValue]]

_ESCAPES: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})
_UNNAMED: Final = "upload"
"""The name of a file that has none, as httpx has it."""


class _Part(NamedTuple):
    """A part of the body: a field, or a file, which has a media type."""

    name: str
    content: bytes
    filename: str | None = None
    headers: Mapping[str, str] = {}


def _is_content(value: Any) -> bool:
    return isinstance(value, bytes | bytearray | memoryview | str) or callable(getattr(value, "read", None))


def _is_file(value: Any) -> bool:
    if not isinstance(value, tuple):
        return _is_content(value)
    match cast("tuple[object, ...]", value):
        case (None | str(), content):
            return _is_content(content)
        case (None | str(), content, None | str()):
            return _is_content(content)
        case (None | str(), content, None | str(), Mapping()):
            headers = cast("Mapping[object, object]", value[3])
            return _is_content(content) and all(isinstance(each, str) for pair in headers.items() for each in pair)
        case _:
            return False


def _pairs(value: object) -> list[tuple[object, Any]] | None:
    """Return the pairs of a mapping, or of a list of pairs, or `None` for anything else."""
    if isinstance(value, Mapping):
        return list(cast("Mapping[object, Any]", value).items())
    if isinstance(value, list | tuple):
        items = cast("Sequence[object]", value)
        if all(isinstance(item, tuple) and len(cast("tuple[object, ...]", item)) == 2 for item in items):  # noqa: PLR2004 - a pair
            return cast("list[tuple[object, Any]]", list(items))
    return None


def _are_files(value: object) -> bool:
    pairs = _pairs(value)
    return pairs is not None and all(isinstance(name, str) and _is_file(file) for name, file in pairs)


def _are_fields(value: object) -> bool:
    pairs = _pairs(value)
    return pairs is not None and all(isinstance(name, str) and _is_field(field) for name, field in pairs)


def _is_field(value: object) -> bool:
    several = cast("Sequence[object]", value) if isinstance(value, list | tuple) else (value,)
    return all(each is None or isinstance(each, str | bytes | int | float) for each in several)


def is_form(value: Mapping[Any, Any] | list[Any] | tuple[Any, ...]) -> bool:
    """Return whether a mapping or a list can be a form: it has pairs or files in it, and no value is a mapping."""
    pairs = _pairs(value)
    if pairs is None:
        return all(hasattr(item, "read") or hasattr(item, "getall") for item in value)  # a MultiDict has it
    return all(isinstance(name, str) and not isinstance(field, Mapping) for name, field in pairs)


FIELDS: Final = Check(
    "a mapping, or a list of pairs, from names to strings, numbers or lists of these, if there are files", _are_fields
)
FILES: Final = Check(
    "a mapping from names to bytes, files opened in binary mode, or tuples (file name, content, media type), not "
    "paths; for several files with one name, a list of pairs",
    _are_files,
)


def fields_of(data: object) -> list[tuple[str, str]] | None:
    """Return the fields of a form that is not in parts, or `None` if `data` is something else."""
    pairs = _pairs(data)
    if not pairs or not _are_fields(data):
        return None
    fields = [(str(name), text) for name, value in pairs for text in _texts(value)]
    texts = [(name, text) for name, text in fields if isinstance(text, str)]
    return texts if len(texts) == len(fields) else None  # aiohttp sends bytes as a file


def _texts(value: object) -> list[str | bytes]:
    """Return the values of a field as they are sent: `true` for True, an empty text for None, several for a list."""
    several = cast("Sequence[object]", value) if isinstance(value, list | tuple) else (value,)
    return [_text(each) for each in several]


def _text(value: object) -> str | bytes:
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    return value if isinstance(value, bytes) else str(value)


def multipart(name: str, files: Files, data: object) -> tuple[bytes, str]:
    """Return a body with fields and files, and its content type. `name` is for errors.

    Raises:
        DeclarationError: a file was opened as text.
    """
    parts = [*_fields(data), *_files(name, files)]
    boundary = token_hex(16)
    body = io.BytesIO()
    for part in parts:
        body.write(f'--{boundary}\r\nContent-Disposition: form-data; name="{part.name.translate(_ESCAPES)}"'.encode())
        if part.filename is not None:
            body.write(f'; filename="{part.filename.translate(_ESCAPES)}"'.encode())
        for header, value in part.headers.items():
            body.write(f"\r\n{header}: {value}".encode())
        body.write(b"\r\n\r\n" + part.content + b"\r\n")
    body.write(f"--{boundary}--\r\n".encode())
    return body.getvalue(), f"multipart/form-data; boundary={boundary}"


def _fields(data: object) -> Iterator[_Part]:
    for name, value in _pairs(data or {}) or ():
        for text in _texts(value):
            yield _Part(str(name), text if isinstance(text, bytes) else text.encode())


def _files(name: str, files: Files) -> Iterator[_Part]:
    for field, value in _pairs(files) or ():
        is_whole = isinstance(value, tuple)
        given = list(cast("tuple[Any, ...]", value)) if is_whole else [_name_of(value), value]
        filename: str | None = given[0]
        media: str | None = given[2] if len(given) > 2 else None  # noqa: PLR2004 - after name and content
        headers = dict(cast("Mapping[str, str]", given[3])) if len(given) > 3 else {}  # noqa: PLR2004 - the last
        if not any(header.lower() == "content-type" for header in headers):
            if media is None and filename is not None:
                media = mimetypes.guess_type(filename)[0] or "application/octet-stream"
            if media is not None:
                headers["Content-Type"] = media
        yield _Part(str(field), _read(name, str(field), given[1]), filename or None, headers)


def _name_of(content: object) -> str:
    name: object = getattr(content, "name", None)  # of a file; the number of its descriptor if it has none
    return (PurePath(name).name if isinstance(name, str) else "") or _UNNAMED


def _read(name: str, field: str, content: Any) -> bytes:
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, bytes | bytearray | memoryview):
        return bytes(cast("bytes", content))
    if callable(getattr(content, "seek", None)) and getattr(content, "seekable", lambda: True)():
        content.seek(0)
    found = content.read()
    if isinstance(found, bytes):
        return found
    raise DeclarationError(
        f"{name} was given {shown(content)} as the file {field}, which reads {type(found).__qualname__}, not bytes.",
        [(name, user_location())],
        'Open it in binary mode: open(path, "rb").',
    )
