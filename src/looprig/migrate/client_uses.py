"""The uses of aiohttp's client in a test, and whether looprig's `TestClient` supports them.

The two differ in that looprig reads every response completely, so that `await response.text()` becomes `response.text`.
Everything else has to be the same, so that the test asserts the same as before.
"""

import ast
from collections.abc import Iterator
from typing import Final, final

__all__ = ["VERBS", "why_not"]

VERBS: Final = frozenset({"delete", "get", "head", "options", "patch", "post", "put"})
_OPTIONS: Final = frozenset({"allow_redirects", "cookies", "data", "headers", "json", "params"})
_SAME: Final = frozenset({"method", "ok", "reason", "status"})
_READ: Final = frozenset({"json", "read", "text"})

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


def why_not(function: AnyFunction, client: str) -> tuple[ast.AST, str] | None:
    """Return where and why a test can't use looprig's client, or `None` if it can."""
    return next(_Uses(function, client).obstacles(), None)


@final
class _Uses:
    def __init__(self, function: AnyFunction, client: str) -> None:
        self._function = function
        self._client = client
        self._parents = {child: node for node in ast.walk(function) for child in ast.iter_child_nodes(node)}
        self._responses: set[str] = set()
        self._made: set[ast.AST] = set()
        """The places where names are bound to responses."""

    def obstacles(self) -> Iterator[tuple[ast.AST, str]]:
        if not isinstance(self._function, ast.AsyncFunctionDef):
            yield self._function, "it is not async"
        for node in self._named({self._client}):
            if not isinstance(node.ctx, ast.Load) or self._is_nested(node):
                yield node, f"{self._client} is used in a nested function, or bound again"
            elif why := self._against_request(node):
                yield node, why
        for node in self._named(self._responses):
            if node in self._made:
                continue
            if not isinstance(node.ctx, ast.Load) or self._is_nested(node):
                yield node, f"{node.id} is used in a nested function, or bound again"
            elif why := self._against_use(node, node.id):
                yield node, why

    def _named(self, names: set[str]) -> list[ast.Name]:
        statements = [node for each in self._function.body for node in ast.walk(each)]
        return [node for node in statements if isinstance(node, ast.Name) and node.id in names]

    def _against_request(self, client: ast.Name) -> str:
        """Return why looprig's client doesn't support a use of the client, or "" if it does."""
        attribute = self._parents.get(client)
        call = self._parents.get(attribute) if attribute is not None else None
        if not (isinstance(attribute, ast.Attribute) and isinstance(call, ast.Call) and call.func is attribute):
            return f"{self._client} is used for more than requests"
        if attribute.attr not in VERBS:
            return f"{self._client}.{attribute.attr} doesn't exist in looprig's client, or differs there"
        return _against_arguments(call) or self._against_binding(call)

    def _against_binding(self, call: ast.Call) -> str:
        if self._expects_error(call):
            return "a request is expected to raise, and looprig's errors differ"
        waiting = self._parents.get(call)
        holder = self._parents.get(waiting) if waiting is not None else None
        match waiting, holder:
            case (ast.withitem(optional_vars=None), ast.AsyncWith(items=[_])) | (ast.Await(), ast.Expr()):
                return ""
            case (ast.withitem(optional_vars=ast.Name(id=name) as made), ast.AsyncWith(items=[_])) | (
                ast.Await(),
                ast.Assign(targets=[ast.Name(id=name) as made]),
            ):
                self._responses.add(name)
                self._made.add(made)
                return ""
            case ast.Await(), ast.Attribute():
                return self._against_use(waiting, "the response")
            case _:
                return "the response is passed on"

    def _against_use(self, response: ast.AST, name: str) -> str:
        """Return why looprig's response doesn't support a use of a response, or "" if it does."""
        attribute = self._parents.get(response)
        if not isinstance(attribute, ast.Attribute):
            return f"{name} is passed on"
        holder = self._parents.get(attribute)
        if attribute.attr in _SAME:
            return ""
        if attribute.attr == "headers":
            match holder:
                case ast.Subscript() | ast.Compare(ops=[ast.In() | ast.NotIn()]) | ast.Attribute(attr="get"):
                    return ""
                case _:
                    return f"{name}.headers is passed on"
        if attribute.attr in _READ and isinstance(holder, ast.Call) and not (holder.args or holder.keywords):
            return (
                "" if isinstance(self._parents.get(holder), ast.Await) else f"{name}.{attribute.attr}() is not awaited"
            )
        return f"{name}.{attribute.attr} is not the same in looprig"

    def _is_nested(self, node: ast.AST) -> bool:
        while (parent := self._parents.get(node)) is not None and parent is not self._function:
            if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
                return True
            node = parent
        return False

    def _expects_error(self, node: ast.AST) -> bool:
        while (parent := self._parents.get(node)) is not None:
            if isinstance(parent, ast.Try):
                return True
            if isinstance(parent, ast.With | ast.AsyncWith):
                names = {
                    getattr(each, "attr", getattr(each, "id", "")) for item in parent.items for each in ast.walk(item)
                }
                if names & {"raises", "suppress", "timeout", "warns"}:
                    return True
            node = parent
        return False


def _against_arguments(call: ast.Call) -> str:
    if len(call.args) != 1 or not _is_text(call.args[0]):
        return "the path of a request is not known to be a str"
    for each in call.keywords:
        if each.arg not in _OPTIONS or (isinstance(each.value, ast.Constant) and each.value.value is None):
            return f"the request has the option {each.arg or '**'}, which differs in looprig's client"
    return ""


def _is_text(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=str()) | ast.JoinedStr():
            return True
        case ast.BinOp(left=left, right=right, op=ast.Add() | ast.Mod()):
            return _is_text(left) and (_is_text(right) or isinstance(node.op, ast.Mod))
        case _:
            return False
