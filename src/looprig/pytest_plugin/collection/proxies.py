"""The proxies that the annotations of one function refer to.

Does not create fixtures (`registry` does) or decide which of several proxies is meant (`declare.proxy` does).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from looprig.declare.proxy import TCP, ProxyKind, is_proxy, is_proxy_class, kind_of_proxy, proxy_before, proxy_named
from looprig.location import Location, location_of
from looprig.pytest_plugin._compat import visible_definitions

if TYPE_CHECKING:
    from looprig.declare.service import ServiceSpec
    from looprig.pytest_plugin.collection.registry import Registry

__all__ = ["VisibleProxies"]


@final
class VisibleProxies:
    """The proxies that are visible to `function`, collected on `node`."""

    def __init__(self, registry: Registry, function: Any, node: Any) -> None:
        self._function = function
        self._node = node
        self._registry = registry

    def before(self, service: ServiceSpec, kind: ProxyKind) -> ServiceSpec:
        """Return the proxy that `Proxy[service]` means: the visible declared proxy, or else one for each test.

        Raises:
            DeclarationError: several are visible.
        """
        declared = [
            spec for spec in self._registry.fixtures.living_services() if is_proxy(spec.cls) and self._sees(spec)
        ]
        found = proxy_before(service, declared, self.asker, kind)
        return found or self._registry.fixtures.implicit_proxy(service, kind)

    def named(self, proxy: Any, service: ServiceSpec) -> ServiceSpec:
        """Return the proxy that `Through(proxy)` means for a service.

        Raises:
            DeclarationError: there is no such proxy in front of the service, or several are possible.
        """
        if proxy is None or is_proxy_class(proxy):
            return self.before(service, kind_of_proxy(proxy) or TCP)
        return proxy_named(proxy, service, (), self.asker)

    def _sees(self, spec: ServiceSpec) -> bool:
        found = (self._registry.target(each) for each in visible_definitions(spec.name, self._node))
        return any(target is not None and target.spec.key == spec.key for target in found)

    @property
    def asker(self) -> tuple[str, Location]:
        """The name and location of the function."""
        return getattr(self._function, "__qualname__", repr(self._function)), location_of(self._function)
