/* SPDX-License-Identifier: Apache-2.0 */
/* Regions and presets: what experts look at, and how a CT becomes their input. */
#include <math.h>
#include <string.h>

#include "volume/scan.h"

enum { LARGEST_SIZE = 512 };

static const double smallest_spacing = 0.25, largest_spacing = 10.0;

const char *ren_region_name(int32_t region) {
    static const char *const names[REN__PLACES] = { "LUL", "LLL",       "RUL",        "RML",
                                                    "RLL", "left_lung", "right_lung", "lungs" };
    return region >= 0 && region < REN__PLACES ? names[region] : NULL;
}

uint32_t ren__region_lobes(int32_t region) {
    if (region == REN_REGION_LEFT_LUNG) return 1U << REN_REGION_LUL | 1U << REN_REGION_LLL;
    if (region == REN_REGION_RIGHT_LUNG) return 1U << REN_REGION_RUL | 1U << REN_REGION_RML | 1U << REN_REGION_RLL;
    if (region == REN_REGION_LUNGS)
        return ren__region_lobes(REN_REGION_LEFT_LUNG) | ren__region_lobes(REN_REGION_RIGHT_LUNG);
    return region >= 0 && region < REN_REGION_LEFT_LUNG ? 1U << region : 0U;
}

ren_status ren_preset_init(ren_preset *preset, size_t size) {
    ren_preset defaults;
    memset(&defaults, 0, sizeof defaults);
    defaults.struct_size = sizeof defaults;
    return ren__options_init(preset, size, &defaults, sizeof defaults, "ren_preset");
}

ren_status ren__preset_resolve(const ren_preset *caller, ren_preset *resolved) {
    static const double windows[2][2] = { { -1350.0, 150.0 }, { -175.0, 250.0 } };
    ren_preset own;
    memset(&own, 0, sizeof own);
    if (caller) {
        const ren_status st = ren__options_copy(&own, sizeof own, caller, "ren_preset");
        if (st != REN_OK) return st;
    }
    own.struct_size = sizeof own;
    own.reserved = 0;
    if (own.kind != REN_PRESET_LUNG && own.kind != REN_PRESET_PAPER)
        return ren__error(REN_E_INVALID, "ren_preset: kind %d is neither REN_PRESET_LUNG nor REN_PRESET_PAPER",
                          (int)own.kind);
    if (own.window[0] == own.window[1]) memcpy(own.window, windows[own.kind], sizeof own.window);
    if (!isfinite(own.window[0]) || !isfinite(own.window[1]) || !(own.window[0] < own.window[1]))
        return ren__error(REN_E_INVALID, "ren_preset: the window must be two finite numbers of HU, the lower first");
    if (own.spacing == 0.0) own.spacing = 1.0;
    if (!(own.spacing >= smallest_spacing && own.spacing <= largest_spacing))
        return ren__error(REN_E_INVALID, "ren_preset: the spacing must be 0.25 to 10 mm");
    for (int a = 0; a < 3; a++) {
        if (own.size[a] == 0) own.size[a] = 96;
        if (own.size[a] < 1 || own.size[a] > LARGEST_SIZE)
            return ren__error(REN_E_INVALID, "ren_preset: sizes must be 1 to %d", LARGEST_SIZE);
    }
    *resolved = own;
    return REN_OK;
}

int ren__preset_equal(const ren_preset *a, const ren_preset *b) {
    return a->kind == b->kind && a->window[0] == b->window[0] && a->window[1] == b->window[1] &&
           a->spacing == b->spacing && a->size[0] == b->size[0] && a->size[1] == b->size[1] && a->size[2] == b->size[2];
}
