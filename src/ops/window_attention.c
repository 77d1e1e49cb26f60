/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention within windows of a map, of which every second layer's are shifted (Liu et al. 2021), in two or three
 * dimensions, with a learned bias for each relative position. The windows are found by index: nothing is rolled or
 * partitioned in memory. Shifted windows that reach around the map's end hold tokens that are no neighbours; pairs of
 * them are masked. One window is the work of one thread; gradients of the bias table are summed by chunks of windows
 * that do not depend on the number of threads.
 */
#include <string.h>

#include "kernels/attention.h"
#include "ops/dropout.h"
#include "ops/internal.h"

enum { CHUNKS = 16, MAX_TOKENS = 4096 };

typedef struct window_node {
    int64_t heads;
    int64_t table[3];  /* the window that the bias table is for; missing axes are 1, in front */
    int64_t window[3]; /* the window in use, and how far it is shifted */
    int64_t shift[3];
    double dropout;
} window_node;

static int64_t product(const int64_t v[3]) {
    return v[0] * v[1] * v[2];
}

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const window_node *n = node->options;
    *output = *ren__graph_shape(graph, node->input[0]);
    const ren__extent e = ren__extent_of(output);
    if (e.axes < 2 || e.axes > 3) return ren__error(REN_E_INVALID, "window_attention: the input is no map");
    if (n->heads < 1 || e.channels % (3 * n->heads))
        return ren__error(REN_E_INVALID, "window_attention: %lld channels are not q, k and v of %lld heads",
                          (long long)e.channels, (long long)n->heads);
    for (int a = 0; a < 3; a++)
        if (n->window[a] < 1 || n->table[a] < 1 || e.size[a] % n->window[a] || n->shift[a] < 0 ||
            n->shift[a] >= n->window[a] || n->table[a] > MAX_TOKENS)
            return ren__error(REN_E_INVALID,
                              "window_attention: windows of %lld shifted by %lld do not tile an axis of %lld",
                              (long long)n->window[a], (long long)n->shift[a], (long long)e.size[a]);
    if (product(n->window) > MAX_TOKENS || product(n->window) > product(n->table))
        return ren__error(REN_E_INVALID, "window_attention: a window has %lld tokens, the bias table's %lld",
                          (long long)product(n->window), (long long)product(n->table));
    if (!(n->dropout >= 0 && n->dropout < 1))
        return ren__error(REN_E_INVALID, "window_attention: the dropout rate must lie in [0, 1)");
    output->dim[output->rank - 1] = e.channels / 3;
    return REN_OK;
}

typedef struct window_job {
    ren__step *step;
    const window_node *node;
    ren__extent map;
    int64_t tokens, channels, windows, chunk; /* channels of the output; windows of all samples, of a chunk */
    int64_t tables;                           /* positions of the bias table */
    int64_t row_floats;                       /* of a thread's part of the scratch */
    float *bias;                              /* heads x tokens x tokens, for all windows */
    float *table_gradient;                    /* CHUNKS x tables x heads */
    float *threads;
    int64_t drawn; /* probabilities of a window */
    int32_t centre, code[MAX_TOKENS];
    atomic_int status;
} window_job;

static int64_t table_positions(const window_node *n) {
    return (2 * n->table[0] - 1) * (2 * n->table[1] - 1) * (2 * n->table[2] - 1);
}

/* The pair (query, key) stands in the bias table at code[query] - code[key] + centre. In a window smaller than the
 * table's the tokens are numbered as the first ones of the table's window: so do the published networks. */
static void number_tokens(window_job *j) {
    const int64_t *size = j->node->table;
    for (int64_t t = 0; t < j->tokens; t++) {
        const int64_t at[3] = { t / (size[1] * size[2]), t / size[2] % size[1], t % size[2] };
        j->code[t] = (int32_t)((at[0] * (2 * size[1] - 1) + at[1]) * (2 * size[2] - 1) + at[2]);
    }
    j->centre = (int32_t)(j->tables / 2);
}

/* Scratch: bias, the table's gradients, then for each thread rows of q, k, v and out, their gradients, the scores', and
 * room of the kernel. */
static void lay_out(ren__step *step, window_job *j) {
    const window_node *n = step->node->options;
    *j = (window_job){ .step = step, .node = n, .map = ren__extent_of(&step->input_shape[0]) };
    j->tokens = product(n->window);
    j->channels = ren__channels_of(&step->output_shape);
    j->windows = j->map.batch * (product(j->map.size) / j->tokens);
    j->chunk = (j->windows + CHUNKS - 1) / CHUNKS;
    j->tables = table_positions(n);
    j->drawn = n->heads * j->tokens * j->tokens;
    j->row_floats = (int64_t)ren__attention_scratch(j->tokens, step->training) + 4 * j->tokens * j->channels;
    if (step->training) j->row_floats += 4 * j->tokens * j->channels + j->tokens * j->tokens;
    j->row_floats = (j->row_floats + 15) / 16 * 16;
    j->bias = step->scratch;
    j->table_gradient = j->bias + j->drawn;
    j->threads = j->table_gradient + (step->training ? CHUNKS * j->tables * n->heads : 0);
    number_tokens(j);
}

static ren_status plan(ren__step *step) {
    window_job j;
    lay_out(step, &j);
    const int64_t tables = step->training ? CHUNKS * j.tables * j.node->heads : 0;
    step->scratch_bytes = (size_t)(j.drawn + tables + step->context->threads * j.row_floats) * sizeof(float);
    return REN_OK;
}

static void bias_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    window_job *j = argument;
    const int64_t t = j->tokens, heads = j->node->heads;
    (void)thread;
    for (int64_t query = begin; query < end; query++)
        for (int64_t key = 0; key < t; key++) {
            const float *entry = j->step->parameter[0] + (j->code[query] - j->code[key] + j->centre) * heads;
            for (int64_t h = 0; h < heads; h++)
                j->bias[(h * t + query) * t + key] = entry[h];
        }
}

/* Row of the map under token `token` of window `window`, and which part of the shifted map it is in: 0 inside, then
 * what the shift has brought round. */
static int64_t row_of(const window_job *j, int64_t window, int64_t token, uint8_t *part) {
    const window_node *n = j->node;
    int64_t at[3], within = token, each = product(j->map.size) / j->tokens, place = window % each;
    *part = 0;
    for (int a = 2; a >= 0; a--) {
        const int64_t count = j->map.size[a] / n->window[a];
        const int64_t shifted = place % count * n->window[a] + within % n->window[a];
        place /= count;
        within /= n->window[a];
        at[a] = shifted + n->shift[a];
        if (at[a] >= j->map.size[a]) at[a] -= j->map.size[a];
        *part = (uint8_t)(*part * 3);
        if (n->shift[a])
            *part = (uint8_t)(*part + (shifted >= j->map.size[a] - n->shift[a]    ? 2
                                       : shifted >= j->map.size[a] - n->window[a] ? 1
                                                                                  : 0));
    }
    return ((window / each * j->map.size[0] + at[0]) * j->map.size[1] + at[1]) * j->map.size[2] + at[2];
}

typedef struct drop_place {
    const window_job *job;
    int64_t window, head;
} drop_place;

static void drop(void *user, int64_t row, float *factors) {
    const drop_place *p = user;
    const window_job *j = p->job;
    const int64_t each = j->windows / j->map.batch, first = (p->window % each * j->node->heads + p->head) * j->tokens;
    ren__dropout_factors(j->step, j->node->dropout, p->window / each, (uint64_t)((first + row) * j->tokens), j->tokens,
                         factors);
}

/* A thread's rows. */
typedef struct window_rows {
    float *x, *y, *dx, *dy, *scores, *room;
    int64_t row[MAX_TOKENS];
    uint8_t part[MAX_TOKENS];
    int masked;
} window_rows;

static void gather(const window_job *j, int64_t window, window_rows *rows, int backward) {
    const int64_t c = j->channels;
    rows->masked = 0;
    for (int64_t t = 0; t < j->tokens; t++) {
        rows->row[t] = row_of(j, window, t, &rows->part[t]);
        rows->masked |= rows->part[t] != rows->part[0];
        memcpy(rows->x + t * 3 * c, j->step->input[0] + rows->row[t] * 3 * c, 3 * (size_t)c * sizeof(float));
        if (backward) memcpy(rows->dy + t * c, j->step->output_gradient + rows->row[t] * c, (size_t)c * sizeof(float));
    }
}

static void add_table_gradient(const window_job *j, int64_t head, const float *scores, float *table) {
    for (int64_t query = 0; query < j->tokens; query++)
        for (int64_t key = 0; key < j->tokens; key++)
            table[(j->code[query] - j->code[key] + j->centre) * j->node->heads + head] +=
                scores[query * j->tokens + key];
}

static ren_status window_heads(const window_job *j, int64_t window, window_rows *rows, float *table) {
    const int64_t c = j->channels, t = j->tokens, width = c / j->node->heads;
    ren_status st = REN_OK;
    for (int64_t h = 0; st == REN_OK && h < j->node->heads; h++) {
        drop_place place = { j, window, h };
        const float *x = rows->x + h * width;
        const ren__attention a = { .tokens = t,
                                   .width = width,
                                   .q = x,
                                   .k = x + c,
                                   .v = x + 2 * c,
                                   .stride = 3 * c,
                                   .bias = j->bias + h * t * t,
                                   .group = rows->masked ? rows->part : NULL,
                                   .drop = j->step->training && j->node->dropout > 0 ? drop : NULL,
                                   .drop_user = &place };
        if (!table) {
            st = ren__attention_forward(j->step->context, &a, rows->y + h * width, c, rows->room);
            continue;
        }
        float *dx = rows->dx + h * width;
        memset(rows->scores, 0, (size_t)(t * t) * sizeof(float));
        st = ren__attention_backward(j->step->context, &a, rows->dy + h * width, c, dx, dx + c, dx + 2 * c, 3 * c,
                                     rows->scores, rows->room);
        add_table_gradient(j, h, rows->scores, table);
    }
    return st;
}

static void rows_of_thread(const window_job *j, int32_t thread, int backward, window_rows *rows) {
    const int64_t size = j->tokens * j->channels;
    rows->x = j->threads + thread * j->row_floats;
    rows->y = rows->x + 3 * size;
    rows->room = rows->y + size;
    if (!backward) return;
    rows->dy = rows->room;
    rows->dx = rows->dy + size;
    rows->scores = rows->dx + 3 * size;
    rows->room = rows->scores + j->tokens * j->tokens;
}

static void chunk(window_job *j, int64_t index, int32_t thread, int backward) {
    const int64_t c = j->channels;
    float *table = backward ? j->table_gradient + index * j->tables * j->node->heads : NULL;
    window_rows rows = { 0 };
    rows_of_thread(j, thread, backward, &rows);
    if (table) memset(table, 0, (size_t)(j->tables * j->node->heads) * sizeof(float));
    for (int64_t window = index * j->chunk; window < (index + 1) * j->chunk && window < j->windows; window++) {
        if (j->step->run && atomic_load(&j->step->run->stopped) != REN_OK) return;
        gather(j, window, &rows, backward);
        const ren_status st = window_heads(j, window, &rows, table);
        if (st != REN_OK) atomic_store(&j->status, st);
        for (int64_t t = 0; t < j->tokens; t++)
            if (!backward)
                memcpy(j->step->output + rows.row[t] * c, rows.y + t * c, (size_t)c * sizeof(float));
            else if (j->step->input_gradient[0])
                memcpy(j->step->input_gradient[0] + rows.row[t] * 3 * c, rows.dx + t * 3 * c,
                       3 * (size_t)c * sizeof(float));
    }
}

static void forward_chunks(void *argument, int64_t begin, int64_t end, int32_t thread) {
    for (int64_t i = begin; i < end; i++)
        chunk(argument, i, thread, 0);
}

static void backward_chunks(void *argument, int64_t begin, int64_t end, int32_t thread) {
    for (int64_t i = begin; i < end; i++)
        chunk(argument, i, thread, 1);
}

static ren_status run(window_job *j, ren__range_fn fn) {
    ren__step *step = j->step;
    ren__parallel_for(step->context, step->run, j->tokens, 8, bias_rows, j);
    ren__parallel_for(step->context, step->run, CHUNKS, 1, fn, j);
    const ren_status st = atomic_load(&j->status);
    return st == REN_OK ? REN_OK : ren__error(st, "no memory for a matrix product");
}

static ren_status forward(ren__step *step) {
    window_job j;
    lay_out(step, &j);
    return run(&j, forward_chunks);
}

static ren_status backward(ren__step *step) {
    window_job j;
    lay_out(step, &j);
    const ren_status st = run(&j, backward_chunks);
    if (st != REN_OK) return st;
    for (int64_t i = 0; i < j.tables * j.node->heads; i++) {
        double sum = 0;
        for (int64_t k = 0; k < CHUNKS; k++)
            sum += (double)j.table_gradient[k * j.tables * j.node->heads + i];
        step->parameter_gradient[0][i] = (float)sum;
    }
    return REN_OK;
}

/* Two products for each window. */
static double flops(const ren__graph *graph, const ren__node *node) {
    const window_node *n = node->options;
    return 4.0 * (double)ren__shape_elements(ren__graph_shape(graph, node->output)) * (double)product(n->window);
}

const ren__op ren__window_attention_op = {
    .name = "window_attention",
    .option_bytes = sizeof(window_node),
    .flags = REN__KEEPS_INPUT,
    .infer = infer,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .flops = flops,
};

ren__value ren__window_attention(ren__graph *graph, ren__value qkv, const char *name,
                                 const ren__window_options *options) {
    const int32_t axes = ren__graph_shape(graph, qkv)->rank - 2;
    window_node n = { options->heads, { 1, 1, 1 }, { 1, 1, 1 }, { 0 }, options->dropout };
    for (int32_t i = 0; i < axes && axes <= 3; i++) {
        n.table[3 - axes + i] = options->table[i];
        n.window[3 - axes + i] = options->window[i];
        n.shift[3 - axes + i] = options->shift[i];
    }
    const ren__shape shape = ren__shape_of(2, (int64_t[]){ table_positions(&n), options->heads });
    const int32_t table = ren__graph_parameter(graph, name, "relative_position_bias_table", shape,
                                               (ren__initialiser){ REN__INIT_TRUNCATED_NORMAL, 0.02 }, 1);
    return ren__graph_add(graph, &ren__window_attention_op, &n, &qkv, 1, &table, 1);
}
