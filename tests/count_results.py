#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts the test cases of one `meson test` run: prints "PASSED FAILED SKIPPED".

usage: count_results.py BUILD_DIR/meson-logs/testlog

Reads testlog.json (one line a test, with what became of it) and testlog.junit.xml (where meson has put the single cases of
GoogleTest programs). A program counts as its cases; one that failed with no failed case (a crash, a leak found at exit, a
time-out) has one failure more, so that nothing that went wrong can count as nothing.
"""

import json
import sys
import xml.etree.ElementTree as ET

PASSED = {"OK", "EXPECTEDFAIL"}
SKIPPED = {"SKIP"}


def gtest_cases(junit_path):
    """{"PROJECT.TEST.": [passed, failed, skipped]} summed over the suites of each GoogleTest program."""
    cases = []
    for suite in ET.parse(junit_path).getroot().findall("testsuite"):
        counts = [0, 0, 0]
        for case in suite.findall("testcase"):
            if case.get("status") == "notrun":  # DISABLED_
                continue
            if case.find("failure") is not None or case.find("error") is not None:
                counts[1] += 1
            elif case.find("skipped") is not None:
                counts[2] += 1
            else:
                counts[0] += 1
        cases.append((suite.get("name"), counts))
    return cases


def count(log):
    suites = gtest_cases(log + ".junit.xml")
    total = [0, 0, 0]
    with open(log + ".json", encoding="utf-8") as lines:
        tests = [json.loads(line) for line in lines if line.strip()]
    for test in tests:
        # "PROJECT:SUITE / NAME" or "PROJECT / NAME" or NAME
        name = test["name"].split(" / ", 1)[-1]
        counts = [0, 0, 0]
        for suite, found in suites:
            project, _, rest = suite.partition(".")
            if project and rest.startswith(name + "."):
                counts = [a + b for a, b in zip(counts, found)]
        bad = test["result"] not in PASSED and test["result"] not in SKIPPED
        if bad and counts[1] == 0:
            counts[1] = 1
        if sum(counts) == 0:
            counts[2 if test["result"] in SKIPPED else 0] = 1
        total = [a + b for a, b in zip(total, counts)]
    return total


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(*count(sys.argv[1]))
