/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-1 (FIPS 180-4), by which PyRadiomics' diagnostics tell images and masks apart. Not for anything secret. */
#ifndef REN_RADIOMICS_SHA1_H
#define REN_RADIOMICS_SHA1_H

#include <stddef.h>
#include <stdint.h>

enum { REN__SHA1_TEXT = 41 };

typedef struct ren__sha1 {
    uint32_t state[5];
    uint64_t bytes;
    uint8_t block[64];
} ren__sha1;

void ren__sha1_begin(ren__sha1 *hash);
void ren__sha1_add(ren__sha1 *hash, const void *bytes, size_t size);
void ren__sha1_end(ren__sha1 *hash, char text[REN__SHA1_TEXT]); /* 40 hexadecimal digits */

#endif
