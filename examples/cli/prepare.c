/* SPDX-License-Identifier: Apache-2.0 */
/* ren preprocess, ren phantom: images for people and for training. */
#include <string.h>

#include "cli.h"

static int write_volume(const cli_call *call, ren_status made, ren_volume *volume, const char *name) {
    int rc = EXIT_DONE;

    CLI_TRY(made);
    CLI_STEP(cli_check_interrupt(call));
    const char *path = cli_path(call, call->out, name);
    if (!path) {
        rc = EXIT_USAGE;
        goto out;
    }
    CLI_TRY(ren_volume_write(volume, path));
out:
    ren_volume_free(volume);
    return rc;
}

static int write_scan(const cli_call *call, const ren_scan *scan) {
    ren_volume *volume = NULL;
    char name[64];
    ren_status made = ren_scan_image(scan, &volume);
    int rc = write_volume(call, made, volume, "image.nii.gz");

    for (int32_t region = 0; region < REN_REGION_COUNT && rc == EXIT_DONE; region++) {
        snprintf(name, sizeof name, "region_%s.nii.gz", ren_region_name(region));
        volume = NULL;
        made = ren_scan_region(scan, region, &volume);
        rc = write_volume(call, made, volume, name);
    }
    return rc;
}

int cli_preprocess(cli_call *call) {
    ren_volume *ct = NULL, *lobes = NULL;
    ren_scan *scan = NULL;
    ren_preset preset;
    int rc;

    CLI_STEP(cli_need(call, call->out, "-o DIR"));
    CLI_STEP(cli_open(call));
    CLI_TRY(ren_preset_init(&preset, sizeof preset));
    preset.kind = call->preset == 0 ? REN_PRESET_LUNG : REN_PRESET_PAPER;
    CLI_STEP(cli_read_volume(call, call->operand[0], &ct));
    CLI_STEP(cli_read_volume(call, call->operand[1], &lobes));
    CLI_TRY(ren_scan_create(call->context, ct, lobes, &preset, &call->run, &scan));
    for (int32_t i = 0; i < ren_scan_warning_count(scan); i++)
        cli_warn(call, "%s", ren_scan_warning(scan, i));
    CLI_STEP(cli_make_folder(call, call->out));
    CLI_STEP(write_scan(call, scan));
out:
    ren_scan_free(scan);
    ren_volume_free(lobes);
    ren_volume_free(ct);
    return rc;
}

int cli_phantom(cli_call *call) {
    ren_phantom_options options;
    int rc;

    CLI_STEP(cli_need(call, call->out, "-o DIR"));
    CLI_STEP(cli_need(call, call->patients ? call : NULL, "--patients N"));
    CLI_STEP(cli_open(call));
    CLI_TRY(ren_phantom_options_init(&options, sizeof options));
    options.patients = call->patients;
    options.scans = call->scans;
    options.size = call->size;
    options.distribution = call->distribution == 0 ? REN_PHANTOM_BASAL : REN_PHANTOM_UNIFORM;
    options.severity = call->severity;
    options.seed = call->seed;
    CLI_STEP(cli_make_folder(call, call->out));
    CLI_TRY(ren_phantom_write(call->context, &options, call->out, &call->run));
out:
    return rc;
}
