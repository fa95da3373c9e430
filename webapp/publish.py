"""Putting the site's scripts, styles and icon where browsers load them: `python -m webapp.publish`.

They lie beside the renditions, and the CDN serves both, so that the web tier answers nothing but pages and uploads. It
comes before a new version of the pages is served. What earlier versions use stays, for pages that are still open.
"""

from pathlib import Path

from photofleet.logs import configure_logging
from photofleet.settings import get_settings
from photofleet.storage import put_static

FILES = Path(__file__).parent / "static"

# Not left to the machine's own table: a browser runs a script only if it is called one.
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def publish() -> None:
    """Store every static file that pages refer to."""
    for path in sorted(path for path in FILES.rglob("*") if path.is_file() and path.name != "manifest.json"):
        name = path.relative_to(FILES).as_posix()
        # What was built has its content's hash in its name.
        put_static(name, path.read_bytes(), TYPES[path.suffix], immutable=name.startswith("build/"))


if __name__ == "__main__":
    configure_logging(get_settings())
    publish()
