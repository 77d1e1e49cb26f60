/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints: everything comes back bit for bit, damage and strangers are refused, leftovers go. */
#include "train/checkpoint.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "harness.h"
#include "nets/nets.h"

enum { EPOCHS = 5 };

typedef struct made {
    ren__train_state state;
    size_t elements[64];
    int32_t trained;
} made;

static void free_state(made *m) {
    ren__weights_release(m->state.weights);
    ren__weights_release(m->state.best);
    ren__optimiser_free(m->state.optimiser);
    ren__free(m->state.history);
}

/* A state as the trainer makes it; `graph` of a CNN of 8^3 cells. */
static ren_status make_state(ren_context *context, uint64_t seed, made *m) {
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    const ren__optimiser_options optimiser = REN__OPTIMISER_OPTIONS_INIT;
    const ren__schedule_options schedule = REN__SCHEDULE_OPTIONS_INIT;
    const ren__early_stop_options early_stop = REN__EARLY_STOP_OPTIONS_INIT;
    json_t *network = json_pack("{s:[i,i,i]}", "input_size", 8, 8, 8);

    REN_TRY(network ? REN_OK : REN_E_MEMORY);
    REN_TRY(ren__net_graph(context, ren__net_find("cnn"), network, 1, NULL, &graph));
    REN_TRY(ren__weights_create(context, graph, &m->state.weights));
    REN_TRY(ren__weights_create(context, graph, &m->state.best));
    REN_TRY(ren__weights_initialise(m->state.weights, seed));
    REN_TRY(ren__weights_initialise(m->state.best, seed + 1));
    for (int32_t i = 0; i < ren__weights_count(m->state.weights); i++)
        if (ren__weights_trained(m->state.weights, i))
            m->elements[m->trained++] = ren__weights_elements(m->state.weights, i);
    REN_TRY(ren__optimiser_create(context, &optimiser, m->elements, m->trained, &m->state.optimiser));
    REN_TRY(ren__schedule_init(&m->state.schedule, &schedule));
    REN_TRY(ren__early_stop_init(&m->state.early_stop, &early_stop));
    m->state.history = ren__calloc(context, EPOCHS, sizeof *m->state.history);
    CHECK_MEMORY(m->state.history);
out:
    ren__graph_free(graph);
    json_decref(network);
    return st;
}

/* Three epochs of history, odd numbers everywhere. */
static void fill_state(made *m) {
    ren__train_state *s = &m->state;

    for (int32_t p = 0; p < m->trained; p++)
        for (size_t i = 0; i < m->elements[p]; i++) {
            ren__optimiser_moment(s->optimiser, 0, p)[i] = (float)(i % 97) * 1e-3f - (float)p;
            ren__optimiser_moment(s->optimiser, 1, p)[i] = (float)(i % 89) * 1e-7f;
        }
    ren__optimiser_set_steps(s->optimiser, 33);
    s->epoch = 3;
    s->schedule.epoch = 3;
    s->schedule.rate = 1e-4 / 3.0;
    s->schedule.best = 0.1 + 0.2;
    s->schedule.bad = 2;
    s->early_stop.best_auc = 2.0 / 3.0;
    s->early_stop.best_loss = 0.7;
    s->early_stop.best_epoch = 2;
    s->early_stop.waited = 1; /* the reference stays -infinity */
    s->stopped = REN__STOP_GAP;
    for (int e = 0; e < 3; e++)
        for (int c = 0; c < REN__HISTORY_COLUMNS; c++)
            s->history[e][c] = e + 1.0 / (c + 1);
    s->history[1][REN__HISTORY_TRAINING_AUC] = NAN;
}

static ren_status same_arrays(const made *a, const made *b) {
    ren_status st = REN_OK;

    for (int32_t i = 0; i < ren__weights_count(a->state.weights); i++) {
        const size_t bytes = ren__weights_elements(a->state.weights, i) * sizeof(float);
        CHECK(memcmp(ren__weights_read(a->state.weights, i), ren__weights_read(b->state.weights, i), bytes) == 0);
        CHECK(memcmp(ren__weights_read(a->state.best, i), ren__weights_read(b->state.best, i), bytes) == 0);
    }
    for (int32_t p = 0; p < a->trained; p++)
        for (int32_t m = 0; m < 2; m++)
            CHECK(memcmp(ren__optimiser_moment(a->state.optimiser, m, p),
                         ren__optimiser_moment(b->state.optimiser, m, p), a->elements[p] * sizeof(float)) == 0);
    CHECK(memcmp(a->state.history, b->state.history, 3 * sizeof *a->state.history) == 0);
out:
    return st;
}

static ren_status test_everything_comes_back(ren_context *context) {
    ren_status st = REN_OK;
    made first = { 0 }, second = { 0 };
    char path[TEST_PATH];

    REN_TRY(make_state(context, 1, &first));
    REN_TRY(make_state(context, 100, &second));
    fill_state(&first);
    test_file(path, "whole.safetensors");
    REN_TRY(ren__checkpoint_write(context, path, "{\"task\":1}", &first.state));
    REN_TRY(ren__checkpoint_load(context, path, "{\"task\":1}", EPOCHS, &second.state));
    REN_TRY(same_arrays(&first, &second));
    const ren__train_state *a = &first.state, *b = &second.state;
    CHECK(b->epoch == 3 && b->stopped == REN__STOP_GAP && ren__optimiser_steps(b->optimiser) == 33);
    CHECK(a->schedule.rate == b->schedule.rate && a->schedule.best == b->schedule.best && b->schedule.bad == 2);
    CHECK(b->schedule.epoch == 3 && b->early_stop.best_epoch == 2 && b->early_stop.waited == 1);
    CHECK(a->early_stop.best_auc == b->early_stop.best_auc && a->early_stop.best_loss == b->early_stop.best_loss);
    CHECK(isinf(b->early_stop.reference) && b->early_stop.reference < 0);
out:
    free_state(&first);
    free_state(&second);
    return st;
}

static ren_status test_strangers_and_damage_are_refused(ren_context *context) {
    ren_status st = REN_OK;
    made state = { 0 };
    char path[TEST_PATH];
    struct stat info;

    REN_TRY(make_state(context, 1, &state));
    fill_state(&state);
    test_file(path, "damaged.safetensors");
    REN_TRY(ren__checkpoint_write(context, path, "one", &state.state));
    CHECK_FAILS(ren__checkpoint_load(context, path, "another", EPOCHS, &state.state), REN_E_STATE, "another training");
    CHECK_FAILS(ren__checkpoint_load(context, path, "one", 2, &state.state), REN_E_FORMAT, "impossible numbers");
    CHECK(stat(path, &info) == 0);
    for (off_t size = info.st_size - 1; size > 0; size /= 3) {
        CHECK(truncate(path, size) == 0);
        CHECK_FAILS(ren__checkpoint_load(context, path, "one", EPOCHS, &state.state), REN_E_FORMAT, path);
    }
out:
    free_state(&state);
    return st;
}

static ren_status test_leftovers_go_and_nothing_else(ren_context *context) {
    static const char *const names[] = { ".ren-123-0a1b2c3d.tmp", "history.csv", ".ren-notes", "a.tmp" };
    ren_status st = REN_OK;
    char folder[TEST_PATH], path[TEST_PATH + 64];

    (void)context;
    mkdir(test_file(folder, "swept"), 0777);
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        REN_TRY(ren__file_write(path, "x", 1));
    }
    ren__checkpoint_sweep(folder);
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        CHECK((access(path, F_OK) == 0) == (i > 0));
    }
    ren__checkpoint_sweep("/nowhere/at/all");
out:
    return st;
}

static ren_status test_the_history_is_a_table(ren_context *context) {
    ren_status st = REN_OK;
    made state = { 0 };
    char path[TEST_PATH], *text = NULL;
    size_t size;

    REN_TRY(make_state(context, 1, &state));
    fill_state(&state);
    state.state.epoch = 2;
    REN_TRY(ren__history_write(context, test_file(path, "history.csv"), &state.state));
    REN_TRY(ren__file_read(context, path, 4096, &text, &size));
    CHECK_TEXT(text, "epoch,lr,train_loss,train_auc,val_loss,val_auc,val_accuracy,best\n"
                     "1,0.5,0.333333333,0.25,0.2,0.166666667,0.142857143,0.125\n"
                     "2,1.5,1.33333333,nan,1.2,1.16666667,1.14285714,1.125\n");
out:
    ren__free(text);
    free_state(&state);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_everything_comes_back), CASE_SAMPLED(test_strangers_and_damage_are_refused),
          CASE(test_leftovers_go_and_nothing_else), CASE_SAMPLED(test_the_history_is_a_table))
