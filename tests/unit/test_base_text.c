/* SPDX-License-Identifier: Apache-2.0 */
/* Growing text; numbers whatever the locale. */
#include "base/text.h"

#include <locale.h>
#include <stdlib.h>

#include "base/random.h"
#include "harness.h"

static ren_status test_text_grows(ren_context *context) {
    ren_status st = REN_OK;
    ren_text *text = NULL;

    REN_TRY(ren__text_create(context, &text));
    CHECK_TEXT(ren_text_data(text), "");
    CHECK_INT(ren_text_size(text), 0);
    for (int i = 0; i < 1000; i++)
        ren__text_addf(text, "%d,%s;", i % 10, "ab");
    ren__text_add_bytes(text, "x\0y", 3);
    ren__text_add_bytes(text, NULL, 0);
    REN_TRY(text->status);
    CHECK_INT(ren_text_size(text), 5003);
    CHECK(memcmp(ren_text_data(text) + 4995, "9,ab;x\0y", 9) == 0); /* and the terminator */
    CHECK_TEXT(ren_text_data(NULL), "");
    CHECK_INT(ren_text_size(NULL), 0);
out:
    ren_text_free(text);
    ren_text_free(NULL);
    return st;
}

static ren_status test_first_failure_sticks(ren_context *context) {
    ren_status st = REN_OK;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *made = NULL;
    ren_text *text = NULL;

    (void)context;
    test_allocator(&options);
    options.memory_limit = 2000;
    REN_TRY(ren_context_create(&options, &made));
    REN_TRY(ren__text_create(made, &text));
    ren__text_add(text, "kept");
    ren__text_addf(text, "%3000d", 1);
    CHECK_INT(text->status, REN_E_LIMIT);
    ren__text_add(text, "not added");
    ren__text_add_base64(text, "abc", 3);
    CHECK_TEXT(ren_text_data(text), "kept");
    CHECK_INT(text->status, REN_E_LIMIT);
out:
    ren_text_free(text);
    ren_context_free(made);
    return st;
}

static ren_status number_is(ren_context *context, double value, int digits, const char *wanted) {
    ren_status st = REN_OK;
    ren_text *text = NULL;

    REN_TRY(ren__text_create(context, &text));
    ren__text_add_number(text, value, digits);
    REN_TRY(text->status);
    CHECK_TEXT(ren_text_data(text), wanted);
out:
    ren_text_free(text);
    return st;
}

static ren_status test_numbers_as_text(ren_context *context) {
    ren_status st = REN_OK;

    REN_TRY(number_is(context, 0.1, 17, "0.10000000000000001"));
    REN_TRY(number_is(context, -1234.5, 6, "-1234.5"));
    REN_TRY(number_is(context, 1e300, 3, "1e+300"));
    REN_TRY(number_is(context, 0.0, 17, "0"));
    REN_TRY(number_is(context, (double)NAN, 5, "nan"));
    REN_TRY(number_is(context, -(double)NAN, 5, "nan"));
    REN_TRY(number_is(context, (double)INFINITY, 5, "inf"));
    REN_TRY(number_is(context, -(double)INFINITY, 5, "-inf"));
out:
    return st;
}

static ren_status test_seventeen_digits_round_trip(ren_context *context) {
    ren_status st = REN_OK;
    ren_text *text = NULL;
    ren__rng rng;

    ren__rng_init(&rng, 1, 0, 0);
    for (int i = 0; i < 300; i++) {
        const uint64_t bits = (uint64_t)ren__rng_u32(&rng) << 32 | ren__rng_u32(&rng);
        double value, back = 0.0;
        memcpy(&value, &bits, sizeof value);
        if (isnan(value)) continue;
        REN_TRY(ren__text_create(context, &text));
        ren__text_add_number(text, value, 17);
        REN_TRY(text->status);
        CHECK(ren__parse_number(ren_text_data(text), &back));
        CHECK(memcmp(&back, &value, sizeof value) == 0);
        ren_text_free(text);
        text = NULL;
    }
out:
    ren_text_free(text);
    return st;
}

static ren_status test_only_whole_numbers_are_parsed(ren_context *context) {
    ren_status st = REN_OK;
    static const char *const wrong[] = { "",       " 1",       "1 ",    "0x10", "1,5", "1.5.2", "e5",   "--1",
                                         "nan(1)", "infinity", "1e999", "1e",   "+",   ".",     "five", "1e5x" };
    double value = 7.0;

    (void)context;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (ren__parse_number(wrong[i], &value)) CHECK_TEXT(wrong[i], "refused");
        CHECK_NEAR(value, 7.0, 0.0);
    }
    CHECK(ren__parse_number("-1.25e2", &value) && value == -125.0);
    CHECK(ren__parse_number("+.5", &value) && value == 0.5);
    CHECK(ren__parse_number("nan", &value) && isnan(value));
    CHECK(ren__parse_number("-inf", &value) && isinf(value) && value < 0);
    CHECK(ren__parse_number("1e-320", &value) && value > 0.0);
out:
    return st;
}

static ren_status test_locale_changes_nothing(ren_context *context) {
    ren_status st = REN_OK;
    static const char *const with_comma[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE" };
    const char *set = NULL;
    char shown[16];
    double value = 0.0;

    for (size_t i = 0; i < 4 && !set; i++)
        set = setlocale(LC_ALL, with_comma[i]);
    if (!set) SKIP("no locale with a decimal comma is installed");
    snprintf(shown, sizeof shown, "%.1f", 1.5);
    CHECK_TEXT(shown, "1,5"); /* the locale is in force */
    REN_TRY(number_is(context, 1.5, 17, "1.5"));
    CHECK(ren__parse_number("1.5", &value) && value == 1.5);
    CHECK(!ren__parse_number("1,5", &value));
    CHECK_INT(ren__error(REN_E_DATA, "%.1f mm", 2.5), REN_E_DATA);
    CHECK_TEXT(ren_error_message(), "2.5 mm");
    snprintf(shown, sizeof shown, "%.1f", 1.5);
    CHECK_TEXT(shown, "1,5"); /* and still is */
out:
    (void)setlocale(LC_ALL, "C");
    return st;
}

static ren_status test_html_and_base64(ren_context *context) {
    ren_status st = REN_OK;
    ren_text *text = NULL;

    REN_TRY(ren__text_create(context, &text));
    ren__text_add_html(text, "a<b> & \"c\" 'd'");
    ren__text_add_html(text, "");
    REN_TRY(text->status);
    CHECK_TEXT(ren_text_data(text), "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
    ren_text_free(text);
    text = NULL;
    REN_TRY(ren__text_create(context, &text));
    ren__text_add_base64(text, "", 0); /* the examples of RFC 4648, section 10 */
    ren__text_add_base64(text, "f", 1);
    ren__text_add_base64(text, "fo", 2);
    ren__text_add_base64(text, "foo", 3);
    ren__text_add_base64(text, "foobar", 6);
    ren__text_add_base64(text, "\xFF\xFE\x00", 3);
    REN_TRY(text->status);
    CHECK_TEXT(ren_text_data(text), "Zg==Zm8=Zm9vZm9vYmFy//4A");
out:
    ren_text_free(text);
    return st;
}

TEST_MAIN(CASE(test_text_grows), CASE(test_first_failure_sticks), CASE(test_numbers_as_text),
          CASE_SAMPLED(test_seventeen_digits_round_trip), CASE(test_only_whole_numbers_are_parsed),
          CASE(test_locale_changes_nothing), CASE(test_html_and_base64))
