"""The smoke study and its report, for real."""

import subprocess
import sys
from pathlib import Path

import pytest
from browser import CHROMIUM, REQUIRED, WIDTHS, opened, overflow_px

from guanyu_mpi.experiment import Folder, Status
from guanyu_mpi.report import page

SMOKE = Path(__file__).parents[2] / "configs" / "experiments" / "smoke.toml"


@pytest.mark.slow
def test_the_smoke_study_shows_what_averaging_costs(tmp_path: Path) -> None:
    root = tmp_path / "smoke"
    subprocess.run(
        [sys.executable, "-m", "guanyu_mpi", "experiment", str(SMOKE), "--run-dir", str(root)],
        check=True,
    )
    folder = Folder(root)
    outline = folder.outline()
    assert outline is not None
    found = {cell: folder.record(cell, digest) for cell, digest in outline.cells.items()}
    assert len(found) == 6
    ruined = found.pop("rule-average_attack-worker")
    assert ruined is not None
    assert ruined.status is Status.DIVERGED
    for record in found.values():
        assert record is not None
        assert record.status is Status.FINISHED
        assert record.accuracy is not None
        assert record.accuracy > 0.8
    out = tmp_path / "report.html"
    made = page([root, folder.run_dir("rule-multi-krum_attack-worker")])
    assert made.left_out == ()
    out.write_text(made.html, encoding="utf-8")
    assert "▼ diverged" in made.html
    if CHROMIUM is None and not REQUIRED:
        pytest.skip("the page was not opened: no chromium on PATH: apt-get install chromium")
    assert opened(out, tmp_path)[1] == []
    assert [overflow_px(out, width, tmp_path) for width in WIDTHS] == [0, 0]
