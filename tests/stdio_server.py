"""A small MCP server over stdio, sound but for the flaw that its first argument names."""

import json
import os
import subprocess
import sys
import time
from typing import Any

FLAW = sys.argv[1] if len(sys.argv) > 1 else ""
MODERN = "2026-07-28"
SCHEMA = {"type": "objekt" if FLAW == "schema" else "object"}
SAYS = "Find by AKIA" + "Q3EGX7ZP2LNKW5RB." if FLAW == "secret" else "Find."
TOOL = {"name": "search", "description": SAYS, "inputSchema": SCHEMA}


def write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def answer(identity: Any, **fields: Any) -> None:
    write(json.dumps({"jsonrpc": "2.0", "id": identity, **fields}) + "\n")


def discovered(identity: Any) -> None:
    if FLAW in ("legacy", "dropping", "strange-version"):
        if FLAW != "dropping":
            answer(identity, error={"code": -32602, "message": "s3cret"})
        return
    answer(identity, result={"supportedVersions": [MODERN], "capabilities": {"tools": {}}})


def listed(identity: Any, params: dict[str, Any]) -> None:
    if FLAW == "list-error":
        answer(identity, error={"code": -32603, "message": "s3cret"})
    elif FLAW == "no-list":
        answer(identity, result={})
    elif FLAW == "loop":
        answer(identity, result={"tools": [TOOL], "nextCursor": "again"})
    elif FLAW == "hang-later" and params.get("cursor") is None:
        time.sleep(60)
    else:
        answer(identity, result={"tools": [TOOL]})


def serve() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        method, identity = message["method"], message.get("id")
        if FLAW == "noise":
            write("INFO got " + method + " s3cret\n")
        if identity is None:
            continue
        if method == "server/discover":
            discovered(identity)
        elif method == "initialize" and FLAW == "slow":
            answer(identity, error={"code": -32601, "message": "not known"})
        elif method == "initialize":
            version = "1999-01-01" if FLAW == "strange-version" else "2025-06-18"
            answer(identity, result={"protocolVersion": version, "capabilities": {"tools": {}}})
        elif method == "tools/list":
            listed(identity, message.get("params") or {})
        elif FLAW == "unknown-result":
            answer(identity, result={})
        elif FLAW != "unknown-dropped":
            answer(identity, error={"code": -32601, "message": "s3cret"})


def flood(text: str) -> None:
    while True:
        write(text)


def main() -> None:
    if FLAW == "exits":
        sys.exit("s3cret")
    if FLAW == "stderr":
        sys.stderr.write("s3cret\n" * 500_000)
    if FLAW == "silent":
        time.sleep(60)
    if FLAW == "slow":
        time.sleep(1.2)
    if FLAW == "flood":
        flood("x" * 65536)
    if FLAW == "flood-lines":
        flood("not json at all\n" * 4096)
    if FLAW == "flood-messages":
        flood('{"jsonrpc": "2.0", "method": "notifications/message"}\n' * 1024)
    if FLAW == "deaf":
        os.close(0)
        time.sleep(60)
    if FLAW == "mute":
        os.close(1)
        time.sleep(60)
    if FLAW == "child":
        child = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"]
        started = subprocess.Popen(child)
        with open(sys.argv[2], "w") as told:  # noqa: PTH123
            told.write(str(started.pid))
    if FLAW == "env":
        assert os.environ["API_TOKEN"] == "s3cret-t0ken"
        assert os.getcwd() == os.path.realpath(sys.argv[2])  # noqa: PTH109
        assert "READINESS_TEST_PRIVATE" not in os.environ
    serve()
    if FLAW in ("stays", "child"):
        time.sleep(60)


if __name__ == "__main__":
    if FLAW == "stubborn":
        import signal

        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        serve()
        time.sleep(60)
    main()
