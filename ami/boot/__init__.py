"""The boot of an instance, from a start of our image to a tier that serves, or to one sentence that says why not.

`photofleet-boot` in ami/image/usr/local/sbin is the order of things; what needs more than a shell is here, a command
each: `python -m ami.boot prepare`, `ready` and `fail`.
"""


class BootError(Exception):
    """This instance cannot serve; the message is one sentence that says why, its most telling words first."""
