"""Says who it is to everyone who asks, over HTTP and over UDP, on the same ports.

usage: server.py NAME NODE PORT[,PORT...] [DRAIN]
The answer is "NAME NODE PEER", PEER being the address that the question came from. "GET /big/N" is answered with N bytes more; a
datagram "echo ..." with itself. After SIGTERM it serves on for DRAIN seconds (0), as servers do that end gracefully.
"""
import os
import selectors
import signal
import socket
import sys

name, node, ports = sys.argv[1], sys.argv[2], [int(p) for p in sys.argv[3].split(",")]
drain = float(sys.argv[4]) if len(sys.argv) > 4 else 0.0
poll = selectors.DefaultSelector()


def end(*_):
    if drain:
        signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
        signal.setitimer(signal.ITIMER_REAL, drain)
    else:
        os._exit(0)


def who(peer):
    address = peer[0].removeprefix("::ffff:")
    return f"{name} {node} {address}".encode()


def accept(listener):
    s, peer = listener.accept()
    s.setblocking(False)
    poll.register(s, selectors.EVENT_READ, (talk, peer, bytearray()))


def talk(s, peer, data):
    try:
        chunk = s.recv(65536)
    except BlockingIOError:
        return
    except OSError:
        chunk = b""
    data += chunk
    while (end_of_head := data.find(b"\r\n\r\n")) >= 0:
        request = bytes(data[:end_of_head])
        length = next((int(h.split(b":")[1]) for h in request.split(b"\r\n") if h.lower().startswith(b"content-length")), 0)
        if len(data) < end_of_head + 4 + length:
            break
        del data[: end_of_head + 4 + length]
        path = request.split(b" ")[1]
        more = int(path.split(b"/")[2]) if path.startswith(b"/big/") else 0
        body = who(peer) + b" " * (more > 0) + b"x" * more
        s.setblocking(True)
        try:
            s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            s.setblocking(False)
        except OSError:
            chunk = b""
        if b"HTTP/1.0" in request:
            chunk = b""
    if not chunk:
        poll.unregister(s)
        s.close()


def answer(s):
    data, about, _, peer = s.recvmsg(65536, 64)
    # from the address that was asked: of several, routing would choose one
    asked = [(level, kind, info[:16] + bytes(4)) for level, kind, info in about if kind == socket.IPV6_PKTINFO]
    try:
        s.sendmsg([data if data.startswith(b"echo ") else who(peer)], asked, 0, peer)
    except OSError:
        pass  # the asker has gone: an ICMP error came back


signal.signal(signal.SIGTERM, end)
for port in ports:
    tcp = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    for s in (tcp, udp):
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.bind(("::", port))
    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    tcp.listen(256)
    poll.register(tcp, selectors.EVENT_READ, (accept,))
    poll.register(udp, selectors.EVENT_READ, (answer,))
print("serving", flush=True)
while True:
    for key, _ in poll.select():
        work, *arguments = key.data
        try:
            work(key.fileobj, *arguments)
        except OSError as e:
            print(e, flush=True)
