"""A service of the inventory and a container of a file -> whether they are one and the same."""

import re
from collections.abc import Iterable


def plain(name: str) -> str:
    """Return `name` as it is compared: in lower case, with - for _ and ."""
    return re.sub(r"[_.]", "-", name.lower())


def same(service: str, names: Iterable[str], project: str = "") -> bool:
    """Whether one of `names` is that of `service`, maybe with the project's name before it."""
    wanted = plain(service)
    prefix = f"{plain(project)}-" if project else ""
    known = {plain(name) for name in names}
    known |= {re.sub(r"-1$", "", name) for name in known}
    known |= {name.removeprefix(prefix) for name in known}
    return wanted in known or bool(prefix and wanted.removeprefix(prefix) in known)
