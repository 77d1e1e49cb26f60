/* SPDX-License-Identifier: Apache-2.0 */
/* NIfTI files: the header, checked by us before anything believes it, and the byte stream behind it. */
#ifndef REN_VOLUME_NIFTI_H
#define REN_VOLUME_NIFTI_H

#include "base/context.h"

enum { REN__NIFTI1_BYTES = 348, REN__NIFTI2_BYTES = 540 };

/* What a checked header says. */
typedef struct ren__nifti_header {
    int version;  /* 1 or 2 */
    int swapped;  /* the file's byte order is not ours */
    int pair;     /* voxels are in an .img of their own */
    int32_t type; /* REN_TYPE_* */
    int64_t shape[3];
    uint64_t voxel_offset; /* of the first voxel, in the file that has them */
    size_t voxel_bytes;
    double affine[16]; /* in mm */
    double spacing[3]; /* mm, of pixdim where it agrees with the affine; else 0 */
    double slope, intercept;
    int unit_unknown, planar;
} ren__nifti_header;

/* Bytes the header has (348 or 540), told from its first four; 0: neither, this is no NIfTI file. */
size_t ren__nifti_header_size(const uint8_t first[4]);
/* Parses and checks a whole header. Error texts name no file: the caller adds it. REN_E_FORMAT, REN_E_DATA,
 * REN_E_UNSUPPORTED. */
ren_status ren__nifti_header_parse(const uint8_t *bytes, size_t size, ren__nifti_header *out);
/* The affine of a qform by libnifti2's own arithmetic; REN_E_UNSUPPORTED where another library answers for it. */
ren_status ren__nifti_qform(const double quaternion[3], const double offset[3], const double spacing[3], double qfac,
                            double affine[16]);
ren_status ren__nifti_quaternion(const double affine[16], double quaternion[3], double offset[3], double *qfac);

/* A file read front to back, decompressed where it starts like gzip. */
typedef struct ren__nifti_stream ren__nifti_stream;
ren_status ren__nifti_stream_open(ren_context *context, const char *path, ren__nifti_stream **out);
void ren__nifti_stream_close(ren__nifti_stream *stream); /* NULL is fine */
/* Up to `size` bytes; fewer only at the end. Errors name the file. */
ren_status ren__nifti_stream_read(ren__nifti_stream *stream, void *bytes, size_t size, size_t *got);
ren_status ren__nifti_stream_skip(ren__nifti_stream *stream, uint64_t size, uint64_t *skipped);
/* REN_E_FORMAT where the file, by its length, cannot hold `size` bytes: at once for plain files, and for compressed
 * ones by the most that deflate can expand to. */
ren_status ren__nifti_stream_holds(const ren__nifti_stream *stream, uint64_t size);
/* Reads a compressed file to its end, so that its checksum is verified. */
ren_status ren__nifti_stream_finish(ren__nifti_stream *stream);

#endif
