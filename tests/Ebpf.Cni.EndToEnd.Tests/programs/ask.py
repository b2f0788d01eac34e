"""Asks an address many times and prints one JSON document: who answered how often, and what failed.

usage: ask.py tcp|udp ADDRESS PORT COUNT [TIMEOUT] [--source ADDRESS] [--source-port PORT] [--connected] [--pause SECONDS] [--bytes N]
tcp: a new connection each time (HTTP/1.0); udp: a new socket each time, connected to the address or not.
--bytes: as many go each way.
"""
import argparse
import collections
import json
import socket
import struct
import time

arguments = argparse.ArgumentParser()
arguments.add_argument("protocol")
arguments.add_argument("address")
arguments.add_argument("port", type=int)
arguments.add_argument("count", type=int)
arguments.add_argument("timeout", type=float, nargs="?", default=5.0)
arguments.add_argument("--source", default="")
arguments.add_argument("--source-port", type=int, default=0)
arguments.add_argument("--connected", action="store_true")
arguments.add_argument("--pause", type=float, default=0.0)
arguments.add_argument("--bytes", type=int, default=0)
a = arguments.parse_args()
family = socket.AF_INET6 if ":" in a.address else socket.AF_INET
kind = socket.SOCK_STREAM if a.protocol == "tcp" else socket.SOCK_DGRAM


def datagram(s):
    question = b"echo " + b"x" * a.bytes if a.bytes else b"who?"
    if a.connected:
        s.connect((a.address, a.port))
        s.send(question)
        answer, peer = s.recv(65536), s.getpeername()
    else:
        s.sendto(question, (a.address, a.port))
        answer, peer = s.recvfrom(65536)
    if peer[:2] != (a.address, a.port):
        raise OSError(f"the answer came from {peer[0]}:{peer[1]}")
    if a.bytes:
        return "whole" if answer == question else "damaged"
    return answer.decode().strip()


def request(s):
    s.connect((a.address, a.port))
    if s.getpeername()[:2] != (a.address, a.port):
        raise OSError(f"the peer calls itself {s.getpeername()}")
    s.sendall(b"GET /big/%d HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % (a.bytes, a.bytes) + b"x" * a.bytes)
    answer = bytearray()
    while chunk := s.recv(65536):
        answer += chunk
    body = bytes(answer).split(b"\r\n\r\n", 1)
    if len(body) < 2:
        raise OSError("closed without an answer")
    if a.bytes:
        return "whole" if body[1].endswith(b" " + b"x" * a.bytes) else "damaged"
    return body[1].decode().strip()


def ask():
    with socket.socket(family, kind) as s:
        s.settimeout(a.timeout)
        if a.source_port:  # no TIME_WAIT: the same port asks again at once
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if a.source or a.source_port:
            s.bind((a.source, a.source_port))
        try:
            return datagram(s) if a.protocol == "udp" else request(s)
        except OSError as e:
            e.port = s.getsockname()[1]
            raise


answers, failures, ports = collections.Counter(), collections.Counter(), []
started = time.monotonic()
for turn in range(a.count):
    if turn and a.pause:
        time.sleep(a.pause)
    try:
        answers[ask()] += 1
    except OSError as e:
        failures[type(e).__name__ + ": " + str(e)] += 1
        ports.append(e.port)
print(json.dumps({"answers": answers, "failures": failures, "failed_from": ports, "seconds": time.monotonic() - started}))
