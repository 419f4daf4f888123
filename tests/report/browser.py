"""A page in a real browser: what its console says, and how wide the page is."""

import json
import os
import re
import shutil
import subprocess
from html import escape
from pathlib import Path

import pytest

CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    None,
)
REQUIRED = "GUANYU_REQUIRE_BROWSER" in os.environ
needs_browser = pytest.mark.skipif(
    CHROMIUM is None and not REQUIRED, reason="no chromium on PATH: apt-get install chromium"
)
CONSOLE = re.compile(r"\b(?:INFO|WARNING|ERROR):CONSOLE\b")
# Of a telephone and of a screen.
WIDTHS = (400, 1280)
WAIT_S = 240.0


def opened(page: Path, scratch: Path) -> tuple[str, list[str]]:
    """The page as the browser has it after loading, and the lines of its console."""
    flags = ["--headless", "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr"]
    # Chromium's own sandbox does not start as root.
    flags += ["--no-sandbox"] if os.geteuid() == 0 else []
    shown = subprocess.run(
        [
            str(CHROMIUM),
            *flags,
            f"--user-data-dir={scratch / 'profile'}",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=WAIT_S,
        env={**os.environ, "HOME": str(scratch)},
    )
    return shown.stdout, [line for line in shown.stderr.splitlines() if CONSOLE.search(line)]


def overflow_px(page: Path, width: int, scratch: Path) -> int:
    """By how much the page is wider than a screen of that width."""
    inner = escape(page.read_text(encoding="utf-8"), quote=True)
    outer = scratch / "outer.html"
    outer.write_text(
        f'<iframe id="page" width="{width}" height="800" style="border:0" srcdoc="{inner}">'
        "</iframe>"
        "<p id='told'></p><script>onload = () => {"
        "const root = document.getElementById('page').contentDocument.documentElement;"
        "document.getElementById('told').textContent ="
        " JSON.stringify([root.scrollWidth, root.clientWidth])}</script>",
        encoding="utf-8",
    )
    dom, _ = opened(outer, scratch)
    told = re.search(r'<p id="told">(\[.*?\])</p>', dom)
    assert told, dom[-500:]
    scrolled, shown = json.loads(told[1])
    # A scroll bar takes its part.
    assert width - 20 <= shown <= width
    return int(scrolled) - int(shown)
