// Relays what FFmpeg publishes, by the package rtsp-streaming-server.
//
// usage: relay.mjs PUBLISH_PORT CLIENT_PORT FIRST_UDP_PORT

import dgram from "node:dgram";
import net from "node:net";
import { createRequire } from "node:module";

const HOST = "127.0.0.1";
const UDP_PORTS = 40;

// The package listens on all addresses of the machine; here it may use loopback only.
const { listen } = net.Server.prototype;
net.Server.prototype.listen = function (port, done) {
  return listen.call(this, port, HOST, done);
};
const { bind } = dgram.Socket.prototype;
dgram.Socket.prototype.bind = function (port, done) {
  return bind.call(this, port, HOST, done);
};

const RtspServer = createRequire(import.meta.url)("rtsp-streaming-server").default;
const [serverPort, clientPort, rtpPortStart] = process.argv.slice(2).map(Number);
await new RtspServer({ serverPort, clientPort, rtpPortStart, rtpPortCount: UDP_PORTS }).start();
