"""The messages between the host of a run and its users.

Everything of the suite's own is in them as a pickle inside the pickle, so that a message can always be read. Invariant:
both ends run the same looprig, since one starts the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, final

from looprig.declare.service import ServiceKey

__all__ = ["ClassReference", "Failed", "Lease", "Leave", "Left", "Started", "Use"]


@final
class ClassReference(NamedTuple):
    """A class by its module and declaration, for another process to find.

    `modules` maps the names of the suite's own modules to their files, as the process that runs the tests loaded them.
    A package without a file has an empty string.
    """

    module: str
    key: ServiceKey
    modules: Mapping[str, str]


@final
@dataclass(frozen=True, slots=True)
class Lease:
    """The first message of a user, whose connection is its lease: it has the services until the connection ends."""

    pid: int


@final
@dataclass(frozen=True, slots=True)
class Leave:
    """The message that gives a lease back in good order."""


@final
@dataclass(frozen=True, slots=True)
class Left:
    """The answer to `Leave`: what failed when the services were stopped, if this user was the last."""

    failures: tuple["Failed", ...]


@final
@dataclass(frozen=True, slots=True)
class Use:
    """A request for a service. `fields` are the values of its constructor, each pickled."""

    reference: ClassReference
    fields: Mapping[str, bytes]


@final
@dataclass(frozen=True, slots=True)
class Started:
    """The state of a running service: the pickle of each attribute, and why the others can't be sent.

    The descriptors that come with the message are those of its processes' output, in order.
    """

    attributes: Mapping[str, bytes]
    unshared: Mapping[str, str]
    pid: int


@final
@dataclass(frozen=True, slots=True)
class Failed:
    """The error of a service that did not start, or that crashed.

    Attributes:
        error: the pickled error, or `None` if it can't be pickled.
        what: its summary, to show if `error` can't be unpickled.
        traceback: where it was raised, as text.
    """

    error: bytes | None
    what: str
    traceback: str
