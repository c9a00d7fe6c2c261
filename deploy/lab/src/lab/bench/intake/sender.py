"""The sender as a process of its own: reads an order, prepares, sends, tells what became of it.

Over HTTP it is a raw asyncio protocol on uvloop with prepared bytes, so that on a small machine it
takes little from what it measures; what it takes is told as well.
"""

import gc
import sys
from collections.abc import Sequence

import psutil
import uvloop

from lab.bench.intake import door, floor
from lab.bench.intake.order import Order, Sent
from lab.bench.intake.pace import Line, at_rate, saturated
from lab.bench.load import requests
from lab.bench.measures import cpu_s
from shared.basics.clock import elapsed_s

__all__: list[str] = []


async def _followed(order: Order) -> Sent:
    wanted = requests(order.run, [order.at] * order.count, order.language)
    if order.to == "floor":
        return await _sent(
            await floor.connected(order.where, order.connections), floor.entries(wanted), order
        )
    lines = await door.connected(order.where, order.connections)
    prepared = door.prepared(wanted, order.where, order.key, order.together)
    sent = await _sent(lines, prepared, order)
    refusal = next((line.refusal for line in lines if line.refused), "")
    refused = sum(line.refused for line in lines)
    return sent.model_copy(update={"refused": refused, "refusal": refusal})


async def _sent[T](lines: Sequence[Line[T]], wanted: list[T], order: Order) -> Sent:
    gc.freeze()
    process = psutil.Process()
    before_s, since_s = cpu_s(process), elapsed_s()
    if order.rate_hz is None:
        took_ms = await saturated(lines, wanted)
    else:
        took_ms = await at_rate(lines, wanted, order.rate_hz)
    took_s = elapsed_s(since_s)
    return Sent(
        took_s=took_s, cpu_s=cpu_s(process) - before_s, latencies_ms=tuple(took_ms), refused=0
    )


if __name__ == "__main__":
    found = uvloop.run(_followed(Order.model_validate_json(sys.stdin.read())))
    sys.stdout.write(found.model_dump_json())
