/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing NIfTI: every type, byte order, version and container, from bytes made by hand. */
#include "harness.h"
#include "volume/volume.h"
#include "volume_bytes.h"

static const int64_t shape_342[3] = { 3, 4, 2 };

static const struct {
    int code, bits;
    int32_t type;
    double low, high; /* extremes of the type that a double holds */
} types[10] = { { 2, 8, REN_TYPE_U8, 0, 255 },
                { 256, 8, REN_TYPE_I8, -128, 127 },
                { 512, 16, REN_TYPE_U16, 0, 65535 },
                { 4, 16, REN_TYPE_I16, -32768, 32767 },
                { 768, 32, REN_TYPE_U32, 0, 4294967295.0 },
                { 8, 32, REN_TYPE_I32, -2147483648.0, 2147483647.0 },
                { 1280, 64, REN_TYPE_U64, 0, 9007199254740992.0 },
                { 1024, 64, REN_TYPE_I64, -9007199254740992.0, 9007199254740992.0 },
                { 16, 32, REN_TYPE_F32, -1.5e30, 0.15625 },
                { 64, 64, REN_TYPE_F64, -1.5e30, 0.1 } };

/* Value of voxel v: both extremes, then small numbers. */
static double voxel_value(int t, int v) {
    if (v == 0) return types[t].low;
    if (v == 23) return types[t].high;
    return (double)(5 * v);
}

static void put_voxels(nifti_bytes *file, size_t offset, int t) {
    const size_t size = (size_t)types[t].bits / 8;
    for (int v = 0; v < 24; v++) {
        const double value = voxel_value(t, v);
        const float narrow = (float)value;
        uint64_t bits = 0;
        uint32_t bits32;
        memcpy(&bits32, &narrow, sizeof bits32);
        if (types[t].type == REN_TYPE_F32)
            bits = bits32;
        else if (types[t].type == REN_TYPE_F64)
            memcpy(&bits, &value, sizeof bits);
        else
            bits = value < 0 ? (uint64_t)(int64_t)value : (uint64_t)value;
        put_integer(file, offset + size * (size_t)v, size, bits);
    }
}

static void make_file(nifti_bytes *file, int version, int big, int t) {
    make_header(file, version, big, shape_342, types[t].code, types[t].bits);
    put_voxels(file, header_size(file) + 4, t);
}

static ren_status check_voxels(const ren_volume *volume, int t) {
    static const int64_t origin[3] = { 0, 0, 0 };
    static const double affine[12] = { -1.5, 0.25, 0, 10, 0.125, 2, 0.5, -20, 0, -0.75, 2.5, 30.5 };
    ren_status st = REN_OK;
    double values[24];
    CHECK_INT(volume->type, types[t].type);
    CHECK(!memcmp(volume->shape, shape_342, sizeof shape_342));
    CHECK(!volume->unit_unknown);
    for (int i = 0; i < 12; i++)
        CHECK_NEAR(volume->affine[i], affine[i], 0.0);
    REN_TRY(ren__volume_box_f64(volume, origin, shape_342, NULL, values));
    for (int v = 0; v < 24; v++)
        CHECK_NEAR(values[v], types[t].type == REN_TYPE_F32 ? (double)(float)voxel_value(t, v) : voxel_value(t, v),
                   0.0);
out:
    return st;
}

static ren_status read_and_check(ren_context *context, const char *path, int t) {
    ren_volume *volume = NULL;
    ren_status st = ren_volume_read(context, path, &volume);
    if (st == REN_OK) st = check_voxels(volume, t);
    ren_volume_free(volume);
    return st;
}

static ren_status test_types_orders_versions(ren_context *context) {
    ren_status st = REN_OK;
    char path[TEST_PATH];
    nifti_bytes file;
    for (int t = 0; t < 10; t++)
        for (int version = 1; version <= 2; version++)
            for (int big = 0; big < 2; big++) {
                make_file(&file, version, big, t);
                write_bytes(test_file(path, "typed.nii"), file.bytes, file.size);
                REN_TRY(read_and_check(context, path, t));
            }
out:
    return st;
}

static ren_status test_compressed(ren_context *context) {
    ren_status st = REN_OK;
    char path[TEST_PATH];
    nifti_bytes file;
    uint8_t packed[NIFTI_LARGEST + 2048];
    make_file(&file, 1, 0, 3);
    write_bytes(test_file(path, "packed.nii.gz"), packed, gzip_bytes(file.bytes, file.size, packed));
    REN_TRY(read_and_check(context, path, 3));
    /* two members, as concatenation and bgzip make them, then the padding of a tape */
    size_t size = gzip_bytes(file.bytes, 400, packed);
    size += gzip_bytes(file.bytes + 400, file.size - 400, packed + size);
    memset(packed + size, 0, 512);
    write_bytes(test_file(path, "members.nii.gz"), packed, size + 512);
    REN_TRY(read_and_check(context, path, 3));
    /* not compressed, whatever the name says */
    write_bytes(test_file(path, "plain.nii.gz"), file.bytes, file.size);
    REN_TRY(read_and_check(context, path, 3));
out:
    return st;
}

static ren_status test_pairs(ren_context *context) {
    ren_status st = REN_OK;
    char header[TEST_PATH], image[TEST_PATH];
    nifti_bytes file;
    uint8_t packed[NIFTI_LARGEST];
    for (int version = 1; version <= 2; version++) {
        make_header(&file, version, 1, shape_342, types[7].code, types[7].bits);
        memcpy(file.bytes + at_field(&file, 344, 4), version == 1 ? "ni1" : "ni2", 3);
        if (version == 1)
            put_real(&file, AT_OFFSET(&file), 16);
        else
            put_integer(&file, AT_OFFSET(&file), 8, 16);
        put_voxels(&file, 1016, 7);
        write_bytes(test_file(header, "pair.hdr"), file.bytes, header_size(&file));
        write_bytes(test_file(image, "pair.img"), file.bytes + 1000, 16 + 24 * 8);
        REN_TRY(read_and_check(context, header, 7));
        REN_TRY(read_and_check(context, image, 7));
    }
    write_bytes(test_file(header, "PACKED.HDR.gz"), packed, gzip_bytes(file.bytes, header_size(&file), packed));
    write_bytes(test_file(image, "PACKED.IMG"), file.bytes + 1000, 16 + 24 * 8);
    REN_TRY(read_and_check(context, header, 7));
    write_bytes(test_file(header, "alone.hdr"), file.bytes, header_size(&file));
    CHECK_FAILS(read_and_check(context, header, 7), REN_E_IO, "missing");
    write_bytes(test_file(header, "pair.nii"), file.bytes, header_size(&file));
    CHECK_FAILS(read_and_check(context, header, 7), REN_E_FORMAT, ".hdr");
out:
    return st;
}

static ren_status read_made(ren_context *context, const nifti_bytes *file, ren_volume **out) {
    char path[TEST_PATH];
    write_bytes(test_file(path, "made.nii"), file->bytes, file->size);
    return ren_volume_read(context, path, out);
}

/* The sform first, then the qform, then the spacing; in millimetres whatever the unit. */
static ren_status test_affines(ren_context *context) {
    ren_status st = REN_OK;
    nifti_bytes file;
    ren_volume *volume = NULL;
    for (int version = 1; version <= 2; version++) {
        make_file(&file, version, 0, 0);
        put_code(&file, AT_QCODE(&file), 1);
        put_real(&file, AT_QUATERN(&file, 2), 1.0); /* half a turn about z: x and y are reversed */
        for (int i = 0; i < 3; i++)
            put_real(&file, AT_QUATERN(&file, 3 + i), 7.0 + i);
        put_real(&file, AT_PIXDIM(&file, 0), -1.0); /* and z too */
        REN_TRY(read_made(context, &file, &volume));
        CHECK_NEAR(volume->affine[0], -1.5, 0.0);
        ren_volume_free(volume);
        volume = NULL;

        put_code(&file, AT_SCODE(&file), 0);
        REN_TRY(read_made(context, &file, &volume));
        static const double turned[12] = { -2, 0, 0, 7, 0, -3, 0, 8, 0, 0, -4, 9 };
        for (int i = 0; i < 12; i++)
            CHECK_NEAR(volume->affine[i], turned[i], 1e-12);
        ren_volume_free(volume);
        volume = NULL;

        put_code(&file, AT_QCODE(&file), 0);
        put_integer(&file, AT_UNITS(&file), at_field(&file, 1, 4), 3); /* micrometres */
        REN_TRY(read_made(context, &file, &volume));
        CHECK_NEAR(volume->affine[0], 0.002, 1e-15);
        CHECK_NEAR(volume->affine[10], 0.004, 1e-15);
        CHECK_NEAR(volume->affine[3], 0.0, 0.0);
        CHECK(!volume->unit_unknown);
        ren_volume_free(volume);
        volume = NULL;

        put_integer(&file, AT_UNITS(&file), at_field(&file, 1, 4), 0);
        REN_TRY(read_made(context, &file, &volume));
        CHECK_NEAR(volume->affine[5], 3.0, 0.0);
        CHECK(volume->unit_unknown);
        ren_volume_free(volume);
        volume = NULL;
    }
out:
    ren_volume_free(volume);
    return st;
}

static ren_status test_scaling(ren_context *context) {
    ren_status st = REN_OK;
    nifti_bytes file;
    ren_volume *volume = NULL;
    float values[24];
    make_file(&file, 1, 1, 3);
    put_real(&file, AT_SLOPE(&file), 0.5);
    put_real(&file, AT_INTER(&file), -1024);
    REN_TRY(read_made(context, &file, &volume));
    REN_TRY(ren_volume_copy(volume, values, 24));
    CHECK_NEAR(values[0], -32768 * 0.5 - 1024, 0.0);
    CHECK_NEAR(values[3], 15 * 0.5 - 1024, 0.0);
    CHECK(volume->rescaled);
    ren_volume_free(volume);
    volume = NULL;
    put_real(&file, AT_SLOPE(&file), 0.0); /* no scaling, whatever the intercept holds */
    put_real(&file, AT_INTER(&file), NAN);
    REN_TRY(read_made(context, &file, &volume));
    REN_TRY(ren_volume_copy(volume, values, 24));
    CHECK_NEAR(values[3], 15, 0.0);
    CHECK(!volume->rescaled);
out:
    ren_volume_free(volume);
    return st;
}

/* Extensions before the voxels are skipped, bytes after them ignored; a flat or a single series is a volume. */
static ren_status test_layouts(ren_context *context) {
    ren_status st = REN_OK;
    nifti_bytes file;
    make_header(&file, 1, 0, shape_342, types[3].code, types[3].bits);
    file.bytes[348] = 1;
    put_integer(&file, 352, 4, 32); /* one extension of 32 bytes */
    put_real(&file, AT_OFFSET(&file), 384);
    put_voxels(&file, 384, 3);
    file.size = 384 + 48 + 100;
    char path[TEST_PATH];
    write_bytes(test_file(path, "extended.nii"), file.bytes, file.size);
    REN_TRY(read_and_check(context, path, 3));

    make_file(&file, 2, 0, 3);
    put_dim(&file, 0, 5);
    write_bytes(path, file.bytes, file.size);
    REN_TRY(read_and_check(context, path, 3));

    make_file(&file, 1, 0, 3);
    put_real(&file, AT_OFFSET(&file), 0); /* left out */
    write_bytes(path, file.bytes, file.size);
    REN_TRY(read_and_check(context, path, 3));
out:
    return st;
}

/* ------------------------------------------------------------------------------------------------------- writing */

static ren_status check_round_trip(ren_context *context, int t, const char *name) {
    ren_status st = REN_OK;
    char path[TEST_PATH];
    nifti_bytes file;
    ren_volume *volume = NULL;
    make_file(&file, 1, 1, t);
    REN_TRY(read_made(context, &file, &volume));
    REN_TRY(ren_volume_write(volume, test_file(path, name)));
    REN_TRY(read_and_check(context, path, t));
out:
    ren_volume_free(volume);
    return st;
}

static ren_status test_round_trips(ren_context *context) {
    ren_status st = REN_OK;
    for (int t = 0; t < 10; t++) {
        REN_TRY(check_round_trip(context, t, "written.nii"));
        REN_TRY(check_round_trip(context, t, "written.nii.gz"));
    }
out:
    return st;
}

static size_t slurp(const char *path, uint8_t *bytes, size_t capacity) {
    FILE *file = fopen(path, "rb");
    if (!file) return 0;
    const size_t size = fread(bytes, 1, capacity, file);
    fclose(file);
    return size;
}

/* The whole header, byte by byte: a rigid affine has both forms, and nothing is left undefined. */
static ren_status test_written_header(ren_context *context) {
    ren_status st = REN_OK;
    char path[TEST_PATH];
    nifti_bytes wanted;
    ren_volume *volume = NULL;
    uint8_t bytes[1024];
    void *data = NULL;
    const double affine[16] = { -2, 0, 0, 7, 0, -3, 0, 8, 0, 0, 4, 9, 0, 0, 0, 1 };
    REN_TRY(ren__volume_allocate(context, REN_TYPE_I16, shape_342, affine, &data, &volume));
    ((int16_t *)data)[5] = -2;
    REN_TRY(ren_volume_write(volume, test_file(path, "header.nii")));
    make_header(&wanted, 1, 0, shape_342, 4, 16);
    for (int i = 0; i < 12; i++)
        put_real(&wanted, AT_SROW(&wanted, i), affine[i]);
    put_code(&wanted, AT_QCODE(&wanted), 1);
    put_real(&wanted, AT_QUATERN(&wanted, 2), 1.0);
    for (int i = 0; i < 3; i++)
        put_real(&wanted, AT_QUATERN(&wanted, 3 + i), 7.0 + i);
    wanted.bytes[38] = 'r';
    memcpy(wanted.bytes + 148, "libren", 6);
    wanted.bytes[362] = 0xfe;
    wanted.bytes[363] = 0xff;
    CHECK_INT(slurp(path, bytes, sizeof bytes), 352 + 48);
    for (int i = 0; i < 352 + 48; i++)
        if (bytes[i] != wanted.bytes[i]) CHECK_INT(1000 * i + bytes[i], 1000 * i + wanted.bytes[i]);
out:
    ren_volume_free(volume);
    return st;
}

static ren_status test_same_bytes_twice(ren_context *context) {
    ren_status st = REN_OK;
    char path[TEST_PATH];
    nifti_bytes file;
    ren_volume *volume = NULL;
    uint8_t first[1024], second[1024];
    make_file(&file, 1, 0, 9);
    REN_TRY(read_made(context, &file, &volume));
    REN_TRY(ren_volume_write(volume, test_file(path, "first.nii.gz")));
    const size_t size = slurp(path, first, sizeof first);
    REN_TRY(ren_volume_write(volume, test_file(path, "second.nii.gz")));
    CHECK(size > 100);
    CHECK_INT(slurp(path, second, sizeof second), size);
    CHECK(!memcmp(first, second, size));
    for (int i = 4; i < 8; i++)
        CHECK_INT(first[i], 0); /* gzip's time */
out:
    ren_volume_free(volume);
    return st;
}

/* A view is written in its own order, and a long axis as NIfTI-2, whose affine is in double. */
static ren_status test_views_and_long_axes(ren_context *context) {
    ren_status st = REN_OK;
    char path[TEST_PATH];
    nifti_bytes file;
    ren_volume *volume = NULL, *view = NULL, *back = NULL;
    float before[24], after[24];
    make_file(&file, 1, 0, 3);
    REN_TRY(read_made(context, &file, &volume));
    REN_TRY(ren_volume_reorient(volume, "ILP", &view));
    REN_TRY(ren_volume_write(view, test_file(path, "view.nii")));
    REN_TRY(ren_volume_read(context, path, &back));
    REN_TRY(ren_volume_copy(view, before, 24));
    REN_TRY(ren_volume_copy(back, after, 24));
    CHECK(!memcmp(before, after, sizeof before));
    for (int i = 0; i < 16; i++)
        CHECK_NEAR(back->affine[i], view->affine[i], 1e-6);
    ren_volume_free(volume);
    ren_volume_free(back);
    volume = back = NULL;

    const int64_t longer[3] = { 1, 32768, 1 };
    const double affine[16] = { 0.1, 0, 0, 1.0 / 3, 0, 0.2, 0, 0, 0, 0, 0.3, 0, 0, 0, 0, 1 };
    REN_TRY(ren__volume_allocate(context, REN_TYPE_U8, longer, affine, NULL, &volume));
    REN_TRY(ren_volume_write(volume, test_file(path, "long.nii")));
    REN_TRY(ren_volume_read(context, path, &back));
    CHECK_INT(back->shape[1], 32768);
    for (int i = 0; i < 16; i++)
        CHECK_NEAR(back->affine[i], affine[i], 0.0);
out:
    ren_volume_free(volume);
    ren_volume_free(view);
    ren_volume_free(back);
    return st;
}

static ren_status test_write_refuses(ren_context *context) {
    ren_status st = REN_OK;
    char path[TEST_PATH];
    nifti_bytes file;
    ren_volume *volume = NULL;
    make_file(&file, 1, 0, 3);
    REN_TRY(read_made(context, &file, &volume));
    CHECK_FAILS(ren_volume_write(volume, test_file(path, "volume.mha")), REN_E_INVALID, ".nii");
    CHECK_FAILS(ren_volume_write(volume, test_file(path, "no/such/folder.nii")), REN_E_IO, "folder.nii");
out:
    ren_volume_free(volume);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_types_orders_versions), CASE(test_compressed), CASE(test_pairs), CASE(test_affines),
          CASE(test_scaling), CASE(test_layouts), CASE_SAMPLED(test_round_trips), CASE(test_written_header),
          CASE(test_same_bytes_twice), CASE(test_views_and_long_axes), CASE(test_write_refuses))
