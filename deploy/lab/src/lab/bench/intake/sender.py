"""The sender process: reads a load from stdin, prepares and sends requests, prints the result.

It is a bare asyncio protocol on uvloop with prepared bytes, so that it disturbs the measurement
little on a small machine; its own processor time is part of the result.
"""

import gc
import sys
from collections.abc import Sequence

import psutil
import uvloop

from lab.bench.intake import baseline, http_client
from lab.bench.intake.load_patterns import Connection, at_rate, saturated
from lab.bench.intake.load_spec import LoadResult, LoadSpec
from lab.bench.load import requests
from lab.bench.measures import cpu_s
from shared.basics.clock import elapsed_s

__all__: list[str] = []


async def _run(load: LoadSpec) -> LoadResult:
    wanted = requests(load.run, [load.at] * load.count, load.language)
    if load.to == "baseline":
        return await _result(
            await baseline.connected(load.where, load.connections), baseline.entries(wanted), load
        )
    connections = await http_client.connected(load.where, load.connections)
    prepared = http_client.prepared(wanted, load.where, load.key, load.per_request)
    sent = await _result(connections, prepared, load)
    refusal = next((one.refusal for one in connections if one.refused), "")
    refused = sum(one.refused for one in connections)
    return sent.model_copy(update={"refused": refused, "refusal": refusal})


async def _result[T](
    connections: Sequence[Connection[T]], wanted: list[T], load: LoadSpec
) -> LoadResult:
    gc.freeze()
    process = psutil.Process()
    before_s, since_s = cpu_s(process), elapsed_s()
    if load.rate_hz is None:
        took_ms = await saturated(connections, wanted)
    else:
        took_ms = await at_rate(connections, wanted, load.rate_hz)
    took_s = elapsed_s(since_s)
    return LoadResult(
        took_s=took_s, cpu_s=cpu_s(process) - before_s, latencies_ms=tuple(took_ms), refused=0
    )


if __name__ == "__main__":
    found = uvloop.run(_run(LoadSpec.model_validate_json(sys.stdin.read())))
    sys.stdout.write(found.model_dump_json())
