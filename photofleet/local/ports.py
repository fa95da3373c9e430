"""Whether the ports that the service was given are free."""

import socket
from collections.abc import Mapping


class PortError(Exception):
    """A port cannot be listened on; the message names it and the option that changes it."""


def check_ports(ports: Mapping[str, int]) -> None:
    """Make sure that each of `ports`, by the option that sets it, can be listened on, on loopback.

    Raises:
        PortError: one cannot, or is given twice.
    """
    given: set[int] = set()
    for option, port in ports.items():
        if port in given:
            raise PortError(f"Port {port} is given twice. Choose another with {option}.")
        given.add(port)
    for option, port in ports.items():
        with socket.socket() as probe:
            # As servers do; otherwise connections of the last run, just closed, would count as a taker.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                reason = error.strerror.lower() if error.strerror else error
                raise PortError(
                    f"Port {port} cannot be used: {reason}. Stop what uses it, or choose another with {option}."
                ) from error
