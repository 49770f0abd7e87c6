"""Run the app: `python -m notes sqlite:///notes.db`."""

import sys

from aiohttp import web

from notes.app import make_app

web.run_app(make_app(sys.argv[1] if len(sys.argv) > 1 else "sqlite:///notes.db"))
