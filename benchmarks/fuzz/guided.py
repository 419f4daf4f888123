"""One target under atheris, which keeps what reaches new code and changes that further.

    python benchmarks/fuzz/guided.py TARGET RUNS

libFuzzer ends the process itself: with status 0 after so many inputs, and not so at the first
failure, whose input it leaves in the folder where it was started.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
INSTRUMENTED = ("guanyu_mpi.transport.wire", "guanyu_mpi.config", "tomllib", "guanyu_mpi.models")
LIMITS = ("-max_len=4096", "-timeout=20", "-rss_limit_mb=2048", "-verbosity=1")


def guided_apart(name: str, runs: int) -> bool:
    """Hunt in a process of its own and print how it went; whether anything failed."""
    argv = [sys.executable, str(Path(__file__)), name, str(runs)]
    with tempfile.TemporaryDirectory() as directory:
        ended = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=directory)
    done = re.findall(r"#(\d+)\s+DONE\s+cov: (\d+) ft: (\d+) corp: (\d+)", ended.stderr)
    if ended.returncode or not done:
        print(f"{name} under atheris: status {ended.returncode}\n{ended.stderr[-3000:]}")
        return True
    inputs, edges, _, kept = done[-1]
    print(f"{name} under atheris: {inputs} inputs, {edges} edges reached, {kept} inputs kept")
    return False


def main() -> None:
    """Hunt one target until libFuzzer ends the process."""
    import atheris  # noqa: PLC0415 - an extra, and it must come first

    name, runs = sys.argv[1:]
    sys.path.insert(0, str(HERE.parents[1] / "tests" / "fuzz"))
    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        from fuzz_targets import make  # noqa: PLC0415 - is instrumented as it is imported
    root = Path(tempfile.mkdtemp(dir=Path.cwd()))
    target = make(name, root)
    corpus = root / "corpus"
    corpus.mkdir()
    for number, honest in enumerate(target.corpus):
        (corpus / f"{number}").write_bytes(honest)
    atheris.Setup([sys.argv[0], f"-runs={runs}", *LIMITS, str(corpus)], target.feed)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
