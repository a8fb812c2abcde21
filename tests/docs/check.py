#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks the pages: links that lead nowhere, pages that nothing leads to, elements and programs without a page, launch lines
that nothing runs, requirements of key exchange and of DCAS that no test shows.

usage: check.py SOURCE_DIR

A link counts when its file is there and, behind a '#', its heading. Each element that plugins/ registers and each program
in tools/ has a page of its name somewhere in docs/. A block with a launch line is one that run.py runs, and each launch line in
an element's source stands in such a block. The instructions of the token applet are those of its page. Each requirement of key
exchange and of DCAS has a row on its page, with tests that there are. Prints TAP.
"""

import pathlib
import re
import sys

FENCE = re.compile(r"^( {0,3})(```+|~~~+)(.*)$")
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\s*\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$")
ELEMENT = re.compile(r"GST_ELEMENT_REGISTER_DEFINE(?:_WITH_CODE)?\s*\(\s*\w+\s*,\s*\"([^\"]+)\"")
SKIPPED_FOLDERS = re.compile(r"^(build.*|\..*|subprojects)$")


def pages_of(top):
    for path in sorted(top.rglob("*.md")):
        if not any(SKIPPED_FOLDERS.match(part) for part in path.relative_to(top).parts[:-1]):
            yield path


LAUNCH = re.compile(r"^\s*gst-(?:launch|play|discoverer)-1\.0 ", re.MULTILINE)
SOURCE_LAUNCH = re.compile(r"^ \* (gst-(?:launch|play|discoverer)-1\.0 .*)$", re.MULTILINE)


def blocks_of(path):
    """[(info string, text)] of the fenced blocks, and of what is indented by four as a block without an info string."""
    blocks, fence, info, lines = [], None, "", []
    for line in path.read_text(encoding="utf-8").splitlines():
        found = FENCE.match(line)
        if fence is None and found:
            fence, info, lines = found.group(2), found.group(3).strip(), []
        elif fence is not None and found and found.group(2).startswith(fence) and not found.group(3).strip():
            blocks.append((info, "\n".join(lines)))
            fence = None
        elif fence is not None:
            lines.append(line)
        elif line.startswith("    "):
            blocks.append(("", line))
    return blocks


def check_launch_lines(top, pages):
    """Launch lines that no test runs."""
    problems, run = [], ""
    for page in pages:
        for info, text in blocks_of(page):
            if info.startswith("sh test"):
                run += text.replace("\\\n", " ") + "\n"
            elif LAUNCH.search(text):
                problems.append(f"{page.relative_to(top)}: nothing runs {LAUNCH.search(text).group().strip()}... (`sh test`)")
    run = {" ".join(line.split()) for line in run.splitlines()}
    for source in (top / "plugins").rglob("*.cpp"):
        for line in SOURCE_LAUNCH.findall(source.read_text(encoding="utf-8")):
            if " ".join(line.split()) not in run:
                problems.append(f"{source.relative_to(top)}: no page runs {line}")
    return problems


def split_fences(path):
    """The page's lines outside fenced blocks, and what is wrong with its fences."""
    outside, fence, opened_at = [], None, 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = FENCE.match(line)
        if fence is None and found:
            fence, opened_at = found.group(2), number
        elif fence is not None:
            if found and found.group(2).startswith(fence) and not found.group(3).strip():
                fence = None
        else:
            outside.append((number, line))
    problems = [] if fence is None else [f"the block opened in line {opened_at} is never closed"]
    return outside, problems


def anchor_of(heading):
    """The anchor that code hosts make of a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    text = re.sub(r"[^\w\- ]", "", text.lower())
    return text.replace(" ", "-")


def anchors_of(path):
    outside, _ = split_fences(path)
    return {anchor_of(found.group(1)) for _, line in outside if (found := HEADING.match(line))}


def check_links(top, page, reached):
    outside, problems = split_fences(page)
    for number, line in outside:
        for target in LINK.findall(re.sub(r"`[^`]*`", "", line)):
            if re.match(r"^[a-z][a-z0-9+.-]*:", target):
                continue
            name, _, anchor = target.partition("#")
            linked = (page.parent / name).resolve() if name else page.resolve()
            if not linked.exists():
                problems.append(f"line {number}: {target} is not there")
            elif anchor and linked.suffix == ".md" and anchor not in anchors_of(linked):
                problems.append(f"line {number}: {name or page.name} has no heading #{anchor}")
            elif linked.is_relative_to(top):
                reached.add(linked)
                if linked.is_dir():  # a link to a folder leads to the pages in it
                    reached.update(found.resolve() for found in linked.glob("*.md"))
    return problems


INSTRUCTION = re.compile(r"^inline constexpr std::uint8_t (\w+) = 0x([0-9a-f]{2});$", re.MULTILINE)
INSTRUCTION_ROW = re.compile(r"^\| `([0-9A-F]{2})` \| ([A-Z][A-Z ]+[A-Z]) \|", re.MULTILINE)


def check_instructions(top):
    """Instructions of the token applet that header and page do not have alike."""
    header = (top / "lib/smartpro/token_commands.hpp").read_text(encoding="utf-8")
    page = (top / "docs/formats/smartpro-token.md").read_text(encoding="utf-8")
    listed = header[header.index("namespace ins {"):header.index("}  // namespace ins")]
    in_header = {(code.upper(), name.replace("_", " ").upper()) for name, code in INSTRUCTION.findall(listed)}
    in_page = set(INSTRUCTION_ROW.findall(page))
    return [f"{code} {name} is in one of them only" for code, name in sorted(in_header ^ in_page)]


# API for Encryption Key Exchange 0.6, clause 5: how many there are under each heading.
REQUIREMENTS = {"5.1": 4, "5.2": 5, "5.3": 2, "5.4": 5, "5.5": 1, "5.6": 2}
REQUIREMENT_ROW = re.compile(r"^\| (5\.\d+\.\d+) \|.*\| ([^|]*) \|$", re.MULTILINE)
REQUIREMENT_NUMBERS = [f"{heading}.{number}" for heading, count in REQUIREMENTS.items() for number in range(1, count + 1)]
# DCAS SM and TP security protocol, section III: two functional requirements, two threats, five attributes.
DCAS_ROW = re.compile(r"^\| (III\.[\w.]+) \|.*\| ([^|]*) \|$", re.MULTILINE)
DCAS_NUMBERS = ["III.1.A", "III.1.B", "III.2.A1", "III.2.A2", *(f"III.2.B{number}" for number in range(1, 6))]
REQUIREMENT_TEST = re.compile(r"^TEST(?:_F|_P)?\(\w+,\s*((?:R\d|Beyond)_\w+)\)", re.MULTILINE)


def prefix_of(number):
    """With what the names of a requirement's tests begin."""
    return "R" + re.sub("^III", "3", number).replace(".", "_") + "_"


def check_requirements(page, tests, row_pattern=REQUIREMENT_ROW, numbers=REQUIREMENT_NUMBERS):
    """Requirements without a row of the page, or with one that names no test of its number that there is."""
    problems = []
    rows = row_pattern.findall(page)
    for number in numbers:
        named = [re.findall(r"`(\w+)`", cell) for row, cell in rows if row == number]
        if len(named) != 1:
            problems.append(f"{number} has {len(named) or 'no'} rows")
        elif not named[0]:
            problems.append(f"{number}: the row names no test")
        else:
            problems += [f"{number}: {test} is a test of another number" for test in named[0] if not test.startswith(prefix_of(number))]
            problems += [f"{number}: there is no test {test}" for test in named[0] if test not in tests]
    return problems + [f"{row} is no requirement" for row, _ in rows if row not in numbers]


def check_dcas(page, tests):
    """As check_requirements; and tests of DCAS's requirements, and of what is beyond them, that page and tests do not have alike."""
    named = set(re.findall(r"`((?:R3|Beyond)_\w+)`", page))
    there = {test for test in tests if re.match(r"R3_|Beyond_", test)}
    problems = check_requirements(page, tests, DCAS_ROW, DCAS_NUMBERS)
    problems += [f"there is no test {test}" for test in sorted(named - there)]
    return problems + [f"{test} is not on the page" for test in sorted(there - named)]


def requirement_tests(top):
    return {name for source in (top / "tests").rglob("*.cpp") for name in REQUIREMENT_TEST.findall(source.read_text(encoding="utf-8"))}


def changes_to_find(page, tests, row_start, number, other, next_number):
    """What a check of requirements is there to find: a row, and what may become of it."""
    row = re.search(rf"^\| {re.escape(row_start)} .*\n", page, re.MULTILINE).group()
    test_name = r"`R\d_\w+`"
    foreign = prefix_of(other) + "X"
    return {
        "a row is gone": (page.replace(row, ""), tests),
        "a row is there twice": (page.replace(row, row + row), tests),
        "a row names no test": (page.replace(row, re.sub(test_name, "none", row)), tests),
        "a row names the test of another": (page.replace(row, re.sub(test_name, f"`{foreign}`", row)), tests | {foreign}),
        "a test is gone": (page, tests - set(re.findall(r"`(R\d_\w+)`", row))),
        "a row of no requirement": (page.replace(row, row + row.replace(number, next_number)), tests),
    }


def check_the_checker(top):
    """That check_requirements and check_dcas find what they are there for."""
    page = (top / "docs/kex.md").read_text(encoding="utf-8")
    tests = requirement_tests(top)
    found = changes_to_find(page, tests, "5.1.1", "5.1.1", "5.1.2", "5.1.5")
    problems = [f"not found: {what}" for what, changed in found.items() if not check_requirements(*changed)]
    page = (top / "docs/dcas.md").read_text(encoding="utf-8")
    found = changes_to_find(page, tests, "III.1.A", "III.1.A", "III.1.B", "III.1.C")
    found["a test that is not on the page"] = (page, tests | {"R3_1_A_X"})
    found["a test that is named outside of the table is gone"] = (page, {test for test in tests if not test.startswith("Beyond_")})
    return problems + [f"not found in dcas.md: {what}" for what, changed in found.items() if not check_dcas(*changed)]


CONFIGURATION_KEY = re.compile(r"(?:texts?|text_or|number|number_or|flag_or|duration_or|tables?)\(\"(\w+)\"|path_of\(\*?\w+, \"(\w+)\"")


def check_configuration(top):
    """Keys that cas-kms reads, and that its page or its sample has not."""
    reader = (top / "tools/cas-kms/configuration.cpp").read_text(encoding="utf-8")
    page = (top / "docs/cas-kms.md").read_text(encoding="utf-8")
    sample = (top / "tools/cas-kms/cas-kms.toml").read_text(encoding="utf-8")
    keys = {one or other for one, other in CONFIGURATION_KEY.findall(reader)}
    problems = [f"{key} is not on the page" for key in sorted(keys) if not re.search(rf"`(?:\[+)?{key}(?:\]+)?`", page)]
    problems += [f"{key} is not in the sample" for key in sorted(keys) if not re.search(rf"^#?(?:{key} = |\[+{key}\]+$)", sample, re.MULTILINE)]
    return problems if len(keys) > 20 else ["the reader's keys were not found"]


def check_subjects(top):
    """Elements and programs that have no page."""
    names = set()
    for source in (top / "plugins").rglob("*.cpp"):
        names.update(ELEMENT.findall(source.read_text(encoding="utf-8")))
    for folder in (top / "tools").glob("cas-*"):
        if any(folder.glob("*.cpp")):
            names.add(folder.name)
    pages = {path.stem for path in (top / "docs").rglob("*.md")}
    return [f"{name} has no page {name}.md in docs/" for name in sorted(names - pages)]


def main():
    top = pathlib.Path(sys.argv[1]).resolve()
    pages = list(pages_of(top))
    reached = set()
    results = [(str(page.relative_to(top)), check_links(top, page, reached)) for page in pages]
    orphans = [str(page.relative_to(top)) for page in pages if top / "docs" in page.parents and page not in reached]
    results.append(("every page can be reached by links", [f"no page links to {page}" for page in orphans]))
    results.append(("every element and program has a page", check_subjects(top)))
    results.append(("the token's instructions are as its page says", check_instructions(top)))
    results.append(("every launch line is run by a test", check_launch_lines(top, pages)))
    results.append(("every key that cas-kms reads is told of", check_configuration(top)))
    key_exchange = (top / "docs/kex.md").read_text(encoding="utf-8")
    results.append(("every requirement of key exchange is shown by a test", check_requirements(key_exchange, requirement_tests(top))))
    dcas = (top / "docs/dcas.md").read_text(encoding="utf-8")
    results.append(("every requirement of DCAS is shown by a test", check_dcas(dcas, requirement_tests(top))))
    results.append(("a requirement that no test shows is found", check_the_checker(top)))
    print(f"1..{len(results)}")
    for number, (what, problems) in enumerate(results, 1):
        print(f"{'not ok' if problems else 'ok'} {number} - {what}")
        for problem in problems:
            print(f"# {problem}")
    return 1 if any(problems for _, problems in results) else 0


if __name__ == "__main__":
    sys.exit(main())
