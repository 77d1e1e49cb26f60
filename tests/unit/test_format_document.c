/* SPDX-License-Identifier: Apache-2.0 */
/* JSON and YAML: values, refusals with their places, writing that reads back equal, access, other locales. */
#include <locale.h>
#include <stdlib.h>

#include "format/document.h"
#include "harness.h"

static ren_status parse(const char *text, int yaml, json_t **out) {
    return yaml ? ren__yaml_parse(text, strlen(text), "t", out) : ren__json_parse(text, strlen(text), "t", out);
}

static ren_status test_yaml_values(ren_context *context) {
    ren_status st = REN_OK;
    static const char yaml[] = "a: 7\nb: [1.0e-4, 1e-4, .5, -3, 5.]\nc: {x: true, y: ~, z: no}\n"
                               "d: 'true'\ne: \"1\"\nf: plain words here # comment\ng:\n  - - 1\n    - 2\n  - k: v\n"
                               "h: |\n  two\n  lines\ni:\nj: +5\nk: 1.2.3\nl: 0x10\nm: 0\nn: -0.5e+2\n";
    static const char json[] = "{\"a\":7,\"b\":[0.0001,0.0001,0.5,-3,5.0],\"c\":{\"x\":true,\"y\":null,\"z\":\"no\"},"
                               "\"d\":\"true\",\"e\":\"1\",\"f\":\"plain words here\",\"g\":[[1,2],{\"k\":\"v\"}],"
                               "\"h\":\"two\\nlines\\n\",\"i\":null,\"j\":5,\"k\":\"1.2.3\",\"l\":\"0x10\",\"m\":0,"
                               "\"n\":-50.0}";
    json_t *got = NULL, *wanted = NULL;

    (void)context;
    REN_TRY(parse(yaml, 1, &got));
    REN_TRY(parse(json, 0, &wanted));
    CHECK(json_equal(got, wanted));
out:
    json_decref(got);
    json_decref(wanted);
    return st;
}

static ren_status test_refusals(ren_context *context) {
    ren_status st = REN_OK;
    static const struct {
        int yaml;
        const char *text, *message;
    } cases[] = {
        { 1, "", "the file is empty" },
        { 1, "# only a comment\n", "the file is empty" },
        { 1, "a: 1\nb: 2\na: 3\n", "t, line 3, column 1: the key is here twice: \"a\"" },
        { 1, "a: &x 1\n", "t, line 1, column 4: anchors" },
        { 1, "a: &x [1]\n", "anchors" },
        { 1, "a: &x {b: 1}\n", "anchors" },
        { 1, "a: *x\n", "aliases" },
        { 1, "*x : 1\n", "aliases" },
        { 1, "a: !!str 1\n", "tags" },
        { 1, "a: !t [1]\n", "tags" },
        { 1, "%TAG ! tag:x,2000:\n---\na: 1\n", "tags" },
        { 1, "a: 1\n---\nb: 2\n", "t, line 2, column 1: a second document" },
        { 1, "<<: {a: 1}\n", "merge" },
        { 1, "[1, 2]: x\n", "key must be a word" },
        { 1, "a: 007\n", "leading zeros" },
        { 1, "a: .inf\n", "finite" },
        { 1, "a: 1e999\n", "out of range" },
        { 1, "a: 99999999999999999999\n", "too many digits" },
        { 1, "a: [1, 2\n", "t, line" },
        { 1, "a: \"x\\0y\"\n", "zero byte" },
        { 1, "a: \xFF\n", "t, byte" },
        { 1, "\ta: 1\n", "t, line 1" },
        { 0, "", "t, line 1" },
        { 0, "{\"a\": 1, \"a\": 2}", "duplicate" },
        { 0, "{\"a\": 1,\n \"b\": }", "t, line 2, column" },
        { 0, "[1] 2", "t, line 1" },
        { 0, "NaN", "t, line 1" },
        { 0, "[1e999]", "overflow" },
        { 0, "[99999999999999999999]", "too big" },
        { 0, "\"\xFF\"", "unable to decode byte 0xff" },
        { 0, "\"\\u0000\"", "NUL" },
        { 0, "{\"a\": 1", "t, line 1" },
        { 0, "'a'", "t, line 1" },
    };
    json_t *tree = NULL;

    (void)context;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tree = (json_t *)cases; /* must become NULL */
        CHECK_FAILS(parse(cases[i].text, cases[i].yaml, &tree), REN_E_FORMAT, cases[i].message);
        CHECK(!tree);
    }
out:
    return st;
}

static ren_status test_depth_and_number_are_bounded(ren_context *context) {
    ren_status st = REN_OK;
    enum { MANY = REN__DOCUMENT_VALUES + 2 };
    json_t *tree = NULL;
    char deep[400], *many = ren__alloc(context, 2 * (size_t)MANY);

    CHECK_MEMORY(many);
    for (int yaml = 0; yaml < 2; yaml++) {
        for (int depth = 64; depth <= 150; depth += depth == 64 ? 1 : 85) {
            memset(deep, '[', (size_t)depth);
            memset(deep + depth, ']', (size_t)depth);
            deep[2 * depth] = '\0';
            if (depth > 64)
                CHECK_FAILS(parse(deep, yaml, &tree), REN_E_FORMAT, "deeper than 64");
            else
                REN_TRY(parse(deep, yaml, &tree));
            json_decref(tree);
            tree = NULL;
        }
        for (size_t i = 0; i < MANY; i++)
            memcpy(many + 2 * i, i ? "1," : " [", 2);
        many[2 * MANY - 1] = ']';
        CHECK_FAILS(yaml ? ren__yaml_parse(many, 2 * (size_t)MANY, "t", &tree)
                         : ren__json_parse(many, 2 * (size_t)MANY, "t", &tree),
                    REN_E_LIMIT, "values");
        CHECK_FAILS(yaml ? ren__yaml_parse("", REN__DOCUMENT_CAP + 1, "t", &tree)
                         : ren__json_parse("", REN__DOCUMENT_CAP + 1, "t", &tree),
                    REN_E_LIMIT, "bytes");
    }
out:
    json_decref(tree);
    ren__free(many);
    return st;
}

/* Every string that could be taken for something else, in both notations and both indents. */
/* Strings that YAML or JSON could take for something else. */
/* clang-format off */
static const char *const odd_strings[] = {
    "", " ", "a", "a b", " a", "a ", "a  b", "true", "No", "NULL", "~", "1", "1e5", "0x1", ".5", "-", "- a", "a: b",
    "a:", "#x", "a #b", "[", "]", "{}", "a,b", "&a", "*a", "!a", "|", ">", "%x", "@", "`", "'", "\"", "\\", "\n",
    "a\nb", "\t", "\r", "\x01", "\x7F", "\xC2\x85", "\xC2\x80", "\xE2\x80\xA8", "\xEF\xBB\xBF", "\xEF\xBF\xBE",
    "\xC3\xA4", "\xF0\x9F\xAB\x81", "---", "...", "?", "? a", "<<", "=", "2001-01-01", "12:30", "/a/b.c", "y",
};
/* clang-format on */

static ren_status test_writing_reads_back(ren_context *context) {
    ren_status st = REN_OK;
    static const double numbers[] = {
        0.1, 1.0, -0.0, 1e-5, 1e22, 123456789.123, 5e-324, 1.7976931348623157e308, 1.0 / 3
    };
    json_t *tree = json_object(), *list = json_array(), *back = NULL;
    char longest[2001];
    ren_text *text = NULL;

    memset(longest, 'k', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    for (size_t i = 0; i < sizeof odd_strings / sizeof *odd_strings; i++) {
        json_object_set_new(tree, odd_strings[i], json_string(odd_strings[i]));
        json_array_append_new(list, json_pack("[s, {s: [], s: {s: s}}, {}]", odd_strings[i], odd_strings[i], "map",
                                              odd_strings[i], odd_strings[i]));
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        json_array_append_new(list, json_real(numbers[i]));
    json_array_append_new(list, json_pack("[[[], [n, b, I]], [[i, i], i]]", 1, (json_int_t)INT64_MIN, 1, 2, 3));
    json_object_set_new(tree, longest, json_pack("{s: [{s: i}]}", longest, longest, 1));
    json_object_set_new(tree, "list", list);
    for (int form = 0; form < 3; form++) {
        REN_TRY(form == 2 ? ren__yaml_write(context, tree, &text) : ren__json_write(context, tree, 2 * form, &text));
        st = parse(ren_text_data(text), form == 2, &back);
        if (st == REN_OK && !json_equal(tree, back)) st = TEST_FAILED;
        if (st != REN_OK) fprintf(stderr, "form %d: %s\n%s\n", form, ren_error_message(), ren_text_data(text));
        CHECK_INT(st, REN_OK);
        json_decref(back);
        back = NULL;
        ren_text_free(text);
        text = NULL;
    }
out:
    json_decref(back);
    json_decref(tree);
    ren_text_free(text);
    return st;
}

static ren_status test_written_forms(ren_context *context) {
    ren_status st = REN_OK;
    json_t *tree = NULL;
    ren_text *text = NULL;

    REN_TRY(parse(
        "{\"study\": \"x\", \"lr\": 0.0001, \"size\": [96, 96], \"experts\": [{\"name\": \"cnn\", \"on\": true}]}", 0,
        &tree));
    REN_TRY(ren__yaml_write(context, tree, &text));
    CHECK_TEXT(ren_text_data(text),
               "study: x\nlr: 0.0001\nsize: [96, 96]\nexperts:\n  - name: cnn\n    \"on\": true\n");
    ren_text_free(text);
    text = NULL;
    REN_TRY(ren__json_write(context, tree, 0, &text));
    CHECK_TEXT(ren_text_data(text), "{\"study\": \"x\", \"lr\": 0.0001, \"size\": [96, 96], "
                                    "\"experts\": [{\"name\": \"cnn\", \"on\": true}]}");
    ren_text_free(text);
    text = NULL;
    REN_TRY(ren__json_write(context, json_object_get(tree, "experts"), 2, &text));
    CHECK_TEXT(ren_text_data(text), "[\n  {\n    \"name\": \"cnn\",\n    \"on\": true\n  }\n]");
out:
    json_decref(tree);
    ren_text_free(text);
    return st;
}

static ren_status test_access(ren_context *context) {
    ren_status st = REN_OK;
    static const char *const known[] = { "name", "epochs", "lr", NULL };
    json_t *tree = NULL;
    const char *string = "before";
    double number = 0;
    int64_t integer = 0;
    int boolean = 0;

    (void)context;
    REN_TRY(parse("name: cnn\nepochs: 100\nlr: 1e-4\nflag: true\nnothing:\n", 1, &tree));
    REN_TRY(ren__get_string(tree, "missing", "here", &string));
    CHECK_TEXT(string, "before");
    REN_TRY(ren__get_string(tree, "name", "here", &string));
    CHECK_TEXT(string, "cnn");
    REN_TRY(ren__get_number(tree, "epochs", "here", &number));
    CHECK_NEAR(number, 100, 0);
    REN_TRY(ren__get_number(tree, "lr", "here", &number));
    CHECK_NEAR(number, 1e-4, 0);
    REN_TRY(ren__get_integer(tree, "epochs", "here", 1, 100, &integer));
    CHECK_INT(integer, 100);
    REN_TRY(ren__get_boolean(tree, "flag", "here", &boolean));
    CHECK(boolean);
    CHECK_FAILS(ren__get_integer(tree, "epochs", "here", 1, 99, &integer), REN_E_FORMAT, "from 1 to 99");
    CHECK_FAILS(ren__get_integer(tree, "lr", "here", 1, 99, &integer), REN_E_FORMAT, "whole number");
    CHECK_FAILS(ren__get_string(tree, "lr", "experts[1]", &string), REN_E_FORMAT,
                "experts[1]: \"lr\" must be a string");
    CHECK_FAILS(ren__get_number(tree, "nothing", "here", &number), REN_E_FORMAT, "found null");
    CHECK_FAILS(ren__get_boolean(tree, "name", "here", &boolean), REN_E_FORMAT, "true or false");
    CHECK_FAILS(ren__get_number(NULL, "x", "here", &number), REN_E_FORMAT, "must be a map");
    json_object_del(tree, "flag");
    json_object_del(tree, "nothing");
    REN_TRY(ren__check_keys(tree, "here", known));
    json_object_set_new(tree, "epoch", json_null());
    CHECK_FAILS(ren__check_keys(tree, "here", known), REN_E_FORMAT, "\"epoch\"; did you mean \"epochs\"");
    json_object_del(tree, "epoch");
    json_object_set_new(tree, "zzz\x1B", json_null());
    CHECK_FAILS(ren__check_keys(tree, "here", known), REN_E_FORMAT, "\"zzz?\"; known are: name, epochs, lr");
out:
    json_decref(tree);
    return st;
}

/* The decimal comma, and a point of two bytes. The test changes the locale as a host would. */
static ren_status test_locales(ren_context *context) {
    ren_status st = REN_OK;
    static const char *const names[] = { "de_DE.UTF-8", "de_DE.utf8", "ps_AF.UTF-8", "ps_AF.utf8", "ps_AF", NULL };
    json_t *tree = NULL;
    ren_text *text = NULL;
    int tried = 0;

    for (size_t i = 0; names[i]; i++) {
        if (!setlocale(LC_ALL, names[i])) continue;
        tried++;
        for (int yaml = 0; yaml < 2; yaml++) {
            REN_TRY(parse("[0.25, 1.5e-7]", yaml, &tree));
            CHECK_NEAR(json_real_value(json_array_get(tree, 0)), 0.25, 0);
            REN_TRY(yaml ? ren__yaml_write(context, tree, &text) : ren__json_write(context, tree, 0, &text));
            CHECK_TEXT(ren_text_data(text), yaml ? "[0.25, 1.5e-07]\n" : "[0.25, 1.5e-07]");
            CHECK(strcmp(setlocale(LC_ALL, NULL), names[i]) == 0 && localeconv()->decimal_point[0] != '.');
            ren_text_free(text);
            text = NULL;
            json_decref(tree);
            tree = NULL;
        }
    }
    if (!tried) SKIP("neither de_DE nor ps_AF is installed");
out:
    setlocale(LC_ALL, "C");
    json_decref(tree);
    ren_text_free(text);
    return st;
}

static ren_status test_reading_by_extension(ren_context *context) {
    ren_status st = REN_OK;
    char path[TEST_PATH];
    json_t *tree = NULL;

    REN_TRY(ren__file_write(test_file(path, "a.yaml"),
                            "\xEF\xBB\xBF"
                            "a: 1\r\nb: two\r\n",
                            17));
    REN_TRY(ren__document_read(context, path, &tree));
    CHECK_INT(json_integer_value(json_object_get(tree, "a")), 1);
    CHECK_TEXT(json_string_value(json_object_get(tree, "b")), "two");
    json_decref(tree);
    tree = NULL;
    REN_TRY(ren__file_write(test_file(path, "a.json"),
                            "\xEF\xBB\xBF"
                            "{\"a\": 1}",
                            11));
    REN_TRY(ren__document_read(context, path, &tree));
    CHECK_INT(json_integer_value(json_object_get(tree, "a")), 1);
    json_decref(tree);
    tree = NULL;
    REN_TRY(ren__file_write(path, "a: 1\n", 5));
    CHECK_FAILS(ren__document_read(context, path, &tree), REN_E_FORMAT, "a.json, line 1");
out:
    json_decref(tree);
    return st;
}

TEST_MAIN(CASE(test_yaml_values), CASE(test_refusals), CASE(test_depth_and_number_are_bounded),
          CASE(test_writing_reads_back), CASE(test_written_forms), CASE(test_access), CASE(test_locales),
          CASE(test_reading_by_extension))
