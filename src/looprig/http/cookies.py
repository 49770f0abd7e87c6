"""The cookies of one client, as a mapping from names to values on top of aiohttp's jar.

Does not apply the rules of domains and paths: the jar does when it sends. Invariant: a cookie set here is sent to the
client's own service, on every path, until the client closes.
"""

from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Final, final

from looprig._extras import LazyModule
from looprig.declare.values import check_values
from looprig.http.checks import COOKIE, COOKIE_NAME

if TYPE_CHECKING:
    import aiohttp
    import yarl
else:
    aiohttp = LazyModule("aiohttp", extra="aiohttp", needed_for="looprig.TestClient")
    yarl = LazyModule("yarl", extra="aiohttp", needed_for="looprig.TestClient")

__all__ = ["Cookies"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


@final
class Cookies(MutableMapping[str, str]):
    """A live mapping: it shows the cookies that the service has set, and a test can set and delete them.

    If one name was set for several paths, the mapping shows the last of them.
    """

    def __init__(self, jar: "aiohttp.CookieJar", url: "yarl.URL") -> None:
        self._jar = jar
        self._url = url

    def __getitem__(self, name: str) -> str:
        return self._values()[name]

    def __setitem__(self, name: str, value: str) -> None:
        check_values("TestClient.cookies", [("name", name, COOKIE_NAME), ("value", value, COOKIE)])
        self._jar.update_cookies({name: value}, self._url.with_path("/"))

    def __delitem__(self, name: str) -> None:
        if name not in self._values():
            raise KeyError(name)
        self._jar.clear(lambda morsel: morsel.key == name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def __repr__(self) -> str:
        return f"Cookies({self._values()!r})"

    def _values(self) -> dict[str, str]:
        return {morsel.key: morsel.value for morsel in self._jar}
