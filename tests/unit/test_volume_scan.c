/* SPDX-License-Identifier: Apache-2.0 */
/* Scans: both presets against scipy and PyTorch (tests/conformance/preprocess.py), and every rule of the input. */
#include "conformance/preprocess.h"
#include "harness.h"
#include "volume/scan.h"

enum { NX = 20, NY = 24, NZ = 18, VOXELS = NX * NY * NZ, CELLS = 8 * 8 * 8 };

/* LPS, as the synthetic pair of preprocess.py. */
static const double lps[16] = { -1.75, 0, 0, 30, 0, -1.5, 0, 12, 0, 0, 2.25, -90, 0, 0, 0, 1 };

typedef struct pair {
    ren_volume *ct, *lobes;
    float *hu;       /* of ct */
    uint8_t *labels; /* of lobes */
} pair;

static int inside(double i, double j, double k, double centre) {
    return (i - centre) * (i - centre) / 14 + (j - 11.5) * (j - 11.5) / 72 + (k - 9) * (k - 9) / 44 < 1;
}

static void fill_pair(const pair *p) {
    for (int k = 0, at = 0; k < NZ; k++)
        for (int j = 0; j < NY; j++)
            for (int i = 0; i < NX; i++, at++) {
                const int slope = 4 * k + j;
                uint8_t label = 0;
                if (inside(i, j, k, 14)) label = slope < 46 ? 2 : 1;
                if (inside(i, j, k, 5)) label = slope < 40 ? 5 : slope < 54 ? 4 : 3;
                p->labels[at] = label;
                p->hu[at] = (float)(label ? (i * 37 + j * 101 + k * 53 + i * j * 7 + j * k * 3) % 700 - 900
                                          : 40 + (i * 3 + j * 5 + k) % 30);
            }
}

static ren_status make_pair(ren_context *context, pair *p) {
    const int64_t shape[3] = { NX, NY, NZ };
    void *hu = NULL, *labels = NULL;
    memset(p, 0, sizeof *p);
    ren_status st = ren__volume_allocate(context, REN_TYPE_F32, shape, lps, &hu, &p->ct);
    if (st == REN_OK) st = ren__volume_allocate(context, REN_TYPE_U8, shape, lps, &labels, &p->lobes);
    if (st != REN_OK) return st;
    p->hu = hu;
    p->labels = labels;
    fill_pair(p);
    return REN_OK;
}

static void free_pair(pair *p) {
    ren_volume_free(p->ct);
    ren_volume_free(p->lobes);
}

static ren_status small_preset(int32_t kind, ren_preset *preset) {
    const ren_status st = ren_preset_init(preset, sizeof *preset);
    preset->kind = kind;
    for (int a = 0; a < 3; a++)
        preset->size[a] = 8;
    return st;
}

static ren_status make_scan(ren_context *context, const pair *p, int32_t kind, ren_scan **out) {
    ren_preset preset;
    const ren_status st = small_preset(kind, &preset);
    return st == REN_OK ? ren_scan_create(context, p->ct, p->lobes, &preset, NULL, out) : st;
}

static int in_region(float label, int region) {
    if (region == REN_REGION_LEFT_LUNG) return label == 1.0F || label == 2.0F;
    if (region == REN_REGION_RIGHT_LUNG) return label == 3.0F || label == 4.0F || label == 5.0F;
    return label == (float)(region + 1);
}

static ren_status check_scan(ren_context *context, int32_t kind, const float *image, const float *label) {
    ren_status st = REN_OK;
    pair p;
    ren_scan *scan = NULL;
    float seen[CELLS];
    REN_TRY(make_pair(context, &p));
    REN_TRY(make_scan(context, &p, kind, &scan));
    for (int i = 0; i < CELLS; i++)
        CHECK_NEAR(scan->image[i], image[i], 1e-6);
    for (int region = 0; region < REN_REGION_COUNT; region++) {
        int64_t cells = 0;
        ren__scan_fill(scan, region, NULL, seen);
        for (int i = 0; i < CELLS; i++) {
            cells += in_region(label[i], region);
            CHECK_NEAR(seen[i], in_region(label[i], region) ? image[i] : 0.0F, 1e-6);
        }
        CHECK_INT(scan->voxels[region], cells);
    }
    if (kind == REN_PRESET_PAPER)
        for (int i = 0; i < CELLS; i++)
            CHECK_NEAR(scan->label[i], label[i], 1e-6);
out:
    free_pair(&p);
    ren_scan_free(scan);
    return st;
}

static ren_status test_lung_preset(ren_context *context) {
    return check_scan(context, REN_PRESET_LUNG, expected_lung_image, expected_lung_label);
}

static ren_status test_paper_preset(ren_context *context) {
    return check_scan(context, REN_PRESET_PAPER, expected_paper_image, expected_paper_label);
}

/* The pair in another order of axes, and the label map in another than the CT: the same scan. */
static ren_status test_orientation_does_not_matter(ren_context *context) {
    ren_status st = REN_OK;
    pair p;
    ren_scan *plain = NULL, *turned = NULL;
    ren_volume *ct = NULL, *lobes = NULL;
    ren_preset preset;
    REN_TRY(make_pair(context, &p));
    REN_TRY(small_preset(REN_PRESET_LUNG, &preset));
    REN_TRY(ren_volume_reorient(p.ct, "SAL", &ct));
    REN_TRY(ren_volume_reorient(p.lobes, "IRP", &lobes));
    REN_TRY(make_scan(context, &p, REN_PRESET_LUNG, &plain));
    REN_TRY(ren_scan_create(context, ct, lobes, &preset, NULL, &turned));
    CHECK(!memcmp(plain->image, turned->image, CELLS * sizeof *plain->image));
    CHECK(!memcmp(plain->lobe, turned->lobe, CELLS));
out:
    free_pair(&p);
    ren_volume_free(ct);
    ren_volume_free(lobes);
    ren_scan_free(plain);
    ren_scan_free(turned);
    return st;
}

static ren_status test_boxes_hold_their_regions(ren_context *context) {
    ren_status st = REN_OK;
    pair p;
    ren_scan *scan = NULL;
    float whole[CELLS], part[CELLS];
    REN_TRY(make_pair(context, &p));
    REN_TRY(make_scan(context, &p, REN_PRESET_LUNG, &scan));
    for (int region = 0; region < REN_REGION_COUNT; region++) {
        const ren__box *box = &scan->box[region];
        double all = 0.0, boxed = 0.0;
        int64_t count = 1;
        for (int a = 0; a < 3; a++)
            count *= box->end[a] - box->begin[a];
        CHECK(count > 0 && count < CELLS);
        ren__scan_fill(scan, region, NULL, whole);
        ren__scan_fill(scan, region, box, part);
        for (int i = 0; i < CELLS; i++)
            all += (double)whole[i];
        for (int64_t i = 0; i < count; i++)
            boxed += (double)part[i];
        CHECK_NEAR(boxed, all, 1e-9);
    }
out:
    free_pair(&p);
    ren_scan_free(scan);
    return st;
}

/* The prepared volumes lie where the CT lies: 35 mm along x are 8 cells. */
static ren_status test_prepared_volumes(ren_context *context) {
    ren_status st = REN_OK;
    pair p;
    ren_scan *scan = NULL;
    ren_volume *image = NULL, *region = NULL;
    float values[CELLS];
    double affine[16], spacing[3];
    REN_TRY(make_pair(context, &p));
    REN_TRY(make_scan(context, &p, REN_PRESET_LUNG, &scan));
    REN_TRY(ren_scan_image(scan, &image));
    CHECK_FAILS(ren_scan_region(scan, 8, &region), REN_E_INVALID, "region");
    REN_TRY(ren_scan_region(scan, REN_REGION_RLL, &region));
    ren_scan_free(scan);
    scan = NULL; /* the volumes hold what they need */
    ren_volume_affine(image, affine);
    ren_volume_spacing(image, spacing);
    CHECK_NEAR(spacing[0], 35.0 / 8, 1e-12);
    CHECK_NEAR(spacing[1], 36.0 / 8, 1e-12);
    CHECK_NEAR(spacing[2], 41.0 / 8, 1e-12);                       /* 40.5 mm, whole voxels of 1 mm */
    CHECK_NEAR(affine[3], 30 - 19 * 1.75 - 0.5 + 35.0 / 16, 1e-9); /* half a cell from the grid's edge */
    REN_TRY(ren_volume_copy(image, values, CELLS));                /* x fastest: D, H, W are x, y, z */
    CHECK_NEAR(values[3 + 8 * (4 + 8 * 5)], expected_lung_image[(3 * 8 + 4) * 8 + 5], 1e-6);
    REN_TRY(ren_volume_copy(region, values, CELLS));
    for (int i = 0; i < CELLS; i++)
        if (expected_lung_label[i] != 5.0F) CHECK_NEAR(values[i / 64 + 8 * (i / 8 % 8 + 8 * (i % 8))], 0.0, 0.0);
out:
    free_pair(&p);
    ren_scan_free(scan);
    ren_volume_free(image);
    ren_volume_free(region);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ refusals */

static ren_status test_refuses_labels(ren_context *context) {
    ren_status st = REN_OK;
    pair p;
    ren_scan *scan = NULL;
    REN_TRY(make_pair(context, &p));
    p.labels[77] = 6;
    CHECK_FAILS(make_scan(context, &p, 0, &scan), REN_E_DATA, "label 6");
    memset(p.labels, 0, VOXELS);
    CHECK_FAILS(make_scan(context, &p, 0, &scan), REN_E_DATA, "empty");
    p.lobes->slope = 0.5; /* interpolated labels */
    memset(p.labels, 1, 9);
    CHECK_FAILS(make_scan(context, &p, 0, &scan), REN_E_DATA, "whole numbers");
out:
    free_pair(&p);
    ren_scan_free(scan);
    return st;
}

static ren_status test_refuses_swapped_sides(ren_context *context) {
    ren_status st = REN_OK;
    pair p;
    ren_scan *scan = NULL;
    REN_TRY(make_pair(context, &p));
    for (int i = 0; i < VOXELS; i++) { /* 1 with 3, 2 with 5: each lung gets the other's labels */
        static const uint8_t other[6] = { 0, 3, 5, 1, 1, 2 };
        p.labels[i] = other[p.labels[i]];
    }
    CHECK_FAILS(make_scan(context, &p, 0, &scan), REN_E_DATA, "swapped");
out:
    free_pair(&p);
    ren_scan_free(scan);
    return st;
}

static ren_status test_refuses_values(ren_context *context) {
    ren_status st = REN_OK;
    pair p;
    ren_scan *scan = NULL;
    REN_TRY(make_pair(context, &p));
    for (int i = 0; i < VOXELS / 1000 + 1; i++)
        p.hu[i] = i % 2 ? NAN : INFINITY;
    CHECK_FAILS(make_scan(context, &p, 0, &scan), REN_E_DATA, "NaN");
    fill_pair(&p);
    for (int i = 0; i < VOXELS; i++)
        p.hu[i] += 1024.0F; /* the rescale intercept is lost */
    CHECK_FAILS(make_scan(context, &p, 0, &scan), REN_E_DATA, "-200 HU");
out:
    free_pair(&p);
    ren_scan_free(scan);
    return st;
}

static ren_status test_refuses_grids(ren_context *context) {
    ren_status st = REN_OK;
    pair p;
    ren_scan *scan = NULL;
    REN_TRY(make_pair(context, &p));
    p.lobes->affine[3] += 0.0125;
    REN_TRY(make_scan(context, &p, 0, &scan)); /* within a hundredth of a voxel */
    ren_scan_free(scan);
    scan = NULL;
    p.lobes->affine[3] += 0.1125;
    CHECK_FAILS(make_scan(context, &p, 0, &scan), REN_E_DATA, "0.125 mm");
    p.lobes->shape[2]--;
    CHECK_FAILS(make_scan(context, &p, 0, &scan), REN_E_DATA, "different grids");
    p.lobes->shape[2]++;
    p.ct->affine[10] = p.lobes->affine[10] = 10.5;
    CHECK_FAILS(make_scan(context, &p, 0, &scan), REN_E_DATA, "10.500 mm");
out:
    free_pair(&p);
    ren_scan_free(scan);
    return st;
}

static ren_status test_refuses_presets(ren_context *context) {
    ren_status st = REN_OK;
    ren_preset preset, resolved;
    (void)context;
    REN_TRY(ren_preset_init(&preset, sizeof preset));
    REN_TRY(ren__preset_resolve(&preset, &resolved));
    CHECK_NEAR(resolved.window[0], -1350, 0);
    CHECK_NEAR(resolved.spacing, 1, 0);
    CHECK_INT(resolved.size[2], 96);
    preset.kind = REN_PRESET_PAPER;
    REN_TRY(ren__preset_resolve(&preset, &resolved));
    CHECK_NEAR(resolved.window[1], 250, 0);
    CHECK(!ren__preset_equal(&preset, &resolved));
    CHECK(ren__preset_equal(&resolved, &resolved));
    preset.window[0] = NAN;
    CHECK_FAILS(ren__preset_resolve(&preset, &resolved), REN_E_INVALID, "window");
    preset.window[0] = 300;
    CHECK_FAILS(ren__preset_resolve(&preset, &resolved), REN_E_INVALID, "window");
    preset.window[0] = preset.window[1] = 0;
    preset.spacing = -1;
    CHECK_FAILS(ren__preset_resolve(&preset, &resolved), REN_E_INVALID, "spacing");
    preset.spacing = 0;
    preset.size[1] = 513;
    CHECK_FAILS(ren__preset_resolve(&preset, &resolved), REN_E_INVALID, "sizes");
    preset.kind = 2;
    CHECK_FAILS(ren__preset_resolve(&preset, &resolved), REN_E_INVALID, "kind");
out:
    return st;
}

/* ------------------------------------------------------------------------------------------------------ warnings */

static int warned(const ren_scan *scan, const char *text) {
    for (int32_t i = 0; i < ren_scan_warning_count(scan); i++)
        if (strstr(ren_scan_warning(scan, i), text)) return 1;
    return 0;
}

static ren_status test_plain_pair_has_no_warning(ren_context *context) {
    ren_status st = REN_OK;
    pair p;
    ren_scan *scan = NULL;
    REN_TRY(make_pair(context, &p));
    REN_TRY(make_scan(context, &p, 0, &scan));
    CHECK_INT(ren_scan_warning_count(scan), 0);
    CHECK(!ren_scan_warning(scan, 0));
out:
    free_pair(&p);
    ren_scan_free(scan);
    return st;
}

static ren_status test_warns(ren_context *context) {
    ren_status st = REN_OK;
    pair p;
    ren_scan *scan = NULL;
    REN_TRY(make_pair(context, &p));
    for (int i = 0; i < VOXELS; i++)
        if (p.labels[i] == 4) p.labels[i] = 0; /* a lobectomy */
    p.labels[5 * NX] = 5;                      /* i = 0 is the patient's right, k = 0 below */
    p.hu[11 * NX + 9 * NX * NY + 5] = NAN;
    p.ct->unit_unknown = 1;
    REN_TRY(make_scan(context, &p, 0, &scan));
    CHECK(warned(scan, "lobe RML is empty"));
    CHECK(warned(scan, "field of view (right, inferior)"));
    CHECK(warned(scan, "1 voxels of the CT are NaN"));
    CHECK(warned(scan, "unit"));
    CHECK_INT(ren_scan_warning_count(scan), 4);
    CHECK_INT(scan->voxels[REN_REGION_RML], 0);
    for (int i = 0; i < CELLS; i++)
        CHECK(scan->image[i] >= 0.0F && scan->image[i] <= 1.0F);
out:
    free_pair(&p);
    ren_scan_free(scan);
    return st;
}

static ren_status test_one_lung(ren_context *context) {
    ren_status st = REN_OK;
    pair p;
    ren_scan *scan = NULL;
    REN_TRY(make_pair(context, &p));
    for (int i = 0; i < VOXELS; i++)
        if (p.labels[i] < 3) p.labels[i] = 0;
    REN_TRY(make_scan(context, &p, 0, &scan));
    CHECK(warned(scan, "no lobe of the left lung"));
    CHECK_INT(scan->voxels[REN_REGION_LEFT_LUNG], 0);
    CHECK(scan->voxels[REN_REGION_RIGHT_LUNG] > 0);
out:
    free_pair(&p);
    ren_scan_free(scan);
    return st;
}

/* A lobe that the network's grid steps over is told apart from one that was never there. */
static ren_status test_lost_lobe(ren_context *context) {
    ren_status st = REN_OK;
    pair p;
    ren_scan *scan = NULL;
    REN_TRY(make_pair(context, &p));
    for (int i = 0; i < VOXELS; i++)
        if (p.labels[i] == 1) p.labels[i] = 2;
    p.labels[14 + NX * (8 + NY * 4)] = 1;
    REN_TRY(make_scan(context, &p, REN_PRESET_PAPER, &scan));
    CHECK(warned(scan, "lobe LUL has 1 voxels"));
out:
    free_pair(&p);
    ren_scan_free(scan);
    return st;
}

/* ------------------------------------------------------------------------------------------------------- threads */

static ren_status prepare_with(int32_t threads, int32_t kind, float image[CELLS]) {
    ren_status st = REN_OK;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *context = NULL;
    ren_scan *scan = NULL;
    pair p;
    memset(&p, 0, sizeof p);
    test_allocator(&options);
    options.threads = threads;
    REN_TRY(ren_context_create(&options, &context));
    REN_TRY(make_pair(context, &p));
    REN_TRY(make_scan(context, &p, kind, &scan));
    memcpy(image, scan->image, CELLS * sizeof *image);
out:
    free_pair(&p);
    ren_scan_free(scan);
    ren_context_free(context);
    return st;
}

static ren_status test_threads_do_not_change_bits(ren_context *context) {
    ren_status st = REN_OK;
    float one[CELLS], three[CELLS];
    (void)context;
    for (int32_t kind = 0; kind < 2; kind++) {
        REN_TRY(prepare_with(1, kind, one));
        REN_TRY(prepare_with(3, kind, three));
        CHECK(!memcmp(one, three, sizeof one));
    }
out:
    return st;
}

static int32_t stop(void *user) {
    (void)user;
    return 1;
}

static ren_status test_cancel(ren_context *context) {
    ren_status st = REN_OK;
    pair p;
    ren_scan *scan = NULL;
    ren_run_options options = REN_RUN_OPTIONS_INIT;
    options.cancel = stop;
    REN_TRY(make_pair(context, &p));
    CHECK_FAILS(ren_scan_create(context, p.ct, p.lobes, NULL, &options, &scan), REN_E_CANCELLED, NULL);
    CHECK(!scan);
out:
    free_pair(&p);
    ren_scan_free(scan);
    return st;
}

/* ---------------------------------------------------------------------------------------------------- real images */

static ren_status test_real_chest(ren_context *context) {
    ren_status st = REN_OK;
    char ct_path[TEST_PATH], lobes_path[TEST_PATH], axes[4];
    ren_volume *ct = NULL, *lobes = NULL;
    ren_scan *scan = NULL;
    if (!test_shared(ct_path, "data/chest/lung1_001_ct.nii.gz") ||
        !test_shared(lobes_path, "data/chest/lung1_001_lobes.nii.gz"))
        SKIP("no shared images");
    REN_TRY(ren_volume_read(context, ct_path, &ct));
    REN_TRY(ren_volume_read(context, lobes_path, &lobes));
    ren_volume_orientation(ct, axes);
    CHECK_TEXT(axes, "LPS");
    CHECK_INT(ct->shape[2], 134);
    const size_t before = ren_context_memory_used(context);
    const double started = ren__now();
    ren_context_memory_peak_reset(context);
    REN_TRY(ren_scan_create(context, ct, lobes, NULL, NULL, &scan));
    printf("    prepared in %d ms\n", (int)(1000.0 * (ren__now() - started)));
    CHECK(ren_context_memory_peak(context) - before < (size_t)400 << 20);
    for (int region = 0; region < REN_REGION_COUNT; region++)
        CHECK(scan->voxels[region] > 1000);
    CHECK(scan->box[REN_REGION_LEFT_LUNG].begin[0] < scan->box[REN_REGION_RIGHT_LUNG].begin[0]); /* RAS x */
    CHECK_INT(ren_scan_warning_count(scan), 1);                                                  /* no unit */
out:
    ren_volume_free(ct);
    ren_volume_free(lobes);
    ren_scan_free(scan);
    return st;
}

TEST_MAIN(CASE(test_lung_preset), CASE(test_paper_preset), CASE(test_orientation_does_not_matter),
          CASE(test_boxes_hold_their_regions), CASE(test_prepared_volumes), CASE(test_refuses_labels),
          CASE(test_refuses_swapped_sides), CASE(test_refuses_values), CASE(test_refuses_grids),
          CASE(test_refuses_presets), CASE(test_plain_pair_has_no_warning), CASE(test_warns), CASE(test_one_lung),
          CASE(test_lost_lobe), CASE_ONCE(test_threads_do_not_change_bits), CASE(test_cancel),
          CASE_ONCE(test_real_chest))
