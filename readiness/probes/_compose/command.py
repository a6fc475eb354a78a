"""A healthcheck's command as it is written: words, or a line for a shell."""

from typing import NamedTuple

from readiness.document.tree import Node
from readiness.probes._compose.graph import switched_off
from readiness.probes._compose.stack import Container
from readiness.probes._containers.template import filled

FORMS = ("CMD", "CMD-SHELL")
SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh"})
_LONGEST = 4096


class Test(NamedTuple):
    """A healthcheck's command: the words of CMD, or the one text of a shell."""

    at: Node
    words: tuple[str, ...]
    shell: bool

    @property
    def text(self) -> str:
        """All of it in one line."""
        return " ".join(self.words)


def test(container: Container) -> Test | None:
    """Return the command, None where none is written or it is switched off."""
    written = container.at("healthcheck", "test")
    if written is None or switched_off(container):
        return None
    if isinstance(written.value, dict):
        return Test(written, (), shell=False)
    if not isinstance(written.value, list):
        return Test(written, (_line(written),), shell=True)
    words = tuple(map(_line, written.items))
    if not words:
        return None
    return Test(written, words if words[0] not in FORMS else words[1:], words[0] == "CMD-SHELL")


def _line(node: Node) -> str:
    """Return the text in one line, without the runs of spaces that patterns would try again."""
    text = filled(node.text)[:_LONGEST].replace("\\\n", " ").strip()
    return " ".join("; ".join(text.splitlines()).split())


def program(word: str) -> str:
    """Return the name of the program at a path."""
    return word.rpartition("/")[2]


def script(asked: Test) -> str:
    """Return what a shell is given to run, empty where none is."""
    if asked.shell:
        return asked.words[0].strip() if asked.words else ""
    if asked.words and program(asked.words[0]) in SHELLS:
        return asked.words[-1].strip()
    return ""
