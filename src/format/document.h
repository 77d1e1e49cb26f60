/* SPDX-License-Identifier: Apache-2.0 */
/* JSON and YAML as one tree (jansson's json_t), memory from the context, strict: no duplicate keys, depth at most 64. */
#ifndef REN_FORMAT_DOCUMENT_H
#define REN_FORMAT_DOCUMENT_H

#include <jansson.h>

#include "base/text.h"

/* jansson's allocation functions are process-wide and are left alone; trees are bounded by the input's size (16 MiB).
 * json_decref ends a tree. `name` is for the error text. */
ren_status ren__json_parse(const char *text, size_t size, const char *name, json_t **out);
/* YAML 1.1 scalars as JSON types (null, true/false, numbers, strings), maps and lists; anchors are refused. */
ren_status ren__yaml_parse(const char *text, size_t size, const char *name, json_t **out);
/* By extension: .json as JSON, else YAML. */
ren_status ren__document_read(ren_context *context, const char *path, json_t **out);
/* Keys in order of insertion, numbers round-trip, indent 2 (0: one line). */
ren_status ren__json_write(ren_context *context, const json_t *tree, int indent, ren_text **out);
/* The tree as block YAML that ren__yaml_parse reads back equal. */
ren_status ren__yaml_write(ren_context *context, const json_t *tree, ren_text **out);

/* Checked access. `where` names the object in errors ("data", "experts[1]"). A missing key leaves *value as it is. */
ren_status ren__get_string(const json_t *object, const char *key, const char *where, const char **value);
ren_status ren__get_number(const json_t *object, const char *key, const char *where, double *value);
ren_status ren__get_integer(const json_t *object, const char *key, const char *where, int64_t low, int64_t high,
                            int64_t *value);
ren_status ren__get_boolean(const json_t *object, const char *key, const char *where, int *value);
/* Refuses keys that are not in `known` (NULL-terminated), naming the nearest known one. */
ren_status ren__check_keys(const json_t *object, const char *where, const char *const *known);

#endif
