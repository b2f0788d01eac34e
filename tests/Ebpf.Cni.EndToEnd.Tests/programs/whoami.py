"""Answers every TCP connection, UDP datagram and SCTP INIT with its own name and the address that it sees as the client's.

usage: whoami.py NAME ADDRESS[,ADDRESS...] PORT[,PORT...]
Bound to its addresses one by one, so that an answer leaves from the address that was asked.
"""
import os
import selectors
import signal
import socket
import sys

import sctp

name, addresses, ports = sys.argv[1], sys.argv[2].split(","), [int(p) for p in sys.argv[3].split(",")]
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
ready = selectors.DefaultSelector()


def listen(address, port, kind):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    if kind == socket.SOCK_STREAM:
        s.listen(1024)
    s.setblocking(False)
    ready.register(s, selectors.EVENT_READ, (port, kind))


def listen_sctp(address):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_RAW, sctp.PROTOCOL)
    s.bind((address, 0))
    s.setblocking(False)
    ready.register(s, selectors.EVENT_READ, (0, socket.SOCK_RAW))


def answer_sctp(s):
    data, peer = s.recvfrom(2048)
    if s.family == socket.AF_INET:
        data = data[4 * (data[0] & 15):]
    try:
        sport, port, chunk, _ = sctp.parse(data)
        text = f"{name}:{port} {peer[0]}"
    except ValueError as e:
        sport, port, chunk, text = int.from_bytes(data[:2]), int.from_bytes(data[2:4]), sctp.INIT, str(e)
    if port in ports and chunk == sctp.INIT:
        s.sendto(sctp.packet(port, sport, sctp.TAG, sctp.INIT_ACK, text.encode()), (peer[0], 0))


for a in addresses:
    listen_sctp(a)
    for p in ports:
        listen(a, p, socket.SOCK_STREAM)
        listen(a, p, socket.SOCK_DGRAM)
print("serving", flush=True)
while True:
    for key, _ in ready.select():
        port, kind = key.data
        try:
            if kind == socket.SOCK_RAW:
                answer_sctp(key.fileobj)
            elif kind == socket.SOCK_STREAM:
                connection, peer = key.fileobj.accept()
                with connection:
                    connection.sendall(f"{name}:{port} {peer[0]}".encode())
            else:
                _, peer = key.fileobj.recvfrom(2048)
                key.fileobj.sendto(f"{name}:{port} {peer[0]}".encode(), peer)
        except OSError:
            pass  # that client went away; the next one does not care
