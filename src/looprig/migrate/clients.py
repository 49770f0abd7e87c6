"""The clients from `aiohttp_client` in a suite that can become a service with looprig's `TestClient`.

Two forms are supported: a fixture that returns `await aiohttp_client(app)`, and tests that begin with `client = await
aiohttp_client(make_app())`. All users of a client have to be tests for which looprig's client works.

Does not change files: `client_services` does.
"""

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePath
from typing import Final, final

from looprig.migrate.client_uses import why_not
from looprig.migrate.suite import Fixture, Function, Suite

__all__ = ["CLIENT", "MAKER", "Client", "Plan", "plan", "returned"]

MAKER: Final = "aiohttp_client"
CLIENT: Final = "TestClient"
_LOOPS: Final = frozenset({"loop", "event_loop"})
_TAKEN: Final = frozenset({
    "address", "app", "client_tls", "create_app", "handler_cancellation", "host", "port", "run", "self",
    "shutdown_timeout", "start", "stop", "tls", "url",
})  # fmt: skip
_FILLERS: Final = frozenset({"app", "application", "build", "cli", "client", "create", "get", "make", "new", "setup"})


@final
@dataclass(frozen=True, slots=True)
class Client:
    """A client that becomes a service. `users` maps each function that uses the client to the name of its variable.

    A function is given by the name of its class and its own name.
    """

    path: PurePath
    fixture: str
    """The name of the fixture, or "" for clients that tests create themselves."""
    service: str
    app: str
    """The source of the application, if tests create the client."""
    fields: tuple[tuple[str, str], ...] = ()
    """The parameters of the fixture that the application needs, and their annotations."""
    users: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    is_shared: bool = False
    """Whether other files use the fixture, so that one with its name has to stay."""


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """The clients that become services, and for the others the file, line, column and reason."""

    clients: list[Client] = field(default_factory=list[Client])
    left: list[tuple[PurePath, str, str, str]] = field(default_factory=list[tuple[PurePath, str, str, str]])

    def leave(self, function: Function, why: str) -> None:
        """Record a function that keeps `aiohttp_client`."""
        self.left.append((function.path, function.class_name, function.node.name, why))


@lru_cache(maxsize=1)
def plan(suite: Suite) -> Plan:
    """Return the plan for the clients of a suite."""
    made = Plan()
    if MAKER in suite.fixtures:  # the suite's own
        return made
    for function in suite.functions:
        if MAKER in function.parameters and suite.is_fixture(function):
            _plan_fixture(suite, function, made)
    for path in {each.path for each in suite.tests() if MAKER in each.parameters}:
        _plan_tests(suite, path, made)
    return made


def _plan_fixture(suite: Suite, function: Function, made: Plan) -> None:
    fixture = next(each for its in suite.fixtures.values() for each in its if each.function is function)
    why = _against_fixture(suite, fixture)
    users = suite.users(fixture)
    for user in users:
        found = None if why else why_not(user.node, fixture.name)
        if not why and not user.is_test:
            why = f"{user.node.name} uses it, and isn't a test"
        elif found is not None:
            why = f"{user.path.name}:{getattr(found[0], 'lineno', user.node.lineno)}: {found[1]}"
    is_shared = function.path.name == "conftest.py" or any(user.path != function.path for user in users)
    if not why and _has_other_client(suite, function, fixture.name, () if is_shared else users):
        why = "the file uses another TestClient"
    if not why and any(_annotation(user.node, fixture.name) for user in users if is_shared):
        why = "tests in other files annotate it"
    if why or not users:
        made.leave(function, why or "no test uses it by its name")
        return
    fields = tuple(
        (name, _annotation(function.node, name) or ("web.Application" if name == "app" else "Any"))
        for name in function.parameters
        if name not in {MAKER, *_LOOPS} and name in _names(function.node.body)
    )
    service = _service(fixture.name, suite, function.path)
    every = {(user.class_name, user.node.name): fixture.name for user in users}
    made.clients.append(Client(function.path, fixture.name, service, "", fields, every, is_shared))


def _against_fixture(suite: Suite, fixture: Fixture) -> str:
    """Return why a fixture can't become a service, regardless of its users."""
    function = fixture.function
    if function.class_name or fixture.scope != "function" or {*fixture.options} - {"scope", "loop_scope"}:
        return "the fixture is in a class, or has options that a service doesn't have"
    body = function.node.body
    names = _names(body)
    if returned(function.node) is None or names.count(MAKER) != 1 or not {"self", "request"}.isdisjoint(names):
        return f"the fixture does more than return {MAKER}(app)"
    needed = [name for name in function.parameters if name not in {MAKER, *_LOOPS} and name in names]
    if any(name in _TAKEN - {"app"} or name in _bound(body) for name in needed):
        return "a service has something else with the name of a parameter"
    if any(name in _names(body[:-1]) for name in _LOOPS):
        return "the application needs the loop"
    in_strings = any(fixture.name in _strings(tree) for tree in suite.trees.values())
    return "it is requested by its name in a string, too" if in_strings else ""


def _strings(tree: ast.Module) -> set[object]:
    """Return the strings of a file, any of which may be the name of a fixture, but for scopes: `session` is one."""
    scopes = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg in {"scope", "loop_scope"}
    }
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in scopes}


def returned(function: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.expr | None:
    """Return the application of a fixture that ends in `return await aiohttp_client(app)`."""
    match function.body[-1]:
        case ast.Return(value=ast.Await(value=ast.Call(func=ast.Name(id=name), args=[app], keywords=[]))):
            return app if name == MAKER else None
        case ast.Return(
            value=ast.Call(
                func=ast.Attribute(attr="run_until_complete"),
                args=[ast.Call(func=ast.Name(id=name), args=[app], keywords=[])],
            )
        ):
            return app if name == MAKER else None
        case _:
            return None


def _plan_tests(suite: Suite, path: PurePath, made: Plan) -> None:
    has_other = any(isinstance(node, ast.ImportFrom) and _binds_client(node) for node in ast.walk(suite.trees[path]))
    top = {name for node in suite.trees[path].body for name in _bound([node])}
    groups: dict[str, dict[tuple[str, str], str]] = {}
    for test in suite.tests():
        if test.path != path or MAKER not in test.parameters:
            continue
        first = next((each for each in test.node.body if not _is_text(each)), None)
        match first:
            case ast.Assign(
                targets=[ast.Name(id=variable)],
                value=ast.Await(value=ast.Call(func=ast.Name(id=name), args=[ast.Call() as app], keywords=[])),
            ) if name == MAKER and set(_names([ast.Expr(app)])) <= top and _names(test.node.body).count(MAKER) == 1:
                rest = ast.AsyncFunctionDef(
                    test.node.name, test.node.args, test.node.body[1 + test.node.body.index(first) :], []
                )
                found = why_not(rest, variable)
                if has_other:
                    made.leave(test, "the file uses another TestClient")
                elif variable in test.parameters:
                    made.leave(test, f"it has a parameter {variable}")
                elif suite.find(variable, path, test.class_name) is not None:
                    made.leave(test, f"the suite has a fixture {variable}")
                elif found is not None:
                    made.leave(test, f"line {getattr(found[0], 'lineno', test.node.lineno)}: {found[1]}")
                else:
                    groups.setdefault(ast.unparse(app), {})[test.class_name, test.node.name] = variable
            case _:
                made.leave(test, "the application is made in the test")
    for text, its in groups.items():
        service = _service(text.partition("(")[0], suite, path, {each.service for each in made.clients})
        made.clients.append(Client(path, "", service, text, (), its))


def _service(of: str, suite: Suite, path: PurePath, taken: Collection[str] = ()) -> str:
    """Return a unique name for a service, made from that of its fixture or function, without filler words."""
    words = [each for each in re.split(r"[_.]+", of) if each and each.lower() not in _FILLERS]
    bound = {name for node in suite.trees[path].body for name in _bound([node])} | {*taken}
    names = [
        "".join(each.capitalize() for each in words),
        "".join(each.capitalize() for each in (*words, "rest")),
        "RestService",
    ]
    return next(
        name
        for name in (*filter(None, names), *(f"Rest{number}" for number in range(2, 1000)))
        if name not in bound and re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() not in suite.fixtures
    )


def _has_other_client(suite: Suite, fixture: Function, name: str, users: Collection[Function]) -> bool:
    """Return whether a file has another `TestClient`, and uses it for more than annotations that are replaced."""
    tree = suite.trees[fixture.path]
    if not any(isinstance(node, ast.ImportFrom) and _binds_client(node) for node in ast.walk(tree)):
        return False
    anew = [_annotation(user.node, name) for user in users]
    anew.append(ast.unparse(fixture.node.returns) if fixture.node.returns is not None else "")
    used = sum(isinstance(node, ast.Name) and node.id == CLIENT for node in ast.walk(tree))
    return used > sum(CLIENT in each for each in anew)


def _binds_client(node: ast.ImportFrom) -> bool:
    return node.module != "looprig" and any((each.asname or each.name) == CLIENT for each in node.names)


def _annotation(function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> str:
    found = next((each for each in (*function.args.args, *function.args.kwonlyargs) if each.arg == name), None)
    return ast.unparse(found.annotation) if found is not None and found.annotation is not None else ""


def _names(body: list[ast.stmt]) -> list[str]:
    return [node.id for each in body for node in ast.walk(each) if isinstance(node, ast.Name)]


def _bound(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the names that statements bind, including those in nested functions."""
    for each in body:
        for node in ast.walk(each):
            match node:
                case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                    yield name
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    yield name
                case ast.alias(name=name, asname=asname):
                    yield asname or name.partition(".")[0]
                case _:
                    pass


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
