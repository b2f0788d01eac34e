"""Talks to several addresses at the same time from one source port, three times to each in turn, and counts like ask.py.

usage: several.py tcp|udp SOURCE SOURCE_PORT ADDRESS,PORT...
"""
import collections
import json
import socket
import sys

protocol, source, source_port = sys.argv[1], sys.argv[2], int(sys.argv[3])
targets = [(t.rsplit(",", 1)[0], int(t.rsplit(",", 1)[1])) for t in sys.argv[4:]]
family = socket.AF_INET6 if ":" in source else socket.AF_INET
answers, failures = collections.Counter(), collections.Counter()


def guarded(work, *arguments):
    try:
        return work(*arguments)
    except OSError as e:
        failures[type(e).__name__ + ": " + str(e)] += 1
        return None


def connected(target):
    s = socket.socket(family, socket.SOCK_STREAM)
    s.settimeout(5)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((source, source_port))
    s.connect(target)
    return s


def talk(s):
    s.sendall(b"GET / HTTP/1.1\r\n\r\n")
    answers[s.recv(4096).split(b"\r\n\r\n")[1].decode()] += 1


def datagram(s, target):
    s.sendto(b"who?", target)
    answer, peer = s.recvfrom(2048)
    if peer[:2] != target:
        raise OSError(f"asked {target}, and {peer[0]}:{peer[1]} answered")
    answers[answer.decode()] += 1


if protocol == "tcp":
    held = [s for s in (guarded(connected, t) for t in targets) if s]
    for _ in range(3):
        for s in held:
            guarded(talk, s)
else:
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.bind((source, source_port))
        for _ in range(3):
            for t in targets:
                guarded(datagram, s, t)
print(json.dumps({"answers": answers, "failures": failures}))
