"""Bodies as they are sent, read back by other programs' parsers."""

import email
import hashlib
import json
from email.message import Message
from typing import Any
from urllib.parse import parse_qs

import pytest

from readiness.inventory import Step
from readiness.probes._payload import Payload, payload

VARIABLES = {"unique": 'n"1\r\n', "id": 5, "on": True}


def body(**more: Any) -> Payload:
    step = {"name": "s", "request": "POST /", **more}
    return payload(Step.model_validate(step), VARIABLES)


def test_a_step_without_a_body() -> None:
    assert body() == Payload()


def test_json_is_typed() -> None:
    made = body(json={"id": "{{id}}", "on": "{{on}}", "name": "{{unique}}", "n": [1, None, 0.5]})
    assert made.media_type == "application/json"
    assert json.loads(made.content) == {
        "id": 5,
        "on": True,
        "name": 'n"1\r\n',
        "n": [1, None, 0.5],
    }
    assert made.sha256 == hashlib.sha256(made.content).hexdigest()


@pytest.mark.parametrize("data", [[], {}, False, 0, "", "{{id}}"])
def test_any_json_is_a_body(data: Any) -> None:
    assert json.loads(body(json=data).content) == (5 if data == "{{id}}" else data)


def test_a_form_is_encoded() -> None:
    made = body(form={"name": "a&b={{unique}}", "é": "1"})
    assert made.media_type == "application/x-www-form-urlencoded"
    assert parse_qs(made.content.decode()) == {"name": ['a&b=n"1\r\n'], "é": ["1"]}


def parts(made: Payload) -> dict[str, Message]:
    head = f"Content-Type: {made.media_type}\r\n\r\n".encode()
    message = email.message_from_bytes(head + made.content)
    found = message.get_payload()
    assert isinstance(found, list)
    return {
        str(part.get_param("name", header="content-disposition")): part
        for part in found
        if isinstance(part, Message)
    }


def test_a_multipart_body_has_fields_and_files() -> None:
    made = body(
        multipart={
            "title": "{{unique}}",
            "file": {"random": "64KiB", "filename": "a-{{id}}.bin"},
            "note": {"text": "hi", "filename": "n.md", "type": "text/markdown"},
            "n": 3,
        }
    )
    found = parts(made)
    assert list(found) == ["title", "file", "note", "n"]
    assert found["title"].get_filename() is None
    assert found["title"].get_payload(decode=True) == b'n"1\r\n'
    assert found["n"].get_payload(decode=True) == b"3"
    content = found["file"].get_payload(decode=True)
    assert isinstance(content, bytes)
    assert len(content) == 64 << 10
    assert made.sha256 == hashlib.sha256(content).hexdigest(), "of the file, not of the whole"
    assert found["file"].get_filename() == "a-5.bin"
    assert found["file"].get_content_type() == "application/octet-stream"
    assert found["note"].get_content_type() == "text/markdown"


def test_names_do_not_break_out_of_a_multipart_body() -> None:
    made = body(multipart={'a"; x="': {"text": "t", "filename": "{{unique}}"}})
    head = made.content.partition(b"\r\n\r\n")[0].decode()
    assert head.count("\r\n") == 2, "a boundary, a disposition and a type"
    assert '"; x="' not in head


def test_a_raw_body() -> None:
    made = body(body={"text": "id={{id}}", "type": "text/csv"})
    assert (made.media_type, made.content) == ("text/csv", b"id=5")
    assert body(body="x").media_type == "application/octet-stream"


def test_random_bytes_are_new_each_time() -> None:
    first, second = body(body={"random": 32}), body(body={"random": 32})
    assert len(first.content) == 32
    assert first.content != second.content
    assert first.sha256 == hashlib.sha256(first.content).hexdigest()
    assert "content" not in repr(first)
