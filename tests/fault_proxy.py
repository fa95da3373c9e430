"""A proxy before an AWS that makes its faults: errors, silence, cut connections, a port that refuses.

    with FaultProxy(aws.endpoint) as proxy:  # programs get proxy.address as their AWS_ENDPOINT_URL
        proxy.inject(Fault("error", "sqs ReceiveMessage", status=503, probability=0.5))
        proxy.clear()

By hand: `python -m tests.fault_proxy PORT TARGET`. Each line of its input is a JSON list of faults, which replace
those before, or null; it answers with a line that says what it has done so far. It ends with its input, so that it
outlives nobody.

Requests pass as they are, Host included, as it is signed. Each client's connection has one of its own to the target,
which ends with it, so that a long poll whose client dies ends there, too.
"""

import asyncio
import json
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import h11

PIECE = 65536
BACKLOG = 512
CODES = {400: "InvalidParameterValue", 403: "AccessDenied", 500: "InternalFailure", 503: "ServiceUnavailable"}


@dataclass(frozen=True)
class Fault:
    """What happens to requests.

    `error` answers with a status and an AWS error code; `hang` holds the request for a time, or until the faults are
    changed, and then lets it go on; `drop` cuts the connection; `refuse` takes no connections and cuts those there are,
    whatever they are for.
    """

    kind: Literal["error", "hang", "drop", "refuse"]
    # A regular expression, searched for in lines like `sqs ReceiveMessage /`, `sns POST /` or `s3 PUT /bucket/key`.
    matching: str = ""
    probability: float = 1.0
    # Whether it happens when the target has done what it was asked for, in place of or before its answer.
    after: bool = False
    status: int = 503
    code: str = ""  # by default one that fits the status
    seconds: float = 3600.0


class FaultProxy:
    """The proxy in a process of its own, for the length of a with block.

    `port` 0 takes a free one; `seed` is of the generator that decides which requests are met by a fault.
    """

    def __init__(self, target: str, port: int = 0, seed: int = 0):
        self._command = (sys.executable, "-m", "tests.fault_proxy", str(port), target, str(seed))

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.address: str = self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def inject(self, *faults: Fault) -> None:
        """Have these faults from now on, and no others; of several that match, the first that happens does."""
        self._ask([asdict(fault) for fault in faults])

    def clear(self) -> None:
        """Pass everything on from now on, what hangs included."""
        self._ask([])

    def done(self) -> Counter[str]:
        """How many requests were `passed` on untouched, and how many met each kind of fault."""
        return Counter(self._ask(None))

    def _ask(self, question: object) -> Any:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout
        if line := self._process.stdout.readline():
            return json.loads(line)
        raise RuntimeError(f"The fault proxy has ended with status {self._process.wait()}.")


class Peer:
    """One end of a connection: events of HTTP in and out."""

    def __init__(self, role: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.http = h11.Connection(role)
        self.reader, self.writer = reader, writer

    async def receive(self) -> Any:
        while (event := self.http.next_event()) is h11.NEED_DATA:
            self.http.receive_data(await self.reader.read(PIECE))
        return event

    async def send(self, event: Any) -> None:
        if data := self.http.send(event):
            self.writer.write(data)
            await self.writer.drain()

    async def until_gone(self) -> None:
        while data := await self.reader.read(PIECE):
            self.http.receive_data(data)
        raise ConnectionResetError

    @property
    def is_done(self) -> bool:
        return self.http.our_state is self.http.their_state is h11.DONE

    @property
    def is_unused(self) -> bool:
        return self.http.our_state is h11.IDLE

    def abort(self) -> None:
        self.writer.transport.abort()


class Server:
    """The proxy itself, on `port` of loopback, before `target`."""

    def __init__(self, port: int, target: str, seed: int):
        self.port = port
        self._host, self._target_port = urlsplit(target).hostname, urlsplit(target).port
        self._random = random.Random(seed)
        self._faults: Sequence[Fault] = ()
        self._changed = asyncio.Event()
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._listener: asyncio.Server | None = None
        self.done = Counter({"passed": 0})

    async def set(self, faults: Sequence[Fault]) -> None:
        self._faults = faults
        self._changed.set()
        self._changed = asyncio.Event()
        if any(fault.kind == "refuse" for fault in faults):
            if self._listener:
                self._listener.close()
                self._listener = None
            for client in self._clients.values():
                client.transport.abort()
        elif not self._listener:
            self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port, backlog=BACKLOG)
            self.port = self._listener.sockets[0].getsockname()[1]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(Peer(h11.SERVER, reader, writer)))
        self._clients[task] = writer
        task.add_done_callback(self._clients.pop)

    async def _serve(self, client: Peer) -> None:
        target = None
        try:
            while isinstance(request := await client.receive(), h11.Request):
                if target is None or target.reader.at_eof():
                    target = Peer(h11.CLIENT, *await asyncio.open_connection(self._host, self._target_port))
                await self._exchange(request, client, target)
                if not client.is_done:
                    break
                client.http.start_next_cycle()
                if target.is_done:
                    target.http.start_next_cycle()
                elif not target.is_unused:
                    target.abort()
                    target = None
        except (OSError, h11.ProtocolError):
            pass  # one end has gone, which the other learns now
        finally:
            for peer in (client, target):
                if peer:
                    peer.writer.close()

    async def _exchange(self, request: h11.Request, client: Peer, target: Peer) -> None:
        fault = self._draw(request)
        self.done[fault.kind if fault else "passed"] += 1
        if fault and not fault.after:
            # A client that gives up meanwhile has asked for nothing.
            watched = (client.until_gone(),) if fault.kind == "hang" else ()
            if await _until_first(self._happens(fault, request, client), *watched):
                return
        await target.send(request)
        late = fault if fault and fault.after else None
        await _until_first(self._pass_response(request, late, target, client), _pass_request(client, target))

    async def _pass_response(self, request: h11.Request, fault: Fault | None, target: Peer, client: Peer) -> None:
        while not isinstance(event := await target.receive(), h11.EndOfMessage):
            if isinstance(event, h11.Response) and fault and await self._happens(fault, request, client):
                return
            await client.send(event)
        await client.send(event)

    async def _happens(self, fault: Fault, request: h11.Request, client: Peer) -> bool:
        """Do what the fault does; say whether the request was dealt with thereby."""
        if fault.kind == "hang":
            with suppress(TimeoutError):
                async with asyncio.timeout(fault.seconds):
                    await self._changed.wait()
            return False
        if fault.kind == "drop":
            client.abort()
            raise ConnectionAbortedError
        keep_alive = not client.http.they_are_waiting_for_100_continue  # if it is, it will not send the body
        while keep_alive and not fault.after and not isinstance(await client.receive(), h11.EndOfMessage):
            pass
        for event in _error(fault, request, keep_alive=keep_alive):
            await client.send(event)
        return True

    def _draw(self, request: h11.Request) -> Fault | None:
        line = describe(request)
        for fault in self._faults:
            if re.search(fault.matching, line) and self._random.random() < fault.probability:
                return fault
        return None


async def _until_first(*works: Coroutine[Any, Any, Any]) -> Any:
    """Run until the first ends, and no longer; return what it returns.

    Where several have ended, it is what the last of them does: whether a client has gone comes last, and counts most.
    """
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [task for task in tasks if task in done][-1].result()


async def _pass_request(client: Peer, target: Peer) -> None:
    """Pass the body on, and then watch whether the client is still there, until cancelled."""
    while not isinstance(event := await client.receive(), h11.EndOfMessage):
        await target.send(event)
    await target.send(event)
    await client.until_gone()


def describe(request: h11.Request) -> str:
    """The line that faults are matched with: service, operation (or method), path."""
    headers = {name: value.decode("latin-1") for name, value in request.headers}
    scope = re.search(r"Credential=[^,]*/([a-z0-9-]+)/aws4_request", headers.get(b"authorization", ""))
    operation = headers.get(b"x-amz-target", request.method.decode()).rpartition(".")[2]
    return f"{scope[1] if scope else '-'} {operation} {request.target.decode('latin-1')}"


def _error(fault: Fault, request: h11.Request, *, keep_alive: bool) -> Sequence[Any]:
    service = describe(request).partition(" ")[0]
    code = fault.code or CODES.get(fault.status, "InternalFailure")
    words = "Injected by the fault proxy."
    kind = "application/x-amz-json-1.0" if service == "sqs" else "text/xml"
    if service == "sqs":
        body = json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": words})
    elif service == "s3":
        body = f"<Error><Code>{code}</Code><Message>{words}</Message></Error>"
    else:
        body = f"<ErrorResponse><Error><Code>{code}</Code><Message>{words}</Message></Error></ErrorResponse>"
    length = str(len(body))
    headers = [("Content-Type", kind), ("Content-Length", length), ("X-Amzn-RequestId", "injected")]
    headers += [] if keep_alive else [("Connection", "close")]
    # Without a phrase, botocore would not know the answer from a request to continue.
    start = h11.Response(status_code=fault.status, headers=headers, reason=HTTPStatus(fault.status).phrase.encode())
    return start, *((h11.Data(data=body.encode()),) if request.method != b"HEAD" else ()), h11.EndOfMessage()


async def main(port: int, target: str, seed: int) -> None:
    """Serve until the end of the input."""
    server = Server(port, target, seed)
    await server.set(())
    print(json.dumps(f"http://127.0.0.1:{server.port}"), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        faults = json.loads(line)
        if faults is not None:
            await server.set([Fault(**fault) for fault in faults])
        print(json.dumps(server.done), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int((*sys.argv, "0")[3])))
