"""`--reveal-fixtures`: shows the type, scope, loop, place and users of each fixture.

Does not run a type checker: types are shown as they are written.
"""

from collections.abc import Iterable, Iterator
from typing import Final, final

import pytest

from looprig.check.output import shown_place
from looprig.declare.service import ServiceSpec
from looprig.location import location_of
from looprig.pytest_plugin._compat import Definition, all_definitions
from looprig.pytest_plugin._compat.closures import closure_of
from looprig.pytest_plugin._compat.parameters import gives_parameter
from looprig.pytest_plugin.inspect.inspection import Inspection

__all__ = ["Overview"]

_SHOWN: Final = 5
"""The maximum number of users to name. The others are only counted."""


@final
class Overview(Inspection):
    """The inspection of `--reveal-fixtures`."""

    title = "fixtures"

    def report(self, session: pytest.Session) -> Iterator[str]:
        """Yield the description of all fixtures that are used, or of all those with the given name."""
        users: dict[object, dict[str, None]] = {}
        shown: dict[object, Definition] = {}
        names: dict[object, set[str]] = {}
        for item in self.items:
            if isinstance(item, pytest.Function):
                for user, _, found in closure_of(item).requests():
                    if found is None or gives_parameter(found):
                        continue
                    subject = self._subject(found)
                    shown.setdefault(subject, found)
                    names.setdefault(subject, set()).add(found.argname)
                    if user is None or self._subject(user) != subject:
                        name = item.nodeid if user is None else f'fixture "{self.registry.public_name(user)}"'
                        users.setdefault(subject, {})[name] = None
        wanted = self.config.getoption("reveal_fixtures")
        if wanted:
            for each in all_definitions(session):
                shown.setdefault(self._subject(each), each)
            shown = {key: each for key, each in shown.items() if wanted in {self._name(each), *names.get(key, ())}}
            if not shown:
                raise pytest.UsageError(f"--reveal-fixtures={wanted}: there is no fixture of that name.")
        in_order = sorted(shown, key=lambda key: (self._name(shown[key]), self._place(shown[key])))
        for subject in in_order:
            yield from self._lines_of(shown[subject], list(users.get(subject, {})))
        yield from self.error_count()

    def _subject(self, definition: Definition) -> object:
        """Return a key that is equal for the fixture of a service and its aliases."""
        spec = self._spec(definition)
        return definition if spec is None else spec.key

    def _spec(self, definition: Definition) -> ServiceSpec | None:
        target = self.registry.target(definition)
        if target is None:
            return self.registry.spec(definition)
        return None if target.client or target.through is not None else target.spec

    def _name(self, definition: Definition) -> str:
        spec = self._spec(definition)
        return self.registry.public_name(definition) if spec is None else spec.name

    def _place(self, definition: Definition) -> str:
        spec = self._spec(definition)
        location = location_of(definition.func) if spec is None else spec.location
        return f"{shown_place(location.path, self.root)}:{location.line}"

    def _lines_of(self, definition: Definition, users: list[str]) -> Iterator[str]:
        target = self.registry.target(definition)
        given = self.types.gives(definition)
        written = f"unknown ({given.why})" if given.type is None else given.type.shown()
        loops = self.loops.loops_of(definition)
        yield f"{self._name(definition)}: {written if target is None else target}"
        yield f"  scope    {definition.scope}"
        yield f"  loop     {', '.join(sorted(loops)) or 'none'}"
        yield f"  defined  {self._place(definition)}"
        yield f"  used by  {_some(users)}"


def _some(users: Iterable[str]) -> str:
    users = list(users)
    rest = f" and {len(users) - _SHOWN} more" if len(users) > _SHOWN else ""
    return ", ".join(users[:_SHOWN]) + rest if users else "nobody"
