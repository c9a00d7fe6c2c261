"""Ends what a command is at when a person or a supervisor says so."""

import asyncio
import signal
import sys
from collections.abc import Coroutine

import typer

__all__ = ["run"]


def run[T](work: Coroutine[None, None, T]) -> T:
    """Run to the end. SIGINT and SIGTERM cancel the work, and exit as their senders expect."""
    return asyncio.run(_interruptible(work))


async def _interruptible[T](work: Coroutine[None, None, T]) -> T:
    task = asyncio.ensure_future(work)
    signals: list[signal.Signals] = []

    def interrupt(received: signal.Signals) -> None:
        signals.append(received)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupt, number)
    try:
        return await task
    except asyncio.CancelledError:
        sys.stderr.write("premium: interrupted; what this command had started is stopped\n")
        raise typer.Exit(128 + signals[0]) from None
