"""A heat map as SVG: a row per rank, a column per stretch of steps, darker for more."""

from collections.abc import Iterator
from dataclasses import dataclass

from guanyu_mpi.report.axes import from_zero
from guanyu_mpi.report.markup import Markup, element, text
from guanyu_mpi.report.numerals import percent, whole

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 400.0, 96.0, 46.0, 20.0, 38.0
ROW = 15.0
# Taller maps show the rows that matter most.
ROWS_MAX = 48


@dataclass(frozen=True, slots=True)
class Row:
    """A rank: its shares in [0, 1] stretch by stretch, None where nothing is known.

    `overall` is said at its end; one that is `marked` stands out.
    """

    name: str
    shares: tuple[float | None, ...]
    overall: float | None
    marked: bool = False


@dataclass(frozen=True, slots=True)
class HeatMap:
    """What a map shows, from step 0 to `last_step`; `share_of` says of what the shares are."""

    title: str
    share_of: str
    rows: tuple[Row, ...]
    last_step: int


def heat_figure(heat: HeatMap) -> Markup:
    """The map with its title and its scale."""
    rows = heat.rows[:ROWS_MAX]
    more = len(heat.rows) - len(rows)
    caption = element("figcaption", element("b", text(heat.title)), text(f" · {heat.share_of}"))
    height = TOP + len(rows) * ROW + BOTTOM
    drawn = element(
        "svg",
        element("text", text("rank"), x=4.0, y=12.0, class_="axis-name"),
        element("text", text("all"), x=WIDTH - 4, y=12.0, class_="axis-name end"),
        *(mark for at, row in enumerate(rows) for mark in _row(heat, row, TOP + at * ROW)),
        *_steps(heat, TOP + len(rows) * ROW),
        viewBox=f"0 0 {WIDTH:g} {height:g}",
        role="img",
        aria_label=f"{heat.title}: {heat.share_of}, by rank and step",
    )
    left_out = element("p", text(f"{more} more ranks are not drawn."), class_="small")
    return element("figure", caption, drawn, _scale(), left_out if more else None)


def _row(heat: HeatMap, row: Row, top: float) -> Iterator[Markup]:
    style = "tick y strong" if row.marked else "tick y"
    name = f"▶ {row.name}" if row.marked else row.name
    yield element("text", text(name), x=LEFT - 6, y=top + 11, class_=style)
    width = (WIDTH - LEFT - RIGHT) / max(1, len(row.shares))
    for at, share in enumerate(row.shares):
        title = element("title", text(_told(heat, row, at, share)))
        yield _box(share, LEFT + at * width, top, (width - 0.5, ROW - 1.5), title)
    yield element("text", text(percent(row.overall)), x=WIDTH - 4, y=top + 11, class_=style)


def _told(heat: HeatMap, row: Row, at: int, share: float | None) -> str:
    first = heat.last_step * at // len(row.shares)
    last = heat.last_step * (at + 1) // len(row.shares)
    told = "unknown" if share is None else percent(share)
    return f"{row.name}, updates {whole(first)}–{whole(last)}: {told}"


def _steps(heat: HeatMap, bottom: float) -> Iterator[Markup]:
    width = WIDTH - LEFT - RIGHT
    ticks = from_zero(float(heat.last_step)).ticks()
    for place, wording in ticks[::2] if len(ticks) > 4 else ticks:
        x = LEFT + place * width
        yield element("line", x1=x, x2=x, y1=bottom, y2=bottom + 4, class_="axis")
        yield element("text", text(wording), x=x, y=bottom + 16, class_="tick x")
    yield element("line", x1=LEFT, x2=LEFT + width, y1=bottom, y2=bottom, class_="axis")
    yield element("text", text("updates"), x=LEFT + width, y=bottom + 33, class_="axis-name end")


def _scale() -> Markup:
    """What shades mean."""
    shares = (0.0, 0.5, 1.0, None)
    named = [(share, "unknown" if share is None else percent(share)) for share in shares]
    boxes = (
        element(
            "span",
            element("svg", _box(share, 0, 0, (14, 10)), viewBox="0 0 14 10", aria_hidden="true"),
            text(name),
        )
        for share, name in named
    )
    return element("p", *boxes, class_="small scale")


def _box(
    share: float | None,
    x: float,
    y: float,
    size: tuple[float, float],
    title: Markup | None = None,
) -> Markup:
    """A box as dark as its share; one of which nothing is known is crossed out."""
    width, height = size
    if share is None:
        cross = f"M{x:.1f} {y:.1f}l{width:.1f} {height:.1f}"
        return element("path", title, d=cross, class_="unknown")
    return element(
        "rect",
        title,
        x=float(x),
        y=float(y),
        width=float(width),
        height=float(height),
        class_="heat",
        fill_opacity=f"{share:.2f}",
    )
