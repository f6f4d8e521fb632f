#!/usr/bin/env python3
"""Offers files over HTTP until it is ended, and nothing beside them: scripts/update --serve.

Everybody who reaches the port may fetch them. One address has a share of the connections, and a connection
ends that takes nothing.

usage: offer.py ADDRESS:PORT FILE...
"""

import ipaddress
import os
import socket
import sys
import threading
import time
from urllib.parse import unquote

# In all, and of one address (IPv6: a /64).
CONNECTIONS = 16
CONNECTIONS_OF_ADDRESS = 4
HEAD_BYTES = 8192
HEAD_SECONDS = 10
# At least 4 KiB/s, as for viewers of the wall.
PIECE_BYTES = 65536
PIECE_SECONDS = 16


class Counter:
    """Counts connections by address."""

    def __init__(self):
        self.lock = threading.Lock()
        self.of_address = {}

    def admit(self, address):
        with self.lock:
            own = self.of_address.get(address, 0)
            if own >= CONNECTIONS_OF_ADDRESS or sum(self.of_address.values()) >= CONNECTIONS:
                return False
            self.of_address[address] = own + 1
            return True

    def leave(self, address):
        with self.lock:
            self.of_address[address] -= 1
            if not self.of_address[address]:
                del self.of_address[address]


def address_prefix(peer):
    """Whose share of the connections a visitor has."""
    address = ipaddress.ip_address(peer[0].split("%")[0])
    if address.version == 6 and address.ipv4_mapped:
        address = address.ipv4_mapped
    return ipaddress.ip_network((address, 64), strict=False) if address.version == 6 else address


def read_head(client):
    """The first line of a request, or None if it does not come whole and in time."""
    end, head = time.monotonic() + HEAD_SECONDS, b""
    while b"\r\n\r\n" not in head and b"\n\n" not in head:
        left = end - time.monotonic()
        if left <= 0 or len(head) > HEAD_BYTES:
            return None
        client.settimeout(left)
        piece = client.recv(1024)
        if not piece:
            return None
        head += piece
    return head.split(b"\n")[0].decode("ascii", "replace").split()


def send(client, data):
    client.settimeout(PIECE_SECONDS)
    client.sendall(data)


def answer(client, status, length, body=b""):
    head = f"HTTP/1.0 {status}\r\nContent-Length: {length}\r\nContent-Type: application/octet-stream\r\n\r\n"
    send(client, head.encode() + body)


def serve(client, files):
    words = read_head(client)
    if words is None or len(words) < 2:
        return
    method, target = words[0], words[1]
    if method not in ("GET", "HEAD"):
        answer(client, "405 Method Not Allowed", 0)
        return
    path = files.get(unquote(target.split("?")[0]))
    if path is None:
        answer(client, "404 Not Found", 0)
        return
    with open(path, "rb") as file:
        answer(client, "200 OK", os.fstat(file.fileno()).st_size)
        while method == "GET" and (piece := file.read(PIECE_BYTES)):
            send(client, piece)


def converse(client, files, counter, address):
    try:
        with client:
            serve(client, files)
    except OSError:
        pass
    finally:
        counter.leave(address)


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    host = host.strip("[]")
    files = {f"/{os.path.basename(path)}": path for path in sys.argv[2:]}
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    counter = Counter()
    with socket.create_server((host, int(port)), family=family) as listener:
        while True:
            client, peer = listener.accept()
            address = address_prefix(peer)
            if not counter.admit(address):
                client.settimeout(1)
                try:
                    answer(client, "503 Service Unavailable", 0)
                except OSError:
                    pass
                client.close()
                continue
            threading.Thread(target=converse, args=(client, files, counter, address), daemon=True).start()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
