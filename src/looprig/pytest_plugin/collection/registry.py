"""The services of a run that have a fixture, and who requests them.

Makes no fixtures (`fixtures` does), and is loaded in a run without services too, where every answer is no.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, final

from looprig.pytest_plugin._compat.closures import closure_of
from looprig.pytest_plugin.options import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pytest

    from looprig.declare.service import ServiceSpec
    from looprig.pytest_plugin._compat import Definition
    from looprig.pytest_plugin.collection.annotations import Annotations, Target
    from looprig.pytest_plugin.collection.fixtures import ServiceFixtures
    from looprig.scopes import Scope
    from looprig.watch.leak_reports import LeftOpen

__all__ = ["Registry", "plain"]


@final
class Registry:
    """The services of a run."""

    def __init__(self, session: pytest.Session, complete: Callable[[], None]) -> None:
        """Register nothing yet. `complete` finds the services of everything that was collected, if nothing has yet."""
        self.complete: Final = complete
        self._session = session
        self.class_names: Final[Counter[str]] = Counter()
        """The number of services for each class name."""
        self.targets: Final[dict[Callable[..., Any], Target]] = {}
        """The targets of aliases, by function."""
        self.services: Final[dict[str, ServiceSpec]] = {}
        """The services that have a fixture, by fixture name."""
        self.in_thread: Final[set[str]] = set()
        """The names of those fixtures whose services run in a thread."""
        self.implied: Final[set[Definition]] = set()
        """The fixtures that exist because of an annotation. Only the annotated function may use them."""
        self.asked: Final[dict[Callable[..., Any], dict[str, Target]]] = {}
        """The services that tests and fixtures request by annotation, by function and parameter."""

        self.report_left_open: Callable[[Sequence[LeftOpen]], None] | None = None
        """What reports the streams and websockets that a test did not close, if there is anything."""

    def note_left_open(self, left: Sequence[LeftOpen]) -> None:
        """Report the streams and websockets that a test did not close."""
        if left and self.report_left_open is not None:
            self.report_left_open(left)

    @cached_property
    def fixtures(self) -> ServiceFixtures:
        """The fixtures of services."""
        from looprig.pytest_plugin.collection.fixtures import ServiceFixtures  # noqa: PLC0415 - if there are services

        return ServiceFixtures(self._session, self)

    @cached_property
    def annotations(self) -> Annotations:
        """The evaluated annotations of functions."""
        from looprig.pytest_plugin.collection.annotations import Annotations  # noqa: PLC0415 - as above

        return Annotations()

    def asked_by(self, function: Callable[..., Any]) -> dict[str, Target]:
        """Return the services that a function requests by annotation, by parameter."""
        return self.asked.get(plain(function), {})

    def spec(self, definition: Definition) -> ServiceSpec | None:
        """Return the service that a definition is the fixture of."""
        return self.services.get(definition.argname)

    def declared_scope(self, definition: Definition, scope: Scope) -> Scope:
        """Return the scope that a service declares, or `scope` for anything else: pytest knows no scope "run"."""
        spec, target = self.spec(definition), self.target(definition)
        if spec is None and target is not None and not target.client:
            spec = target.fixture
        return spec.scope if spec is not None and spec.scope.in_pytest is scope else scope

    def is_used_by(self, item: pytest.Function) -> bool:
        """Return whether a test uses a service, directly or through a client, a proxy or a fixture of the suite."""
        return not self.services.keys().isdisjoint(closure_of(item).names)

    def is_service(self, definition: Definition) -> bool:
        """Return whether a definition is the fixture of a service, and not an alias."""
        return definition.argname in self.services

    def target(self, definition: Definition) -> Target | None:
        """Return the target of an alias."""
        return self.targets.get(definition.func)

    def is_of_service(self, definition: Definition) -> bool:
        """Return whether a definition is the fixture of a service, or an alias of one."""
        return self.is_service(definition) or self.target(definition) is not None

    def label(self, definition: Definition) -> str:
        """Return the name of a fixture for messages: the class of a service, or else the fixture's name.

        If services of several modules have one class name, it includes the module.
        """
        spec = self.spec(definition)
        if spec is not None:
            name = spec.cls.__qualname__
            return name if self.class_names[name] < 2 else f"{spec.cls.__module__}.{name}"  # noqa: PLR2004 - several
        is_nameless = definition.argname.startswith(PREFIX)
        return str(self.target(definition)) if is_nameless else definition.argname

    def public_name(self, definition: Definition) -> str:
        """Return the name that users write to request a fixture."""
        spec = self.spec(definition)
        return definition.argname if spec is None else spec.name


def plain(function: Any) -> Any:
    """Return the function inside a static or class method, as pytest uses it later."""
    return getattr(function, "__func__", function)
