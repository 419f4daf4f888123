"""Downloading from mirrors, against a server on this machine."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from guanyu_mpi.data import load
from guanyu_mpi.data.prepare import prepare_recipe
from guanyu_mpi.errors import DataError


@dataclass
class Mirror:
    """What a local server answers with, by path, and what it was asked."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    # Bytes that are announced and never sent.
    withheld: int = 0
    redirect: str | None = None
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def mirror(monkeypatch) -> Iterator[Mirror]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.path)
            if server.redirect:
                self.send_response(302)
                self.send_header("Location", server.redirect)
                self.end_headers()
                return
            body = server.files.get(self.path)
            if body is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body) + server.withheld))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_) -> None:
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Mirror(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    http.shutdown()
    thread.join()
    http.server_close()


def serve(mirror, official, folder):
    for file in official.directory.iterdir():
        mirror.files[f"/{folder}/{file.name}"] = file.read_bytes()
    return f"{mirror.url}/{folder}"


def refused(official, path, mirrors, words):
    with pytest.raises(DataError) as caught:
        prepare_recipe(official.recipe, path, None, mirrors)
    for word in words:
        assert word in str(caught.value)
    assert not list(path.parent.iterdir())


def test_files_are_fetched_checked_and_prepared(mirror, tiny_mnist, tmp_path):
    path = tmp_path / "data" / "mnist.h5"
    url = serve(mirror, tiny_mnist, "good")
    prepared = prepare_recipe(tiny_mnist.recipe, path, None, [url])
    assert prepared.warnings == ()
    assert len(load("mnist", path)[0]) == 2300
    assert [file.name for file in path.parent.iterdir()] == ["mnist.h5"]
    assert mirror.asked == [f"/good/{file.name}" for file in tiny_mnist.recipe.files]


def test_archives_are_fetched_checked_and_prepared(mirror, tiny_cifar, tmp_path):
    path = tmp_path / "data" / "cifar10.h5"
    url = serve(mirror, tiny_cifar, "good")
    assert prepare_recipe(tiny_cifar.recipe, path, None, [url + "/"]).warnings == ()


def test_a_download_with_another_digest_is_refused_and_removed(mirror, tiny_cifar, tmp_path):
    url = serve(mirror, tiny_cifar, "bad")
    name = tiny_cifar.archive.name
    mirror.files[f"/bad/{name}"] += b"x"
    official = tiny_cifar.recipe.files[0].md5
    path = tmp_path / "data" / "cifar10.h5"
    refused(tiny_cifar, path, [url], [f"{url}/{name}", f"not the official {official}"])


def test_a_truncated_body_is_refused_and_removed(mirror, tiny_cifar, tmp_path):
    url = serve(mirror, tiny_cifar, "short")
    mirror.withheld = 1000
    size = tiny_cifar.archive.stat().st_size
    path = tmp_path / "data" / "cifar10.h5"
    refused(tiny_cifar, path, [url], [f"ended after {size} of {size + 1000} bytes"])


def test_the_next_mirror_is_tried_where_one_fails(mirror, tiny_mnist, tmp_path):
    bad, good = f"{mirror.url}/nothing", serve(mirror, tiny_mnist, "good")
    path = tmp_path / "data" / "mnist.h5"
    assert prepare_recipe(tiny_mnist.recipe, path, None, [bad, good]).warnings == ()
    assert len(mirror.asked) == 8


def test_every_mirror_and_its_reason_are_told(mirror, tiny_mnist, tmp_path):
    bad = serve(mirror, tiny_mnist, "bad")
    name = tiny_mnist.recipe.files[0].name
    mirror.files[f"/bad/{name}"] = b"other"
    path = tmp_path / "data" / "mnist.h5"
    # Port 9 (discard) is closed on any machine that runs tests.
    closed = "http://127.0.0.1:9"
    mirrors = [f"{mirror.url}/nothing", bad, closed]
    refused(tiny_mnist, path, mirrors, [name, "404", "md5", f"{closed}/{name}"])


def test_more_than_the_largest_file_is_cut_off(mirror, tiny_cifar, tmp_path, monkeypatch):
    monkeypatch.setattr("guanyu_mpi.data.download.SIZE_BYTES_MAX", 100)
    url = serve(mirror, tiny_cifar, "good")
    refused(tiny_cifar, tmp_path / "data" / "a.h5", [url], ["more than 100 bytes"])


@pytest.mark.parametrize("url", ["file:///etc", "ftp://127.0.0.1", "nonsense"])
def test_only_http_is_spoken(url, tiny_cifar, tmp_path):
    refused(tiny_cifar, tmp_path / "data" / "a.h5", [url], [url])


def test_a_mirror_cannot_lead_to_a_local_file(mirror, tiny_cifar, tmp_path):
    mirror.redirect = tiny_cifar.archive.as_uri()
    refused(tiny_cifar, tmp_path / "data" / "a.h5", [mirror.url], ["not allowed"])


def test_nothing_is_fetched_for_a_file_that_exists(mirror, tiny_cifar, tmp_path):
    path = tmp_path / "a.h5"
    path.write_text("mine")
    with pytest.raises(DataError, match="exists"):
        prepare_recipe(tiny_cifar.recipe, path, None, [mirror.url])
    assert mirror.asked == []
