"""A script that becomes another user, then replaces itself with a command. PostgreSQL refuses to run as root.

Run as root: its arguments are the ids of the user and of the group, the folder to change to, and the command. A script,
since `setpriv` isn't everywhere, and `su` and `runuser` stay between a server and its signals.

Imports neither looprig nor anything slow: the test waits for it.
"""

import os
import sys

__all__ = ["main"]


def main(arguments: list[str]) -> None:
    """Become the user and run the command. If it cannot be run, print why, and exit as a shell does."""
    user, group, folder, *command = arguments
    os.setgroups(())
    os.setgid(int(group))
    os.setuid(int(user))
    os.chdir(folder)
    try:
        os.execv(command[0], command)  # noqa: S606 - without a shell, on purpose
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror} (run as user {user})")


if __name__ == "__main__":
    main(sys.argv[1:])
