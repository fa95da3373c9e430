"""Shows the service at work: uploads photos through the HTTP API, as any client would, and prints what came of them.

Run by `make demo`, or `make demo PHOTOS=path` with a photo or a folder of your own. It starts the local service if that
does not run, and leaves it running.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import urllib3

from tests.samples import sample

SAMPLES = ("chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png")
PHOTOFLEET = (sys.executable, "-m", "photofleet.cli", "local")
PATIENCE_S = 600
HTTP = urllib3.PoolManager(timeout=60)


def main() -> None:
    """Upload, wait, and show."""
    if len(sys.argv) > 2:
        sys.exit("usage: make demo [PHOTOS=a photo or a folder of photos]")
    paths = chosen(Path(sys.argv[1]).expanduser()) if len(sys.argv) == 2 else [sample(name) for name in SAMPLES]
    address = running_service()
    photos = [photo for path in paths if (photo := upload(address, path))]
    finished = [wait_until_finished(address, photo, f"{n} of {len(photos)}") for n, photo in enumerate(photos, 1)]
    for photo in finished:
        show(address, photo)
    print(f"\nThe gallery: {address}/   (photofleet local down stops the service)")
    if not finished:
        sys.exit(1)


def chosen(path: Path) -> list[Path]:
    """The photo at the path, or all files in the folder."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    if not path.exists():
        sys.exit(f"There is no {path}.")
    return [path]


def running_service() -> str:
    """The address of the local service when it is ready; it is started if it does not run."""
    found = service_status()
    if not found["running"]:
        if subprocess.run((*PHOTOFLEET, "up", "--detach"), check=False).returncode:
            sys.exit(1)  # it has said why
    elif not found["ready"]:
        print("Waiting until the service is ready.", flush=True)
    deadline = time.monotonic() + PATIENCE_S
    while not (found := service_status())["ready"]:
        if not found["running"]:
            sys.exit("The service has stopped; what it said last is why.")
        if time.monotonic() > deadline:
            sys.exit("This takes too long; `photofleet local status` says what is the matter.")
        time.sleep(0.5)
    return str(found["address"])


def service_status() -> dict[str, Any]:
    """What `photofleet local status` says of the service."""
    done = subprocess.run((*PHOTOFLEET, "status", "--json"), capture_output=True, text=True, check=False)
    status: dict[str, Any] = json.loads(done.stdout)
    return status


def upload(address: str, path: Path) -> dict[str, Any] | None:
    """Upload one file; None if it is refused, which is printed."""
    response = HTTP.request("POST", f"{address}/api/v1/photos", fields={"photo": (path.name, path.read_bytes())})
    answer: dict[str, Any] = response.json()
    if response.status >= 400:
        print(f"{path.name}: refused. {answer['detail']}")
        return None
    print(f"{path.name}: {'is there already' if answer['duplicate'] else 'uploaded'}")
    return answer


def wait_until_finished(address: str, photo: dict[str, Any], progress: str) -> dict[str, Any]:
    """The photo when no work on it is owed any more."""
    deadline = time.monotonic() + PATIENCE_S
    while not photo["finished"]:
        states = ", ".join(f"{stage['name']} {stage['state']}" for stage in photo["stages"])
        print(f"\r\033[K{progress}: {photo['filename']}: {states}", end="", flush=True)
        if time.monotonic() > deadline:
            sys.exit("\nThis takes too long; `photofleet local status` says what is the matter.")
        time.sleep(0.5)
        photo = HTTP.request("GET", f"{address}/api/v1/photos/{photo['id']}").json()
    print("\r\033[K", end="", flush=True)
    return photo


def show(address: str, photo: dict[str, Any]) -> None:
    """Print a photo's renditions and labels, and a search that finds it."""
    print(f"\n\033[1m{photo['filename']}\033[0m  {photo['width']} × {photo['height']}  {address}{photo['url']}")
    for stage in photo["stages"]:
        if stage["error"]:
            print(f"  {stage['name']} failed: {stage['error']}")
    for rendition in photo["renditions"]:
        size = f"{rendition['width']} × {rendition['height']}"
        print(f"  {size:>11} {rendition['format']:<5}{rendition['size'] / 1000:>7.1f} kB  {rendition['url']}")
    for label in photo["labels"]:
        print(f"  {label['confidence']:>5.0%} {label['name']}")
    if not photo["labels"]:
        print("  no label: the network is not sure enough of anything in it")
    if query := search_that_finds(address, photo):
        print(f"  found by: {address}/search?q={quote(query)}")
    elif photo["labels"]:
        sys.exit(f"No search finds {photo['filename']} by its labels.")


def search_that_finds(address: str, photo: dict[str, Any]) -> str | None:
    """A word that finds the photo, the more general the better: "cat" rather than "Egyptian cat"."""
    for label in photo["labels"]:
        for query in (label["name"].split()[-1], label["name"]):
            found = HTTP.request("GET", f"{address}/api/v1/search", fields={"q": query}).json()
            if photo["id"] in [other["id"] for other in found["photos"]]:
                return str(query)
    return None


if __name__ == "__main__":
    main()
