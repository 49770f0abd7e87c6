"""Services of scope "run": one instance for all processes of a run, in a process of its own, the *host* of the run.

The modules, in reading order: `folder` is where a run's processes meet, `channel` and `messages` are what they say to
each other, `classes` finds a class in another process, `state` copies a running service, `host` runs the services,
`launch` starts the host, and `user` uses the services from a process that runs tests.

Knows neither pytest nor pytest-xdist. POSIX only.
"""
