"""Asks many targets, in each protocol and size, and prints one JSON document: for each target and question who answered, or what failed.

usage: matrix.py < [{"name": NAME, "address": ADDRESS, "port": PORT}, ...]
small: who it is (programs/server.py). large: a MiB each way over TCP, a datagram of 4,000 bytes and back over UDP: more than any packet here can hold.
"""
import concurrent.futures
import errno
import json
import socket
import sys

MIB = 1 << 20
DATAGRAM = 4000


def connect(target, kind):
    s = socket.socket(socket.AF_INET6 if ":" in target["address"] else socket.AF_INET, kind)
    s.settimeout(4)
    s.connect((target["address"], target["port"]))
    return s


def tcp(target, size):
    with connect(target, socket.SOCK_STREAM) as s:
        s.sendall(b"GET /big/%d HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % (size, size) + b"x" * size)
        answer = bytearray()
        while chunk := s.recv(65536):
            answer += chunk
    body = bytes(answer).split(b"\r\n\r\n", 1)
    if len(body) < 2:
        raise OSError("closed without an answer")
    if size and not body[1].endswith(b" " + b"x" * size):
        raise OSError(f"{len(body[1])} bytes came back")
    return body[1][:100].decode().split(" x")[0].strip()


def udp(target, size):
    # A sender learns of a smaller size by the loss of its first datagram; one that is connected is told (EMSGSIZE).
    for attempt in range(4):
        try:
            with connect(target, socket.SOCK_DGRAM) as s:
                s.settimeout(1.5)
                question = b"echo " + b"x" * size if size else b"who?"
                s.send(question)
                answer = s.recv(65536)
                if size and answer != question:
                    raise OSError(f"{len(answer)} bytes came back")
                return "echoed" if size else answer.decode().strip()
        except OSError as e:
            if attempt == 3 or not (isinstance(e, TimeoutError) or e.errno == errno.EMSGSIZE):
                raise


def ask(target):
    answers = {}
    for name, question, size in (("tcp small", tcp, 0), ("tcp large", tcp, MIB), ("udp small", udp, 0), ("udp large", udp, DATAGRAM)):
        try:
            answers[name] = question(target, size)
        except OSError as e:
            answers[name] = f"failed: {type(e).__name__}: {e}"
    return {"name": target["name"], "address": target["address"], "answers": answers}


with concurrent.futures.ThreadPoolExecutor(8) as pool:
    print(json.dumps(list(pool.map(ask, json.load(sys.stdin)))))
