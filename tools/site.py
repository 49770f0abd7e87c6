"""The steps that build the docs site into `build/docs`, and a server that shows it on this machine.

Sphinx builds it in an environment of its own, with the settings in `docs/conf.py`. Requires only the standard library.

Invariant: a warning of Sphinx, for example about a broken link, fails the build.
"""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from tools.workshop import ROOT, Environment, Step, say

__all__ = ["BUILD_STEPS", "SITE_STEPS", "serve"]

SITE: Final = "build/docs"
DOCS: Final = Environment("docs", ("build", "docs"), source="folder")
# All pages anew, since each shows the navigation, and docstrings come from many modules.
BUILD: Final = (
    f"sphinx-build --quiet --fail-on-warning --keep-going --fresh-env --write-all -d {SITE}-trees docs {SITE}"
)
BUILD_STEPS: Final = (
    Step("docs: diagrams", DOCS, "python tools/diagrams.py"),
    Step("docs", DOCS, BUILD),
)
SITE_STEPS: Final = (
    *BUILD_STEPS,
    Step("docs: in a browser", DOCS, "pytest -q tests/site", (("LOOPRIG_SITE", SITE),)),
)


def serve(port: int) -> None:
    """Serve the built site on a loopback address until Ctrl-C. Port 0 means any free one."""
    with ThreadingHTTPServer(("127.0.0.1", port), partial(_Quiet, directory=ROOT / SITE)) as server:
        say(f"The docs are on http://127.0.0.1:{server.server_port}/ until you press Ctrl-C.")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("")


class _Quiet(SimpleHTTPRequestHandler):
    """A handler that doesn't print a line for each request."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Print nothing."""
