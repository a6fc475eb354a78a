"""A folder of migrations and what a database says was applied -> what differs."""

import ast
import hashlib
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from readiness.probes._migration_tables import Kept, Tool, flyway_version

_MOST_FILES = 20_000
_MOST_BYTES = 1 << 20
_SKIPPED = frozenset({".git", "node_modules", "__pycache__", ".venv", "venv"})
_FLYWAY_FILE = re.compile(r"(?:V(?P<version>[0-9._]+)__|R__)(?P<description>.*)\.(?P<kind>\w+)")
_GOLANG_FILE = re.compile(r"(\d+)_.*\.up\.\w+")
_RAILS_FILE = re.compile(r"(\d+)_.*\.(?:rb|sql)")
_KNEX_ENDINGS = (".js", ".ts", ".mjs", ".cjs", ".mts", ".cts", ".coffee", ".sql")


@dataclass(frozen=True)
class Drift:
    """Names of files that were not applied, and of what was applied without or as another file."""

    pending: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def recognised(folder: Path) -> dict[Tool, list[Path]]:
    """Return the migrations of each tool that finds any of its own in the folder."""
    files = list(_files(folder))
    found = {tool: [f for f in files if match(f)] for tool, match in _MATCHES.items()}
    return {tool: mine for tool, mine in found.items() if mine}


def drift(kept: Kept, files: Iterable[Path]) -> Drift:
    """Compare what a table says with the files of its tool, those of `recognised`."""
    return _COMPARED[kept.tool](kept, sorted(files))


def _files(folder: Path) -> Iterator[Path]:
    n = 0
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - _SKIPPED)
        for name in sorted(names):
            if (n := n + 1) > _MOST_FILES:
                return
            yield Path(at, name)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST_BYTES)


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(_read(path))
    except (SyntaxError, ValueError, RecursionError):
        return ast.Module(body=[], type_ignores=[])


def _assigned(body: Iterable[ast.stmt]) -> dict[str, object]:
    """Return the literals assigned to plain names."""
    found: dict[str, object] = {}
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        for target in targets:
            value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
            if isinstance(target, ast.Name) and value is not None:
                try:
                    found[target.id] = ast.literal_eval(value)
                except (ValueError, TypeError, RecursionError):
                    continue
    return found


def _is_alembic(path: Path) -> bool:
    return path.suffix == ".py" and b"down_revision" in _read(path)


def _alembic(kept: Kept, files: list[Path]) -> Drift:
    """The table names the newest revisions only; what they build on is applied too."""
    parents: dict[str, tuple[str, ...]] = {}
    for file in files:
        names = _assigned(_parsed(file).body)
        if isinstance(revision := names.get("revision"), str):
            built_on = (names.get("down_revision"), names.get("depends_on"))
            parents[revision] = tuple(name for one in built_on for name in _texts(one))
    reached: set[str] = set()
    waiting = [name for name in kept.applied if name in parents]
    while waiting:
        if (name := waiting.pop()) not in reached:
            reached.add(name)
            waiting += parents.get(name, ())
    return Drift(_without(parents, reached), _without(kept.applied, parents))


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(v) for v in value) if isinstance(value, tuple | list | set) else ()


def _is_django(path: Path) -> bool:
    named = path.suffix == ".py" and path.parent.name == "migrations"
    return named and not path.name.startswith("_") and b"migrations.Migration" in _read(path)


def _django(kept: Kept, files: list[Path]) -> Drift:
    """Compare the applications that have files here; a squashed one stands for those it replaces.

    The application's label is taken to be its folder's name, which is Django's default.
    """
    replaced: dict[str, set[str]] = {}
    for file in files:
        classes = [n for n in _parsed(file).body if isinstance(n, ast.ClassDef)]
        names = _assigned(node for one in classes for node in one.body)
        pairs = names.get("replaces")
        replaced[f"{file.parent.parent.name}.{file.stem}"] = {
            ".".join(map(str, pair)) for pair in (pairs if isinstance(pairs, list) else [])
        }
    apps = {name.partition(".")[0] for name in replaced}
    ours = {name for name in kept.applied if name.partition(".")[0] in apps}
    squashed = {name for name, old in replaced.items() if old and old <= ours}
    behind = set().union(*(old for name, old in replaced.items() if name in ours))
    known = replaced.keys() | set().union(*replaced.values())
    return Drift(_without(replaced, ours | squashed | behind), _without(sorted(ours), known))


def _flyway(kept: Kept, files: list[Path]) -> Drift:
    pending, unknown, seen = [], [], set()
    for file in files:
        match = _FLYWAY_FILE.fullmatch(file.name)
        assert match is not None, "recognised by this pattern"
        versioned = match["version"] is not None
        key = flyway_version(match["version"]) if versioned else _repeatable(match["description"])
        seen.add(key)
        sum_then = kept.applied.get(key)
        changed = sum_then not in (None, _crc32(file)) and match["kind"] == "sql"
        if key in kept.begun:
            continue  # told as unfinished
        if key not in kept.applied:
            if not (versioned and kept.upto and _order(key) <= _order(kept.upto)):
                pending.append(file.name)
        elif changed and versioned:
            unknown.append(f"{file.name} (changed since)")
        elif changed:
            pending.append(f"{file.name} (changed since)")
    return Drift(tuple(pending), (*_without(kept.applied, seen), *unknown))


def _repeatable(description: str) -> str:
    return f"R {description.replace('_', ' ')}"


def _crc32(file: Path) -> str:
    """Return the checksum that Flyway keeps: signed, over the lines without their ends."""
    text = _read(file).decode("utf-8", errors="replace").removeprefix("\ufeff")
    sum_ = zlib.crc32("".join(re.split(r"\r\n|\r|\n", text)).encode())
    return str(sum_ - (1 << 32) if sum_ >= 1 << 31 else sum_)


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d{1,40}", version))


def _prisma(kept: Kept, files: list[Path]) -> Drift:
    sums = {file.parent.name: hashlib.sha256(_read(file)).hexdigest() for file in files}
    changed = (
        f"{n} (changed since)" for n, sum_ in kept.applied.items() if sums.get(n, sum_) != sum_
    )
    done = kept.applied.keys() | kept.begun
    return Drift(_without(sums, done), (*_without(kept.applied, sums), *changed))


def _golang(kept: Kept, files: list[Path]) -> Drift:
    """The table names the newest version only; all before it is taken for applied."""
    versions = {
        int(match[1]): file.name for file in files if (match := _GOLANG_FILE.match(file.name))
    }
    now = int(kept.upto) if kept.upto else -1
    pending = tuple(name for version, name in sorted(versions.items()) if version > now)
    return Drift(pending, (str(now),) if kept.upto and now >= 0 and now not in versions else ())


def _rails(kept: Kept, files: list[Path]) -> Drift:
    versions = {m[1]: file.name for file in files if (m := _RAILS_FILE.match(file.name))}
    pending = tuple(name for version, name in versions.items() if version not in kept.applied)
    return Drift(pending, _without(kept.applied, versions))


def _knex(kept: Kept, files: list[Path]) -> Drift:
    stems = {file.stem: file.name for file in files}
    applied = {Path(name).stem for name in kept.applied}
    pending = tuple(name for stem, name in stems.items() if stem not in applied)
    return Drift(pending, _without(sorted(applied), stems))


def _without(names: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    known = set(known)
    return tuple(name for name in names if name not in known)


_MATCHES: Mapping[Tool, Callable[[Path], bool]] = {
    "prisma": lambda path: path.name == "migration.sql",
    "flyway": lambda path: bool(_FLYWAY_FILE.fullmatch(path.name)),
    "golang-migrate": lambda path: bool(_GOLANG_FILE.fullmatch(path.name)),
    "alembic": _is_alembic,
    "django": _is_django,
    "rails": lambda path: bool(_RAILS_FILE.fullmatch(path.name)) and ".up." not in path.name,
    "knex": lambda path: (
        path.name.endswith(_KNEX_ENDINGS)
        and not path.name.endswith(".d.ts")
        and bool(re.match(r"\d+_", path.name))
        and not re.search(r"\.(up|down)\.", path.name)
    ),
}
_COMPARED: Mapping[Tool, Callable[[Kept, list[Path]], Drift]] = {
    "alembic": _alembic,
    "django": _django,
    "flyway": _flyway,
    "prisma": _prisma,
    "knex": _knex,
    "golang-migrate": _golang,
    "rails": _rails,
}
