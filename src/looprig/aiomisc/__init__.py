"""The dialect of aiomisc's pytest plugin, as a plugin that a suite can ask for.

    pytest_plugins = ["looprig.aiomisc"]  # in a conftest.py or a test module

Below the file that has this line, `services`, `default_context` and `entrypoint_kwargs` act on every test that sees one
of them overridden. A suite that imports aiomisc doesn't have to ask.

Defines no fixtures: fixtures of these names mean whatever the suite wants until it speaks the dialect.

PYTEST_DONT_REWRITE: looprig's own plugin loads this before a suite asks for it, of which pytest would warn.
"""

__all__: list[str] = []
