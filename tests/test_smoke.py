"""The smoke test, on sites that do not work."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Site = Callable[[Mapping[str, Any]], str]

STAGES = [{"name": "resize", "state": "done", "error": None}, {"name": "label", "state": "done", "error": None}]
PHOTO = {"id": "1", "duplicate": False, "finished": True, "stages": STAGES, "renditions": [], "labels": []}
LABELS = [{"name": "cat"}]
TYPES = {"css": "text/css", "js": "text/javascript"}


@pytest.fixture
def site() -> Iterator[Site]:
    """A function that serves answers, by their paths, at the address that it returns; it is ready and has no photos."""
    answers: dict[str, Any] = {"/readyz": "ok", "/style.css": "", "/main.js": "", "/api/v1/photos": {"photos": []}}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(answers.get(self.path.split("?")[0]))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(answers.get("uploaded"))

        def answer(self, found: Any) -> None:
            if found is None:
                self.send_error(503, "Broken")
                return
            body = (found if isinstance(found, str) else json.dumps(found)).encode()
            self.send_response(200)
            self.send_header("Content-Type", TYPES.get(self.path.rpartition(".")[2], "text/html"))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    def serve(more: Mapping[str, Any]) -> str:
        address = f"http://127.0.0.1:{server.server_port}"
        answers["/"] = f'<link href="{address}/style.css"><script src="{address}/main.js"></script>'
        answers["/search"] = answers["/"]
        answers.update(more)
        return address

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield serve
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"/readyz": None}, "/readyz answers 503"),
        ({"/search": "nothing"}, "names no file of type .css"),
        ({"/style.css": None}, "/style.css answers 503"),
        ({"/": None}, "answers 503"),
        ({"/api/v1/photos": "<html>"}, "/api/v1/photos answers with something else than JSON."),
        ({"uploaded": None}, "/api/v1/photos answers 503"),
        ({"uploaded": PHOTO | {"duplicate": True}}, "It says that it has the photo already, which nobody has."),
        ({"uploaded": PHOTO | {"finished": False}}, "The photo takes too long: resize is done, label is done."),
        (
            {"uploaded": PHOTO | {"stages": [{"name": "label", "state": "failed", "error": "It broke."}]}},
            "The stage label has failed: It broke.",
        ),
        ({"uploaded": PHOTO | {"labels": LABELS}}, "There is no smaller copy of the photo."),
        (
            {"uploaded": PHOTO | {"renditions": [{"url": "http://example.com/1.webp", "size": 4}]}},
            "http://example.com/1.webp is not reached over HTTPS.",
        ),
    ],
)
def test_a_broken_site_is_told_by_what_is_broken(site: Site, answers: Mapping[str, Any], reason: str) -> None:
    command = (sys.executable, "-m", "tests.smoke", site(answers), "--patience", "0")
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    assert tried.returncode == 1
    assert reason in tried.stderr


@pytest.mark.parametrize("address", ["http://photos.example.com", "photos.example.com", "ftp://127.0.0.1"])
def test_a_site_without_encryption_is_not_tried(address: str) -> None:
    tried = subprocess.run((sys.executable, "-m", "tests.smoke", address), capture_output=True, text=True, check=False)
    assert tried.returncode == 2
    assert "does not begin with https://" in tried.stderr
