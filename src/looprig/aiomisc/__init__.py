"""The dialect of aiomisc's pytest plugin, as a plugin that a suite can ask for.

    pytest_plugins = ["looprig.aiomisc"]  # in a conftest.py or a test module

Below the file that says so, `services`, `default_context` and `entrypoint_kwargs` act on every test that sees one of
them overridden. A suite that imports aiomisc does not have to ask.

Defines no fixtures itself: a suite's own fixtures of these names are its own business until it speaks the dialect.
"""

__all__: list[str] = []
