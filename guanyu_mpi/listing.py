"""What is in a directory that other machines write into."""

from pathlib import Path


def names_in(directory: Path) -> frozenset[str]:
    """Names in a directory; none where it cannot be read.

    Asked for by its name, a file that was not there before can stay so for a minute on NFS, which
    remembers that; opening the directory makes it look anew (nfs(5), close-to-open).
    """
    try:
        return frozenset(path.name for path in directory.iterdir())
    except OSError:
        return frozenset()
