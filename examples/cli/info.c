/* SPDX-License-Identifier: Apache-2.0 */
/* ren info: what a file is. */
#include <string.h>

#include "cli.h"

/* Models are safetensors: eight bytes of length, then a JSON object. The name decides only what bytes leave open. */
static int looks_like_model(const char *path) {
    unsigned char head[9];
    const char *dot = strrchr(path, '.');

    if (dot && strcmp(dot, ".safetensors") == 0) return 1;
    FILE *file = fopen(path, "rbe");
    if (!file) return 0;
    const size_t read = fread(head, 1, sizeof head, file);
    fclose(file);
    return read == sizeof head && head[8] == '{' && head[5] == 0 && head[6] == 0 && head[7] == 0;
}

static int describe(const cli_call *call, ren_text **json) {
    const char *path = call->operand[0];
    ren_volume *volume = NULL;
    int rc = EXIT_DONE;

    if (looks_like_model(path)) {
        CLI_TRY(ren_model_describe(call->context, path, json));
    } else {
        CLI_STEP(cli_read_volume(call, path, &volume));
        CLI_TRY(ren_volume_describe(volume, json));
    }
out:
    ren_volume_free(volume);
    return rc;
}

int cli_info(cli_call *call) {
    ren_text *json = NULL;
    cli_output output = { NULL, NULL, 0 };
    int rc;

    CLI_STEP(cli_open(call));
    CLI_STEP(describe(call, &json));
    CLI_STEP(cli_begin(call, &output));
    if (call->json)
        fprintf(output.stream, "%s\n", ren_text_data(json));
    else
        cli_json_outline(output.stream, ren_text_data(json));
    CLI_STEP(cli_finish(call, &output));
out:
    cli_drop(&output);
    ren_text_free(json);
    return rc;
}
