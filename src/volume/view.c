/* SPDX-License-Identifier: Apache-2.0 */
/* The same voxels in another order of axes: permutations and flips without a copy. */
#include <string.h>

#include "volume/geometry.h"
#include "volume/volume.h"

/* World axis and sense of one letter; 0 where it is no letter of an anatomical axis. */
static int parse_letter(char letter, int32_t *world, int32_t *against) {
    static const char letters[] = "RLAPSI";
    const char *at = letter ? strchr(letters, letter) : NULL;
    if (!at) return 0;
    *world = (int32_t)(at - letters) / 2;
    *against = (int32_t)(at - letters) % 2;
    return 1;
}

ren_status ren__volume_axes(const ren_volume *volume, const char *axes, int32_t order[3], int32_t flip[3]) {
    int32_t world[3], against[3], wanted[3] = { 0, 0, 0 }, sense[3] = { 0, 0, 0 };
    unsigned seen = 0;
    if (strlen(axes) == 3)
        for (int a = 0; a < 3; a++)
            if (parse_letter(axes[a], &wanted[a], &sense[a])) seen |= 1U << wanted[a];
    if (seen != 7)
        return ren__error(REN_E_INVALID,
                          "orientation \"%.8s\": three letters are needed, one each of R/L, A/P and S/I, "
                          "for instance RAS",
                          axes);
    ren__affine_nearest_axes(volume->affine, world, against);
    for (int a = 0; a < 3; a++)
        for (int old = 0; old < 3; old++)
            if (world[old] == wanted[a]) {
                order[a] = old;
                flip[a] = against[old] != sense[a];
            }
    return REN_OK;
}

ren_status ren__volume_view(const ren_volume *volume, const int32_t order[3], const int32_t flip[3], ren_volume **out) {
    ren_context *context = volume->context;
    ren_volume *view = ren__alloc(context, sizeof *view);
    if (!view) return ren__out_of_memory();
    memset(view, 0, sizeof *view);
    atomic_init(&view->references, 1);
    view->context = ren__context_retain(context);
    view->type = volume->type;
    view->slope = volume->slope;
    view->intercept = volume->intercept;
    view->unit_unknown = volume->unit_unknown;
    view->rescaled = volume->rescaled;
    view->planar = volume->planar && order[2] == 2;
    view->base = ren__volume_retain(volume->base ? volume->base : volume);

    double first[3] = { 0.0, 0.0, 0.0 }; /* old index of the new first voxel */
    int64_t offset = 0;
    for (int a = 0; a < 3; a++) {
        int32_t old = order[a];
        view->shape[a] = volume->shape[old];
        view->spacing[a] = volume->spacing[old];
        view->strides[a] = flip[a] ? -volume->strides[old] : volume->strides[old];
        if (flip[a]) {
            first[old] = (double)(volume->shape[old] - 1);
            offset += volume->strides[old] * (volume->shape[old] - 1);
        }
    }
    view->data = volume->data + offset;

    double origin[3];
    ren__affine_apply(volume->affine, first, origin);
    for (int r = 0; r < 3; r++) {
        for (int a = 0; a < 3; a++) {
            double element = volume->affine[4 * r + order[a]];
            view->affine[4 * r + a] = flip[a] && element != 0.0 ? -element : element;
        }
        view->affine[4 * r + 3] = origin[r];
    }
    view->affine[15] = 1.0;
    *out = view;
    return REN_OK;
}

ren_status ren_volume_reorient(const ren_volume *volume, const char *axes, ren_volume **out) {
    int32_t order[3] = { 0, 1, 2 }, flip[3] = { 0, 0, 0 };
    REN_REQUIRE(out);
    *out = NULL;
    REN_REQUIRE(volume && axes);
    ren_status st = ren__volume_axes(volume, axes, order, flip);
    return st == REN_OK ? ren__volume_view(volume, order, flip, out) : st;
}
