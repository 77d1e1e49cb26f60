/* SPDX-License-Identifier: Apache-2.0 */
/* Colour scales of the report. */
#include "moe/report.h"

typedef uint8_t anchor[3];

/* matplotlib's viridis (van der Walt and Smith, CC0), every tenth. */
static const anchor viridis[] = { { 68, 1, 84 },    { 72, 40, 120 },  { 62, 74, 137 },  { 49, 104, 142 },
                                  { 38, 130, 142 }, { 31, 158, 137 }, { 53, 183, 121 }, { 109, 205, 89 },
                                  { 180, 222, 44 }, { 253, 231, 37 } };
/* ColorBrewer's RdBu from blue to red (Brewer, Apache-2.0). */
static const anchor diverging[] = { { 5, 48, 97 },     { 33, 102, 172 },  { 67, 147, 195 },  { 146, 197, 222 },
                                    { 209, 229, 240 }, { 247, 247, 247 }, { 253, 219, 199 }, { 244, 165, 130 },
                                    { 214, 96, 77 },   { 178, 24, 43 },   { 103, 0, 31 } };

/* Linear between anchors, `where` from 0 to 1. */
static ren__colour on_scale(const anchor *scale, int count, double where) {
    const double position = (where > 0.0 ? where < 1.0 ? where : 1.0 : 0.0) * (count - 1);
    const int lower = position < count - 1 ? (int)position : count - 2;
    const double share = position - lower;
    uint8_t mixed[3];

    for (int c = 0; c < 3; c++)
        mixed[c] = (uint8_t)((1.0 - share) * scale[lower][c] + share * scale[lower + 1][c] + 0.5);
    return (ren__colour){ mixed[0], mixed[1], mixed[2], 1 };
}

ren__colour ren__weight_colour(double weight, double most) {
    return on_scale(viridis, sizeof viridis / sizeof *viridis, most > 0.0 ? weight / most : 0.0);
}

ren__colour ren__probability_colour(double probability, double threshold) {
    const double where = probability < threshold ? 0.5 * probability / threshold
                         : threshold < 1.0       ? 0.5 + 0.5 * (probability - threshold) / (1.0 - threshold)
                                                 : 0.5;

    return on_scale(diverging, sizeof diverging / sizeof *diverging, where);
}

void ren__add_colour(ren_text *text, ren__colour colour) {
    ren__text_addf(text, "#%02x%02x%02x", colour.red, colour.green, colour.blue);
}
