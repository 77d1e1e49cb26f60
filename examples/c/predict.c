/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shortest useful host: one model file, one CT with its lobes, one probability and each region's part in it.
 * Introduces: ren_volume_read, ren_mixture_load, ren_mixture_predict, the getters of a result, error texts.
 *
 *     cc predict.c $(pkg-config --cflags --libs ren) -o predict
 *     ./predict model.safetensors ct.nii.gz lobes.nii.gz
 */
#include <stdio.h>

#include <ren.h>

static void print_result(const ren_result *result) {
    printf("probability of ILD %.4f, label %d\n", ren_result_probability(result, 1), (int)ren_result_label(result));
    for (int32_t i = 0; i < ren_result_region_count(result); i++) {
        if (ren_result_region_ran(result, i))
            printf("  %-12s probability %.4f, weight %.4f\n", ren_result_region_name(result, i),
                   ren_result_region_probability(result, i), ren_result_region_weight(result, i));
        else
            printf("  %-12s is empty in this scan\n", ren_result_region_name(result, i));
    }
    for (int32_t i = 0; i < ren_result_warning_count(result); i++)
        printf("warning: %s\n", ren_result_warning(result, i));
    printf("%.2f s; research use only, not verified for clinical use\n", ren_result_seconds(result, "total"));
}

int main(int count, char **arguments) {
    ren_context *context = NULL;
    ren_volume *ct = NULL, *lobes = NULL;
    ren_mixture *mixture = NULL;
    ren_result *result = NULL;
    ren_status status;

    if (count != 4) {
        fprintf(stderr, "usage: predict MODEL CT LOBES\n");
        return 2;
    }
    status = ren_context_create(NULL, &context); /* NULL: every option's default */
    if (status == REN_OK) status = ren_mixture_load(context, arguments[1], &mixture);
    if (status == REN_OK) status = ren_volume_read(context, arguments[2], &ct);
    if (status == REN_OK) status = ren_volume_read(context, arguments[3], &lobes);
    if (status == REN_OK) status = ren_mixture_predict(mixture, ct, lobes, NULL, &result);

    /* A failing call leaves its sentence with the thread; the _free functions take NULL. */
    if (status == REN_OK)
        print_result(result);
    else
        fprintf(stderr, "predict: %s (%s)\n", ren_error_message(), ren_status_name(status));

    ren_result_free(result);
    ren_mixture_free(mixture);
    ren_volume_free(lobes);
    ren_volume_free(ct);
    ren_context_free(context);
    return status == REN_OK ? 0 : 1;
}
