/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diameters without comparing all pairs of vertices.
 *
 * Vertices lie on a grid of half voxels: a position is twice the voxel's number, so that voxel v of the padded box is
 * at 2 v, and the vertex between v and v + 1 at 2 v + 1. Only the first and last vertex of each line of a plane can
 * be a corner of the plane's convex hull. Both ends of the largest distance in a plane are such corners, and antipodal:
 * there are parallel lines through them with the hull between (Shamos). Which pairs are antipodal does not change when
 * an axis is stretched, so that hull and antipodal pairs are found in whole numbers and only distances are rounded, as
 * PyRadiomics rounds them.
 *
 * Planes of equal z and y are cut into lines along x, by comparing rows of the mask; planes of equal x are made all
 * at once, from the places where the mask changes. The ends of the largest distance of all are corners of the hulls of
 * planes of equal z: farthest.c finds them.
 */
#include "radiomics/diameter.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"

enum { WORD = 8, MARGIN = 2 * WORD, PLANES_AT_ONCE = 4, LANES_AT_ONCE = 8 };

typedef struct spot {
    double line, along;
} spot;

/* A plane of vertices: its corners in half steps, counter-clockwise. Each of the arrays has room for two spots a line.
 */
typedef struct outline {
    spot *corners, *upper;
    int64_t count, upper_count;
} outline;

typedef struct points {
    ren__point *items;
    int64_t count;
} points;

typedef struct survey {
    const ren__region *region;
    int64_t half[3]; /* half steps along z, y, x: positions 1 .. half */
    double step[3];  /* mm along z, y, x */
    spot *spots;     /* for each thread: corners and upper of an outline */
    int64_t spots_a_thread;
    double *best;       /* for each thread: the largest squared distance */
    int32_t axis;       /* of the planes: 0 z, 1 y */
    points *extremes;   /* for each chunk of planes; NULL: not wanted */
    atomic_int failure; /* a chunk that found no memory */
} survey;

static double millimetres(const survey *job, int axis, double position) {
    return position * 0.5 * job->step[axis];
}

/* ------------------------------------------------------------------------------------------ hulls and calipers */

/* Twice the area of the triangle a b c, positive where it turns left. */
static double area(const spot *a, const spot *b, const spot *c) {
    return (b->line - a->line) * (c->along - a->along) - (c->line - a->line) * (b->along - a->along);
}

static void outline_start(outline *o) {
    o->count = o->upper_count = 0;
}

/* Lines come in rising order, each with its first and last vertex: the two chains of the hull grow at one end. */
static void outline_add(outline *o, int64_t line, int64_t first, int64_t last) {
    const spot low = { (double)line, (double)first }, high = { (double)line, (double)last };

    while (o->count > 1 && area(&o->corners[o->count - 2], &o->corners[o->count - 1], &low) <= 0.0)
        o->count--;
    o->corners[o->count++] = low;
    while (o->upper_count > 1 && area(&o->upper[o->upper_count - 2], &o->upper[o->upper_count - 1], &high) >= 0.0)
        o->upper_count--;
    o->upper[o->upper_count++] = high;
}

/* Joins the chains into one ring without repeated corners. */
static void outline_close(outline *o) {
    const int64_t lower = o->count;

    for (int64_t i = o->upper_count - 1; i >= 0; i--) {
        const spot *s = &o->upper[i];
        const spot *end = i == 0 ? &o->corners[0] : &o->corners[lower - 1];
        if ((i == 0 || i == o->upper_count - 1) && s->along == end->along) continue;
        o->corners[o->count++] = *s;
    }
}

static double spot_distance(const survey *job, int line_axis, int along_axis, const spot *a, const spot *b) {
    const double u = millimetres(job, line_axis, a->line) - millimetres(job, line_axis, b->line);
    const double v = millimetres(job, along_axis, a->along) - millimetres(job, along_axis, b->along);

    return u * u + v * v;
}

static double larger(double a, double b) {
    return b > a ? b : a;
}

/* The largest squared distance between antipodal corners, or `best`. */
static double calipers(const survey *job, int line_axis, int along_axis, const outline *o, double best) {
    const int64_t n = o->count;
    const spot *p = o->corners;
    int64_t across = 1;

    if (n == 2) return larger(best, spot_distance(job, line_axis, along_axis, &p[0], &p[1]));
    for (int64_t i = 0; i < n && n > 2; i++) {
        const spot *a = &p[i], *b = &p[(i + 1) % n];
        while (area(a, b, &p[(across + 1) % n]) > area(a, b, &p[across]))
            across = (across + 1) % n;
        const spot *c = &p[across], *next = &p[(across + 1) % n];
        best = larger(best, spot_distance(job, line_axis, along_axis, a, c));
        best = larger(best, spot_distance(job, line_axis, along_axis, b, c));
        if (area(a, b, next) == area(a, b, c)) { /* parallel sides */
            best = larger(best, spot_distance(job, line_axis, along_axis, a, next));
            best = larger(best, spot_distance(job, line_axis, along_axis, b, next));
        }
    }
    return best;
}

/* ------------------------------------------------------------------------------- planes of equal z and equal y */

static uint64_t word_at(const uint8_t *bytes) {
    uint64_t word;

    memcpy(&word, bytes, sizeof word);
    return word;
}

/* First and last place where the rows differ; 0: none. A NULL row is all outside. */
static int differ(const uint8_t *a, const uint8_t *b, int64_t count, int64_t *first, int64_t *last) {
    int64_t i = 0, k = count;

    if (!a || !b) {
        const uint8_t *row = a ? a : b;
        if (!row) return 0;
        while (i + WORD <= count && word_at(row + i) == 0)
            i += WORD;
        while (i < count && !row[i])
            i++;
        if (i == count) return 0;
        while (k - WORD > i && word_at(row + k - WORD) == 0)
            k -= WORD;
        while (!row[k - 1])
            k--;
    } else {
        while (i + WORD <= count && word_at(a + i) == word_at(b + i))
            i += WORD;
        while (i < count && a[i] == b[i])
            i++;
        if (i == count) return 0;
        while (k - WORD > i && word_at(a + k - WORD) == word_at(b + k - WORD))
            k -= WORD;
        while (a[k - 1] == b[k - 1])
            k--;
    }
    *first = i;
    *last = k - 1;
    return 1;
}

/* The row of voxels at a whole position (even, from 0) of the padded box; NULL outside the region's box. */
static const uint8_t *row_at(const survey *job, int64_t z, int64_t y) {
    const int64_t *shape = job->region->shape;
    const int64_t k = z / 2 - 1, j = y / 2 - 1;

    if (k < 0 || k >= shape[2] || j < 0 || j >= shape[1]) return NULL;
    return job->region->inside + (k * shape[1] + j) * shape[0];
}

/* First and last vertex of the line along x; 0: it has none. */
static int line_ends(const survey *job, int64_t z, int64_t y, int64_t *first, int64_t *last) {
    const int64_t count = job->region->shape[0];
    int64_t i, k;

    if (z % 2 && y % 2) return 0; /* no edge of the grid crosses such a line */
    if (z % 2 || y % 2) {         /* vertices between this row and the one across */
        if (!differ(row_at(job, z - z % 2, y - y % 2), row_at(job, z + z % 2, y + y % 2), count, &i, &k)) return 0;
        *first = 2 * (i + 1);
        *last = 2 * (k + 1);
    } else { /* vertices along the row: before its first voxel and after its last */
        if (!differ(row_at(job, z, y), NULL, count, &i, &k)) return 0;
        *first = 2 * i + 1;
        *last = 2 * k + 3;
    }
    return 1;
}

static void keep_extremes(survey *job, int64_t plane, const outline *o, points *list) {
    ren__point *items =
        ren__realloc(job->region->context, list->items, (size_t)(list->count + o->count) * sizeof *items);

    if (!items) {
        atomic_store(&job->failure, ren__out_of_memory());
        return;
    }
    list->items = items;
    for (int64_t i = 0; i < o->count; i++) {
        ren__point *to = &items[list->count++];
        to->at[0] = millimetres(job, 0, (double)plane);
        to->at[1] = millimetres(job, 1, o->corners[i].line);
        to->at[2] = millimetres(job, 2, o->corners[i].along);
    }
}

/* Planes begin + 1 .. end of equal z or y, one chunk. */
static void measure_planes(void *argument, int64_t begin, int64_t end, int32_t thread) {
    survey *job = argument;
    outline o = { .corners = job->spots + thread * job->spots_a_thread };

    o.upper = o.corners + job->spots_a_thread / 2;
    for (int64_t plane = begin + 1; plane <= end; plane++) {
        outline_start(&o);
        for (int64_t line = 1; line <= job->half[1 - job->axis]; line++) {
            int64_t first, last;
            if (job->axis == 0 ? line_ends(job, plane, line, &first, &last)
                               : line_ends(job, line, plane, &first, &last))
                outline_add(&o, line, first, last);
        }
        if (o.count == 0) continue;
        outline_close(&o);
        job->best[thread] = calipers(job, 1 - job->axis, 2, &o, job->best[thread]);
        if (job->extremes) keep_extremes(job, plane, &o, &job->extremes[begin / PLANES_AT_ONCE]);
    }
}

/* --------------------------------------------------------------------------------------------- planes of equal x */

/* The first and last vertex of a line; first 0: none yet. */
typedef struct ends {
    uint32_t first, last;
} ends;

/*
 * All planes of equal x are cut into lines along one of the other axes, `along`, at each position of the third,
 * `across`, which is the shorter: a table of lines for each voxel x from -1 on. Lines through the voxels and half-way
 * to the next position lie in the plane at 2 (x + 1), lines half-way to the next x in the plane after it.
 */
typedef struct sheets {
    survey *job;
    int across, along;            /* 0 z, 1 y */
    int64_t steps[2];             /* bytes from row to row along z and y */
    int64_t counts[2];            /* voxels along z and y */
    int64_t lanes;                /* voxels along x and one before */
    ends *whole, *above, *beside; /* from position 0, -1, 0 on */
    uint8_t *rows;                /* three padded rows for each thread */
    int64_t row_bytes;
} sheets;

static void extend(ends *line, int64_t position) {
    if (line->first == 0) line->first = (uint32_t)position;
    line->last = (uint32_t)position;
}

/* Notes where the mask changes from the row before to this one, to the row across and to the next x; whole words that
 * change nowhere are passed over. Lane i is here[i]; `whole` and `beside` are NULL outside the box. */
static void note_changes(const uint8_t *before, const uint8_t *here, const uint8_t *next, int64_t lanes, int64_t at,
                         ends *whole, ends *above, ends *beside) {
    for (int64_t x = 0; x < lanes; x += WORD) {
        const uint64_t voxels = word_at(here + x);
        const int64_t end = lanes - x < WORD ? lanes : x + WORD;
        if (((voxels ^ word_at(before + x)) | (voxels ^ word_at(next + x)) | (voxels ^ word_at(here + x + 1))) == 0)
            continue;
        for (int64_t i = x; i < end; i++) {
            if (here[i] != next[i]) extend(above + i, 2 * at + 2);
            if (!whole) continue;
            if (here[i] != before[i]) extend(whole + i, 2 * at + 1);
            if (here[i] != here[i + 1]) extend(beside + i, 2 * at + 2);
        }
    }
}

/* Sheets begin - 1 .. end - 2 across, each with the next one. */
static void scan_sheets(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const sheets *s = argument;
    const int64_t nx = s->lanes - 1, step = s->steps[s->along], count = s->counts[s->along];
    uint8_t *rows[3];

    for (int i = 0; i < 3; i++)
        rows[i] = s->rows + (3 * (int64_t)thread + i) * s->row_bytes;
    for (int64_t u = begin - 1; u < end - 1; u++) {
        const uint8_t *sheet = u >= 0 ? s->job->region->inside + u * s->steps[s->across] : NULL;
        const uint8_t *next =
            u + 1 < s->counts[s->across] ? s->job->region->inside + (u + 1) * s->steps[s->across] : NULL;
        ends *whole = sheet ? s->whole + u * s->lanes : NULL, *beside = sheet ? s->beside + u * s->lanes : NULL;
        memset(rows[0] + 1, 0, (size_t)nx); /* lane 0 and those after the last are always 0 */
        for (int64_t w = 0; w <= count; w++) {
            uint8_t *before = rows[w % 2], *here = rows[1 - w % 2];
            memset(here + 1, 0, (size_t)nx);
            memset(rows[2] + 1, 0, (size_t)nx);
            if (sheet && w < count) memcpy(here + 1, sheet + w * step, (size_t)nx);
            if (next && w < count) memcpy(rows[2] + 1, next + w * step, (size_t)nx);
            note_changes(before, here, rows[2], s->lanes, w, whole, s->above + (u + 1) * s->lanes, beside);
        }
    }
}

static void measure_lane(const sheets *s, int64_t lane, outline *o, double *best) {
    const int64_t half = s->job->half[s->across];

    outline_start(o); /* the plane through the voxels */
    for (int64_t u = 1; u <= half; u++) {
        const ends *line = (u % 2 ? s->above + u / 2 * s->lanes : s->whole + (u / 2 - 1) * s->lanes) + lane;
        if (line->first) outline_add(o, u, line->first, line->last);
    }
    outline_close(o);
    *best = calipers(s->job, s->across, s->along, o, *best);
    outline_start(o); /* half-way to the next */
    for (int64_t u = 2; u <= half; u += 2) {
        const ends *line = s->beside + (u / 2 - 1) * s->lanes + lane;
        if (line->first) outline_add(o, u, line->first, line->last);
    }
    outline_close(o);
    *best = calipers(s->job, s->across, s->along, o, *best);
}

static void measure_lanes(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const sheets *s = argument;
    outline o = { .corners = s->job->spots + thread * s->job->spots_a_thread };

    o.upper = o.corners + s->job->spots_a_thread / 2;
    for (int64_t lane = begin; lane < end; lane++)
        measure_lane(s, lane, &o, &s->job->best[thread]);
}

static ren_status measure_rows(survey *job, ren__run *run) {
    ren_context *context = job->region->context;
    ren_status st = REN_OK;
    const int64_t *shape = job->region->shape;
    sheets s = { .job = job, .steps = { shape[0] * shape[1], shape[0] }, .counts = { shape[2], shape[1] } };
    size_t lines;

    s.across = shape[2] <= shape[1] ? 0 : 1;
    s.along = 1 - s.across;
    s.lanes = shape[0] + 1;
    s.row_bytes = (s.lanes + MARGIN + 63) / 64 * 64;
    lines = (size_t)((3 * s.counts[s.across] + 1) * s.lanes);
    REN_CALLOC(s.rows, (size_t)context->threads * 3 * (size_t)s.row_bytes);
    REN_CALLOC(s.whole, lines);
    s.above = s.whole + s.counts[s.across] * s.lanes;
    s.beside = s.above + (s.counts[s.across] + 1) * s.lanes;
    ren__parallel_for(context, run, s.counts[s.across] + 1, 1, scan_sheets, &s);
    REN_TRY(ren__run_check(run));
    ren__parallel_for(context, run, s.lanes, LANES_AT_ONCE, measure_lanes, &s);
    REN_TRY(ren__run_check(run));
out:
    ren__free(s.rows);
    ren__free(s.whole);
    return st;
}

/* ----------------------------------------------------------------------------------------------------- together */

static ren_status survey_create(const ren__region *region, survey *job) {
    ren_context *context = region->context;
    ren_status st = REN_OK;
    const size_t threads = (size_t)context->threads;
    int64_t lines;

    job->region = region;
    for (int d = 0; d < 3; d++) {
        job->half[d] = 2 * region->shape[2 - d] + 1;
        job->step[d] = region->spacing[2 - d];
    }
    lines = job->half[0] > job->half[1] ? job->half[0] : job->half[1];
    job->spots_a_thread = 4 * lines;
    REN_CALLOC(job->spots, threads * (size_t)job->spots_a_thread);
    REN_CALLOC(job->best, threads);
out:
    return st;
}

static void survey_free(survey *job) {
    ren__free(job->spots);
    ren__free(job->best);
}

/* The largest of all threads, in mm, for the next survey to begin anew. */
static double take_best(survey *job) {
    double best = 0.0;

    for (int32_t t = 0; t < job->region->context->threads; t++) {
        best = larger(best, job->best[t]);
        job->best[t] = 0.0;
    }
    return sqrt(best);
}

/* All planes of equal z, with their corners in `list`. */
static ren_status collect_extremes(survey *job, ren__run *run, points *list) {
    ren_context *context = job->region->context;
    ren_status st = REN_OK;
    const int64_t chunks = (job->half[0] + PLANES_AT_ONCE - 1) / PLANES_AT_ONCE;
    int64_t count = 0;

    job->axis = 0;
    atomic_init(&job->failure, REN_OK);
    REN_CALLOC(job->extremes, (size_t)chunks);
    ren__parallel_for(context, run, job->half[0], PLANES_AT_ONCE, measure_planes, job);
    REN_TRY(ren__run_check(run));
    REN_TRY(atomic_load(&job->failure));
    for (int64_t i = 0; i < chunks; i++)
        count += job->extremes[i].count;
    REN_CALLOC(list->items, (size_t)count);
    for (int64_t i = 0; i < chunks; i++) {
        const points *part = &job->extremes[i];
        if (part->count) memcpy(list->items + list->count, part->items, (size_t)part->count * sizeof *part->items);
        list->count += part->count;
    }
out:
    for (int64_t i = 0; job->extremes && i < chunks; i++)
        ren__free(job->extremes[i].items);
    ren__free(job->extremes);
    job->extremes = NULL;
    return st;
}

ren_status ren__diameters_measure(const ren__region *region, int32_t wanted, ren__run *run, ren__diameters *out) {
    ren_context *context = region->context;
    ren_status st = REN_OK;
    survey job = { 0 };
    points list = { 0 };
    double slice, squared;

    REN_TRY(survey_create(region, &job));
    if (wanted & (REN__DIAMETER_SLICE | REN__DIAMETER_3D)) {
        REN_TRY(collect_extremes(&job, run, &list));
        slice = take_best(&job);
        if (wanted & REN__DIAMETER_SLICE) out->slice = slice;
    }
    if (wanted & REN__DIAMETER_COLUMN) {
        job.axis = 1;
        ren__parallel_for(context, run, job.half[1], PLANES_AT_ONCE, measure_planes, &job);
        REN_TRY(ren__run_check(run));
        out->column = take_best(&job);
    }
    if (wanted & REN__DIAMETER_ROW) {
        REN_TRY(measure_rows(&job, run));
        out->row = take_best(&job);
    }
    if (wanted & REN__DIAMETER_3D) {
        REN_TRY(ren__farthest_pair(context, run, list.items, list.count, &squared));
        out->all = sqrt(squared);
    }
out:
    ren__free(list.items);
    survey_free(&job);
    return st;
}

ren_status ren__mesh_extremes(const ren__region *region, ren__run *run, ren__point **items, int64_t *count) {
    ren_status st = REN_OK;
    survey job = { 0 };
    points list = { 0 };

    REN_TRY(survey_create(region, &job));
    REN_TRY(collect_extremes(&job, run, &list));
    *items = list.items;
    *count = list.count;
out:
    survey_free(&job);
    return st;
}
