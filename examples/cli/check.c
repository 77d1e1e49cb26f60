/* SPDX-License-Identifier: Apache-2.0 */
/* ren verify, ren bench: is it right, is it fast. */
#include <math.h>
#include <string.h>

#include "cli.h"

int cli_verify(cli_call *call) {
    ren_text *lines = NULL;
    cli_output output = { NULL, NULL, 0 };
    int rc;

    CLI_STEP(cli_need(call, call->arch, "--arch NAME"));
    CLI_STEP(cli_need(call, call->io, "--io FILE"));
    CLI_STEP(cli_open(call));
    const ren_status status = ren_verify(call->context, call->arch, call->weights, call->io, call->rtol,
                                         call->require_grads, &call->run, &lines);
    if (status != REN_OK && status != REN_E_CHECK) {
        rc = cli_fail(call, status);
        goto out;
    }
    if (lines) { /* a check that failed says what it found as well */
        CLI_STEP(cli_begin(call, &output));
        fputs(ren_text_data(lines), output.stream);
        CLI_STEP(cli_finish(call, &output));
    }
    if (status != REN_OK) rc = cli_fail(call, status);
out:
    cli_drop(&output);
    ren_text_free(lines);
    return rc;
}

static void print_operator(FILE *stream, const cli_call *call, const char *row) {
    char name[32], shape[64];

    fprintf(stream, "%-20s %-24s %11.3f ", cli_json_text(cli_json_get(row, "operator"), name, sizeof name),
            cli_json_text(cli_json_get(row, "shape"), shape, sizeof shape),
            cli_json_number(cli_json_get(row, "forward_ms")));
    if (call->train) fprintf(stream, "%12.3f ", cli_json_number(cli_json_get(row, "backward_ms")));
    fprintf(stream, "%9.1f\n", cli_json_number(cli_json_get(row, "gflops")));
}

static void print_bench(FILE *stream, const cli_call *call, const char *json) {
    const char *rows = cli_json_get(json, "operators");

    fprintf(stream, "%s, %s: %.2f ms least, %.2f ms median\n", call->arch, call->train ? "training step" : "inference",
            cli_json_number(cli_json_get(json, "milliseconds_min")),
            cli_json_number(cli_json_get(json, "milliseconds_median")));
    fprintf(stream, "%.2f GFLOP, %.1f GFLOP/s: %.0f %% of the %.1f GFLOP/s of a matrix product in this run\n",
            cli_json_number(cli_json_get(json, "gflop")), cli_json_number(cli_json_get(json, "gflops")),
            100.0 * cli_json_number(cli_json_get(json, "share")), cli_json_number(cli_json_get(json, "matmul_gflops")));
    fprintf(stream, "%.1f MB at most beside %.1f MB of weights\n",
            cli_json_number(cli_json_get(json, "peak_bytes")) / 1e6,
            cli_json_number(cli_json_get(json, "weight_bytes")) / 1e6);
    if (rows)
        fprintf(stream, "\n%-20s %-24s %11s %s%9s\n", "operator", "shape", "forward, ms",
                call->train ? "backward, ms " : "", "GFLOP/s");
    for (cli_json_member m = cli_json_first(rows); m.value; m = cli_json_next(m))
        print_operator(stream, call, m.value);
}

int cli_bench(cli_call *call) {
    ren_bench_options options;
    ren_text *json = NULL;
    cli_output output = { NULL, NULL, 0 };
    int rc;

    if (call->radiomics) {
        if (call->operand_count == 2) return cli_bench_radiomics(call);
        return cli_error(call, EXIT_USAGE, "IMAGE and MASK are missing: usage: ren bench --radiomics IMAGE MASK");
    }
    if (call->operand_count)
        return cli_error(call, EXIT_USAGE, "\"%s\" is one argument too many: usage: ren bench %s", call->operand[0],
                         call->command->operands);
    CLI_STEP(cli_need(call, call->arch, "--arch NAME"));
    CLI_STEP(cli_open(call));
    CLI_TRY(ren_bench_options_init(&options, sizeof options));
    options.arch = call->arch;
    options.weights = call->weights;
    options.size = call->size;
    options.batch = call->batch;
    options.train = call->train;
    options.runs = call->runs;
    options.operators = call->operators;
    CLI_TRY(ren_bench(call->context, &options, &call->run, &json));
    CLI_STEP(cli_begin(call, &output));
    if (call->json)
        fprintf(output.stream, "%s\n", ren_text_data(json));
    else
        print_bench(output.stream, call, ren_text_data(json));
    CLI_STEP(cli_finish(call, &output));
out:
    cli_drop(&output);
    ren_text_free(json);
    return rc;
}
