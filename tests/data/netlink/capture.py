#!/usr/bin/env python3
"""Makes the .bin files beside it: what the kernel answers about a namespace with links and qdiscs of many kinds.

Run it as root: unshare --net --mount python3 tests/data/netlink/capture.py
A file holds the messages of one answer (or of some events) one after the other, as they came.
"""

import os
import socket
import struct
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR = 0, 4  # as bits of the address's group mask


def run(*commands):
    for command in commands:
        subprocess.run(command.split(), check=True)


def dump(name, kind, header):
    """Asks for a list and keeps its messages without the closing NLMSG_DONE."""
    asking = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    asking.bind((0, 0))
    asking.send(struct.pack("=LHHLL", 16 + len(header), kind, NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + header)
    kept = b""
    while True:
        data = asking.recv(65536)
        at = 0
        while at < len(data):
            length, answer = struct.unpack_from("=LH", data, at)
            if answer in (2, 3):
                assert answer == 3, name
                write(name, kept)
                return
            kept += data[at : at + ((length + 3) & ~3)]
            at += (length + 3) & ~3


def write(name, data):
    with open(os.path.join(HERE, name + ".bin"), "wb") as file:
        file.write(data)


def links():
    run(
        "ip link set lo up",
        "ip link add name v0 index 10 type veth peer name v1 index 11",
        "ip link set v0 up",
        "ip link set v1 up",
        "ip addr add 10.77.0.1/24 dev v0",
        "ip addr add 2001:db8::1/64 dev v0 nodad",
        "ip link add name br0 index 20 type bridge",
        "ip link set v1 master br0",
        "ip link set br0 up",
        "ip link add name mac0 index 30 link v0 type macvlan mode bridge",
        "ip link add name vx0 index 31 type vxlan id 5 dstport 4789 dev v0 remote 10.77.0.2",
        "ip link add name vx1 index 32 type vxlan id 6 dstport 4789 local 10.77.0.1",
        "ip link add name ifb0 index 40 numtxqueues 3 type ifb",
        "ip link set ifb0 mtu 9000 up",
        "ip tuntap add tap0 mode tap multi_queue",
        "ip tuntap add tun0 mode tun",
        "ip addr add 10.79.0.1 peer 10.79.0.2 dev tun0",
    )


def qdiscs():
    run(
        "tc qdisc add dev v0 root handle 1: htb default 10",
        "tc class add dev v0 parent 1: classid 1:1 htb rate 100mbit ceil 40gbit",
        "tc class add dev v0 parent 1:1 classid 1:10 htb rate 10mbit ceil 100mbit",
        "tc class add dev v0 parent 1:1 classid 1:20 htb rate 50gbit",
        "tc qdisc add dev v0 parent 1:10 handle 20: tbf rate 1mbit burst 10k limit 10k",
        "tc qdisc add dev v0 parent 1:20 handle 30: tbf rate 50gbit burst 1m latency 10ms",
        "tc qdisc add dev v0 clsact",
    )
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    run("ip neigh replace 10.77.0.2 lladdr 02:00:00:00:00:02 dev v0 nud permanent")
    for _ in range(200):
        try:
            sender.sendto(b"x" * 1000, ("10.77.0.2", 9))
        except OSError:
            pass


def events():
    listening = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    listening.bind((0, 1 << RTNLGRP_LINK | 1 << RTNLGRP_IPV4_IFADDR))
    run(
        "ip link set v1 nomaster",
        "ip addr add 10.78.0.1/24 dev mac0",
        "ip link set mac0 up",
        "ip link set mac0 name mac1",
        "ip link del mac1",
    )
    time.sleep(0.5)
    listening.setblocking(False)
    kept = b""
    try:
        while True:
            kept += listening.recv(65536)
    except BlockingIOError:
        write("events", kept)


def main():
    links()
    qdiscs()
    time.sleep(1)
    dump("links", 18, bytes(16) + struct.pack("=HHL", 8, 29, 1 << 3))
    dump("addresses", 22, bytes(8))
    dump("statistics", 94, struct.pack("=BBHLL", 0, 0, 0, 0, 1))
    dump("qdiscs", 38, bytes(20))
    dump("classes", 42, struct.pack("=LLLLL", 0, 10, 0, 0, 0))
    events()


main()
