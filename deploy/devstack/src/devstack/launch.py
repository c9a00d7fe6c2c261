"""Becomes a server: a script of its own, run by `processes.spawn`, that needs nothing installed.

It says its process id, waits for the order (JSON on stdin), and then turns into the server named
there. Whoever started it thus writes down *who* will run before anything runs: when they are
killed in between, stdin ends early and this script ends too.
"""

import json
import os
import sys


def main() -> None:
    """Detach, report the process id, take the order, become the server."""
    if os.fork() > 0:
        os._exit(0)  # the server's parent shall be init: nobody of ours has to reap it
    os.setsid()
    answer = os.dup(sys.stdout.fileno())  # closes by itself when the server's program takes over
    os.write(answer, f"{os.getpid()}\n".encode())
    try:
        become(json.loads(sys.stdin.buffer.read()))
    except json.JSONDecodeError:
        return  # the order never came
    except OSError as e:
        os.write(answer, f"{e.strerror}: {e.filename or ''}".rstrip(": ").encode())


def become(order: dict[str, object]) -> None:
    """Redirect all output to the log, give up root where told so, and run the program."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(str(order["log"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    if isinstance(ids := order["user"], list):
        os.setgroups([])
        os.setgid(ids[1])
        os.setuid(ids[0])
    os.chdir(str(order["folder"]))
    argv, env = order["argv"], order["env"]
    if isinstance(argv, list) and isinstance(env, dict):
        os.execve(argv[0], argv, env)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
