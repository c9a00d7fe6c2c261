"""Runs the sink: `python -m devstack.mailsink SMTP_PORT HTTP_PORT FILE`."""

import logging
import sys
from pathlib import Path

import uvloop

from devstack.mailsink.mailbox import Mailbox
from devstack.mailsink.pages import pages
from devstack.mailsink.smtp import SmtpServer
from shared.platform.http import HttpServer
from shared.platform.lifecycle import Part, run

HOST = "127.0.0.1"


def main() -> None:
    """Serve until SIGTERM."""
    smtp_port, http_port, file = sys.argv[1:]
    logging.basicConfig(level=logging.WARNING)
    mailbox = Mailbox(Path(file))
    parts: list[Part] = [
        mailbox,
        SmtpServer(mailbox, host=HOST, port=int(smtp_port)),
        HttpServer(pages(mailbox), host=HOST, port=int(http_port)),
    ]
    sys.exit(uvloop.run(run(parts)))


if __name__ == "__main__":
    main()
