/* SPDX-License-Identifier: Apache-2.0 */
/* Comma-separated tables. */
#include "format/csv.h"
#include "harness.h"

static ren_status read_text(ren_context *context, const char *text, ren__csv **out) {
    char path[TEST_PATH];
    ren_status st = ren__file_write(test_file(path, "t.csv"), text, strlen(text));
    return st == REN_OK ? ren__csv_read(context, path, out) : st;
}

static ren_status test_reading(ren_context *context) {
    ren_status st = REN_OK;
    ren__csv *table = NULL;

    REN_TRY(read_text(context, "\xEF\xBB\xBFpatient,\"scan,name\",label\r\np1,\"a \"\"b\"\"\r\nc\",\r\n\r\n\"\",x y ,3",
                      &table));
    CHECK_INT(ren__csv_rows(table), 2);
    CHECK_INT(ren__csv_column(table, "patient"), 0);
    CHECK_INT(ren__csv_column(table, "scan,name"), 1);
    CHECK_INT(ren__csv_column(table, "Label"), -1);
    CHECK_INT(ren__csv_columns(table), 3);
    CHECK_TEXT(ren__csv_name(table, 1), "scan,name");
    CHECK_TEXT(ren__csv_get(table, 0, 0), "p1");
    CHECK_TEXT(ren__csv_get(table, 0, 1), "a \"b\"\r\nc");
    CHECK_TEXT(ren__csv_get(table, 0, 2), "");
    CHECK_TEXT(ren__csv_get(table, 1, 0), "");
    CHECK_TEXT(ren__csv_get(table, 1, 1), "x y ");
    CHECK_TEXT(ren__csv_get(table, 1, 2), "3");
out:
    ren__csv_free(table);
    return st;
}

static ren_status test_header_alone_and_trailing_comma(ren_context *context) {
    ren_status st = REN_OK;
    ren__csv *table = NULL;

    REN_TRY(read_text(context, "a,b", &table));
    CHECK_INT(ren__csv_rows(table), 0);
    ren__csv_free(table);
    table = NULL;
    REN_TRY(read_text(context, "a,b\n1,\n2,", &table));
    CHECK_INT(ren__csv_rows(table), 2);
    CHECK_TEXT(ren__csv_get(table, 1, 1), "");
out:
    ren__csv_free(table);
    return st;
}

static ren_status test_refusals(ren_context *context) {
    ren_status st = REN_OK;
    static const char *const cases[][2] = {
        { "", "is empty" },
        { "a,b,a\n", "\"a\" is there twice" },
        { "a,b\n1,2\n3\n", "line 3: 1 fields, the header has 2" },
        { "a,b\n1,2,3\n", "line 2: 3 fields" },
        { "a,b\n\"1\n2\",x\n3\n", "line 4: 1 fields" },
        { "a,b\n\"1,2\n", "line 2: a quote is opened" },
        { "a,b\n1\"x,2\n", "line 2: a quote inside" },
        { "a,b\n\"1\"x,2\n", "line 2: a field goes on" },
        { "a,b\r1,2\r", "CR alone" },
        { "a;b;c\n1;2;3\n", "semicolons" },
        { "a,b\n\xE4,2\n", "UTF-8" },
    };
    ren__csv *table = NULL;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_FAILS(read_text(context, cases[i][0], &table), REN_E_FORMAT, cases[i][1]);
out:
    ren__csv_free(table);
    return st;
}

static ren_status test_writing_reads_back(ren_context *context) {
    ren_status st = REN_OK;
    static const char *const fields[] = {
        "head", "", "a", "a,b", "\"", "a\"b\"", "x\ny", "\r", " a ", "-5", "\xC3\xA4"
    };
    enum { COUNT = sizeof fields / sizeof *fields };
    ren__csv *table = NULL;
    ren_text *text = NULL;

    for (int columns = 1; columns <= COUNT; columns += COUNT - 1) {
        REN_TRY(ren__text_create(context, &text));
        for (int i = 0; i < COUNT; i++)
            ren__csv_add(text, fields[i], (i + 1) % columns == 0);
        REN_TRY(text->status);
        REN_TRY(read_text(context, ren_text_data(text), &table));
        CHECK_INT(ren__csv_rows(table), COUNT / columns - 1);
        for (int i = 1; i < COUNT && columns == 1; i++)
            CHECK_TEXT(ren__csv_get(table, (size_t)i - 1, 0), fields[i]);
        for (int i = 0; i < columns && columns > 1; i++)
            CHECK_INT(ren__csv_column(table, fields[i]), i);
        ren__csv_free(table);
        table = NULL;
        ren_text_free(text);
        text = NULL;
    }
out:
    ren__csv_free(table);
    ren_text_free(text);
    return st;
}

TEST_MAIN(CASE(test_reading), CASE(test_header_alone_and_trailing_comma), CASE(test_refusals),
          CASE(test_writing_reads_back))
