/* SPDX-License-Identifier: Apache-2.0 */
/* What of the context is not known on its floor: oneDNN alone can tell which arithmetic its cap leaves. */
#include "base/context.h"

#include "kernels/kernels.h"

ren_status ren_context_create(const ren_context_options *options, ren_context **out) {
    ren_context *context = NULL;

    REN_REQUIRE(out);
    *out = NULL;
    ren_status st = ren__context_create(options, &context);
    if (st == REN_OK && context->precision == REN_PRECISION_BF16 && !ren__onednn_bfloat())
        st = ren__error(REN_E_UNSUPPORTED,
                        "ren_context_options: this processor, or ONEDNN_MAX_CPU_ISA, has no bfloat16 (AVX512-BF16 or "
                        "AMX): use REN_PRECISION_F32");
    if (st == REN_OK)
        *out = context;
    else
        ren__context_release(context);
    return st;
}
