# SPDX-License-Identifier: Apache-2.0
"""Makes a mixture of seven full-size CNN experts from one checkpoint. usage: seven.py CHECKPOINT MODEL"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "python"))
import ren  # noqa: E402


def main():
    checkpoint, model = sys.argv[1:]
    experts = [ren.Expert.create("cnn", region, weights=checkpoint) for region in ren.REGIONS]
    ren.Mixture(experts, ren.Gate("uniform")).save(model)


if __name__ == "__main__":
    main()
