/* SPDX-License-Identifier: Apache-2.0 */
/* PNG: decoded again by libpng's simplified interface. */
#include <png.h>

#include "format/png.h"
#include "harness.h"

enum { WIDTH = 37, HEIGHT = 23 };

static void paint(uint8_t rgb[3 * WIDTH * HEIGHT]) {
    for (int i = 0; i < 3 * WIDTH * HEIGHT; i++)
        rgb[i] = (uint8_t)(i * i / 7 + i % 3 * 50);
}

static ren_status test_pixels_come_back(ren_context *context) {
    ren_status st = REN_OK;
    uint8_t rgb[3 * WIDTH * HEIGHT], back[3 * WIDTH * HEIGHT], *first = NULL, *second = NULL;
    size_t first_size = 0, second_size = 0;
    png_image image = { .version = PNG_IMAGE_VERSION };

    paint(rgb);
    REN_TRY(ren__png_encode(context, rgb, WIDTH, HEIGHT, &first, &first_size));
    REN_TRY(ren__png_encode(context, rgb, WIDTH, HEIGHT, &second, &second_size));
    CHECK_INT(second_size, first_size);
    CHECK(memcmp(first, second, first_size) == 0);
    CHECK(png_image_begin_read_from_memory(&image, first, first_size));
    CHECK(image.width == WIDTH && image.height == HEIGHT && image.format == PNG_FORMAT_RGB);
    CHECK(png_image_finish_read(&image, NULL, back, 0, NULL));
    CHECK(memcmp(rgb, back, sizeof rgb) == 0);
out:
    png_image_free(&image);
    ren__free(first);
    ren__free(second);
    return st;
}

static ren_status test_impossible_sizes(ren_context *context) {
    ren_status st = REN_OK;
    uint8_t rgb[3] = { 1, 2, 3 }, *png = NULL;
    size_t size = 0;

    CHECK_FAILS(ren__png_encode(context, rgb, 0, 1, &png, &size), REN_E_INVALID, "0 x 1");
    CHECK_FAILS(ren__png_encode(context, rgb, 1, -1, &png, &size), REN_E_INVALID, "1 x -1");
    CHECK_FAILS(ren__png_encode(context, rgb, 40000, 1, &png, &size), REN_E_INVALID, "40000");
    REN_TRY(ren__png_encode(context, rgb, 1, 1, &png, &size));
    CHECK(size > 8 && memcmp(png, "\x89PNG\r\n\x1A\n", 8) == 0);
out:
    ren__free(png);
    return st;
}

TEST_MAIN(CASE(test_pixels_come_back), CASE(test_impossible_sizes))
