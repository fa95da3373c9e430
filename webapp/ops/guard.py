"""Who may see the operations page. Until there are accounts: whoever sits at this machine, or has a tunnel to it."""

import re
from ipaddress import ip_address

from flask import Response, abort, request

LOOPBACK_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?", re.IGNORECASE)

RELAYED = ("forwarded", "via", "x-forwarded", "x-real-ip", "x-client-ip", "true-client-ip", "x-amz", "cf-")
"""How the headers begin in which proxies, load balancers and CDNs name themselves or whoever asked them."""


def is_operator() -> bool:
    """Whether this request comes from a browser on this machine, straight to us and under a name of this machine.

    A proxy on this machine has a loopback address, too, but says for whom it asks, or speaks HTTP/1.0, as nginx does
    where nobody told it otherwise. A hostile page that has its own name lead to 127.0.0.1 (DNS rebinding) is given
    away by that name.
    """
    try:
        is_near = ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False
    is_relayed = any(name.lower().startswith(RELAYED) for name, _ in request.headers)
    is_relayed = is_relayed or request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0"
    return is_near and not is_relayed and bool(LOOPBACK_HOST.fullmatch(request.headers.get("Host", "")))


def refuse_others() -> None:
    """Answer everybody else as if nothing were there: any method, and any address at or below /ops."""
    if request.path.lstrip("/").split("/")[0] == "ops" and not is_operator():
        abort(404)


def keep_nothing(response: Response) -> Response:
    """Have browsers keep no copy of what only an operator may see."""
    if is_operator():  # others get what they would get at any address where nothing is
        response.headers["Cache-Control"] = "no-store"
    return response
