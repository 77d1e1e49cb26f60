/* SPDX-License-Identifier: Apache-2.0 */
/* Training mixtures that are one network: it learns, on image and labels that move together, from a gate's weights,
 * with a slower backbone; and however it is interrupted it ends in the same bits. */
#include <math.h>

#include "format/document.h"
#include "graph/weights.h"
#include "moe_fixture.h"
#include "train/trainer_handle.h"
#include "train_cohort.h"

enum { SCANS = 24, TRAINING = 16, VALIDATION = 8 };

typedef struct problem {
    ren_dataset *dataset;
    ren__expert_entry entry;
    ren__train_task task;
    int32_t list[SCANS];
} problem;

static void free_problem(problem *p) {
    ren_dataset_free(p->dataset);
    ren__expert_entry_end(&p->entry);
}

static const char *fresh_folder(char path[TEST_PATH]) {
    static int made;
    char name[32];

    snprintf(name, sizeof name, "job%d", made++);
    test_file(path, name);
    mkdir(path, 0777);
    return path;
}

/* Lungs of noise; where the label is 1 some cells of the lower lobes are bright. Instance normalisation leaves nothing
 * of plain brightness, so it must be this. */
static ren_status add_scan(ren_context *context, int32_t index, ren_dataset *dataset) {
    ren_status st = REN_OK;
    ren_scan *scan = NULL;
    ren__rng rng;
    char name[16];

    REN_TRY(fixture_scan(context, FIXTURE_SIDE, 0, &scan));
    ren__rng_init(&rng, 77, (uint32_t)index, 0);
    for (int i = 0; i < FIXTURE_CELLS; i++) {
        const double noise = ren__rng_uniform(&rng), chance = ren__rng_uniform(&rng);
        const int is_lower = scan->lobe[i] == 2 || scan->lobe[i] == 5;
        scan->image[i] = index % 2 && is_lower && chance < 0.1 ? 1.0f : (float)(0.3 + 0.2 * noise);
    }
    snprintf(name, sizeof name, "p%d", (int)index);
    REN_TRY(ren_dataset_add_scan(dataset, name, "s", scan, index % 2));
out:
    ren_scan_free(scan);
    return st;
}

/* A small network on 16^3 cells; `more` begins with a comma, or is empty. */
static ren_status make_problem(ren_context *context, const char *more, const char *folder, problem *p) {
    const ren_preset preset = { .struct_size = sizeof preset, .size = { 16, 16, 16 } };
    ren_status st = REN_OK;
    char entry[512];
    json_t *tree = NULL;

    snprintf(entry, sizeof entry,
             "{\"name\": \"net\", \"arch\": \"gating_mamba\", \"lr\": 4e-3, \"dropout\": 0.1, \"d_model\": 16,"
             "\"d_state\": 4, \"expert_feature_dim\": 16, \"batch\": 4, \"early_stopping\": false%s}",
             more);
    REN_TRY(cohort_dataset(context, NULL, &preset, NULL, 0, 0, &p->dataset));
    for (int32_t i = 0; i < SCANS; i++) {
        REN_TRY(add_scan(context, i, p->dataset));
        p->list[i] = i;
    }
    REN_TRY(ren__json_parse(entry, strlen(entry), "entry", &tree));
    REN_TRY(ren__mixture_network_read(context, tree, ren__dataset_preset(p->dataset), "mixtures[0]", &p->entry));
    p->task = (ren__train_task){ .net = p->entry.net,
                                 .network = p->entry.network,
                                 .settings = &p->entry.settings,
                                 .dataset = p->dataset,
                                 .region = REN_REGION_LUNGS,
                                 .training = p->list,
                                 .validation = p->list + TRAINING,
                                 .training_count = TRAINING,
                                 .validation_count = VALIDATION,
                                 .seed = 5,
                                 .folder = folder,
                                 .checkpoint_seconds = -1.0 };
out:
    json_decref(tree);
    return st;
}

/* Within a call, as everything that computes is: its frame keeps the kernels' threads in order. */
static ren_status train(ren_context *context, const problem *p, const ren_run_options *options,
                        ren__train_outcome *out) {
    ren__run run;
    ren_status st = ren__run_begin(&run, context, options);

    if (st == REN_OK) st = ren__train(context, &p->task, &run, out);
    return ren__run_end(&run, st);
}

/* On changed images, as it is published. */
static ren_status test_it_learns(ren_context *context) {
    ren_status st = REN_OK;
    problem p = { 0 };
    ren__train_outcome outcome = { 0 };

    REN_TRY(make_problem(context, ", \"epochs\": 10", NULL, &p));
    CHECK(p.entry.settings.augmentation.rotation_probability == 0.3);
    REN_TRY(train(context, &p, NULL, &outcome));
    CHECK_INT(outcome.epochs, 10);
    CHECK_INT(outcome.training_samples, TRAINING);
    CHECK_INT(outcome.validation_empty, 0);
    CHECK(outcome.validation_auc > 0.95);
    CHECK(outcome.validation_loss < 0.6);
    CHECK(outcome.history[9][REN__HISTORY_TRAINING_LOSS] < 0.9 * outcome.history[0][REN__HISTORY_TRAINING_LOSS]);
out:
    ren__train_outcome_end(&outcome);
    free_problem(&p);
    return st;
}

/* Small enough to be run with many an allocation failing. */
static ren_status test_memory_may_run_out(ren_context *context) {
    ren_status st = REN_OK;
    problem p = { 0 };
    ren__train_outcome outcome = { 0 };
    char folder[TEST_PATH];

    REN_TRY(make_problem(context, ", \"epochs\": 1", fresh_folder(folder), &p));
    p.task.training_count = 4;
    p.task.validation_count = 2;
    REN_TRY(train(context, &p, NULL, &outcome));
    CHECK_INT(outcome.epochs, 1);
out:
    ren__train_outcome_end(&outcome);
    free_problem(&p);
    return st;
}

/* --------------------------------------------------------------------------------------------------- same bits */

static ren_status same_weights(const ren__weights *a, const ren__weights *b) {
    ren_status st = REN_OK;

    CHECK_INT(ren__weights_count(a), ren__weights_count(b));
    for (int32_t i = 0; i < ren__weights_count(a); i++)
        CHECK(memcmp(ren__weights_read(a, i), ren__weights_read(b, i), ren__weights_elements(a, i) * sizeof(float)) ==
              0);
out:
    return st;
}

/* Asks to stop once the training has gone on for so long. */
typedef struct stopper {
    double from;
    int asked;
} stopper;

static void watch(void *user, const char *stage, double fraction) {
    stopper *s = user;

    if (strcmp(stage, "training") == 0 && fraction >= s->from) s->asked = 1;
}

static int32_t cancel(void *user) {
    return ((stopper *)user)->asked;
}

static ren_status train_until(ren_context *context, const problem *p, double from, ren__train_outcome *out) {
    stopper s = { .from = from };
    ren_run_options options = REN_RUN_OPTIONS_INIT;

    options.progress = watch;
    options.cancel = cancel;
    options.user = &s;
    return train(context, p, &options, out);
}

/* Straight through; and in two calls, the first cancelled in the middle of an epoch. */
static ren_status test_interrupted_training_ends_in_the_same_bits(ren_context *context) {
    static const double base[REN_REGION_COUNT] = { 0.5, 1.0, 0.25, 0.125, 1.0, 0, 0 };
    ren_status st = REN_OK;
    problem p = { 0 };
    ren__train_outcome straight = { 0 }, resumed = { 0 };
    char one[TEST_PATH], two[TEST_PATH];

    REN_TRY(make_problem(context, ", \"epochs\": 3, \"weight_mode\": \"dynamic\"", fresh_folder(one), &p));
    p.task.base = base;
    REN_TRY(train(context, &p, NULL, &straight));
    p.task.folder = fresh_folder(two);
    CHECK_FAILS(train_until(context, &p, 0.5, &resumed), REN_E_CANCELLED, NULL);
    REN_TRY(train(context, &p, NULL, &resumed));
    CHECK_INT(resumed.epochs, 3);
    CHECK(resumed.validation_loss == straight.validation_loss);
    REN_TRY(same_weights(straight.weights, resumed.weights));
    p.task.base = NULL; /* another gate is another training */
    ren__train_outcome_end(&resumed);
    CHECK_FAILS(train(context, &p, NULL, &resumed), REN_E_STATE, "another training");
out:
    ren__train_outcome_end(&straight);
    ren__train_outcome_end(&resumed);
    free_problem(&p);
    return st;
}

static ren_status test_one_thread_gives_the_same_bits(ren_context *context) {
    ren_status st = REN_OK;
    problem p[2] = { { 0 }, { 0 } };
    ren_context *contexts[2] = { NULL, NULL };
    ren__train_outcome outcome[2] = { { 0 }, { 0 } };
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;

    (void)context;
    test_allocator(&options);
    for (int32_t k = 0; k < 2; k++) {
        options.threads = k + 1;
        REN_TRY(ren_context_create(&options, &contexts[k]));
        REN_TRY(make_problem(contexts[k], ", \"epochs\": 2", NULL, &p[k]));
        REN_TRY(train(contexts[k], &p[k], NULL, &outcome[k]));
    }
    REN_TRY(same_weights(outcome[0].weights, outcome[1].weights));
out:
    for (int k = 0; k < 2; k++) {
        ren__train_outcome_end(&outcome[k]);
        free_problem(&p[k]);
        ren_context_free(contexts[k]);
    }
    return st;
}

/* ---------------------------------------------------------------------------------------------- gate and backbone */

static const float *values_of(const ren__weights *weights, const char *name) {
    const int32_t index = ren__weights_find(weights, name);

    return index < 0 ? NULL : ren__weights_read(weights, index);
}

/* The base weights are those that were given, before and after; a backbone whose rate is 0 stays as it was drawn, and
 * everything else that is trained moves: a gradient reaches it. */
static ren_status test_gate_and_backbone(ren_context *context) {
    static const double base[REN_REGION_COUNT] = { 0.5, 2.0, 0.25, 0.125, 1.0, 9.0, 9.0 };
    ren_status st = REN_OK;
    problem p = { 0 };
    ren__graph *graph = NULL;
    ren__weights *drawn = NULL;
    ren__train_outcome outcome = { 0 };

    REN_TRY(make_problem(context, ", \"epochs\": 1, \"backbone_lr\": 0, \"weight_decay\": 0", NULL, &p));
    p.task.base = base;
    REN_TRY(train(context, &p, NULL, &outcome));
    REN_TRY(ren__net_graph(context, p.task.net, p.task.network, 1, NULL, &graph));
    REN_TRY(ren__weights_create(context, graph, &drawn));
    REN_TRY(ren__weights_initialise(drawn, p.task.seed));
    for (int region = 0; region < 5; region++)
        CHECK(values_of(outcome.weights, "gating_weights")[region] == (float)base[region]);
    for (int32_t i = 0; i < ren__weights_count(drawn); i++) {
        const char *name = ren__weights_name(drawn, i);
        int of_backbone = 0;
        for (const char *const *prefix = p.task.net->backbone; *prefix; prefix++)
            of_backbone |= strncmp(name, *prefix, strlen(*prefix)) == 0;
        const int same = memcmp(ren__weights_read(drawn, i), ren__weights_read(outcome.weights, i),
                                ren__weights_elements(drawn, i) * sizeof(float)) == 0;
        if (ren__weights_trained(drawn, i)) CHECK_INT(same, of_backbone);
    }
out:
    ren__weights_release(drawn);
    ren__graph_free(graph);
    ren__train_outcome_end(&outcome);
    free_problem(&p);
    return st;
}

/* ---------------------------------------------------------------------------------------------- what goes with it */

static ren_status test_refusals(ren_context *context) {
    static const double nothing[REN_REGION_COUNT] = { 0, 0, 0, 0, 0, 1.0, 1.0 };
    static const double negative[REN_REGION_COUNT] = { 1, 1, -1, 1, 1, 1, 1 };
    ren_status st = REN_OK;
    problem p = { 0 };
    ren__train_outcome none = { 0 };

    REN_TRY(make_problem(context, ", \"epochs\": 1", NULL, &p));
    p.task.region = REN_REGION_LLL;
    CHECK_FAILS(train(context, &p, NULL, &none), REN_E_INVALID, "lungs");
    p.task.region = REN_REGION_LUNGS;
    p.task.base = nothing;
    CHECK_FAILS(train(context, &p, NULL, &none), REN_E_DATA, "no weight to any region");
    p.task.base = negative;
    CHECK_FAILS(train(context, &p, NULL, &none), REN_E_DATA, "RUL");
    CHECK(!none.weights);
out:
    ren__train_outcome_end(&none);
    free_problem(&p);
    return st;
}

static ren_status read_entry(ren_context *context, const char *text, ren__expert_entry *out) {
    const ren_preset preset = { .struct_size = sizeof preset, .size = { 64, 64, 64 } };
    ren_preset resolved = { .struct_size = sizeof resolved };
    json_t *tree = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__preset_resolve(&preset, &resolved));
    REN_TRY(ren__json_parse(text, strlen(text), "entry", &tree));
    REN_TRY(ren__mixture_network_read(context, tree, &resolved, "mixtures[0]", out));
out:
    json_decref(tree);
    return st;
}

/* What is published (ren.md), for each. */
static ren_status test_settings_default_to_the_published(ren_context *context) {
    static const struct published {
        const char *arch;
        double decay, weight, gating;
        int entropy, balanced;
    } all[] = { { "gating_mamba", 1e-2, 0.005, 0.005, 0, 0 },
                { "gating_vit", 1e-2, 0.005, 0.005, 0, 0 },
                { "moe_swin_unetr", 1e-5, 0.01, 0.0, 1, 1 } };
    ren__expert_entry entry = { .name = NULL };
    ren_status st = REN_OK;
    json_t *full = NULL;
    char text[160];

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        snprintf(text, sizeof text, "{\"arch\": \"%s\"%s}", all[i].arch,
                 i == 1   ? ", \"patch_size\": [8, 8, 8], \"embed_dim\": 8, \"n_layers\": 1"
                 : i == 2 ? ", \"batch\": 2, \"feature_size\": 12"
                          : "");
        REN_TRY(read_entry(context, text, &entry));
        const ren__train_settings *s = &entry.settings;
        CHECK(s->mixture && s->backbone_rate == 0.1 && s->schedule.rate == 1e-4 && s->epochs == 50);
        CHECK(s->schedule.kind == REN__SCHEDULE_COSINE && s->early_stop.patience == 10 && s->smoothing == 0.0);
        CHECK(s->optimiser.weight_decay == all[i].decay && s->balanced == all[i].balanced);
        CHECK(s->mixture_loss.used && s->mixture_loss.entropy == all[i].entropy);
        CHECK(s->mixture_loss.weight == all[i].weight && s->mixture_loss.diversity == 0.01);
        CHECK(s->mixture_loss.gating == all[i].gating);
        CHECK_NEAR(json_number_value(json_object_get(entry.network, "dropout")), 0.3, 0.0);
        entry.name = "net";
        full = ren__expert_entry_json(&entry);
        CHECK_MEMORY(full);
        CHECK_TEXT(json_string_value(json_object_get(full, "arch")), all[i].arch);
        CHECK(json_number_value(json_object_get(full, "backbone_lr")) == 0.1);
        CHECK(json_is_object(json_object_get(full, "regulariser")));
        json_decref(full);
        full = NULL;
        ren__expert_entry_end(&entry);
    }
out:
    json_decref(full);
    ren__expert_entry_end(&entry);
    return st;
}

static ren_status test_settings_that_make_no_sense_are_named(ren_context *context) {
    static const char *const entries[][2] = {
        { "{\"arch\": \"gating_mamba\", \"backbone_lr\": 2}", "\"backbone_lr\"" },
        { "{\"arch\": \"gating_mamba\", \"regulariser\": 3}", "\"regulariser\"" },
        { "{\"arch\": \"gating_mamba\", \"regulariser\": {\"kind\": \"l2\"}}", "balance, entropy" },
        { "{\"arch\": \"gating_mamba\", \"regulariser\": {\"weights\": 1}}", "mixtures[0].regulariser" },
        { "{\"arch\": \"gating_mamba\", \"n_experts\": 6}", "n_experts" },
        { "{\"arch\": \"gating_vit\"}", "patches of 12" },
        { "{\"arch\": \"cnn\"}", "no mixture" },
        { "{\"arch\": \"general_moe\", \"backbone_lr\": 0.1}", "backbone_lr" },
    };
    ren__expert_entry entry = { .name = NULL };
    ren_status st = REN_OK;

    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        CHECK_FAILS(read_entry(context, entries[i][0], &entry), REN_E_FORMAT, entries[i][1]);
    REN_TRY(read_entry(context, "{\"arch\": \"gating_mamba\", \"regulariser\": false}", &entry));
    CHECK(!entry.settings.mixture_loss.used);
out:
    ren__expert_entry_end(&entry);
    return st;
}

/* By the public handle: from a configuration to an expert that predicts. */
static ren_status test_the_trainers_handle(ren_context *context) {
    static const char config[] = "{\"arch\": \"gating_mamba\", \"epochs\": 1, \"d_model\": 8, \"d_state\": 4,"
                                 "\"expert_feature_dim\": 8, \"batch\": 4}";
    ren_status st = REN_OK;
    problem p = { 0 };
    ren_trainer_options options;
    ren_trainer *trainer = NULL;
    ren_expert *expert = NULL;
    ren_scan *scan = NULL;
    float probability[2];

    REN_TRY(make_problem(context, "", NULL, &p));
    REN_TRY(ren_trainer_options_init(&options, sizeof options));
    options.config = config;
    options.dataset = p.dataset;
    options.training = p.list;
    options.training_count = 4;
    options.validation = p.list + TRAINING;
    options.validation_count = 4;
    CHECK_FAILS(ren_trainer_create(context, &options, &trainer), REN_E_INVALID, "REN_REGION_LUNGS");
    options.region = REN_REGION_LUNGS;
    REN_TRY(ren_trainer_create(context, &options, &trainer));
    REN_TRY(ren_trainer_run(trainer, NULL, &expert));
    REN_TRY(ren_dataset_scan(p.dataset, 1, NULL, &scan));
    REN_TRY(ren_expert_predict(expert, scan, NULL, probability, 2));
    CHECK_NEAR(probability[0] + probability[1], 1.0, 1e-6);
out:
    ren_scan_free(scan);
    ren_expert_free(expert);
    ren_trainer_free(trainer);
    free_problem(&p);
    return st;
}

TEST_MAIN(CASE_ONCE(test_it_learns), CASE_SAMPLED(test_memory_may_run_out),
          CASE_ONCE(test_interrupted_training_ends_in_the_same_bits), CASE_ONCE(test_one_thread_gives_the_same_bits),
          CASE_ONCE(test_gate_and_backbone), CASE_ONCE(test_refusals),
          CASE_ONCE(test_settings_default_to_the_published), CASE(test_settings_that_make_no_sense_are_named),
          CASE_ONCE(test_the_trainers_handle))
