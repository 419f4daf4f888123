"""HTML and SVG as text in which nothing that a run has written can become markup."""

from html import escape
from typing import NewType

# Text that is markup already; everything else is escaped on its way into it.
Markup = NewType("Markup", str)


def element(name: str, *children: Markup | None, **attributes: str | float) -> Markup:
    """An element; `class_` and `stroke_width` become class and stroke-width."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for key, value in attributes.items()
    )
    inner = "".join(child for child in children if child)
    return Markup(f"<{name}{written}>{inner}</{name}>")


def text(content: str) -> Markup:
    """What somebody has written, as it is; without characters that no page may have."""
    return Markup(
        escape("".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in content))
    )


def joined(*parts: Markup | None) -> Markup:
    """One after the other."""
    return Markup("".join(part for part in parts if part))


def paragraph(content: str, **attributes: str) -> Markup:
    """A paragraph of text."""
    return element("p", text(content), **attributes)


def _value(value: str | float) -> str:
    # A tenth of a pixel is enough.
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
