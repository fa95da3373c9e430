"""A proxy that makes each connection as slow as one to S3 is: a time to the first byte, and so many bytes a second.

Run as `python -m tests.bench.slow_link TARGET FIRST_BYTE_MS MEGABYTES_PER_SECOND`; it prints its address, and ends with
its input. Both directions are slow, each connection for itself.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import urlsplit

PIECE = 65536
MAKES_UP_S = 0.005
"""So far behind the plan it may be, and catch up: no sleep is exact."""


class Link:
    """The way to a server."""

    def __init__(self, target: str, first_byte_s: float, bytes_per_second: float):
        self._host, self._port = urlsplit(target).hostname, urlsplit(target).port
        self._first_byte_s, self._bytes_per_second = first_byte_s, bytes_per_second

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what a client and the server say to each other, until one of them leaves."""
        target_reader, target_writer = await asyncio.open_connection(self._host, self._port)
        asked = asyncio.Event()
        ways = (self._requests(reader, target_writer, asked), self._answers(target_reader, writer, asked))
        tasks = [asyncio.create_task(way) for way in ways]
        with suppress(asyncio.CancelledError):
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for end in (writer, target_writer):
            end.close()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: asyncio.Event) -> None:
        async for data in self._slowly(reader):
            asked.set()
            writer.write(data)
            await writer.drain()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: asyncio.Event) -> None:
        async for data in self._slowly(reader):
            if asked.is_set():
                asked.clear()
                await asyncio.sleep(self._first_byte_s)
            writer.write(data)
            await writer.drain()

    async def _slowly(self, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
        clock = asyncio.get_running_loop().time
        free_at = 0.0
        while data := await reader.read(PIECE):
            free_at = max(free_at, clock() - MAKES_UP_S) + len(data) / self._bytes_per_second
            await asyncio.sleep(free_at - clock())
            yield data


async def main(target: str, first_byte_ms: str, megabytes_per_second: str) -> None:
    """Serve until the end of the input."""
    link = Link(target, float(first_byte_ms) / 1000, float(megabytes_per_second) * 1e6)
    server = await asyncio.start_server(link.serve, "127.0.0.1")
    print("http://{}:{}".format(*server.sockets[0].getsockname()), flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
