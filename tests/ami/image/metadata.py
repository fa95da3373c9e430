"""The instance metadata service of a whole network: it knows an instance by the address that asks, as EC2 does."""

import json
import secrets
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from urllib.parse import urlsplit

from photofleet.local.aws import ACCOUNT, REGION
from tests.ami.image.namespaces import METADATA, hardware_address
from tests.loopback import Handler

TOKEN_SECONDS = 21600


@dataclass
class Identity:
    """What the service tells an instance of itself."""

    instance_id: str
    address: str
    user_data: str
    access_key: str
    secret_key: str
    values: MutableMapping[str, str] = field(default_factory=dict)
    """What is to differ, by its path below meta-data/."""

    def tree(self) -> Mapping[str, str]:
        """All of it, by its path after the version."""
        credentials = {
            "Code": "Success",
            "Type": "AWS-HMAC",
            "AccessKeyId": self.access_key,
            "SecretAccessKey": self.secret_key,
            "Token": "",
            "LastUpdated": "2026-01-01T00:00:00Z",
            "Expiration": "2099-01-01T00:00:00Z",
        }
        host = f"ip-{self.address.replace('.', '-')}"
        document = {"accountId": ACCOUNT, "region": REGION, "instanceId": self.instance_id, "version": "2017-09-30"}
        metadata = {
            "ami-id": "ami-0123456789abcdef0",
            "autoscaling/target-lifecycle-state": "InService",
            "hostname": host,
            "iam/security-credentials/instance": json.dumps(credentials),
            "instance-id": self.instance_id,
            "instance-type": "m7i.large",
            "local-hostname": host,
            "local-ipv4": self.address,
            "mac": hardware_address(int(self.address.rpartition(".")[2])),
            "placement/availability-zone": f"{REGION}a",
            "placement/region": REGION,
            "services/domain": "amazonaws.com",
            "services/partition": "aws",
        }
        below = {f"meta-data/{path}": value for path, value in (metadata | dict(self.values)).items()}
        return below | {"user-data": self.user_data, "dynamic/instance-identity/document": json.dumps(document)}


class MetadataService:
    """IMDSv2, and nothing of version 1."""

    def __init__(self) -> None:
        self._identities: dict[str, Identity] = {}
        self._tokens: set[str] = set()

    def introduce(self, identity: Identity) -> None:
        """Have whoever asks from the identity's address be told that it is this one."""
        self._identities[identity.address] = identity

    def tell(self, address: str, path: str, value: str) -> None:
        """Have the instance at an address find a value at a path below meta-data/ from now on."""
        self._identities[address].values[path] = value

    def forget(self, address: str) -> None:
        """Answer an address no more."""
        self._identities.pop(address, None)

    def grant(self, seconds: str) -> str | None:
        """Return a token for so many seconds, or None if that is no such number."""
        if not seconds.isdecimal() or not 1 <= int(seconds) <= TOKEN_SECONDS:
            return None
        token = secrets.token_urlsafe(40)
        self._tokens.add(token)
        return token

    def knows(self, token: str | None) -> bool:
        """Say whether it has granted a token."""
        return token in self._tokens

    def identity(self, address: str) -> Identity | None:
        """Return who is at an address."""
        return self._identities.get(address)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve in this thread's network namespace."""
        with _Server((METADATA, 80), _Handler) as server:
            server.service = self
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            try:
                yield
            finally:
                server.shutdown()
                thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    service: MetadataService

    def handle_error(self, *_: object) -> None:
        """A machine that is switched off in the middle of a question is part of the tests."""


class _Handler(Handler):
    server: _Server

    def do_PUT(self) -> None:  # noqa: N802 -- http.server's name
        seconds = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if self.server.service.identity(self.client_address[0]) is None or self.path != "/latest/api/token":
            self.answer(404)
        elif token := self.server.service.grant(seconds):
            self.answer(200, token, **{"X-aws-ec2-metadata-token-ttl-seconds": seconds})
        else:
            self.answer(400)

    def do_GET(self) -> None:  # noqa: N802 -- http.server's name
        identity = self.server.service.identity(self.client_address[0])
        _, _, path = urlsplit(self.path).path.lstrip("/").partition("/")
        if not self.server.service.knows(self.headers.get("X-aws-ec2-metadata-token")):
            self.answer(401)
        elif identity is None or (found := _find(identity.tree(), path)) is None:
            self.answer(404)
        else:
            self.answer(200, found)


def _find(tree: Mapping[str, str], path: str) -> str | None:
    """Return the value at a path, or the names below it, those of folders with a slash at their end."""
    if path in tree:
        return tree[path]
    folder = path.rstrip("/") + "/" if path else ""
    below = [name.removeprefix(folder) for name in tree if name.startswith(folder)]
    names = {name.partition("/")[0] + ("/" if "/" in name else "") for name in below}
    return "\n".join(sorted(names)) or None
