"""Network namespaces: a cloud on one, an instance on each other, and no way from any of them to another network."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Of those that RFC 5737 keeps for documentation: no network that a machine is on.
NETWORK = "192.0.2"
GATEWAY = f"{NETWORK}.1"
METADATA = "169.254.169.254"

_CLONE_NEWNET = 0x40000000
_HOME = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
_libc = ctypes.CDLL(None, use_errno=True)


def ip(*words: str) -> str:
    """Run iproute2's `ip`, and return what it prints."""
    return subprocess.run(("ip", *words), check=True, capture_output=True, text=True).stdout


@contextmanager
def network(name: str) -> Iterator[str]:
    """Make the namespace of a cloud: a bridge with the gateway's address and that of the metadata service."""
    ip("netns", "add", name)
    try:
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "link", "add", "bridge", "type", "bridge", "forward_delay", "0")
        ip("-n", name, "address", "add", f"{GATEWAY}/24", "dev", "bridge")
        ip("-n", name, "address", "add", f"{METADATA}/32", "dev", "bridge")
        ip("-n", name, "link", "set", "bridge", "up")
        yield name
    finally:
        ip("netns", "delete", name)


def hardware_address(number: int) -> str:
    """Return the hardware address of the machine whose address is to be NETWORK.number."""
    return f"02:00:00:00:00:{number:02x}"


def addressing(network: str) -> tuple[str, ...]:
    """Return the command of a server that gives each machine on a network its address, and knows no other names."""
    machines = (f"--dhcp-host={hardware_address(number)},{NETWORK}.{number}" for number in range(2, 255))
    return (
        *("ip", "netns", "exec", network, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null"),
        *("--no-hosts", "--no-resolv", "--address=/#/", "--no-ping", "--leasefile-ro", "--pid-file=", "--user=root"),
        *("--interface=bridge", "--bind-interfaces"),
        *(f"--dhcp-range={NETWORK}.2,static", f"--dhcp-option=option:router,{GATEWAY}", *machines),
    )


@contextmanager
def cable(network: str, number: int) -> Iterator[str]:
    """Plug a cable into a network, and give the name of the interface at its other end."""
    plug = f"eth{number}"
    ip("-n", network, "link", "add", f"port{number}", "type", "veth", "peer", "name", plug)
    try:
        ip("-n", network, "link", "set", plug, "address", hardware_address(number))
        ip("-n", network, "link", "set", f"port{number}", "master", "bridge", "up")
        yield plug
    finally:
        # With the machine at its other end, it has gone already.
        if f"port{number}" in ip("-n", network, "-brief", "link"):
            ip("-n", network, "link", "delete", f"port{number}")


def plug_in(network: str, interface: str, process: int) -> None:
    """Give an interface on a network to the namespace of a process."""
    ip("-n", network, "link", "set", interface, "netns", str(process))


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Have this thread, and what it starts, live in a namespace."""
    with Path("/run/netns", name).open("rb") as namespace, _in(namespace.fileno()):
        yield


@contextmanager
def outside() -> Iterator[None]:
    """Have this thread, and what it starts, live where this process began."""
    with _in(_HOME):
        yield


@contextmanager
def _in(namespace: int) -> Iterator[None]:
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(namespace)
        yield
    finally:
        _enter(before)
        os.close(before)


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
