/* SPDX-License-Identifier: Apache-2.0 */
/* The operators of cropped networks, each against the whole map it stands for. */
#include "ops/background.h"
#include "ops/internal.h"

#include "harness.h"

enum { CHANNELS = 3, D = 4, H = 5, W = 6, CELLS = D * H * W, FEATURES = 10 };

/* A box of ones more than the background, somewhere in the map. */
typedef struct fixture {
    float value[CELLS * CHANNELS], map[CELLS * CHANNELS], whole[CELLS * CHANNELS];
    ren__background background;
    int64_t origin[3], size[3]; /* of the box, in cells */
} fixture;

/* How much of the background is kept: all, one cell, or borders of one cell and one for all between them. */
enum { KEEP_ALL, KEEP_ONE, KEEP_BORDERS };

static int64_t kept_index(int keep, int64_t i, int64_t size) {
    return keep == KEEP_ALL ? i : keep == KEEP_ONE ? 0 : i == 0 ? 0 : i == size - 1 ? 2 : 1;
}

static void set_up(fixture *f, int keep) {
    static const int64_t size[3] = { D, H, W }, origin[3] = { 1, 2, 3 }, box[3] = { 2, 2, 3 };
    memset(f, 0, sizeof *f);
    for (int i = 0; i < 3; i++)
        f->background.kept[i] = keep == KEEP_ALL ? size[i] : keep == KEEP_ONE ? 1 : 3;
    for (int i = 0; i < CELLS * CHANNELS; i++)
        f->value[i] = (float)(i * 37 % 19) / 8;
    for (int64_t i = 0; i < CELLS * CHANNELS; i++) {
        int64_t cell = i / CHANNELS, row = kept_index(keep, cell / (H * W), D) * f->background.kept[1];
        row = (row + kept_index(keep, cell / W % H, H)) * f->background.kept[2] + kept_index(keep, cell % W, W);
        f->map[i] = f->whole[i] = f->value[row * CHANNELS + i % CHANNELS];
    }
    for (int64_t cell = 0; cell < CELLS; cell++) {
        const int64_t at[3] = { cell / (H * W), cell / W % H, cell % W };
        int inside = 1;
        for (int i = 0; i < 3; i++)
            inside &= at[i] >= origin[i] && at[i] < origin[i] + box[i];
        for (int c = 0; inside && c < CHANNELS; c++)
            f->whole[cell * CHANNELS + c] += (float)(1 + cell % 5 + c);
    }
    memcpy(f->origin, origin, sizeof origin);
    memcpy(f->size, box, sizeof box);
    memcpy(f->background.size, size, sizeof size);
    f->background.channels = CHANNELS;
    for (int i = 0; i < 3; i++)
        f->background.stride[i] = 2; /* two voxels of the input to a cell */
    f->background.axes = 3;
    f->background.value = f->value;
}

/* The whole map's value; 0 outside. */
static float whole_at(const fixture *f, int64_t d, int64_t h, int64_t w, int64_t c) {
    return d < 0 || h < 0 || w < 0 || d >= D || h >= H || w >= W ? 0 : f->whole[((d * H + h) * W + w) * CHANNELS + c];
}

static void fill_box(const fixture *f, ren__session *session) {
    float *x = ren__session_input(session, "x");
    for (int64_t d = 0; d < f->size[0]; d++)
        for (int64_t h = 0; h < f->size[1]; h++)
            for (int64_t w = 0; w < f->size[2]; w++)
                for (int64_t c = 0; c < CHANNELS; c++)
                    x[((d * f->size[1] + h) * f->size[2] + w) * CHANNELS + c] =
                        whole_at(f, f->origin[0] + d, f->origin[1] + h, f->origin[2] + w, c);
    const int64_t voxels[3] = { 2 * f->origin[0], 2 * f->origin[1], 2 * f->origin[2] };
    ren__session_place(session, voxels);
}

static ren__value input_of(const fixture *f, ren__graph *graph) {
    return ren__graph_input(graph, "x", (ren__shape){ 5, { 1, f->size[0], f->size[1], f->size[2], CHANNELS } });
}

static ren_status check_halo(ren_context *context, int keep) {
    ren_status st = REN_OK;
    fixture f;
    ren__graph *graph = NULL;
    ren__weights *weights = NULL;
    ren__session *session = NULL;
    const int64_t before[3] = { 2, 1, 3 }, after[3] = { 1, 3, 1 }; /* past the map at d = -1, h = 6, w = 6 */
    set_up(&f, keep);
    REN_TRY(ren__graph_create(context, &graph));
    ren__graph_output(graph, "y", ren__halo(graph, input_of(&f, graph), &f.background, before, after));
    REN_TRY(ren__weights_create(context, graph, &weights));
    REN_TRY(ren__session_create(graph, weights, REN__INFER, &session));
    fill_box(&f, session);
    REN_TRY(ren__session_run(session, NULL));
    const ren__shape *shape = ren__session_output_shape(session, "y");
    const float *y = ren__session_output(session, "y");
    for (int i = 0; i < 3; i++)
        CHECK_INT(shape->dim[1 + i], f.size[i] + before[i] + after[i]);
    for (int64_t d = 0; d < shape->dim[1]; d++)
        for (int64_t h = 0; h < shape->dim[2]; h++)
            for (int64_t w = 0; w < shape->dim[3]; w++)
                for (int64_t c = 0; c < CHANNELS; c++)
                    CHECK(*y++ == whole_at(&f, f.origin[0] - before[0] + d, f.origin[1] - before[1] + h,
                                           f.origin[2] - before[2] + w, c));
out:
    ren__session_free(session);
    ren__weights_release(weights);
    ren__graph_free(graph);
    return st;
}

static ren_status test_a_halo_is_what_lies_around(ren_context *context) {
    ren_status st = REN_OK;
    for (int keep = KEEP_ALL; keep <= KEEP_BORDERS && st == REN_OK; keep++)
        st = check_halo(context, keep);
    return st;
}

static double weight_at(int64_t o, int64_t c, int64_t cell) {
    return (double)((o * 31 + c * 17 + cell * 7) % 23 - 11) / 16;
}

/* W on the flattened whole map (channels first) and a bias, in double. */
static double linear_on(const float *map, int64_t o) {
    double sum = 0.25 * (double)o;
    for (int64_t c = 0; c < CHANNELS; c++)
        for (int64_t cell = 0; cell < CELLS; cell++)
            sum += weight_at(o, c, cell) * (double)map[cell * CHANNELS + c];
    return sum;
}

static ren_status check_box_linear(ren_context *context, int keep) {
    ren_status st = REN_OK;
    fixture f;
    float base[FEATURES];
    ren__graph *graph = NULL;
    ren__weights *weights = NULL;
    ren__session *session = NULL;
    set_up(&f, keep);
    for (int64_t o = 0; o < FEATURES; o++)
        base[o] = (float)linear_on(f.map, o);
    REN_TRY(ren__graph_create(context, &graph));
    ren__value x = input_of(&f, graph);
    int32_t weight =
        ren__graph_parameter(graph, "fc", "weight", ren__shape_of(2, (int64_t[]){ FEATURES, CELLS * CHANNELS }),
                             (ren__initialiser){ REN__INIT_ZERO, 0 }, 1);
    ren__graph_output(graph, "y", ren__box_linear(graph, x, &f.background, base, weight, FEATURES));
    REN_TRY(ren__weights_create(context, graph, &weights));
    for (int64_t i = 0; i < FEATURES * CHANNELS * CELLS; i++)
        ren__weights_data(weights, 0)[i] = (float)weight_at(i / (CHANNELS * CELLS), i / CELLS % CHANNELS, i % CELLS);
    REN_TRY(ren__session_create(graph, weights, REN__INFER, &session));
    fill_box(&f, session);
    REN_TRY(ren__session_run(session, NULL));
    for (int64_t o = 0; o < FEATURES; o++)
        CHECK_NEAR(ren__session_output(session, "y")[o], linear_on(f.whole, o), 1e-4);
out:
    ren__session_free(session);
    ren__weights_release(weights);
    ren__graph_free(graph);
    return st;
}

static ren_status test_a_linear_layer_on_the_box_alone(ren_context *context) {
    ren_status st = REN_OK;
    for (int keep = KEEP_ALL; keep <= KEEP_BORDERS && st == REN_OK; keep++)
        st = check_box_linear(context, keep);
    return st;
}

TEST_MAIN(CASE(test_a_halo_is_what_lies_around), CASE(test_a_linear_layer_on_the_box_alone))
