/* SPDX-License-Identifier: Apache-2.0 */
/* Values between doubles and the pixel types of SimpleITK. */
#include "radiomics/pixels.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"

enum { GRAIN = 1 << 16 };

static int scaled(const ren_volume *image) {
    return image->slope != 1.0 || image->intercept != 0.0;
}

int32_t ren__pixels_type(const ren_volume *image) {
    return scaled(image) && image->type != REN_TYPE_F64 ? REN_TYPE_F32 : image->type;
}

static void round_to_single(void *argument, int64_t begin, int64_t end, int32_t thread) {
    double *values = argument;
    (void)thread;
    for (int64_t i = begin; i < end; i++)
        values[i] = (double)(float)values[i];
}

ren_status ren__pixels_read(const ren_volume *image, const int64_t begin[3], const int64_t shape[3], ren__run *run,
                            double *values) {
    const ren_status st = ren__volume_box_f64(image, begin, shape, run, values);
    if (st != REN_OK || !scaled(image) || ren__pixels_type(image) != REN_TYPE_F32) return st;
    ren__parallel_for(image->context, run, shape[0] * shape[1] * shape[2], GRAIN, round_to_single, values);
    return ren__run_check(run);
}

double ren__pixels_cast(int32_t type, double value) {
    static const double lowest[] = { 0, 0, -128, 0, -32768, 0, -2147483648.0, 0, -9223372036854775808.0 };
    static const double highest[] = {
        0, 255, 127, 65535, 32767, 4294967295.0, 2147483647.0, 18446744073709549568.0, 9223372036854774784.0
    };
    if (type == REN_TYPE_F64) return value;
    if (type == REN_TYPE_F32) return (double)(float)value;
    if (!(value > lowest[type])) return lowest[type];
    return value < highest[type] ? trunc(value) : highest[type];
}

#define STORE(type)                                                                                                    \
    do {                                                                                                               \
        for (int64_t i = 0; i < count; i++)                                                                            \
            ((type *)to)[i] = (type)values[i];                                                                         \
    } while (0)

void ren__pixels_store(int32_t type, const double *values, int64_t count, void *to) {
    switch (type) {
    case REN_TYPE_U8:
        STORE(uint8_t);
        break;
    case REN_TYPE_I8:
        STORE(int8_t);
        break;
    case REN_TYPE_U16:
        STORE(uint16_t);
        break;
    case REN_TYPE_I16:
        STORE(int16_t);
        break;
    case REN_TYPE_U32:
        STORE(uint32_t);
        break;
    case REN_TYPE_I32:
        STORE(int32_t);
        break;
    case REN_TYPE_U64:
        STORE(uint64_t);
        break;
    case REN_TYPE_I64:
        STORE(int64_t);
        break;
    case REN_TYPE_F32:
        STORE(float);
        break;
    default:
        memcpy(to, values, (size_t)count * sizeof *values);
    }
}
