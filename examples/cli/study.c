/* SPDX-License-Identifier: Apache-2.0 */
/* ren train, ren evaluate. */
#include <math.h>
#include <string.h>

#include "cli.h"

/* One object a line. IDs have letters, digits, points, - and _ alone. */
static void print_job(FILE *stream, const ren_study *study, int32_t index, const char *before) {
    fprintf(stream, "%s{\"id\": \"%s\", \"stage\": %d, \"done\": %s, \"needs\": [", before,
            ren_study_job_id(study, index), (int)ren_study_job_stage(study, index),
            ren_study_job_done(study, index) ? "true" : "false");
    for (int32_t k = 0, need; (need = ren_study_job_need(study, index, k)) >= 0; k++)
        fprintf(stream, "%s\"%s\"", k > 0 ? ", " : "", ren_study_job_id(study, need));
    fprintf(stream, "]}");
}

static int list_jobs(const cli_call *call, const ren_study *study) {
    cli_output output = { NULL, NULL, 0 };
    int32_t printed = 0;
    int rc;

    CLI_STEP(cli_begin(call, &output));
    for (int32_t i = 0; i < ren_study_job_count(study); i++) {
        if (call->stage && ren_study_job_stage(study, i) != call->stage) continue;
        if (call->json)
            print_job(output.stream, study, i, printed++ ? ",\n " : "[");
        else
            fprintf(output.stream, "%s\n", ren_study_job_id(study, i));
    }
    if (call->json) fprintf(output.stream, "%s]\n", printed ? "" : "[");
    fflush(output.stream);
    fwrite(output.bytes, 1, output.size, stdout);
    if (fflush(stdout) != 0) rc = cli_error(call, EXIT_FAILED, "standard output cannot be written");
out:
    cli_drop(&output);
    return rc;
}

static int32_t jobs_done(const ren_study *study) {
    int32_t done = 0;

    for (int32_t i = 0; i < ren_study_job_count(study); i++)
        done += ren_study_job_done(study, i) != 0;
    return done;
}

/* The folders above the run folder; the library makes the last one once the configuration is found good. */
static int make_parents(const cli_call *call, const char *folder) {
    char parents[4096];
    size_t length = strlen(folder);

    while (length > 0 && folder[length - 1] == '/')
        length--;
    while (length > 0 && folder[length - 1] != '/')
        length--;
    if (length == 0) return EXIT_DONE;
    if (length >= sizeof parents) return cli_error(call, EXIT_USAGE, "%s: the path is too long", folder);
    memcpy(parents, folder, length);
    parents[length] = '\0';
    return cli_make_folder(call, parents);
}

static int run_job(const cli_call *call, ren_study *study, const char *id) {
    const double started = cli_seconds();
    int rc = EXIT_DONE;

    CLI_TRY(ren_study_run_job(study, id, &call->run));
    cli_clear_bar();
    if (!call->quiet)
        fprintf(stderr, "ren train: %s: done in %.1f s, %d of %d jobs\n", id, cli_seconds() - started,
                (int)jobs_done(study), (int)ren_study_job_count(study));
out:
    return rc;
}

static int run_jobs(const cli_call *call, ren_study *study) {
    int rc = EXIT_DONE;

    for (int32_t i = 0; i < ren_study_job_count(study); i++)
        if (!ren_study_job_done(study, i)) CLI_STEP(run_job(call, study, ren_study_job_id(study, i)));
    CLI_TRY(ren_study_run(study, &call->run)); /* what follows the last job */
    cli_clear_bar();
    if (!call->quiet)
        fprintf(stderr, "ren train: %s: all %d jobs are done: next is ren evaluate %s\n", call->out,
                (int)ren_study_job_count(study), call->out);
out:
    return rc;
}

/* Schedulers call with --job from many processes, so these and --list-jobs join a folder that has been started. */
int cli_train(cli_call *call) {
    ren_study *study = NULL;
    int rc;

    CLI_STEP(cli_need(call, call->out, "-o RUNDIR"));
    if ((call->stage || call->json) && !call->list_jobs)
        CLI_STEP(cli_error(call, EXIT_USAGE, "--stage and --json go with --list-jobs"));
    CLI_STEP(cli_open(call));
    CLI_STEP(make_parents(call, call->out));
    CLI_TRY(ren_study_open(call->context, call->operand[0], call->out, call->resume || call->list_jobs || call->job,
                           &study));
    rc = call->list_jobs ? list_jobs(call, study) : call->job ? run_job(call, study, call->job) : run_jobs(call, study);
out:
    if (rc == EXIT_INTERRUPTED && !call->quiet)
        fprintf(stderr, "ren train: --resume goes on from the last checkpoint\n");
    ren_study_free(study);
    return rc;
}

static void print_interval(FILE *stream, const char *list, int width) {
    const cli_json_member low = cli_json_first(list);

    if (!low.value)
        fprintf(stream, " %15s", "-");
    else
        fprintf(stream, " %*.3f to %*.3f", width, cli_json_number(low.value), width,
                cli_json_number(cli_json_next(low).value));
}

static void print_figure(FILE *stream, const char *value) {
    const double number = cli_json_number(value);

    if (isnan(number)) /* one class only */
        fprintf(stream, " %11s", "-");
    else
        fprintf(stream, " %11.3f", number);
}

static void print_model(FILE *stream, const char *model) {
    const char *pooled = cli_json_get(cli_json_get(model, "patient"), "pooled");
    const char *scans = cli_json_get(cli_json_get(model, "scan"), "pooled");
    char name[96];

    fprintf(stream, "%-18s %8.0f", cli_json_text(cli_json_get(model, "name"), name, sizeof name),
            cli_json_number(cli_json_get(pooled, "count")));
    print_figure(stream, cli_json_get(pooled, "auc"));
    print_interval(stream, cli_json_get(pooled, "auc_interval_bootstrap"), 6);
    print_figure(stream, cli_json_get(pooled, "sensitivity"));
    print_figure(stream, cli_json_get(pooled, "specificity"));
    print_figure(stream, cli_json_get(scans, "auc"));
    fputc('\n', stream);
}

static void print_pair(FILE *stream, const char *kind, const char *pair, const char *p) {
    char a[96], b[96];

    if (!cli_json_get(pair, "a")) return;
    fprintf(stream, "%s: %s against %s, %.0f patients: difference of AUC %+.3f, interval", kind,
            cli_json_text(cli_json_get(pair, "a"), a, sizeof a), cli_json_text(cli_json_get(pair, "b"), b, sizeof b),
            cli_json_number(cli_json_get(pair, "patients")), cli_json_number(cli_json_get(pair, "auc_difference")));
    print_interval(stream, cli_json_get(pair, "interval"), 0);
    fprintf(stream, ", p %.3f\n", cli_json_number(cli_json_get(pair, p)));
}

static void print_evaluation(FILE *stream, const char *json) {
    const char *models = cli_json_get(json, "models"), *others = cli_json_get(json, "others");
    char study[96];

    fprintf(stream, "%s: %.0f test patients with %.0f scans, read %.0f time(s)\n\n",
            cli_json_text(cli_json_get(json, "study"), study, sizeof study),
            cli_json_number(cli_json_get(json, "tested_patients")), cli_json_number(cli_json_get(json, "tested_scans")),
            cli_json_number(cli_json_get(json, "evaluations")));
    fprintf(stream, "%-18s %8s %11s %16s %11s %11s %11s\n", "model", "patients", "AUC", "95 % interval", "sensitivity",
            "specificity", "AUC, scans");
    for (cli_json_member m = cli_json_first(models); m.value; m = cli_json_next(m))
        print_model(stream, m.value);
    fputc('\n', stream);
    print_pair(stream, "primary comparison", cli_json_get(json, "primary"), "p");
    for (cli_json_member m = cli_json_first(others); m.value; m = cli_json_next(m))
        print_pair(stream, "comparison, p corrected by Holm", m.value, "p_holm");
    fprintf(stream, "research use only, not verified for clinical use\n");
}

int cli_evaluate(cli_call *call) {
    ren_study *study = NULL;
    ren_text *json = NULL;
    cli_output output = { NULL, NULL, 0 };
    int rc;

    CLI_STEP(cli_open(call));
    CLI_TRY(ren_study_load(call->context, call->operand[0], &study));
    CLI_TRY(ren_study_evaluate(study, call->again, &call->run, &json));
    CLI_STEP(cli_begin(call, &output));
    if (call->json)
        fprintf(output.stream, "%s\n", ren_text_data(json));
    else
        print_evaluation(output.stream, ren_text_data(json));
    CLI_STEP(cli_finish(call, &output));
out:
    cli_drop(&output);
    ren_text_free(json);
    ren_study_free(study);
    return rc;
}
