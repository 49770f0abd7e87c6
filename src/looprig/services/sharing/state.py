"""The state of a running service, copied from the host of a run to its users.

A user gets an instance of the same class, with the same attributes: each is pickled by itself, so that one that can't
be is known by name. Instead of another service of the run, a reference to it is sent, and instead of a process, its id
and a descriptor of its output.

Invariants:
1. All users get the same bytes: the state is copied once, when the service has started.
2. Nothing that isn't shared has a value in the copy, not even a default: reading it is an error that names it.
"""

import io
import os
import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast, final

from looprig.declare.lifecycle import Lifecycle
from looprig.declare.service import ServiceKey, ServiceSpec
from looprig.exceptions import LooprigError, summary
from looprig.location import Location
from looprig.services.process_life import ProcessLife
from looprig.services.refused import of_host, refused, uncallable
from looprig.services.sharing.messages import Started

__all__ = ["Copied", "SharedProcess", "copied", "key_of_copy", "pickled", "rebuilt", "unpickled"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_KEY: Final = "__looprig_shared__"
"""The attribute of the class of a copy that has the key of its service."""

_LIFECYCLES: Final = {
    Lifecycle.RUNS: ("run",),
    Lifecycle.STARTS_AND_STOPS: ("start", "stop"),
    Lifecycle.ENTERS_ITSELF: ("__aenter__", "__aexit__"),
}

Reference = Callable[[object], object]


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, reference: Reference) -> None:
        super().__init__(file)
        self._reference = reference

    def persistent_id(self, obj: object) -> object:
        return self._reference(obj)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, dereference: Reference) -> None:
        super().__init__(file)
        self._dereference = dereference

    def persistent_load(self, pid: object) -> object:
        return self._dereference(pid)


def pickled(value: object, reference: Reference) -> bytes:
    """Return a pickle of a value. `reference` returns what to send instead of an object, or `None`."""
    file = io.BytesIO()
    _Pickler(file, reference).dump(value)
    return file.getvalue()


def unpickled(data: bytes, dereference: Reference) -> Any:
    """Return a pickled value. `dereference` returns the object for what was sent instead of it."""
    return _Unpickler(io.BytesIO(data), dereference).load()


def key_of_copy(value: object) -> ServiceKey | None:
    """Return the key of the service that an object is a copy of, or `None` if it is none."""
    return cast("ServiceKey | None", getattr(type(value), _KEY, None))


# In the host


def copied(service: object, services: Mapping[int, ServiceKey]) -> tuple[Started, list[int]]:
    """Return the state of a service, and the descriptors of its processes. `services` has all services, by `id`."""
    outputs: list[int] = []

    def reference(value: object) -> object:
        if isinstance(value, ProcessLife):
            outputs.append(os.dup(value.output_descriptor))  # it is closed when the process stops
            return "process", len(outputs) - 1, value.pid, tuple(map(str, value.command))
        key = services.get(id(value))
        return None if key is None else ("service", key)

    attributes: dict[str, bytes] = {}
    unshared: dict[str, str] = {}
    for name, value in _attributes(service).items():
        try:
            attributes[name] = pickled(value, reference)
        except Exception as error:  # noqa: BLE001 - __reduce__ may be the suite's own
            unshared[name] = f"a {type(value).__qualname__} can't be pickled ({summary(error)})"
    return Started(attributes, unshared, os.getpid()), outputs


def _attributes(service: object) -> dict[str, object]:
    found: dict[str, object] = {}
    for cls in type(service).__mro__:
        slots: Any = vars(cls).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in {"__dict__", "__weakref__"} and hasattr(service, name):
                found[name] = getattr(service, name)
    return {**found, **getattr(service, "__dict__", {})}


# In a process that uses the service


@final
class SharedProcess:
    """A process of a service that another process has started."""

    def __init__(self, pid: int, command: Sequence[str], descriptor: int) -> None:
        self._descriptor: int = descriptor
        self._kept: bytes | None = None  # once it is closed
        self._test_began_at: int = 0
        self.command: Final = command
        self.pid: Final = pid

    def output(self) -> str:
        """Return what was printed to stdout and stderr so far."""
        return self._read(0)

    def output_of_test(self) -> str:
        """Return what was printed since the last call of `begin_test`."""
        return self._read(self._test_began_at)

    def begin_test(self) -> None:
        """Record that a test begins."""
        self._test_began_at = self._size()

    def _read(self, start: int) -> str:
        data = os.pread(self._descriptor, self._size() - start, start) if self._kept is None else self._kept[start:]
        return data.decode(errors="replace")

    def _size(self) -> int:
        return os.fstat(self._descriptor).st_size if self._kept is None else len(self._kept)

    def close(self) -> None:
        """Close the descriptor. What has been printed so far can still be read."""
        if self._kept is None:
            self._kept = os.pread(self._descriptor, self._size(), 0)
            os.close(self._descriptor)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise LooprigError(f'Process {self.pid} belongs to a service of scope "run", so it has no {name} here.')


@final
class Copied:
    """A service as a user sees it: the copy, and the processes that it has."""

    def __init__(self, service: Any, processes: Sequence[SharedProcess], pid: int) -> None:
        self.pid: Final = pid
        """The process id of the host."""
        self.service: Final = service
        self.processes: Final = processes


def rebuilt(
    spec: ServiceSpec, started: Started, descriptors: Sequence[int], find: Callable[[ServiceKey], object]
) -> Copied:
    """Return a copy of a service from its state. `find` returns the copy of another service."""
    processes: list[SharedProcess] = []

    def dereference(reference: Any) -> object:
        if reference[0] == "service":
            return find(reference[1])
        number: int = reference[1]
        _, _, pid, command = reference
        processes.append(SharedProcess(pid, command, descriptors[number]))
        return processes[-1]

    unshared = dict(started.unshared)
    values: dict[str, object] = {}
    for name, data in started.attributes.items():
        try:
            values[name] = unpickled(data, dereference)
        except Exception as error:  # noqa: BLE001 - __setstate__ may be the suite's own
            unshared[name] = f"it can't be unpickled ({summary(error)})"
    service = object.__new__(_class_of_copy(spec, unshared))
    for name, value in values.items():
        object.__setattr__(service, name, value)
    return Copied(service, processes, started.pid)


def _class_of_copy(spec: ServiceSpec, unshared: Mapping[str, str]) -> type[Any]:
    cls = spec.cls

    def declared_at(_: object) -> Location:
        return spec.location

    def refuse(_: object, name: str, *__: object) -> None:
        raise refused(spec, name, "it can't be set: this process has a copy of the service")

    body: dict[str, Any] = {
        "__doc__": cls.__doc__,
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__setattr__": refuse,
        "__delattr__": refuse,
        _KEY: spec.key,
        "_declared_at": declared_at,
    }
    for name, why in unshared.items():
        body[name] = _unreadable(spec, name, why)
    for name in (*_LIFECYCLES[spec.lifecycle], *sorted(of_host(cls))):
        if isinstance(getattr(cls, name, None), property):
            body[name] = _unreadable(spec, name, "it belongs to the process that runs the service")
        else:
            body[name] = uncallable(spec, name)
    made: type[Any] = type(cls)(cls.__name__, (cls,), body)
    return made


def _unreadable(spec: ServiceSpec, name: str, why: str) -> property:
    def read(_: object) -> object:
        __tracebackhide__ = True
        raise refused(spec, name, why)

    return property(read)
