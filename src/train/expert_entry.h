/* SPDX-License-Identifier: Apache-2.0 */
/* One network and how it is trained: an entry of a study's `experts`, or a trainer's configuration. */
#ifndef REN_TRAIN_EXPERT_ENTRY_H
#define REN_TRAIN_EXPERT_ENTRY_H

#include "train/trainer.h"

typedef struct ren__expert_entry {
    const char *name; /* belongs to whoever made the entry */
    const ren__net *net;
    ren__train_settings settings;
    json_t *network; /* its settings, input_size among them; owned */
} ren__expert_entry;

/* Everything but the name, from {arch, settings of the training, settings of the network}: the network is described
 * once with them, at the preset's size, so that nothing is left to be refused when the training begins. `preset` is
 * resolved; `where` ("experts[0]") begins the errors: REN_E_FORMAT, and REN_E_UNSUPPORTED for networks that this
 * version does not have. A failure leaves nothing to be freed. */
ren_status ren__expert_entry_read(ren_context *context, const json_t *entry, const ren_preset *preset,
                                  const char *where, ren__expert_entry *out) REN_CHECKED;
/* The same for the mixtures that are one network: gating_mamba, gating_vit, gating_swin_unetr and moe_swin_unetr, whose
 * region is both lungs, and general_moe, a head on experts' features, which sees no image (`preset` is not read).
 * `entry` has what an entry of `experts` may have, and nothing that belongs to the mixture: no gate, mode, experts. */
ren_status ren__mixture_network_read(ren_context *context, const json_t *entry, const ren_preset *preset,
                                     const char *where, ren__expert_entry *out) REN_CHECKED;
/* Not 0 for an architecture that ren__mixture_network_read takes. */
int ren__is_mixture_network(const char *arch);
void ren__expert_entry_end(ren__expert_entry *entry);
/* The entry in full, nothing left out. NULL: no memory. */
json_t *ren__expert_entry_json(const ren__expert_entry *entry);

#endif
