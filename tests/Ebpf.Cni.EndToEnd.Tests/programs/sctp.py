"""Just enough SCTP for one question and one answer: INIT, and an INIT ACK that carries a text (RFC 9260). Kernels come without SCTP
sockets, so both ends make their packets by hand and send them from raw sockets."""
import struct

PROTOCOL = 132
INIT, INIT_ACK = 1, 2
TAG = 0x5EED0001


def _table():
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        yield n


TABLE = list(_table())


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def packet(sport, dport, tag, chunk, text=b""):
    body = struct.pack("!IIHHI", TAG, 65535, 1, 1, 1)
    if text:  # a parameter of a type that is skipped by who does not know it
        body += struct.pack("!HH", 0xBFFF, 4 + len(text)) + text
    data = struct.pack("!HHII", sport, dport, tag, 0) + struct.pack("!BBH", chunk, 0, 4 + len(body)) + body
    data += bytes(-len(data) % 4)
    return data[:8] + struct.pack("<I", crc32c(data)) + data[12:]


def parse(data):
    """Source port, destination port, chunk type, text. ValueError if the checksum is wrong."""
    if len(data) < 32 or struct.unpack("<I", data[8:12])[0] != crc32c(data[:8] + bytes(4) + data[12:]):
        raise ValueError("SCTP checksum")
    sport, dport = struct.unpack("!HH", data[:4])
    length = struct.unpack("!H", data[34:36])[0] if len(data) > 36 else 4
    return sport, dport, data[12], data[36:32 + length].decode()
