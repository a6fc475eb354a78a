import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes.redis_security import METRICS, Settings, _loopback, measure
from tests.certificates import Authority
from tests.conftest import PASSWORD
from tests.redis_servers import (
    KINDS,
    TIMES,
    WELL,
    caught,
    client,
    found,
    free_port,
    running,
    service,
)
from tests.states import judged, measured, unknown

pytestmark = pytest.mark.anyio
OPEN = {"bind": "0.0.0.0", "protected-mode": "no"}
LIMITED = "+@all -@dangerous -@admin +info +config|get +slowlog|get +latency|latest +acl|dryrun"


@pytest.fixture(scope="module", params=KINDS)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that other machines can reach, with a password, and a user of an application."""
    with running(request.param, **WELL, password=PASSWORD, settings=OPEN) as url:
        with client(url) as connected:
            rules = f"reset on >secret ~* {LIMITED}".split()
            connected.execute_command("ACL", "SETUSER", "app", *rules)
        yield url


@pytest.fixture
def app(url: str) -> str:
    """The URL of the application's user."""
    return f"redis://app:secret@127.0.0.1:{urlsplit(url).port}/0"


def own_address() -> str:
    """Return an address of this machine that is not loopback, or skip."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; the kernel chooses an address
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(probe.getsockname()[0])


async def probe(url: str, context: Context, user: str | None = None) -> Values:
    return await measure(service(url), Settings(user=user), context)


async def test_a_limited_user_behind_a_password_has_no_finding(app: str, context: Context) -> None:
    findings = await judged(service(app), context)
    assert caught(findings) == set()
    assert unknown(findings) - TIMES == set()
    assert findings["redis-authentication"].outcome == "pass"
    assert findings["redis-dangerous-commands"].outcome == "pass"
    values = await probe(app, context)
    assert {name.removesuffix("_because") for name in values} == set(METRICS)


async def test_a_user_that_may_do_anything(url: str, context: Context) -> None:
    findings = await judged(service(url), context)
    assert caught(findings) == {"redis-dangerous-commands"}
    told = "default may run FLUSHALL, FLUSHDB, CONFIG SET, KEYS, SHUTDOWN, 5 more"
    assert findings["redis-dangerous-commands"].because == told


async def test_the_user_of_the_application_is_the_one_that_counts(
    url: str, context: Context
) -> None:
    assert (await probe(url, context, "app"))["dangerous_commands_closed"] is True
    told = (await probe(url, context, "nobody"))["dangerous_commands_closed_because"]
    assert "User 'nobody' not found" in str(told)


async def test_nothing_that_was_asked_about_was_run(url: str, context: Context) -> None:
    with client(url) as connected:
        connected.set("key", "value")
        connected.config_resetstat()
        await probe(url, context)
        assert connected.get("key") == "value"
        run = connected.info("commandstats")
        assert not {name for name in run if "flush" in name or "keys" in name}
        assert "cmdstat_config|set" not in run


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_that_lets_anybody_in(kind: str, context: Context) -> None:
    with running(kind, **WELL, settings=OPEN) as url:
        with client(url) as connected:
            rules = f"reset on nopass ~* {LIMITED}".split()
            connected.execute_command("ACL", "SETUSER", "default", *rules)
        findings = await judged(service(url), context)
        assert caught(findings) == {"redis-authentication"}
        assert findings["redis-authentication"].because == "PING was answered without a login"


@pytest.mark.parametrize(
    ("rules", "required"), [("", True), ("+get ~public:*", True), ("+get ~*", False)]
)
async def test_a_stranger_who_may_not_ping(rules: str, required: bool, context: Context) -> None:
    """Whom no password is asked of may still be one who may do nothing."""
    with running(**WELL, settings=OPEN) as url:
        with client(url) as connected:
            app = f"reset on >secret ~* {LIMITED}".split()
            connected.execute_command("ACL", "SETUSER", "app", *app)
            stranger = f"reset on nopass {rules}".split()
            connected.execute_command("ACL", "SETUSER", "default", *stranger)
        values = await probe(url.replace("//", "//app:secret@"), context)
        assert values["authentication_required"] is required
        if not required:
            told = "without a login, GET would be run"
            assert values["authentication_required_because"] == told


async def test_protected_mode_keeps_strangers_of_other_machines_out(context: Context) -> None:
    with running(**WELL, settings={"bind": "0.0.0.0"}) as url:
        assert await found(url, context) == set()
        values = await probe(url, context)
        assert values["authentication_required"] is False
        assert values["networked"] is False
        assert "protected mode turns other machines away" in str(values["networked_because"])


async def test_protected_mode_turns_us_away(context: Context) -> None:
    """It says so and hangs up, whereupon our command may be answered by a reset before we read."""
    with running(**WELL, settings={"bind": "0.0.0.0"}) as url:
        remote = service(url.replace("127.0.0.1", own_address()))
        for name in ("redis_security", "redis_health"):
            failure = (await measured(remote, name, context)).failure
            assert failure is not None
            told = ("refused", "protected mode turns other machines away")
            assert (failure.kind, failure.detail) == told or failure.kind == "reset"


async def test_a_server_on_loopback_is_left_alone(valkey_url: str, context: Context) -> None:
    findings = await judged(service(valkey_url), context, only=["redis_security"])
    assert {f.outcome for f in findings.values()} == {"not_applicable"}
    assert findings["redis-authentication"].because == "it listens on loopback alone"


async def test_plain_text_across_a_network(app: str, context: Context) -> None:
    remote = app.replace("127.0.0.1", own_address())
    assert await found(remote, context) == {"redis-tls"}
    assert (await probe(remote, context))["remote"] is True


@pytest.fixture
def certificates(tmp_path: Path) -> tuple[str, str]:
    """Files with a certificate and its key, and with the certificate of who vouches for it."""
    authority = Authority(tmp_path)
    authority.server("127.0.0.1")
    pair = str(next(tmp_path.glob("*.pem")))
    trusted = tmp_path / "authority.crt"
    certificate = authority.client().get_ca_certs(binary_form=True)[0]
    trusted.write_text(ssl.DER_cert_to_PEM_cert(certificate))
    return pair, str(trusted)


async def test_a_certificate_in_place_of_a_password(
    certificates: tuple[str, str], context: Context
) -> None:
    """The server speaks TLS alone, and with nobody who has no certificate of its authority."""
    pair, trusted = certificates
    port = free_port()
    encrypted = {"tls-port": str(port), "tls-ca-cert-file": trusted}
    settings = {**OPEN, **encrypted, "tls-cert-file": pair, "tls-key-file": pair}
    with running("redis", **WELL, settings=settings) as plain, client(plain) as connected:
        query = f"ssl_certfile={pair}&ssl_keyfile={pair}&ssl_ca_certs={trusted}"
        url = f"rediss://127.0.0.1:{port}/0?{query}"
        assert (await probe(url, context))["authentication_required"] is False
        connected.config_set("port", 0)
        values = await probe(url, context)
        assert values["networked"] is values["encrypted"] is True
        assert values["authentication_required"] is True


async def test_renamed_commands_are_closed(context: Context) -> None:
    renamed = "".join(
        f'rename-command {name} ""\n' for name in ("FLUSHDB", "CONFIG", "KEYS", "SHUTDOWN", "SAVE")
    )
    settings = {**OPEN, "rename-command": f'FLUSHALL ""\n{renamed}'}
    with running("redis", **WELL, password=PASSWORD, settings=settings) as url:
        values = await probe(url, context)
        assert values["dangerous_commands_closed_because"] == (
            "default may run REPLICAOF, ACL SETUSER, SWAPDB, MONITOR"
        )
        assert "networked" not in values
        assert str(values["networked_because"]).startswith("not tested: CONFIG GET bind was")


async def test_commands_that_a_switch_opens(context: Context) -> None:
    settings = {**OPEN, "enable-debug-command": "yes"}
    with running(**WELL, password=PASSWORD, settings=settings) as url:
        with client(url) as connected:
            rules = f"reset on >secret ~* {LIMITED} +debug".split()
            connected.execute_command("ACL", "SETUSER", "app", *rules)
        values = await probe(url, context, "app")
        assert values["dangerous_commands_closed_because"] == "app may run DEBUG"


async def test_what_acl_withholds_is_not_tested(url: str, context: Context) -> None:
    with client(url) as connected:
        rules = ["reset", "on", ">x", "+ping", "+config|get"]
        connected.execute_command("ACL", "SETUSER", "watch", *rules)
    findings = await judged(service(f"redis://watch:x@127.0.0.1:{urlsplit(url).port}"), context)
    finding = findings["redis-dangerous-commands"]
    assert finding.outcome == "unknown"
    told = "not tested: ACL DRYRUN is not permitted to us; grant +acl|dryrun"
    assert finding.because == told


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("-::1", True),
        ("localhost", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),
        ("*", False),
        ("-::*", False),
        ("10.0.0.1", False),
        ("fe80::1%eth0", False),
    ],
)
def test_loopback_is_told_from_the_network(address: str, loopback: bool) -> None:
    assert _loopback(address) is loopback
