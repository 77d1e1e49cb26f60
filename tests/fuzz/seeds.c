/* SPDX-License-Identifier: Apache-2.0 */
#include "seeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "format/safetensors.h"
#include "moe/gate.h"
#include "volume_bytes.h"

/* ----------------------------------------------------------------------------------------------------- the list */

static ren_status add(seed_list *list, const char *name, const void *bytes, size_t size) {
    seed *item = &list->item[list->count];

    if (list->count == SEEDS_MAX) return ren__error(REN_E_LIMIT, "more than %d seeds", SEEDS_MAX);
    item->bytes = malloc(size ? size : 1);
    if (!item->bytes) return ren__error(REN_E_MEMORY, "no memory for a seed");
    memcpy(item->bytes, bytes, size);
    item->size = size;
    snprintf(item->name, sizeof item->name, "%s", name);
    list->count++;
    return REN_OK;
}

static ren_status add_text(seed_list *list, const char *name, const char *text) {
    return add(list, name, text, strlen(text));
}

void seeds_free(seed_list *list) {
    for (int32_t i = 0; i < list->count; i++)
        free(list->item[i].bytes);
    list->count = 0;
}

/* A file of a folder of its own, which is read and removed again. */
typedef struct scratch {
    char folder[64], path[96];
} scratch;

static ren_status scratch_open(scratch *s) {
    snprintf(s->folder, sizeof s->folder, "/tmp/ren_seeds_XXXXXX");
    if (!mkdtemp(s->folder)) return ren__error(REN_E_IO, "%s cannot be made", s->folder);
    snprintf(s->path, sizeof s->path, "%s/file", s->folder);
    return REN_OK;
}

static void scratch_close(scratch *s) {
    unlink(s->path);
    rmdir(s->folder);
}

/* All bytes of the file, from malloc. */
static ren_status scratch_read(const scratch *s, uint8_t **bytes, size_t *size) {
    FILE *file = fopen(s->path, "rb");
    long length = -1;

    *bytes = NULL;
    if (file && fseek(file, 0, SEEK_END) == 0) length = ftell(file);
    if (length >= 0) *bytes = malloc((size_t)length + 1);
    if (*bytes) {
        rewind(file);
        *size = fread(*bytes, 1, (size_t)length, file);
        (*bytes)[*size] = '\0';
    }
    if (file) fclose(file);
    return *bytes ? REN_OK : ren__error(REN_E_IO, "%s cannot be read back", s->path);
}

/* ------------------------------------------------------------------------------------------------------- models */

static ren_status make_expert(ren_context *context, ren_expert **expert) {
    ren_status st = REN_OK;
    ren_expert_options options;

    REN_TRY(ren_expert_options_init(&options, sizeof options));
    options.config = "{\"input_size\": [8, 8, 8]}";
    options.region = REN_REGION_LEFT_LUNG;
    REN_TRY(ren_expert_create(context, &options, expert));
out:
    return st;
}

/* A gate with everything that a file can say of one: scores of a linear model, a tree, parameters of radiomics. */
static ren_status make_gate(ren_context *context, ren_gate **gate) {
    static const char *const names[] = { "original_firstorder_Mean", "original_firstorder_Energy" };
    static const ren__linear_feature feature = { .column = 0, .mean = -850.0, .scale = 40.0, .weight = 0.5 };
    static const ren__tree_node node[3] = { { .column = 1, .left = 1, .right = 2, .threshold = 2.5f, .cover = 5.0 },
                                            { .column = -1, .value = -0.25, .cover = 2.0 },
                                            { .column = -1, .value = 0.5, .cover = 3.0 } };
    static const int32_t begin[2] = { 0, 3 };
    const int32_t region = REN_REGION_LEFT_LUNG;
    ren__gate_parts parts = { .source = "radiomics",
                              .mode = REN__GATE_PER_SCAN,
                              .temperature = 0.5,
                              .columns = { names, 2 },
                              .params = "{\"featureClass\": {\"firstorder\": [\"Mean\", \"Energy\"]}}" };
    ren_status st = REN_OK;

    parts.value[region] = 0.75;
    REN_TRY(ren__predictor_linear(context, &parts.columns, "seed", 0.1, &feature, 1, &parts.score[region]));
    REN_TRY(ren__predictor_trees(context, &parts.columns, "seed", 0.0, 0, node, begin, 1, &parts.predictor[region]));
    REN_TRY(ren__gate_make(context, &parts, gate));
out:
    ren__predictor_free(parts.score[region]);
    ren__predictor_free(parts.predictor[region]);
    return st;
}

static ren_status save_model(ren_context *context, enum seed_model kind, const char *path) {
    ren_status st = REN_OK;
    ren_expert *expert = NULL;
    ren_gate *gate = NULL;
    ren_mixture *mixture = NULL;

    REN_TRY(make_expert(context, &expert));
    if (kind == SEED_EXPERT) {
        REN_TRY(ren_expert_save(expert, path));
        goto out;
    }
    REN_TRY(make_gate(context, &gate));
    REN_TRY(ren_mixture_create(context, &expert, 1, gate, &mixture));
    REN_TRY(ren_mixture_save(mixture, path));
out:
    ren_mixture_free(mixture);
    ren_gate_free(gate);
    ren_expert_free(expert);
    return st;
}

ren_status seed_model_header(ren_context *context, enum seed_model kind, json_t **header, size_t *data_bytes) {
    ren_status st = REN_OK;
    scratch s = { "", "" };
    uint8_t *bytes = NULL;
    uint64_t length = 0;
    size_t size = 0;

    *header = NULL;
    REN_TRY(scratch_open(&s));
    REN_TRY(save_model(context, kind, s.path));
    REN_TRY(scratch_read(&s, &bytes, &size));
    memcpy(&length, bytes, sizeof length);
    *header = json_loadb((const char *)bytes + sizeof length, (size_t)length, 0, NULL);
    if (!*header) REN_FAIL(REN_E_FORMAT, "the header of a saved model is no JSON");
    *data_bytes = size - sizeof length - (size_t)length;
out:
    free(bytes);
    scratch_close(&s);
    return st;
}

/* Both forms that fuzz_model.c knows: the whole header, and what the model says of itself. */
static ren_status add_model(ren_context *context, seed_list *list, enum seed_model kind) {
    ren_status st = REN_OK;
    json_t *header = NULL;
    char *text = NULL;
    size_t data_bytes;

    REN_TRY(seed_model_header(context, kind, &header, &data_bytes));
    text = json_dumps(header, JSON_COMPACT);
    if (!text) REN_FAIL(REN_E_MEMORY, "no memory for a seed");
    REN_TRY(add_text(list, kind == SEED_EXPERT ? "model/expert_header" : "model/mixture_header", text));
    free(text);
    text = NULL;
    const char *model = json_string_value(json_object_get(json_object_get(header, "__metadata__"), "ren.model"));
    if (!model) REN_FAIL(REN_E_FORMAT, "a saved model does not say what it is");
    text = malloc(strlen(model) + 2);
    if (!text) REN_FAIL(REN_E_MEMORY, "no memory for a seed");
    text[0] = kind == SEED_EXPERT ? 'e' : 'm';
    memcpy(text + 1, model, strlen(model) + 1);
    REN_TRY(add_text(list, kind == SEED_EXPERT ? "model/expert" : "model/mixture", text));
out:
    free(text);
    json_decref(header);
    return st;
}

/* ----------------------------------------------------------------------------------------------- volumes, tensors */

static ren_status add_volumes(seed_list *list) {
    static const struct { int code, bits; } types[] = { { 2, 8 }, { 4, 16 }, { 16, 32 }, { 64, 64 } };
    static const int64_t shape[3] = { 5, 4, 2 };
    ren_status st = REN_OK;
    uint8_t packed[NIFTI_LARGEST + 1024];
    nifti_bytes file;
    char name[SEED_NAME];

    for (int version = 1; version <= 2; version++) {
        for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
            make_header(&file, version, (int)(i % 2), shape, types[i].code, types[i].bits);
            for (size_t at = header_size(&file) + 4; at < file.size; at++)
                file.bytes[at] = (uint8_t)(at % 61);
            snprintf(name, sizeof name, "nifti/version%d_type%d", version, types[i].code);
            REN_TRY(add(list, name, file.bytes, file.size));
        }
        snprintf(name, sizeof name, "nifti/version%d_gzip", version);
        REN_TRY(add(list, name, packed, gzip_bytes(file.bytes, file.size, packed)));
    }
out:
    return st;
}

static ren_status add_safetensors(ren_context *context, seed_list *list) {
    static const double values[24] = { 1, 2, 3 };
    static const char *const metadata[] = { "kind", "seed", "more", "\xC3\xA9\n", NULL };
    static const ren__tensor_source tensors[] = {
        { "f64", REN__F64, 1, { 3 }, values },       { "i64", REN__I64, 2, { 2, 2 }, values },
        { "f32", REN__F32, 3, { 2, 1, 3 }, values }, { "bf16", REN__BF16, 1, { 5 }, values },
        { "f16", REN__F16, 0, { 0 }, values },       { "u8", REN__U8, 2, { 1, 7 }, values },
        { "none", REN__U8, 2, { 0, 4 }, values },
    };
    ren_status st = REN_OK;
    scratch s = { "", "" };
    uint8_t *bytes = NULL;
    size_t size = 0;

    REN_TRY(scratch_open(&s));
    for (size_t count = 1; count <= sizeof tensors / sizeof *tensors; count += 6) {
        REN_TRY(ren__safetensors_write(context, s.path, tensors, count, count == 1 ? NULL : metadata));
        REN_TRY(scratch_read(&s, &bytes, &size));
        REN_TRY(add(list, count == 1 ? "safetensors/one" : "safetensors/all", bytes, size));
        free(bytes);
        bytes = NULL;
    }
out:
    free(bytes);
    scratch_close(&s);
    return st;
}

/* ---------------------------------------------------------------------------------------------------------- texts */

static const char config_small[] = "study: s\ndata: {root: /nowhere}\nexperts:\n- {name: cnn, arch: cnn}\n";
static const char config_full[] =
    "study: full\nseed: 42\ndata:\n  root: /nowhere\n  table: t.csv\n"
    "  preset: {kind: paper, window: [-1000, 200], size: [16, 24, 32], spacing: 1.5}\n"
    "split: {folds: 4, validation: 0.25, stratify: none, protocol: paper, run: [2, 0]}\nregions: 2\nexperts:\n"
    "- {name: a, arch: cnn, epochs: 3, batch: 2, lr: 1e-3, dropout: 0.1, schedule: constant, early_stopping: false}\n"
    "- {name: b, arch: cnn, augmentation: false, smoothing: 0, schedule: {kind: cosine, t_max: 50, min_lr: 0}}\n"
    "gates:\n- {name: auc, source: validation_auc}\n- {name: loss, source: inverse_loss, normalisation: hierarchical}\n"
    "mixtures:\n- {name: m, experts: b, gate: loss}\n- {name: n, experts: a, gate: auc}\n"
    "compare: {primary: [m, a.right_lung], others: [n]}\n";

static const char params_small[] = "setting: {binWidth: 25, resampledPixelSpacing: }\nimageType:\n  Original: {}\n"
                                   "featureClass:\n  shape:\n  firstorder: []\n  glcm: ['Contrast', 'Id']\n";
static const char params_full[] =
    "imageType:\n  LoG: {sigma: [1, 2.5], binWidth: 10}\n  Wavelet: {wavelet: bior3.7, level: 2, start_level: 1}\n"
    "  LBP2D: {lbp2DRadius: 1.5, lbp2DSamples: 9, lbp2DMethod: uniform}\n  Exponential: {}\n"
    "setting:\n  interpolator: sitkLinear\n  resampledPixelSpacing: [1, 1, 0]\n  padDistance: 10\n  normalize: true\n"
    "  normalizeScale: 100\n  removeOutliers: 3\n  resegmentRange: [-3, 3]\n  resegmentMode: sigma\n  label: 1\n"
    "  distances: [1, 2]\n  weightingNorm: euclidean\n  force2D: true\n  force2Ddimension: 0\n  binCount: 32\n"
    "voxelSetting: {kernelRadius: 2, maskedKernel: true, initValue: nan, voxelBatch: 100}\n";
static const char params_ibsi[] =
    "ibsi: {aggregation: 2_5D_comb, rounding: true, outlierSigma: 3, binOrigin: minimum, gridAlignment: corner,\n"
    "  inPlane: true, maskThreshold: 0.5, ivhBinWidth: 2.5}\nfeatureClass: {ibsi_cm: }\n";

static const char predictor_linear[] =
    "{\"kind\": \"linear\", \"bias\": -0.25, \"features\": [{\"column\": \"c\", \"mean\": 1.5, \"scale\": 0.5, "
    "\"weight\": 2.0}, {\"column\": \"a\", \"mean\": 0.0, \"scale\": 1e-3, \"weight\": -1.0}]}";
static const char predictor_trees[] =
    "{\"kind\": \"trees\", \"bias\": 0.5, \"average\": false, \"columns\": [\"a\", \"b\", \"d\"], \"trees\": ["
    "[[0, 0.5, 1, 2, true, 10.0], [-1.0, 4.0], [2, -1.25, 3, 4, false, 6.0], [0, 7.0, 5, 6, true, 2.0], [0.5, 4.0], "
    "[3.0, 1.5], [-2.5, 0.5]], [[0.25, 10.0]]]}";
static const char predictor_forest[] =
    "{\"kind\": \"trees\", \"bias\": 0.0, \"average\": true, \"columns\": [\"b\"], \"trees\": ["
    "[[0, 0.5, 1, 2, true, 10.0], [0.125, 4.0], [1.0, 6.0]]]}";
static const char predictor_xgboost[] =
    "{\"learner\": {\"gradient_booster\": {\"model\": {\"trees\": [{\"left_children\": [1, -1, -1], "
    "\"right_children\": [2, -1, -1], \"split_indices\": [3, 0, 0], \"split_conditions\": [5E-1, -1.5, 2], "
    "\"default_left\": [1, 0, 0], \"sum_hessian\": [10, 4, 6]}]}}}, \"version\": [1, 7, 4]}";

static ren_status add_texts(seed_list *list) {
    static const struct {
        const char *name, *text;
    } texts[] = {
        { "config/small", config_small },
        { "config/full", config_full },
        { "params/small", params_small },
        { "params/full", params_full },
        { "params/ibsi", params_ibsi },
        { "params/json", "{\"setting\": {\"binWidth\": 25}, \"featureClass\": {\"shape\": null}}" },
        { "document/json", "{\"a\": [1, -2.5e-3, null, true, {\"b\": \"\\u00e9\\n\"}], \"c\": {}, \"d\": []}" },
        { "document/yaml", "a: 1\nb:\n- x\n- [1, 2.5, ~, 'q']\n- {k: v, \"w\": |\n    text\n  }\nc: >\n  folded\n" },
        { "document/block", "a:\n  b: true\n  c: .5\nd: |\n  two\n  lines\n# end\n" },
        { "predictor/linear", predictor_linear },
        { "predictor/trees", predictor_trees },
        { "predictor/forest", predictor_forest },
        { "predictor/xgboost", predictor_xgboost },
        { "radiomics/ones", "\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1" },
        { "radiomics/text", "bytes decide parameters, sizes, grey values and labels; past them a generator goes on" },
        { "csv/plain", "patient,path,label\np1,a.nii.gz,0\np2,b.nii.gz,1\n" },
        { "csv/quoted", "\xEF\xBB\xBF\"a \"\"b\"\"\",\"c\r\nd\"\r\n1,\"x,y\"\r\n,\r\n" },
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const ren_status st = add_text(list, texts[i].name, texts[i].text);
        if (st != REN_OK) return st;
    }
    return REN_OK;
}

ren_status seeds_make(ren_context *context, seed_list *list) {
    ren_status st = REN_OK;

    list->count = 0;
    REN_TRY(add_volumes(list));
    REN_TRY(add_safetensors(context, list));
    REN_TRY(add_texts(list));
    REN_TRY(add_model(context, list, SEED_EXPERT));
    REN_TRY(add_model(context, list, SEED_MIXTURE));
out:
    if (st != REN_OK) seeds_free(list);
    return st;
}
