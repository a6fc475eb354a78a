"""One gRPC channel to one address by the run's own trust -> unary calls, answered in the loop.

grpcio's threads are its own and cannot be waited for: a call ends by its deadline or ours, and
the channel closes without one.
"""

import asyncio
import contextlib
import os
import re
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from readiness import __version__
from readiness.failure import ProbeError
from readiness.inventory import Service
from readiness.inventory.url import split
from readiness.probes import Context
from readiness.probes._connection import dial
from readiness.probes._http import target as aim_at
from readiness.probes._wire import TlsWire, Wire

if TYPE_CHECKING:
    import grpc

MOST_BYTES = 64 << 10
"""Of one answer, and of the metadata that comes with it."""
_NOT_INSTALLED = "the library grpcio is not installed: pip install 'readiness[grpc]'"
_QUIET = {"GRPC_VERBOSITY": "NONE", "GRPC_TRACE": "", "GRPC_ENABLE_FORK_SUPPORT": "0"}


_UNREACHED = "failed to connect to all addresses"
_NO_GRPC = re.compile(r"Received http2 header with status: (\d{3})")
_NO_HTTP2 = re.compile("Failed parsing HTTP/2|SETTINGS|preface")


class Answered(Exception):
    """Raised for an answer that is no success: the name of its code, such as NOT_FOUND."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Channel:
    """A channel to the address that accepts; close it at the end."""

    def __init__(
        self, channel: "grpc.Channel", metadata: Mapping[str, str], context: Context
    ) -> None:
        self._channel, self._context = channel, context
        pairs = {**metadata, "readiness-run": context.run_id}
        self._metadata = tuple((name.lower(), value) for name, value in pairs.items())

    @classmethod
    async def open(
        cls, service: Service, metadata: Mapping[str, str], context: Context
    ) -> "Channel":
        """Find an address that accepts a connection and aim at it; nothing is sent yet.

        Raises what connecting raises, and ProbeError `not_installed` without the library.
        """
        grpc = _library()
        url = split(service.url.get_secret_value())
        host, port = aim_at(service, "").host, service.port
        assert port, "grpc and grpcs name a port"
        at = await _accepting(host, port, context.tls() if url.scheme == "grpcs" else None, context)
        target = f"ipv6:[{at}]:{port}" if ":" in at else f"ipv4:{at}:{port}"
        written = f"[{host}]" if ":" in host else host
        options = [*_OPTIONS.items(), ("grpc.default_authority", f"{written}:{port}")]
        if url.scheme != "grpcs":
            return cls(grpc.insecure_channel(target, options), metadata, context)
        trust = grpc.ssl_channel_credentials(root_certificates=_roots(context.tls()))
        options.append(("grpc.ssl_target_name_override", host))
        return cls(grpc.secure_channel(target, trust, options), metadata, context)

    async def call(self, method: str, message: bytes) -> bytes:
        """Call a unary method with a message as bytes; return the answer's.

        Raises Answered for a status that is not OK. Ended from outside, the call is cancelled.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        unary: Any = self._channel.unary_unary(method)
        call = unary.future(message, timeout=2 * self._context.timeout, metadata=self._metadata)
        call.add_done_callback(lambda _: _wake(loop, done))
        try:
            await done
        finally:
            call.cancel()
        return _outcome(call)

    def close(self) -> None:
        """Let go of the connection, and of what is under way on it."""
        self._channel.close()


_OPTIONS: Mapping[str, int | str] = {
    "grpc.enable_http_proxy": 0,
    "grpc.enable_retries": 0,
    "grpc.service_config_disable_resolution": 1,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.max_receive_message_length": MOST_BYTES,
    "grpc.max_metadata_size": MOST_BYTES,
    "grpc.absolute_max_metadata_size": MOST_BYTES,
    "grpc.initial_reconnect_backoff_ms": 60_000,
    "grpc.primary_user_agent": f"readiness/{__version__}",
}


async def _accepting(host: str, port: int, tls: ssl.SSLContext | None, context: Context) -> str:
    """Return the IP address that accepts a connection, and with `tls` its certificate holds.

    grpcio tells both faults by its own words only; here they have names.
    """
    connection = await dial(await context.resolve(host, port))
    at = str(connection.getpeername()[0])
    wire = TlsWire(connection, tls, host) if tls else Wire(connection)
    try:
        if isinstance(wire, TlsWire):
            await wire.secure()
    finally:
        wire.close()
    return at


def _library() -> Any:
    """Import grpcio so that it logs nothing: what it has to say is in the failure.

    It reads these variables when it is imported, or when its first channel is made.
    """
    os.environ.update(_QUIET)
    try:
        import grpc
    except ImportError as error:
        raise ProbeError("not_installed", _NOT_INSTALLED) from error
    return grpc


def _outcome(call: Any) -> bytes:
    """Return the answer's message; raise Answered, or ProbeError where it was no answer of gRPC."""
    code, details = call.code().name, str(call.details() or "")[:1000]
    if code == "OK":
        return bytes(call.result())
    if found := _NO_GRPC.search(details):
        status = found[1]
        denied = status in ("401", "403")
        told = f"the server answers HTTP ({status}), not gRPC"
        raise ProbeError("denied" if denied else "protocol", told)
    if code == "DEADLINE_EXCEEDED":
        raise ProbeError("timeout", "no answer in time")
    if code == "UNAVAILABLE" and _NO_HTTP2.search(details):
        raise ProbeError("protocol", "the port does not speak HTTP/2, which gRPC needs")
    if code == "UNAVAILABLE" and (details.startswith(_UNREACHED) or "closed" in details.lower()):
        raise ProbeError("reset", "connection closed while in use")
    raise Answered(code)


def _wake(loop: asyncio.AbstractEventLoop, done: "asyncio.Future[None]") -> None:
    """Settle `done`, from a thread of grpcio's; the loop may be closed by now."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(_settle, done)


def _settle(done: "asyncio.Future[None]") -> None:
    if not done.done():
        done.set_result(None)


def _roots(trust: ssl.SSLContext) -> bytes | None:
    """Return the authorities that `trust` holds as PEM, None to leave it to grpcio.

    Of a folder of them OpenSSL holds those that it has needed; that of this server it has needed
    by now, since its certificate was verified.
    """
    pem = map(ssl.DER_cert_to_PEM_cert, trust.get_ca_certs(binary_form=True))
    return "".join(pem).encode() or None
