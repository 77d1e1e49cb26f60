/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention within windows of a map, of which every second layer's are shifted (Liu et al. 2021), in two or three
 * dimensions, with a learned bias for each relative position. The windows are found by index: nothing is rolled or
 * partitioned in memory. Shifted windows that reach around the map's end hold tokens that are no neighbours; pairs of
 * them are masked. One head of a chunk of windows is the work of one thread; chunks do not depend on the number of
 * threads, and gradients of the bias table are summed chunk by chunk.
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
    int64_t tokens, channels, width; /* channels of the output, width of a head */
    int64_t windows, chunk, chunks;  /* windows of all samples, of a chunk */
    int64_t tables;                  /* positions of the bias table */
    int64_t matrix, stride;          /* floats of a head's bias, of a row of it */
    size_t each, kernel;             /* scratch of a thread; the kernel's part of it */
    float *bias;                     /* heads x tokens x tokens, for all windows */
    float *table_gradient;           /* chunks x heads x tables */
    float *threads;
    int32_t centre, code[MAX_TOKENS];
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

/* Scratch: bias, the table's gradients, then for each thread that of the kernel and, backward, the gradients of the
 * scores of one head, summed over the windows of a chunk. Saved: what normalises each row of each head of each window.
 */
static void lay_out(ren__step *step, window_job *j) {
    const window_node *n = step->node->options;
    *j = (window_job){ .step = step, .node = n, .map = ren__extent_of(&step->input_shape[0]) };
    j->tokens = product(n->window);
    j->channels = ren__channels_of(&step->output_shape);
    j->width = j->channels / n->heads;
    j->windows = j->map.batch * (product(j->map.size) / j->tokens);
    j->chunk = (j->windows + CHUNKS - 1) / CHUNKS;
    j->chunks = (j->windows + j->chunk - 1) / j->chunk;
    j->tables = table_positions(n);
    j->stride = ren__attention_bias_stride(j->tokens);
    j->matrix = j->tokens * j->stride;
    j->kernel = (ren__attention_scratch(j->tokens, j->width, step->training) + 15) / 16 * 16;
    j->each = (j->kernel + (step->training ? (size_t)j->matrix : 0) + 15) / 16 * 16;
    j->bias = step->scratch;
    j->table_gradient = j->bias + n->heads * j->matrix;
    j->threads = j->table_gradient + (step->training ? j->chunks * j->tables * n->heads : 0);
    number_tokens(j);
}

static ren_status plan(ren__step *step) {
    window_job j;
    lay_out(step, &j);
    const int64_t tables = step->training ? j.chunks * j.tables : 0;
    step->scratch_bytes =
        ((size_t)(j.node->heads * (j.matrix + tables)) + (size_t)step->context->threads * j.each) * sizeof(float);
    if (step->training) step->saved_bytes = 2 * (size_t)(j.windows * j.node->heads * j.tokens) * sizeof(float);
    return REN_OK;
}

static void bias_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    window_job *j = argument;
    const int64_t t = j->tokens, heads = j->node->heads;
    (void)thread;
    for (int64_t query = begin; query < end; query++)
        for (int64_t key = 0; key < j->stride; key++) {
            const int64_t code = key < t ? j->code[key] : j->code[0]; /* behind the last: any finite number */
            const float *entry = j->step->parameter[0] + (j->code[query] - code + j->centre) * heads;
            for (int64_t h = 0; h < heads; h++)
                j->bias[h * j->matrix + query * j->stride + key] = entry[h];
        }
}

/* The rows of the map under the tokens of a window. */
typedef struct window_rows {
    int64_t place[MAX_TOKENS];
    uint8_t part[MAX_TOKENS]; /* of the shifted map: on each axis 0 inside, then what the shift has brought round */
    int masked;               /* tokens of more than one part */
} window_rows;

/* One axis of a window, for each of its steps: the place on the map's axis, and the part. */
typedef struct window_axis {
    int64_t at[MAX_TOKENS];
    uint8_t part[MAX_TOKENS];
} window_axis;

static void find_axis(const window_job *j, int a, int64_t first, window_axis *axis) {
    const int64_t size = j->map.size[a], window = j->node->window[a], shift = j->node->shift[a];
    for (int64_t i = 0; i < window; i++) {
        const int64_t shifted = first + i;
        axis->at[i] = shifted + shift >= size ? shifted + shift - size : shifted + shift;
        axis->part[i] = !shift ? 0 : shifted >= size - shift ? 2 : shifted >= size - window ? 1 : 0;
    }
}

static void find_rows(const window_job *j, int64_t window, window_rows *rows) {
    const int64_t *size = j->node->window, each = product(j->map.size) / j->tokens, sample = window / each;
    window_axis axis[3];
    int64_t place = window % each, token = 0;
    for (int a = 2; a >= 0; a--) {
        const int64_t count = j->map.size[a] / size[a];
        find_axis(j, a, place % count * size[a], &axis[a]);
        place /= count;
    }
    rows->masked = 0;
    for (int64_t d = 0; d < size[0]; d++)
        for (int64_t h = 0; h < size[1]; h++) {
            const int64_t line =
                ((sample * j->map.size[0] + axis[0].at[d]) * j->map.size[1] + axis[1].at[h]) * j->map.size[2];
            const int part = (axis[0].part[d] * 3 + axis[1].part[h]) * 3;
            for (int64_t w = 0; w < size[2]; w++, token++) {
                rows->place[token] = line + axis[2].at[w];
                rows->part[token] = (uint8_t)(part + axis[2].part[w]);
                rows->masked |= rows->part[token] != rows->part[0];
            }
        }
}

typedef struct drop_place {
    const window_job *job;
    int64_t window, head;
} drop_place;

static void drop(void *user, int64_t row, int64_t first, int64_t count, float *factors) {
    const drop_place *p = user;
    const window_job *j = p->job;
    const int64_t each = j->windows / j->map.batch, before = (p->window % each * j->node->heads + p->head) * j->tokens;
    ren__dropout_factors(j->step, j->node->dropout, p->window / each, (uint64_t)((before + row) * j->tokens + first),
                         count, factors);
}

/* The summed gradients of a head's scores to the table's positions. */
static void add_table_gradient(const window_job *j, const float *scores, float *table) {
    memset(table, 0, (size_t)j->tables * sizeof *table);
    for (int64_t query = 0; query < j->tokens; query++)
        for (int64_t key = 0; key < j->tokens; key++)
            table[j->code[query] - j->code[key] + j->centre] += scores[query * j->stride + key];
}

/* One head of one window; `scores` (backward) gets its scores' gradients added. */
static void window_head(const window_job *j, int64_t window, int64_t head, float *scores, float *room) {
    const int64_t c = j->channels, at = head * j->width;
    ren__step *step = j->step;
    drop_place place = { j, window, head };
    window_rows rows;
    find_rows(j, window, &rows);
    const float *x = step->input[0] + at;
    float *const saved = step->saved;
    const ren__attention a = { .tokens = j->tokens,
                               .width = j->width,
                               .q = x,
                               .k = x + c,
                               .v = x + 2 * c,
                               .stride = 3 * c,
                               .place = rows.place,
                               .bias = j->bias + head * j->matrix,
                               .bias_stride = j->stride,
                               .group = rows.masked ? rows.part : NULL,
                               .normaliser =
                                   step->training ? saved + (window * j->node->heads + head) * 2 * j->tokens : NULL,
                               .drop = step->training && j->node->dropout > 0 ? drop : NULL,
                               .drop_user = &place };
    if (!scores) {
        ren__attention_forward(step->context, &a, step->output + at, c, room);
        return;
    }
    float *dx = step->input_gradient[0] ? step->input_gradient[0] + at : NULL;
    ren__attention_backward(step->context, &a, step->output + at, step->output_gradient + at, c, dx, dx ? dx + c : NULL,
                            dx ? dx + 2 * c : NULL, 3 * c, scores, room);
}

/* One head of a chunk of windows. */
static void chunk_of_head(const window_job *j, int64_t item, int32_t thread, int backward) {
    const int64_t index = item / j->node->heads, head = item % j->node->heads;
    float *room = j->threads + (size_t)thread * j->each, *scores = backward ? room + j->kernel : NULL;
    if (scores) memset(scores, 0, (size_t)j->matrix * sizeof *scores);
    for (int64_t window = index * j->chunk; window < (index + 1) * j->chunk && window < j->windows; window++) {
        if (j->step->run && atomic_load(&j->step->run->stopped) != REN_OK) return;
        window_head(j, window, head, scores, room);
    }
    if (scores) add_table_gradient(j, scores, j->table_gradient + item * j->tables);
}

static void forward_chunks(void *argument, int64_t begin, int64_t end, int32_t thread) {
    for (int64_t i = begin; i < end; i++)
        chunk_of_head(argument, i, thread, 0);
}

static void backward_chunks(void *argument, int64_t begin, int64_t end, int32_t thread) {
    for (int64_t i = begin; i < end; i++)
        chunk_of_head(argument, i, thread, 1);
}

static void run(window_job *j, ren__range_fn fn) {
    ren__step *step = j->step;
    ren__parallel_for(step->context, step->run, j->tokens, 8, bias_rows, j);
    ren__parallel_for(step->context, step->run, j->chunks * j->node->heads, 1, fn, j);
}

static ren_status forward(ren__step *step) {
    window_job j;
    lay_out(step, &j);
    run(&j, forward_chunks);
    return REN_OK;
}

static ren_status backward(ren__step *step) {
    window_job j;
    lay_out(step, &j);
    run(&j, backward_chunks);
    if (ren__run_check(step->run) != REN_OK) return REN_OK; /* chunks that were left out have no sums */
    for (int64_t head = 0; head < j.node->heads; head++)
        for (int64_t i = 0; i < j.tables; i++) {
            double sum = 0;
            for (int64_t k = 0; k < j.chunks; k++)
                sum += (double)j.table_gradient[(k * j.node->heads + head) * j.tables + i];
            step->parameter_gradient[0][i * j.node->heads + head] = (float)sum;
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
    .flags = REN__KEEPS_INPUT | REN__KEEPS_OUTPUT,
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
