#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Has systemd read a unit: what it does not know in it, it would pass over without protecting anything.

usage: unit_file_test.py SYSTEMD_ANALYZE UNIT
"""

import pathlib
import re
import subprocess
import sys
import tempfile

analyze, unit = sys.argv[1], pathlib.Path(sys.argv[2])
with tempfile.TemporaryDirectory() as folder:
    # The program is not installed where tests run.
    copy = pathlib.Path(folder) / unit.name
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(encoding="utf-8"), flags=re.MULTILINE))
    found = subprocess.run([analyze, "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
problems = [line for line in (found.stdout + found.stderr).splitlines() if unit.name in line]
print("\n".join(problems) or "systemd finds nothing wrong")
sys.exit(1 if problems else 0)
