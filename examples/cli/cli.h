/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `ren` program: a host of libren like any other. It sees ren.h and ren_tools.h only.
 *
 * main.c      the table of commands, help, dispatch
 * options.c   the table of options and their parser
 * host.c      context, interrupts, progress bar, errors
 * output.c    standard output or an atomically written file
 * json.c      reading the JSON that the library makes
 * info.c radiomics.c prepare.c study.c predict.c check.c    the commands
 */
#ifndef REN_CLI_H
#define REN_CLI_H

#include <stdio.h>

#include "ren.h"
#include "ren_tools.h"

/* Exit statuses. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_MEMORY = 3, EXIT_INTERRUPTED = 130 };

enum { CLI_OPERANDS = 2, CLI_LABELS = 256 };

struct cli_command;

/* One call of the program: what the options set (zero: not given), and the context once it is open. */
typedef struct cli_call {
    const struct cli_command *command;
    const char *operand[CLI_OPERANDS];
    int operand_count;

    /* every command */
    int32_t threads, precision, deterministic, quiet, help, version;
    uint64_t memory_limit;
    /* several commands */
    const char *out, *arch, *weights;
    int32_t json, size;
    uint64_t seed;
    /* preprocess, phantom */
    int32_t preset, patients, scans, distribution;
    double severity;
    /* train, evaluate */
    const char *job;
    int32_t resume, list_jobs, stage, again;
    /* predict */
    const char *model, *report;
    int32_t explain, top_k;
    double min_weight;
    /* verify, bench */
    const char *io;
    double rtol;
    int32_t require_grads, batch, train, runs, operators;
    /* radiomics, and bench of it */
    const char *labels[CLI_LABELS], *params, *maps, *cases;
    uint32_t label_count;
    int32_t regions, mode, format, jobs, radiomics;

    ren_context *context;
    ren_run_options run; /* progress bar and interrupt; for every long call */
} cli_call;

typedef struct cli_command {
    const char *name;
    const char *operands; /* as help shows them */
    int least, most;      /* operands */
    int (*run)(cli_call *call);
    const char *summary; /* one line */
    const char *details; /* further lines of `ren help NAME`, or NULL */
} cli_command;

/* Bits of the commands, in the order of the table in main.c; an option says which take it. */
enum {
    CLI_INFO = 1 << 0,
    CLI_PREPROCESS = 1 << 1,
    CLI_PHANTOM = 1 << 2,
    CLI_TRAIN = 1 << 3,
    CLI_EVALUATE = 1 << 4,
    CLI_PREDICT = 1 << 5,
    CLI_VERIFY = 1 << 6,
    CLI_BENCH = 1 << 7,
    CLI_RADIOMICS = 1 << 8,
    CLI_EVERY = (1 << 30) - 1
};

extern const cli_command cli_commands[];
int32_t cli_command_bit(const cli_command *command);

/* --- options.c */
/* Parses what follows the command's name. EXIT_DONE, or EXIT_USAGE with the error printed. */
int cli_parse(cli_call *call, int count, char **arguments);
void cli_print_options(FILE *stream, int32_t command_bit);
/* EXIT_DONE where `value` is given, else EXIT_USAGE: "--io FILE is missing". */
int cli_need(const cli_call *call, const void *value, const char *option);

/* --- host.c */
/* Opens the context and sets call->run. Interrupts are caught from here on. */
int cli_open(cli_call *call);
void cli_close(cli_call *call);
/* Prints "ren COMMAND: sentence" on one line of standard error and gives `status` back. */
int cli_error(const cli_call *call, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
void cli_warn(const cli_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for the library's last failure; maps its status to the program's. */
int cli_fail(const cli_call *call, ren_status status);
int cli_interrupted(void);
/* EXIT_DONE, or EXIT_INTERRUPTED with its line printed. */
int cli_check_interrupt(const cli_call *call);
/* Reads a volume; an interrupt meanwhile ends the program at once, as there is nothing to tidy up. */
int cli_read_volume(const cli_call *call, const char *path, ren_volume **out);
void cli_clear_bar(void);
double cli_seconds(void);

/* For functions with `int rc` and a label `out`. */
#define CLI_TRY(expression)                                                                                            \
    do {                                                                                                               \
        const ren_status status_ = (expression);                                                                       \
        if (status_ != REN_OK) {                                                                                       \
            rc = cli_fail(call, status_);                                                                              \
            goto out;                                                                                                  \
        }                                                                                                              \
    } while (0)

#define CLI_STEP(expression)                                                                                           \
    do {                                                                                                               \
        rc = (expression);                                                                                             \
        if (rc != EXIT_DONE) goto out;                                                                                 \
    } while (0)

/* --- output.c */
/* A memory stream for the result of a command; cli_finish writes it to -o or standard output and frees it. */
typedef struct cli_output {
    FILE *stream;
    char *bytes;
    size_t size;
} cli_output;
int cli_begin(const cli_call *call, cli_output *output);
int cli_finish(const cli_call *call, cli_output *output);
void cli_drop(cli_output *output); /* after a failure; may follow cli_finish */
int cli_make_folder(const cli_call *call, const char *path);
/* "folder/name", in a buffer that the next call overwrites; NULL (error printed) where it is too long. */
const char *cli_path(const cli_call *call, const char *folder, const char *name);

/* --- json.c: a reader for JSON that the library made; values are pointers into the text. */
typedef struct cli_json_member {
    const char *key;   /* opening quote of the key; NULL in lists */
    const char *value; /* NULL: no further member */
    const char *next;  /* private */
} cli_json_member;
cli_json_member cli_json_first(const char *container);
cli_json_member cli_json_next(cli_json_member member);
/* The member `key` of an object, or NULL. */
const char *cli_json_get(const char *object, const char *key);
/* A number; NaN where `value` is NULL, null or something else. */
double cli_json_number(const char *value);
/* A string decoded into `buffer` (cut to fit, controls as spaces), or a scalar as it stands; "" for NULL. */
const char *cli_json_text(const char *value, char *buffer, size_t size);
/* The whole text for people: "key: value" lines, nested by indentation. */
void cli_json_outline(FILE *stream, const char *json);

/* --- the commands */
int cli_info(cli_call *call);
int cli_preprocess(cli_call *call);
int cli_phantom(cli_call *call);
int cli_train(cli_call *call);
int cli_evaluate(cli_call *call);
int cli_predict(cli_call *call);
int cli_verify(cli_call *call);
int cli_bench(cli_call *call);
int cli_radiomics(cli_call *call);
int cli_bench_radiomics(cli_call *call);

#endif
