#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plays a protected file with a card behind pcscd whose server is killed in mid-play and started again: the output is bit-exact.

Run by with-pcscd, which gives PCSCLITE_CSOCK_NAME and VPCD_PORTS. Needs cas-tmc and cas-card in PATH and the plugin in GST_PLUGIN_PATH.
The pipeline writes into a FIFO: as long as nobody reads, it stands still, so nothing here depends on time.
"""
import contextlib
import os
import pathlib
import random
import selectors
import shutil
import subprocess
import sys
import tempfile

# Far beyond what the FIFO (64 KiB) and the pipeline hold, so that several key periods are ahead wherever the card is pulled.
CONTENT_SIZE = 4 << 20
SEGMENT_SIZE = 16 << 10
KEY_PERIOD = 8  # segments: 128 KiB


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


class CardServer:
    """cas-card serve, until it is killed."""

    def __init__(self, card, port):
        self.process = subprocess.Popen(["cas-card", "serve", card, "--vpcd", f"127.0.0.1:{port}"], stdin=subprocess.DEVNULL)

    def kill(self):
        self.process.kill()
        self.process.wait()


def wait_for_token():
    """Until pcscd has seen the card, which takes it a moment: asked again and again, 60 s at most."""
    for _ in range(600):
        if subprocess.run(["cas-card", "info", "pcsc:"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
            return
    raise SystemExit("the card does not appear in the reader")


def play_until_card_is_missed(player, output, played):
    """The pipeline goes on while it has the key; when it needs the next one it says so, and nothing more comes. Gives what it said."""
    selector = selectors.DefaultSelector()
    for stream in (output, player.stdout):
        os.set_blocking(stream.fileno(), False)
        selector.register(stream, selectors.EVENT_READ)
    log = b""
    while b"cas-card-needed" not in log:
        events = selector.select(timeout=60)
        if not events:
            raise SystemExit(f"the pipeline neither plays nor says that it needs the card: {log}")
        for key, _ in events:
            piece = key.fileobj.read(65536) or b""
            if key.fileobj is output:
                played += piece
            else:
                log += piece
    return log


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cas-e2e-"))
    os.environ["CAS_HOME"] = str(folder / "home")
    port = os.environ["VPCD_PORTS"].split()[0].split(",")[0]
    run("cas-tmc", "init", "studio")
    card = str(folder / "home" / "cards" / "renderer.card")

    content = random.Random(1).randbytes(CONTENT_SIZE)
    (folder / "content").write_bytes(content)
    run("gst-launch-1.0", "-q", "filesrc", f"location={folder}/content", "!", "smartpro-scramble", f"segment-size={SEGMENT_SIZE}",
        f"key-period={KEY_PERIOD}", "!", "filesink", f"location={folder}/content.spro")

    with contextlib.ExitStack() as clean_up:
        server = CardServer(card, port)
        clean_up.callback(lambda: server.kill())
        wait_for_token()
        fifo = folder / "fifo"
        os.mkfifo(fifo)
        player = subprocess.Popen(["gst-launch-1.0", "-m", "filesrc", f"location={folder}/content.spro", "!", "smartpro-descramble",
                                   "card=pcsc:", "!", "filesink", f"location={fifo}", "buffer-mode=unbuffered"],
                                  stdout=subprocess.PIPE, bufsize=0)
        clean_up.callback(player.kill)
        with open(fifo, "rb", buffering=0) as output:
            played = bytearray()
            while len(played) < CONTENT_SIZE // 4:
                played += output.read(4096)
            server.kill()
            log = play_until_card_is_missed(player, output, played)
            if len(played) >= CONTENT_SIZE:
                raise SystemExit("the card was never missed")
            server = CardServer(card, port)
            os.set_blocking(output.fileno(), True)
            while piece := output.read(65536):
                played += piece
        os.set_blocking(player.stdout.fileno(), True)
        log += player.stdout.read()
        if player.wait(timeout=60) != 0:
            raise SystemExit(f"the player failed: {log}")
        if b"cas-card-returned" not in log:
            raise SystemExit(f"no word of the card's return: {log}")
    if bytes(played) != content:
        raise SystemExit(f"{len(played)} bytes came out, and not those that went in")
    shutil.rmtree(folder)
    print("bit-exact")
    return 0


if __name__ == "__main__":
    sys.exit(main())
