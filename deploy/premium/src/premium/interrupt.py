"""Runs a command's work so that Ctrl-C, or a signal of a supervisor, ends it cleanly."""

import asyncio
import signal
import sys
import threading
from collections.abc import Coroutine

import typer

from premium.errors import CommandError
from premium.profile import CHECK
from shared.basics.errors import Transient

__all__ = ["run", "run_on_deployment", "termination_signals"]


def run[T](work: Coroutine[None, None, T]) -> T:
    """Run the work; a termination signal cancels it and sets that signal's exit code."""
    return asyncio.run(_interruptible(work))


def run_on_deployment[T](work: Coroutine[None, None, T]) -> T:
    """Run work that needs the deployment of the profile.

    Raises:
        CommandError: a part of the deployment cannot be reached.
    """
    try:
        return run(work)
    except Transient as e:
        raise CommandError(f"{e}; {CHECK}") from e


def termination_signals() -> list[signal.Signals]:
    """List the signals that end a command: SIGINT, SIGTERM, and SIGHUP unless run by `nohup`."""
    hang_up = [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL else []
    return [signal.SIGINT, signal.SIGTERM, *hang_up]


async def _interruptible[T](work: Coroutine[None, None, T]) -> T:
    task = asyncio.ensure_future(work)
    signals: list[signal.Signals] = []

    def interrupt(received: signal.Signals) -> None:
        signals.append(received)
        task.cancel()

    if threading.current_thread() is threading.main_thread():  # others receive no signals
        for number in termination_signals():
            asyncio.get_running_loop().add_signal_handler(number, interrupt, number)
    try:
        return await task
    except asyncio.CancelledError:
        sys.stderr.write("premium: interrupted; what this command had started is stopped\n")
        raise typer.Exit(128 + signals[0]) from None
