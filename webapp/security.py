"""What a browser may do with our pages, and which requests it may not send for another site."""

from urllib.parse import urlsplit

from flask import Flask, Response, abort, request

from photofleet.settings import Settings
from photofleet.storage import static_url
from webapp.ops.guard import is_operator

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def init_app(app: Flask, settings: Settings) -> None:
    """Refuse what another site's page asks to change, and send the headers that keep our pages to themselves."""
    pictures, files = f"{settings.renditions_url.rstrip('/')}/renditions/", static_url("")
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {files}",
            f"style-src {files}",
            # A data: address holds the image itself, which asks nobody for anything, and as an image runs nothing, even
            # if it is an SVG. Photos' previews come so.
            f"img-src 'self' data: {pictures} {files}",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )

    def add_headers(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        return response

    hosts = {host.strip().lower() for host in settings.hosts.split(",") if host.strip()}

    def refuse_other_hosts() -> None:
        """Refuse a request under a name that is not ours: another site may have pointed its name at this address."""
        host = (urlsplit(f"//{request.host}").hostname or "").lower()
        if hosts and host not in hosts and request.blueprint != "health" and not is_operator():
            abort(400, "There is no site of this name here.")

    app.before_request(refuse_other_hosts)
    app.before_request(_refuse_other_sites)
    app.after_request(add_headers)


def _refuse_other_sites() -> None:
    """Refuse a change that another site's page sends in a visitor's browser (cross-site request forgery).

    Browsers say where a request comes from in Sec-Fetch-Site, older ones in Origin; programs send neither.
    """
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is None and origin is not None:
        site = "same-origin" if urlsplit(origin).netloc == request.host else "cross-site"
    if site not in (None, "same-origin", "none"):
        abort(403, "This came from a page of another site. Please use the form on this site.")
