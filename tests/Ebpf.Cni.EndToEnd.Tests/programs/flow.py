"""One UDP socket that never stops asking, and a line each time that what comes back changes.

usage: flow.py unconnected|connected|kept ADDRESS PORT [SOURCE]
A line is an answer, "silence" after half a second without one, or the name of an error. "unconnected" keeps its one socket whatever
happens, and so does "kept", which is connected; "connected" makes a new one after an error, as resolvers and other clients of connected sockets do, and says "reconnected".
"""
import errno
import socket
import sys
import time

connected, kept, address, port = sys.argv[1] != "unconnected", sys.argv[1] == "kept", sys.argv[2], int(sys.argv[3])
source = sys.argv[4] if len(sys.argv) > 4 else ""
family = socket.AF_INET6 if ":" in address else socket.AF_INET
state = ""


def say(new):
    global state
    if new != state:
        state = new
        print(new, flush=True)


def make():
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(0.02)
    if source:
        s.bind((source, 0))
    if connected:
        s.connect((address, port))
    return s


def opened():
    while True:
        try:
            return make()
        except OSError as e:
            say(errno.errorcode.get(e.errno, str(e)))
            time.sleep(0.02)


s = opened()
heard = time.monotonic()
while True:
    try:
        if connected:
            s.send(b"who?")
        else:
            s.sendto(b"who?", (address, port))
        answer, peer = s.recvfrom(2048)
        heard = time.monotonic()
        say(answer.decode() if peer[:2] == (address, port) else f"stranger {peer[0]}")
        time.sleep(0.01)
    except TimeoutError:
        if time.monotonic() - heard > 0.5:
            say("silence")
    except OSError as e:
        say(errno.errorcode.get(e.errno, str(e)))
        heard = time.monotonic()
        time.sleep(0.02)
        if connected and not kept:
            s.close()
            s = opened()
            say("reconnected")
