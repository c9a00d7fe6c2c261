"""Ends what a command is at when a person or a supervisor says so."""

import asyncio
import signal
import sys
from collections.abc import Coroutine

import typer

__all__ = ["run", "signals_to_end_by"]


def run[T](work: Coroutine[None, None, T]) -> T:
    """Run to the end. A signal to end cancels the work, and exits as its sender expects."""
    return asyncio.run(_interruptible(work))


def signals_to_end_by() -> list[signal.Signals]:
    """List what ends a command: Ctrl-C, a supervisor, a terminal that closes unless `nohup`."""
    hang_up = [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL else []
    return [signal.SIGINT, signal.SIGTERM, *hang_up]


async def _interruptible[T](work: Coroutine[None, None, T]) -> T:
    task = asyncio.ensure_future(work)
    signals: list[signal.Signals] = []

    def interrupt(received: signal.Signals) -> None:
        signals.append(received)
        task.cancel()

    for number in signals_to_end_by():
        asyncio.get_running_loop().add_signal_handler(number, interrupt, number)
    try:
        return await task
    except asyncio.CancelledError:
        sys.stderr.write("premium: interrupted; what this command had started is stopped\n")
        raise typer.Exit(128 + signals[0]) from None
