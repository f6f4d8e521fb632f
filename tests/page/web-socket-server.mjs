// The server side of RFC 6455, as far as the fake agent needs it: no fragments, no extensions.

import { createHash } from "node:crypto";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

export class ServerSocket {
    /** Called with each text message. */
    onText = () => {};

    #socket;
    #pending = Buffer.alloc(0);

    /** Answers the upgrade `request` on `socket`, with `subprotocol` if given. */
    constructor(request, socket, subprotocol) {
        const accept = createHash("sha1").update(request.headers["sec-websocket-key"] + GUID).digest("base64");
        const chosen = subprotocol === undefined ? "" : `Sec-WebSocket-Protocol: ${subprotocol}\r\n`;
        socket.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
                `Sec-WebSocket-Accept: ${accept}\r\n${chosen}\r\n`,
        );
        this.#socket = socket;
        socket.on("data", (data) => this.#received(data));
        socket.on("error", () => socket.destroy());
    }

    sendText(text) {
        this.#send(TEXT, Buffer.from(text));
    }

    sendBinary(bytes) {
        this.#send(BINARY, bytes);
    }

    /** Breaks the connection. */
    destroy() {
        this.#socket.destroy();
    }

    #send(opcode, payload) {
        if (this.#socket.destroyed) return;
        const head = payload.length < 126 ? Buffer.alloc(2) : Buffer.alloc(payload.length < 65536 ? 4 : 10);
        head[0] = 0x80 | opcode;
        if (head.length === 2) head[1] = payload.length;
        else if (head.length === 4) head[1] = 126, head.writeUInt16BE(payload.length, 2);
        else head[1] = 127, head.writeBigUInt64BE(BigInt(payload.length), 2);
        this.#socket.write(Buffer.concat([head, payload]));
    }

    #received(data) {
        this.#pending = Buffer.concat([this.#pending, data]);
        for (;;) {
            const pending = this.#pending;
            if (pending.length < 2) return;
            const short = pending[1] & 0x7f;
            const start = short < 126 ? 2 : short === 126 ? 4 : 10;
            if (pending.length < start + 4) return;
            const length = short < 126 ? short : short === 126 ? pending.readUInt16BE(2) : Number(pending.readBigUInt64BE(2));
            if (pending.length < start + 4 + length) return;
            const mask = pending.subarray(start, start + 4);
            const payload = Buffer.from(pending.subarray(start + 4, start + 4 + length));
            payload.forEach((byte, i) => (payload[i] = byte ^ mask[i % 4]));
            this.#pending = pending.subarray(start + 4 + length);
            const opcode = pending[0] & 0x0f;
            if (opcode === TEXT) this.onText(payload.toString());
            else if (opcode === PING) this.#send(PONG, payload);
            else if (opcode === CLOSE) this.#socket.end();
        }
    }
}
