"""Serves the H.264 on standard input (Annex B, each unit begins with a delimiter) by the package rtsp-rs.

usage: h264_server.py ADDRESS:PORT FRAMES_PER_SECOND
"""

import sys

import rtsp

DELIMITER = b"\x00\x00\x00\x01\x09"


def units(stream):
    """Access units, each as soon as the next one begins."""
    kept = b""
    while piece := stream.read1(1 << 16):
        kept += piece
        while (end := kept.find(DELIMITER, 1)) > 0:
            yield kept[:end]
            kept = kept[end:]


def main():
    address, fps = sys.argv[1:]
    server = rtsp.Server(address)
    server.start()
    for unit in units(sys.stdin.buffer):
        server.send_frame(unit, 90000 // int(fps))


main()
