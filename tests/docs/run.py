#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs what the pages tell a reader to type.

usage: run.py SOURCE_DIR BUILD_DIR [--with-pcscd PROGRAM] [PAGE...]

A fenced block whose info string is `sh test` is run as printed, by bash, in the environment of `meson devenv`. The blocks of a
page run in their order and in one shell, so that what one sets the next may use; each page has an empty scratch folder as its
working folder, $HOME and (below it) $CAS_HOME. A command that fails ends its page, and so does a line of output that begins
with "ERROR", since gst-play-1.0 ends with 0 whatever happened. A page with a block that is marked `sh test readers` runs beside a
pcscd of its own with two virtual readers; where there can be none, such blocks are left out. Prints TAP, one line a page.
"""

import argparse
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from check import FENCE, pages_of  # noqa: E402

TIME_LIMIT = 180  # seconds a page
NO_READERS = "no readers"
# There may be no screen and no loudspeaker, where some of these crash (DirectFB) or hang (OpenAL): without them, players use fakesink.
REAL_SINKS = ["alsasink", "dfbvideosink", "fbdevsink", "glimagesink", "gtkglsink", "gtksink", "gtkwaylandsink", "jackaudiosink", "kmssink",
              "openalsink", "oss4sink", "osssink", "pipewiresink", "pulsesink", "sdlvideosink", "vulkansink", "waylandsink", "ximagesink",
              "xvimagesink"]


def tested_blocks(page):
    """[(line number, text, whether it needs readers)] of the blocks that are to be run."""
    blocks, fence, lines, info, start, indent = [], None, [], "", 0, ""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        found = FENCE.match(line)
        if fence is None and found:
            indent, fence, info = found.groups()
            lines, start = [], number + 1
        elif fence is not None and found and found.group(2).startswith(fence) and not found.group(3).strip():
            if info.split() in (["sh", "test"], ["sh", "test", "readers"]):
                blocks.append((start, "\n".join(lines) + "\n", "readers" in info))
            fence = None
        elif fence is not None:
            lines.append(line.removeprefix(indent))
    return blocks


def developer_environment(build):
    """`meson devenv` as shell commands."""
    dump = subprocess.run(["meson", "devenv", "-C", str(build), "--dump"], check=True, capture_output=True, text=True).stdout
    kept = [line for line in dump.splitlines() if re.match(r"^(export )?[A-Za-z_][A-Za-z0-9_]*(=.*)?$", line)]
    return "\n".join(kept) + "\n"


def run_page(name, blocks, environment, with_pcscd):
    """None, or what went wrong; NO_READERS where there can be none."""
    script = environment + "set -eo pipefail\n"
    command = ["bash", "-c"]
    if any(readers for _, _, readers in blocks):
        if not with_pcscd:
            return NO_READERS
        command = [with_pcscd, "2", "--"] + command
        script += "export CAS_VPCD=127.0.0.1:${VPCD_PORTS%% *}\n"
    for line, text, _ in blocks:
        script += f"echo {shlex.quote(f'--- {name}:{line}')} >&2\n{text}"
    with tempfile.TemporaryDirectory(prefix="cas-docs-") as scratch, tempfile.TemporaryFile() as printed:
        variables = {key: value for key, value in os.environ.items() if not key.startswith(("CAS_", "XDG_"))}
        variables |= {"HOME": scratch, "CAS_HOME": os.path.join(scratch, ".cas"), "LC_ALL": "C.UTF-8"}
        variables["GST_PLUGIN_FEATURE_RANK"] = ",".join(f"{sink}:NONE" for sink in REAL_SINKS)
        # To a file: a pipe would end only with what the page started in the background.
        process = subprocess.Popen([*command, script], cwd=scratch, env=variables, stdin=subprocess.DEVNULL,
                                   stdout=printed, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            process.wait(timeout=TIME_LIMIT)
            trouble = f"exit code {process.returncode}" if process.returncode != 0 else None
        except subprocess.TimeoutExpired:
            trouble = f"still running after {TIME_LIMIT} s"
        try:  # what a page started in the background ends with it
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        printed.seek(0)
        output = printed.read().decode(errors="replace")
        if trouble is None and re.search(r"^ERROR", output, re.MULTILINE):
            trouble = "a line of its output begins with ERROR"
    if process.returncode == 77 and len(command) > 2:
        return NO_READERS
    return None if trouble is None else trouble + "\n" + "\n".join(output.splitlines()[-40:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--with-pcscd", type=os.path.abspath)
    parser.add_argument("pages", nargs="*", type=pathlib.Path)
    arguments = parser.parse_intermixed_args()
    top, build = arguments.source.resolve(), arguments.build.resolve()
    asked = {page.resolve() for page in arguments.pages}
    pages = [(page, tested_blocks(page)) for page in pages_of(top) if not asked or page in asked]
    pages = [(page, blocks) for page, blocks in pages if blocks]
    if not pages:
        print("1..0 # SKIP no page has a block to run")
        return 0
    environment = developer_environment(build)
    print(f"1..{len(pages)}", flush=True)
    failed = False
    for number, (page, blocks) in enumerate(pages, 1):
        name = str(page.relative_to(top))
        trouble = run_page(name, blocks, environment, arguments.with_pcscd)
        if trouble is NO_READERS:
            name += ", without readers"
            trouble = run_page(name, [block for block in blocks if not block[2]], environment, None)
        print(f"{'ok' if trouble is None else 'not ok'} {number} - {name}", flush=True)
        for line in (trouble or "").splitlines():
            print(f"# {line}", flush=True)
        failed = failed or trouble is not None
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
