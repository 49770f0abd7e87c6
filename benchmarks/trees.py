"""Random trees of fixtures and tests, generated from a seed.

They test two things: that every test runs on the loop of every fixture that it reaches, and that no task of another
test is left on that loop.

`make_tree(seed, speller)` is pure: it depends only on its arguments, and returns `{path: source}`, a small pytest
project of about 26 tests. The spellings differ only in what a plugin requires (ini lines, marks, decorators, anyio's
backend fixture); fixtures and tests are the same in all. Looprig's adds nothing; `spellings.py` has the others.

Invariants, which make a tree valid for pytest itself, so that a failure is the plugin's:
- every fixture name has an index and one scope in the whole tree, and an override keeps both;
- a fixture depends only on visible names with a lower index (no cycles) and with its own or a wider scope;
- the code that runs in fixtures and tests is in `livelib.py`, which is copied into each tree.

Runs nothing; `run_trees.py` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, Literal, TypeAlias

Scope: TypeAlias = Literal["function", "class", "module", "package", "session"]
Body: TypeAlias = Literal["live", "note", "link", "relay"]

SCOPES: Final[tuple[Scope, ...]] = ("function", "class", "module", "package", "session")
_SUPPORT: Final = Path(__file__).with_name("livelib.py").read_text(encoding="utf-8")


class Speller:
    """Writes what plugins require in their own words; this one writes nothing, as looprig requires nothing."""

    ini: str = ""

    def head(self, *, has_tests: bool) -> str:
        """Return the first lines of a conftest or module, which may mark all of its tests."""
        return "import pytest\n\nfrom livelib import check, check_sync, link, live, note, relay\n\n\n"

    def decorator(self, scope: Scope, options: Sequence[str], *, is_async: bool) -> str:
        """Return the line above a fixture, with the options that are pytest's own."""
        return f"@pytest.fixture({', '.join(options)})\n"

    def mark(self, *, in_class: bool) -> str:
        """Return the line above an async test, if it needs one."""
        return ""

    def tail(self, scopes: Iterable[Scope]) -> str:
        """Return what ends the tree's own conftest; `scopes` are those of all async fixtures."""
        return ""


@dataclass(frozen=True, slots=True)
class Fixture:
    """One definition of a fixture. If it depends on its own name, it requests the definition that it overrides."""

    name: str
    index: int
    scope: Scope
    body: Body
    key: str
    needs: tuple[str, ...]
    autouse: bool = False
    values: int = 0

    @property
    def is_async(self) -> bool:
        return self.body in {"live", "note"}

    def source(self, speller: Speller, *, method: bool) -> str:
        options = [f'scope="{self.scope}"'] + ["autouse=True"] * self.autouse
        if self.values:
            options.append(f"params={list(range(self.values))}")
        # pytest deprecates class-scoped fixtures that are instance methods.
        owner = ["cls" if self.scope == "class" else "self"] * method
        parameters = ", ".join([*owner, *["request"] * bool(self.values), *self.needs])
        call = f"{self.body}({', '.join([repr(self.key), *self.needs])})"
        head = speller.decorator(self.scope, options, is_async=self.is_async) + "@classmethod\n" * (owner == ["cls"])
        match self.body:
            case "live":
                return f"{head}async def {self.name}({parameters}):\n    async with {call} as me:\n        yield me\n"
            case "note":
                return f"{head}async def {self.name}({parameters}):\n    return await {call}\n"
            case "link":
                return f"{head}def {self.name}({parameters}):\n    with {call} as me:\n        yield me\n"
            case "relay":
                return f"{head}def {self.name}({parameters}):\n    return {call}\n"


@dataclass(frozen=True, slots=True)
class Test:
    """A test: the lines above it, and itself."""

    __test__ = False

    decorators: str
    text: str

    def source(self, speller: Speller, *, method: bool) -> str:
        is_async = self.text.startswith("async ")
        return self.decorators + (speller.mark(in_class=method) if is_async else "") + self.text


@dataclass(slots=True)
class Place:
    """A conftest, a module or a class, with its definitions and the places around it."""

    path: str
    kind: Literal["conftest", "module", "class"]
    parent: Place | None = None
    name: str = ""
    fixtures: dict[str, Fixture] = field(default_factory=dict)
    parts: list[Test | Place] = field(default_factory=list)

    def chain(self) -> Iterator[Place]:
        """Yield this place and those around it, the nearest first."""
        place: Place | None = self
        while place is not None:
            yield place
            place = place.parent

    def visible(self) -> dict[str, Fixture]:
        found: dict[str, Fixture] = {}
        for place in self.chain():
            found = {**place.fixtures, **found}
        return found

    def autouse(self) -> set[str]:
        return {f.name for place in self.chain() for f in place.fixtures.values() if f.autouse}

    def all_fixtures(self) -> Iterator[Fixture]:
        """Yield the fixtures of this place and of the classes in it."""
        yield from self.fixtures.values()
        for part in self.parts:
            if isinstance(part, Place):
                yield from part.all_fixtures()

    def source(self, speller: Speller) -> str:
        head = "" if self.kind == "class" else speller.head(has_tests=self.kind == "module")
        in_class = self.kind == "class"
        blocks = [f.source(speller, method=in_class) for f in self.fixtures.values()]
        blocks += [
            part.source(speller) if isinstance(part, Place) else part.source(speller, method=in_class)
            for part in self.parts
        ]
        text = "\n".join(blocks) or "pass\n"
        if self.kind == "class":
            return f"class {self.name}:\n" + "".join(
                f"    {line}\n" if line else "\n" for line in text.rstrip("\n").split("\n")
            )
        return head + text


class _Grower:
    """The generator of one tree. All random choices come from one seeded generator, in a fixed order."""

    def __init__(self, seed: int) -> None:
        self.draw: Final = Random(f"looprig fixture tree {seed}")
        self.count = 0
        self.parametrized = False

    def some(self, names: Sequence[str], low: int, high: int) -> tuple[str, ...]:
        return tuple(self.draw.sample(names, min(len(names), self.draw.randint(low, high))))

    def fixtures(self, place: Place, number: int) -> None:
        """Define new names, and sometimes override a name that is already visible."""
        for _ in range(number):
            inherited = [f for f in place.visible().values() if f.name not in place.fixtures and not f.values]
            if place.kind == "class":
                inherited = [f for f in inherited if f.scope in ("function", "class")]
            if inherited and self.draw.random() < 0.2:
                self.override(place, self.draw.choice(inherited))
            else:
                self.define(place)

    def define(self, place: Place) -> None:
        allowed = SCOPES[:2] if place.kind == "class" else SCOPES
        scope = self.draw.choices(allowed, weights=(40, 15, 18, 12, 15)[: len(allowed)])[0]
        index, self.count = self.count, self.count + 1
        values = 0
        if not self.parametrized and self.draw.random() < 0.05:
            self.parametrized, values = True, 2
        autouse = not values and self.draw.random() < 0.05
        self.put(place, f"f{index}_{scope}", index, scope, autouse=autouse, values=values)

    def override(self, place: Place, hidden: Fixture) -> None:
        asks_hidden = self.draw.random() < 0.5
        self.put(place, hidden.name, hidden.index, hidden.scope, first=(hidden.name,) * asks_hidden)

    def put(
        self,
        place: Place,
        name: str,
        index: int,
        scope: Scope,
        *,
        first: tuple[str, ...] = (),
        autouse: bool = False,
        values: int = 0,
    ) -> None:
        wide = SCOPES[SCOPES.index(scope) :]
        lower = sorted(
            f.name for f in place.visible().values() if f.index < index and f.scope in wide and f.name != name
        )
        needs = first + self.some(lower, 0, 2)
        bodies: tuple[Body, ...] = ("live", "note", "link", "relay")
        body = self.draw.choices(bodies, weights=(55, 10, 20, 15))[0]
        key = "::".join(filter(None, (place.path, place.name, name)))
        place.fixtures[name] = Fixture(name, index, scope, body, key, needs, autouse, values)

    def test(self, place: Place, number: int) -> Test:
        seen = place.visible()
        names = self.some(sorted(seen), 0, 3)
        used = tuple(n for n in self.some(sorted(seen), 0, 1) if self.draw.random() < 0.2)
        unnamed = tuple(seen[n].key for n in sorted((place.autouse() | set(used)) - set(names)))
        is_async, leaves = self.draw.random() < 0.85, self.draw.random() < 0.25
        repeats = self.draw.random() < 0.08
        decorators = "".join(f'@pytest.mark.usefixtures("{n}")\n' for n in used)
        decorators += '@pytest.mark.parametrize("number", [1, 2])\n' * repeats
        parameters = ", ".join(["self"] * (place.kind == "class") + ["number"] * repeats + list(names))
        arguments = ", ".join([*names, f"unnamed={unnamed!r}"] + ["leave=True"] * (is_async and leaves))
        if is_async:
            return Test(decorators, f"async def test_{number}({parameters}):\n    await check({arguments})\n")
        return Test(decorators, f"def test_{number}({parameters}):\n    check_sync({arguments})\n")

    def fill(self, place: Place, *, tests: int, classes: int) -> None:
        for number in range(tests):
            place.parts.append(self.test(place, number))
        for number in range(classes):
            inner = Place(place.path, "class", place, f"{place.name or 'Test'}{'ABC'[number]}")
            self.fixtures(inner, self.draw.randint(0, 2))
            nested = int(place.kind == "module" and self.draw.random() < 0.3)
            self.fill(inner, tests=self.draw.randint(1, 3), classes=nested)
            # A nested class may come before the tests of the class around it.
            self.draw.shuffle(inner.parts)
            place.parts.append(inner)

    def folder(self, path: str, around: Place | None, *, depth: int) -> Iterator[Place]:
        conftest = Place(f"{path}conftest.py", "conftest", around)
        self.fixtures(conftest, self.draw.randint(1, 3) + 3 * (depth == 0))
        yield conftest
        for number in range(self.draw.randint(1, 2)):
            module = Place(f"{path}test_{'abc'[depth]}{number}.py", "module", conftest)
            self.fixtures(module, self.draw.randint(0, 3))
            self.fill(module, tests=self.draw.randint(2, 4), classes=self.draw.randint(0, 1))
            yield module
        for number in range((2, 1, 0)[depth]):
            if self.draw.random() < (0.8, 0.5)[depth]:
                yield from self.folder(f"{path}pkg{number}/", conftest, depth=depth + 1)


def make_tree(seed: int, speller: Speller | None = None) -> dict[str, str]:
    """Return the tree of `seed` as `{path: source}`, with `/` in paths, in looprig's spelling if no other is given."""
    speller = speller or Speller()
    tree = {"pytest.ini": f"[pytest]\npythonpath = .\n{speller.ini}", "livelib.py": _SUPPORT}
    scopes = set[Scope]()
    for place in _Grower(seed).folder("", None, depth=0):
        folder, _, _ = place.path.rpartition("/")
        if folder:
            tree[f"{folder}/__init__.py"] = ""
        tree[place.path] = place.source(speller)
        scopes.update(fixture.scope for fixture in place.all_fixtures() if fixture.is_async)
    tree["conftest.py"] += speller.tail(scopes)
    return tree
