"""Journeys as users write them: what is read, what is refused and where, and what is dumped."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from readiness.document import ConfigurationError, parse
from readiness.inventory import Inventory, from_document, schema

START = """\
version: 1
system: {name: Shop}
services:
  api: {kind: http, url: "http://h/v1"}
  db: {kind: postgres, url: "postgres://h/d"}
"""
IDENTITIES = """\
identities:
  ann: {service: api, login: {request: POST /login, json: {user: ann, password: hunter22}}}
  key: {headers: {X-Key: k3y-of-the-shop}}
  bob:
    service: api
    steps:
      - {name: form, request: /form, capture: {csrf: {cookie: csrf}}}
      - {name: in, request: POST /in, form: {user: bob, password: swordfish}}
    headers: {X-CSRF: "{{csrf}}"}
"""
JOURNEYS = """\
journeys:
  files:
    title: Upload a file
    service: api
    as: ann
    repeat: 3
    deadline: 2m
    steps:
      - name: upload
        request: POST /files?key=qu3ry-secret
        multipart: {file: {random: 64KiB, filename: a.bin}, title: "{{unique}}", n: 3}
        capture: {id: $.id, sent: {sha256: sent}, where: {header: Location}}
        creates: file {{unique}}
        expect: {status: [200, 2xx], json: {$.id: {exists: true}, $.n: 3, $.on: true}}
      - name: download
        request: "{{where}}"
        as: nobody
        poll: {every: 100ms, for: 3s}
        expect: {sha256: "{{sent}}", time: 2s, headers: {ETag: {exists: true}}}
      - {name: delete, request: "DELETE /files/{{id}}", always: true, removes: upload}
capabilities:
  files: {title: Files, journeys: [files]}
"""
WHOLE = START + IDENTITIES + JOURNEYS


def read(text: str) -> Inventory:
    return from_document(parse(text, "f"), {})


def test_a_whole_file_is_read() -> None:
    found = read(WHOLE)
    [journey] = found.journeys
    assert (journey.repeat, journey.deadline, journey.tier) == (3, 120.0, "write")
    assert journey.depends_on == ("api",)
    upload, download, delete = journey.steps
    assert upload.expect.status == ("200", "2xx")
    assert upload.references == {"unique"}
    assert upload.multipart is not None
    assert upload.multipart["file"].random == 64 << 10
    assert (download.method, download.path, download.shown) == ("GET", "{{where}}", "GET {{where}}")
    assert download.references == {"where", "sent"}
    assert upload.shown == "POST /files"
    assert delete.removes == "upload"
    assert found.identities["ann"].logs_in
    assert found.identities["bob"].logs_in
    assert not found.identities["key"].logs_in


def test_what_users_write_follows_the_schema() -> None:
    document = schema({})
    Draft202012Validator.check_schema(document)
    problems = Draft202012Validator(document).iter_errors(parse(WHOLE, "f").data)
    assert [f"{p.json_path}: {p.message}" for p in problems] == []
    for wrong in ("{exsts: true}", "{type: text}", "{}"):
        data = parse(WHOLE.replace("$.id: {exists: true}", f"$.id: {wrong}"), "f").data
        if wrong != "{}":
            assert list(Draft202012Validator(document).iter_errors(data)), wrong


def test_what_is_dumped_has_no_secret_and_can_be_read_again() -> None:
    found = read(WHOLE)
    dump = found.model_dump_json()
    hidden = ["hunter22", "swordfish", "k3y-of", "qu3ry", "identities", "multipart", "{{sent}}"]
    assert [word for word in hidden if word in dump] == []
    assert "hunter22" not in repr(found)
    assert "swordfish" not in repr(found)
    again = Inventory.model_validate_json(dump)
    assert again.model_dump_json() == dump
    assert [(j.name, j.tier, j.depends_on) for j in again.journeys] == [
        ("files", "write", ("api",))
    ]
    assert [s.shown for s in again.journeys[0].steps] == [
        "POST /files",
        "GET {{where}}",
        "DELETE /files/{{id}}",
    ]


def test_what_is_sent_is_secret_but_not_its_plain_words() -> None:
    step = {
        "name": "s",
        "request": "POST /x?key=qu3ry-secret",
        "headers": {"Authorization": "Bearer {{token}}", "X-Key": "k3y-of-it"},
        "json": {"title": "Sales report", "password": "plain words", "n": 1234567, "t": "Sp3cial!"},
    }
    parts = {"pin": "s3same", "password": "swordfish", "kind": "invoice"}
    steps: list[Any] = [
        {"name": "login", "request": "/", "capture": {"token": "$.t"}},
        step,
        {"name": "m", "request": "POST /", "multipart": parts},
    ]
    data = {"journeys": {"j": {"title": "J", "service": "api", "steps": steps}}}
    secrets = read(START + json.dumps(data)[1:-1].replace('"journeys"', "journeys")).secrets()
    assert {"qu3ry-secret", "k3y-of-it", "plain words", "1234567", "Sp3cial!"} <= secrets
    assert {"s3same", "swordfish"} <= secrets
    assert not {"Sales report", "invoice", "Bearer ", "Bearer"} & secrets


STEP = "{name: a, request: POST /a}"


def step(text: str, before: str = "", after: str = "") -> str:
    """Return an inventory with one step on its last line but `after`."""
    start = WHOLE.partition("journeys:")[0]
    head = "journeys:\n  j:\n    title: J\n    service: api\n    steps:\n"
    return f"{start}{head}{before}      - {text}\n{after}"


CREATE = '      - {name: c, request: POST /c, creates: "t {{run}}", capture: {id: $.id}}\n'
DELETE = '      - {name: d, request: "DELETE /{{id}}", always: true, removes: c}\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (step("{name: a, request: /a, service: apo}"), "'apo'. Did you mean 'api'?"),
        (step("{name: a, request: /a, service: db}"), "speaks no HTTP"),
        (step("{name: a, request: /a, as: anna}"), "'anna'. Did you mean 'ann'?"),
        (step('{name: a, request: "/{{uniq}}"}'), "{{uniq}}, which no step before it captures"),
        (step('{name: a, request: "/{{uniqu}}"}'), "Did you mean 'unique'?"),
        (step('{name: a, request: "/{{x}}", capture: {x: $.x}}'), "which no step before it"),
        (step('{name: a, request: "/{{Order-Id}}"}'), "as in {{order_id}}"),
        (step('{name: a, request: /a, headers: {X-Y: "{{ X }}"}}'), "as in {{order_id}}"),
        (step("{name: a, request: /a, capture: {run: $.x}}"), "every journey has: run, unique"),
        (step("{name: a, request: /a, capture: {X: $.x}}"), "capture"),
        (step("{name: a, request: DELETE /a, always: true, removes: b}"), "no step before"),
        (step('{name: c, request: POST /c, creates: "{{run}}"}'), "creates what no step removes"),
        (step("{name: c, request: POST /c, creates: thing, stays: x}"), "Name it with {{unique}}"),
        (step(DELETE.strip()[2:], CREATE.replace("run", "id")), "Name it with {{unique}}, so that"),
        (step(DELETE.strip()[2:], CREATE.replace("c,", "x,", 1)), "no step before"),
        (step("{name: d, request: DELETE /d, removes: c}", CREATE), "always: true"),
        (step("{name: a, request: POST /a, stays: forever}"), "Write creates: too"),
        (step("{name: c, request: /c}", CREATE, DELETE), "the name of an earlier step"),
        (step("{name: a, request: POST /a, poll: {}}"), "must not be repeated by poll"),
        (step("{name: a, request: /a, poll: {every: 5s, for: 2s}}"), "ends before it asks again"),
        (step("{name: a, request: /a, json: {}}"), "sends no body and changes nothing"),
        (step("{name: a, request: HEAD /a, body: x}"), "sends no body and changes nothing"),
        (step("{name: a, request: /a, creates: x}"), "sends no body and changes nothing"),
        (step("{name: a, request: POST /a, json: {}, form: {a: b}}"), "more than one of json"),
        (step("{name: a, request: POST /a, body: {text: a, random: 5}}"), "either text or random"),
        (step("{name: a, request: POST /a, body: {random: 1MiB}}"), "to 512 KiB"),
        (step("{name: a, request: POST /a, body: {random: much}}"), "1MiB"),
        (step("{name: a, request: /a, capture: {x: .id}}"), "must be a JSONPath (RFC 9535)"),
        (step("{name: a, request: /a, expect: {json: {id: 5}}}"), "must be a JSONPath (RFC 9535)"),
        (step("{name: a, request: /a, capture: {x: {json: $.a, header: B}}}"), "exactly one of"),
        (step("{name: a, request: /a, expect: {status: 20}}"), "must be a status"),
        (step("{name: a, request: /a, expect: {status: []}}"), "must be a status"),
        (step("{name: a, request: /a, expect: {status: true}}"), "must be a status"),
        (step("{name: a, request: /a, expect: {json: {$.a: {exsts: true}}}}"), "'exists'"),
        (step("{name: a, request: /a, expect: {json: {$.a: {}}}}"), "says nothing"),
        (step("{name: a, request: /a, expect: {sha256: abc}}"), "sha256"),
        (step("{name: a, request: /a, expect: {time: 0s}}"), "time"),
        (step("{name: a, request: a}"), "request"),
        (step("{name: a, request: TRACE /a}"), "request"),
        (step('{name: a, request: "GET /a b"}'), "request"),
        (step("{name: a, request: POST /a, headers: {Content-Length: b}}"), "its own to set"),
        (step('{name: a, request: /a, headers: {"X Y": b}}'), "headers"),
        (step("{name: a, request: /a, headers: {user-agent: b}}"), "the header user-agent, which"),
        (step("{name: a, request: /a, headers: {Readiness-Run: b}}"), "says whose requests these"),
        (step("{name: a, request: /a, header: {A: b}}"), "Did you mean 'headers'?"),
    ],
)
def test_a_mistake_in_a_step_is_told_with_its_line_and_fix(text: str, told: str) -> None:
    first = 1 + next(n for n, line in enumerate(text.splitlines()) if line.startswith("      - "))
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    message = str(caught.value)
    assert told in message
    assert "at least 1 item" not in message, "there is one, and its own mistake is told"
    line = int(message.removeprefix("f:").partition(":")[0])
    assert first <= line <= len(text.splitlines())


def after(*parts: str) -> str:
    return START + "".join(parts)


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (after("journeys: []\n"), 6, "must be a mapping of names to journeys"),
        (after("journeys:\n  - title: x\n"), 6, "must be a mapping of names to journeys"),
        (after("journeys: {}\n"), 6, "names no journey. Add at least one."),
        (after("journeys:\n  j: {title: J, service: api, steps: []}\n"), 7, "has no steps"),
        (after(f"journeys:\n  j: {{title: J, steps: [{STEP}]}}\n"), 7, "names no service to ask"),
        (after(f"journeys:\n  j: {{name: k, title: J, steps: [{STEP}]}}\n"), 7, "'j' is its name"),
        (
            after(f"journeys:\n  api: {{title: J, service: api, steps: [{STEP}]}}\n"),
            7,
            "is the name of a service as well. Give the journey another.",
        ),
        (
            after(f"journeys:\n  j: {{title: J, service: api, as: ann, steps: [{STEP}]}}\n"),
            7,
            "unknown identity 'ann'. Describe it under identities:.",
        ),
        (WHOLE.replace("journeys: [files]", "journeys: [fils]"), 36, "Did you mean 'files'?"),
        (after("identities:\n  a: {service: api}\n"), 7, "proves nothing. Write login"),
        (after("identities:\n  a: {}\n"), 7, "proves nothing. Write login"),
        (after("identities:\n  nobody: {headers: {A: b}}\n"), 7, "is the name for no one"),
        (
            after("identities:\n  a: {login: {request: POST /l, json: {}}}\n"),
            7,
            "has a login and no service",
        ),
        (after("identities:\n  a: {headers: {User-Agent: b}}\n"), 7, "whose requests these are"),
        (
            after(
                "identities:\n  a: {service: api, ",
                "login: {request: POST /l, json: {}, header: Readiness-Run}}\n",
            ),
            7,
            "is the header Readiness-Run, which says whose requests these are. Name another.",
        ),
        (
            after("identities:\n  a: {headers: {A: b}, login: {request: POST /l, json: {}}}\n"),
            7,
            "takes no steps and no headers",
        ),
        (
            after('identities:\n  a: {headers: {A: "{{x}}"}}\n'),
            7,
            "needs {{x}}, which no step captures",
        ),
        (
            after("identities:\n  a: {service: api, steps: [{name: s, request: /, as: a}]}\n"),
            7,
            "needs itself to log in: a -> a",
        ),
        (
            after(
                "identities:\n",
                "  a: {service: api, steps: [{name: s, request: /, as: b}]}\n",
                "  b: {service: api, steps: [{name: s, request: /, as: a}]}\n",
            ),
            7,
            "needs itself to log in",
        ),
        (
            after(
                "identities:\n  a: {service: api, steps: ",
                "[{name: s, request: POST /, creates: x, stays: y}]}\n",
            ),
            7,
            "creates and removes nothing. Make it a step of the journey.",
        ),
        (
            after("identities:\n  a: {service: db, steps: [{name: s, request: /}]}\n"),
            7,
            "speaks no HTTP",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_and_fix(text: str, line: int, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    assert str(caught.value).startswith(f"f:{line}: ") or f"\nf:{line}: " in str(caught.value)
    assert told in str(caught.value)


def test_no_mistake_quotes_a_secret() -> None:
    text = step("{name: a, request: /a, json: {password: hunter22}, headers: {A b: s3cret-x}}")
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    assert "hunter22" not in str(caught.value)
    assert "s3cret-x" not in str(caught.value)
