"""How the embedded AWS is started, and how its clients find it."""

import sys
from http import HTTPStatus
from pathlib import Path
from urllib.request import urlopen

from photofleet.local.identities import Identities
from photofleet.local.secret import kept_secret

ACCOUNT = "000000000000"
REGION = "us-east-1"


class EmbeddedAWS:
    """An AWS of one account, on `port` of loopback, that keeps its state under `folder`."""

    command = (sys.executable, "-m", "photofleet.local.emulator")

    def __init__(self, folder: Path, port: int):
        self.folder = folder
        self.port = port

    @property
    def identities(self) -> Identities:
        """Who the service's programs are to this AWS."""
        return Identities(self.folder / "identities")

    @property
    def endpoint(self) -> str:
        """The address of every AWS service."""
        return f"http://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        """Say whether every service is served."""
        try:
            with urlopen(f"{self.endpoint}/_ministack/ready", timeout=2) as response:  # noqa: S310 - a http address
                return bool(response.status == HTTPStatus.OK)
        except OSError:
            return False

    def distribution_address(self, domain: str) -> str:
        """Return where the CloudFront distribution `domain` is served."""
        return f"{self.endpoint}/_cloudfront/{domain.removesuffix('.cloudfront.net')}"

    def credentials(self) -> dict[str, str]:
        """Return the environment that makes a client the account's root user; made up once and kept in the folder."""
        return {
            # Real keys of users start with AKIA. This one cannot be mistaken for one, nor found by a scanner.
            "AWS_ACCESS_KEY_ID": "photofleet-local",
            "AWS_SECRET_ACCESS_KEY": kept_secret(self.folder / "secret-access-key"),
        }

    def address(self) -> dict[str, str]:
        """Return the environment in which boto3 talks to this AWS, and to no other; who asks is left open."""
        return {"AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}

    def client_environment(self) -> dict[str, str]:
        """Return the environment in which boto3 talks to this AWS as the account's root user."""
        return self.address() | self.credentials()

    def server_environment(self) -> dict[str, str]:
        """Return the environment of `command`."""
        return self.credentials() | {
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "IOT_MTLS_ENABLED": "0",
            "LOG_LEVEL": "ERROR",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_HOST": "localhost",
            "MINISTACK_REGION": REGION,
            "PERSIST_STATE": "1",
            "S3_DATA_DIR": str(self.folder / "objects"),
            "S3_PERSIST": "1",
            "SFTP_ENABLED": "0",
            "STATE_DIR": str(self.folder / "snapshots"),
        }
