/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host that trains: a table of scans, a split by patients, an expert for each lung, a gate from what validation says
 * of them, and one model file that predicts. Ctrl-C stops it; the same command goes on from the last checkpoint.
 * Introduces: ren_dataset_add_files, ren_dataset_split, ren_trainer_run, ren_gate_create, ren_mixture_save.
 *
 *     cc train.c $(pkg-config --cflags --libs ren) -o train
 *     ren phantom --patients 40 --scans 1 -o phantom         # a synthetic cohort, with phantom/labels.csv
 *     mkdir run
 *     ./train phantom run 30                                 # 30 epochs: run/model.safetensors
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <ren.h>

enum { LUNGS = 2, PATH = 4096, SIZE = 48 }; /* cells along each axis: small networks, trained in minutes */

static volatile sig_atomic_t stopped;

static void on_interrupt(int number) {
    (void)number;
    stopped = 1;
}

static int32_t cancel(void *user) {
    (void)user;
    return stopped;
}

static void show(void *user, const char *stage, double fraction) {
    printf("\r%s: %s %3d %%  ", (const char *)user, stage, (int)(100.0 * fraction));
    fflush(stdout);
}

/* labels.csv: patient, scan and label come first; the scans are COHORT/PATIENT/SCAN.nii.gz and SCAN_lobes.nii.gz. */
static ren_status read_table(const char *cohort, ren_dataset *dataset) {
    char path[PATH], lobes[PATH], line[512], patient[128], scan[128];
    int label;
    ren_status status = REN_OK;
    FILE *table;

    snprintf(path, sizeof path, "%s/labels.csv", cohort);
    table = fopen(path, "r");
    if (!table) {
        fprintf(stderr, "train: %s cannot be opened\n", path);
        return REN_E_IO;
    }
    while (status == REN_OK && fgets(line, sizeof line, table)) {
        if (sscanf(line, "%127[^,],%127[^,],%d", patient, scan, &label) != 3) continue; /* the line of names */
        snprintf(path, sizeof path, "%s/%s/%s.nii.gz", cohort, patient, scan);
        snprintf(lobes, sizeof lobes, "%s/%s/%s_lobes.nii.gz", cohort, patient, scan);
        status = ren_dataset_add_files(dataset, patient, scan, path, lobes, label);
    }
    fclose(table);
    return status;
}

static ren_status open_dataset(ren_context *context, const char *cohort, const char *folder, ren_dataset **dataset) {
    char cache[PATH];
    ren_preset preset;
    ren_dataset_options options;
    ren_status status = ren_preset_init(&preset, sizeof preset);

    if (status == REN_OK) status = ren_dataset_options_init(&options, sizeof options);
    if (status != REN_OK) return status;
    preset.size[0] = preset.size[1] = preset.size[2] = SIZE;
    snprintf(cache, sizeof cache, "%s/scans", folder); /* prepared once, for later runs too */
    options.preset = &preset;
    options.cache_folder = cache;
    status = ren_dataset_create(context, &options, dataset);
    return status == REN_OK ? read_table(cohort, *dataset) : status;
}

/* Trains a region's expert, and gives the loss that it had on the validation scans. */
static ren_status train_region(ren_context *context, ren_trainer_options *options, const char *folder, int32_t region,
                               ren_expert **expert, double *loss) {
    char place[PATH];
    ren_trainer *trainer = NULL;
    ren_run_options run = REN_RUN_OPTIONS_INIT;
    ren_status status;

    snprintf(place, sizeof place, "%s/%s", folder, ren_region_name(region));
    options->region = region;
    options->folder = place;
    run.progress = show;
    run.cancel = cancel;
    run.user = (void *)ren_region_name(region);
    status = ren_trainer_create(context, options, &trainer);
    if (status == REN_OK) status = ren_trainer_run(trainer, &run, expert);
    printf("\n");
    if (status == REN_OK) {
        *loss = ren_trainer_number(trainer, "validation_loss");
        printf("%s: epoch %.0f of %.0f is the best, validation AUC %.3f, loss %.3f\n", ren_region_name(region),
               ren_trainer_number(trainer, "best_epoch"), ren_trainer_number(trainer, "epochs"),
               ren_trainer_number(trainer, "validation_auc"), *loss);
    }
    ren_trainer_free(trainer);
    return status;
}

static ren_status save_model(ren_context *context, ren_expert *const *experts, const ren_gate_options *options,
                             const char *folder) {
    char path[PATH];
    ren_gate *gate = NULL;
    ren_mixture *mixture = NULL;
    ren_status status = ren_gate_create(context, options, &gate);

    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    if (status == REN_OK) status = ren_mixture_create(context, experts, LUNGS, gate, &mixture);
    if (status == REN_OK) status = ren_mixture_save(mixture, path);
    if (status == REN_OK) printf("%s is ready; for research use only\n", path);
    ren_mixture_free(mixture);
    ren_gate_free(gate);
    return status;
}

/* `list` has room for all scans twice. */
static ren_status train_all(ren_context *context, ren_dataset *dataset, const char *folder, int epochs, int32_t *list) {
    static const int32_t regions[LUNGS] = { REN_REGION_LEFT_LUNG, REN_REGION_RIGHT_LUNG };
    const size_t count = (size_t)ren_dataset_count(dataset);
    char config[64];
    ren_expert *experts[LUNGS] = { NULL, NULL };
    ren_trainer_options options;
    ren_gate_options gate;
    ren_status status = ren_trainer_options_init(&options, sizeof options);

    if (status == REN_OK) status = ren_gate_options_init(&gate, sizeof gate);
    if (status != REN_OK) return status;
    snprintf(config, sizeof config, "{\"epochs\": %d}", epochs);
    options.config = config;
    options.dataset = dataset;
    options.training = list;
    options.validation = list + count;
    status = ren_dataset_split(dataset, NULL, REN_SET_TRAINING, list, count, &options.training_count);
    if (status == REN_OK)
        status = ren_dataset_split(dataset, NULL, REN_SET_VALIDATION, list + count, count, &options.validation_count);
    gate.source = "inverse_loss";
    for (int i = 0; i < LUNGS && status == REN_OK; i++)
        status = train_region(context, &options, folder, regions[i], &experts[i], &gate.weights[regions[i]]);
    if (status == REN_OK) status = save_model(context, experts, &gate, folder);
    for (int i = 0; i < LUNGS; i++)
        ren_expert_free(experts[i]);
    return status;
}

int main(int count, char **arguments) {
    ren_context *context = NULL;
    ren_dataset *dataset = NULL;
    int32_t *list = NULL;
    ren_status status;

    if (count != 4) {
        fprintf(stderr, "usage: train COHORT FOLDER EPOCHS   (FOLDER is there already)\n");
        return 2;
    }
    signal(SIGINT, on_interrupt);
    status = ren_context_create(NULL, &context);
    if (status == REN_OK) status = open_dataset(context, arguments[1], arguments[2], &dataset);
    if (status == REN_OK) list = malloc(2 * sizeof *list * (size_t)(ren_dataset_count(dataset) + 1));
    if (status == REN_OK && !list) status = REN_E_MEMORY;
    if (status == REN_OK) status = train_all(context, dataset, arguments[2], atoi(arguments[3]), list);
    if (status != REN_OK) fprintf(stderr, "train: %s (%s)\n", ren_error_message(), ren_status_name(status));
    free(list);
    ren_dataset_free(dataset);
    ren_context_free(context);
    return status == REN_OK ? 0 : 1;
}
