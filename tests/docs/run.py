#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs what the pages tell a reader to type.

usage: run.py SOURCE_DIR BUILD_DIR [PAGE...]

A fenced block whose info string is `sh test` is run as printed, by bash, in the environment of `meson devenv`. The blocks of a
page run in their order and in one shell, so that what one sets the next may use; each page has an empty scratch folder as its
working folder, $HOME and (below it) $CAS_HOME. A command that fails ends its page. Prints TAP, one line a page.
"""

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


def tested_blocks(page):
    """[(line number, text)] of the blocks that are to be run."""
    blocks, fence, lines, tested, start, indent = [], None, [], False, 0, ""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        found = FENCE.match(line)
        if fence is None and found:
            indent, fence, info = found.groups()
            tested, lines, start = info.split() == ["sh", "test"], [], number + 1
        elif fence is not None and found and found.group(2).startswith(fence) and not found.group(3).strip():
            if tested:
                blocks.append((start, "\n".join(lines) + "\n"))
            fence = None
        elif fence is not None:
            lines.append(line.removeprefix(indent))
    return blocks


def developer_environment(build):
    """`meson devenv` as shell commands."""
    dump = subprocess.run(["meson", "devenv", "-C", str(build), "--dump"], check=True, capture_output=True, text=True).stdout
    kept = [line for line in dump.splitlines() if re.match(r"^(export )?[A-Za-z_][A-Za-z0-9_]*(=.*)?$", line)]
    return "\n".join(kept) + "\n"


def run_page(name, blocks, environment):
    """None, or what went wrong."""
    script = environment + "set -eo pipefail\n"
    for line, text in blocks:
        script += f"echo {shlex.quote(f'--- {name}:{line}')} >&2\n{text}"
    with tempfile.TemporaryDirectory(prefix="cas-docs-") as scratch:
        variables = {key: value for key, value in os.environ.items() if not key.startswith(("CAS_", "XDG_"))}
        variables |= {"HOME": scratch, "CAS_HOME": os.path.join(scratch, ".cas"), "LC_ALL": "C.UTF-8"}
        process = subprocess.Popen(["bash", "-c", script], cwd=scratch, env=variables, stdin=subprocess.DEVNULL, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace", start_new_session=True)
        try:
            output, _ = process.communicate(timeout=TIME_LIMIT)
            trouble = f"exit code {process.returncode}" if process.returncode != 0 else None
        except subprocess.TimeoutExpired:
            trouble = f"still running after {TIME_LIMIT} s"
        try:  # what a page started in the background ends with it
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        if trouble and trouble.startswith("still"):
            output, _ = process.communicate()
    return None if trouble is None else trouble + "\n" + "\n".join(output.splitlines()[-40:])


def main():
    top, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    asked = {pathlib.Path(argument).resolve() for argument in sys.argv[3:]}
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
        trouble = run_page(name, blocks, environment)
        print(f"{'ok' if trouble is None else 'not ok'} {number} - {name}", flush=True)
        for line in (trouble or "").splitlines():
            print(f"# {line}", flush=True)
        failed = failed or trouble is not None
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
