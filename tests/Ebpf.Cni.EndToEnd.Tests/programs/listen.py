"""Prints every UDP datagram that arrives: its text and where it came from.

usage: listen.py PORT
"""
import socket
import sys

with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind(("::", int(sys.argv[1])))
    print("listening", flush=True)
    while True:
        data, peer = s.recvfrom(2048)
        print(f"{data.decode()} by {peer[0]}", flush=True)
