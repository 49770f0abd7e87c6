"""The typed HTTP client for tests, `TestClient[S]`, and the types of its results.

Loading this package does not load aiohttp: the client imports it when it is opened.
"""

from looprig.http.address import HasUnixAddress as HasUnixAddress
from looprig.http.address import HasUrl as HasUrl
from looprig.http.client import RequestOptions as RequestOptions
from looprig.http.client import TestClient as TestClient
from looprig.http.cookies import Cookies as Cookies
from looprig.http.decode import Decoder as Decoder
from looprig.http.headers import Headers as Headers
from looprig.http.response import Request as Request
from looprig.http.response import Response as Response
from looprig.http.sse import ServerSentEvent as ServerSentEvent
from looprig.http.stream import StreamedResponse as StreamedResponse
from looprig.http.websocket import WebSocket as WebSocket

__all__ = [
    "Cookies",
    "Decoder",
    "HasUnixAddress",
    "HasUrl",
    "Headers",
    "Request",
    "RequestOptions",
    "Response",
    "ServerSentEvent",
    "StreamedResponse",
    "TestClient",
    "WebSocket",
]
