"""An httpx2 transport for a client that we do not steer: it bounds what the server may do to us."""

import ssl
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx2

from readiness.failure import ProbeError
from readiness.probes import Context
from readiness.probes._answer import BODY_LIMIT
from readiness.probes._connection import within

_SHOWN = 200


class BoundedTransport(httpx2.AsyncBaseTransport):
    """Refuses redirects, packed and endless answers; keeps what the client's own errors leave out.

    `status` is that of the last POST's answer, None before. `refusal` is the first ProbeError
    raised in here, which the client may have swallowed.
    """

    def __init__(self, context: Context, tls: ssl.SSLContext | bool) -> None:
        self._context = context
        self._inner = httpx2.AsyncHTTPTransport(verify=tls, trust_env=False)
        self.status: int | None = None
        self.refusal: ProbeError | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send `request`; raise ProbeError for what must not or cannot be gone on with."""
        with within(self._context):
            response = await self._inner.handle_async_request(request)
        if request.method == "POST":
            self.status = response.status_code
        fault = _fault(request, response)
        if fault or request.method == "DELETE":  # its body, dripping, would hold us at the end
            await response.aclose()
        if fault:
            raise self.refuse(fault)
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_Body(response, self, 0 if request.method == "DELETE" else BODY_LIMIT),
            extensions=response.extensions,
        )

    def refuse(self, fault: ProbeError) -> ProbeError:
        """Keep `fault` if it is the first, and return it."""
        self.refusal = self.refusal or fault
        return fault

    async def aclose(self) -> None:
        """Close every connection."""
        await self._inner.aclose()


class _Body(httpx2.AsyncByteStream):
    def __init__(self, response: httpx2.Response, transport: BoundedTransport, limit: int) -> None:
        self._response, self._transport, self._limit = response, transport, limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if not self._limit:
            return
        received = 0
        async for chunk in self._response.stream:  # type: ignore[union-attr]
            received += len(chunk)
            if received > self._limit:
                fault = ProbeError("protocol", "an answer of more than 1 MiB")
                raise self._transport.refuse(fault)
            yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()


def _fault(request: httpx2.Request, response: httpx2.Response) -> ProbeError | None:
    status = response.status_code
    answered = f"{request.method} {request.url.path[:_SHOWN]} answered {status}"
    if request.method == "POST" and status in (401, 403):
        return ProbeError("denied", answered)
    if 300 <= status < 400 and status != 304:
        to = urlsplit(response.headers.get("location", "")).path[:_SHOWN]
        return ProbeError("protocol", f"{answered}, a redirect to {to or '/'}, not followed")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        return ProbeError("protocol", f"{answered} with a packed body, which was not asked for")
    return None
