"""Asks many addresses at once and prints one JSON document: for each probe, who answered how often and what failed how.

usage: probe.py FILE SECONDS
FILE: a JSON list of {id, how: tcp|udp|sendto|sctp|http, address, port, count, source?, source_port?}. SECONDS: how long an answer may take.
A failure is "refused" (and came at once), "silence", or the error in the kernel's words.
"""
import asyncio
import collections
import errno
import itertools
import json
import socket
import sys
import time

import sctp as wire

PROMPT = 1.5
IP_RECVERR, IPV6_RECVERR = 11, 25
MSG_ERRQUEUE = 0x2000
sctp_ports = itertools.count(40000)
# What the sockets that had a port before asked: an answer to a datagram that was sent again may come when the next socket has the port.
asked_from = collections.defaultdict(set)


def make(probe, kind, protocol=0):
    v6 = ":" in probe["address"]
    s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, kind, protocol)
    s.setblocking(False)
    if kind != socket.SOCK_STREAM:  # an unconnected socket hears of refusals only when it asks to
        s.setsockopt(socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP, IPV6_RECVERR if v6 else IP_RECVERR, 1)
    if probe.get("source") or probe.get("source_port"):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((probe.get("source", ""), probe.get("source_port", 0)))
    return s


def expect_peer(peer, target):
    if peer[:2] != target:
        raise OSError(f"the answer came from {peer[0]}:{peer[1]}")


async def read_all(loop, s):
    answer = b""
    while chunk := await loop.sock_recv(s, 4096):
        answer += chunk
    return answer.decode()


async def tcp(loop, probe, target):
    with make(probe, socket.SOCK_STREAM) as s:
        await loop.sock_connect(s, target)
        expect_peer(s.getpeername(), target)
        return await read_all(loop, s)


async def http(loop, probe, target):
    with make(probe, socket.SOCK_STREAM) as s:
        await loop.sock_connect(s, target)
        await loop.sock_sendall(s, b"GET / HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")
        head, _, body = (await read_all(loop, s)).partition("\r\n\r\n")
        return f"{head.split()[1]} {body[body.index('{'):body.rindex('}') + 1]}"


async def datagrams(loop, s, send, receive):
    # as resolvers do: a datagram may be lost, so it is sent again
    waiting = asyncio.ensure_future(receive())
    try:
        while True:
            try:
                await send()
            except OSError as e:  # the sender's own kernel dropped it, and tells those who asked to hear of errors
                if e.errno != errno.ENOBUFS:
                    raise
            done, _ = await asyncio.wait([waiting], timeout=1)
            if done:
                return waiting.result()
    finally:
        waiting.cancel()


async def udp(loop, probe, target):
    with make(probe, socket.SOCK_DGRAM) as s:
        await loop.sock_connect(s, target)
        expect_peer(s.getpeername(), target)
        return (await datagrams(loop, s, lambda: loop.sock_sendall(s, b"who?"), lambda: loop.sock_recv(s, 2048))).decode()


async def sendto(loop, probe, target):
    with make(probe, socket.SOCK_DGRAM) as s:
        if s.getsockname()[1] == 0:
            s.bind(("", 0))
        former = asked_from[s.family, s.getsockname()[1]]

        async def receive():
            while True:
                answer, peer = await loop.sock_recvfrom(s, 2048)
                if peer[:2] == target or peer[:2] not in former:
                    expect_peer(peer, target)
                    return answer.decode()

        try:
            return await datagrams(loop, s, lambda: loop.sock_sendto(s, b"who?", target), receive)
        finally:
            former.add(target)


def refused(s, port):
    """Whether one of the errors that a raw socket has heard of quotes a packet of this port: it hears of those of others too."""
    while True:
        try:
            quote = s.recvmsg(2048, 512, MSG_ERRQUEUE)[0]
        except BlockingIOError:
            return False
        if int.from_bytes(quote[:2]) == port:
            return True


async def sctp(loop, probe, target):
    port = next(sctp_ports)
    init = wire.packet(port, target[1], 0, wire.INIT)

    async def send():
        try:
            await loop.sock_sendall(s, init)
        except ConnectionRefusedError:  # of an earlier packet; the receiver looks at it
            pass

    async def receive():
        while True:
            try:
                data = await loop.sock_recv(s, 2048)
            except ConnectionRefusedError:
                if refused(s, port):
                    raise
                continue
            if s.family == socket.AF_INET:
                data = data[4 * (data[0] & 15):]
            if int.from_bytes(data[2:4]) == port:
                source, _, _, text = wire.parse(data)
                expect_peer((target[0], source), target)
                return text

    with make(probe, socket.SOCK_RAW, wire.PROTOCOL) as s:
        s.connect((target[0], 0))
        return await datagrams(loop, s, send, receive)


async def ask(loop, probe, slots, patience, result):
    async with slots:
        started = time.monotonic()
        try:
            how = {"tcp": tcp, "udp": udp, "sendto": sendto, "sctp": sctp, "http": http}[probe["how"]]
            answer = await asyncio.wait_for(how(loop, probe, (probe["address"], probe["port"])), patience)
            result["answers"][answer] += 1
        except TimeoutError:
            result["failures"]["silence"] += 1
        except ConnectionRefusedError:
            late = time.monotonic() - started
            result["failures"]["refused" if late < PROMPT else f"refused after {late:.1f} s"] += 1
        except (OSError, ValueError, IndexError) as e:
            result["failures"][f"{type(e).__name__}: {e}"] += 1


async def main():
    loop, slots, patience = asyncio.get_running_loop(), asyncio.Semaphore(200), float(sys.argv[2])
    with open(sys.argv[1]) as file:
        probes = json.load(file)
    results = {p["id"]: {"answers": collections.Counter(), "failures": collections.Counter()} for p in probes}
    await asyncio.gather(*(ask(loop, p, slots, patience, results[p["id"]]) for p in probes for _ in range(p["count"])))
    print(json.dumps(results))


asyncio.run(main())
