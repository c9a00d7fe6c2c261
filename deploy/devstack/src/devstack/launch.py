"""Becomes a server: a script that `processes.spawn` runs, and that needs no installed package.

It writes its process id to stdout, waits for instructions (JSON on stdin), and then becomes the
server that they name. So its starter records the process id before the server runs. If the starter
is killed in between, stdin ends early and this script ends too.
"""

import json
import os
import sys


def main() -> None:
    """Detach, report the process id, read the instructions, become the server."""
    if os.fork() > 0:
        os._exit(0)  # init becomes the server's parent, and reaps it
    os.setsid()
    answer = os.dup(sys.stdout.fileno())  # closed on exec
    os.write(answer, f"{os.getpid()}\n".encode())
    try:
        become(json.loads(sys.stdin.buffer.read()))
    except json.JSONDecodeError:
        return  # no instructions came
    except OSError as e:
        os.write(answer, f"{e.strerror}: {e.filename or ''}".rstrip(": ").encode())


def become(instructions: dict[str, object]) -> None:
    """Redirect all output to the log, give up root if instructed, and run the program."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(str(instructions["log"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    if isinstance(ids := instructions["user"], list):
        os.setgroups([])
        os.setgid(ids[1])
        os.setuid(ids[0])
    os.chdir(str(instructions["folder"]))
    argv, env = instructions["argv"], instructions["env"]
    if isinstance(argv, list) and isinstance(env, dict):
        os.execve(argv[0], argv, env)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
