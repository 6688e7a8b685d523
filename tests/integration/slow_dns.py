#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
# A name server for bN.test: 127.1.0.0 plus N, each query answered after a delay, however many there are.
#
#   slow_dns.py ADDRESS DELAY-MS
"""A slow name server for the tests."""

import asyncio
import ipaddress
import sys

QUERY_HEADER = 12
TYPE_A = b'\x00\x01'
NAME_POINTER = b'\xc0\x0c'  # to the name in the question (RFC 1035, 4.1.4)
BASE = ipaddress.IPv4Address('127.1.0.0')


def answer(query):
    """The answer to a query of one question (RFC 1035, 4.1); without addresses for what is not A."""
    end = query.index(b'\0', QUERY_HEADER) + 5
    question = query[QUERY_HEADER:end]
    label = question[1:1 + question[0]].decode()
    record = b''
    if question[-4:-2] == TYPE_A and label[0] == 'b':
        address = BASE + int(label[1:])
        record = NAME_POINTER + question[-4:] + b'\0\0\0\x3c' + b'\0\4' + address.packed
    return (query[:2] + b'\x81\x80' + b'\0\1' + (b'\0\1' if record else b'\0\0') + b'\0\0\0\0'
            + question + record)


class Server(asyncio.DatagramProtocol):
    """Answers each query after delay_s."""

    def __init__(self, delay_s):
        self.delay_s = delay_s
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        asyncio.get_running_loop().call_later(self.delay_s, self.transport.sendto, answer(data), addr)


async def main():
    """Serves until it is ended."""
    await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Server(int(sys.argv[2]) / 1000), local_addr=(sys.argv[1], 53))
    print('listening', flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
