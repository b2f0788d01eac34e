"""Asks an address many times and prints one JSON document: who answered how often, and what failed.

usage: ask.py tcp|udp ADDRESS PORT COUNT [TIMEOUT]
tcp: a new connection each time (HTTP/1.0); udp: a new socket each time.
"""
import collections
import json
import socket
import sys
import time

protocol, address, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
timeout = float(sys.argv[5]) if len(sys.argv) > 5 else 5.0
family = socket.AF_INET6 if ":" in address else socket.AF_INET
kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM


def ask():
    with socket.socket(family, kind) as s:
        s.settimeout(timeout)
        if protocol == "udp":
            s.sendto(b"who?", (address, port))
            answer, peer = s.recvfrom(2048)
            if peer[0] != address or peer[1] != port:
                raise OSError(f"the answer came from {peer[0]}:{peer[1]}")
            return answer.decode().strip()
        s.connect((address, port))
        if s.getpeername()[:2] != (address, port):
            raise OSError(f"the peer calls itself {s.getpeername()}")
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while chunk := s.recv(4096):
            answer += chunk
        return answer.split(b"\r\n\r\n", 1)[1].decode().strip()


answers, failures = collections.Counter(), collections.Counter()
started = time.monotonic()
for _ in range(count):
    try:
        answers[ask()] += 1
    except OSError as e:
        failures[type(e).__name__ + ": " + str(e)] += 1
print(json.dumps({"answers": answers, "failures": failures, "seconds": time.monotonic() - started}))
