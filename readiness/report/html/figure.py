"""What a chart is to the page: its drawings, what is to be known of them, and their numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class Panel:
    """One drawing; where a chart has one for each service, `title` and `fact` stand above it."""

    drawing: Markup
    title: str = ""
    fact: str = ""


@dataclass(frozen=True)
class Figure:
    """A chart. Its numbers stand in `rows`, unless a table of the report has them already."""

    id: str
    caption: str
    panels: tuple[Panel, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    """(class, what it means) of each mark that needs telling."""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()

    @property
    def small(self) -> bool:
        """Whether it is many small drawings side by side."""
        return any(panel.title for panel in self.panels)


Series = Sequence[Mapping[str, float | str | bool | None]]
