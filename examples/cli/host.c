/* SPDX-License-Identifier: Apache-2.0 */
/* The program as a host: context, interrupts, progress bar, errors. */
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

enum { MESSAGE = 4096, BAR_CELLS = 30 };

/* -------------------------------------------------------------------------------------------------- interrupts */

static volatile sig_atomic_t interrupted;
static volatile sig_atomic_t may_exit; /* nothing is being written: end at once */
static struct timespec first_interrupt;

static double seconds_since(const struct timespec *then) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - then->tv_sec) + 1e-9 * (double)(now.tv_nsec - then->tv_nsec);
}

/* An interrupt that comes a while after the first has the system's effect, should nobody have answered. Not at once:
 * one wish often comes as two signals, to the process and to its group. */
static void on_signal(int signal_number) {
    static const char text[] = "\nren: interrupted\n";

    if (interrupted && seconds_since(&first_interrupt) > 1.0) {
        signal(signal_number, SIG_DFL);
        raise(signal_number);
        return;
    }
    if (!interrupted) clock_gettime(CLOCK_MONOTONIC, &first_interrupt);
    interrupted = 1;
    if (!may_exit) return;
    const ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;
    _exit(EXIT_INTERRUPTED);
}

static void catch_signals(void) {
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int cli_interrupted(void) {
    return interrupted != 0;
}

int cli_check_interrupt(const cli_call *call) {
    return interrupted ? cli_fail(call, REN_E_CANCELLED) : EXIT_DONE;
}

static int32_t on_cancel(void *user) {
    (void)user;
    return interrupted != 0;
}

/* ---------------------------------------------------------------------------------------------------- the bar */

static int bar_on_terminal; /* standard error is a terminal and nobody said -q */
static int bar_shown;
static double bar_time;

double cli_seconds(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void cli_clear_bar(void) {
    if (!bar_shown) return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    bar_shown = 0;
}

static void on_progress(void *user, const char *stage, double fraction) {
    const double now = cli_seconds();
    char cells[BAR_CELLS + 1];

    (void)user;
    if (!bar_on_terminal || (bar_shown && fraction < 1.0 && now - bar_time < 0.1)) return;
    const int filled = (int)(fraction * BAR_CELLS + 0.5);
    for (int i = 0; i < BAR_CELLS; i++)
        cells[i] = i < filled ? '#' : '.';
    cells[BAR_CELLS] = '\0';
    fprintf(stderr, "\r\033[K[%s] %3d %% %.40s", cells, (int)(fraction * 100.0 + 0.5), stage ? stage : "");
    fflush(stderr);
    bar_time = now;
    bar_shown = 1;
}

/* ---------------------------------------------------------------------------------------------- lines to stderr */

/* One line, whatever a file name or a message holds. */
static void print_line(const cli_call *call, const char *kind, const char *format, va_list arguments) {
    char text[MESSAGE];

    vsnprintf(text, sizeof text, format, arguments);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = ' ';
    cli_clear_bar();
    fprintf(stderr, "ren %s: %s%s\n", call->command->name, kind, text);
}

int cli_error(const cli_call *call, int status, const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    print_line(call, "", format, arguments);
    va_end(arguments);
    return status;
}

void cli_warn(const cli_call *call, const char *format, ...) {
    va_list arguments;

    if (call->quiet) return;
    va_start(arguments, format);
    print_line(call, "warning: ", format, arguments);
    va_end(arguments);
}

static int exit_status(ren_status status) {
    switch (status) {
    case REN_OK:
        return EXIT_DONE;
    case REN_E_INVALID: /* the commands check their files; what is left came from an option */
    case REN_E_NOT_FOUND:
        return EXIT_USAGE;
    case REN_E_MEMORY:
    case REN_E_LIMIT:
        return EXIT_MEMORY;
    case REN_E_CANCELLED:
        return EXIT_INTERRUPTED;
    default:
        return EXIT_FAILED;
    }
}

int cli_fail(const cli_call *call, ren_status status) {
    const char *text = ren_error_message();

    if (status == REN_E_CANCELLED) return cli_error(call, EXIT_INTERRUPTED, "interrupted");
    return cli_error(call, exit_status(status), "%s", text[0] ? text : ren_status_text(status));
}

/* The library's own lines: from any thread, so one call to the stream. */
static void on_log(void *user, int32_t level, const char *text) {
    const cli_call *call = user;

    if (call->quiet && level != REN_LOG_ERROR) return;
    fprintf(stderr, "%sren %s: %s%s\n", bar_on_terminal ? "\r\033[K" : "", call->command->name,
            level == REN_LOG_WARNING ? "warning: " : "", text);
}

/* ----------------------------------------------------------------------------------------------------- context */

int cli_open(cli_call *call) {
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;

    catch_signals();
    bar_on_terminal = !call->quiet && isatty(STDERR_FILENO);
    call->run = (ren_run_options)REN_RUN_OPTIONS_INIT;
    call->run.progress = on_progress;
    call->run.cancel = on_cancel;
    options.log = on_log;
    options.log_user = call;
    options.threads = call->threads;
    options.precision = call->precision;
    options.deterministic = call->deterministic;
    options.memory_limit = (size_t)call->memory_limit;
    options.seed = call->seed;
    const ren_status status = ren_context_create(&options, &call->context);
    return status == REN_OK ? EXIT_DONE : cli_fail(call, status);
}

void cli_close(cli_call *call) {
    cli_clear_bar();
    ren_context_free(call->context);
    call->context = NULL;
}

int cli_read_volume(const cli_call *call, const char *path, ren_volume **out) {
    if (interrupted) return cli_check_interrupt(call);
    may_exit = 1;
    const ren_status status = ren_volume_read(call->context, path, out);
    may_exit = 0;
    return status == REN_OK ? EXIT_DONE : cli_fail(call, status);
}
