/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of a training, between JSON and structure. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "format/document.h"
#include "train/study_files.h"
#include "train/trainer.h"

enum { WHERE = 96 };

static const char *const training_keys[] = { "epochs",       "batch",          "optimiser", "lr",       "momentum",
                                             "weight_decay", "clip",           "smoothing", "schedule", "class_weights",
                                             "augmentation", "early_stopping", NULL };
/* Those of mixtures that are one network; for others they are unknown keys. */
static const char *const mixture_keys[] = { "backbone_lr", "regulariser", NULL };
static const char *const regulariser_names[] = { "balance", "entropy", NULL }; /* as ren__mixture_loss.entropy */
static const char *const schedule_names[] = { "constant", "plateau", "cosine", "polynomial", NULL }; /* as the enum */
static const char *const optimiser_names[] = { "adamw", "sgd", NULL };                               /* as the enum */
static const char *const weighting_names[] = { "none", "balanced", NULL };

static int is_one_of(const char *key, const char *const *list) {
    for (; *list; list++)
        if (strcmp(key, *list) == 0) return 1;
    return 0;
}

/* ------------------------------------------------------------------------------------------------------ overlay */

/* "cosine" becomes {kind: cosine}; another kind than the base's replaces it. */
static ren_status overlay_schedule(json_t *merged, json_t *value) {
    const char *kind = json_string_value(json_is_object(value) ? json_object_get(value, "kind") : value);
    json_t *base = json_object_get(merged, "schedule");
    const char *base_kind = json_string_value(json_object_get(base, "kind"));

    if (json_is_string(value)) {
        if (base_kind && strcmp(kind, base_kind) == 0) return REN_OK;
        return ren__json_set(merged, "schedule", json_pack("{s:O}", "kind", value));
    }
    if (json_is_object(value) && json_is_object(base) && (!kind || !base_kind || strcmp(kind, base_kind) == 0))
        return json_object_update(base, value) == 0 ? REN_OK : ren__json_checked(NULL);
    return ren__json_set(merged, "schedule", json_incref(value));
}

/* The network's training settings with the entry's on top; a new object. */
static ren_status overlay(const json_t *entry, const ren__net *net, json_t **out) {
    ren_status st = REN_OK;
    json_t *merged = NULL, *value;
    const char *key;
    const char *base = net->training ? net->training : "{}";

    REN_TRY(ren__json_parse(base, strlen(base), net->name, &merged));
    json_object_foreach((json_t *)(uintptr_t)entry, key, value) {
        json_t *below = json_object_get(merged, key);
        if (strcmp(key, "name") == 0 || strcmp(key, "arch") == 0) continue;
        if (strcmp(key, "schedule") == 0)
            REN_TRY(overlay_schedule(merged, value));
        else if (json_is_object(below) && json_is_object(value))
            REN_TRY(json_object_update(below, value) == 0 ? REN_OK : ren__json_checked(NULL));
        else
            REN_TRY(ren__json_set(merged, key, json_incref(value)));
    }
    *out = merged;
    merged = NULL;
out:
    json_decref(merged);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ reading */

/* A number within [low, high], or within (low, high] where `open`. */
static ren_status number(const json_t *object, const char *key, const char *where, int open, double low, double high,
                         double *value) {
    double got = *value;
    const ren_status st = ren__get_number(object, key, where, &got);

    if (st != REN_OK) return st;
    if (!(got <= high && (open ? got > low : got >= low)))
        return ren__error(REN_E_FORMAT, "%s: \"%s\" must be %s %g and at most %g", where, key,
                          open ? "above" : "at least", low, high);
    *value = got;
    return REN_OK;
}

/* One of `names`; *index stays where the key is missing. */
static ren_status choice(const json_t *object, const char *key, const char *where, const char *const *names,
                         int *index) {
    const char *name = NULL;
    const ren_status st = ren__get_string(object, key, where, &name);

    if (st != REN_OK || !name) return st;
    for (int i = 0; names[i]; i++)
        if (strcmp(name, names[i]) == 0) {
            *index = i;
            return REN_OK;
        }
    char list[WHERE] = "";
    for (int i = 0; names[i]; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", names[i]);
    return ren__error(REN_E_FORMAT, "%s: \"%s\" must be one of: %s", where, key, list);
}

static ren_status read_optimiser(const json_t *object, const char *where, ren__train_settings *s) {
    int kind = REN__ADAMW;
    ren_status st = choice(object, "optimiser", where, optimiser_names, &kind);

    if (st == REN_OK) st = number(object, "weight_decay", where, 0, 0.0, 1e3, &s->optimiser.weight_decay);
    if (st == REN_OK) st = number(object, "clip", where, 0, 0.0, 1e9, &s->optimiser.clip);
    if (st == REN_OK) st = number(object, "momentum", where, 0, 0.0, 0.9999, &s->optimiser.momentum);
    if (st != REN_OK) return st;
    s->optimiser.kind = (ren__optimiser_kind)kind;
    if (kind == REN__ADAMW && json_object_get(object, "momentum"))
        return ren__error(REN_E_FORMAT, "%s: \"momentum\" is a setting of the optimiser sgd, not of adamw", where);
    return REN_OK;
}

static ren_status read_schedule(const json_t *object, const char *where, ren__train_settings *s) {
    static const char *const keys[4][6] = { { "kind" },
                                            { "kind", "factor", "patience", "threshold", "min_lr" },
                                            { "kind", "t_max", "min_lr" },
                                            { "kind", "total", "power" } };
    ren__schedule_options *o = &s->schedule;
    const json_t *value = json_object_get(object, "schedule");
    char inner[WHERE];
    int kind = REN__SCHEDULE_CONSTANT;
    ren_status st = number(object, "lr", where, 1, 0.0, 1e3, &o->rate);

    o->length = s->epochs;
    if (st != REN_OK || !value) return st;
    if (!json_is_object(value))
        return ren__error(REN_E_FORMAT,
                          "%s: \"schedule\" must be a map or one of: constant, plateau, cosine, polynomial", where);
    snprintf(inner, sizeof inner, "%s.schedule", where);
    if (!json_object_get(value, "kind")) return ren__error(REN_E_FORMAT, "%s: \"kind\" is missing", inner);
    REN_TRY(choice(value, "kind", inner, schedule_names, &kind));
    REN_TRY(ren__check_keys(value, inner, keys[kind]));
    REN_TRY(number(value, "factor", inner, 1, 0.0, 0.9999, &o->factor));
    REN_TRY(number(value, "threshold", inner, 0, 0.0, 0.9999, &o->threshold));
    REN_TRY(ren__get_integer(value, "patience", inner, 0, 1000000, &o->patience));
    REN_TRY(number(value, "min_lr", inner, 0, 0.0, o->rate, &o->minimum));
    REN_TRY(ren__get_integer(value, "t_max", inner, 1, 1000000, &o->length));
    REN_TRY(ren__get_integer(value, "total", inner, 1, 1000000, &o->length));
    REN_TRY(number(value, "power", inner, 1, 0.0, 100.0, &o->power));
    o->kind = (ren__schedule_kind)kind;
out:
    return st;
}

/* A map or `false`: NULL for false and for a missing key. */
static ren_status section(const json_t *object, const char *key, const char *where, const json_t **out) {
    *out = json_object_get(object, key);
    if (json_is_false(*out)) *out = NULL;
    if (!*out || json_is_object(*out)) return REN_OK;
    return ren__error(REN_E_FORMAT, "%s: \"%s\" must be a map, or false for none", where, key);
}

static ren_status read_early_stop(const json_t *object, const char *where, ren__train_settings *s) {
    static const char *const keys[] = { "patience", "min_delta", "from_epoch", "max_gap", NULL };
    ren__early_stop_options *o = &s->early_stop;
    const json_t *value;
    char inner[WHERE];
    ren_status st = section(object, "early_stopping", where, &value);

    s->stops_early = value != NULL;
    if (st != REN_OK || !value) return st;
    snprintf(inner, sizeof inner, "%s.early_stopping", where);
    REN_TRY(ren__check_keys(value, inner, keys));
    REN_TRY(ren__get_integer(value, "patience", inner, 0, 1000000, &o->patience));
    REN_TRY(ren__get_integer(value, "from_epoch", inner, 0, 1000000, &o->start));
    REN_TRY(number(value, "min_delta", inner, 0, 0.0, 0.5, &o->delta));
    REN_TRY(number(value, "max_gap", inner, 0, 0.0, 1.0, &o->gap));
out:
    return st;
}

static ren_status read_probabilities(const json_t *object, const char *where, ren__augment_options *o) {
    const json_t *list = json_object_get(object, "probabilities");
    double *const value[3] = { &o->rotation_probability, &o->noise_probability, &o->affine_probability };
    int right = json_is_array(list) && json_array_size(list) == 3;

    for (size_t i = 0; right && i < 3; i++) {
        const json_t *item = json_array_get(list, i);
        *value[i] = json_number_value(item);
        right = json_is_number(item) && *value[i] >= 0.0 && *value[i] <= 1.0;
    }
    if (right) return REN_OK;
    return ren__error(
        REN_E_FORMAT,
        "%s: \"probabilities\" must be three numbers from 0 to 1: of rotation, of noise, of shift and scale", where);
}

static ren_status read_augmentation(const json_t *object, const char *where, ren__train_settings *s) {
    static const char *const keys[] = { "rotation", "noise", "shift", "scale", "probabilities", NULL };
    ren__augment_options *o = &s->augmentation;
    const json_t *value;
    char inner[WHERE];
    ren_status st = section(object, "augmentation", where, &value);

    if (st != REN_OK || !value) return st;
    snprintf(inner, sizeof inner, "%s.augmentation", where);
    REN_TRY(ren__check_keys(value, inner, keys));
    REN_TRY(number(value, "rotation", inner, 0, 0.0, 3.2, &o->rotation));
    REN_TRY(number(value, "noise", inner, 0, 0.0, 10.0, &o->noise));
    REN_TRY(number(value, "shift", inner, 0, 0.0, 1024.0, &o->shift));
    REN_TRY(number(value, "scale", inner, 0, 0.0, 0.9, &o->scale));
    REN_TRY(read_probabilities(value, inner, o));
out:
    return st;
}

static ren_status read_mixture(const json_t *object, const char *where, ren__train_settings *s) {
    static const char *const keys[] = { "kind", "weight", "diversity", "gating", NULL };
    ren__mixture_loss *o = &s->mixture_loss;
    const json_t *value = NULL;
    char inner[WHERE];
    ren_status st = number(object, "backbone_lr", where, 0, 0.0, 1.0, &s->backbone_rate);

    if (st == REN_OK) st = section(object, "regulariser", where, &value);
    if (st != REN_OK || !value) return st;
    o->used = 1;
    snprintf(inner, sizeof inner, "%s.regulariser", where);
    REN_TRY(ren__check_keys(value, inner, keys));
    REN_TRY(choice(value, "kind", inner, regulariser_names, &o->entropy));
    REN_TRY(number(value, "weight", inner, 0, 0.0, 1e3, &o->weight));
    REN_TRY(number(value, "diversity", inner, 0, 0.0, 1e3, &o->diversity));
    REN_TRY(number(value, "gating", inner, 0, 0.0, 1e3, &o->gating));
out:
    return st;
}

static ren_status read_all(const json_t *object, const char *where, ren__train_settings *s) {
    ren_status st = REN_OK;

    REN_TRY(ren__get_integer(object, "epochs", where, 1, 1000000, &s->epochs));
    REN_TRY(ren__get_integer(object, "batch", where, 1, 4096, &s->batch));
    REN_TRY(number(object, "smoothing", where, 0, 0.0, 0.9999, &s->smoothing));
    REN_TRY(choice(object, "class_weights", where, weighting_names, &s->balanced));
    REN_TRY(read_optimiser(object, where, s));
    REN_TRY(read_schedule(object, where, s));
    REN_TRY(read_early_stop(object, where, s));
    REN_TRY(read_augmentation(object, where, s));
    if (s->mixture) REN_TRY(read_mixture(object, where, s));
out:
    return st;
}

ren_status ren__train_settings_read(const json_t *entry, const ren__net *net, const char *where,
                                    ren__train_settings *settings, json_t **network) {
    ren_status st = REN_OK;
    json_t *merged = NULL, *rest = NULL, *value;
    const char *key;
    ren__train_settings s = { .epochs = 100,
                              .batch = 4,
                              .balanced = 1,
                              .mixture = net->backbone != NULL,
                              .backbone_rate = 1.0,
                              .optimiser = REN__OPTIMISER_OPTIONS_INIT,
                              .schedule = REN__SCHEDULE_OPTIONS_INIT,
                              .early_stop = REN__EARLY_STOP_OPTIONS_INIT };

    if (entry && !json_is_object(entry)) REN_FAIL(REN_E_FORMAT, "%s: must be a map", where);
    REN_TRY(overlay(entry, net, &merged));
    REN_TRY(read_all(merged, where, &s));
    rest = json_object();
    REN_TRY(ren__json_checked(rest));
    json_object_foreach(merged, key, value) {
        if (is_one_of(key, training_keys) || (s.mixture && is_one_of(key, mixture_keys))) continue;
        REN_TRY(ren__json_set(rest, key, json_deep_copy(value)));
    }
    *settings = s;
    *network = rest;
    rest = NULL;
out:
    json_decref(rest);
    json_decref(merged);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ writing */

static json_t *schedule_json(const ren__schedule_options *o) {
    const char *kind = schedule_names[o->kind];

    switch (o->kind) {
    case REN__SCHEDULE_PLATEAU:
        return json_pack("{s:s, s:f, s:I, s:f, s:f}", "kind", kind, "factor", o->factor, "patience",
                         (json_int_t)o->patience, "threshold", o->threshold, "min_lr", o->minimum);
    case REN__SCHEDULE_COSINE:
        return json_pack("{s:s, s:I, s:f}", "kind", kind, "t_max", (json_int_t)o->length, "min_lr", o->minimum);
    case REN__SCHEDULE_POLYNOMIAL:
        return json_pack("{s:s, s:I, s:f}", "kind", kind, "total", (json_int_t)o->length, "power", o->power);
    case REN__SCHEDULE_CONSTANT:
        break;
    }
    return json_pack("{s:s}", "kind", kind);
}

static json_t *early_stop_json(const ren__train_settings *s) {
    const ren__early_stop_options *o = &s->early_stop;

    if (!s->stops_early) return json_false();
    return json_pack("{s:I, s:f, s:I, s:f}", "patience", (json_int_t)o->patience, "min_delta", o->delta, "from_epoch",
                     (json_int_t)o->start, "max_gap", o->gap);
}

static json_t *augmentation_json(const ren__augment_options *o) {
    if (o->rotation_probability <= 0.0 && o->noise_probability <= 0.0 && o->affine_probability <= 0.0)
        return json_false();
    return json_pack("{s:f, s:f, s:f, s:f, s:[f,f,f]}", "rotation", o->rotation, "noise", o->noise, "shift", o->shift,
                     "scale", o->scale, "probabilities", o->rotation_probability, o->noise_probability,
                     o->affine_probability);
}

static json_t *regulariser_json(const ren__mixture_loss *o) {
    if (!o->used) return json_false();
    return json_pack("{s:s, s:f, s:f, s:f}", "kind", regulariser_names[o->entropy], "weight", o->weight, "diversity",
                     o->diversity, "gating", o->gating);
}

json_t *ren__train_settings_json(const ren__train_settings *settings) {
    const ren__train_settings *s = settings;
    ren_status st = REN_OK;
    json_t *object = json_object();

    REN_TRY(ren__json_checked(object));
    REN_TRY(ren__json_set(object, "epochs", json_integer((json_int_t)s->epochs)));
    REN_TRY(ren__json_set(object, "batch", json_integer((json_int_t)s->batch)));
    REN_TRY(ren__json_set(object, "optimiser", json_string(optimiser_names[s->optimiser.kind])));
    REN_TRY(ren__json_set(object, "lr", json_real(s->schedule.rate)));
    REN_TRY(ren__json_set(object, "weight_decay", json_real(s->optimiser.weight_decay)));
    if (s->optimiser.kind == REN__SGD) REN_TRY(ren__json_set(object, "momentum", json_real(s->optimiser.momentum)));
    REN_TRY(ren__json_set(object, "clip", json_real(s->optimiser.clip)));
    REN_TRY(ren__json_set(object, "smoothing", json_real(s->smoothing)));
    REN_TRY(ren__json_set(object, "class_weights", json_string(weighting_names[s->balanced != 0])));
    REN_TRY(ren__json_set(object, "schedule", schedule_json(&s->schedule)));
    REN_TRY(ren__json_set(object, "early_stopping", early_stop_json(s)));
    REN_TRY(ren__json_set(object, "augmentation", augmentation_json(&s->augmentation)));
    if (!s->mixture) return object;
    REN_TRY(ren__json_set(object, "backbone_lr", json_real(s->backbone_rate)));
    REN_TRY(ren__json_set(object, "regulariser", regulariser_json(&s->mixture_loss)));
    return object;
out:
    json_decref(object);
    return NULL;
}
