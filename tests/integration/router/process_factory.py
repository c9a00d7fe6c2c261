"""Starts router processes quickly: it imports router once and forks for each process.

    python -m tests.integration.router.process_factory

It reads one environment per line, as JSON, and writes the id of the process that it forked.
"""

import json
import os
import signal
import sys

from router.__main__ import main

LOG = "PREMIUM_TEST_LOG"


def _serve(environment: dict[str, str]) -> None:
    log = os.open(environment[LOG], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.update(environment)
    sys.argv = ["router"]
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    main()


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombie processes
    while line := sys.stdin.buffer.readline():
        pid = os.fork()
        if pid == 0:
            _serve(json.loads(line))
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
