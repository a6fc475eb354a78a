"""A server that answers at once, to find out what the client itself can do.

Run as a script in a process of its own, on nothing but the standard library: it prints its port
and ends with its standard input.
"""

import select
import socket
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


def serve(listener: socket.socket, until: int) -> None:
    """Answer every request on every connection until the descriptor `until` can be read."""
    poll = select.poll()
    poll.register(listener.fileno(), select.POLLIN)
    poll.register(until, select.POLLIN)
    peers: dict[int, socket.socket] = {}
    while True:
        for fd, _ in poll.poll():
            if fd == until:
                return
            if fd == listener.fileno():
                peer, _ = listener.accept()
                peer.setblocking(False)
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                peers[peer.fileno()] = peer
                poll.register(peer.fileno(), select.POLLIN)
            elif not answered(peers[fd]):
                poll.unregister(fd)
                peers.pop(fd).close()


def answered(peer: socket.socket) -> bool:
    """Answer what came; return whether the peer is still there."""
    try:
        data = peer.recv(1 << 14)
        if data:
            peer.send(ANSWER * data.count(b"\r\n\r\n"))
    except OSError:
        return False
    return bool(data)


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0), backlog=512) as server:
        sys.stdout.write(f"{server.getsockname()[1]}\n")
        sys.stdout.flush()
        serve(server, sys.stdin.fileno())
