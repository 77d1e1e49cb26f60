/* SPDX-License-Identifier: Apache-2.0 */
/* Prepared scans as safetensors: image F32, lobes U8, label F32 (preset `paper`), outside F32 (the first cell's image
 * and label), affine F64, boxes I64 (of the stored cells and of each region, with the region's count of cells). */
#include "train/dataset_cache.h"

#include <string.h>

#include "format/safetensors.h"

enum { BOX_NUMBERS = 7, BOX_ROWS = REN__PLACES + 1, MOST_TENSORS = 6 };

static int64_t cell_at(const int64_t size[3], int64_t d, int64_t h, int64_t w) {
    return (d * size[1] + h) * size[2] + w;
}

static uint32_t bits_of(float value) {
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Compared as bits: what is left out must come back as it was. */
static int same_as_first(const ren_scan *scan, int64_t cell) {
    return scan->lobe[cell] == scan->lobe[0] && bits_of(scan->image[cell]) == bits_of(scan->image[0]) &&
           (!scan->label || bits_of(scan->label[cell]) == bits_of(scan->label[0]));
}

/* The box of all cells that differ from the first; one cell where none does. */
static ren__box find_box(const ren_scan *scan) {
    const int64_t *size = scan->preset.size;
    ren__box box = { .begin = { size[0], size[1], size[2] }, .end = { 0, 0, 0 } };

    for (int64_t d = 0; d < size[0]; d++)
        for (int64_t h = 0; h < size[1]; h++)
            for (int64_t w = 0; w < size[2]; w++) {
                const int64_t at[3] = { d, h, w };
                if (same_as_first(scan, cell_at(size, d, h, w))) continue;
                for (int a = 0; a < 3; a++) {
                    if (at[a] < box.begin[a]) box.begin[a] = at[a];
                    if (at[a] >= box.end[a]) box.end[a] = at[a] + 1;
                }
            }
    if (box.end[0] == 0) box = (ren__box){ .begin = { 0, 0, 0 }, .end = { 1, 1, 1 } };
    return box;
}

static size_t box_cells(const ren__box *box) {
    size_t cells = 1;

    for (int a = 0; a < 3; a++)
        cells *= (size_t)(box->end[a] - box->begin[a]);
    return cells;
}

/* Rows of the box between the whole grid and a packed array; `width` is the bytes of a cell. */
static void copy_box(const int64_t size[3], const ren__box *box, size_t width, void *grid, void *packed, int pack) {
    const size_t row = (size_t)(box->end[2] - box->begin[2]) * width;
    uint8_t *beside = packed;

    for (int64_t d = box->begin[0]; d < box->end[0]; d++)
        for (int64_t h = box->begin[1]; h < box->end[1]; h++, beside += row) {
            uint8_t *inside = (uint8_t *)grid + (size_t)cell_at(size, d, h, box->begin[2]) * width;
            memcpy(pack ? beside : inside, pack ? inside : beside, row);
        }
}

static void put_box(int64_t row[BOX_NUMBERS], const ren__box *box, int64_t voxels) {
    for (int a = 0; a < 3; a++) {
        row[a] = box->begin[a];
        row[3 + a] = box->end[a];
    }
    row[6] = voxels;
}

static ren_status join_warnings(const ren_scan *scan, ren_text **out) {
    const ren_status st = ren__text_create(scan->context, out);

    if (st != REN_OK) return st;
    for (int32_t i = 0; i < ren_scan_warning_count(scan); i++) {
        ren__text_add(*out, ren_scan_warning(scan, i));
        ren__text_add(*out, "\n");
    }
    return (*out)->status;
}

ren_status ren__prepared_write(const ren_scan *scan, const char *path, const char *key) {
    ren_status st = REN_OK;
    ren_context *context = scan->context;
    const ren__box box = find_box(scan);
    const size_t cells = box_cells(&box);
    const int64_t *b = box.begin, *e = box.end;
    float *image = NULL, *label = NULL;
    uint8_t *lobes = NULL;
    int64_t boxes[BOX_ROWS][BOX_NUMBERS];
    const float outside[2] = { scan->image[0], scan->label ? scan->label[0] : 0.0f };
    const uint8_t outside_lobe = scan->lobe[0];
    ren_text *warnings = NULL;

    REN_TRY(join_warnings(scan, &warnings));
    REN_ALLOC(image, cells * sizeof *image);
    REN_ALLOC(lobes, cells);
    copy_box(scan->preset.size, &box, sizeof *image, scan->image, image, 1);
    copy_box(scan->preset.size, &box, 1, scan->lobe, lobes, 1);
    if (scan->label) {
        REN_ALLOC(label, cells * sizeof *label);
        copy_box(scan->preset.size, &box, sizeof *label, scan->label, label, 1);
    }
    put_box(boxes[0], &box, (int64_t)cells);
    for (int r = 0; r < REN__PLACES; r++)
        put_box(boxes[1 + r], &scan->box[r], scan->voxels[r]);
    const int64_t shape[3] = { e[0] - b[0], e[1] - b[1], e[2] - b[2] };
    const ren__tensor_source tensors[MOST_TENSORS + 1] = {
        { "image", REN__F32, 3, { shape[0], shape[1], shape[2] }, image },
        { "outside", REN__F32, 1, { 2 }, outside },
        { "affine", REN__F64, 2, { 4, 4 }, scan->affine },
        { "boxes", REN__I64, 2, { BOX_ROWS, BOX_NUMBERS }, boxes },
        { "lobes", REN__U8, 3, { shape[0], shape[1], shape[2] }, lobes },
        { "outside_lobe", REN__U8, 1, { 1 }, &outside_lobe },
        { "label", REN__F32, 3, { shape[0], shape[1], shape[2] }, label },
    };
    const char *const metadata[] = { "ren.prepared", key, "ren.warnings", ren_text_data(warnings), NULL };
    REN_TRY(ren__safetensors_write(context, path, tensors, label ? MOST_TENSORS + 1 : MOST_TENSORS, metadata));
out:
    ren_text_free(warnings);
    ren__free(label);
    ren__free(lobes);
    ren__free(image);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ reading */

typedef struct reading {
    const ren__safetensors *file;
    const char *path;
    ren__box box;
    size_t cells;
} reading;

static ren_status find(const reading *r, const char *name, size_t count, const ren__tensor_entry **entry) {
    *entry = ren__safetensors_find(r->file, name);
    if (*entry && (*entry)->count == count) return REN_OK;
    return ren__error(REN_E_FORMAT, "%s: no tensor \"%s\" of %zu values", r->path, name, count);
}

static ren_status read_floats(const reading *r, const char *name, float *values, size_t count) {
    const ren__tensor_entry *entry;
    const ren_status st = find(r, name, count, &entry);

    return st == REN_OK ? ren__safetensors_read_f32(r->file, entry, values, count) : st;
}

static int box_is_within(const int64_t row[BOX_NUMBERS], const int64_t size[3]) {
    for (int a = 0; a < 3; a++)
        if (row[a] < 0 || row[3 + a] < row[a] || row[3 + a] > size[a]) return 0;
    return row[6] >= 0;
}

static ren_status read_boxes(reading *r, ren_scan *scan) {
    const ren__tensor_entry *entry;
    int64_t boxes[BOX_ROWS][BOX_NUMBERS];
    const size_t count = sizeof boxes / sizeof boxes[0][0];
    ren_status st = find(r, "boxes", count, &entry);

    if (st == REN_OK) st = ren__safetensors_read_i64(r->file, entry, boxes[0], count);
    if (st != REN_OK) return st;
    for (int k = 0; k < BOX_ROWS; k++) {
        ren__box *box = k ? &scan->box[k - 1] : &r->box;
        if (!box_is_within(boxes[k], scan->preset.size))
            return ren__error(REN_E_FORMAT, "%s: a box lies outside the grid", r->path);
        for (int a = 0; a < 3; a++) {
            box->begin[a] = boxes[k][a];
            box->end[a] = boxes[k][3 + a];
        }
        if (k) scan->voxels[k - 1] = boxes[k][6];
    }
    r->cells = box_cells(&r->box);
    return REN_OK;
}

/* A float array of the grid: `outside` everywhere, the stored cells in their box. */
static ren_status read_grid(const reading *r, const ren_scan *scan, const char *name, float outside, size_t total,
                            float **out) {
    ren_status st = REN_OK;
    ren_context *context = scan->context;
    float *packed = NULL;

    REN_ALLOC(packed, r->cells * sizeof *packed);
    REN_TRY(read_floats(r, name, packed, r->cells));
    REN_ALLOC(*out, total * sizeof **out);
    for (size_t i = 0; i < total; i++)
        (*out)[i] = outside;
    copy_box(scan->preset.size, &r->box, sizeof **out, *out, packed, 0);
out:
    ren__free(packed);
    return st;
}

static ren_status read_lobes(const reading *r, ren_scan *scan, size_t total) {
    ren_status st = REN_OK;
    ren_context *context = scan->context;
    float *packed = NULL, outside;
    uint8_t *bytes = NULL;

    REN_ALLOC(packed, r->cells * sizeof *packed);
    REN_ALLOC(bytes, r->cells);
    REN_TRY(read_floats(r, "lobes", packed, r->cells));
    REN_TRY(read_floats(r, "outside_lobe", &outside, 1));
    for (size_t i = 0; i < r->cells; i++)
        bytes[i] = packed[i] >= 0.0f && packed[i] <= 255.0f ? (uint8_t)packed[i] : 0;
    REN_ALLOC(scan->lobe, total);
    memset(scan->lobe, outside >= 0.0f && outside <= 255.0f ? (int)outside : 0, total);
    copy_box(scan->preset.size, &r->box, 1, scan->lobe, bytes, 0);
out:
    ren__free(bytes);
    ren__free(packed);
    return st;
}

/* A scan's warnings end in a zero byte each, in the file in a newline. */
static ren_status read_warnings(const reading *r, ren_scan *scan) {
    const char *line = ren__safetensors_metadata(r->file, "ren.warnings");
    const ren_status st = ren__text_create(scan->context, &scan->warnings);

    if (st != REN_OK) return st;
    for (const char *end; line && (end = strchr(line, '\n')); line = end + 1) {
        ren__text_add_bytes(scan->warnings, line, (size_t)(end - line));
        ren__text_add_bytes(scan->warnings, "", 1);
        scan->warning_count++;
    }
    return scan->warnings->status;
}

static ren_status read_scan(reading *r, ren_scan *scan) {
    ren_status st = REN_OK;
    const int64_t *size = scan->preset.size;
    const size_t total = (size_t)(size[0] * size[1] * size[2]);
    const ren__tensor_entry *entry;
    float outside[2];

    REN_TRY(read_boxes(r, scan));
    REN_TRY(find(r, "affine", 16, &entry));
    REN_TRY(ren__safetensors_read_f64(r->file, entry, scan->affine, 16));
    REN_TRY(read_floats(r, "outside", outside, 2));
    REN_TRY(read_grid(r, scan, "image", outside[0], total, &scan->image));
    REN_TRY(read_lobes(r, scan, total));
    if (scan->preset.kind == REN_PRESET_PAPER) REN_TRY(read_grid(r, scan, "label", outside[1], total, &scan->label));
    REN_TRY(read_warnings(r, scan));
out:
    return st;
}

ren_status ren__prepared_read(ren_context *context, const char *path, const char *key, const ren_preset *preset,
                              ren_scan **out) {
    ren_status st = REN_OK;
    ren__safetensors *file = NULL;
    ren_scan *scan = NULL;

    REN_TRY(ren__safetensors_open(context, path, &file));
    const char *stored = ren__safetensors_metadata(file, "ren.prepared");
    if (!stored || strcmp(stored, key) != 0)
        REN_FAIL(REN_E_FORMAT, "%s: not the prepared scan that its name says", path);
    REN_CALLOC(scan, 1);
    atomic_init(&scan->references, 1);
    scan->context = ren__context_retain(context);
    scan->preset = *preset;
    reading r = { .file = file, .path = path };
    REN_TRY(read_scan(&r, scan));
    *out = scan;
    scan = NULL;
out:
    ren_scan_free(scan);
    ren__safetensors_close(file);
    return st;
}
