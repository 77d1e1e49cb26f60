/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NIfTI header, field by field from raw bytes. libnifti2's own reader trusts dim[0] and sizes, and prints; it gets
 * to see nothing but numbers that have passed here. Layouts are those of nifti1.h and nifti2.h.
 */
#include <dlfcn.h>
#include <math.h>
#include <string.h>

#include <nifti2_io.h>

#include "volume/geometry.h"
#include "volume/nifti.h"

_Static_assert(sizeof(nifti_1_header) == REN__NIFTI1_BYTES, "nifti1.h has another layout");
_Static_assert(sizeof(nifti_2_header) == REN__NIFTI2_BYTES, "nifti2.h has another layout");

/* The fields that matter, in one width for both versions. */
typedef struct raw_header {
    int version, pair;
    int64_t dim[8];
    int32_t datatype, bitpix, qform_code, sform_code, units;
    double pixdim[8], vox_offset, slope, intercept;
    double quaternion[3], offset[3], srow[12];
} raw_header;

static uint64_t load(const uint8_t *at, size_t size, int big) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)at[i] << 8 * (big ? size - 1 - i : i);
    return value;
}

static int32_t load_i16(const uint8_t *at, int big) {
    return (int16_t)load(at, 2, big);
}

static int32_t load_i32(const uint8_t *at, int big) {
    return (int32_t)load(at, 4, big);
}

static double load_f32(const uint8_t *at, int big) {
    uint32_t bits = (uint32_t)load(at, 4, big);
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

static double load_f64(const uint8_t *at, int big) {
    uint64_t bits = load(at, 8, big);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#define AT1(field) (bytes + offsetof(nifti_1_header, field))
#define AT2(field) (bytes + offsetof(nifti_2_header, field))

static void load_nifti1(const uint8_t *bytes, int big, raw_header *raw) {
    raw->pair = AT1(magic)[1] == 'i';
    for (size_t i = 0; i < 8; i++) {
        raw->dim[i] = load_i16(AT1(dim) + 2 * i, big);
        raw->pixdim[i] = load_f32(AT1(pixdim) + 4 * i, big);
    }
    raw->datatype = load_i16(AT1(datatype), big);
    raw->bitpix = load_i16(AT1(bitpix), big);
    raw->qform_code = load_i16(AT1(qform_code), big);
    raw->sform_code = load_i16(AT1(sform_code), big);
    raw->units = *AT1(xyzt_units);
    raw->vox_offset = load_f32(AT1(vox_offset), big);
    raw->slope = load_f32(AT1(scl_slope), big);
    raw->intercept = load_f32(AT1(scl_inter), big);
    for (size_t i = 0; i < 3; i++) {
        raw->quaternion[i] = load_f32(AT1(quatern_b) + 4 * i, big);
        raw->offset[i] = load_f32(AT1(qoffset_x) + 4 * i, big);
    }
    for (size_t i = 0; i < 12; i++)
        raw->srow[i] = load_f32(AT1(srow_x) + 4 * i, big);
}

static void load_nifti2(const uint8_t *bytes, int big, raw_header *raw) {
    raw->pair = AT2(magic)[1] == 'i';
    for (size_t i = 0; i < 8; i++) {
        raw->dim[i] = (int64_t)load(AT2(dim) + 8 * i, 8, big);
        raw->pixdim[i] = load_f64(AT2(pixdim) + 8 * i, big);
    }
    raw->datatype = load_i16(AT2(datatype), big);
    raw->bitpix = load_i16(AT2(bitpix), big);
    raw->qform_code = load_i32(AT2(qform_code), big);
    raw->sform_code = load_i32(AT2(sform_code), big);
    raw->units = load_i32(AT2(xyzt_units), big);
    raw->vox_offset = (double)(int64_t)load(AT2(vox_offset), 8, big);
    raw->slope = load_f64(AT2(scl_slope), big);
    raw->intercept = load_f64(AT2(scl_inter), big);
    for (size_t i = 0; i < 3; i++) {
        raw->quaternion[i] = load_f64(AT2(quatern_b) + 8 * i, big);
        raw->offset[i] = load_f64(AT2(qoffset_x) + 8 * i, big);
    }
    for (size_t i = 0; i < 12; i++)
        raw->srow[i] = load_f64(AT2(srow_x) + 8 * i, big);
}

size_t ren__nifti_header_size(const uint8_t first[4]) {
    uint32_t little = (uint32_t)load(first, 4, 0), big = (uint32_t)load(first, 4, 1);
    if (little == REN__NIFTI1_BYTES || big == REN__NIFTI1_BYTES) return REN__NIFTI1_BYTES;
    return little == REN__NIFTI2_BYTES || big == REN__NIFTI2_BYTES ? REN__NIFTI2_BYTES : 0;
}

static ren_status check_magic(const uint8_t *bytes, int version) {
    if (version == 1) {
        const uint8_t *magic = AT1(magic);
        if (!memcmp(magic, "n+1", 4) || !memcmp(magic, "ni1", 4)) return REN_OK;
        if (!magic[0] && !magic[1] && !magic[2])
            return ren__error(REN_E_UNSUPPORTED,
                              "an ANALYZE 7.5 header, which does not say which side is left: convert "
                              "it to NIfTI with a tool that knows the scanner's convention");
    } else if (!memcmp(AT2(magic), "n+2", 4) || !memcmp(AT2(magic), "ni2", 4)) {
        if (!memcmp(AT2(magic) + 4, "\r\n\032\n", 4)) return REN_OK;
        return ren__error(REN_E_FORMAT,
                          "the NIfTI-2 signature is damaged as by a text-mode transfer: copy the file again");
    }
    return ren__error(REN_E_FORMAT, "the header's size is that of NIfTI-%d, but its signature is not", version);
}

static ren_status check_shape(const raw_header *raw, ren__nifti_header *out) {
    int64_t volumes = 1;
    if (raw->dim[0] < 1 || raw->dim[0] > 7)
        return ren__error(REN_E_FORMAT, "the header counts %lld dimensions, 1 to 7 are possible",
                          (long long)raw->dim[0]);
    for (int i = 1; i <= (int)raw->dim[0]; i++) {
        if (raw->dim[i] < 1) return ren__error(REN_E_FORMAT, "dimension %d has %lld voxels", i, (long long)raw->dim[i]);
        if (i <= 3)
            out->shape[i - 1] = raw->dim[i];
        else if (raw->dim[i] > 1)
            volumes = raw->dim[i];
    }
    if (volumes > 1)
        return ren__error(REN_E_DATA,
                          "the file holds a series (%lld along a fourth or higher dimension); one volume only "
                          "is read: extract the one you mean",
                          (long long)volumes);
    return REN_OK;
}

static ren_status check_type(const raw_header *raw, ren__nifti_header *out) {
    static const struct {
        int32_t code, type, bits;
    } types[] = { { 2, REN_TYPE_U8, 8 },
                  { 256, REN_TYPE_I8, 8 },
                  { 512, REN_TYPE_U16, 16 },
                  { 4, REN_TYPE_I16, 16 },
                  { 768, REN_TYPE_U32, 32 },
                  { 8, REN_TYPE_I32, 32 },
                  { 1280, REN_TYPE_U64, 64 },
                  { 1024, REN_TYPE_I64, 64 },
                  { 16, REN_TYPE_F32, 32 },
                  { 64, REN_TYPE_F64, 64 },
                  { 1, 0, 1 },
                  { 32, 0, 64 },
                  { 128, 0, 24 },
                  { 1536, 0, 128 },
                  { 1792, 0, 128 },
                  { 2048, 0, 256 },
                  { 2304, 0, 32 } };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].code != raw->datatype) continue;
        if (!types[i].type)
            return ren__error(REN_E_UNSUPPORTED,
                              "voxels are binary, colour, complex or 128-bit (datatype %d); integers of "
                              "8 to 64 bits and 32- or 64-bit floats are read",
                              (int)raw->datatype);
        if (types[i].bits != raw->bitpix)
            return ren__error(REN_E_FORMAT, "datatype %d has %d bits, the header says %d", (int)raw->datatype,
                              (int)types[i].bits, (int)raw->bitpix);
        out->type = types[i].type;
        size_t bytes = (size_t)types[i].bits / 8;
        for (int a = 0; a < 3; a++)
            if (!ren__mul_size(bytes, (size_t)out->shape[a], &bytes) || bytes > (size_t)PTRDIFF_MAX)
                return ren__error(REN_E_FORMAT, "%lld x %lld x %lld voxels are more than memory can address",
                                  (long long)out->shape[0], (long long)out->shape[1], (long long)out->shape[2]);
        out->voxel_bytes = bytes;
        return REN_OK;
    }
    return ren__error(REN_E_FORMAT, "unknown datatype %d", (int)raw->datatype);
}

static ren_status check_offset(const raw_header *raw, ren__nifti_header *out) {
    /* 4 bytes after the header of a single file say whether extensions follow */
    const double smallest = raw->pair ? 0.0 : (raw->version == 1 ? REN__NIFTI1_BYTES : REN__NIFTI2_BYTES) + 4.0;
    double offset = raw->vox_offset;
    if (!raw->pair && offset == 0.0) offset = smallest; /* left out by some writers */
    if (!(offset >= smallest) || !(offset < 9e15) || offset != floor(offset))
        return ren__error(REN_E_FORMAT, "the offset of the voxels in the file makes no sense");
    out->voxel_offset = (uint64_t)offset;
    return REN_OK;
}

/* Nothing else of the process may answer for libnifti2: libniftiio exports many of its names over other structures. */
static ren_status check_library(void) {
    Dl_info info;
    nifti_dmat44 (*function)(double, double, double, double, double, double, double, double, double, double) =
        nifti_quatern_to_dmat44;
    void *address;
    memcpy(&address, &function, sizeof address);
    if (dladdr(address, &info) && info.dli_fname) {
        const char *name = strrchr(info.dli_fname, '/');
        name = name ? name + 1 : info.dli_fname;
        if (!strncmp(name, "libniftiio", 10))
            return ren__error(REN_E_UNSUPPORTED,
                              "the process has libniftiio loaded, whose functions stand in for those of "
                              "libnifti2: link libnifti2 first");
    }
    return REN_OK;
}

ren_status ren__nifti_qform(const double quaternion[3], const double offset[3], const double spacing[3], double qfac,
                            double affine[16]) {
    ren_status st = check_library();
    if (st != REN_OK) return st;
    nifti_dmat44 matrix = nifti_quatern_to_dmat44(quaternion[0], quaternion[1], quaternion[2], offset[0], offset[1],
                                                  offset[2], spacing[0], spacing[1], spacing[2], qfac);
    for (int i = 0; i < 16; i++)
        affine[i] = matrix.m[i / 4][i % 4];
    return REN_OK;
}

ren_status ren__nifti_quaternion(const double affine[16], double quaternion[3], double offset[3], double *qfac) {
    nifti_dmat44 matrix;
    double spacing[3];
    ren_status st = check_library();
    if (st != REN_OK) return st;
    for (int i = 0; i < 16; i++)
        matrix.m[i / 4][i % 4] = affine[i];
    nifti_dmat44_to_quatern(matrix, &quaternion[0], &quaternion[1], &quaternion[2], &offset[0], &offset[1], &offset[2],
                            &spacing[0], &spacing[1], &spacing[2], qfac);
    return REN_OK;
}

/* The columns of an oblique sform have rounded their own length; what pixdim says of it is exact. */
static void keep_lengths(const double spacing[3], ren__nifti_header *out) {
    double length[3];
    ren__affine_spacing(out->affine, length);
    for (int c = 0; c < 3; c++)
        if (fabs(length[c] - spacing[c]) < 1e-6 * spacing[c]) out->spacing[c] = spacing[c];
}

/* The sform, else the qform, else the spacing alone (the standard's methods 3, 2, 1), as the file's own unit. */
static ren_status make_affine(const raw_header *raw, ren__nifti_header *out) {
    double spacing[3];
    for (int a = 0; a < 3; a++) {
        spacing[a] = a < raw->dim[0] ? fabs(raw->pixdim[a + 1]) : 1.0;
        if (!isfinite(spacing[a])) return ren__error(REN_E_FORMAT, "the voxel spacing along axis %d is not finite", a);
        if (spacing[a] == 0.0 && out->shape[a] == 1) spacing[a] = 1.0; /* an axis of a 2-D image */
    }
    ren__affine_identity(out->affine);
    if (raw->sform_code > 0) {
        memcpy(out->affine, raw->srow, sizeof raw->srow);
        keep_lengths(spacing, out);
    } else if (raw->qform_code > 0) {
        for (int a = 0; a < 3; a++)
            if (!isfinite(raw->quaternion[a]) || !isfinite(raw->offset[a]))
                return ren__error(REN_E_FORMAT, "the qform is not finite");
        ren_status st =
            ren__nifti_qform(raw->quaternion, raw->offset, spacing, raw->pixdim[0] < 0.0 ? -1.0 : 1.0, out->affine);
        if (st != REN_OK) return st;
    } else {
        for (size_t a = 0; a < 3; a++)
            out->affine[5 * a] = spacing[a];
    }
    return REN_OK;
}

static ren_status check_geometry(const raw_header *raw, ren__nifti_header *out) {
    ren_status st = make_affine(raw, out);
    if (st != REN_OK) return st;
    const int32_t unit = raw->units & 7;
    const double millimetres = unit == 1 ? 1000.0 : unit == 3 ? 0.001 : 1.0;
    out->planar = raw->dim[0] <= 2;
    out->unit_unknown = unit != 1 && unit != 2 && unit != 3;
    for (int i = 0; i < 12 && millimetres != 1.0; i++)
        out->affine[i] *= millimetres;
    for (int a = 0; a < 3; a++)
        out->spacing[a] *= millimetres;
    if (!ren__affine_valid(out->affine))
        return ren__error(REN_E_FORMAT, "the affine (%s) is not finite or not invertible",
                          raw->sform_code > 0   ? "sform"
                          : raw->qform_code > 0 ? "qform"
                                                : "spacing");
    return REN_OK;
}

static ren_status check_scale(const raw_header *raw, ren__nifti_header *out) {
    out->slope = 1.0;
    out->intercept = 0.0;
    if (raw->slope == 0.0) return REN_OK; /* the standard: no scaling */
    if (!isfinite(raw->slope) || !isfinite(raw->intercept))
        return ren__error(REN_E_FORMAT, "scl_slope or scl_inter is not finite");
    out->slope = raw->slope;
    out->intercept = raw->intercept;
    return REN_OK;
}

ren_status ren__nifti_header_parse(const uint8_t *bytes, size_t size, ren__nifti_header *out) {
    ren_status st = REN_OK;
    raw_header raw;
    memset(&raw, 0, sizeof raw);
    memset(out, 0, sizeof *out);
    for (int a = 0; a < 3; a++)
        out->shape[a] = 1;
    if (size < 4 || !ren__nifti_header_size(bytes) || size < ren__nifti_header_size(bytes))
        REN_FAIL(REN_E_FORMAT, "this is no NIfTI header");
    raw.version = ren__nifti_header_size(bytes) == REN__NIFTI1_BYTES ? 1 : 2;
    const int big = load(bytes, 4, 1) < 1024;
    REN_TRY(check_magic(bytes, raw.version));
    if (raw.version == 1)
        load_nifti1(bytes, big, &raw);
    else
        load_nifti2(bytes, big, &raw);
    out->version = raw.version;
    out->pair = raw.pair;
    out->swapped = big != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
    REN_TRY(check_shape(&raw, out));
    REN_TRY(check_type(&raw, out));
    REN_TRY(check_offset(&raw, out));
    REN_TRY(check_geometry(&raw, out));
    REN_TRY(check_scale(&raw, out));
out:
    return st;
}
