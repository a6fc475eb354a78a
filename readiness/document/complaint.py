"""A pydantic ValidationError -> sentences for people: which key, what is wrong, what to write."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from readiness.secret import HEADER_NAME, SECRET_KEYS

Place = tuple[str | int, ...]
"""Keys and list positions from the top of a document down to one node."""

MOST = 200
"""Mistakes that are told of at once; nobody mends more before the next try."""

_LONGEST_KEY = 64
_MOST_NAMES = 500
_MOST_LISTED = 30
_KINDS = {
    "string": ("text", "Put quotes around it."),
    "int": ("a whole number", "Write digits only, such as 100."),
    "float": ("a number", "Write digits only, such as 0.95."),
    "bool": ("true or false", "Write true or false."),
    "date": ("a date", "Write it as in 2026-12-31."),
    **dict.fromkeys(
        ("dict", "mapping", "model", "typed_dict", "dataclass"),
        ("a mapping of keys to values", "Write it as in {key: value}."),
    ),
    **dict.fromkeys(
        ("list", "tuple", "set", "frozen_set", "sequence", "iterable"),
        ("a list", "Write it as in [first, second]."),
    ),
}
_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
_LENGTHS = {
    "string_too_short": ("at least", "min_length", "character"),
    "string_too_long": ("at most", "max_length", "character"),
    "too_short": ("at least", "min_length", "item"),
    "too_long": ("at most", "max_length", "item"),
}


@dataclass(frozen=True)
class Complaint:
    """One mistake: the place of it, what is wrong, and the sentence that mends it."""

    place: Place
    what: str
    fix: str = ""
    kind: str | None = None
    """What the value must be, where its kind is wrong: arms of a union are told as one."""

    def below(self, place: Place) -> "Complaint":
        """Return the same of a document in which its place is found below `place`."""
        return replace(self, place=(*place, *self.place))

    def __str__(self) -> str:
        text = f"{named(self.place)} {self.what}"
        return text if text.endswith((".", "?")) else f"{text}."


def suggest(name: str, known: Iterable[str]) -> str:
    """Return `Did you mean 'x'?`, or the list of what is known when nothing is near."""
    names = sorted(known)[:_MOST_NAMES]
    near = difflib.get_close_matches(name[:_LONGEST_KEY], names, n=1)
    near = near or [known for known in names if name and known.startswith(name)]
    if near:
        return f"Did you mean '{near[0]}'?"
    listed = ", ".join(names[:_MOST_LISTED]) + ", ..." * (len(names) > _MOST_LISTED)
    return f"Use one of: {listed}." if names else ""


def named(place: Place) -> str:
    """Return `place` as `'services.api.url'`; what may be a secret in it is left out."""
    text, secret = "", False
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{shown(part, secret=secret)}"
        secret = secret or (isinstance(part, str) and part.lower() in SECRET_KEYS)
    return f"'{text.lstrip('.')}'" if text else "the whole of it"


def shown(key: str, *, secret: bool = False) -> str:
    """Return `key`, or `…` where it is no plain word and so may be a misplaced value."""
    pattern = rf"[a-z_]{{1,24}}|{HEADER_NAME}" if secret else rf"[\w./ -]{{1,{_LONGEST_KEY}}}"
    return key if re.fullmatch(pattern, key) else "…"


def complaints(error: ValidationError, model: type[BaseModel], node: Any) -> list[Complaint]:
    """Return the mistakes `error` tells of in `node`, the data as the user wrote it.

    Places count from `node`. No value of the user's is in what is returned.
    """
    details = error.errors(include_url=False)[:MOST]
    found = [_complaint(one, _place(one, node), _fields(model, one["loc"][:-1])) for one in details]
    return list(_one_for_each_union(found))


def _place(detail: ErrorDetails, node: Any) -> Place:
    """Return where `detail` is: its `loc` without the labels pydantic puts in for unions."""
    place: Place = ()
    for part in detail["loc"]:
        below = dict(enumerate(node)) if isinstance(node, list) else node
        if isinstance(below, Mapping) and isinstance(part, int) and 0 <= part < len(below):
            part = list(below)[part]  # the nth item of a mapping that was bound as a list
        if isinstance(below, Mapping) and part in below:
            node = below[part]
            place += (part,)
    return (*place, detail["loc"][-1]) if detail["type"] == "missing" else place


def _complaint(detail: ErrorDetails, place: Place, fields: Sequence[str]) -> Complaint:
    what, fix = _sentence(detail, fields)
    kind = _KINDS.get(_stem(detail["type"]), (None,))[0]
    return Complaint(place, what, fix, kind)


def _sentence(detail: ErrorDetails, fields: Sequence[str]) -> tuple[str, str]:
    """Return what is wrong, as the rest of a sentence, and the fix, as another."""
    type_, context = detail["type"], detail.get("ctx", {})
    if type_ == "missing":
        return "is missing", "Add it."
    if type_ == "extra_forbidden":
        return "is not a known key", suggest(str(detail["loc"][-1]), fields) or "Remove it."
    if type_ in ("literal_error", "enum"):
        known = re.findall(r"'([^']*)'", context["expected"]) or [context["expected"]]
        return "is none of the values it may have", suggest(str(detail["input"]), known)
    if type_ == "union_tag_invalid":
        known = re.findall(r"'([^']*)'", context["expected_tags"])
        return f"has an unknown {context['discriminator']}", suggest(context["tag"], known)
    if type_ == "union_tag_not_found":
        return f"lacks its {context['discriminator']}", "Add it."
    if type_ in _BOUNDS:
        word, key = _BOUNDS[type_]
        return f"must be {word} {context[key]}", "Write a number within bounds."
    if type_ in _LENGTHS:
        word, key, unit = _LENGTHS[type_]
        return f"must have {word} {context[key]} {unit}(s)", "Make it fit."
    if _stem(type_) in _KINDS:
        kind, fix = _KINDS[_stem(type_)]
        if detail["input"] is None:
            return "is empty", f"Write {kind} there, or remove the key."
        return f"must be {kind}", fix
    if type_ == "string_pattern_mismatch":
        return f"must match {context['pattern']}", "Write it in that form."
    return _own_words(detail), ""


def _own_words(detail: ErrorDetails) -> str:
    """Return the text of a validator of ours; pydantic's other texts may quote the value."""
    raised = detail.get("ctx", {}).get("error")
    if not isinstance(raised, Exception):
        return f"is not as expected ({detail['type'].replace('_', ' ')})"
    text = str(raised).rstrip(".")
    text = text.replace(repr(detail["input"]), "what is written")  # as float() and int() quote it
    return text if text[:1].islower() else f"is not right: {text}"


def _stem(type_: str) -> str:
    """Return `int` of `int_parsing`, `frozen_set` of `frozen_set_type`."""
    return re.sub(r"_(attributes_)?(type|parsing|from).*$", "", type_)


def _one_for_each_union(found: Sequence[Complaint]) -> Iterator[Complaint]:
    """Yield `found`, where a union's arms complain of one place: the arm meant, or all in one."""
    around = {one.place[:depth] for one in found for depth in range(len(one.place))}
    by_place: dict[Place, list[Complaint]] = {}
    for one in found:
        by_place.setdefault(one.place, []).append(one)
    for place, ones in by_place.items():
        yield from (one for one in ones if one.kind is None)
        kinds = list(dict.fromkeys(one.kind for one in ones if one.kind))
        if len(kinds) == 1 and place not in around:
            yield next(one for one in ones if one.kind)
        elif kinds and place not in around:
            yield Complaint(place, f"must be {' or '.join(kinds)}")


def _fields(model: type[BaseModel], loc: Place) -> list[str]:
    """Return the keys a user may write at `loc` of `model`."""
    annotations: list[Any] = [model]
    for part in loc:
        below = [b for annotation in annotations for b in _below(annotation, part)]
        annotations = below or annotations  # nothing below: a label of a union
    arms = [arm for annotation in annotations for arm in _arms(annotation)]
    return [
        field.alias or name
        for arm in arms
        if isinstance(arm, type) and issubclass(arm, BaseModel)
        for name, field in arm.model_fields.items()
    ]


def _arms(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _arms(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for arm in get_args(annotation):
            yield from _arms(arm)
    else:
        yield annotation


def _below(annotation: Any, part: str | int) -> Iterator[Any]:
    """Yield the annotations found under `part` of `annotation`."""
    for arm in _arms(annotation):
        origin = get_origin(arm) or arm
        if not isinstance(origin, type):
            continue
        if issubclass(origin, BaseModel):
            for name, field in origin.model_fields.items():
                if part in (name, field.alias):
                    yield field.annotation
        elif issubclass(origin, Mapping):
            yield from get_args(arm)[1:]
        elif issubclass(origin, Sequence | Set) and isinstance(part, int):
            yield from get_args(arm)[:1]
