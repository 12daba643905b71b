"""A local HTTP server with the faults of real ones, for the tests of fetching."""

from __future__ import annotations

import contextlib
import hashlib
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler


@dataclass
class Site:
    """What the server has and how it misbehaves; `seen` are the Range headers of the requests, in order."""

    body: bytes
    etag: str | None = '"one"'
    ranges: bool = True
    cuts: list[int] = field(default_factory=list)  # per request: bytes of the answer's body, then the line breaks
    codes: list[int] = field(default_factory=list)  # per request: an error instead
    redirect: str | None = None
    lying_range: bool = False
    no_length: bool = False
    silent: bool = False  # sends nothing after the headers
    over: threading.Event = field(default_factory=threading.Event)
    seen: list[str | None] = field(default_factory=list)
    url: str = ""


def handler_of(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            site.seen.append(wanted)
            if site.codes:
                self.send_error(site.codes.pop(0))
            elif site.redirect and self.path != "/moved":
                self.send_response(302)
                self.send_header("Location", site.redirect)
                self.end_headers()
            else:
                self.send_file(wanted)

        def send_file(self, wanted: str | None) -> None:
            start = 0
            if wanted and site.ranges and self.headers.get("If-Range") == site.etag:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(site.body):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                first = 0 if site.lying_range else start
                self.send_header("Content-Range", f"bytes {first}-{len(site.body) - 1}/{len(site.body)}")
            if site.etag:
                self.send_header("ETag", site.etag)
            body = site.body[start:]
            if not site.no_length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if site.silent:
                site.over.wait(10)
            if site.cuts:
                body = body[: site.cuts.pop(0)]
            with contextlib.suppress(OSError):
                self.wfile.write(body)
            self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    return Handler


@contextlib.contextmanager
def serving(site: Site) -> Iterator[Site]:
    """Run the site; its `url` is the address of the file."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler_of(site)) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        site.url = f"http://127.0.0.1:{server.server_address[1]}/weights.caffemodel"
        try:
            yield site
        finally:
            site.over.set()
            server.shutdown()
            thread.join()


def sha1_of(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()
