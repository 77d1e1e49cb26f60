/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library writes nothing to the standard streams, nor do the libraries it calls: what goes right and what goes
 * wrong, from synthetic data to report, with descriptors 1 and 2 turned to a file that must stay empty, and with 0, 1
 * and 2 closed, where a file of ours may get one of these numbers.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "moe_fixture.h"
#include "ren_tools.h"

enum { STREAMS = 3 };

static ren_status write_file(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");

    if (!file) return test_fail(__FILE__, __LINE__, "%s cannot be written", path);
    const size_t written = fwrite(bytes, 1, size, file);
    if (fclose(file) != 0 || written != size) return test_fail(__FILE__, __LINE__, "%s cannot be written", path);
    return REN_OK;
}

/* The first `size` bytes of a file (at most 4000), with one of them changed. */
static ren_status spoil(const char *from, const char *to, size_t size) {
    uint8_t bytes[4000];
    FILE *file = fopen(from, "rb");

    if (!file) return test_fail(__FILE__, __LINE__, "%s cannot be read", from);
    const size_t got = fread(bytes, 1, size < sizeof bytes ? size : sizeof bytes, file);
    fclose(file);
    bytes[got / 2] ^= 0x55;
    return write_file(to, bytes, got);
}

/* Files of every kind that are none, or are damaged. */
static ren_status read_wrong(ren_context *context, const char *image, const char *model) {
    static const char *const names[] = { "w.nii", "w.nii.gz", "w.hdr", "w.safetensors", "w.yaml", "missing.nii" };
    static const size_t sizes[] = { 0, 40, 348, 3000 };
    ren_status st = REN_OK;
    char path[TEST_PATH], folder[TEST_PATH];

    test_file(folder, "study");
    for (size_t i = 0; i < 6 * 4; i++) {
        ren_volume *volume = NULL;
        ren_mixture *mixture = NULL;
        ren_expert *expert = NULL;
        ren_study *study = NULL;
        ren_text *text = NULL;
        test_file(path, names[i / 4]);
        if (i < 5 * 4) REN_TRY(spoil(i % 8 < 4 ? image : model, path, sizes[i % 4]));
        CHECK(ren_volume_read(context, path, &volume) != REN_OK);
        CHECK(ren_mixture_load(context, path, &mixture) != REN_OK);
        CHECK(ren_expert_load(context, path, &expert) != REN_OK);
        CHECK(ren_study_open(context, path, folder, 0, &study) != REN_OK);
        CHECK(ren_model_describe(context, path, &text) != REN_OK);
        CHECK(ren_verify(context, "cnn", NULL, path, 0, 0, NULL, &text) != REN_OK);
    }
out:
    return st;
}

/* Everything that a host does, in a small way. */
static ren_status use_all(ren_context *context) {
    ren_status st = REN_OK;
    ren_phantom_options options;
    ren_volume *ct = NULL, *lobes = NULL, *image = NULL;
    ren_mixture *made = NULL, *model = NULL;
    ren_result *result = NULL;
    ren_text *json = NULL;
    char image_path[TEST_PATH], model_path[TEST_PATH], report_path[TEST_PATH];

    test_file(image_path, "ct.nii.gz");
    test_file(model_path, "model.safetensors");
    test_file(report_path, "report.html");
    REN_TRY(ren_phantom_options_init(&options, sizeof options));
    options.patients = 2;
    options.size = 32;
    REN_TRY(ren_phantom_make(context, &options, 0, 0, NULL, &ct, &lobes, NULL));
    REN_TRY(ren_volume_write(ct, image_path));
    REN_TRY(ren_volume_read(context, image_path, &image));
    REN_TRY(fixture_mixture(context, REN_REGION_LUL, REN_REGION_LLL, &made));
    REN_TRY(ren_mixture_save(made, model_path));
    REN_TRY(ren_mixture_load(context, model_path, &model));
    REN_TRY(ren_mixture_predict(model, image, lobes, NULL, &result));
    REN_TRY(ren_result_json(result, 0, &json));
    REN_TRY(ren_report_write(result, image, lobes, report_path, NULL));
    CHECK(ren_report_write(result, image, lobes, "/nowhere/report.html", NULL) != REN_OK);
    REN_TRY(read_wrong(context, image_path, model_path));
out:
    ren_text_free(json);
    ren_result_free(result);
    ren_mixture_free(model);
    ren_mixture_free(made);
    ren_volume_free(image);
    ren_volume_free(lobes);
    ren_volume_free(ct);
    return st;
}

/* Runs it with every standard descriptor replaced by `instead`, or closed where that is -1. */
static ren_status use_with_streams(ren_context *context, int instead) {
    int kept[STREAMS];

    fflush(NULL);
    for (int i = 0; i < STREAMS; i++)
        kept[i] = dup(i);
    for (int i = 0; i < STREAMS; i++) {
        if (instead >= 0)
            dup2(instead, i);
        else
            close(i);
    }
    const ren_status st = use_all(context);
    fflush(NULL);
    for (int i = 0; i < STREAMS; i++) {
        dup2(kept[i], i);
        close(kept[i]);
    }
    return st;
}

static ren_status test_nothing_is_printed(ren_context *context) {
    ren_status st = REN_OK;
    char printed[256];
    const int sink = memfd_create("streams", MFD_CLOEXEC);

    CHECK(sink >= 0);
    REN_TRY(use_with_streams(context, sink));
    const ssize_t size = pread(sink, printed, sizeof printed - 1, 0);
    if (size != 0) {
        printed[size > 0 ? size : 0] = '\0';
        st = test_fail(__FILE__, __LINE__, "printed: %s", printed);
    }
out:
    if (sink >= 0) close(sink);
    return st;
}

static ren_status test_streams_may_be_closed(ren_context *context) {
    return use_with_streams(context, -1);
}

TEST_MAIN(CASE_ONCE(test_nothing_is_printed), CASE_ONCE(test_streams_may_be_closed))
