"""The fixtures that one item uses: their names, the definitions behind the names, and what each definition uses.

Invariant: an overridden definition is in a closure if its override requests it, as at run time.
"""

# pytest doesn't annotate everything here.
# pyright: reportPrivateUsage=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, final

import pytest

from looprig.pytest_plugin._compat import Definition, visible_definitions
from looprig.pytest_plugin._compat.scopes import scope_of

__all__ = [
    "Closure",
    "argument_names",
    "closure_below",
    "closure_key",
    "closure_of",
    "complete",
    "definitions_in_item",
    "drop_autouse",
    "function_ahead",
    "insert_fixture_name",
    "is_ahead",
    "make_plain",
    "plain_function",
    "replace_definitions",
]


@final
class Closure:
    """The fixtures that one item uses."""

    __slots__ = ("arguments", "definitions", "initial", "names")

    def __init__(
        self,
        arguments: tuple[str, ...],
        initial: tuple[str, ...],
        names: Sequence[str],
        definitions: Mapping[str, Sequence[Definition]],
    ) -> None:
        self.arguments: tuple[str, ...] = arguments
        """The parameters of the test that are fixtures."""
        self.initial: tuple[str, ...] = initial
        """The same parameters, preceded by the autouse fixtures and those of `usefixtures`."""
        self.names: Sequence[str] = names
        """Everything that pytest sets up, in this order."""
        self.definitions: Mapping[str, Sequence[Definition]] = definitions
        """The definitions visible to the item, by name, the nearest last."""

    def used(self) -> Iterable[Definition]:
        """Return each definition that is set up for the item."""
        walk = self._walk(self.names, set(self.names))
        return dict.fromkeys(found for _, _, found in walk if found is not None)

    def dependencies(self) -> Iterator[tuple[Definition, tuple[Definition, ...]]]:
        """Yield each definition with those that it requests directly. Dependencies come before their dependents."""
        asked: dict[Definition | None, list[Definition]] = {}
        for user, name, found in self._walk((*self.initial, *self.names), set(self.names)):
            if name and found is not None:
                asked.setdefault(user, []).append(found)
            elif not name and user is not None:
                yield user, tuple(asked.pop(user, ()))

    def requests(self) -> Iterator[tuple[Definition | None, str, Definition | None]]:
        """Yield each parameter that a fixture has to provide: its owner, its name, and the definition that provides it.

        The owner is `None` for the test itself, and the definition is `None` if no fixture provides the name.
        """
        return (each for each in self._walk(self.initial, None) if each[1])

    def ambient(self) -> Sequence[Definition]:
        """Return the definitions that are used without being named: autouse fixtures and `usefixtures`."""
        return [
            definitions[-1]
            for name in self.initial
            if (definitions := self.definitions.get(name))
            # A test may also name an autouse fixture, which is still set up around the others.
            and (name not in self.arguments or any(definition._autouse for definition in reversed(definitions)))
        ]

    def _walk(
        self, names: Iterable[str], kept: Container[str] | None
    ) -> Iterator[tuple[Definition | None, str, Definition | None]]:
        """Walk through the fixtures that a test requests, and those that they request, as pytest resolves them.

        Yields who requests, the name, and the definition. Each definition is entered once, and an empty name marks the
        end of its requests. Only names in `kept` get a definition. There is no recursion, since a chain of fixtures may
        be long.
        """
        depth: dict[str, int] = {}
        entered: set[Definition] = set()
        users: list[tuple[Definition | None, Iterator[str]]] = [(None, iter(names))]
        while users:
            user, asks = users[-1]
            if (name := next(asks, None)) is None:
                users.pop()
                if user is not None:
                    depth[user.argname] -= 1
                    yield user, "", None
                continue
            definitions = self.definitions.get(name, ()) if kept is None or name in kept else ()
            index = depth.get(name, 0) + 1
            found = definitions[-index] if index <= len(definitions) else None
            yield user, name, found
            if found is not None and found not in entered:
                entered.add(found)
                depth[name] = index
                users.append((found, iter(found.argnames)))


_AHEAD: Final = pytest.StashKey[bool]()
_CLOSURE: Final = pytest.StashKey[Closure]()
"""The closure of an item whose closure differs from the one that pytest has."""


def closure_of(item: pytest.Function) -> Closure:
    """Return the closure of an item. pytest's public API has only the names: `item.fixturenames`."""
    known = item.stash.get(_CLOSURE, None)
    if known is not None:
        return known
    info = item._fixtureinfo
    return Closure(info.argnames, info.initialnames, info.names_closure, info.name2fixturedefs)


def argument_names(item: pytest.Function) -> tuple[str, ...]:
    """Return the parameters of a test that are fixtures, which are the arguments to call it with."""
    return item._fixtureinfo.argnames


def closure_key(item: pytest.Function) -> object:
    """Return a key that is equal for items that use the same definitions.

    Items of one class or module have the same key if they use the same names. The items of a parametrized test have
    keys of their own, since its parameters take the place of fixtures.
    """
    known = item.stash.get(_CLOSURE, None)
    if hasattr(item, "callspec"):
        return id(item._fixtureinfo if known is None else known)
    return item.parent, *(item._fixtureinfo.names_closure if known is None else known.names)


def complete(item: pytest.Function) -> None:
    """Add the names that hooks have added to `item.fixturenames` to the closure of the item.

    pytest itself looks these definitions up only at the item's set-up.
    """
    known = closure_of(item)
    names = item.fixturenames
    if all(name in known.definitions or name == "request" for name in names):
        return  # the usual case
    added = tuple(name for name in names if name not in known.definitions and visible_definitions(name, item))
    found = _with_all_below(item, known, added)
    whole = Closure(known.arguments, (*known.initial, *added), names, found)
    below = (name for _, name, _ in whole._walk(added, None) if name)
    whole.names = tuple(dict.fromkeys((*names, *below)))
    item.stash[_CLOSURE] = whole


def closure_below(item: pytest.Function, name: str) -> Closure:
    """Return the closure of a name that an item requests at run time."""
    found = _with_all_below(item, closure_of(item), [name])
    below = Closure((), (name,), (), found)
    return Closure((), (name,), tuple(dict.fromkeys(each for _, each, _ in below._walk((name,), None) if each)), found)


def _with_all_below(item: pytest.Function, known: Closure, names: Iterable[str]) -> dict[str, Sequence[Definition]]:
    """Return the definitions of a closure, of additional names, and of everything that these names need."""
    found = dict(known.definitions)
    wanted = list(names)
    while wanted:
        name = wanted.pop()
        if name not in found and (seen := visible_definitions(name, item)):
            found[name] = seen
            wanted += [needed for definition in seen for needed in definition.argnames]
    return found


def definitions_in_item(item: pytest.Function, name: str) -> Sequence[Definition]:
    """Return the definitions of a name that an item sees, including direct parametrization, the nearest last."""
    return closure_of(item).definitions.get(name) or visible_definitions(name, item)


def insert_fixture_name(item: pytest.Function, name: str, definition: Definition) -> None:
    """Make an item set up `name` before everything of the same or a narrower scope."""
    names = item.fixturenames
    by_name = closure_of(item).definitions
    if name in names:
        names.remove(name)
    own = scope_of(definition)
    for index, other in enumerate(names):
        found = by_name.get(other)
        if found is None or scope_of(found[-1]) <= own:
            names.insert(index, name)
            return
    names.append(name)


def drop_autouse(item: pytest.Function, is_unwanted: Callable[[Definition], bool]) -> None:
    """Remove the unwanted autouse fixtures that an item doesn't name, and everything that only they need."""
    known = closure_of(item)
    named = {*known.arguments, *(name for mark in item.iter_markers("usefixtures") for name in mark.args)}
    kept = tuple(
        name
        for name in known.initial
        if name in named or not (found := known.definitions.get(name)) or not is_unwanted(found[-1])
    )
    if kept != known.initial:
        reached = {name for _, name, _ in known._walk(kept, None)}
        item.fixturenames[:] = [name for name in known.names if name in reached]
        item.stash[_CLOSURE] = Closure(known.arguments, kept, item.fixturenames, known.definitions)


def replace_definitions(
    item: pytest.Function, replaced: Mapping[Definition, Definition], closure: Closure | None = None
) -> None:
    """Replace some of the definitions that an item uses, or that it will use with a closure from `closure_below`.

    Items of one parametrized function share their definitions.
    """
    by_name = item._fixtureinfo.name2fixturedefs
    known = by_name if closure is None else closure.definitions
    for name in {definition.argname for definition in replaced}:
        by_name[name] = [replaced.get(definition, definition) for definition in known[name]]


def plain_function(item: pytest.Function) -> pytest.Function:
    """Return an item as pytest itself would have made it, to replace an item of another plugin's class."""
    callspec = getattr(item, "callspec", None)
    parent: Any = item.parent
    made = pytest.Function.from_parent(
        parent,
        name=item.name,
        callspec=callspec,
        fixtureinfo=item._fixtureinfo,
        keywords=None if callspec is None else {callspec.id: True},
        originalname=item.originalname,
    )
    if (known := item.stash.get(_CLOSURE, None)) is not None:
        made.stash[_CLOSURE] = known
    return made


def make_plain(item: pytest.Function) -> None:
    """Turn an item of another plugin's class into one of pytest's own, in place, since others may refer to it."""
    item.__class__ = pytest.Function


def function_ahead(collector: pytest.Collector, name: str, obj: object) -> pytest.Function:
    """Return the item that pytest would make of a test function, to see which fixtures it will use."""
    item = pytest.Function.from_parent(collector, name=name, callobj=obj)
    item.stash[_AHEAD] = True
    return item


def is_ahead(item: pytest.Function) -> bool:
    """Return whether an item comes from `function_ahead`, and isn't one of the suite's tests."""
    return _AHEAD in item.stash
