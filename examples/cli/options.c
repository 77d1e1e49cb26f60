/* SPDX-License-Identifier: Apache-2.0 */
/* The table of options and its parser: --name VALUE, --name=VALUE, -o VALUE, -q; options and operands in any order. */
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

typedef enum cli_kind {
    KIND_FLAG,    /* int32_t: 1 */
    KIND_INTEGER, /* int32_t, low to high */
    KIND_SEED,    /* uint64_t */
    KIND_BYTES,   /* uint64_t with K, M, G */
    KIND_NUMBER,  /* double, positive */
    KIND_TEXT,    /* const char * */
    KIND_LABEL,   /* one more of call->labels */
    KIND_CHOICE   /* int32_t: index in "a|b|c" */
} cli_kind;

typedef struct cli_option {
    const char *name;
    cli_kind kind;
    int32_t commands;  /* bits; CLI_EVERY for all */
    size_t offset;     /* in cli_call */
    const char *value; /* as help shows it; the words of a choice */
    const char *help;
    int32_t low, high;
} cli_option;

#define AT(field) offsetof(cli_call, field)

static const cli_option table[] = {
    { "model", KIND_TEXT, CLI_PREDICT, AT(model), "FILE", "mixture to predict with (safetensors)", 0, 0 },
    { "explain", KIND_FLAG, CLI_PREDICT, AT(explain), NULL, "also what moved the outcome, and each region taken out", 0,
      0 },
    { "top-k", KIND_INTEGER, CLI_PREDICT, AT(top_k), "N", "run only the N experts with the largest weights", 1, 7 },
    { "min-weight", KIND_NUMBER, CLI_PREDICT, AT(min_weight), "W", "run only experts with at least this weight", 0, 0 },
    { "report", KIND_TEXT, CLI_PREDICT, AT(report), "DIR", "also write DIR/report.html, one self-contained page", 0,
      0 },
    { "preset", KIND_CHOICE, CLI_PREPROCESS, AT(preset), "lung|paper", "how the CT is prepared (lung)", 0, 0 },
    { "patients", KIND_INTEGER, CLI_PHANTOM, AT(patients), "N", "patients, half of them with ILD", 1, 100000 },
    { "scans", KIND_INTEGER, CLI_PHANTOM, AT(scans), "K", "at most K scans a patient (1 to 4)", 1, 1000 },
    { "size", KIND_INTEGER, CLI_PHANTOM, AT(size), "D", "voxels in plane, 32 to 512 (128)", 1, 4096 },
    { "seed", KIND_SEED, CLI_PHANTOM, AT(seed), "S", "seed of the cohort (0)", 0, 0 },
    { "distribution", KIND_CHOICE, CLI_PHANTOM, AT(distribution), "basal|uniform", "where the disease is (basal)", 0,
      0 },
    { "severity", KIND_NUMBER, CLI_PHANTOM, AT(severity), "X", "scale of the disease (1)", 0, 0 },
    { "resume", KIND_FLAG, CLI_TRAIN, AT(resume), NULL, "go on with a run folder that has been started", 0, 0 },
    { "list-jobs", KIND_FLAG, CLI_TRAIN, AT(list_jobs), NULL, "print the jobs and stop", 0, 0 },
    { "stage", KIND_INTEGER, CLI_TRAIN, AT(stage), "N",
      "with --list-jobs: those that need jobs of stages below N alone", 1, 1000 },
    { "job", KIND_TEXT, CLI_TRAIN, AT(job), "ID", "run this job alone", 0, 0 },
    { "again", KIND_FLAG, CLI_EVALUATE, AT(again), NULL, "compute anew, and record that", 0, 0 },
    { "arch", KIND_TEXT, CLI_VERIFY | CLI_BENCH, AT(arch), "NAME", "architecture, for instance cnn", 0, 0 },
    { "weights", KIND_TEXT, CLI_VERIFY | CLI_BENCH, AT(weights), "FILE", "weights (safetensors)", 0, 0 },
    { "io", KIND_TEXT, CLI_VERIFY, AT(io), "FILE", "recorded inputs, outputs and gradients (safetensors)", 0, 0 },
    { "rtol", KIND_NUMBER, CLI_VERIFY, AT(rtol), "R", "relative tolerance in place of the file's", 0, 0 },
    { "require-grads", KIND_FLAG, CLI_VERIFY, AT(require_grads), NULL, "fail where no gradient is recorded", 0, 0 },
    { "size", KIND_INTEGER, CLI_BENCH, AT(size), "N", "edge of the input cube (96)", 1, 4096 },
    { "batch", KIND_INTEGER, CLI_BENCH, AT(batch), "B", "samples in a batch (1)", 1, 4096 },
    { "train", KIND_FLAG, CLI_BENCH, AT(train), NULL, "time a training step instead of inference", 0, 0 },
    { "runs", KIND_INTEGER, CLI_BENCH, AT(runs), "N", "measured runs (10)", 1, 100000 },
    { "operators", KIND_FLAG, CLI_BENCH, AT(operators), NULL, "also each operator of the graph", 0, 0 },
    { "radiomics", KIND_FLAG, CLI_BENCH, AT(radiomics), NULL, "time feature extraction from IMAGE and MASK", 0, 0 },
    { "label", KIND_LABEL, CLI_RADIOMICS | CLI_BENCH, 0, "L", "a region: 2, 1+2 or name=1+2; may be repeated (1)", 0,
      0 },
    { "regions", KIND_FLAG, CLI_RADIOMICS | CLI_BENCH, AT(regions), NULL, "the seven lung regions of a lobe map", 0,
      0 },
    { "params", KIND_TEXT, CLI_RADIOMICS | CLI_BENCH, AT(params), "FILE", "parameter file of PyRadiomics (YAML, JSON)",
      0, 0 },
    { "mode", KIND_CHOICE, CLI_RADIOMICS | CLI_BENCH, AT(mode), "pyradiomics|ibsi", "whose definitions (pyradiomics)",
      0, 0 },
    { "maps", KIND_TEXT, CLI_RADIOMICS, AT(maps), "DIR", "also voxel-based maps of the features, as NIfTI", 0, 0 },
    { "format", KIND_CHOICE, CLI_RADIOMICS, AT(format), "csv|json", "of the result (csv)", 0, 0 },
    { "batch", KIND_TEXT, CLI_RADIOMICS, AT(cases), "CASES.csv", "many cases, into the table -o", 0, 0 },
    { "jobs", KIND_INTEGER, CLI_RADIOMICS, AT(jobs), "N", "cases at once (by threads and memory)", 1, 1024 },
    { "json", KIND_FLAG, CLI_INFO | CLI_TRAIN | CLI_EVALUATE | CLI_PREDICT | CLI_BENCH, AT(json), NULL, "print JSON", 0,
      0 },

    { "threads", KIND_INTEGER, CLI_EVERY, AT(threads), "N", "threads (what affinity and quota allow)", 1, 1024 },
    { "precision", KIND_CHOICE, CLI_EVERY, AT(precision), "f32|bf16", "arithmetic of inference (f32)", 0, 0 },
    { "memory-limit", KIND_BYTES, CLI_EVERY, AT(memory_limit), "BYTES", "hold no more than this; K, M, G may follow", 0,
      0 },
    { "deterministic", KIND_FLAG, CLI_EVERY, AT(deterministic), NULL,
      "train to the same bits with any number of threads", 0, 0 },
    { "out", KIND_TEXT, CLI_EVERY, AT(out), "PATH", "-o: file or folder of the result", 0, 0 },
    { "quiet", KIND_FLAG, CLI_EVERY, AT(quiet), NULL, "-q: no progress, no warnings", 0, 0 },
    { "help", KIND_FLAG, CLI_EVERY, AT(help), NULL, "say this", 0, 0 },
    { "version", KIND_FLAG, CLI_EVERY, AT(version), NULL, "print the library's version", 0, 0 },
};

enum { OPTION_COUNT = sizeof table / sizeof table[0] };

void cli_print_options(FILE *stream, int32_t command_bit) {
    for (int i = 0; i < OPTION_COUNT; i++) {
        const cli_option *option = &table[i];
        const int common = option->commands == CLI_EVERY;
        char left[64];

        if (common != (command_bit == 0) || !(common || (option->commands & command_bit))) continue;
        snprintf(left, sizeof left, "--%s %s", option->name, option->value ? option->value : "");
        fprintf(stream, "  %-30s %s\n", left, option->help);
    }
}

static const cli_option *find_option(const cli_call *call, const char *name, size_t length) {
    for (int i = 0; i < OPTION_COUNT; i++)
        if ((table[i].commands & cli_command_bit(call->command)) && strlen(table[i].name) == length &&
            memcmp(table[i].name, name, length) == 0)
            return &table[i];
    return NULL;
}

static int parse_bytes(const char *text, uint64_t *value) {
    static const char suffixes[] = "KMGT";
    char *end;

    if (text[0] < '0' || text[0] > '9') return 0; /* strtoull would take a sign */
    errno = 0;
    const unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0) return 0;
    unsigned shift = 0;
    if (*end) {
        const char *suffix = strchr(suffixes, *end & ~0x20);
        if (!suffix) return 0;
        shift = 10 * (unsigned)(suffix - suffixes + 1);
        if (end[1]) return 0;
    }
    if (number > SIZE_MAX >> shift) return 0;
    *value = (uint64_t)number << shift;
    return 1;
}

static int parse_integer(const char *text, int32_t low, int32_t high, int32_t *value) {
    char *end;

    errno = 0;
    const long number = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end || number < low || number > high) return 0;
    *value = (int32_t)number;
    return 1;
}

static int parse_seed(const char *text, uint64_t *value) {
    char *end;

    if (text[0] < '0' || text[0] > '9') return 0;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return errno == 0 && !*end;
}

static int parse_positive(const char *text, double *value) {
    char *end;

    *value = strtod(text, &end); /* the program never changes the locale: a point */
    return end != text && !*end && *value > 0.0 && isfinite(*value);
}

static int parse_choice(const char *text, const char *choices, int32_t *value) {
    const size_t length = strlen(text);
    int32_t index = 0;

    for (const char *word = choices; word; index++) {
        const char *bar = strchr(word, '|');
        const size_t size = bar ? (size_t)(bar - word) : strlen(word);

        if (length == size && memcmp(word, text, size) == 0) {
            *value = index;
            return 1;
        }
        word = bar ? bar + 1 : NULL;
    }
    return 0;
}

static int add_label(cli_call *call, const char *text) {
    if (call->label_count == CLI_LABELS)
        return cli_error(call, EXIT_USAGE, "--label %s: at most %d labels in one call", text, CLI_LABELS);
    call->labels[call->label_count++] = text;
    return EXIT_DONE;
}

static int set_option(cli_call *call, const cli_option *option, const char *text) {
    char *field = (char *)call + option->offset;
    int good = 0;
    char range[64] = "";

    switch (option->kind) {
    case KIND_FLAG:
        *(int32_t *)(void *)field = 1;
        return EXIT_DONE;
    case KIND_LABEL:
        return add_label(call, text);
    case KIND_TEXT:
        *(const char **)(void *)field = text;
        good = text[0] != '\0';
        snprintf(range, sizeof range, "a name that is not empty");
        break;
    case KIND_INTEGER:
        good = parse_integer(text, option->low, option->high, (int32_t *)(void *)field);
        snprintf(range, sizeof range, "a whole number from %d to %d", (int)option->low, (int)option->high);
        break;
    case KIND_SEED:
        good = parse_seed(text, (uint64_t *)(void *)field);
        snprintf(range, sizeof range, "a whole number from 0");
        break;
    case KIND_BYTES:
        good = parse_bytes(text, (uint64_t *)(void *)field);
        snprintf(range, sizeof range, "a number of bytes, for instance 800M");
        break;
    case KIND_NUMBER:
        good = parse_positive(text, (double *)(void *)field);
        snprintf(range, sizeof range, "a number above 0");
        break;
    case KIND_CHOICE:
        good = parse_choice(text, option->value, (int32_t *)(void *)field);
        snprintf(range, sizeof range, "one of %s", option->value);
        break;
    }
    if (good) return EXIT_DONE;
    return cli_error(call, EXIT_USAGE, "--%s %s: give %s", option->name, text, range);
}

/* One option at arguments[*at]; moves *at over its value. */
static int parse_option(cli_call *call, int count, char **arguments, int *at) {
    const char *argument = arguments[*at], *name = argument + 2, *text = NULL;
    size_t length = strcspn(name, "=");

    if (argument[1] != '-') { /* the two short ones, and -h */
        name = argument[1] == 'o' ? "out" : argument[1] == 'q' ? "quiet" : argument[1] == 'h' ? "help" : "";
        length = strlen(name);
        if (argument[2] && argument[1] == 'o')
            text = argument + 2;
        else if (argument[2])
            length = 0;
    } else if (name[length] == '=') {
        text = name + length + 1;
    }
    const cli_option *option = length ? find_option(call, name, length) : NULL;
    if (!option)
        return cli_error(call, EXIT_USAGE, "there is no option %s: see ren help %s", argument, call->command->name);
    if (option->kind == KIND_FLAG) {
        if (text) return cli_error(call, EXIT_USAGE, "--%s takes no value: leave \"=%s\" away", option->name, text);
    } else if (!text) {
        if (*at + 1 >= count)
            return cli_error(call, EXIT_USAGE, "--%s needs a value: --%s %s", option->name, option->name,
                             option->value);
        text = arguments[++*at];
    }
    return set_option(call, option, text);
}

int cli_parse(cli_call *call, int count, char **arguments) {
    int only_operands = 0;

    for (int at = 0; at < count; at++) {
        const char *argument = arguments[at];

        if (!only_operands && strcmp(argument, "--") == 0) {
            only_operands = 1;
        } else if (!only_operands && argument[0] == '-' && argument[1]) {
            const int rc = parse_option(call, count, arguments, &at);
            if (rc != EXIT_DONE) return rc;
        } else {
            if (call->operand_count >= CLI_OPERANDS || call->operand_count >= call->command->most)
                return cli_error(call, EXIT_USAGE, "\"%s\" is one argument too many: usage: ren %s %s", argument,
                                 call->command->name, call->command->operands);
            call->operand[call->operand_count++] = argument;
        }
    }
    return EXIT_DONE;
}

int cli_need(const cli_call *call, const void *value, const char *option) {
    if (value) return EXIT_DONE;
    return cli_error(call, EXIT_USAGE, "%s is missing: usage: ren %s %s", option, call->command->name,
                     call->command->operands);
}
