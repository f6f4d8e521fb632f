"""The way of the program of 2019, rebuilt from its readme for comparison: nothing of its code is here.

For every viewer one VideoCapture and one imencode; the JPEG as base64 in a data URL, cut into pieces of
32 KiB, over a WebSocket. Its fixed pause per frame is left out, which is kind to it.

usage: predecessor.py PORT       then, per viewer: {"act":"open","url":"rtsp://…","resolution":[w,h]}
"""

import base64
import hashlib
import json
import socket
import struct
import sys
import threading

import cv2

PIECE = 32 * 1024
QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 80]
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def shake_hands(stream):
    """Answers the HTTP upgrade."""
    key = b""
    while True:
        line = stream.readline().strip()
        if not line:
            break
        name, _, value = line.partition(b":")
        if name.lower() == b"sec-websocket-key":
            key = value.strip()
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    stream.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    stream.flush()


def read_text(stream):
    """One short masked text message, as browsers send it."""
    head = stream.read(2)
    length = head[1] & 0x7F
    if length == 126:
        length = struct.unpack(">H", stream.read(2))[0]
    mask = stream.read(4)
    return bytes(byte ^ mask[at % 4] for at, byte in enumerate(stream.read(length))).decode()


def send_text(connection, text):
    payload = text.encode()
    if len(payload) < 126:
        head = struct.pack(">BB", 0x81, len(payload))
    elif len(payload) < 65536:
        head = struct.pack(">BBH", 0x81, 126, len(payload))
    else:
        head = struct.pack(">BBQ", 0x81, 127, len(payload))
    connection.sendall(head + payload)


def serve(connection):
    stream = connection.makefile("rwb")
    shake_hands(stream)
    wish = json.loads(read_text(stream))
    width, height = wish["resolution"]
    camera = cv2.VideoCapture(wish["url"])
    try:
        while True:
            ok, frame = camera.read()
            if not ok:
                break
            if width and (frame.shape[1], frame.shape[0]) != (width, height):
                frame = cv2.resize(frame, (width, height))
            _, jpeg = cv2.imencode(".jpg", frame, QUALITY)
            url = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
            pieces = [url[at:at + PIECE] for at in range(0, len(url), PIECE)]
            send_text(connection, "::%d::" % len(pieces))
            for number, piece in enumerate(pieces, 1):
                send_text(connection, "~%d~%s" % (number, piece))
    except OSError:
        pass  # the viewer went away
    finally:
        camera.release()
        connection.close()


def main():
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(sys.argv[1])))
    listener.listen(64)
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


main()
