/* SPDX-License-Identifier: Apache-2.0 */
/* ren radiomics: features of one image or of a table of cases, and voxel-based maps. ren bench --radiomics times it. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { NAME_BYTES = 512 };

/* What --regions stands for, as label texts: maps are made of one label at a time. */
static const char *const region_labels[] = { "LUL=1", "LLL=2",         "RUL=3",           "RML=4",
                                             "RLL=5", "left_lung=1+2", "right_lung=3+4+5" };
enum { REGIONS = sizeof region_labels / sizeof region_labels[0] };

static int make_extractor(const cli_call *call, ren_radiomics **out) {
    int rc = EXIT_DONE;

    CLI_TRY(ren_radiomics_create(call->context, call->mode == 0 ? REN_RADIOMICS_PYRADIOMICS : REN_RADIOMICS_IBSI, out));
    if (call->params) CLI_TRY(ren_radiomics_load_params(*out, call->params));
out:
    return rc;
}

static ren_status extract(const cli_call *call, const ren_radiomics *radiomics, const ren_volume *image,
                          const ren_volume *mask, ren_features **out) {
    if (call->regions) return ren_radiomics_extract_regions(radiomics, image, mask, &call->run, out);
    return ren_radiomics_extract(radiomics, image, mask, call->labels, call->label_count, &call->run, out);
}

/* ------------------------------------------------------------------------------------------------------------ maps */

/* A region's or map's name as a file name. */
static const char *file_name(const char *name, char *buffer, size_t size) {
    snprintf(buffer, size, "%s", name);
    for (char *c = buffer; *c; c++)
        if (*c == '/' || (unsigned char)*c < ' ') *c = '_';
    if (buffer[0] == '.') buffer[0] = '_';
    return buffer;
}

static int write_map(const cli_call *call, const ren_feature_maps *maps, int32_t index, const char *folder) {
    ren_volume *volume = NULL;
    char name[NAME_BYTES], file[NAME_BYTES + 8];
    int rc = EXIT_DONE;

    CLI_STEP(cli_check_interrupt(call));
    snprintf(file, sizeof file, "%s.nii.gz", file_name(ren_feature_maps_name(maps, index), name, sizeof name));
    const char *path = cli_path(call, folder, file);
    if (!path) return EXIT_USAGE;
    CLI_TRY(ren_feature_maps_volume(maps, index, &volume));
    CLI_TRY(ren_volume_write(volume, path));
out:
    ren_volume_free(volume);
    return rc;
}

/* One region's maps: in DIR, and where there are several regions in DIR/REGION. */
static int write_maps_of(const cli_call *call, const ren_radiomics *radiomics, const ren_volume *image,
                         const ren_volume *mask, const char *label, const char *region) {
    ren_feature_maps *maps = NULL;
    char name[NAME_BYTES], folder[4096];
    int rc = EXIT_DONE;

    snprintf(folder, sizeof folder, "%s", call->maps);
    if (region) {
        const char *path = cli_path(call, call->maps, file_name(region, name, sizeof name));
        if (!path) return EXIT_USAGE;
        snprintf(folder, sizeof folder, "%s", path);
    }
    CLI_TRY(ren_radiomics_map(radiomics, image, mask, label, &call->run, &maps));
    CLI_STEP(cli_make_folder(call, folder));
    for (int32_t i = 0; i < ren_feature_maps_count(maps); i++)
        CLI_STEP(write_map(call, maps, i, folder));
out:
    ren_feature_maps_free(maps);
    return rc;
}

/* Regions that have no features have no maps. */
static int write_maps(const cli_call *call, const ren_radiomics *radiomics, const ren_volume *image,
                      const ren_volume *mask, const ren_features *features) {
    const int32_t count = ren_features_row_count(features);
    int rc = EXIT_DONE;

    for (int32_t row = 0; call->maps && row < count && rc == EXIT_DONE; row++) {
        const char *label = call->regions ? region_labels[row % REGIONS] : call->label_count ? call->labels[row] : NULL;
        if (ren_features_row_error(features, row)) continue;
        rc =
            write_maps_of(call, radiomics, image, mask, label, count > 1 ? ren_features_row_name(features, row) : NULL);
    }
    return rc;
}

/* --------------------------------------------------------------------------------------------------------- one case */

/* EXIT_FAILED, with the reason of the first, where a region has no features. */
static int check_rows(const cli_call *call, const ren_features *features) {
    int32_t failed = 0, first = -1;

    for (int32_t row = 0; row < ren_features_row_count(features); row++)
        if (ren_features_row_error(features, row)) {
            failed++;
            if (first < 0) first = row;
        }
    if (!failed) return EXIT_DONE;
    return cli_error(call, EXIT_FAILED, "%s: %d of %d regions have no features: %s", call->operand[1], (int)failed,
                     (int)ren_features_row_count(features), ren_features_row_error(features, first));
}

static int print_features(const cli_call *call, const ren_features *features) {
    ren_text *text = NULL;
    cli_output output = { NULL, NULL, 0 };
    int rc;

    if (call->format == 0)
        CLI_TRY(ren_features_csv(features, call->operand[0], call->operand[1], &text));
    else
        CLI_TRY(ren_features_json(features, call->operand[0], call->operand[1], &text));
    CLI_STEP(cli_begin(call, &output));
    fprintf(output.stream, "%s%s", ren_text_data(text), call->format == 0 ? "" : "\n");
    CLI_STEP(cli_finish(call, &output));
out:
    cli_drop(&output);
    ren_text_free(text);
    return rc;
}

static int run_case(cli_call *call, const ren_radiomics *radiomics) {
    ren_volume *image = NULL, *mask = NULL;
    ren_features *features = NULL;
    int rc;

    CLI_STEP(cli_read_volume(call, call->operand[0], &image));
    CLI_STEP(cli_read_volume(call, call->operand[1], &mask));
    CLI_TRY(extract(call, radiomics, image, mask, &features));
    CLI_STEP(write_maps(call, radiomics, image, mask, features));
    CLI_STEP(print_features(call, features));
    CLI_STEP(check_rows(call, features));
out:
    ren_features_free(features);
    ren_volume_free(mask);
    ren_volume_free(image);
    return rc;
}

/* ------------------------------------------------------------------------------------------------------- many cases */

static int run_batch(cli_call *call, const ren_radiomics *radiomics) {
    ren_radiomics_batch_options options;
    int32_t failed = 0;
    int rc = EXIT_DONE;

    CLI_TRY(ren_radiomics_batch_options_init(&options, sizeof options));
    options.labels = call->labels;
    options.label_count = call->label_count;
    options.regions = call->regions;
    options.jobs = call->jobs;
    CLI_TRY(ren_radiomics_batch(radiomics, call->cases, call->out, &options, &call->run, &failed));
    if (failed)
        rc = cli_error(call, EXIT_FAILED,
                       "%s: %d rows have an error: see its column \"error\"; a second run tries them again", call->out,
                       (int)failed);
out:
    return rc;
}

static int check_usage(const cli_call *call) {
    if (call->regions && call->label_count)
        return cli_error(call, EXIT_USAGE, "--label and --regions exclude each other");
    if (!call->cases && call->operand_count < 2)
        return cli_error(call, EXIT_USAGE, "too few arguments: usage: ren %s %s", call->command->name,
                         call->command->operands);
    if (!call->cases && call->jobs) return cli_error(call, EXIT_USAGE, "--jobs belongs to --batch");
    if (!call->cases) return EXIT_DONE;
    if (call->operand_count)
        return cli_error(call, EXIT_USAGE, "\"%s\" is one argument too many: --batch takes its images from the table",
                         call->operand[0]);
    if (call->maps) return cli_error(call, EXIT_USAGE, "--maps is for one image, not for --batch");
    if (call->format != 0) return cli_error(call, EXIT_USAGE, "--batch writes CSV: leave --format json away");
    return cli_need(call, call->out, "-o OUT");
}

int cli_radiomics(cli_call *call) {
    ren_radiomics *radiomics = NULL;
    int rc;

    CLI_STEP(check_usage(call));
    CLI_STEP(cli_open(call));
    CLI_STEP(make_extractor(call, &radiomics));
    rc = call->cases ? run_batch(call, radiomics) : run_case(call, radiomics);
out:
    ren_radiomics_free(radiomics);
    return rc;
}

/* ----------------------------------------------------------------------------------------------------------- timing */

static int by_value(const void *a, const void *b) {
    const double one = *(const double *)a, other = *(const double *)b;

    return one < other ? -1 : one > other;
}

static int print_timing(const cli_call *call, double least, double median, int32_t rows, int32_t columns, size_t peak) {
    cli_output output = { NULL, NULL, 0 };
    int rc;

    CLI_STEP(cli_begin(call, &output));
    if (call->json)
        fprintf(output.stream,
                "{\"regions\": %d, \"features\": %d, \"threads\": %d, \"milliseconds_min\": %.3f, "
                "\"milliseconds_median\": %.3f, \"peak_bytes\": %zu}\n",
                (int)rows, (int)columns, (int)ren_context_threads(call->context), least * 1e3, median * 1e3, peak);
    else
        fprintf(output.stream,
                "%d regions, %d features: %.2f ms least, %.2f ms median\n%.1f MB at most beside the input\n", (int)rows,
                (int)columns, least * 1e3, median * 1e3, (double)peak / 1e6);
    CLI_STEP(cli_finish(call, &output));
out:
    cli_drop(&output);
    return rc;
}

/* Extraction alone: the volumes are read before. */
int cli_bench_radiomics(cli_call *call) {
    const int32_t runs = call->runs ? call->runs : 10;
    ren_radiomics *radiomics = NULL;
    ren_volume *image = NULL, *mask = NULL;
    ren_features *features = NULL;
    double *seconds = NULL;
    int32_t rows = 0, columns = 0;
    int rc;

    CLI_STEP(cli_open(call));
    CLI_STEP(make_extractor(call, &radiomics));
    CLI_STEP(cli_read_volume(call, call->operand[0], &image));
    CLI_STEP(cli_read_volume(call, call->operand[1], &mask));
    seconds = calloc((size_t)runs, sizeof *seconds);
    if (!seconds) {
        rc = cli_error(call, EXIT_MEMORY, "out of memory");
        goto out;
    }
    const size_t before = ren_context_memory_used(call->context);
    ren_context_memory_peak_reset(call->context);
    for (int32_t i = 0; i < runs; i++) {
        const double started = cli_seconds();
        CLI_TRY(extract(call, radiomics, image, mask, &features));
        seconds[i] = cli_seconds() - started;
        rows = ren_features_row_count(features);
        columns = ren_features_count(features);
        ren_features_free(features);
        features = NULL;
    }
    qsort(seconds, (size_t)runs, sizeof *seconds, by_value);
    CLI_STEP(print_timing(call, seconds[0], seconds[runs / 2], rows, columns,
                          ren_context_memory_peak(call->context) - before));
out:
    free(seconds);
    ren_features_free(features);
    ren_volume_free(mask);
    ren_volume_free(image);
    ren_radiomics_free(radiomics);
    return rc;
}
