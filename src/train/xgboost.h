/* SPDX-License-Identifier: Apache-2.0 */
/* The few functions of XGBoost's C interface that growing trees takes, from the shared library that is installed. */
#ifndef REN_TRAIN_XGBOOST_H
#define REN_TRAIN_XGBOOST_H

#include "base/context.h"

/* All give 0, or -1 with the reason in XGBGetLastError(). */
typedef struct ren__xgboost {
    void *library;
    const char *(*last_error)(void);
    int (*get_config)(const char **json);
    int (*set_config)(const char *json);
    int (*matrix_create)(const float *value, uint64_t rows, uint64_t columns, float missing, void **matrix);
    int (*matrix_set)(void *matrix, const char *field, const char *array);
    int (*matrix_free)(void *matrix);
    int (*booster_create)(void *const *matrices, uint64_t count, void **booster);
    int (*booster_set)(void *booster, const char *name, const char *value);
    int (*booster_update)(void *booster, int iteration, void *matrix);
    int (*booster_save)(void *booster, const char *config, uint64_t *size, const char **bytes);
    int (*booster_free)(void *booster);
} ren__xgboost;

/* REN_E_UNSUPPORTED where it is not installed or lacks a function. Once loaded it stays in the process: a library with
 * threads' own data behind it cannot be taken out safely. */
ren_status ren__xgboost_open(ren__xgboost *library) REN_CHECKED;
void ren__xgboost_close(ren__xgboost *library);
/* What an answer of -1 means: REN_E_MEMORY, or REN_E_INTERNAL with the first line of XGBoost's reason. */
ren_status ren__xgboost_check(const ren__xgboost *library, int answer);

#endif
