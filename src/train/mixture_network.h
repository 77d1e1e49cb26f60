/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mixtures that are one network: the entries of `mixtures` with `arch:`.
 *
 * The configuration (ren__mixture_entry of train/config.h) has read them: `network` is the network with the settings of
 * its training, `input_size`, `n_experts` and `weight_mode` (of gating_* and moe_swin_unetr) or `feature_size` (of
 * general_moe) among the network's own.
 *
 * - gating_*, moe_swin_unetr: `gate` is the gate whose base weights (ren__study_gate_base of train/study.h) the network
 *   begins with, `expert` is -1. Trained on whole images with their lobe map.
 * - general_moe: `expert` is the entry whose trained experts of the fold are frozen and joined, `gate` is -1.
 */
#ifndef REN_TRAIN_MIXTURE_NETWORK_H
#define REN_TRAIN_MIXTURE_NETWORK_H

#include "train/study.h"

/* The job of such a mixture in a fold, from finished jobs to ren__job_finish: writes model.safetensors (a file that
 * ren_mixture_load takes: evaluation predicts with it, and the best fold's becomes models/NAME.safetensors), and goes
 * on from its checkpoint. The folder is there and locked. */
ren_status ren__mixture_network_run(ren_study *study, const ren__job *job, ren__run *run) REN_CHECKED;

#endif
