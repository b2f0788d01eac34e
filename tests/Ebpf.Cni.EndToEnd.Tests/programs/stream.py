"""Keeps a number of connections open and talks on all of them, and opens new ones all the while, until it is told to stop.

usage: stream.py ADDRESS PORT CONNECTIONS STARTED STOP [SOURCE]
With no connections it only opens new ones, asks once on each and closes it.
Creates the file STARTED once every connection has been answered; ends when the file STOP exists, and prints one JSON document: "failures" of all,
"of_held" those of the connections that were kept open.
"""
import collections
import json
import os
import socket
import sys

address, port, connections = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
started, stop = sys.argv[4], sys.argv[5]
source = sys.argv[6] if len(sys.argv) > 6 else ""
family = socket.AF_INET6 if ":" in address else socket.AF_INET
request = b"GET / HTTP/1.1\r\nHost: hello\r\n\r\n"
exchanges, opened, failures, of_held = 0, 0, collections.Counter(), collections.Counter()


def receive(s):
    data = b""
    while True:
        chunk = s.recv(4096)
        if not chunk:
            raise OSError("closed by the peer")
        data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        if not _:
            continue
        length = next(int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length"))
        if len(body) >= length:
            return


def open_one():
    global opened
    s = socket.socket(family, socket.SOCK_STREAM)
    s.settimeout(10)
    if source:
        s.bind((source, 0))
    s.connect((address, port))
    opened += 1
    return s


def exchange(s):
    global exchanges
    s.sendall(request)
    receive(s)
    exchanges += 1


def guarded(work, *arguments):
    try:
        return work(*arguments)
    except OSError as e:
        failures[type(e).__name__ + ": " + str(e)] += 1
        if arguments and arguments[0] in held:
            of_held[type(e).__name__ + ": " + str(e)] += 1
        return None


held = []
held.extend(s for s in [guarded(open_one) for _ in range(connections)] if s)
for s in held:
    guarded(exchange, s)
open(started, "w").close()
turn = 0
while not os.path.exists(stop):
    if held:
        guarded(exchange, held[turn % len(held)])
    fresh = guarded(open_one)
    if fresh:
        guarded(exchange, fresh)
        fresh.close()
    turn += 1
for s in held:  # every connection of the beginning still works
    guarded(exchange, s)
print(json.dumps({"exchanges": exchanges, "opened": opened, "turns": turn, "failures": failures, "of_held": of_held, "held": len(held)}))
