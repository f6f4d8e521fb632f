"""Takes TLS and passes what it carries on to a server of this machine, which has none.

usage: tls_front.py CERTIFICATE KEY PORT PORT_BEHIND
"""

import asyncio
import ssl
import sys


async def copy(source, target):
    while piece := await source.read(1 << 16):
        target.write(piece)
        await target.drain()


async def main(certificate, key, port, behind):
    async def serve(reader, writer):
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", behind)
            await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))
        except OSError:
            pass
        finally:
            writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    async with await asyncio.start_server(serve, "127.0.0.1", port, ssl=context) as server:
        await server.serve_forever()


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
