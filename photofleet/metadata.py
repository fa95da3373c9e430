"""The EC2 instance metadata service, by its second version (IMDSv2): every question carries a token of a session.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-v2-how-it-works.html
"""

import re
from http import HTTPStatus

import urllib3

TIMEOUT = 1.0
"""Seconds for one answer, which comes from the machine's own hypervisor."""

TOKEN_SECONDS = 21600
"""How long a token is good: six hours, the longest that the service grants."""

MAX_BYTES = 1024
"""More than anything that we ask for."""


class MetadataError(Exception):
    """The metadata service does not answer, or answers what makes no sense. Its message says which."""


class Metadata:
    """The metadata of this instance, asked for directly: never through a proxy, and never where a redirect leads."""

    def __init__(self, address: str) -> None:
        self._address = f"{address.rstrip('/')}/latest"
        self._http = urllib3.PoolManager(retries=False, timeout=TIMEOUT)  # so no redirects; it knows no proxies
        self._token: str | None = None

    def get(self, path: str) -> str | None:
        """Return the text at a path below `meta-data/`, or None where there is none.

        Raises:
            MetadataError: when that is not known.
        """
        status, text = self._get(path, self._token or self._renew_token())
        if status == HTTPStatus.UNAUTHORIZED:  # the token is too old, or of another life of this instance
            status, text = self._get(path, self._renew_token())
        if status == HTTPStatus.NOT_FOUND:
            return None
        if status != HTTPStatus.OK:
            raise MetadataError(f"it answers with status {status}")
        return text

    def _get(self, path: str, token: str) -> tuple[int, str]:
        return self._ask("GET", f"meta-data/{path}", {"X-aws-ec2-metadata-token": token})

    def _renew_token(self) -> str:
        self._token = None
        status, token = self._ask("PUT", "api/token", {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)})
        if status != HTTPStatus.OK:
            raise MetadataError(f"it gives no token: status {status}")
        if not re.fullmatch(r"[!-~]+", token):  # it becomes a header
            raise MetadataError(f"it gives what is no token: {token[:80]!r}")
        self._token = token
        return token

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        try:
            with self._http.request(
                method, f"{self._address}/{path}", headers=headers, preload_content=False
            ) as response:
                return response.status, response.read(MAX_BYTES).decode("utf-8", errors="replace").strip()
        except urllib3.exceptions.HTTPError as error:
            raise MetadataError(f"it does not answer ({type(error).__name__})") from error
