"""`python -m ami.boot`: each command ends with status 0, or with 1 and the reason on its last line."""

import argparse
import sys
from pathlib import Path

from ami.boot import BootError


def main() -> None:
    """Run one command. Each imports what it alone needs, as the boot waits for every import."""
    arguments = _parser().parse_args()
    try:
        match arguments.command:
            case "prepare":
                from ami.boot.prepare import prepare

                role = prepare(arguments.root).role
                from ami.boot.database import wait_for_database

                wait_for_database(arguments.root, role, arguments.patience)
            case "ready":
                from ami.boot.ready import ready

                ready(arguments.root, arguments.patience)
            case "fail":
                from ami.boot.fail import fail

                fail(arguments.root, arguments.reason)
    except BootError as error:
        sys.exit(" ".join(str(error).split()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ami.boot", description="Boot this instance of Photofleet.")
    parser.add_argument("--root", type=Path, default=Path("/"), help="where the instance's files are (default: /)")
    commands = parser.add_subparsers(dest="command", required=True)
    prepare = commands.add_parser("prepare", help="check everything, wait for the database, write what units read")
    prepare.add_argument("--patience", type=float, default=120, help="seconds to wait for the database (default: 120)")
    ready = commands.add_parser("ready", help="check that the tier works, and signal it")
    ready.add_argument("--patience", type=float, default=60, help="seconds to wait until it does (default: 60)")
    fail = commands.add_parser("fail", help="tell everybody why this instance gives up")
    fail.add_argument("reason")
    return parser


if __name__ == "__main__":
    main()
