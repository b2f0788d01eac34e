"""UDP sockets that are used in unusual ways; prints one JSON document.

usage: datagrams.py one ADDRESS PORT          how many of 20 sockets are answered, for each way to use one
       datagrams.py two A B PORT POD PODPORT  who answers one socket that asks two addresses at once, and then the pod itself
An IPv4 address is also asked as ::ffff:a.b.c.d by an IPv6 socket.
"""
import json
import socket
import sys

mode, port = sys.argv[1], int(sys.argv[3 if sys.argv[1] == "one" else 4])
families = [socket.AF_INET6] if ":" in sys.argv[2] else [socket.AF_INET, socket.AF_INET6]


def make(family):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(3)
    return s


def name(family, address):
    return "::ffff:" + address if family == socket.AF_INET6 and ":" not in address else address


def plain(peer):
    return peer[0].removeprefix("::ffff:")


def connect_sendto(s, to):
    s.connect(to)
    s.sendto(b"who?", to)


def sendto_connect(s, to):
    s.sendto(b"who?", to)
    s.recv(99)
    s.connect(to)
    s.send(b"who?")


def connect_twice(s, to):
    s.connect(to)
    s.send(b"who?")
    s.recv(99)
    s.connect(to)
    s.send(b"who?")


def answered(way, family, to):
    with make(family) as s:
        try:
            way(s, to)
            return plain(s.recvfrom(99)[1]) == plain(to)
        except OSError:
            return False


def one():
    return {f"{way.__name__} {family.name}": sum(answered(way, family, (name(family, sys.argv[2]), port)) for _ in range(20))
            for way in (connect_sendto, sendto_connect, connect_twice) for family in families}


def ask(s, text, to):
    s.sendto(b"echo " + text, to)


def heard(s, count):
    return {text.decode()[5:]: plain(peer) for text, peer in (s.recvfrom(99) for _ in range(count))}


def two():
    answers = {}
    for family in families:
        a, b, pod = ((name(family, sys.argv[i]), int(sys.argv[6]) if i == 5 else port) for i in (2, 3, 5))
        with make(family) as s:
            ask(s, b"1", a)
            ask(s, b"2", b)
            got = heard(s, 2)
            ask(s, b"3", pod)
            got |= heard(s, 1)
            ask(s, b"4", a)
            ask(s, b"5", pod)
            got |= heard(s, 2)
        answers[family.name] = [got[n] for n in sorted(got)]
    return answers


print(json.dumps(one() if mode == "one" else two()))
