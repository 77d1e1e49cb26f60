/* SPDX-License-Identifier: Apache-2.0 */
/* XGBoost is needed by those alone who grow trees: it is not linked but loaded when asked for. */
#include "train/xgboost.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

/* POSIX has dlsym give functions as pointers to objects. */
static int find(void *library, const char *name, void *function) {
    void *found = dlsym(library, name);

    memcpy(function, &found, sizeof found);
    return found != NULL;
}

ren_status ren__xgboost_open(ren__xgboost *library) {
    static const char *const names[] = { "libxgboost.so.0", "libxgboost.so" };
    char reason[160] = "";

    *library = (ren__xgboost){ 0 };
    for (size_t i = 0; i < sizeof names / sizeof *names && !library->library; i++) {
        library->library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        const char *why = library->library || reason[0] ? NULL : dlerror(); /* of the name it should have */
        if (why) snprintf(reason, sizeof reason, "%s", why);
    }
    if (!library->library)
        return ren__error(REN_E_UNSUPPORTED,
                          "trees are grown by XGBoost, which cannot be loaded: install the package libxgboost0 (%s)",
                          reason);
    void *const from = library->library;
    if (find(from, "XGBGetLastError", &library->last_error) && find(from, "XGBGetGlobalConfig", &library->get_config) &&
        find(from, "XGBSetGlobalConfig", &library->set_config) &&
        find(from, "XGDMatrixCreateFromMat", &library->matrix_create) &&
        find(from, "XGDMatrixSetInfoFromInterface", &library->matrix_set) &&
        find(from, "XGDMatrixFree", &library->matrix_free) && find(from, "XGBoosterCreate", &library->booster_create) &&
        find(from, "XGBoosterSetParam", &library->booster_set) &&
        find(from, "XGBoosterUpdateOneIter", &library->booster_update) &&
        find(from, "XGBoosterSaveModelToBuffer", &library->booster_save) &&
        find(from, "XGBoosterFree", &library->booster_free))
        return REN_OK;
    ren__xgboost_close(library);
    return ren__error(REN_E_UNSUPPORTED,
                      "trees are grown by XGBoost 1.6 or later; the one installed is older: install libxgboost0");
}

void ren__xgboost_close(ren__xgboost *library) {
    if (library->library) (void)dlclose(library->library);
    library->library = NULL;
}

ren_status ren__xgboost_check(const ren__xgboost *library, int answer) {
    const char *reason;

    if (answer == 0) return REN_OK;
    reason = library->last_error();
    if (!reason) reason = "no reason is given";
    if (strstr(reason, "bad_alloc")) return ren__error(REN_E_MEMORY, "XGBoost ran out of memory");
    return ren__error(REN_E_INTERNAL, "XGBoost: %.*s", (int)strcspn(reason, "\r\n"), reason);
}
