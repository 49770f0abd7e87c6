"""The output of the processes of a service, which write to the same unlinked file one after another.

A process never blocks on a full pipe, and nothing has to read the output in time. Does not know the processes.

Invariant: all of it can be read until `close`, and the last MiB after that.
"""

import os
import tempfile
from typing import Final, final

__all__ = ["Output"]

_KEPT: Final = 1 << 20
"""Number of bytes, from the end of the output, that can still be read after `close`."""


@final
class Output:
    """The output to stdout and stderr, as a file to write to and as text to read."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._forgotten = 0  # the number of bytes before those that are kept
        self._kept: bytes | None = None
        self._test_began_at = 0

    @property
    def descriptor(self) -> int:
        """The descriptor to write to."""
        return self._file.fileno()

    @property
    def size(self) -> int:
        """The number of bytes so far."""
        if self._kept is not None:
            return self._forgotten + len(self._kept)
        return os.fstat(self.descriptor).st_size

    def since(self, start: int) -> str:
        """Return what was printed after the first `start` bytes."""
        return self._read(start).decode(errors="replace")

    def begin_test(self) -> None:
        """Record that a test begins."""
        self._test_began_at = self.size

    def of_test(self) -> str:
        """Return what was printed since the last call of `begin_test`."""
        return self.since(self._test_began_at)

    def close(self) -> None:
        """Close the file, and keep its end."""
        if self._kept is None:
            self._forgotten = max(0, self.size - _KEPT)
            self._kept = self._read(self._forgotten)
            self._file.close()

    def _read(self, start: int) -> bytes:
        if self._kept is not None:
            return self._kept[max(0, start - self._forgotten) :]
        # Must not move the offset: the processes write.
        return os.pread(self.descriptor, self.size - start, start)
