"""Counts words; test/guests says what is asked of it."""

import os
import sys

from componentize_py_types import Err
from wit_world import exports


def report(path):
    if os.path.isdir(path):
        return f"{path}: {' '.join(sorted(os.listdir(path)))}\n"
    with open(path, encoding="utf-8") as f:
        return f"{path}: {len(f.read().split())} words\n"


class Run(exports.Run):
    def run(self):
        text, failed = "", False
        for path in sys.argv[1:]:
            try:
                text += report(path)
            except OSError as err:
                print(f"{path}: {err.strerror}", file=sys.stderr)
                failed = True
        text += f"input: {len(sys.stdin.read().split())} words\n"
        print(text, end="", flush=True)
        try:
            if "SUMMARY" in os.environ:
                with open(os.environ["SUMMARY"], "w", encoding="utf-8") as f:
                    f.write(text)
        except OSError as err:
            print(err, file=sys.stderr)
            failed = True
        if failed:
            raise Err(None)
