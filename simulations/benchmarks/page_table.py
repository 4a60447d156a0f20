"""Tables of a page: cells know their class and whether their text is already markup."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Cell:
    """kind: classes of the style sheet, such as `number`. link: where its text leads."""

    text: str = ""
    kind: str = ""
    link: str = ""

    def markup(self, tag: str) -> str:
        kind = f' class="{self.kind}"' if self.kind else ""
        text = escape(self.text)
        return f"<{tag}{kind}>" + (f'<a href="{escape(self.link)}">{text}</a>' if self.link else text)


def table(heads: Iterable[Cell], rows: Iterable[Iterable[Cell]]) -> str:
    """Return a table's markup; no heads, no line of heads."""
    head = "".join(cell.markup("th") for cell in heads)
    body = "\n".join("<tr>" + "".join(cell.markup("td") for cell in row) for row in rows)
    return f"<table>\n{f'<tr>{head}' if head else ''}\n{body}\n</table>"
