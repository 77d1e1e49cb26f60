/* SPDX-License-Identifier: Apache-2.0 */
/* ren predict: a mixture on one CT. */
#include <math.h>
#include <string.h>

#include "cli.h"

static void print_region(FILE *stream, const cli_call *call, const ren_result *result, int32_t index) {
    const double probability = ren_result_region_probability(result, index);
    const double weight = ren_result_region_weight(result, index);
    const double total = ren_result_probability(result, 1);

    fprintf(stream, "%-12s", ren_result_region_name(result, index));
    if (!ren_result_region_ran(result, index)) {
        fprintf(stream, " %11s %8s%s\n", "-", "-", call->explain ? "            -        -" : "");
        return;
    }
    fprintf(stream, " %11.4f %8.4f", probability, weight);
    if (call->explain) fprintf(stream, " %12.4f %6.1f %%", weight * probability, 100.0 * weight * probability / total);
    fputc('\n', stream);
}

static void print_table(FILE *stream, const cli_call *call, const ren_result *result) {
    const double total = ren_result_probability(result, 1);

    fprintf(stream, "%-12s %11s %8s%s\n", "region", "probability", "weight",
            call->explain ? " contribution    share" : "");
    for (int32_t i = 0; i < ren_result_region_count(result); i++)
        print_region(stream, call, result, i);
    fprintf(stream, "%-12s %11.4f %8.4f%s", "all", total, 1.0, call->explain ? "" : "\n");
    if (call->explain) fprintf(stream, " %12.4f %6.1f %%\n", total, 100.0);
    fprintf(stream, "\nprobability of ILD %.4f: label %d at the model's threshold\n", total,
            (int)ren_result_label(result));
    fprintf(stream, "%.2f s in all; research use only, not verified for clinical use\n",
            ren_result_seconds(result, "total"));
}

static int print_result(const cli_call *call, const ren_result *result, double read_seconds) {
    ren_text *json = NULL;
    cli_output output = { NULL, NULL, 0 };
    int rc;

    CLI_STEP(cli_begin(call, &output));
    if (call->json) {
        CLI_TRY(ren_result_json(result, read_seconds, &json));
        fprintf(output.stream, "%s\n", ren_text_data(json));
    } else {
        print_table(output.stream, call, result);
    }
    CLI_STEP(cli_finish(call, &output));
out:
    cli_drop(&output);
    ren_text_free(json);
    return rc;
}

static int write_report(const cli_call *call, const ren_result *result, const ren_volume *ct, const ren_volume *lobes) {
    int rc;

    if (!call->report) return EXIT_DONE;
    CLI_STEP(cli_make_folder(call, call->report));
    const char *path = cli_path(call, call->report, "report.html");
    if (!path) return EXIT_USAGE;
    CLI_TRY(ren_report_write(result, ct, lobes, path, &call->run));
out:
    return rc;
}

int cli_predict(cli_call *call) {
    ren_mixture *mixture = NULL;
    ren_volume *ct = NULL, *lobes = NULL;
    ren_result *result = NULL;
    int rc;

    CLI_STEP(cli_need(call, call->model, "--model FILE"));
    if (call->operand_count < 2)
        return cli_error(call, EXIT_USAGE,
                         "the lobe map is missing: this version does not make one from the CT: "
                         "usage: ren predict --model M CT LOBES");
    CLI_STEP(cli_open(call));
    CLI_TRY(ren_mixture_load(call->context, call->model, &mixture));
    const double started = cli_seconds();
    CLI_STEP(cli_read_volume(call, call->operand[0], &ct));
    CLI_STEP(cli_read_volume(call, call->operand[1], &lobes));
    const double read_seconds = cli_seconds() - started;
    CLI_TRY(ren_mixture_predict(mixture, ct, lobes, &call->run, &result));
    for (int32_t i = 0; i < ren_result_warning_count(result); i++)
        cli_warn(call, "%s", ren_result_warning(result, i));
    CLI_STEP(write_report(call, result, ct, lobes));
    CLI_STEP(print_result(call, result, read_seconds));
out:
    ren_result_free(result);
    ren_volume_free(lobes);
    ren_volume_free(ct);
    ren_mixture_free(mixture);
    return rc;
}
