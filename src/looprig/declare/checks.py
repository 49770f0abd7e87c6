"""What can be wrong with a service class by itself, told when it is decorated.

Does not look at other services or at fixtures (`fields` and the plugin do). Pure.
"""

import keyword
from typing import Any, Final, cast, get_origin

from typing_extensions import get_protocol_members, is_protocol

from looprig.declare.annotations import annotations_of, parameters_of
from looprig.exceptions import DeclarationError
from looprig.location import Location, location_of
from looprig.scopes import Scope

__all__ = ["checked_class", "checked_name", "checked_provides", "checked_scope", "checked_timeout", "is_duration"]

_TAKEN: Final = frozenset(
    {
        "request",
        "loop",
        "event_loop",
        "loop_factory",
        "event_loop_policy",
        "thread_pool_executor",
        "thread_pool_size",
        "services",
        "default_context",
        "entrypoint",
        "entrypoint_kwargs",
        "localhost",
        "unused_port",
        "unused_port_factory",
    }
)
"""Names of fixtures that mean something to pytest or to looprig: a service of that name would be taken for it."""


def checked_class(cls: type, location: Location) -> None:
    """A class that can be made from its fields.

    Raises:
        DeclarationError: it cannot.
    """
    __tracebackhide__ = True
    party = [(cls.__qualname__, location)]
    if missed := sorted(_own_fields(cls) - set(getattr(cls, "__dataclass_fields__", ()))):
        raise DeclarationError(
            f"{cls.__qualname__} has annotated fields ({', '.join(missed)}), but is not a dataclass yet.",
            party,
            "Write @dataclass(kw_only=True) below @service_fixture(...), next to the class.",
        )
    if (ineffective := _ineffective(cls)) is not None:
        name, base = ineffective
        raise DeclarationError(
            f"{cls.__qualname__} sets {name}, a field of {base.__qualname__}, in a way that has no effect.",
            party,
            "Annotate it, and write @dataclass(kw_only=True) next to the class.",
        )
    if abstract := sorted(getattr(cls, "__abstractmethods__", ())):
        raise DeclarationError(
            f"{cls.__qualname__} is abstract: {', '.join(abstract)} is not written.",
            party,
            f"Write {', '.join(abstract)}, or decorate the subclass that does.",
        )
    fields: set[str] = set(getattr(cls, "__dataclass_fields__", ()))
    needed = [
        parameter.name
        for parameter in parameters_of(cls).values()
        if parameter.default is parameter.empty
        and parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
        and (parameter.name not in fields or parameter.kind is parameter.POSITIONAL_ONLY)
    ]
    if needed:
        raise DeclarationError(
            f"The constructor of {cls.__qualname__} needs {', '.join(needed)}, which is no field of a dataclass.",
            party,
            "Write @dataclass(kw_only=True) below @service_fixture(...), and declare as fields what it needs.",
        )


def _ineffective(cls: type) -> tuple[str, type] | None:
    """A field of a base class that a class sets, so that it looks as if it had another default, and whose it is.

    The constructor, which is made by @dataclass from annotations, would set it back to the one of the base class.
    """
    is_made_here = "__dataclass_fields__" in vars(cls)
    annotated: set[str] = set(annotations_of(cls)) if is_made_here else set()
    for name, value in vars(cls).items():
        if name in annotated or hasattr(value, "__get__"):
            continue
        for base in cls.__mro__[1:]:
            field = vars(base).get("__dataclass_fields__", {}).get(name)
            if field is not None and field.init:
                # A dataclass has the defaults of all its fields as attributes of its own, where those have slots.
                return None if is_made_here and value is field.default else (name, base)
    return None


def _own_fields(cls: type) -> set[str]:
    """The names that a class annotates itself, and that would be fields of a dataclass."""
    return {
        name
        for name, hint in annotations_of(cls).items()
        if not any(word in str(hint) for word in ("ClassVar", "KW_ONLY"))
    }


def checked_scope(scope: str, name: str, location: Location) -> Scope:
    """A scope that pytest knows.

    Raises:
        DeclarationError: it is none.
    """
    __tracebackhide__ = True
    try:
        return Scope.parse(scope, of=name, at=location)
    except DeclarationError as error:
        raise error.with_traceback(None) from None  # it shows where the suite stands, not where we do


def checked_name(cls: type, name: object, location: Location) -> str:
    """A name that a parameter can have and that is not taken.

    Raises:
        DeclarationError: it is none.
    """
    __tracebackhide__ = True
    party = [(cls.__qualname__, location)]
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise DeclarationError(
            f"{cls.__qualname__} cannot be the fixture {name!r}: no parameter can have that name.",
            party,
            'Give it a name that is an identifier: name="...".',
        )
    if name in _TAKEN:
        raise DeclarationError(
            f"{cls.__qualname__} cannot be the fixture {name!r}: pytest or looprig has one already.",
            party,
            'Give it another name: name="...".',
        )
    return name


def is_duration(seconds: Any) -> bool:
    """Whether something is a number of seconds above 0, whatever a suite's types say."""
    return isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0


def checked_timeout(cls: type, seconds: float, location: Location) -> float:
    """A number of seconds above 0.

    Raises:
        DeclarationError: it is none.
    """
    __tracebackhide__ = True
    if not is_duration(seconds):
        raise DeclarationError(
            f"{cls.__qualname__} has start_timeout={seconds!r}.",
            [(cls.__qualname__, location)],
            "Give a number of seconds above 0.",
        )
    return float(seconds)


def checked_provides(cls: type, provides: object, location: Location) -> tuple[Any, ...]:
    """The Protocols that a service provides. Their members must be there: by name, since types are the checker's.

    Raises:
        DeclarationError: something else was given, or a member is missing.
    """
    __tracebackhide__ = True
    # An alias such as Store[User] can be iterated over, so what is a sequence is told by its type.
    several = isinstance(provides, list | tuple | set | frozenset)
    given: tuple[Any, ...] = tuple(cast("Any", provides)) if several else (provides,)
    for protocol in given:
        origin = get_origin(protocol) or protocol
        if not isinstance(origin, type) or not is_protocol(origin):
            shown = getattr(origin, "__qualname__", repr(origin))
            raise DeclarationError(
                f"{cls.__qualname__} is declared to provide {shown}, which is no Protocol.",
                [(cls.__qualname__, location), (shown, location_of(origin))],
                "Give Protocols in provides. A class is asked for by itself.",
            )
        _check_members(cls, origin, location)
    return given


def _check_members(cls: type, protocol: type, location: Location) -> None:
    __tracebackhide__ = True
    fields: set[str] = set(getattr(cls, "__dataclass_fields__", ()))
    there = fields.union(*(vars(base) for base in cls.__mro__))
    missing = sorted(name for name in get_protocol_members(protocol) if name not in there)
    if missing:
        raise DeclarationError(
            f"{cls.__qualname__} is declared to provide {protocol.__qualname__}, but has no {', '.join(missing)}.",
            [(cls.__qualname__, location), (protocol.__qualname__, location_of(protocol))],
            f"Give it {', '.join(missing)}, or take {protocol.__qualname__} out of provides.",
        )
