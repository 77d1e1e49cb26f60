/* SPDX-License-Identifier: Apache-2.0 */
/* The synthetic cohort: anatomy, truth, repeatability, files, and that density alone does not give the label away. */
#include <stdlib.h>

#include "base/text.h"
#include "harness.h"
#include "volume/phantom.h"

typedef struct scan_made {
    ren_volume *ct, *lobes;
    ren_phantom_truth truth;
} scan_made;

static void scan_free(scan_made *scan) {
    ren_volume_free(scan->ct);
    ren_volume_free(scan->lobes);
    *scan = (scan_made){ 0 };
}

static ren_status scan_make(ren_context *context, const ren_phantom_options *options, int32_t patient, int32_t number,
                            scan_made *scan) {
    scan->truth = (ren_phantom_truth){ .struct_size = sizeof scan->truth };
    return ren_phantom_make(context, options, patient, number, NULL, &scan->ct, &scan->lobes, &scan->truth);
}

static int64_t voxel_count(const ren_volume *volume) {
    return volume->shape[0] * volume->shape[1] * volume->shape[2];
}

typedef struct lobe_statistics {
    int64_t count[6];
    double hu[6];            /* mean; [0]: everything else */
    double centre[6][3];     /* RAS mm */
    int64_t low[3], high[3]; /* first and last index of any lobe */
    int64_t wrong_labels;
} lobe_statistics;

static void measure(const scan_made *scan, lobe_statistics *s) {
    const int16_t *ct = (const void *)scan->ct->data;
    const uint8_t *lobes = scan->lobes->data;
    const double *a = scan->ct->affine;

    *s = (lobe_statistics){ .low = { 1 << 20, 1 << 20, 1 << 20 } };
    for (int64_t n = 0; n < voxel_count(scan->ct); n++) {
        const int64_t at[3] = { n % scan->ct->shape[0], n / scan->ct->shape[0] % scan->ct->shape[1],
                                n / (scan->ct->shape[0] * scan->ct->shape[1]) };
        const int label = lobes[n] <= 5 ? lobes[n] : 0;

        s->wrong_labels += lobes[n] > 5;
        s->count[label]++;
        s->hu[label] += ct[n];
        for (int r = 0; r < 3; r++) {
            s->centre[label][r] +=
                a[4 * r] * (double)at[0] + a[4 * r + 1] * (double)at[1] + a[4 * r + 2] * (double)at[2] + a[4 * r + 3];
            if (!label) continue;
            if (at[r] < s->low[r]) s->low[r] = at[r];
            if (at[r] > s->high[r]) s->high[r] = at[r];
        }
    }
    for (int label = 0; label < 6; label++) {
        s->hu[label] /= (double)s->count[label];
        for (int r = 0; r < 3; r++)
            s->centre[label][r] /= (double)s->count[label];
    }
}

/* Sizes, sides and order of the lobes are a person's, in world coordinates, whatever the orientation of the grid. */
static ren_status test_phantom_anatomy(ren_context *context) {
    ren_status st = REN_OK;
    const ren_phantom_options options = { .struct_size = sizeof options, .patients = 8, .size = 64, .seed = 3 };
    scan_made scan = { 0 };

    for (int32_t patient = 0; patient < 8; patient++) {
        lobe_statistics s;
        double spacing[3], litres[6], left, right;

        REN_TRY(scan_make(context, &options, patient, 0, &scan));
        measure(&scan, &s);
        CHECK_INT(s.wrong_labels, 0);
        ren_volume_spacing(scan.ct, spacing);
        for (int l = 1; l <= 5; l++)
            litres[l] = (double)s.count[l] * spacing[0] * spacing[1] * spacing[2] * 1e-6;
        left = litres[1] + litres[2];
        right = litres[3] + litres[4] + litres[5];
        CHECK(left + right > 3.0 && left + right < 9.0);
        CHECK(right > left && right < 1.5 * left);
        CHECK(litres[4] < litres[3] && litres[4] < litres[5] && litres[4] > 0.08);
        for (int l = 1; l <= 5; l++)
            CHECK(s.hu[l] > -950.0 && s.hu[l] < -500.0);
        for (int l = 1; l <= 5; l++)
            CHECK(l <= 2 ? s.centre[l][0] < s.centre[0][0] : s.centre[l][0] > s.centre[0][0]);
        CHECK(s.centre[1][2] > s.centre[2][2] + 30.0 && s.centre[3][2] > s.centre[5][2] + 30.0); /* above */
        CHECK(s.centre[1][1] > s.centre[2][1] + 10.0 && s.centre[4][1] > s.centre[5][1] + 30.0); /* in front */
        CHECK(s.centre[3][2] > s.centre[4][2] + 30.0);
        for (int r = 0; r < 3; r++)
            CHECK(s.low[r] > 0 && s.high[r] < scan.ct->shape[r] - 1); /* lungs not cut off */
        scan_free(&scan);
    }
out:
    scan_free(&scan);
    return st;
}

/* Both orientations come, straight and tilted, several spacings; CT and lobes share one grid; HU are in a CT's range.
 */
static ren_status test_phantom_grids_vary(ren_context *context) {
    ren_status st = REN_OK;
    const ren_phantom_options options = { .struct_size = sizeof options, .patients = 24, .size = 48, .seed = 5 };
    scan_made scan = { 0 };
    int orientations[3] = { 0 }, tilted = 0;
    double finest = 1e9, coarsest = 0.0;

    for (int32_t patient = 0; patient < 24; patient++) {
        char axes[4];
        double spacing[3];
        int low = 0, high = -2000;

        REN_TRY(scan_make(context, &options, patient, 0, &scan));
        CHECK_INT(memcmp(scan.ct->affine, scan.lobes->affine, sizeof scan.ct->affine), 0);
        CHECK_INT(memcmp(scan.ct->shape, scan.lobes->shape, sizeof scan.ct->shape), 0);
        ren_volume_orientation(scan.ct, axes);
        orientations[0] += strcmp(axes, "LPS") == 0;
        orientations[1] += strcmp(axes, "LAS") == 0;
        orientations[2] += strcmp(axes, "RAS") == 0;
        tilted += scan.ct->affine[6] != 0.0;
        ren_volume_spacing(scan.ct, spacing);
        CHECK(spacing[0] <= 9.5 + 1e-9 && spacing[2] <= 7.0 + 1e-9);
        if (spacing[2] < finest) finest = spacing[2];
        if (spacing[2] > coarsest) coarsest = spacing[2];
        for (int64_t n = 0; n < voxel_count(scan.ct); n++) {
            const int hu = ((const int16_t *)(const void *)scan.ct->data)[n];

            if (hu < low) low = hu;
            if (hu > high) high = hu;
        }
        CHECK(low >= -1024 && low < -950 && high > 200 && high < 2000);
        scan_free(&scan);
    }
    CHECK_INT(orientations[0] + orientations[1] + orientations[2], 24);
    CHECK(orientations[0] > 0 && orientations[1] > 0 && orientations[2] > 0);
    CHECK(tilted > 0 && tilted < 20);
    CHECK(finest < 0.85 * coarsest);
out:
    scan_free(&scan);
    return st;
}

static ren_status test_phantom_same_bits_for_threads(ren_context *context) {
    ren_status st = REN_OK;
    const ren_phantom_options options = {
        .struct_size = sizeof options, .patients = 4, .scans = 1, .size = 40, .seed = 9
    };
    ren_context_options one = REN_CONTEXT_OPTIONS_INIT;
    ren_context *single = NULL;
    scan_made a = { 0 }, b = { 0 };

    test_allocator(&one);
    one.threads = 1;
    REN_TRY(ren_context_create(&one, &single));
    for (int32_t patient = 0; patient < 2; patient++) {
        REN_TRY(scan_make(context, &options, patient, 0, &a));
        REN_TRY(scan_make(single, &options, patient, 0, &b));
        CHECK_INT(voxel_count(a.ct), voxel_count(b.ct));
        CHECK_INT(memcmp(a.ct->data, b.ct->data, 2u * (size_t)voxel_count(a.ct)), 0);
        CHECK_INT(memcmp(a.lobes->data, b.lobes->data, (size_t)voxel_count(a.ct)), 0);
        CHECK_INT(memcmp(a.truth.extent, b.truth.extent, sizeof a.truth.extent), 0);
        scan_free(&a);
        scan_free(&b);
    }
out:
    scan_free(&a);
    scan_free(&b);
    ren_context_free(single);
    return st;
}

static ren_status test_phantom_cohort(ren_context *context) {
    ren_status st = REN_OK;
    ren_phantom_options options = {
        .struct_size = sizeof options, .patients = 2000, .scans = 4, .severity = 1.0, .seed = 1
    };
    ren__phantom_scene scene;
    int ild = 0, scans[2][5] = { { 0 } };

    (void)context;
    for (int32_t patient = 0; patient < 2000; patient++) {
        const int32_t count = ren_phantom_scan_count(&options, patient);

        CHECK(count >= 1 && count <= 4);
        ren__phantom_scene_draw(&options, patient, 0, &scene);
        CHECK_INT(scene.disease.load > 0.0, scene.label);
        ild += scene.label;
        scans[scene.label][count]++;
    }
    CHECK_INT(ild, 1000);
    for (int count = 1; count <= 4; count++) /* binomial, sd 13.7: five of them */
        CHECK(abs(scans[0][count] - 250) < 69 && abs(scans[1][count] - 250) < 69);
    CHECK_INT(ren_phantom_scan_count(&options, 2000), 0);
    CHECK_INT(ren_phantom_scan_count(&options, -1), 0);
    options.patients = 1;
    ren__phantom_scene_draw(&options, 0, 0, &scene);
    CHECK_INT(scene.label, 1);
out:
    return st;
}

/* The truth follows the severity, the healthy have none, `basal` is basal and `uniform` is not. */
static ren_status test_phantom_extent(ren_context *context) {
    ren_status st = REN_OK;
    ren_phantom_options options = { .struct_size = sizeof options, .patients = 8, .size = 32, .seed = 11 };
    scan_made scan = { 0 };
    double sum[2][3][5] = { { { 0.0 } } };

    for (int32_t distribution = 0; distribution < 2; distribution++) {
        for (int level = 0; level < 3; level++) {
            options.distribution = distribution;
            options.severity = level == 0 ? 0.1 : level == 1 ? 1.0 : 3.0;
            for (int32_t patient = 0; patient < 8; patient++) {
                REN_TRY(scan_make(context, &options, patient, 0, &scan));
                for (int lobe = 0; lobe < 5; lobe++) {
                    CHECK(scan.truth.extent[lobe] >= 0.0 && scan.truth.extent[lobe] <= 1.0);
                    CHECK(scan.truth.label == 1 || scan.truth.extent[lobe] == 0.0);
                    sum[distribution][level][lobe] += scan.truth.extent[lobe] / 4.0;
                }
                scan_free(&scan);
            }
        }
        for (int lobe = 0; lobe < 5; lobe++) {
            CHECK(sum[distribution][0][lobe] < 0.01); /* a tenth of the severity cannot be seen */
            CHECK(sum[distribution][1][lobe] < sum[distribution][2][lobe]);
        }
    }
    CHECK(sum[0][1][1] > 2.0 * sum[0][1][0] && sum[0][1][4] > 2.0 * sum[0][1][2]);
    CHECK(sum[1][1][1] < 1.5 * sum[1][1][0] && sum[1][1][4] < 1.5 * sum[1][1][2]);
out:
    scan_free(&scan);
    return st;
}

/* A patient's scans show one patient: same lobes, about the same extent, not less of it later. */
static ren_status test_phantom_progression(ren_context *context) {
    ren_status st = REN_OK;
    const ren_phantom_options options = {
        .struct_size = sizeof options, .patients = 30, .scans = 4, .severity = 1.0, .seed = 2
    };
    int compared = 0;

    (void)context;
    for (int32_t patient = 0; patient < 30; patient++) {
        ren__phantom_scene first, later;

        ren__phantom_scene_draw(&options, patient, 0, &first);
        for (int32_t scan = 1; scan < ren_phantom_scan_count(&options, patient); scan++, compared++) {
            ren__phantom_scene_draw(&options, patient, scan, &later);
            CHECK_INT(later.label, first.label);
            CHECK_INT(memcmp(&later.body, &first.body, sizeof first.body), 0);
            CHECK(later.disease.load >= first.disease.load && later.disease.load <= 1.7 * first.disease.load);
            CHECK(later.noise_key != first.noise_key);
        }
    }
    CHECK(compared > 10);
out:
    return st;
}

/* Area under the ROC curve by counting pairs: that of a logistic regression on the one value, either direction. */
static double auc(const double *value, const int32_t *label, int count) {
    double pairs = 0.0, won = 0.0;

    for (int p = 0; p < count; p++) {
        for (int n = 0; n < count; n++) {
            if (label[p] != 1 || label[n] != 0) continue;
            pairs += 1.0;
            won += value[p] > value[n] ? 1.0 : value[p] == value[n] ? 0.5 : 0.0;
        }
    }
    return won > 0.5 * pairs ? won / pairs : 1.0 - won / pairs;
}

/* 80 patients at the default severity: a lobe's mean HU separates, but not well. */
static ren_status test_phantom_not_trivial(ren_context *context) {
    enum { PATIENTS = 80 };
    ren_status st = REN_OK;
    const ren_phantom_options options = { .struct_size = sizeof options, .patients = PATIENTS, .size = 56, .seed = 1 };
    scan_made scan = { 0 };
    double hu[6][PATIENTS];
    int32_t label[PATIENTS];

    for (int32_t patient = 0; patient < PATIENTS; patient++) {
        lobe_statistics s;

        REN_TRY(scan_make(context, &options, patient, 0, &scan));
        measure(&scan, &s);
        label[patient] = scan.truth.label;
        for (int lobe = 1; lobe <= 5; lobe++)
            hu[lobe][patient] = s.hu[lobe];
        scan_free(&scan);
    }
    CHECK(auc(hu[2], label, PATIENTS) > 0.65 && auc(hu[2], label, PATIENTS) < 0.90);
    CHECK(auc(hu[5], label, PATIENTS) > 0.65 && auc(hu[5], label, PATIENTS) < 0.90);
    for (int lobe = 1; lobe <= 5; lobe++)
        CHECK(auc(hu[lobe], label, PATIENTS) < 0.90);
out:
    scan_free(&scan);
    return st;
}

/* Noise has the deviation it is asked for, whatever the kernel: of a sum of independent numbers, not of the code. */
static ren_status test_phantom_noise(ren_context *context) {
    ren_status st = REN_OK;
    double sum = 0.0, square = 0.0, low = 1.0, high = -1.0, step = 0.0, before = 0.0;

    (void)context;
    for (uint32_t n = 0; n < 50000; n++) {
        float four[4];

        ren__phantom_normals(77u, n % 7u, n, four);
        for (int m = 0; m < 4; m++) {
            sum += (double)four[m];
            square += (double)four[m] * (double)four[m];
        }
    }
    CHECK_NEAR(sum / 2e5, 0.0, 0.012);
    CHECK_NEAR(square / 2e5, 1.0, 0.02);
    for (int n = 0; n < 20000; n++) {
        const double point[3] = { 0.05 * n - 500.0, 3.3, -7.1 };
        const double value = ren__phantom_noise(5u, point, 10.0), change = fabs(value - before);

        if (value < low) low = value;
        if (value > high) high = value;
        if (n > 0 && change > step) step = change;
        before = value;
    }
    CHECK(low >= -1.0 && high <= 1.0 && high - low > 1.2);
    CHECK(step < 2.0 * 1.5 * 0.005 + 1e-9); /* continuous: the steepest smooth step climbs 1.5 x 2 over a period */
out:
    return st;
}

static ren_status test_phantom_cells(ren_context *context) {
    ren_status st = REN_OK;

    (void)context;
    for (int n = 0; n < 2000; n++) {
        const double point[3] = { 1.7 * n - 900.0, 0.9 * n, -0.3 * n };
        const ren__phantom_cell cell = ren__phantom_cells(3u, point, 6.0);

        CHECK(cell.nearest >= 0.0 && cell.nearest <= cell.second);
        CHECK(cell.nearest <= 6.0 * 1.7320509); /* its own cell holds a centre */
    }
out:
    return st;
}

static ren_status test_phantom_refuses(ren_context *context) {
    ren_status st = REN_OK;
    ren_phantom_options options, good;
    ren_volume *ct = NULL, *lobes = NULL;

    REN_TRY(ren_phantom_options_init(&good, sizeof good));
#define REFUSES(field, value, code, text)                                                                              \
    options = good;                                                                                                    \
    options.field = (value);                                                                                           \
    CHECK_FAILS(ren_phantom_make(context, &options, 0, 0, NULL, &ct, &lobes, NULL), (code), (text))
    REFUSES(patients, 0, REN_E_INVALID, "patients is 0");
    REFUSES(scans, -1, REN_E_INVALID, "scans is -1");
    REFUSES(size, 31, REN_E_INVALID, "size is 31");
    REFUSES(size, 513, REN_E_INVALID, "size is 513");
    REFUSES(distribution, 2, REN_E_INVALID, "distribution");
    REFUSES(severity, -1.0, REN_E_INVALID, "severity");
    REFUSES(severity, (double)NAN, REN_E_INVALID, "severity");
    CHECK_FAILS(ren_phantom_make(context, &good, 20, 0, NULL, &ct, &lobes, NULL), REN_E_NOT_FOUND, "patient 20");
    CHECK_FAILS(ren_phantom_make(context, &good, 0, 4, NULL, &ct, &lobes, NULL), REN_E_NOT_FOUND, "scan 4");
    CHECK(!ct && !lobes);
out:
    return st;
}

static ren_status test_phantom_memory(ren_context *context) {
    ren_status st = REN_OK;
    const ren_phantom_options options = {
        .struct_size = sizeof options, .patients = 2, .scans = 1, .size = 32, .seed = 4
    };
    scan_made scan = { 0 };

    REN_TRY(scan_make(context, &options, 1, 0, &scan));
    CHECK(voxel_count(scan.ct) > 0);
out:
    scan_free(&scan);
    return st;
}

static int32_t cancel_at_once(void *user) {
    (void)user;
    return 1;
}

static ren_status test_phantom_cancel(ren_context *context) {
    ren_status st = REN_OK;
    const ren_phantom_options options = { .struct_size = sizeof options, .patients = 2, .scans = 1, .size = 96 };
    ren_run_options run = REN_RUN_OPTIONS_INIT;
    ren_volume *ct = NULL, *lobes = NULL;

    run.cancel = cancel_at_once;
    CHECK_FAILS(ren_phantom_make(context, &options, 0, 0, &run, &ct, &lobes, NULL), REN_E_CANCELLED, NULL);
    CHECK(!ct && !lobes);
out:
    ren_volume_free(ct);
    ren_volume_free(lobes);
    return st;
}

/* Reads the scan that the table's row names and compares it with the one made afresh. */
static ren_status compare_row(ren_context *context, const ren_phantom_options *options, const char *folder,
                              int32_t patient, int32_t number) {
    ren_status st = REN_OK;
    ren_volume *ct = NULL, *lobes = NULL;
    scan_made scan = { 0 };
    char path[TEST_PATH + 64];

    snprintf(path, sizeof path, "%s/P%04d/S%02d.nii.gz", folder, (int)patient + 1, (int)number + 1);
    REN_TRY(ren_volume_read(context, path, &ct));
    snprintf(path, sizeof path, "%s/P%04d/S%02d_lobes.nii.gz", folder, (int)patient + 1, (int)number + 1);
    REN_TRY(ren_volume_read(context, path, &lobes));
    REN_TRY(scan_make(context, options, patient, number, &scan));
    CHECK_INT(ct->type, REN_TYPE_I16);
    CHECK_INT(lobes->type, REN_TYPE_U8);
    CHECK_INT(voxel_count(ct), voxel_count(scan.ct));
    CHECK_INT(memcmp(ct->data, scan.ct->data, 2u * (size_t)voxel_count(ct)), 0);
    CHECK_INT(memcmp(lobes->data, scan.lobes->data, (size_t)voxel_count(ct)), 0);
    for (int n = 0; n < 12; n++)
        CHECK_NEAR(ct->affine[n], scan.ct->affine[n], 1e-4);
out:
    ren_volume_free(ct);
    ren_volume_free(lobes);
    scan_free(&scan);
    return st;
}

static ren_status test_phantom_write(ren_context *context) {
    static int runs;
    ren_status st = REN_OK;
    const ren_phantom_options options = {
        .struct_size = sizeof options, .patients = 3, .scans = 2, .size = 32, .seed = 8
    };
    char folder[TEST_PATH], name[64], path[TEST_PATH + 64], line[128];
    char *bytes = NULL;
    size_t size;
    int rows = 0;

    snprintf(name, sizeof name, "cohort_%d/below", runs++); /* an injected failure must not meet the last run's files */
    REN_TRY(ren_phantom_write(context, &options, test_file(folder, name), NULL));
    snprintf(path, sizeof path, "%s/labels.csv", folder);
    REN_TRY(ren__file_read(context, path, 1 << 20, &bytes, &size));
    CHECK(strncmp(bytes, "patient,scan,label,extent_LUL,extent_LLL,extent_RUL,extent_RML,extent_RLL\n", 74) == 0);
    for (int32_t patient = 0; patient < 3; patient++) {
        for (int32_t scan = 0; scan < ren_phantom_scan_count(&options, patient); scan++, rows++) {
            snprintf(line, sizeof line, "\nP%04d,S%02d,", (int)patient + 1, (int)scan + 1);
            CHECK(strstr(bytes, line));
            REN_TRY(compare_row(context, &options, folder, patient, scan));
        }
    }
    for (const char *c = bytes; *c; c++)
        rows -= *c == '\n';
    CHECK_INT(rows, -1); /* the header */
    ren__free(bytes);
    bytes = NULL;
    snprintf(path, sizeof path, "%s/README.txt", folder);
    REN_TRY(ren__file_read(context, path, 1 << 20, &bytes, &size));
    CHECK(strstr(bytes, "SYNTHETIC"));
    CHECK_FAILS(ren_phantom_write(context, &options, folder, NULL), REN_E_STATE, "labels.csv");
out:
    ren__free(bytes);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_phantom_memory), CASE_ONCE(test_phantom_anatomy), CASE_ONCE(test_phantom_grids_vary),
          CASE_ONCE(test_phantom_same_bits_for_threads), CASE(test_phantom_cohort), CASE_ONCE(test_phantom_extent),
          CASE(test_phantom_progression), CASE_ONCE(test_phantom_not_trivial), CASE(test_phantom_noise),
          CASE(test_phantom_cells), CASE(test_phantom_refuses), CASE_ONCE(test_phantom_cancel),
          CASE_SAMPLED(test_phantom_write))
