/* SPDX-License-Identifier: Apache-2.0 */
/* What the writers of JSON (document.c) and YAML (yaml_write.c) share. */
#ifndef REN_FORMAT_DOCUMENT_WRITE_H
#define REN_FORMAT_DOCUMENT_WRITE_H

#include "format/document.h"

/* The shortest of 15 to 17 digits that reads back equal, always recognisable as no integer. */
void ren__write_real(ren_text *text, double value);
/* In double quotes. `yaml`: also escaped what YAML would refuse or fold; still valid JSON. */
void ren__write_string(ren_text *text, const char *string, size_t size, int yaml);
/* 0: not a scalar, nothing written. */
int ren__write_scalar(ren_text *text, const json_t *value, int yaml);
int ren__scalars_only(const json_t *list);
ren_status ren__too_deep(void);

#endif
