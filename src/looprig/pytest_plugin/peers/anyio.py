"""anyio's pytest plugin: it owns the tests that use the fixture `anyio_backend`, which its mark adds."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, cast, final

import pytest

from looprig._extras import import_extra
from looprig.pytest_plugin._compat import Definition
from looprig.pytest_plugin._compat.closures import definitions_in_item
from looprig.pytest_plugin._compat.parameters import parameter_values
from looprig.pytest_plugin.is_async import innermost, is_async_test
from looprig.pytest_plugin.peers import setting
from looprig.pytest_plugin.peers.peer import Peer, Words

__all__ = ["PEER"]


@final
class AnyIO(Peer):
    """anyio's plugin, which in auto mode gives every async test its fixture and runs it once with each backend."""

    name = "anyio"
    mark = "@pytest.mark.anyio"
    fixture = "anyio_backend"
    adopted_as: str = "anyio"
    needless: ClassVar[Words] = Words(
        marks=frozenset({"anyio"}), backends=frozenset({"anyio_backend"}), options=frozenset({"anyio_mode"})
    )
    factory_fixtures: ClassVar[Sequence[str]] = ("anyio_backend",)
    put_on_functions: ClassVar[tuple[str, tuple[str, ...]] | None] = ("usefixtures", ("anyio_backend",))

    def claims_everything(self, config: pytest.Config) -> str | None:
        return "set anyio_mode = strict" if setting(config, "anyio_mode") == "auto" else None

    def claims_test(self, item: pytest.Function) -> bool:
        return "anyio_backend" in item.fixturenames or item.get_closest_marker("anyio") is not None

    def claims_fixture(self, definition: Definition, item: pytest.Function) -> bool:
        return "anyio_backend" in item.fixturenames

    def keeps(self, item: pytest.Function) -> bool:
        if "anyio_backend" not in item.fixturenames:
            # The mark was added late, and the plugin will replace this item by one for each backend at the end of
            # collection. It ignores a sync test that has the mark of its module.
            return item.get_closest_marker("anyio") is not None and is_async_test(item)
        values = parameter_values(item)
        if "anyio_backend" in values:
            return bool(_name(values["anyio_backend"]) != "asyncio")
        definitions = definitions_in_item(item, "anyio_backend")
        code = getattr(innermost(definitions[-1].func), "__code__", None) if definitions else None
        words = {_name(constant) for constant in getattr(code, "co_consts", ())}
        return "trio" in words and "asyncio" not in words

    def loop_factory(self, value: Any) -> Callable[[], Any] | None:
        options: dict[str, Any] = cast("Any", value)[1] if isinstance(value, tuple) else {}
        if options.get("use_uvloop"):
            uvloop = import_extra("uvloop", extra="uvloop", needed_for="anyio_backend with use_uvloop")
            return uvloop.new_event_loop  # type: ignore[no-any-return]
        return options.get("loop_factory")


def _name(backend: Any) -> Any:
    return backend[0] if isinstance(backend, tuple) and backend else backend  # pyright: ignore[reportUnknownVariableType]


PEER: Final = AnyIO()
