"""Proves that a site works: uploads a photo, as any client would, and waits until it is resized, labelled and found.

Run by the pipeline, and by hand: `python -m tests.smoke https://photos.example.com`. Where photos of strangers are
not to appear, `--look` uploads nothing. It needs nothing but Python's standard library.
"""

import argparse
import json
import re
import struct
import sys
import time
import zlib
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen
from uuid import uuid4

from tests.samples import sample

PNG_HEADER_BYTES = 33
"""The signature and the first chunk, after which others may come (https://www.w3.org/TR/png-3/)."""

PARTS = (("css", "text/css"), ("js", "text/javascript"))
"""What pages are made of: how the names of such files end, and what a browser must be told that they are."""

REQUEST_SECONDS = 60
POLL_SECONDS = 2


class BrokenError(Exception):
    """The site does not do what it should; the message says what."""


def main() -> None:
    """Try the site that the command line names, print what it does, and exit with 1 if it is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.smoke", description="Prove that a site works.")
    parser.add_argument("address", type=site, help="where the site is, such as https://photos.example.com")
    parser.add_argument("photo", nargs="?", type=Path, help="a PNG of something that has a name (default: a cat)")
    parser.add_argument("--look", action="store_true", help="upload nothing, look at what is there")
    parser.add_argument("--patience", type=float, default=1200, help="seconds that it may take (default: %(default)s)")
    arguments = parser.parse_args()
    address, deadline = arguments.address, time.monotonic() + arguments.patience
    try:
        wait_until_ready(address, deadline)
        look(address)
        if not arguments.look:
            try_photo(address, arguments.photo or sample("chelsea.png"), deadline)
    except (BrokenError, OSError) as error:
        sys.exit(f"{address} is broken. {error}")
    print(f"{address} works.")


def site(address: str) -> str:
    """The address of a site, as the command line has it."""
    if not is_encrypted(address):
        raise argparse.ArgumentTypeError(f"{address!r} does not begin with https://")
    return address.rstrip("/")


def is_encrypted(address: str) -> bool:
    """Say whether nobody can read along; on this machine, nobody can anyway."""
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname == "127.0.0.1")


def wait_until_ready(address: str, deadline: float) -> None:
    """Wait for the database to answer the site: one that was launched just now may not be known by its name yet."""
    while True:
        try:
            fetch(f"{address}/readyz")
        except (BrokenError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
        else:
            return


def look(address: str) -> None:
    """Look at the pages, the search, what they are made of, and the pictures of the newest photo."""
    for page in ("/", "/search?q=cat"):
        html, _ = fetch(f"{address}{page}")
    for name, kind in PARTS:
        found = re.search(rf'="(https?://[^"]+\.{name})"', html.decode())
        if not found:
            raise BrokenError(f"The page at {address}{page} names no file of type .{name}.")
        if (served := fetch(found[1])[1]) != kind:
            raise BrokenError(f"{found[1]} is served as {served}, not as {kind}: the browser would not use it.")
    photos = fetch_json(f"{address}/api/v1/photos")["photos"]
    for rendition in photos[0]["renditions"] if photos else ():
        check_rendition(rendition)
    print(f"Its pages and the pictures of its newest photo are there ({len(photos)} photos on the first page).")


def try_photo(address: str, photo: Path, deadline: float) -> None:
    """Upload a photo that the site has never seen, and follow it until it is found by what it shows."""
    started = time.monotonic()
    uploaded = upload(address, photo.name, unique(photo.read_bytes()))
    if uploaded["duplicate"]:
        raise BrokenError("It says that it has the photo already, which nobody has.")
    print(f"Uploaded {photo.name} as {uploaded['id']} in {time.monotonic() - started:.1f} s.")
    finished = wait_until_finished(address, uploaded, deadline)
    print(f"Finished after {time.monotonic() - started:.1f} s.")
    if not finished["renditions"]:
        raise BrokenError("There is no smaller copy of the photo.")
    for rendition in finished["renditions"]:
        check_rendition(rendition)
    if not finished["labels"]:
        raise BrokenError("The photo has no label.")
    label = finished["labels"][0]["name"]
    found = fetch_json(f"{address}/api/v1/search?q={quote(label)}")["photos"]
    if finished["id"] not in [other["id"] for other in found]:
        raise BrokenError(f"The photo is labelled {label!r}, and no search for that finds it.")
    print(f"{len(finished['renditions'])} renditions are served; the search for {label!r} finds it.")


def unique(png: bytes) -> bytes:
    """The same picture in other bytes: what is uploaded twice is there already, and worked on no more."""
    if png[1:4] != b"PNG":
        raise BrokenError("The photo to upload must be a PNG.")
    chunk = b"tEXt" + b"Comment\0" + uuid4().hex.encode()
    chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return png[:PNG_HEADER_BYTES] + chunk + png[PNG_HEADER_BYTES:]


def upload(address: str, filename: str, content: bytes) -> dict[str, Any]:
    """Upload a photo, and return what the site says of it."""
    boundary = uuid4().hex
    disposition = f'form-data; name="photo"; filename="{filename}"'
    head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\nContent-Type: image/png\r\n\r\n"
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return fetch_json(f"{address}/api/v1/photos", body, f"multipart/form-data; boundary={boundary}")


def wait_until_finished(address: str, photo: dict[str, Any], deadline: float) -> dict[str, Any]:
    """The photo when no work on it is owed any more; both fleets may have to wake first."""
    while not photo["finished"]:
        if time.monotonic() > deadline:
            states = ", ".join(f"{stage['name']} is {stage['state']}" for stage in photo["stages"])
            raise BrokenError(f"The photo takes too long: {states}. Are there instances, and what do they log?")
        time.sleep(POLL_SECONDS)
        photo = fetch_json(f"{address}/api/v1/photos/{photo['id']}")
    for stage in photo["stages"]:
        if stage["state"] != "done":
            raise BrokenError(f"The stage {stage['name']} has {stage['state']}: {stage['error']}")
    return photo


def check_rendition(rendition: dict[str, Any]) -> None:
    """See that a rendition is served, and whole."""
    picture, kind = fetch(rendition["url"])
    if not kind.startswith("image/") or len(picture) != rendition["size"]:
        size = rendition["size"]
        raise BrokenError(f"{rendition['url']} is {len(picture)} bytes of {kind}, not {size} of an image.")


def fetch_json(address: str, body: bytes | None = None, kind: str = "") -> dict[str, Any]:
    """What a program gets at an address."""
    content, _ = fetch(address, body, kind)
    try:
        found: dict[str, Any] = json.loads(content)
    except ValueError as error:
        raise BrokenError(f"{address} answers with something else than JSON.") from error
    return found


def fetch(address: str, body: bytes | None = None, kind: str = "") -> tuple[bytes, str]:
    """What is at an address and of which type; with a body, what is answered to it."""
    if not is_encrypted(address):
        raise BrokenError(f"{address} is not reached over HTTPS.")
    headers = {"User-Agent": "photofleet-smoke"} | ({"Content-Type": kind} if kind else {})
    try:
        request = Request(address, body, headers)  # noqa: S310 - its scheme is checked
        with urlopen(request, timeout=REQUEST_SECONDS) as response:  # noqa: S310
            return response.read(), response.headers.get("Content-Type", "")
    except HTTPError as error:
        with error:
            words = error.read(500).decode(errors="replace")
        raise BrokenError(f"{address} answers {error.code} {error.reason}: {words}") from error


if __name__ == "__main__":
    main()
