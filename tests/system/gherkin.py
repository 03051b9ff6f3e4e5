"""Scenarios of workflows, in as much of Gherkin as the conformance kit of the DSL uses."""

import os
import re

STEP = re.compile(r"^\s*(Given|When|Then|And|But)\s+(.*)$")
FENCE = re.compile(r'^\s*"""')


class Step:
    """A step: its text without the word it begins with, and the block under it."""

    def __init__(self, text):
        self.text = re.sub(r"^(given|when|then|and) ", "", text.strip(), flags=re.I)
        self.block = None


class Scenario:
    def __init__(self, feature, name):
        self.feature = feature
        self.name = name
        self.steps = []


def dedent(lines):
    used = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    cut = min(used, default=0)
    return "\n".join(line[cut:] for line in lines) + "\n"


def read(path):
    """The scenarios of a file. Fails on what it does not understand."""
    scenarios, feature, block = [], os.path.basename(path), None
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f.read().splitlines(), 1):
            step = STEP.match(line)
            if block is not None:
                if FENCE.match(line):
                    scenarios[-1].steps[-1].block = dedent(block)
                    block = None
                else:
                    block.append(line)
            elif FENCE.match(line):
                block = []
            elif line.strip().startswith("Scenario:"):
                scenarios.append(Scenario(feature, line.split(":", 1)[1].strip()))
            elif step and scenarios:
                scenarios[-1].steps.append(Step(step.group(2)))
            elif line.strip() and not line.strip().startswith(("#", "Feature:")) and scenarios:
                raise ValueError(f"{path}:{number}: not understood: {line}")
    if block is not None:
        raise ValueError(f"{path}: a block has no end")
    return scenarios


def read_folder(folder):
    found = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".feature"):
            found += read(os.path.join(folder, name))
    return found
