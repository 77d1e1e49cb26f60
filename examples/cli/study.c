/* SPDX-License-Identifier: Apache-2.0 */
/* ren train, ren evaluate. */
#include <string.h>

#include "cli.h"

static int list_jobs(const cli_call *call, const ren_study *study)
{
    cli_output output = { NULL, NULL, 0 };
    int rc;

    CLI_STEP(cli_begin(call, &output));
    for (int32_t i = 0; i < ren_study_job_count(study); i++)
        fprintf(output.stream, "%s\n", ren_study_job_id(study, i));
    fflush(output.stream);
    fwrite(output.bytes, 1, output.size, stdout);
    if (fflush(stdout) != 0) rc = cli_error(call, EXIT_FAILED, "standard output cannot be written");
out:
    cli_drop(&output);
    return rc;
}

static int32_t jobs_done(const ren_study *study)
{
    int32_t done = 0;

    for (int32_t i = 0; i < ren_study_job_count(study); i++)
        done += ren_study_job_done(study, i) != 0;
    return done;
}

/* The folders above the run folder; the library makes the last one once the configuration is found good. */
static int make_parents(const cli_call *call, const char *folder)
{
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

static int run_job(const cli_call *call, ren_study *study, const char *id)
{
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

static int run_jobs(const cli_call *call, ren_study *study)
{
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
int cli_train(cli_call *call)
{
    ren_study *study = NULL;
    int rc;

    CLI_STEP(cli_need(call, call->out, "-o RUNDIR"));
    CLI_STEP(cli_open(call));
    CLI_STEP(make_parents(call, call->out));
    CLI_TRY(ren_study_open(call->context, call->operand[0], call->out, call->resume || call->list_jobs || call->job,
                           &study));
    rc = call->list_jobs ? list_jobs(call, study)
         : call->job     ? run_job(call, study, call->job)
                         : run_jobs(call, study);
out:
    if (rc == EXIT_INTERRUPTED && !call->quiet)
        fprintf(stderr, "ren train: --resume goes on from the last checkpoint\n");
    ren_study_free(study);
    return rc;
}

int cli_evaluate(cli_call *call)
{
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
        cli_json_outline(output.stream, ren_text_data(json));
    CLI_STEP(cli_finish(call, &output));
out:
    cli_drop(&output);
    ren_text_free(json);
    ren_study_free(study);
    return rc;
}
