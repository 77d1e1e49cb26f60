/* SPDX-License-Identifier: Apache-2.0 */
/* Steps, the bordered grid, loops over rows on every instruction set, and features of matrices of levels by sizes. */
#include "radiomics/texture.h"

#include "base/processors.h"
#include "radiomics/texture_rows.h"

#include "texture_fixture.h"

static ren_status test_steps_are_pyradiomics(ren_context *context) {
    ren_status st = REN_OK;
    static const int64_t cube[3] = { 5, 5, 5 }, plate[3] = { 5, 1, 5 }, line[3] = { 1, 1, 4 }, point[3] = { 1, 1, 1 };
    /* What cMatrices.generate_angles gives, along x, y, z. */
    static const int32_t first[13][3] = { { 1, 1, 1 },  { 0, 1, 1 },  { -1, 1, 1 }, { 1, 0, 1 },   { 0, 0, 1 },
                                          { -1, 0, 1 }, { 1, -1, 1 }, { 0, -1, 1 }, { -1, -1, 1 }, { 1, 1, 0 },
                                          { 0, 1, 0 },  { -1, 1, 0 }, { 1, 0, 0 } };
    const ren__doubles two = { 2, { 1.0, 2.0 } }, twice = { 2, { 1.0, 1.0 } }, far = { 2, { 1.0, 9.0 } };
    ren__steps steps = { NULL, 0 };
    struct {
        const int64_t *shape;
        const ren__doubles *distances;
        int32_t still, both, count;
    } cases[] = {
        { cube, NULL, REN__STILL_NONE, 1, 26 },
        { cube, NULL, 2, 0, 4 },
        { plate, NULL, REN__STILL_NONE, 0, 4 },
        { plate, NULL, 0, 0, 1 },
        { line, NULL, 2, 1, 0 },
        { point, NULL, REN__STILL_NONE, 1, 0 },
        { cube, &two, REN__STILL_NONE, 0, 62 },
        { cube, &twice, REN__STILL_NONE, 0, 26 },
        { cube, &far, REN__STILL_NONE, 1, 26 },
        { line, &two, REN__STILL_NONE, 1, 4 },
    };

    REN_TRY(ren__steps_create(context, cube, NULL, REN__STILL_NONE, 0, &steps));
    CHECK_INT(steps.count, 13);
    for (int s = 0; s < 13; s++)
        CHECK(memcmp(steps.items[s].along, first[s], sizeof first[s]) == 0);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        ren__steps_free(&steps);
        REN_TRY(ren__steps_create(context, cases[c].shape, cases[c].distances, cases[c].still, cases[c].both, &steps));
        CHECK_INT(steps.count, cases[c].count);
        for (int64_t s = 0; s < steps.count; s++)
            for (int a = 0; a < 3; a++) {
                CHECK(llabs(steps.items[s].along[a]) < cases[c].shape[a]);
                CHECK(a != cases[c].still || steps.items[s].along[a] == 0);
            }
    }
out:
    ren__steps_free(&steps);
    return st;
}

static ren_status test_too_many_steps_are_refused(ren_context *context) {
    ren_status st = REN_OK;
    const int64_t huge[3] = { 2000, 2000, 2000 };
    const ren__doubles far = { 1, { 900.0 } };
    ren__steps steps = { NULL, 0 };

    CHECK_FAILS(ren__steps_create(context, huge, &far, REN__STILL_NONE, 1, &steps), REN_E_LIMIT, "distances");
out:
    return st;
}

static ren_status test_step_lengths(ren_context *context) {
    ren_status st = REN_OK;
    const ren__step step = { { -1, 2, 1 } };
    const double spacing[3] = { 3.0, 2.0, 12.0 };

    (void)context;
    CHECK_NEAR(ren__step_length(&step, spacing, REN__NORM_EUCLIDEAN), 13.0, 1e-14);
    CHECK_NEAR(ren__step_length(&step, spacing, REN__NORM_MANHATTAN), 19.0, 1e-14);
    CHECK_NEAR(ren__step_length(&step, spacing, REN__NORM_INFINITY), 12.0, 1e-14);
    CHECK_NEAR(ren__step_length(&step, spacing, REN__NORM_NO_WEIGHTING), 1.0, 0.0);
out:
    return st;
}

static int cell_at(const ren__level_grid *grid, int64_t cell) {
    return grid->wide ? ((const uint16_t *)grid->cells)[cell] : ((const uint8_t *)grid->cells)[cell];
}

static ren_status test_a_grid_leads_to_every_neighbour(ren_context *context) {
    ren_status st = REN_OK;
    static const test_shape shapes[] = { { { 7, 5, 4 }, 9, 0.5, 0, 0 },
                                         { { 19, 3, 2 }, 300, 0.7, 0, 0 },
                                         { { 1, 6, 3 }, 2, 0.3, 0, 0 } };
    const ren__doubles distances = { 2, { 1.0, 2.0 } };
    ren__steps steps = { NULL, 0 };
    ren__level_grid grid = { 0 };
    test_region made = { 0 };

    for (size_t c = 0; c < sizeof shapes / sizeof *shapes; c++) {
        const int64_t *n = shapes[c].shape;
        REN_TRY(test_region_create(context, &shapes[c], 11 + c, &made));
        REN_TRY(ren__steps_create(context, n, &distances, REN__STILL_NONE, 1, &steps));
        REN_TRY(ren__level_grid_create(&made.region, steps.items, steps.count, NULL, &grid));
        CHECK_INT(grid.wide, shapes[c].levels > 255);
        for (int64_t v = 0; v < n[0] * n[1] * n[2]; v++) {
            const int64_t x = v % n[0], y = v / n[0] % n[1], z = v / n[0] / n[1];
            const int64_t cell = grid.origin + z * grid.plane + y * grid.pitch + x;
            const int32_t *span = grid.spans + 2 * (z * n[1] + y);
            CHECK(!made.levels[v] || (x >= span[0] && x < span[1]));
            for (int64_t s = 0; s < steps.count; s++) {
                const int32_t *d = steps.items[s].along;
                CHECK_INT(cell_at(&grid, cell + ren__level_grid_distance(&grid, &steps.items[s])),
                          test_level(&made.region, x + d[0], y + d[1], z + d[2]));
            }
        }
        ren__level_grid_free(&grid);
        ren__steps_free(&steps);
        test_region_free(&made);
    }
out:
    ren__level_grid_free(&grid);
    ren__steps_free(&steps);
    test_region_free(&made);
    return st;
}

enum { ROW = 100, PAD = 80, CELLS = PAD + ROW + PAD + REN__ROW_OVERRUN, STEPS = 300 };

/* Cells of one width, with random levels and distances. */
typedef struct rows {
    uint8_t narrow[CELLS];
    uint16_t wide[CELLS];
    int64_t distances[STEPS];
    uint16_t low[ROW + REN__ROW_OVERRUN], width[ROW + REN__ROW_OVERRUN], before[ROW + REN__ROW_OVERRUN];
    uint16_t out[ROW + REN__ROW_OVERRUN];
    uint32_t sum[ROW + REN__ROW_OVERRUN];
} rows;

static ren_status check_rows(const ren__row_kernels *kernels, int wide, rows *r) {
    ren_status st = REN_OK;
    const uint16_t *c = r->wide + PAD;
    const void *centre = wide ? (const void *)(r->wide + PAD) : (const void *)(r->narrow + PAD);

    kernels->equal(centre, r->distances, STEPS, ROW, r->out);
    for (int x = 0; x < ROW; x++) {
        int count = 0;
        for (int s = 0; s < STEPS; s++)
            count += c[x + r->distances[s]] == c[x];
        CHECK_INT(r->out[x], count);
    }
    kernels->within(centre, r->distances, STEPS, ROW, r->low, r->width, r->out);
    for (int x = 0; x < ROW; x++) {
        int count = 0;
        for (int s = 0; s < STEPS; s++)
            count += c[x + r->distances[s]] >= r->low[x] && c[x + r->distances[s]] <= r->low[x] + r->width[x];
        CHECK_INT(r->out[x], count);
    }
    kernels->neighbours(centre, r->distances, STEPS, ROW, r->out, r->sum);
    for (int x = 0; x < ROW; x++) {
        uint32_t count = 0, sum = 0;
        for (int s = 0; s < STEPS; s++) {
            count += c[x + r->distances[s]] != 0;
            sum += c[x + r->distances[s]];
        }
        CHECK_INT(r->out[x], count);
        CHECK_INT(r->sum[x], sum);
    }
    kernels->match(centre, r->distances, 13, ROW, r->out);
    for (int x = 0; x < ROW; x++)
        for (int s = 0; s < 13; s++)
            CHECK_INT(r->out[x] >> s & 1, c[x + r->distances[s]] == c[x]);
    kernels->advance(centre, r->distances[0], ROW, r->before, r->out);
    for (int x = 0; x < ROW; x++)
        CHECK_INT(r->out[x], c[x + r->distances[0]] == c[x] ? r->before[x] + 1 : 1);
out:
    return st;
}

static ren_status test_rows_are_the_same_on_every_set(ren_context *context) {
    ren_status st = REN_OK;
    static rows r;
    const ren__row_kernels *sets[] = { ren__row_kernels_plain, ren__row_kernels_avx2, ren__row_kernels_avx512 };
    ren__rng rng;

    (void)context;
    ren__rng_init(&rng, 3, 1, 1);
    for (int wide = 0; wide < 2; wide++) {
        for (int i = 0; i < CELLS; i++) {
            /* Few levels, so that some are equal, and the largest ones, for sums. */
            const uint32_t level = ren__rng_below(&rng, 5);
            r.wide[i] = (uint16_t)(level == 4 ? (wide ? 65535 : 255) : level);
            r.narrow[i] = (uint8_t)r.wide[i];
        }
        for (int s = 0; s < STEPS; s++)
            r.distances[s] = (int64_t)ren__rng_below(&rng, 2 * PAD + 1) - PAD;
        for (int x = 0; x < ROW; x++) {
            r.low[x] = (uint16_t)(1 + ren__rng_below(&rng, 3));
            r.width[x] = (uint16_t)ren__rng_below(&rng, 3);
            r.before[x] = (uint16_t)ren__rng_below(&rng, 500);
        }
        for (int set = 0; set < 3; set++)
            if (set + REN_ISA_PLAIN <= ren__processor_isa()) REN_TRY(check_rows(&sets[set][wide], wide, &r));
    }
out:
    return st;
}

static ren_status test_size_features_follow_their_formulas(ren_context *context) {
    ren_status st = REN_OK;
    enum { LEVELS = 5, SIZES = 7 };
    const double grey[LEVELS] = { 1, 2, 4, 7, 8 };
    double p[LEVELS * SIZES] = { 0 }, values[REN__SIZE_FEATURES], voxels = 0.0;
    ren__size_matrix matrix = { 0 };
    ren__rng rng;

    ren__rng_init(&rng, 5, 5, 5);
    for (int k = 0; k < 40; k++) { /* in any order, the same cell more than once */
        const int32_t level = (int32_t)ren__rng_below(&rng, LEVELS), size = (int32_t)ren__rng_below(&rng, SIZES);
        const double count = 1.0 + ren__rng_below(&rng, 5);
        p[level * SIZES + size] += count;
        voxels += count * (size + 1);
        REN_TRY(ren__size_matrix_add(context, &matrix, level + 1, size + 1, count));
    }
    ren__size_matrix_finish(&matrix);
    for (int64_t c = 1; c < matrix.count; c++)
        CHECK(matrix.cells[c].size > matrix.cells[c - 1].size ||
              (matrix.cells[c].size == matrix.cells[c - 1].size && matrix.cells[c].level > matrix.cells[c - 1].level));
    REN_TRY(ren__size_features(context, &matrix, grey, LEVELS, 0.0, values));
    const test_sizes plain = { LEVELS, SIZES, p, grey, voxels };
    for (int f = 0; f < REN__SIZE_FEATURES; f++)
        CHECK_NEAR(values[f] / test_any_size_feature(&plain, f), 1.0, 1e-12);
    matrix.count = 0;
    REN_TRY(ren__size_features(context, &matrix, grey, LEVELS, 0.0, values));
    for (int f = 0; f < REN__SIZE_FEATURES; f++)
        CHECK(isnan(values[f]));
out:
    ren__size_matrix_free(&matrix);
    return st;
}

static ren_status test_slices_and_means(ren_context *context) {
    ren_status st = REN_OK;
    const test_shape shape = { { 6, 5, 4 }, 3, 0.4, 0, 0 };
    ren__texture_mean mean = { 0 };
    const double a[2] = { 1.0, (double)NAN }, b[2] = { 4.0, 2.0 };
    test_region made = { 0 };
    int64_t count = 0;
    ren__region slice;

    REN_TRY(test_region_create(context, &shape, 21, &made));
    for (int64_t z = 0; z < 4; z++) {
        ren__region_slice(&made.region, z, &slice);
        count += slice.count;
        CHECK_INT(slice.shape[2], 1);
        for (int64_t v = 0; v < 30; v++)
            CHECK_INT(test_level(&slice, v % 6, v / 6, 0), test_level(&made.region, v % 6, v / 6, z));
    }
    CHECK_INT(count, made.region.count);
    CHECK(isnan(ren__texture_mean_value(&mean, 0)));
    ren__texture_mean_add(&mean, a, 2);
    ren__texture_mean_add(&mean, b, 2);
    CHECK_NEAR(ren__texture_mean_value(&mean, 0), 2.5, 0.0);
    CHECK_NEAR(ren__texture_mean_value(&mean, 1), 2.0, 0.0);
out:
    test_region_free(&made);
    return st;
}

TEST_MAIN(CASE(test_steps_are_pyradiomics), CASE(test_too_many_steps_are_refused), CASE(test_step_lengths),
          CASE(test_a_grid_leads_to_every_neighbour), CASE(test_rows_are_the_same_on_every_set),
          CASE(test_size_features_follow_their_formulas), CASE(test_slices_and_means))
