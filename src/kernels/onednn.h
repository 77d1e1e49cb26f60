/* SPDX-License-Identifier: Apache-2.0 */
/* What the oneDNN adapter's files share. No other file includes oneDNN's headers. */
#ifndef REN_KERNELS_ONEDNN_H
#define REN_KERNELS_ONEDNN_H

#include <dnnl.h>
#include <dnnl_debug.h>

#include "base/context.h"

/* The process's CPU engine, made at first use and kept: primitives of all contexts live on it. */
ren_status ren__onednn_engine(dnnl_engine_t *engine);
/* REN_OK for dnnl_success, else an error that names the call. */
ren_status ren__onednn_check(dnnl_status_t status, const char *call);
/* oneDNN ends the process when an allocation inside it fails. Before such a call: can the C library still give this
 * much? */
ren_status ren__onednn_headroom(size_t bytes);

#define REN_DNNL(call) REN_TRY(ren__onednn_check((call), #call))

#endif
