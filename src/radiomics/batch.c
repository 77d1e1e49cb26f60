/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many cases: several at once on the context's threads, or one at a time with all threads within it. The result's file
 * is written whenever that costs no more than a twentieth of the time, so a process that is killed loses little, and
 * what it leaves are whole rows.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/ledger.h"
#include "base/parallel.h"
#include "radiomics/batch_table.h"
#include "volume/nifti.h"

typedef struct batch {
    ren_context *context;
    const ren_radiomics *radiomics;
    ren__run *run;
    const char *folder; /* that relative paths start from, with its slash; "" */
    ren__batch_table table;
    pthread_mutex_t lock; /* of what follows, and of the table's rows */
    size_t next;          /* case that nobody has taken */
    size_t cases_done;
    uint8_t *again; /* cases that were short of memory beside others */
    int alone;      /* nobody else computes: what fails now, fails */
    double started, writing, last_writing;
    int dirty; /* rows that are not in the file */
    int whole; /* the file has all rows, without error */
    ren_status status;
    char error[1024];
} batch;

/* The first failure that ends the batch; its text belongs to its thread. */
static void stop(batch *b, ren_status st) {
    if (b->status != REN_OK) return;
    b->status = st;
    snprintf(b->error, sizeof b->error, "%s", ren_error_message());
}

static int ends_all(ren_status st) {
    return st == REN_E_CANCELLED || st == REN_E_DEADLINE || st == REN_E_FORKED;
}

static int lacks_memory(ren_status st) {
    return st == REN_E_MEMORY || st == REN_E_LIMIT;
}

/* ---------------------------------------------------------------------------------------------------- the file */

static ren_status write_table(batch *b) {
    const double begun = ren__now();
    const ren_status st = ren__batch_table_write(&b->table);

    b->last_writing = ren__now() - begun;
    b->writing += b->last_writing;
    if (st == REN_OK) b->dirty = 0;
    return st;
}

/* Before anything is computed: a folder that is not there, or may not be written to. */
static ren_status check_writable(const batch *b) {
    ren__file_writer *writer = NULL;
    const ren_status st = ren__file_writer_open(b->context, b->table.out_path, &writer);

    ren__file_writer_abort(writer);
    return st;
}

static int may_write(const batch *b) {
    return b->writing == 0.0 || b->writing + b->last_writing <= 0.05 * (ren__now() - b->started);
}

/* ---------------------------------------------------------------------------------------------------- one case */

static char *path_of(const batch *b, const char *path) {
    const char *folder = path[0] == '/' ? "" : b->folder;
    const size_t size = strlen(folder) + strlen(path) + 1;
    char *joined = ren__alloc(b->context, size);

    if (joined) snprintf(joined, size, "%s%s", folder, path);
    return joined;
}

static ren_status read_volume(const batch *b, const ren__batch_case *of, int32_t column, ren_volume **out) {
    char *path = path_of(b, ren__csv_get(b->table.input, of->line, column));
    ren_status st;

    if (!path) return ren__out_of_memory();
    st = ren_volume_read(b->context, path, out);
    ren__free(path);
    return st;
}

/* The labels whose rows are missing, as a view; `rows` are their places in the table. */
static ren_status missing_labels(const batch *b, const ren__batch_case *of, ren__labels *view, size_t **rows) {
    ren_context *context = b->context;
    const ren__labels *all = ren__batch_labels(&b->table, of);
    ren_status st = REN_OK;

    *view = (ren__labels){ NULL, NULL, 0 };
    *rows = NULL;
    REN_CALLOC(view->sets, of->count);
    REN_CALLOC(*rows, of->count);
    for (size_t i = 0; i < of->count; i++) {
        if (ren__batch_row_done(&b->table.rows[of->first + i])) continue;
        (*rows)[view->count] = of->first + i;
        view->sets[view->count++] = all->sets[i];
    }
out:
    return st;
}

static ren_status compute(const batch *b, const ren__batch_case *of, const ren__labels *labels, ren__run *run,
                          ren_features **out) {
    ren_status st = REN_OK;
    ren_volume *image = NULL, *mask = NULL;

    REN_TRY(read_volume(b, of, b->table.image, &image));
    REN_TRY(ren__run_check(run));
    REN_TRY(read_volume(b, of, b->table.mask, &mask));
    REN_TRY(ren__radiomics_extract(b->radiomics, image, mask, labels, run, out));
out:
    ren_volume_free(mask);
    ren_volume_free(image);
    return st;
}

/* With the lock held. `st` is how computing ended on this thread. */
static ren_status keep(batch *b, size_t index, const ren__labels *labels, const size_t *rows, ren_status st,
                       const ren_features *features) {
    char text[1024];

    if (ends_all(st)) return st;
    if (lacks_memory(st) && !b->alone) {
        b->again[index] = 1;
        return REN_OK;
    }
    snprintf(text, sizeof text, "%s", st == REN_OK ? "" : ren_error_message());
    for (int32_t i = 0; i < labels->count; i++) {
        const ren_status stored = st == REN_OK ? ren__batch_table_store(&b->table, rows[i], features, i)
                                               : ren__batch_table_fail(&b->table, rows[i], text);
        if (stored != REN_OK) return stored;
    }
    b->dirty = 1;
    b->cases_done++;
    return may_write(b) ? write_table(b) : REN_OK;
}

static void run_case(batch *b, size_t index, ren__run *run) {
    const ren__batch_case *of = &b->table.cases[index];
    ren__labels labels;
    size_t *rows = NULL;
    ren_features *features = NULL;
    ren_status st = missing_labels(b, of, &labels, &rows);
    const int found = st == REN_OK;

    if (st == REN_OK && labels.count) st = compute(b, of, &labels, run, &features);
    pthread_mutex_lock(&b->lock);
    if (found && labels.count) st = keep(b, index, &labels, rows, st, features);
    if (st != REN_OK) stop(b, st);
    pthread_mutex_unlock(&b->lock);
    ren_features_free(features);
    ren__free(labels.sets);
    ren__free(rows);
}

/* ----------------------------------------------------------------------------------------------------- all cases */

/* The next case with a missing row, SIZE_MAX: none; with the lock held. */
static size_t take_case(batch *b) {
    while (b->status == REN_OK && b->next < b->table.case_count) {
        const size_t index = b->next++;
        const ren__batch_case *of = &b->table.cases[index];
        for (size_t i = 0; i < of->count; i++)
            if (!ren__batch_row_done(&b->table.rows[of->first + i])) return index;
        b->cases_done++;
    }
    return SIZE_MAX;
}

/* A case on the calling thread has a frame of its own, whose progress is a part of the batch's. */
static void run_framed(batch *b, size_t index, double done) {
    ren__run inner;
    ren_status st;

    b->run->stage = "batch";
    b->run->stage_begin = done;
    b->run->stage_end = done;
    st = ren__run_begin(&inner, b->context, NULL);
    if (st == REN_OK) {
        run_case(b, index, &inner);
        (void)ren__run_end(&inner, REN_OK);
        return;
    }
    pthread_mutex_lock(&b->lock);
    stop(b, st);
    pthread_mutex_unlock(&b->lock);
}

/* One of the jobs: takes cases until there are none. Thread 0 is the caller's, the only one that talks to the host. */
static void work(void *argument, int64_t begin, int64_t end, int32_t thread) {
    batch *b = argument;

    (void)begin;
    (void)end;
    for (;;) {
        pthread_mutex_lock(&b->lock);
        const size_t index = take_case(b);
        const double done = (double)b->cases_done / (double)b->table.case_count;
        pthread_mutex_unlock(&b->lock);
        if (index == SIZE_MAX || ren__run_check(b->run) != REN_OK) return;
        if (thread == 0)
            run_framed(b, index, done);
        else
            run_case(b, index, b->run);
    }
}

/* Cases that were short of memory: one after the other, with nobody beside them. */
static void run_again(batch *b) {
    b->alone = 1;
    for (size_t i = 0; i < b->table.case_count && b->status == REN_OK; i++) {
        if (!b->again[i]) continue;
        if (ren__run_check(b->run) != REN_OK) return;
        run_framed(b, i, (double)b->cases_done / (double)b->table.case_count);
    }
}

/* ----------------------------------------------------------------------------------------------------------- jobs */

/* Bytes that a case may need: image, mask and a region as large as the image. 0 where its header tells nothing. */
static size_t case_bytes(const batch *b, const ren__batch_case *of) {
    char *path = path_of(b, ren__csv_get(b->table.input, of->line, b->table.image));
    ren__nifti_stream *stream = NULL;
    ren__nifti_header header;
    uint8_t bytes[REN__NIFTI2_BYTES];
    size_t got = 0, need = 0;

    if (path && ren__nifti_stream_open(b->context, path, &stream) == REN_OK &&
        ren__nifti_stream_read(stream, bytes, sizeof bytes, &got) == REN_OK && got == sizeof bytes &&
        ren__nifti_header_parse(bytes, ren__nifti_header_size(bytes), &header) == REN_OK)
        need = (size_t)header.shape[0] * (size_t)header.shape[1] * (size_t)header.shape[2] *
               (ren__type_size(header.type) + 1 + 12);
    ren__nifti_stream_close(stream);
    ren__free(path);
    return need;
}

/* How many cases the memory limit holds at once, by the largest of the first missing ones. */
static size_t jobs_by_memory(const batch *b, size_t limit) {
    enum { LOOKED_AT = 16 };
    size_t largest = 0, looked_at = 0;

    for (size_t i = 0; i < b->table.case_count && looked_at < LOOKED_AT; i++) {
        const ren__batch_case *of = &b->table.cases[i];
        if (ren__batch_row_done(&b->table.rows[of->first])) continue;
        const size_t need = case_bytes(b, of);
        largest = need > largest ? need : largest;
        looked_at++;
    }
    return largest ? limit / largest : SIZE_MAX;
}

static size_t missing_cases(const batch *b) {
    size_t missing = 0;

    for (size_t c = 0; c < b->table.case_count; c++) {
        const ren__batch_case *of = &b->table.cases[c];
        size_t done = 0;
        while (done < of->count && ren__batch_row_done(&b->table.rows[of->first + done]))
            done++;
        missing += done < of->count;
    }
    return missing;
}

/* Several cases at once use the threads best; fewer cases than threads are done one by one, each with all threads. */
static int64_t choose_jobs(const batch *b, int32_t asked) {
    const size_t threads = (size_t)b->context->threads, cases = missing_cases(b);
    const size_t whole = ren__ledger_limit(b->context->ledger), own = b->run->copy.memory_limit;
    const size_t limit = own && (!whole || own < whole) ? own : whole;
    size_t jobs = asked > 0 ? (size_t)asked : cases < threads ? 1 : threads;

    if (jobs > threads) jobs = threads;
    if (limit) {
        const size_t held = jobs_by_memory(b, limit);
        if (held < jobs) jobs = held;
    }
    return jobs > 1 ? (int64_t)jobs : 1;
}

/* -------------------------------------------------------------------------------------------------------- public */

static ren_status run_batch(batch *b, int32_t jobs) {
    ren_context *context = b->context;
    ren_status st = REN_OK;

    REN_CALLOC(b->again, b->table.case_count);
    b->started = ren__now();
    REN_TRY(check_writable(b));
    b->whole = b->table.row_count && missing_cases(b) == 0 && ren__batch_table_failed(&b->table) == 0;
    const int64_t width = choose_jobs(b, jobs);
    b->alone = width == 1;
    if (width == 1)
        work(b, 0, 1, 0);
    else
        ren__parallel_for(context, b->run, width, 1, work, b);
    run_again(b);
    b->run->stage = NULL;
    if (b->status == REN_OK && ren__run_check(b->run) != REN_OK) stop(b, ren__run_check(b->run));
    if (b->dirty || (b->status == REN_OK && !b->whole)) {
        st = write_table(b);
        if (st != REN_OK) stop(b, st);
    }
    if (b->status != REN_OK) REN_FAIL(b->status, "%s", b->error);
    REN_TRY(ren__run_progress(b->run, "batch", 1.0));
out:
    ren__free(b->again);
    return st;
}

static char *folder_of(ren_context *context, const char *path) {
    const char *slash = strrchr(path, '/');
    const size_t size = slash ? (size_t)(slash - path) + 1 : 0;
    char *folder = ren__alloc(context, size + 1);

    if (!folder) return NULL;
    memcpy(folder, path, size);
    folder[size] = '\0';
    return folder;
}

static ren_status begin_and_run(batch *b, const char *cases_path, const char *out_path,
                                const ren_radiomics_batch_options *options) {
    ren_context *context = b->context;
    ren_status st = REN_OK;
    ren__labels labels = { NULL, NULL, 0 };
    char *folder = NULL;

    if (options->regions && options->label_count)
        REN_FAIL(REN_E_INVALID, "ren_radiomics_batch: labels and regions exclude each other");
    if (options->regions)
        REN_TRY(ren__labels_regions(context, &labels));
    else
        REN_TRY(ren__labels_parse(context, options->labels, options->label_count, b->radiomics->params.settings.label,
                                  &labels));
    folder = folder_of(context, cases_path);
    if (!folder) REN_TRY(ren__out_of_memory());
    b->folder = folder;
    REN_TRY(ren__batch_table_open(context, cases_path, out_path, &labels, &b->table));
    REN_TRY(ren__batch_table_resume(&b->table, b->radiomics));
    if (pthread_mutex_init(&b->lock, NULL) != 0) REN_FAIL(REN_E_MEMORY, "a lock cannot be made");
    st = run_batch(b, options->jobs);
    pthread_mutex_destroy(&b->lock);
out:
    ren__free(folder);
    /* the rows' names are the labels' */
    if (st == REN_OK) b->next = ren__batch_table_failed(&b->table);
    ren__batch_table_close(&b->table);
    ren__labels_free(&labels);
    return st;
}

ren_status ren_radiomics_batch_options_init(ren_radiomics_batch_options *options, size_t size) {
    const ren_radiomics_batch_options defaults = { sizeof defaults, NULL, 0, 0, 0 };

    return ren__options_init(options, size, &defaults, sizeof defaults, "ren_radiomics_batch_options");
}

ren_status ren_radiomics_batch(const ren_radiomics *radiomics, const char *cases_path, const char *out_path,
                               const ren_radiomics_batch_options *options, const ren_run_options *run_options,
                               int32_t *failed) {
    REN_REQUIRE(radiomics != NULL);
    REN_REQUIRE(cases_path != NULL);
    REN_REQUIRE(out_path != NULL);
    ren_radiomics_batch_options all = { sizeof all, NULL, 0, 0, 0 };
    batch b = { .context = radiomics->context, .radiomics = radiomics };
    ren__run run;
    ren_status st = options ? ren__options_copy(&all, sizeof all, options, "ren_radiomics_batch_options") : REN_OK;

    if (st != REN_OK) return st;
    if (all.jobs < 0) return ren__error(REN_E_INVALID, "ren_radiomics_batch: jobs is %d: 0 or more", (int)all.jobs);
    b.run = &run;
    st = ren__run_begin(&run, radiomics->context, run_options);
    if (st == REN_OK) st = begin_and_run(&b, cases_path, out_path, &all);
    if (st == REN_OK && failed) *failed = (int32_t)b.next;
    return ren__run_end(&run, st);
}
