"""Prints a line for each packet that arrives here for this machine and has a pod's address, unless it is inside of another packet; and the first tunnelled one.

usage: sniff.py RANGE,RANGE...
"""
import ipaddress
import socket
import sys

ranges = [ipaddress.ip_network(r) for r in sys.argv[1].split(",")]
tunnelled = False
with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3)) as s:
    print("listening", flush=True)
    while True:
        packet, (device, ethertype, kind, *_) = s.recvfrom(2048)
        if kind != socket.PACKET_HOST:  # a bridge floods what it has not learned yet
            continue
        if ethertype == 0x0800 and len(packet) >= 28:
            source, destination = ipaddress.ip_address(packet[12:16]), ipaddress.ip_address(packet[16:20])
            udp = packet[20:] if packet[9] == 17 and packet[0] == 0x45 else b""
        elif ethertype == 0x86DD and len(packet) >= 48:
            source, destination = ipaddress.ip_address(packet[8:24]), ipaddress.ip_address(packet[24:40])
            udp = packet[40:] if packet[6] == 17 else b""
        else:
            continue
        if not tunnelled and udp[2:4] == (8472).to_bytes(2, "big"):
            tunnelled = True
            print(f"tunnelled: IPv{source.version}", flush=True)
        if any(a in r for a in (source, destination) for r in ranges if r.version == a.version):
            print(f"leak: {device} {source} to {destination}", flush=True)
