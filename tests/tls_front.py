"""A front that gives a PostgreSQL the TLS that the embedded one is built without: it takes nothing else."""

import asyncio
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""How a client of PostgreSQL asks for TLS (Frontend/Backend Protocol, "SSLRequest")."""


@contextmanager
def tls_front(context: ssl.SSLContext, host: str, port: int, backend: tuple[str, int]) -> Iterator[int]:
    """Serve on a host's port (0: any), in a thread of its own, and give the port; `backend` gets what was encrypted."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(_serve(context, host, port, backend), loop).result()
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            asyncio.run_coroutine_threadsafe(_end(server), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _serve(context: ssl.SSLContext, host: str, port: int, backend: tuple[str, int]) -> asyncio.Server:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Clients come and go, and at the end whoever is still there is cut off.
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            if await reader.readexactly(len(SSL_REQUEST)) == SSL_REQUEST:
                writer.write(b"S")
                await writer.start_tls(context)
                database_reader, database_writer = await asyncio.open_connection(*backend)
                try:
                    await asyncio.gather(_pass_on(reader, database_writer), _pass_on(database_reader, writer))
                finally:
                    database_writer.transport.abort()
        writer.transport.abort()

    return await asyncio.start_server(handle, host, port)


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for _ in range(3):  # what was cut off is let go in the loop's next rounds
        await asyncio.sleep(0)
