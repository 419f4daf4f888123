"""Pieces of a page: sections, figures that are told by number, tables."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from guanyu_mpi.report.markup import Markup, element, text

# A figure and what it is; the third is a remark in small print.
Fact: TypeAlias = tuple[str, str, str]


def section(title: str, lead: str, *content: Markup | None) -> Markup:
    """A part of the page with a heading."""
    below = element("p", text(lead), class_="lead") if lead else None
    return element("section", element("h2", text(title)), below, *content)


def facts(found: Iterable[Fact]) -> Markup:
    """Figures side by side."""
    return element(
        "dl",
        *(
            element(
                "div",
                element("dt", text(name)),
                element("dd", text(value)),
                element("dd", text(remark), class_="small") if remark else None,
            )
            for name, value, remark in found
        ),
        class_="facts",
    )


def grid(figures: Sequence[Markup]) -> Markup | None:
    """Charts side by side, as many as the page is wide."""
    return element("div", *figures, class_="grid") if figures else None


def listed(items: Iterable[str]) -> Markup:
    """Sentences, one below the other."""
    return element("ul", *(element("li", text(item)) for item in items))


def table(header: Sequence[str], rows: Iterable[Sequence[str]], numeric_from: int) -> Markup:
    """A table whose columns from that one on are numbers."""

    def cells(kind: str, row: Sequence[str]) -> list[Markup]:
        return [
            element(kind, text(value), **({"class_": "n"} if at >= numeric_from else {}))
            for at, value in enumerate(row)
        ]

    head = element("thead", element("tr", *cells("th", header)))
    body = element("tbody", *(element("tr", *cells("td", row)) for row in rows))
    # Wide ones scroll by themselves, also by keyboard, and the page does not.
    return element("div", element("table", head, body), class_="wide", tabindex="0")


def folded(summary: str, *content: Markup | None) -> Markup:
    """Content behind a line that opens it."""
    return element("details", element("summary", text(summary)), *content)
