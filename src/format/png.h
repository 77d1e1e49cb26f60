/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REN_FORMAT_PNG_H
#define REN_FORMAT_PNG_H

#include "base/context.h"

/* Encodes 8-bit RGB rows as PNG; `png` is the caller's (ren__free). */
ren_status ren__png_encode(ren_context *context, const uint8_t *rgb, int32_t width, int32_t height, uint8_t **png,
                           size_t *size);

#endif
