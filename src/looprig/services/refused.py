"""Refusals of a service of scope "run": of what only the process that runs it can do, and of what disturbs others.

Without pytest-xdist, the process that runs it is that of the tests. Methods that would disturb other users are refused
there too, so that a suite behaves the same with and without workers.
"""

from collections.abc import Callable
from typing import Any, Final

from looprig.declare.service import ServiceSpec
from looprig.exceptions import LooprigError

__all__ = ["of_host", "refuse_what_disturbs", "refused", "uncallable"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


def of_host(cls: type) -> set[str]:
    """Return the names of what only the process that runs a service can use."""
    return {name for base in cls.__mro__ for name in vars(base).get("_of_host", ())}


def refuse_what_disturbs(service: Any, spec: ServiceSpec) -> None:
    """Make the methods of a service fail that end it, or start it again, while other workers may use it."""
    for name in {name for base in spec.cls.__mro__ for name in vars(base).get("_disturbing", ())}:
        vars(service)[name] = uncallable(spec, name)  # not `setattr`, since the class may be a frozen dataclass


def refused(spec: ServiceSpec, name: str, why: str) -> LooprigError:
    """Return the error for something that users of a service can't use."""
    owner = spec.cls.__qualname__
    return LooprigError(
        f'{owner}.{name} isn\'t shared by the workers, which have {owner} in common (scope "run"): {why}.',
        [spec.party],
        f'Use what {owner} has once it has started and can be pickled, such as its address, or give it scope="session" '
        "for one in each worker.",
    )


def uncallable(spec: ServiceSpec, name: str) -> Callable[..., Any]:
    """Return a method that raises the error."""
    disturbs = any(name in vars(base).get("_disturbing", ()) for base in spec.cls.__mro__)
    why = "other workers may be using it" if disturbs else "it works on objects of the process that runs the service"

    def call(*_: object, **__: object) -> Any:
        __tracebackhide__ = True
        raise refused(spec, f"{name}()", why)

    call.__name__ = name
    call.__qualname__ = f"{spec.cls.__qualname__}.{name}"
    return call
