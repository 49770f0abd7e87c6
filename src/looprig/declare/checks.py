"""Checks of a single service class, made when it is decorated.

Does not look at other services or at fixtures (`fields` and the plugin do). Pure.
"""

import keyword
from collections.abc import Sequence
from typing import Any, Final, cast, get_origin

from typing_extensions import get_protocol_members, is_protocol

from looprig.declare.annotations import annotations_of, parameters_of
from looprig.exceptions import DeclarationError
from looprig.location import Location, location_of
from looprig.scopes import SCOPE_NAMES, Scope

__all__ = ["checked_class", "checked_name", "checked_provides", "checked_scope"]

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
"""Names of fixtures to which pytest or looprig give a meaning. No service may have one of these names."""


def checked_class(cls: type, location: Location) -> None:
    """Check that the fields of a class are enough to create instances.

    Raises:
        DeclarationError: the fields aren't enough.
    """
    __tracebackhide__ = True
    party = [(cls.__qualname__, location)]
    if missed := sorted(_own_fields(cls) - set(getattr(cls, "__dataclass_fields__", ()))):
        raise DeclarationError(
            f"{cls.__qualname__} has annotated fields ({', '.join(missed)}), but is not a dataclass yet.",
            party,
            "Put @dataclass(kw_only=True) below @service_fixture(...), directly above the class.",
        )
    if (ineffective := _ineffective(cls)) is not None:
        name, base = ineffective
        raise DeclarationError(
            f"{cls.__qualname__} sets {name}, a field of {base.__qualname__}, in a way that has no effect.",
            party,
            "Annotate it, and put @dataclass(kw_only=True) directly above the class.",
        )
    if abstract := sorted(getattr(cls, "__abstractmethods__", ())):
        raise DeclarationError(
            f"{cls.__qualname__} is abstract: it doesn't implement {', '.join(abstract)}.",
            party,
            f"Implement {', '.join(abstract)}, or decorate the subclass that does.",
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
            f"The constructor of {cls.__qualname__} requires {', '.join(needed)}, which isn't a dataclass field.",
            party,
            "Put @dataclass(kw_only=True) below @service_fixture(...), and declare the arguments as fields.",
        )


def _ineffective(cls: type) -> tuple[str, type] | None:
    """Return the name of a field that a class assigns to without effect, and the base class that declares the field.

    Without an annotation, @dataclass ignores the assignment, and the constructor keeps the base class's default.
    """
    is_made_here = "__dataclass_fields__" in vars(cls)
    annotated: set[str] = set(annotations_of(cls)) if is_made_here else set()
    for name, value in vars(cls).items():
        if name in annotated or hasattr(value, "__get__"):
            continue
        for base in cls.__mro__[1:]:
            field = vars(base).get("__dataclass_fields__", {}).get(name)
            if field is not None and field.init:
                # @dataclass(slots=True) copies the defaults of inherited fields to attributes of the class.
                return None if is_made_here and value is field.default else (name, base)
    return None


def _own_fields(cls: type) -> set[str]:
    """Return the names annotated in the class body that would be fields of a dataclass."""
    return {
        name
        for name, hint in annotations_of(cls).items()
        if not any(word in str(hint) for word in ("ClassVar", "KW_ONLY"))
    }


def checked_scope(scope: str, name: str, location: Location, names: Sequence[str] = SCOPE_NAMES) -> Scope:
    """Return the scope called `scope`.

    Raises:
        DeclarationError: it is none of `names`.
    """
    __tracebackhide__ = True
    try:
        return Scope.parse(scope, of=name, at=location, names=names)
    except DeclarationError as error:
        raise error.with_traceback(None) from None  # so that the traceback ends in the suite, not in looprig


def checked_name(cls: type, name: object, location: Location) -> str:
    """Return `name` if it is a valid name of a parameter and not taken.

    Raises:
        DeclarationError: the name isn't an identifier, or is taken.
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
            f"{cls.__qualname__} cannot be the fixture {name!r}: pytest or looprig already has one.",
            party,
            'Give it another name: name="...".',
        )
    return name


def checked_provides(cls: type, provides: object, location: Location) -> tuple[Any, ...]:
    """Return the Protocols that a service provides.

    Members are checked by name only; their types are the type checker's job.

    Raises:
        DeclarationError: one of them isn't a Protocol, or the class lacks a member of a Protocol.
    """
    __tracebackhide__ = True
    # An alias such as Store[User] is iterable too, so test for the types of sequences.
    several = isinstance(provides, list | tuple | set | frozenset)
    given: tuple[Any, ...] = tuple(cast("Any", provides)) if several else (provides,)
    for protocol in given:
        origin = get_origin(protocol) or protocol
        if not isinstance(origin, type) or not is_protocol(origin):
            shown = getattr(origin, "__qualname__", repr(origin))
            raise DeclarationError(
                f"{cls.__qualname__} is declared to provide {shown}, which isn't a Protocol.",
                [(cls.__qualname__, location), (shown, location_of(origin))],
                "Pass only Protocols as provides. A field can name a service class directly.",
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
            f"Give it {', '.join(missing)}, or remove {protocol.__qualname__} from provides.",
        )
