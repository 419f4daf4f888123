"""Fetching official files from their mirrors, each checked against its published md5."""

import hashlib
import http.client
from collections.abc import Sequence
from pathlib import Path
from urllib.request import HTTPHandler, HTTPSHandler, ProxyHandler, build_opener

from guanyu_mpi.data.recipe import OfficialFile
from guanyu_mpi.errors import DataError

TIMEOUT_S = 30
# The largest file here has 170 MB; a mirror that sends without end is cut off.
SIZE_BYTES_MAX = 1 << 28


def download(files: Sequence[OfficialFile], directory: Path, mirrors: Sequence[str]) -> None:
    """Fetch every file into a directory, each from the first mirror that has it as published.

    The directory is the caller's to remove, whatever happens.
    """
    for file in files:
        _download_file(file, directory / file.name, mirrors)


def _download_file(file: OfficialFile, path: Path, mirrors: Sequence[str]) -> None:
    refusals = []
    for mirror in mirrors:
        url = mirror.rstrip("/") + "/" + file.name
        try:
            md5 = _fetch(url, path)
        except (OSError, http.client.HTTPException, ValueError) as error:
            refusals.append(f"{url}: {error}")
        else:
            if md5 == file.md5:
                return
            refusals.append(f"{url}: md5 {md5} is not the official {file.md5}")
    raise DataError(f"{file.name} cannot be downloaded: {'; '.join(refusals)}")


def _fetch(url: str, path: Path) -> str:
    """Write what a URL gives, and return its md5; raises OSError or HTTPException."""
    # Only these handlers: a mirror cannot lead to a local file.
    opener = build_opener(ProxyHandler, HTTPHandler, HTTPSHandler)
    digest, size = hashlib.md5(usedforsecurity=False), 0
    with opener.open(url, timeout=TIMEOUT_S) as response, path.open("wb") as file:
        while block := response.read(1 << 20):
            size += len(block)
            if size > SIZE_BYTES_MAX:
                raise OSError(f"more than {SIZE_BYTES_MAX} bytes")
            digest.update(block)
            file.write(block)
        announced = response.headers.get("Content-Length")
    if announced is not None and size != int(announced):
        raise OSError(f"ended after {size} of {announced} bytes")
    return digest.hexdigest()
