/* SPDX-License-Identifier: Apache-2.0 */
/* The program's entry: table of commands, help, dispatch. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

const cli_command cli_commands[] = {
    { "info", "FILE", 1, 1, cli_info, "geometry of a volume, or the card of a model", NULL },
    { "preprocess", "CT LOBES -o DIR", 2, 2, cli_preprocess, "write what the networks are fed",
      "Writes DIR/image.nii.gz and DIR/region_NAME.nii.gz for the seven regions.\n" },
    { "phantom", "--patients N -o DIR", 0, 0, cli_phantom, "make a synthetic cohort with lobes and labels",
      "Writes DIR/PATIENT/SCAN.nii.gz, DIR/PATIENT/SCAN_lobes.nii.gz and, last, DIR/labels.csv.\n" },
    { "train", "CONFIG -o RUNDIR", 1, 1, cli_train, "train what a study's configuration describes",
      "Jobs that are done are not run again; --list-jobs prints them in an order that respects what needs what.\n"
      "For schedulers: all jobs of a stage (--list-jobs --stage 1, 2, ... until there are none) may run side by side,\n"
      "each by --job ID, once those of the stages before it are done; --list-jobs --json also says what needs "
      "what.\n" },
    { "evaluate", "RUNDIR", 1, 1, cli_evaluate, "read the test folds of a study, once",
      "Writes evaluation.json, evaluation.csv and evaluation.html into RUNDIR. Later calls print what is stored.\n" },
    { "predict", "--model M CT LOBES", 1, 2, cli_predict, "probability of ILD, with each region's part in it",
      "LOBES is a label map on the CT's grid: 1 LUL, 2 LLL, 3 RUL, 4 RML, 5 RLL.\n" },
    { "verify", "--arch A --io IO [--weights W]", 0, 0, cli_verify, "compare a network with recorded vectors",
      "Prints name, largest absolute error and relative error of every tensor.\n" },
    { "bench", "--arch A [--weights W] | --radiomics IMAGE MASK", 0, 2, cli_bench,
      "time a network, or the extraction of features, on this machine", NULL },
    { "radiomics", "IMAGE MASK | --batch CASES.csv -o OUT", 0, 2, cli_radiomics,
      "features of regions, with PyRadiomics' values",
      "One row a region. A label is 2, several that make one region 1+2, either with a name left=1+2.\n"
      "CASES.csv has the columns Image, Mask and, if need be, Label; others are copied through. A second run does\n"
      "what is missing or has failed.\n" },
    { NULL, NULL, 0, 0, NULL, NULL, NULL },
};

int32_t cli_command_bit(const cli_command *command) {
    return command ? (int32_t)1 << (command - cli_commands) : 0;
}

static const cli_command *find_command(const char *name) {
    for (const cli_command *command = cli_commands; command->name; command++)
        if (strcmp(command->name, name) == 0) return command;
    return NULL;
}

static void print_overview(FILE *stream) {
    fprintf(stream, "ren %s: regional expert networks for chest CT\n\nusage: ren COMMAND [options]\n\n", ren_version());
    for (const cli_command *command = cli_commands; command->name; command++)
        fprintf(stream, "  %-11s %s\n", command->name, command->summary);
    fprintf(stream, "\nEvery command takes:\n");
    cli_print_options(stream, 0);
    fprintf(stream,
            "\n`ren help COMMAND` says more. Exit status: 0 done, 1 the data or a check failed, 2 wrong usage,\n"
            "3 out of memory or over the limit, 130 interrupted.\n"
            "For research use only, not verified for clinical use.\n");
}

static void print_command(FILE *stream, const cli_command *command) {
    fprintf(stream, "usage: ren %s %s\n\n%s\n", command->name, command->operands, command->summary);
    if (command->details) fputs(command->details, stream);
    fprintf(stream, "\n");
    cli_print_options(stream, cli_command_bit(command));
    fprintf(stream, "\nand, as every command:\n");
    cli_print_options(stream, 0);
}

static int finish_stdout(void) {
    if (fflush(stdout) == 0 && !ferror(stdout)) return EXIT_DONE;
    fprintf(stderr, "ren: standard output cannot be written\n");
    return EXIT_FAILED;
}

static int unknown_command(const char *name) {
    fprintf(stderr, "ren: there is no command \"%s\": see ren help\n", name);
    return EXIT_USAGE;
}

static int run_help(int count, char **arguments) {
    const cli_command *command = NULL;

    if (count > 0) {
        command = find_command(arguments[0]);
        if (!command) return unknown_command(arguments[0]);
    }
    if (command)
        print_command(stdout, command);
    else
        print_overview(stdout);
    return finish_stdout();
}

static int run_command(const cli_command *command, int count, char **arguments) {
    cli_call call = { .command = command };
    int rc = cli_parse(&call, count, arguments);

    if (rc != EXIT_DONE) return rc;
    if (call.help) {
        print_command(stdout, command);
        return finish_stdout();
    }
    if (call.version) {
        printf("ren %s\n", ren_version());
        return finish_stdout();
    }
    if (call.operand_count < command->least)
        return cli_error(&call, EXIT_USAGE, "too few arguments: usage: ren %s %s", command->name, command->operands);
    rc = command->run(&call);
    cli_close(&call);
    return rc;
}

int main(int count, char **arguments) {
    const char *first = count > 1 ? arguments[1] : NULL;

    if (!first) {
        fprintf(stderr, "ren: no command given: see ren help\n");
        return EXIT_USAGE;
    }
    if (strcmp(first, "help") == 0 || strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0)
        return run_help(count - 2, arguments + 2);
    if (strcmp(first, "--version") == 0) {
        printf("ren %s\n", ren_version());
        return finish_stdout();
    }
    const cli_command *command = find_command(first);
    return command ? run_command(command, count - 2, arguments + 2) : unknown_command(first);
}
