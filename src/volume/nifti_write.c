/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a volume as NIfTI: every byte of the file follows from the volume, and nothing else. */
#include <limits.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include <nifti2_io.h>
#include <zlib.h>

#include "base/text.h"
#include "volume/geometry.h"
#include "volume/nifti.h"
#include "volume/volume.h"

enum { OUTPUT_BYTES = 1 << 18, ROWS_BYTES = 1 << 20 };

/* The file behind an optional deflate. */
typedef struct sink {
    ren__file_writer *file;
    int compressed, deflating;
    z_stream z;
    uint8_t *output; /* OUTPUT_BYTES */
} sink;

static void *zlib_alloc(void *user, uInt count, uInt size) {
    return ren__alloc_array(user, count, size);
}

static void zlib_free(void *user, void *memory) {
    (void)user;
    ren__free(memory);
}

static ren_status sink_open(sink *to, ren_context *context, const char *path, int compressed) {
    ren_status st = REN_OK;
    to->compressed = compressed;
    if (compressed) {
        REN_ALLOC(to->output, OUTPUT_BYTES);
        to->z.zalloc = zlib_alloc;
        to->z.zfree = zlib_free;
        to->z.opaque = context;
        /* zlib's own gzip header has no name and the time 0 */
        if (deflateInit2(&to->z, 4, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
            st = ren__out_of_memory();
            goto out;
        }
        to->deflating = 1;
    }
    REN_TRY(ren__file_writer_open(context, path, &to->file));
out:
    return st;
}

/* `last` ends the compressed stream. */
static ren_status sink_write(sink *to, const void *bytes, size_t size, int last) {
    ren_status st = REN_OK;
    int code;
    if (!to->compressed) return ren__file_writer_write(to->file, bytes, size);
    to->z.next_in = (uint8_t *)(uintptr_t)bytes; /* zlib's pointer is not const */
    to->z.avail_in = (uInt)size;
    do {
        to->z.next_out = to->output;
        to->z.avail_out = OUTPUT_BYTES;
        code = deflate(&to->z, last ? Z_FINISH : Z_NO_FLUSH);
        if (code == Z_STREAM_ERROR) REN_FAIL(REN_E_INTERNAL, "zlib's state is inconsistent");
        REN_TRY(ren__file_writer_write(to->file, to->output, OUTPUT_BYTES - to->z.avail_out));
    } while (to->z.avail_out == 0);
out:
    return st;
}

static void sink_close(sink *to) {
    if (to->deflating) deflateEnd(&to->z);
    ren__file_writer_abort(to->file);
    ren__free(to->output);
}

/* What both versions of the header say, before it is narrowed. */
typedef struct fields {
    int32_t datatype, bits, units, qform_code;
    double pixdim[4], quaternion[3], offset[3];
} fields;

static ren_status make_fields(const ren_volume *volume, fields *f) {
    static const int32_t codes[] = { 0, 2, 256, 512, 4, 768, 8, 1280, 1024, 16, 64 };
    memset(f, 0, sizeof *f);
    f->datatype = codes[volume->type];
    f->bits = (int32_t)(8 * ren__type_size(volume->type));
    f->units = volume->unit_unknown ? 0 : 2; /* millimetres */
    f->pixdim[0] = 1.0;
    ren__affine_spacing(volume->affine, f->pixdim + 1);
    if (!ren__affine_rigid(volume->affine)) return REN_OK; /* a qform cannot say it; the sform does */
    f->qform_code = 1;
    return ren__nifti_quaternion(volume->affine, f->quaternion, f->offset, &f->pixdim[0]);
}

static void make_nifti1(const ren_volume *volume, const fields *f, nifti_1_header *h) {
    float *const rows[3] = { h->srow_x, h->srow_y, h->srow_z };
    memset(h, 0, sizeof *h);
    h->sizeof_hdr = (int)sizeof *h;
    h->regular = 'r';
    memcpy(h->magic, "n+1", 4);
    h->dim[0] = 3;
    for (int i = 1; i < 8; i++)
        h->dim[i] = i <= 3 ? (int16_t)volume->shape[i - 1] : 1;
    for (int i = 0; i < 4; i++)
        h->pixdim[i] = (float)f->pixdim[i];
    h->datatype = (int16_t)f->datatype;
    h->bitpix = (int16_t)f->bits;
    h->vox_offset = (float)(sizeof *h + 4);
    h->scl_slope = (float)volume->slope;
    h->scl_inter = (float)volume->intercept;
    h->xyzt_units = (char)f->units;
    memcpy(h->descrip, "libren", 6);
    h->qform_code = (int16_t)f->qform_code;
    h->sform_code = 1;
    h->quatern_b = (float)f->quaternion[0];
    h->quatern_c = (float)f->quaternion[1];
    h->quatern_d = (float)f->quaternion[2];
    h->qoffset_x = (float)f->offset[0];
    h->qoffset_y = (float)f->offset[1];
    h->qoffset_z = (float)f->offset[2];
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 4; c++)
            rows[r][c] = (float)volume->affine[4 * r + c];
}

static void make_nifti2(const ren_volume *volume, const fields *f, nifti_2_header *h) {
    memset(h, 0, sizeof *h);
    h->sizeof_hdr = (int32_t)sizeof *h;
    memcpy(h->magic, "n+2\0\r\n\032\n", 8);
    h->dim[0] = 3;
    for (int i = 1; i < 8; i++)
        h->dim[i] = i <= 3 ? volume->shape[i - 1] : 1;
    for (int i = 0; i < 4; i++)
        h->pixdim[i] = f->pixdim[i];
    h->datatype = (int16_t)f->datatype;
    h->bitpix = (int16_t)f->bits;
    h->vox_offset = (int64_t)sizeof *h + 4;
    h->scl_slope = volume->slope;
    h->scl_inter = volume->intercept;
    h->xyzt_units = f->units;
    memcpy(h->descrip, "libren", 6);
    h->qform_code = f->qform_code;
    h->sform_code = 1;
    h->quatern_b = f->quaternion[0];
    h->quatern_c = f->quaternion[1];
    h->quatern_d = f->quaternion[2];
    h->qoffset_x = f->offset[0];
    h->qoffset_y = f->offset[1];
    h->qoffset_z = f->offset[2];
    for (int c = 0; c < 4; c++) {
        h->srow_x[c] = volume->affine[c];
        h->srow_y[c] = volume->affine[4 + c];
        h->srow_z[c] = volume->affine[8 + c];
    }
}

static ren_status write_header(const ren_volume *volume, sink *to) {
    union {
        nifti_1_header one;
        nifti_2_header two;
        uint8_t bytes[REN__NIFTI2_BYTES + 4];
    } header;
    fields f;
    int large = 0;
    ren_status st = make_fields(volume, &f);
    if (st != REN_OK) return st;
    memset(&header, 0, sizeof header); /* the 4 bytes after the header say: no extensions */
    for (int a = 0; a < 3; a++)
        large |= volume->shape[a] > INT16_MAX;
    if (large)
        make_nifti2(volume, &f, &header.two);
    else
        make_nifti1(volume, &f, &header.one);
    return sink_write(to, header.bytes, (large ? REN__NIFTI2_BYTES : REN__NIFTI1_BYTES) + 4, 0);
}

static void copy_row(const ren_volume *volume, const uint8_t *from, size_t element, uint8_t *to) {
    const int64_t width = volume->shape[0], stride = volume->strides[0];
    if (stride == (int64_t)element)
        memcpy(to, from, (size_t)width * element);
    else
        for (int64_t i = 0; i < width; i++)
            memcpy(to + (size_t)i * element, from + i * stride, element);
}

static ren_status write_voxels(const ren_volume *volume, sink *to) {
    ren_status st = REN_OK;
    ren_context *context = volume->context;
    uint8_t *buffer = NULL;
    const size_t element = ren__type_size(volume->type), row = (size_t)volume->shape[0] * element;
    const size_t capacity = row > ROWS_BYTES ? row : ROWS_BYTES / row * row;
    size_t used = 0;
    REN_ALLOC(buffer, capacity);
    for (int64_t k = 0; k < volume->shape[2]; k++)
        for (int64_t j = 0; j < volume->shape[1]; j++) {
            copy_row(volume, volume->data + j * volume->strides[1] + k * volume->strides[2], element, buffer + used);
            used += row;
            if (used < capacity) continue;
            for (size_t at = 0; at < used; at += INT_MAX) /* zlib counts in 32 bits */
                REN_TRY(sink_write(to, buffer + at, used - at < INT_MAX ? used - at : INT_MAX, 0));
            used = 0;
        }
    REN_TRY(sink_write(to, buffer, used, 1));
out:
    ren__free(buffer);
    return st;
}

static int has_suffix(const char *path, const char *suffix) {
    size_t a = strlen(path), b = strlen(suffix);
    return a > b && !strcasecmp(path + a - b, suffix);
}

ren_status ren_volume_write(const ren_volume *volume, const char *path) {
    ren_status st = REN_OK;
    sink to;
    REN_REQUIRE(volume && path);
    const int compressed = has_suffix(path, ".nii.gz");
    if (!compressed && !has_suffix(path, ".nii"))
        return ren__error(REN_E_INVALID, "%s: volumes are written as .nii or .nii.gz", path);
    memset(&to, 0, sizeof to);
    REN_TRY(sink_open(&to, volume->context, path, compressed));
    REN_TRY(write_header(volume, &to));
    REN_TRY(write_voxels(volume, &to));
    st = ren__file_writer_commit(to.file); /* ends the writer, whatever it returns */
    to.file = NULL;
out:
    sink_close(&to);
    return st;
}
