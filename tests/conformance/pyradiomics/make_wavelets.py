# SPDX-License-Identifier: Apache-2.0
"""Writes src/radiomics/wavelet_*.c and wavelet_filters.h from the filters of PyWavelets.

    python make_wavelets.py ../../../src/radiomics

The library needs the decomposition filters of every discrete wavelet that PyWavelets names. An orthogonal one is stored
as its low-pass filter; of a biorthogonal pair bior / rbio the low-pass filters of decomposition and reconstruction are
stored. The high-pass filters follow by the alternating signs that this script checks, to the last bit.
"""
import os
import sys

import pywt

HEAD = """/* SPDX-License-Identifier: Apache-2.0 */
/* %s
 * Numbers from PyWavelets (MIT licence, see NOTICE), written by tests/conformance/pyradiomics/make_wavelets.py. */
"""


def mirrored(low):
    """High-pass decomposition filter that belongs to a low-pass filter of reconstruction, reversed."""
    return [value if (len(low) - 1 - k) % 2 == 0 else -value for k, value in enumerate(low)]


def numbers(values):
    lines, line = [], "   "
    for value in values:
        text = " %r," % float(value)
        if len(line) + len(text) > 120:
            lines.append(line)
            line = "   "
        line += text
    return "\n".join(lines + [line])


def array(name, values):
    return "const double ren__wavelet_%s[] = {\n%s\n};\n" % (name, numbers(values))


def identifier(name):
    return name.replace(".", "_")


def check(name, low, high_source):
    wavelet = pywt.Wavelet(name)
    assert list(wavelet.dec_lo) == list(low), name
    assert list(wavelet.dec_hi) == mirrored(high_source), name


def collect():
    """Arrays by file, and the table's entries (name, taps, low, back, kind)."""
    names = pywt.wavelist(kind="discrete")
    arrays, entries, stored = {"daubechies": [], "symlets": [], "pairs": []}, [], {}
    for name in names:
        wavelet = pywt.Wavelet(name)
        family = wavelet.short_family_name
        if family in ("bior", "rbio"):
            continue
        low = list(wavelet.dec_lo)
        check(name, low, low[::-1])  # orthogonal: reconstruction is the decomposition reversed
        key = tuple(low)
        if key not in stored:
            stored[key] = identifier(name)
            where = {"db": "daubechies", "haar": "daubechies", "dmey": "pairs"}.get(family, "symlets")
            arrays[where].append((stored[key], low))
        entries.append((name, len(low), stored[key], stored[key], "REN__WAVELET_ORTHOGONAL"))
    for name in names:
        if not name.startswith("bior"):
            continue
        pair = "rbio" + name[4:]
        wavelet = pywt.Wavelet(name)
        low, back = list(wavelet.dec_lo), list(wavelet.rec_lo)
        assert len(low) == len(back)
        check(name, low, back)
        check(pair, back[::-1], low[::-1])  # the reverse pair: both filters change places, reversed
        base = identifier(name)
        arrays["pairs"] += [(base, low), (base + "_back", back)]
        entries.append((name, len(low), base, base + "_back", "REN__WAVELET_PAIR"))
        entries.append((pair, len(low), base + "_back", base, "REN__WAVELET_REVERSED"))
    assert sorted(e[0] for e in entries) == sorted(names)
    return arrays, entries


def main(folder):
    arrays, entries = collect()
    titles = {
        "daubechies": "Daubechies' wavelets: low-pass filters of decomposition.",
        "symlets": "Symlets and coiflets: low-pass filters of decomposition.",
        "pairs": "Biorthogonal wavelets (low-pass filters of decomposition and reconstruction) and Meyer's.",
    }
    for key, title in titles.items():
        with open(os.path.join(folder, "wavelet_%s.c" % key), "w") as out:
            out.write(HEAD % title + '#include "radiomics/wavelet_filters.h"\n\n/* clang-format off */\n')
            out.write("\n".join(array(name, values) for name, values in arrays[key]))
    with open(os.path.join(folder, "wavelet_filters.h"), "w") as out:
        out.write(HEAD % "The stored filters, and the table of all wavelets.")
        out.write("#ifndef REN_RADIOMICS_WAVELET_FILTERS_H\n#define REN_RADIOMICS_WAVELET_FILTERS_H\n\n/* clang-format off */\n")
        for key in titles:
            for name, values in arrays[key]:
                out.write("extern const double ren__wavelet_%s[%d];\n" % (name, len(values)))
        out.write("\n/* X(name, taps, low, back, kind) for each wavelet. */\n#define REN__WAVELETS(X) \\\n")
        cells = ['    X("%s", %d, ren__wavelet_%s, ren__wavelet_%s, %s)' % entry for entry in entries]
        out.write(" \\\n".join(cells) + "\n/* clang-format on */\n\n#endif\n")


if __name__ == "__main__":
    main(sys.argv[1])
