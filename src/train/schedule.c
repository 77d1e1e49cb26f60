/* SPDX-License-Identifier: Apache-2.0 */
/* Learning-rate schedules. */
#include "train/schedule.h"

#include <math.h>

ren_status ren__schedule_init(ren__schedule *schedule, const ren__schedule_options *options) {
    if (!(options->rate > 0.0 && options->rate < 1e6))
        return ren__error(REN_E_INVALID, "schedule: the learning rate must be above 0");
    if (!(options->minimum >= 0.0 && options->minimum <= options->rate))
        return ren__error(REN_E_INVALID, "schedule: the lowest rate must be from 0 to the first rate");
    if (options->kind == REN__SCHEDULE_PLATEAU && !(options->factor > 0.0 && options->factor < 1.0))
        return ren__error(REN_E_INVALID, "schedule: the plateau's factor must be above 0 and below 1");
    if (options->kind == REN__SCHEDULE_PLATEAU && !(options->threshold >= 0.0 && options->threshold < 1.0))
        return ren__error(REN_E_INVALID, "schedule: the plateau's threshold must be at least 0 and below 1");
    if (options->kind == REN__SCHEDULE_PLATEAU && options->patience < 0)
        return ren__error(REN_E_INVALID, "schedule: the plateau's patience must be 0 or more");
    if ((options->kind == REN__SCHEDULE_COSINE || options->kind == REN__SCHEDULE_POLYNOMIAL) && options->length < 1)
        return ren__error(REN_E_INVALID, "schedule: the length must be 1 epoch or more");
    if (options->kind == REN__SCHEDULE_POLYNOMIAL && !(options->power > 0.0 && options->power < 1e3))
        return ren__error(REN_E_INVALID, "schedule: the power must be above 0");
    *schedule = (ren__schedule){ .options = *options, .rate = options->rate, .best = -INFINITY };
    return REN_OK;
}

/* torch.optim.lr_scheduler.ReduceLROnPlateau, mode max, relative threshold, cooldown 0. */
static void step_plateau(ren__schedule *schedule, double metric) {
    const ren__schedule_options *options = &schedule->options;

    if (metric > schedule->best * (1.0 + options->threshold)) {
        schedule->best = metric;
        schedule->bad = 0;
    } else {
        schedule->bad++;
    }
    if (schedule->bad <= options->patience) return;
    schedule->bad = 0;
    const double rate = fmax(schedule->rate * options->factor, options->minimum);
    if (schedule->rate - rate > 1e-8) schedule->rate = rate; /* PyTorch's eps: smaller changes are left out */
}

void ren__schedule_step(ren__schedule *schedule, double metric) {
    const ren__schedule_options *options = &schedule->options;
    const double done = (double)++schedule->epoch / (double)(options->length > 0 ? options->length : 1);

    switch (options->kind) {
    case REN__SCHEDULE_PLATEAU:
        step_plateau(schedule, metric);
        break;
    case REN__SCHEDULE_COSINE:
        schedule->rate =
            options->minimum + (options->rate - options->minimum) * (1.0 + cos(3.14159265358979323846 * done)) / 2.0;
        break;
    case REN__SCHEDULE_POLYNOMIAL:
        schedule->rate = done < 1.0 ? options->rate * pow(1.0 - done, options->power) : 0.0;
        break;
    case REN__SCHEDULE_CONSTANT:
        break;
    }
}
