/* SPDX-License-Identifier: Apache-2.0 */
/* Codes, names, texts of errors. */
#include "harness.h"

static ren_status test_every_code_has_name_and_text(ren_context *context) {
    ren_status st = REN_OK;
    static const ren_status codes[] = { 0, -1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12, -13, -100 };

    (void)context;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        CHECK(strncmp(ren_status_name(codes[i]), "REN_", 4) == 0);
        CHECK(strlen(ren_status_text(codes[i])) > 5);
    }
    CHECK_TEXT(ren_status_name(REN_E_IO), "REN_E_IO");
    CHECK_TEXT(ren_status_text(REN_E_IO), "input/output error");
    CHECK_TEXT(ren_status_name(-55), "unknown status");
    CHECK_TEXT(ren_status_name(INT32_MIN), "unknown status");
out:
    return st;
}

static ren_status test_context_stands_before_the_text(ren_context *context) {
    ren_status st = REN_OK;

    (void)context;
    CHECK_INT(ren__error(REN_E_IO, "%s: %d bytes", "a.nii", 7), REN_E_IO);
    CHECK_INT(ren__error_context(REN_E_DATA, "patient %s", "p1"), REN_E_DATA);
    CHECK_TEXT(ren_error_message(), "patient p1: a.nii: 7 bytes");
    CHECK_INT(ren__error(REN_E_IO, "again: %s", ren_error_message()), REN_E_IO); /* its own text as an argument */
    CHECK_TEXT(ren_error_message(), "again: patient p1: a.nii: 7 bytes");
out:
    return st;
}

static ren_status test_long_texts_are_cut_between_characters(ren_context *context) {
    ren_status st = REN_OK;
    char text[6001];

    (void)context;
    for (int shift = 0; shift < 3; shift++) { /* a three-byte character begins at every place of the cut */
        memset(text, 'x', sizeof text);
        for (size_t i = (size_t)shift; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xE2\x82\xAC", 3);
        text[6000] = '\0';
        CHECK_INT(ren__error(REN_E_IO, "%s", text), REN_E_IO);
        const size_t length = strlen(ren_error_message());
        CHECK(length > 2000 && length < 2100);
        CHECK_INT((length - (size_t)shift) % 3, 0);
        CHECK(memcmp(ren_error_message(), text, length) == 0);
    }
out:
    return st;
}

static ren_status test_version_is_the_header_s(ren_context *context) {
    ren_status st = REN_OK;
    char wanted[32];

    (void)context;
    snprintf(wanted, sizeof wanted, "%d.%d.%d", REN_VERSION_MAJOR, REN_VERSION_MINOR, REN_VERSION_PATCH);
    CHECK_TEXT(ren_version(), wanted);
    CHECK_INT(ren_version_number(), REN_VERSION_NUMBER);
out:
    return st;
}

TEST_MAIN(CASE(test_every_code_has_name_and_text), CASE(test_context_stands_before_the_text),
          CASE(test_long_texts_are_cut_between_characters), CASE(test_version_is_the_header_s))
