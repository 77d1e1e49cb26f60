/* SPDX-License-Identifier: Apache-2.0 */
/* A volume's geometry as JSON. */
#include "base/text.h"
#include "volume/volume.h"

static const char *type_name(int32_t type) {
    static const char *const names[] = { "",      "uint8",  "int8",  "uint16",  "int16",  "uint32",
                                         "int32", "uint64", "int64", "float32", "float64" };
    return names[type];
}

static void add_numbers(ren_text *text, const double *values, int count, int digits) {
    ren__text_add(text, "[");
    for (int i = 0; i < count; i++) {
        if (i) ren__text_add(text, ", ");
        ren__text_add_number(text, values[i], digits);
    }
    ren__text_add(text, "]");
}

ren_status ren_volume_describe(const ren_volume *volume, ren_text **json) {
    ren_text *text = NULL;
    double spacing[3];
    char axes[4];
    REN_REQUIRE(json);
    *json = NULL;
    REN_REQUIRE(volume);
    ren_status st = ren__text_create(volume->context, &text);
    if (st != REN_OK) return st;
    ren_volume_spacing(volume, spacing);
    ren_volume_orientation(volume, axes);
    ren__text_addf(text, "{\"kind\": \"volume\", \"shape\": [%lld, %lld, %lld], \"type\": \"%s\", \"spacing\": ",
                   (long long)volume->shape[0], (long long)volume->shape[1], (long long)volume->shape[2],
                   type_name(volume->type));
    add_numbers(text, spacing, 3, 9);
    ren__text_addf(text, ", \"unit\": \"%s\", \"orientation\": \"%s\", \"affine\": [",
                   volume->unit_unknown ? "unknown, taken as mm" : "mm", axes);
    for (size_t r = 0; r < 4; r++) {
        if (r) ren__text_add(text, ", ");
        add_numbers(text, volume->affine + 4 * r, 4, 17);
    }
    ren__text_add(text, "], \"slope\": ");
    ren__text_add_number(text, volume->slope, 17);
    ren__text_add(text, ", \"intercept\": ");
    ren__text_add_number(text, volume->intercept, 17);
    ren__text_add(text, "}");
    st = text->status;
    if (st != REN_OK) {
        ren_text_free(text);
        return st;
    }
    *json = text;
    return REN_OK;
}
