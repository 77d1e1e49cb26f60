/* SPDX-License-Identifier: Apache-2.0 */
/* PNG pictures through libpng, whose memory comes from the context and whose errors come back by a jump. */
#include "format/png.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>

enum { LARGEST_SIDE = 32768 };

/* Everything that must survive the jump is here, not in the jumping function's variables. */
typedef struct encoder {
    jmp_buf failed;
    ren_context *context;
    png_structp png;
    png_infop info;
    uint8_t *bytes;
    size_t size, capacity;
    int out_of_memory;
    char reason[80];
} encoder;

static void on_error(png_structp png, png_const_charp text) {
    encoder *to = png_get_error_ptr(png);
    size_t size = strnlen(text, sizeof to->reason - 1);

    memcpy(to->reason, text, size);
    to->reason[size] = '\0';
    longjmp(to->failed, 1); /* were it to return, libpng would print */
}

static void on_warning(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

static png_voidp on_alloc(png_structp png, png_alloc_size_t size) {
    encoder *to = png_get_mem_ptr(png);
    void *memory = ren__alloc(to->context, size);

    if (!memory) to->out_of_memory = 1;
    return memory;
}

static void on_free(png_structp png, png_voidp memory) {
    (void)png;
    ren__free(memory);
}

static void on_write(png_structp png, png_bytep bytes, size_t size) {
    encoder *to = png_get_io_ptr(png);
    size_t wanted;

    if (!ren__add_size(to->size, size, &wanted)) png_error(png, "too large");
    if (wanted > to->capacity) {
        size_t larger = wanted + wanted / 2;
        uint8_t *grown = ren__realloc(to->context, to->bytes, larger);
        if (!grown) {
            to->out_of_memory = 1;
            png_error(png, "out of memory");
        }
        to->bytes = grown;
        to->capacity = larger;
    }
    memcpy(to->bytes + to->size, bytes, size);
    to->size = wanted;
}

static void on_flush(png_structp png) {
    (void)png;
}

/* May jump out at any libpng call. Level and filter are fixed and no time is written: equal pictures, equal bytes. */
static void encode(encoder *to, const uint8_t *rgb, uint32_t width, uint32_t height) {
    to->png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, to, on_error, on_warning, to, on_alloc, on_free);
    if (!to->png) return;
    to->info = png_create_info_struct(to->png);
    if (!to->info) png_error(to->png, "out of memory");
    png_set_write_fn(to->png, to, on_write, on_flush);
    png_set_compression_level(to->png, 6);
    png_set_filter(to->png, PNG_FILTER_TYPE_BASE, PNG_FILTER_PAETH);
    png_set_IHDR(to->png, to->info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_BASE,
                 PNG_FILTER_TYPE_BASE);
    png_write_info(to->png, to->info);
    for (uint32_t row = 0; row < height; row++)
        png_write_row(to->png, rgb + (size_t)row * width * 3);
    png_write_end(to->png, to->info);
}

static int encode_caught(encoder *to, const uint8_t *rgb, uint32_t width, uint32_t height) {
    if (setjmp(to->failed)) return 0;
    encode(to, rgb, width, height);
    return to->png != NULL;
}

ren_status ren__png_encode(ren_context *context, const uint8_t *rgb, int32_t width, int32_t height, uint8_t **png,
                           size_t *size) {
    ren_status st = REN_OK;
    encoder to;

    *png = NULL;
    *size = 0;
    if (width < 1 || height < 1 || width > LARGEST_SIDE || height > LARGEST_SIDE)
        return ren__error(REN_E_INVALID, "a picture of %d x %d: each side must be from 1 to %d", (int)width,
                          (int)height, LARGEST_SIDE);
    memset(&to, 0, sizeof to);
    to.context = context;
    if (!encode_caught(&to, rgb, (uint32_t)width, (uint32_t)height))
        st = to.out_of_memory ? ren__out_of_memory() : ren__error(REN_E_INTERNAL, "libpng: %s", to.reason);
    png_destroy_write_struct(&to.png, &to.info);
    if (st == REN_OK) {
        *png = to.bytes;
        *size = to.size;
    } else {
        ren__free(to.bytes);
    }
    return st;
}
