/* SPDX-License-Identifier: Apache-2.0 */
/* Connected components against pictures made by hand, and against a flood fill on a random mask. */
#include <stdlib.h>

#include "base/random.h"
#include "harness.h"
#include "volume/volume.h"

static const double identity[16] = { 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1 };

/* Two pairs that touch by a face, one more pair by an edge, one by a corner only. */
static ren_status make_touching(ren_context *context, ren_volume **out) {
    static const int cells[6][3] = { { 0, 0, 0 }, { 1, 0, 0 }, { 2, 1, 0 }, { 3, 2, 1 }, { 0, 4, 4 }, { 0, 4, 3 } };
    const int64_t shape[3] = { 5, 5, 5 };
    void *data = NULL;
    const ren_status st = ren__volume_allocate(context, REN_TYPE_U8, shape, identity, &data, out);
    for (int c = 0; c < 6 && st == REN_OK; c++)
        ((uint8_t *)data)[cells[c][0] + 5 * cells[c][1] + 25 * cells[c][2]] = (uint8_t)(c + 1);
    return st;
}

static ren_status test_connectivity(ren_context *context) {
    ren_status st = REN_OK;
    ren_volume *mask = NULL, *result = NULL;
    static const int32_t expected[3][2] = { { 6, 4 }, { 18, 3 }, { 26, 2 } };
    REN_TRY(make_touching(context, &mask));
    for (int c = 0; c < 3; c++) {
        int32_t count = 0;
        REN_TRY(ren_volume_components(mask, expected[c][0], &result, &count));
        CHECK_INT(count, expected[c][1]);
        ren_volume_free(result);
        result = NULL;
    }
    CHECK_FAILS(ren_volume_components(mask, 8, &result, NULL), REN_E_INVALID, "connectivity");
out:
    ren_volume_free(mask);
    ren_volume_free(result);
    return st;
}

static ren_status test_numbered_by_falling_size(ren_context *context) {
    ren_status st = REN_OK;
    ren_volume *mask = NULL, *result = NULL;
    const int64_t shape[3] = { 9, 1, 1 };
    static const int32_t expected[9] = { 2, 0, 1, 1, 1, 0, 3, 0, 0 };
    void *data = NULL;
    int32_t count = 0;
    REN_TRY(ren__volume_allocate(context, REN_TYPE_F32, shape, identity, &data, &mask));
    for (int i = 0; i < 9; i++)
        ((float *)data)[i] = expected[i] ? -0.25F : 0.0F;
    REN_TRY(ren_volume_components(mask, 6, &result, &count));
    CHECK_INT(count, 3);
    for (int i = 0; i < 9; i++)
        CHECK_INT(((const int32_t *)(const void *)result->data)[i], expected[i]);
out:
    ren_volume_free(mask);
    ren_volume_free(result);
    return st;
}

static ren_status test_empty_mask(ren_context *context) {
    ren_status st = REN_OK;
    ren_volume *mask = NULL, *result = NULL;
    const int64_t shape[3] = { 3, 2, 2 };
    int32_t count = 9;
    REN_TRY(ren__volume_allocate(context, REN_TYPE_I16, shape, identity, NULL, &mask));
    REN_TRY(ren_volume_components(mask, 26, &result, &count));
    CHECK_INT(count, 0);
    CHECK_INT(ren_volume_type(result), REN_TYPE_I32);
out:
    ren_volume_free(mask);
    ren_volume_free(result);
    return st;
}

enum { EDGE = 24, CELLS = EDGE * EDGE * EDGE };

static int touch(const int step[3], int32_t connectivity) {
    const int moved = abs(step[0]) + abs(step[1]) + abs(step[2]);
    return moved > 0 && moved <= (connectivity == 6 ? 1 : connectivity == 18 ? 2 : 3);
}

/* Marks all that is connected with `seed`, by a stack; how many voxels that are. */
static int flood(const uint8_t *mask, int32_t *mark, int32_t *stack, int seed, int32_t number, int32_t connectivity) {
    int top = 0, voxels = 0;
    stack[top++] = seed;
    mark[seed] = number;
    while (top) {
        const int at = stack[--top];
        voxels++;
        for (int n = 0; n < 27; n++) {
            const int step[3] = { n % 3 - 1, n / 3 % 3 - 1, n / 9 - 1 };
            const int to[3] = { at % EDGE + step[0], at / EDGE % EDGE + step[1], at / (EDGE * EDGE) + step[2] };
            if (!touch(step, connectivity)) continue;
            if (to[0] < 0 || to[1] < 0 || to[2] < 0 || to[0] >= EDGE || to[1] >= EDGE || to[2] >= EDGE) continue;
            const int next = to[0] + EDGE * (to[1] + EDGE * to[2]);
            if (!mask[next] || mark[next]) continue;
            mark[next] = number;
            stack[top++] = next;
        }
    }
    return voxels;
}

static ren_status check_against_flood(ren_context *context, int32_t connectivity, uint32_t share) {
    ren_status st = REN_OK;
    ren_volume *mask = NULL, *result = NULL;
    const int64_t shape[3] = { EDGE, EDGE, EDGE };
    int32_t *mark = NULL, *stack = NULL, count = 0, found = 0;
    void *data = NULL;
    ren__rng rng;
    ren__rng_init(&rng, 5, share, (uint32_t)connectivity);
    REN_TRY(ren__volume_allocate(context, REN_TYPE_U8, shape, identity, &data, &mask));
    REN_CALLOC(mark, CELLS);
    REN_CALLOC(stack, CELLS);
    for (int i = 0; i < CELLS; i++)
        ((uint8_t *)data)[i] = ren__rng_below(&rng, 100) < share;
    REN_TRY(ren_volume_components(mask, connectivity, &result, &count));
    const int32_t *numbers = (const int32_t *)(const void *)result->data;
    for (int i = 0; i < CELLS; i++) {
        if (!((uint8_t *)data)[i]) {
            CHECK_INT(numbers[i], 0);
            continue;
        }
        if (mark[i]) continue;
        int voxels = 0;
        found++;
        const int flooded = flood(data, mark, stack, i, found, connectivity);
        for (int v = 0; v < CELLS; v++) {
            voxels += numbers[v] == numbers[i];
            if (mark[v] == found) CHECK_INT(numbers[v], numbers[i]);
        }
        CHECK_INT(voxels, flooded);
    }
    CHECK_INT(count, found);
out:
    ren_volume_free(mask);
    ren_volume_free(result);
    ren__free(mark);
    ren__free(stack);
    return st;
}

static ren_status test_random_masks(ren_context *context) {
    ren_status st = REN_OK;
    for (int c = 0; c < 3; c++) {
        static const int32_t connectivity[3] = { 6, 18, 26 };
        REN_TRY(check_against_flood(context, connectivity[c], 12));
        REN_TRY(check_against_flood(context, connectivity[c], 35));
    }
out:
    return st;
}

TEST_MAIN(CASE(test_connectivity), CASE(test_numbered_by_falling_size), CASE(test_empty_mask),
          CASE_ONCE(test_random_masks))
