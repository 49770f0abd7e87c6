"""The dialect of aiomisc's pytest plugin, as a plugin that a suite can load.

    pytest_plugins = ["looprig.aiomisc"]  # in a conftest.py or a test module

Below the file with this line, an override of `services`, `default_context` or `entrypoint_kwargs` applies to every test
that can see it. A suite that imports aiomisc doesn't need the line.

Defines no fixtures. In a suite that doesn't use the dialect, fixtures with these names have no special meaning.

PYTEST_DONT_REWRITE: looprig's own plugin imports this before a suite loads it, and pytest would warn about that.
"""

__all__: list[str] = []
