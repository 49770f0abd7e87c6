"""Rewriting of `aiohttp_client`: applications become service classes, and clients become `TestClient[...]`."""

from typing import Any, Final, final

import libcst as cst

from looprig.migrate.client_uses import VERBS
from looprig.migrate.clients import CLIENT, MAKER, Client, plan
from looprig.migrate.imports import without_imports
from looprig.migrate.inserted import with_import
from looprig.migrate.names import Names
from looprig.migrate.of_self import OfSelf
from looprig.migrate.rewriting import File
from looprig.migrate.statements import without_statements_inside

__all__ = ["with_services"]

_CLIENT: Final = "looprig.TestClient"
_TAKES_APP: Final = "application"
"""The name of a service's field for an application from a fixture `app`, since services have an attribute `app`."""


def with_services(file: File) -> cst.Module:
    """Return a module whose clients are looprig's."""
    made = plan(file.suite)
    reasons = {(where, name): why for path, where, name, why in made.left if path == file.path}
    if reasons:
        leaving = _Leaving(reasons)
        file.module.visit(leaving)
        file.leave(*leaving.left)
    module = file.module
    for client in made.clients:
        users = client.users if client.path == file.path else {}
        if client.is_shared:
            users = {
                (each.class_name, each.node.name): client.fixture
                for each in file.suite.functions
                if each.path == file.path and client.fixture in each.parameters and each.is_test
            }
        module = _rewritten(module, file, client, users)
    return module


def _rewritten(module: cst.Module, file: File, client: Client, users: dict[tuple[str, str], str]) -> cst.Module:
    if users:
        module = module.visit(_Users(client, users))
    if client.path != file.path:
        return module
    web = Names(module.bytes).local("aiohttp.web") or "web"
    making = _Making(client, web, module.config_for_parsing)
    module = module.visit(making)
    if not making.is_made:
        return module
    if web == "web":
        module = with_import(module, "aiohttp", "web")
    module = with_import(module, "dataclasses", "dataclass")
    if any(annotation == "Any" for _, annotation in client.fields):
        module = with_import(module, "typing", "Any")
    if any(name == "app" for name, _ in client.fields):
        module = with_import(with_import(module, "typing", "Annotated"), "looprig", "Fixture")
    if Names(module.bytes).origins.get(CLIENT, _CLIENT) != _CLIENT:  # aiohttp's, which is now unused
        module = without_imports(module, {CLIENT})
    for name in ("AiohttpService", CLIENT, "service_fixture"):
        module = with_import(module, "looprig", name)
    return module


@final
class _Leaving(cst.CSTVisitor):
    def __init__(self, reasons: dict[tuple[str, str], str]) -> None:
        super().__init__()
        self._reasons = reasons
        self._classes: list[str] = []
        self.left: list[tuple[cst.CSTNode, str]] = []

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        self._classes.append(node.name.value)

    def leave_ClassDef(self, original_node: cst.ClassDef) -> None:
        self._classes.pop()

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        why = self._reasons.get((".".join(self._classes), node.name.value))
        for each in node.params.params:
            if why and each.name.value == MAKER:
                way = "declare an AiohttpService and request a TestClient[...] of it, or keep pytest-aiohttp"
                self.left.append((each, f"{MAKER}: {why}; {way}"))
        return False


@final
class _Users(cst.CSTTransformer):
    """The functions that use a client."""

    def __init__(self, client: Client, users: dict[tuple[str, str], str]) -> None:
        super().__init__()
        self._client = client
        self._users = users
        self._classes: list[str] = []

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        self._classes.append(node.name.value)

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:
        self._classes.pop()
        return updated_node

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return False

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        variable = self._users.get((".".join(self._classes), original_node.name.value))
        if variable is None:
            return updated_node
        responding = _Responses(variable)
        body: Any = updated_node.body.visit(responding)
        if not self._client.fixture:
            body = without_statements_inside(body, _makes_client)
        if self._client.is_shared:
            return updated_node.with_changes(body=body)
        old = self._client.fixture or MAKER
        annotation = cst.Annotation(cst.parse_expression(f"TestClient[{self._client.service}]"))
        params = [
            each.with_changes(name=cst.Name(variable), annotation=annotation) if each.name.value == old else each
            for each in updated_node.params.params
        ]
        return updated_node.with_changes(body=body, params=updated_node.params.with_changes(params=params))


def _makes_client(statement: cst.BaseSmallStatement) -> bool:
    match statement:
        case cst.Assign(value=cst.Await(expression=cst.Call(func=cst.Name(value=name)))):
            return name == MAKER
        case _:
            return False


@final
class _Responses(cst.CSTTransformer):
    """Rewrites the requests of a client, and the uses of their responses."""

    def __init__(self, client: str) -> None:
        super().__init__()
        self._client = client
        self._responses: set[str] = set()

    def visit_Assign(self, node: cst.Assign) -> None:
        target = node.targets[0].target
        if (
            isinstance(target, cst.Name)
            and isinstance(node.value, cst.Await)
            and self._is_request(node.value.expression)
        ):
            self._responses.add(target.value)

    def visit_With(self, node: cst.With) -> None:
        for each in node.items:
            if self._is_request(each.item) and each.asname is not None and isinstance(each.asname.name, cst.Name):
                self._responses.add(each.asname.name.value)

    def leave_With(self, original_node: cst.With, updated_node: cst.With) -> Any:
        if not self._is_request(original_node.items[0].item):
            return updated_node
        asked: Any = cst.Await(updated_node.items[0].item)
        asname = updated_node.items[0].asname
        if asname is not None and isinstance(asname.name, cst.Name):
            small: Any = cst.Assign([cst.AssignTarget(asname.name)], asked)
        else:
            small = cst.Expr(asked)
        line = cst.SimpleStatementLine([small], leading_lines=updated_node.leading_lines)
        return cst.FlattenSentinel([line, *updated_node.body.body])

    def leave_Await(self, original_node: cst.Await, updated_node: cst.Await) -> cst.BaseExpression:
        match updated_node.expression:
            case cst.Call(func=cst.Attribute(value=value, attr=cst.Name(value=name)) as read, args=[]):
                if not self._is_response(value):
                    return updated_node
                if name == "text":
                    return read
                if name == "read":
                    return read.with_changes(attr=cst.Name("body"))
                return updated_node.expression if name == "json" else updated_node
            case _:
                return updated_node

    def _is_response(self, node: cst.BaseExpression) -> bool:
        if isinstance(node, cst.Name):
            return node.value in self._responses
        return isinstance(node, cst.Await) and self._is_request(node.expression)

    def _is_request(self, node: cst.BaseExpression) -> bool:
        match node:
            case cst.Call(func=cst.Attribute(value=cst.Name(value=name), attr=cst.Name(value=verb))):
                return name == self._client and verb in VERBS
            case _:
                return False


@final
class _Making(cst.CSTTransformer):
    """Inserts the service, in place of the fixture, or above the first test that made a client."""

    def __init__(self, client: Client, web: str, config: cst.PartialParserConfig) -> None:
        super().__init__()
        self._client = client
        self._web = web
        self._config = config
        self.is_made = False

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        body: list[Any] = []
        for statement in updated_node.body:
            if not self.is_made and self._is_place(statement):
                self.is_made = True
                lines = getattr(statement, "leading_lines", ())
                if self._client.fixture and isinstance(statement, cst.FunctionDef):
                    body.append(self._service(statement).with_changes(leading_lines=lines))
                    if self._client.is_shared:
                        body.append(self._fixture(statement))
                else:
                    gap = [cst.EmptyLine(indent=False)] * 2
                    body += [self._service(None).with_changes(leading_lines=gap), statement]
            else:
                body.append(statement)
        return updated_node.with_changes(body=body)

    def _is_place(self, statement: cst.CSTNode) -> bool:
        if self._client.fixture:
            return isinstance(statement, cst.FunctionDef) and statement.name.value == self._client.fixture
        if isinstance(statement, cst.ClassDef):
            return any(where.partition(".")[0] == statement.name.value for where, _ in self._client.users)
        return isinstance(statement, cst.FunctionDef) and ("", statement.name.value) in self._client.users

    def _service(self, fixture: cst.FunctionDef | None) -> cst.ClassDef:
        fields = "".join(
            f'    {_TAKES_APP}: Annotated[{kind}, Fixture("app")]\n' if name == "app" else f"    {name}: {kind}\n"
            for name, kind in self._client.fields
        )
        text = (
            f"@service_fixture\n@dataclass(kw_only=True)\nclass {self._client.service}(AiohttpService):\n{fields}"
            f"{chr(10) if fields else ''}    async def create_app(self) -> {self._web}.Application:\n"
            f"        return {self._client.app or '...'}\n"
        )
        made: Any = cst.parse_statement(text, self._config)
        if fixture is None:
            return made  # type: ignore[no-any-return]
        names = {name: _TAKES_APP if name == "app" else name for name, _ in self._client.fields}
        body: Any = fixture.body.visit(OfSelf(names))
        last = body.body[-1]
        body = body.with_changes(body=[*body.body[:-1], last.visit(_Application())])
        *rest, method = made.body.body
        return made.with_changes(body=made.body.with_changes(body=[*rest, method.with_changes(body=body)]))  # type: ignore[no-any-return]

    def _fixture(self, fixture: cst.FunctionDef) -> cst.FunctionDef:
        """Return a fixture with the old name, for the tests in other files."""
        kind = f"TestClient[{self._client.service}]"
        name = "api" if self._client.fixture != "api" else "client"
        made: Any = cst.parse_statement(
            f"@pytest.fixture\ndef {self._client.fixture}({name}: {kind}) -> {kind}:\n    return {name}\n", self._config
        )
        return made.with_changes(decorators=fixture.decorators, leading_lines=[cst.EmptyLine(indent=False)] * 2)  # type: ignore[no-any-return]


@final
class _Application(cst.CSTTransformer):
    """`return await aiohttp_client(app)` becomes `return app`."""

    def leave_Return(self, original_node: cst.Return, updated_node: cst.Return) -> cst.Return:
        value = original_node.value
        call = value.expression if isinstance(value, cst.Await) else value
        match call:
            case cst.Call(func=cst.Name(), args=[app]):
                return updated_node.with_changes(value=app.value)
            case cst.Call(args=[cst.Arg(value=cst.Call(args=[app]))]):
                return updated_node.with_changes(value=app.value)
            case _:
                return updated_node
