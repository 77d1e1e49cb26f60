/* SPDX-License-Identifier: Apache-2.0 */
/* ren predict: a mixture on one CT. */
#include <math.h>
#include <string.h>

#include "cli.h"

enum { SHOWN_CONTRIBUTIONS = 5 }; /* of a region; JSON and the report have all */

static void print_number(FILE *stream, const char *format, int width, double value) {
    if (isnan(value))
        fprintf(stream, " %*s", width, "-");
    else
        fprintf(stream, format, value);
}

static void print_region(FILE *stream, const cli_call *call, const ren_result *result, int32_t index) {
    const double probability = ren_result_region_probability(result, index);
    const double weight = ren_result_region_weight(result, index);
    const double total = ren_result_probability(result, 1);
    const char *skipped = ren_result_region_skipped(result, index);

    fprintf(stream, "%-12s", ren_result_region_name(result, index));
    if (skipped) {
        fprintf(stream, " %11s %8s%s  %s\n", "-", "-", call->explain ? "            -        -" : "",
                strcmp(skipped, "empty") == 0 ? "(empty)" : "(left out)");
        return;
    }
    print_number(stream, " %11.4f", 11, probability);
    fprintf(stream, " %8.4f", weight);
    if (call->explain) {
        print_number(stream, " %12.4f", 12, weight * probability);
        print_number(stream, " %6.1f %%", 8, 100.0 * weight * probability / total);
    }
    fputc('\n', stream);
}

static void print_table(FILE *stream, const cli_call *call, const ren_result *result) {
    const double total = ren_result_probability(result, 1);

    fprintf(stream, "%-12s %11s %8s%s\n", "region", "probability", "weight",
            call->explain ? " contribution    share" : "");
    for (int32_t i = 0; i < ren_result_region_count(result); i++)
        print_region(stream, call, result, i);
    fprintf(stream, "%-12s %11.4f %8.4f\n", "all", total, 1.0);
}

static void print_contributions(FILE *stream, const ren_result *result, int32_t index) {
    const int32_t count = ren_result_contribution_count(result, index);

    if (count == 0) return;
    fprintf(stream, "%s, from %.4f:\n", ren_result_region_name(result, index),
            ren_result_contribution_base(result, index));
    for (int32_t i = 0; i < count && i < SHOWN_CONTRIBUTIONS; i++)
        fprintf(stream, "  %+9.4f  %s = %.6g\n", ren_result_contribution(result, index, i),
                ren_result_contribution_name(result, index, i), ren_result_contribution_value(result, index, i));
    if (count > SHOWN_CONTRIBUTIONS) fprintf(stream, "  and %d smaller ones\n", (int)(count - SHOWN_CONTRIBUTIONS));
}

/* What happens without each region, and what moved the weights. */
static void print_explanation(FILE *stream, const ren_result *result) {
    const double total = ren_result_probability(result, 1);
    const char *what = ren_result_explains(result);

    fprintf(stream, "\n%-12s %11s %8s\n", "taken out", "probability", "change");
    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        const double without = ren_result_without(result, region);
        fprintf(stream, "%-12s", ren_region_name(region));
        print_number(stream, " %11.4f", 11, without);
        print_number(stream, " %+8.4f", 8, without - total);
        fputc('\n', stream);
    }
    if (!what) return;
    fprintf(stream, "\n%s\n",
            strcmp(what, "score") == 0       ? "what moved the gate's score of each region:"
            : strcmp(what, "predictor") == 0 ? "what moved each region's own predictor, whose AUC is behind its weight:"
                                             : "what moved the predictor that joins the experts:");
    for (int32_t i = 0; i < ren_result_region_count(result); i++)
        print_contributions(stream, result, i);
}

static void print_outcome(FILE *stream, const cli_call *call, const ren_result *result) {
    print_table(stream, call, result);
    if (call->explain) print_explanation(stream, result);
    fprintf(stream, "\nprobability of ILD %.4f: label %d at the model's threshold\n", ren_result_probability(result, 1),
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
        print_outcome(output.stream, call, result);
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

static int predict(const cli_call *call, const ren_mixture *mixture, const ren_volume *ct, const ren_volume *lobes,
                   ren_result **result) {
    ren_predict_options options;
    int rc;

    CLI_TRY(ren_predict_options_init(&options, sizeof options));
    options.top_k = call->top_k;
    options.min_weight = call->min_weight;
    options.explain = call->explain;
    CLI_TRY(ren_mixture_predict_with(mixture, ct, lobes, &options, &call->run, result));
    for (int32_t i = 0; i < ren_result_warning_count(*result); i++)
        cli_warn(call, "%s", ren_result_warning(*result, i));
    rc = EXIT_DONE;
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
    CLI_STEP(predict(call, mixture, ct, lobes, &result));
    CLI_STEP(write_report(call, result, ct, lobes));
    CLI_STEP(print_result(call, result, read_seconds));
out:
    ren_result_free(result);
    ren_volume_free(lobes);
    ren_volume_free(ct);
    ren_mixture_free(mixture);
    return rc;
}
