"""Forms and uploads, as httpx's users write them, and how they arrive."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile, TemporaryFile
from typing import Any, cast

import pytest
from aiohttp import BodyPartReader, web

from looprig.exceptions import DeclarationError, UnexpectedResponseError
from looprig.http import TestClient
from looprig.services.aiohttp import AiohttpService
from tests.running import running

Parts = list[tuple[str, str, str | None, str | None]]
"""The name of each part, its content, its file name, and its content type."""


@dataclass(kw_only=True)
class Office(AiohttpService):
    """A service that reports the form that it receives."""

    async def create_app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/parts", self.parts)
        app.router.add_post("/fields", self.fields)
        app.router.add_post("/moved", self.moved)
        return app

    async def parts(self, request: web.Request) -> web.Response:
        found: Parts = []
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader)
            content = (await part.read()).decode("latin-1")
            found.append((part.name or "", content, part.filename, part.headers.get("Content-Type")))
            if note := part.headers.get("X-Note"):
                found.append(("note", note, None, None))
        return web.json_response(found)

    async def fields(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/x-www-form-urlencoded"
        return web.json_response(list((await request.post()).items()))

    async def moved(self, request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect("/parts")


def ask(asks: Callable[[TestClient[Office]], Awaitable[None]]) -> None:
    async def scenario() -> None:
        async with running(Office()) as office, TestClient(office) as api:
            await asks(api)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("files", "parts"),
    [
        ({"f": b"x"}, [("f", "x", "upload", "application/octet-stream")]),
        ({"f": "é"}, [("f", "\xc3\xa9", "upload", "application/octet-stream")]),
        ({"f": ("a.txt", b"x")}, [("f", "x", "a.txt", "text/plain")]),
        ({"f": ("a", b"x", "image/png")}, [("f", "x", "a", "image/png")]),
        ({"f": ("a.txt", b"\0\xff\r\n--", None)}, [("f", "\0\xff\r\n--", "a.txt", "text/plain")]),
        ({"f": (None, '{"a": 1}', "application/json")}, [("f", '{"a": 1}', None, "application/json")]),
        ({"f": (None, b"x")}, [("f", "x", None, None)]),
        (
            {"f": ("a", io.BytesIO(b"x"), "text/csv", {"X-Note": "n"})},
            [("f", "x", "a", "text/csv"), ("note", "n", None, None)],
        ),
        ({"f": ("a", b"x", None, {"content-type": "text/csv"})}, [("f", "x", "a", "text/csv")]),
        (
            [("f", ("a.txt", b"x")), ("g", b"y"), ("f", ("b.png", b""))],
            [
                ("f", "x", "a.txt", "text/plain"),
                ("g", "y", "upload", "application/octet-stream"),
                ("f", "", "b.png", "image/png"),
            ],
        ),
        ({"ü": ("ré sumé.txt", b"x")}, [("ü", "x", "ré sumé.txt", "text/plain")]),
        ({"f": ('a"\r\nb.txt', b"x")}, [("f", "x", "a%22%0D%0Ab.txt", "text/plain")]),
    ],
)
def test_files_arrive_with_name_type_and_content(files: Any, parts: Parts) -> None:
    async def asks(api: TestClient[Office]) -> None:
        assert await api.post("/parts", files=files, into=Parts) == parts

    ask(asks)


def test_fields_come_before_files_and_may_have_several_values() -> None:
    async def asks(api: TestClient[Office]) -> None:
        fields = {"a": "x", "b": ["1", 2.5], "c": ("y",), "d": True, "e": None, "f": b"z"}
        expected = [
            *(("a", "x", None, None), ("b", "1", None, None), ("b", "2.5", None, None), ("c", "y", None, None)),
            *(("d", "true", None, None), ("e", "", None, None), ("f", "z", None, None)),
            ("file", "x", "a", "application/octet-stream"),
        ]
        files = {"file": ("a", b"x")}
        assert await api.post("/parts", data=fields, files=files, into=Parts) == expected
        assert await api.post("/parts", data=list(fields.items()), files=files, into=Parts) == expected

    ask(asks)


def test_a_form_without_files_is_not_in_parts() -> None:
    async def asks(api: TestClient[Office]) -> None:
        pairs = list[tuple[str, str]]
        fields = {"a": ["x", "ü &"], "b": (1, 2.5), "c": False, "d": None}
        expected = [("a", "x"), ("a", "ü &"), ("b", "1"), ("b", "2.5"), ("c", "false"), ("d", "")]
        assert await api.post("/fields", data=fields, into=pairs) == expected
        assert await api.post("/fields", data=[("a", "x"), ("a", "y")], into=pairs) == [("a", "x"), ("a", "y")]
        assert await api.post("/fields", data={"a": "x"}, files={}, into=pairs) == [("a", "x")]
        with pytest.raises(UnexpectedResponseError, match="\n  > a=x&a=y\n"):
            await api.post("/fields", data={"a": ["x", "y"]}, status=404)

    ask(asks)


def test_files_are_read_from_their_beginning_and_stay_open(tmp_path: Path) -> None:
    """A file that was just written is at its end, and aiohttp would send nothing, and close it."""
    path = tmp_path / "report.csv"
    path.write_bytes(b"1;2")

    async def asks(api: TestClient[Office]) -> None:
        with path.open("rb") as file, TemporaryFile() as unnamed, SpooledTemporaryFile() as spooled:
            for temporary in (unnamed, spooled):
                temporary.write(b"t")
            for _ in range(2):
                files = {"f": file, "g": cast("Any", unnamed), "h": cast("Any", spooled)}
                assert await api.post("/moved", files=files, into=Parts) == [
                    ("f", "1;2", "report.csv", "text/csv"),
                    ("g", "t", "upload", "application/octet-stream"),
                    ("h", "t", "upload", "application/octet-stream"),
                ]

    ask(asks)


def test_mistakes_are_errors_at_the_users_line(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("x", "utf-8")

    async def asks(api: TestClient[Office]) -> None:
        for text in (path.open(encoding="utf-8"), io.StringIO("x")):
            with (
                text,
                pytest.raises(
                    DeclarationError, match=r"as the file f, which reads str, not bytes\.\n.*test_forms\.py:"
                ),
            ):
                await api.post("/parts", files=cast("Any", {"f": text}))
        with pytest.raises(DeclarationError, match=r"files must be .* not paths; "):
            await api.post("/parts", files=cast("Any", {"f": path}))
        with pytest.raises(DeclarationError, match="given json= and files="):
            await api.post("/parts", json={}, files={"f": b"x"})
        with pytest.raises(DeclarationError, match="header Content-Type, which must contain the boundary"):
            await api.post("/parts", files={"f": b"x"}, headers={"content-type": "multipart/form-data"})
        several: list[Any] = [b"raw", {"a": {}}, {"a": [[]]}, [("a",)]]
        for wrong in several:
            with pytest.raises(DeclarationError, match="data must be"):
                await api.post("/parts", data=wrong, files={"f": b"x"})

    ask(asks)
