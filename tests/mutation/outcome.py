#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Says what became of the one test of a `meson test` run: "passed", "failed", or "none" when nothing was tested.

usage: outcome.py BUILD_DIR/meson-logs/testlog.json
"""

import json
import sys

with open(sys.argv[1], encoding="utf-8") as log:
    tests = [json.loads(line) for line in log if line.strip()]
if len(tests) != 1 or "Running 0 tests" in (tests[0].get("stdout") or ""):
    print("none")
elif tests[0]["result"] == "OK":
    print("passed")
elif tests[0]["result"] == "SKIP":
    print("none")
else:
    print("failed")
