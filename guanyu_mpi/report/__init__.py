"""One self-contained page on runs and experiments, with charts as SVG."""

from guanyu_mpi.report.page import Page, page

__all__ = ["Page", "page"]
