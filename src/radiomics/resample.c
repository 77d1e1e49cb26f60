/* SPDX-License-Identifier: Apache-2.0 */
/* Resampling of regions. */
#include "radiomics/resample.h"

void ren__coefficients_free(ren__coefficients *coefficients) {
    ren__free(coefficients);
}

ren_status ren__resample_mask(const ren_volume *mask, const ren__frame *frame, ren__run *run, ren_volume **out) {
    (void)mask;
    (void)frame;
    (void)run;
    *out = NULL;
    return ren__error(REN_E_UNSUPPORTED, "correctMask is not supported yet");
}

ren_status ren__resample_region(ren__case *subject, const ren__labelled *set, ren__run *run, ren__prepared *prepared) {
    (void)subject;
    (void)set;
    (void)run;
    (void)prepared;
    return ren__error(REN_E_UNSUPPORTED, "resampledPixelSpacing is not supported yet");
}
