"""Loads once what the suites under test use: pytester forgets what a run imported, the public face does not."""

import looprig.http.client
import looprig.services.aiohttp
import looprig.services.entrypoint
import looprig.services.rig
import looprig.services.tcp

__all__ = ["looprig"]
