"""Sends one UDP datagram in an Ethernet frame of one's own, below every stack.

usage: frame.py DEVICE DESTINATION_MAC SOURCE DESTINATION PORT TEXT
"""
import socket
import struct
import sys

device, mac, source, destination, port, text = *sys.argv[1:5], int(sys.argv[5]), sys.argv[6].encode()


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


udp = struct.pack("!HHHH", 40000, port, 8 + len(text), 0) + text
if ":" in source:
    pack = lambda a: socket.inet_pton(socket.AF_INET6, a)
    pseudo = pack(source) + pack(destination) + struct.pack("!IHBB", len(udp), 0, 0, 17)
    udp = udp[:6] + struct.pack("!H", checksum(pseudo + udp) or 0xFFFF) + udp[8:]
    kind, packet = 0x86DD, struct.pack("!IHBB", 6 << 28, len(udp), 17, 64) + pack(source) + pack(destination) + udp
else:
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(destination))
    kind, packet = 0x0800, head[:10] + struct.pack("!H", checksum(head)) + head[12:] + udp
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
    s.bind((device, 0))
    s.send(bytes.fromhex(mac.replace(":", "")) + s.getsockname()[4] + struct.pack("!H", kind) + packet)
