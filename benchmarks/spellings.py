"""How a random tree is spelled for each plugin: its ini lines, marks, decorators and the fixtures that it requires.

Pure: what is random is drawn from a generator of its own, so a tree has the same fixtures and tests in each spelling.

Invariant: a spelling only writes what the plugin's documentation allows. A loop scope is never narrower than the scope
of its fixture, and a mark for the loop of a class is only written in a class.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Literal, TypeAlias, final

from trees import SCOPES, Scope, Speller

Spelling: TypeAlias = Literal[
    "looprig",
    "pytest-asyncio",
    "pytest-asyncio-session",
    "pytest-asyncio-scopes",
    "pytest-asyncio-strict",
    "anyio",
    "anyio-autouse",
    "anyio-marks",
]


@dataclass(frozen=True, slots=True)
class Words:
    """What a spelling writes where another writes nothing."""

    ini: str = ""
    mark: str = ""
    """The mark of each async test, on the test or on its module."""
    decorator: str = ""
    """The decorator of async fixtures, as `module.name`."""
    loop_scopes: bool = False
    """Whether half of the marks and decorators say the scope of their loop."""
    backend: tuple[str, ...] | None = None
    """The options of the fixture `anyio_backend`. `fitting` is the widest scope of an async fixture in the tree."""


_AUTO: Final = "asyncio_mode = auto\n"
_SESSION: Final = "".join(f"asyncio_default_{of}_loop_scope = session\n" for of in ("fixture", "test"))
WORDS: Final[Mapping[Spelling, Words]] = {
    "looprig": Words(),
    "pytest-asyncio": Words(_AUTO),
    "pytest-asyncio-session": Words(_AUTO + _SESSION),
    "pytest-asyncio-scopes": Words(_AUTO, decorator="pytest_asyncio.fixture", loop_scopes=True),
    "pytest-asyncio-strict": Words(
        "asyncio_mode = strict\n", "pytest.mark.asyncio", "pytest_asyncio.fixture", loop_scopes=True
    ),
    "anyio": Words("anyio_mode = auto\n", backend=('scope="session"',)),
    # Without it, anyio ignores the async fixtures that only a sync test reaches.
    "anyio-autouse": Words("anyio_mode = auto\n", backend=('scope="session"', "autouse=True")),
    "anyio-marks": Words(mark="pytest.mark.anyio", backend=("scope=fitting", 'params=["asyncio"]')),
}


@final
class PluginSpeller(Speller):
    """Writes one tree in the words of one plugin."""

    def __init__(self, spelling: Spelling, seed: int) -> None:
        self._words: Final = WORDS[spelling]
        self._draw: Final = Random(f"{spelling} {seed}")
        self._module_is_marked = False
        self.ini = self._words.ini

    def head(self, *, has_tests: bool) -> str:
        first, rest = super().head(has_tests=has_tests).split("\n", 1)
        module = self._words.decorator.partition(".")[0]
        self._module_is_marked = bool(self._words.mark) and has_tests and self._draw.random() < 0.3
        imported = f"import {module}\n" * bool(module)
        return f"{first}\n{imported}{rest}" + f"pytestmark = {self._words.mark}\n\n\n" * self._module_is_marked

    def decorator(self, scope: Scope, options: Sequence[str], *, is_async: bool) -> str:
        if not is_async or not self._words.decorator:
            return super().decorator(scope, options, is_async=is_async)
        loop = self._loop_scope(SCOPES[SCOPES.index(scope) :])
        return f"@{self._words.decorator}({', '.join([*options, *loop])})\n"

    def mark(self, *, in_class: bool) -> str:
        if not self._words.mark or self._module_is_marked:
            return ""
        loop = self._loop_scope(SCOPES if in_class else [scope for scope in SCOPES if scope != "class"])
        return f"@{self._words.mark}" + f"({', '.join(loop)})" * bool(loop) + "\n"

    def _loop_scope(self, allowed: Sequence[Scope]) -> list[str]:
        if not self._words.loop_scopes or self._draw.random() < 0.5:
            return []
        return [f'loop_scope="{self._draw.choice(allowed)}"']

    def tail(self, scopes: Iterable[Scope]) -> str:
        if self._words.backend is None:
            return ""
        widest = max(scopes, key=SCOPES.index, default=SCOPES[0])
        options = ", ".join(self._words.backend).replace("fitting", f'"{widest}"')
        is_parametrized = "params" in options
        function = f"def anyio_backend({'request' * is_parametrized}):\n"
        value = "request.param" if is_parametrized else '"asyncio"'
        return f"\n\n@pytest.fixture({options})\n{function}    return {value}\n"
