/* SPDX-License-Identifier: Apache-2.0 */
/* JSON and YAML as one tree (jansson's json_t), memory from the context, strict: no duplicate keys, depth at most 64.
 */
#ifndef REN_FORMAT_DOCUMENT_H
#define REN_FORMAT_DOCUMENT_H

#include <jansson.h>

#include "base/text.h"

enum { REN__DOCUMENT_DEPTH = 64, REN__DOCUMENT_VALUES = 1 << 20, REN__DOCUMENT_CAP = 16 << 20 };

/* jansson's allocation functions are process-wide and are left alone (as libyaml's): a tree is not on the context's
 * account, but bounded by the input's size (16 MiB) and its number of values (1,048,576). json_decref ends a tree.
 * Errors begin with `name`, line and column. A UTF-8 byte-order mark is passed over. Any value may stand alone. */
ren_status ren__json_parse(const char *text, size_t size, const char *name, json_t **out);
/* YAML as JSON types. Plain scalars: null or ~ or nothing, true and false, decimal numbers (7, 1.0e-4, 1e-4, .5); all
 * else, quoted scalars and keys are strings (yes and no too). Refused: anchors, aliases, tags, further documents,
 * keys that are no scalars, and what YAML 1.1 and 1.2 read differently (007). */
ren_status ren__yaml_parse(const char *text, size_t size, const char *name, json_t **out);
/* By extension: .json as JSON, else YAML. */
ren_status ren__document_read(ren_context *context, const char *path, json_t **out);
/* jansson's loader for an exact slice of text: strict, no duplicate keys, any value, and safe whatever the locale. The
 * caller bounds size and depth. NULL: see `error`; an empty text there means that memory ran out. */
json_t *ren__json_load(const char *text, size_t size, json_error_t *error);
/* Keys in order of insertion, numbers round-trip, `indent` spaces a level (0: one line); no newline at the end. */
ren_status ren__json_write(ren_context *context, const json_t *tree, int indent, ren_text **out);
/* The tree as block YAML that ren__yaml_parse reads back equal; lists of scalars on one line; a newline at the end. */
ren_status ren__yaml_write(ren_context *context, const json_t *tree, ren_text **out);

/* Checked access. `where` names the object in errors ("data", "experts[1]"). A missing key leaves *value as it is; a
 * value of another kind (null too) is REN_E_FORMAT. Integers are numbers as well. Strings belong to the tree. */
ren_status ren__get_string(const json_t *object, const char *key, const char *where, const char **value);
ren_status ren__get_number(const json_t *object, const char *key, const char *where, double *value);
ren_status ren__get_integer(const json_t *object, const char *key, const char *where, int64_t low, int64_t high,
                            int64_t *value);
ren_status ren__get_boolean(const json_t *object, const char *key, const char *where, int *value);
/* Refuses keys that are not in `known` (NULL-terminated), naming the nearest known one. */
ren_status ren__check_keys(const json_t *object, const char *where, const char *const *known);

#endif
