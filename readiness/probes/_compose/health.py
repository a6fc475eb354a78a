"""What is asked of a service's healthcheck: that it is there, that it runs, that it can fail."""

import re

from readiness.probes._compose.command import FORMS, SHELLS, Test, program, script, test
from readiness.probes._compose.graph import awaited, job, switched_off
from readiness.probes._compose.source import dockerfile
from readiness.probes._compose.stack import Container
from readiness.probes._containers import image
from readiness.probes._containers.absent import lacks, without_healthcheck
from readiness.probes._containers.duration import milliseconds
from readiness.probes._containers.template import HOLE
from readiness.probes._containers.verdict import (
    GOOD,
    Verdict,
    bad,
    beside,
    measured,
    unknown,
)

_DEFAULT_MS = 30_000.0
_DEFAULT_RETRIES = 3
_OPERATORS = frozenset({"||", "&&", "|", ";", ">", ">>", "<", "2>&1"})


def defined(container: Container) -> Verdict:
    """Judge whether there is a healthcheck, here or in the image as far as that is known."""
    name, node = container.name, container.node
    if why := job(container):
        return beside(why)
    if switched_off(container):
        at = container.at("healthcheck") or node
        return bad(at, name, "its healthcheck is switched off")
    if test(container):
        return GOOD
    built = dockerfile(container)
    if built and built.healthcheck:
        if built.healthcheck.upper() == "NONE":
            return bad(node, name, "its Dockerfile switches the healthcheck off")
        return GOOD
    base = built.base if built else container.text("image")
    told = "its Dockerfile has none and" if built else "none is written here and"
    if base == "scratch" or without_healthcheck(image.parse(base)):
        return bad(node, name, f"no healthcheck: {told} {image.parse(base).short} brings none")
    if container.at("healthcheck") or awaited(container, "service_healthy"):
        return GOOD  # written by someone who knows that the image brings one
    whose = image.parse(base).short.replace(HOLE, "?") or "the image"
    return unknown(node, name, f"no healthcheck: {told} whether {whose} brings one is not known")


def runs(container: Container) -> Verdict:
    """Judge whether the command can be run at all as it is written."""
    asked = test(container)
    if asked is None:
        return _untested(container)
    wrong = _unwritten(container, asked) or _absent(container, asked)
    return bad(asked.at, container.name, wrong) if wrong else GOOD


def _untested(container: Container) -> Verdict:
    return beside(f"no healthcheck's command is written for {container.name}")


def _unwritten(container: Container, asked: Test) -> str:
    if asked.at.items and asked.at.items[0].text not in FORMS:
        return "the test starts with none of CMD, CMD-SHELL and NONE"
    if not asked.words or not asked.text.strip():
        return "the test has no command"
    if asked.shell:
        return (
            "CMD-SHELL takes one text; the words after the first are not run"
            if len(asked.words) > 1
            else ""
        )
    if re.search(r"\s", asked.words[0]):
        return "CMD takes each word by itself; write CMD-SHELL for a whole line"
    if program(asked.words[0]) in SHELLS:
        return ""
    if _OPERATORS & set(asked.words):
        return "CMD has no shell for operators such as ||; write CMD-SHELL"
    if any(re.search(r"\$(\{|\(|[A-Za-z_])", word) for word in asked.words):
        return "CMD has no shell that fills in variables; write CMD-SHELL"
    return ""


def _absent(container: Container, asked: Test) -> str:
    reference = container.text("image")
    if container.at("build") or not reference or HOLE in reference:
        return ""
    first = re.search(r"^\s*(?:\w+=\S*\s+)*(\S+)", asked.text)
    programs = ["sh"] * asked.shell + ([program(first[1])] if first else [])
    for one in programs:
        if lacks(image.parse(reference), one):
            return f"{image.parse(reference).short} has no {one}"
    return ""


_SWALLOWED = re.compile(r"(?:\|\||;)\s*(?:true|:|exit\s+0|echo\b[^|&;]*)\s*;?\s*$")
_EMPTY = re.compile(r"(?:(?:/bin/)?true|:|exit\s+0|(?:/bin/)?echo\b[^|&;]*)\s*")
_DEAF = re.compile(
    r"(?<!\|)\|(?!\|)\s*(?:cat|tee|head|tail|sort|wc|sed|tr|cut|jq(?!.*\s(?:-e|--exit-status)))\b"
    r"[^|&;]*$"
)
"""A pipeline's status is that of its last command, and these succeed on anything."""

_CURL = re.compile(r"(?:^|[\s;&|(/])curl\s(?P<rest>[^|;&]*)")
_CURL_FAILS = re.compile(
    r"(?:^|\s)(?:-[A-Za-z]{0,20}f[A-Za-z]{0,20}|--fail(?:-with-body)?)(?=\s|$)"
)


def can_fail(container: Container) -> Verdict:
    """Judge whether a service that is broken would be seen: a test that cannot fail is none."""
    asked = test(container)
    if asked is None or not asked.text.strip():
        return _untested(container)
    line = script(asked)
    if _EMPTY.fullmatch(line or asked.text):
        return bad(asked.at, container.name, "the test always succeeds")
    if _SWALLOWED.search(line):
        return bad(asked.at, container.name, "what ends the test hides its failure")
    if _DEAF.search(line) and "pipefail" not in line:
        return bad(asked.at, container.name, "the pipe hides the test's failure")
    if _accepts_errors(line or asked.text):
        return bad(asked.at, container.name, "curl without -f takes HTTP 500 for healthy")
    return GOOD


def _accepts_errors(line: str) -> bool:
    found = _CURL.search(line)
    if not found or _CURL_FAILS.search(found["rest"]) or "$(" in line or "`" in line:
        return False
    rest = line[found.end() :]
    piped = rest.startswith("|") and not rest.startswith("||")
    return not piped and "telnet://" not in found["rest"]


_URL_HOST = re.compile(r"https?://(\[[0-9a-f:]+\]|[^/:\s'\"?]+)", re.IGNORECASE)
_HOST_OPTION = re.compile(
    r"\b(?:pg_isready|psql|mysqladmin|mysql|mariadb-admin|mariadb|redis-cli|valkey-cli)\b[^|;&]{0,300}?"
    r"\s(?:-h\s*|--host[=\s]\s*)([^\s'\"]+)"
)


def asks_itself(container: Container) -> Verdict:
    """Judge whether the test asks its own container: another's outage is not this one's."""
    asked = test(container)
    if asked is None:
        return _untested(container)
    hosts = [*_URL_HOST.findall(asked.text), *_HOST_OPTION.findall(asked.text)]
    foreign = [host for host in hosts if not _own(container, host.lower())]
    if foreign:
        return bad(asked.at, container.name, f"the test asks another host, {foreign[0][:60]}")
    return GOOD


def _own(container: Container, host: str) -> bool:
    if HOLE in host or "$" in host or host.startswith(("127.", "/")):
        return True
    return host in {"localhost", "[::1]", "::1", "0.0.0.0", "[::]", *container.names}


def notice(container: Container) -> Verdict:
    """Measure how many milliseconds an outage may last before the container is unhealthy."""
    asked = test(container)
    if asked is None:
        return _untested(container)
    every, patience = _duration(container, "interval"), _duration(container, "timeout")
    retries = container.text("healthcheck", "retries") or str(_DEFAULT_RETRIES)
    at = container.at("healthcheck") or container.node
    if every is None or patience is None or not re.fullmatch("[0-9]{1,6}", retries):
        return unknown(at, container.name, "a variable, or what is no duration, sets its pace")
    tries = max(int(retries), 1)
    most = tries * (every + patience)
    pace = f"{tries} tries, {every / 1000:g} s apart, of {patience / 1000:g} s each at most"
    return measured(most, at, container.name, pace)


def _duration(container: Container, key: str) -> float | None:
    text = container.text("healthcheck", key)
    if not text:
        return _DEFAULT_MS
    return milliseconds(text) or (_DEFAULT_MS if milliseconds(text) == 0 else None)
