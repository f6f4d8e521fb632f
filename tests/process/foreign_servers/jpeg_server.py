"""Serves the JPEGs on standard input by the RTSP server of the ESP32 library espp.

usage: jpeg_server.py ADDRESS PORT
"""

import io
import sys

import espp
from PIL import Image

BEGIN = b"\xff\xd8\xff"
TABLE = b"\xff\xdb\x00\x43"
SCAN = b"\xff\xda\x00\x0c"


def pictures(stream):
    """JPEGs, each as soon as the next one begins."""
    kept = b""
    while piece := stream.read1(1 << 16):
        kept += piece
        while (end := kept.find(BEGIN, 1)) > 0:
            yield kept[:end]
            kept = kept[end:]


def as_the_server_wants(jpeg):
    """The same picture with half the colour columns, behind the only header that the server takes."""
    picture = Image.open(io.BytesIO(jpeg))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85, subsampling=1)
    data = out.getvalue()
    tables = [part[1:65] for part in data.split(TABLE)[1:]]
    header = bytes(espp.JpegHeader(picture.width, picture.height, *tables).get_data())
    return header + data[data.find(SCAN) + len(SCAN) + 10 :]


def main():
    address, port = sys.argv[1:]
    server = espp.RtspServer(espp.RtspServer.Config(address, int(port), "stream"))
    if not server.start():
        sys.exit("the server does not start")
    for picture in pictures(sys.stdin.buffer):
        server.send_frame(as_the_server_wants(picture))


main()
