"""Sends one UDP datagram with a source address of one's choice, below the socket layer.

usage: forge.py SOURCE DESTINATION PORT
"""
import socket
import struct
import sys

source, destination, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
text = f"from {source}".encode()


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


if ":" in source:
    pack = lambda a: socket.inet_pton(socket.AF_INET6, a)
    udp = struct.pack("!HHHH", 40000, port, 8 + len(text), 0) + text
    pseudo = pack(source) + pack(destination) + struct.pack("!IHBB", len(udp), 0, 0, 17)
    udp = udp[:6] + struct.pack("!H", checksum(pseudo + udp) or 0xFFFF) + udp[8:]
    packet = struct.pack("!IHBB", 6 << 28, len(udp), 17, 64) + pack(source) + pack(destination) + udp
    family = socket.AF_INET6
else:
    udp = struct.pack("!HHHH", 40000, port, 8 + len(text), 0) + text  # 0: no checksum
    packet = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(destination)) + udp
    family = socket.AF_INET
# IPPROTO_RAW: the IP header is ours, the source in it as well; the kernel only routes.
with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
    s.sendto(packet, (destination, 0))
print("sent")
