/* SPDX-License-Identifier: Apache-2.0 */
/* The synthetic cohort: renders its scans and writes its folder. Nothing in it comes from a patient. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/parallel.h"
#include "base/text.h"
#include "volume/phantom.h"

ren_status ren_phantom_options_init(ren_phantom_options *options, size_t size) {
    const ren_phantom_options defaults = {
        .struct_size = sizeof defaults, .patients = 20, .size = 128, .severity = 1.0
    };

    REN_REQUIRE(options && size >= sizeof options->struct_size);
    memset(options, 0, size);
    memcpy(options, &defaults, size < sizeof defaults ? size : sizeof defaults);
    options->struct_size = size;
    return REN_OK;
}

int32_t ren_phantom_scan_count(const ren_phantom_options *options, int32_t patient) {
    ren_phantom_options resolved;

    if (ren__phantom_resolve(options, &resolved) != REN_OK || patient < 0 || patient >= resolved.patients) return 0;
    return ren__phantom_scans(&resolved, patient);
}

/* ---------------------------------------------------------------------------------------------------- rendering */

typedef struct render_job {
    const ren__phantom_scene *scene;
    const ren__phantom_tubes *tubes;
    int16_t *ct;
    uint8_t *lobes;
    float *scratch;   /* 4 slices a thread */
    int64_t *counted; /* 10 a slice: voxels of lobes 1..5, diseased voxels of lobes 1..5 */
} render_job;

static float clamp01(double x) {
    return (float)(x < 0.0 ? 0.0 : x > 1.0 ? 1.0 : x);
}

/* HU and lobe at one voxel, without vessels; the lung's border is averaged over the voxel. */
static float render_voxel(const ren__phantom_scene *scene, const double point[3], uint8_t *lobe, int64_t *counted) {
    const double voxel = 0.5 * (scene->spacing[0] + scene->spacing[2]);
    ren__phantom_place place;
    float share, hu = 0.0f;

    *lobe = 0;
    if (ren__phantom_air(&scene->body, point, &hu)) return hu;
    ren__phantom_locate(scene, point, &place);
    share = clamp01(0.5 + place.inside / voxel);
    *lobe = (uint8_t)place.lobe;
    if (share < 1.0f) hu = (float)ren__phantom_tissue(scene, point, &place);
    if (share > 0.0f) {
        const double involved = ren__phantom_involved(scene, point, &place);
        const double lung = ren__phantom_parenchyma(scene, point, &place, involved, voxel);

        hu += share * ((float)lung - hu);
        if (place.lobe) {
            counted[place.lobe - 1]++;
            counted[place.lobe + 4] += involved >= PHANTOM_DISEASED;
        }
    }
    return hu;
}

/* values <- values blurred by (w, 1 - 2w, w) along both axes of the slice, through `other`; the border keeps its value.
 */
static void blur_slice(float *values, float *other, int64_t width, int64_t height, float w) {
    for (int64_t j = 0; j < height; j++) {
        for (int64_t i = 0; i < width; i++) {
            const float *v = values + j * width;
            const float left = v[i > 0 ? i - 1 : i], right = v[i + 1 < width ? i + 1 : i];

            other[j * width + i] = v[i] + w * (left + right - 2.0f * v[i]);
        }
    }
    for (int64_t j = 0; j < height; j++) {
        const float *v = other + j * width, *up = j > 0 ? v - width : v, *down = j + 1 < height ? v + width : v;

        for (int64_t i = 0; i < width; i++)
            values[j * width + i] = v[i] + w * (up[i] + down[i] - 2.0f * v[i]);
    }
}

/* Detector noise of one slice with the kernel's texture: blurred for soft kernels, high-passed for sharp ones. The
 * standard deviation stays scene->noise: both filters' gains are known sums of squares. */
static void make_noise(const ren__phantom_scene *scene, int64_t k, float *noise, float *other, float *low) {
    const int64_t width = scene->shape[0], height = scene->shape[1], count = width * height;
    const float w = 0.25f, sharpen = (float)scene->sharpen;
    const float tap = w * w * 2.0f + (1.0f - 2.0f * w) * (1.0f - 2.0f * w); /* sum of squared taps along one axis */
    const float gain2 =
        sharpen > 0.0f ? 1.0f - 2.0f * sharpen * (1.0f - 2.0f * w) * (1.0f - 2.0f * w) + sharpen * sharpen * tap * tap
                       : tap * tap;
    const float scale = (float)scene->noise / sqrtf(gain2);

    for (int64_t n = 0; n < count; n += 4) {
        float four[4];

        ren__phantom_normals(scene->noise_key, (uint32_t)k, (uint32_t)(n / 4), four);
        for (int64_t m = 0; m < 4 && n + m < count; m++)
            noise[n + m] = four[m];
    }
    if (sharpen > 0.0f) {
        memcpy(low, noise, (size_t)count * sizeof *low);
        blur_slice(low, other, width, height, w);
        for (int64_t n = 0; n < count; n++)
            noise[n] = scale * (noise[n] - sharpen * low[n]);
    } else {
        blur_slice(noise, other, width, height, w);
        for (int64_t n = 0; n < count; n++)
            noise[n] *= scale;
    }
}

/* To whole HU, never below -1024, the scanner's padding outside its circle. */
static void store_slice(const ren__phantom_scene *scene, const float *hu, const float *noise, int16_t *ct) {
    const int64_t width = scene->shape[0], height = scene->shape[1];
    const float middle = 0.5f * (float)(width - 1), radius2 = 0.25f * (float)(width * width);

    for (int64_t j = 0; j < height; j++) {
        for (int64_t i = 0; i < width; i++) {
            const float x = (float)i - middle, y = (float)j - middle;
            float value = floorf(hu[j * width + i] + noise[j * width + i] + 0.5f);

            if (scene->circular && x * x + y * y > radius2) value = -1024.0f;
            ct[j * width + i] = (int16_t)(value < -1024.0f ? -1024.0f : value > 3071.0f ? 3071.0f : value);
        }
    }
}

static void render_slices(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const render_job *job = argument;
    const ren__phantom_scene *scene = job->scene;
    const int64_t width = scene->shape[0], count = width * scene->shape[1];
    float *hu = job->scratch + (size_t)thread * 4u * (size_t)count, *noise = hu + count, *other = noise + count;

    for (int64_t k = begin; k < end; k++) {
        uint8_t *lobes = job->lobes + k * count;

        for (int64_t n = 0; n < count; n++) {
            const int64_t i = n % width, j = n / width;
            double point[3];

            ren__phantom_position(scene, (double)i, (double)j, (double)k, point);
            hu[n] = render_voxel(scene, point, &lobes[n], job->counted + 10 * k);
        }
        ren__phantom_tubes_draw(job->tubes, scene, k, lobes, hu);
        blur_slice(hu, other, width, scene->shape[1], (float)scene->blur);
        make_noise(scene, k, noise, other, other + count);
        store_slice(scene, hu, noise, job->ct + k * count);
    }
}

/* Voxel indices to RAS mm in the scanner's frame. */
static void scene_affine(const ren__phantom_scene *scene, double affine[16]) {
    memset(affine, 0, 16 * sizeof *affine);
    for (int row = 0; row < 3; row++) {
        affine[4 * row + 3] = scene->isocentre[row] * (row == 2 ? scene->breath : 1.0) + scene->world[row];
        for (int a = 0; a < 3; a++) {
            affine[4 * row + a] = scene->axis[a][row] * scene->spacing[a];
            affine[4 * row + 3] -= scene->axis[a][row] * scene->spacing[a] * scene->centre[a];
        }
    }
    affine[15] = 1.0;
}

static void fill_truth(const ren__phantom_scene *scene, const int64_t *counted, ren_phantom_truth *truth) {
    truth->label = scene->label;
    for (int lobe = 0; lobe < 5; lobe++) {
        int64_t all = 0, diseased = 0;

        for (int64_t k = 0; k < scene->shape[2]; k++) {
            all += counted[10 * k + lobe];
            diseased += counted[10 * k + lobe + 5];
        }
        truth->extent[lobe] = all > 0 ? (double)diseased / (double)all : 0.0;
    }
}

static ren_status make_scan(ren__run *run, const ren_phantom_options *options, int32_t patient, int32_t scan,
                            ren_volume **ct, ren_volume **lobes, ren_phantom_truth *truth) {
    ren_status st = REN_OK;
    ren_context *context = run->context;
    ren__phantom_scene scene;
    ren__phantom_tubes tubes = { 0 };
    ren_volume *image = NULL, *labels = NULL;
    render_job job = { .scene = &scene, .tubes = &tubes };
    double affine[16];
    void *data = NULL;

    ren__phantom_scene_draw(options, patient, scan, &scene);
    scene_affine(&scene, affine);
    REN_TRY(ren__phantom_tubes_grow(context, options, patient, &scene, &tubes));
    REN_TRY(ren__volume_allocate(context, REN_TYPE_I16, scene.shape, affine, &data, &image));
    job.ct = data;
    REN_TRY(ren__volume_allocate(context, REN_TYPE_U8, scene.shape, affine, &data, &labels));
    job.lobes = data;
    REN_ALLOC(job.scratch, (size_t)context->threads * 4u * (size_t)(scene.shape[0] * scene.shape[1]) * sizeof(float));
    REN_CALLOC(job.counted, 10u * (size_t)scene.shape[2]);
    ren__parallel_for(context, run, scene.shape[2], 1, render_slices, &job);
    REN_TRY(ren__run_check(run));
    if (truth) fill_truth(&scene, job.counted, truth);
    *ct = image;
    *lobes = labels;
    image = labels = NULL;
out:
    ren__free(job.counted);
    ren__free(job.scratch);
    ren__free(tubes.tube);
    ren_volume_free(labels);
    ren_volume_free(image);
    return st;
}

ren_status ren_phantom_make(ren_context *context, const ren_phantom_options *options, int32_t patient, int32_t scan,
                            const ren_run_options *run_options, ren_volume **ct, ren_volume **lobes,
                            ren_phantom_truth *truth) {
    ren_status st = REN_OK;
    ren_phantom_options resolved;
    ren_phantom_truth filled = { .struct_size = sizeof filled };
    ren_volume *image = NULL, *labels = NULL;
    ren__run run;

    REN_REQUIRE(context && ct && lobes);
    *ct = *lobes = NULL;
    st = ren__phantom_resolve(options, &resolved);
    if (st != REN_OK) return st;
    if (patient < 0 || patient >= resolved.patients || scan < 0 || scan >= ren__phantom_scans(&resolved, patient))
        return ren__error(REN_E_NOT_FOUND, "phantom: the cohort has no scan %d of patient %d", scan, patient);
    if (truth && truth->struct_size < sizeof truth->struct_size)
        return ren__error(REN_E_INVALID, "phantom: ren_phantom_truth.struct_size is not set");
    st = ren__run_begin(&run, context, run_options);
    if (st != REN_OK) return st;
    st = ren__run_end(&run, make_scan(&run, &resolved, patient, scan, &image, &labels, &filled));
    if (st != REN_OK) return st;
    if (truth) {
        const size_t size = truth->struct_size;

        memcpy(truth, &filled, size < sizeof filled ? size : sizeof filled);
        truth->struct_size = size;
    }
    *ct = image;
    *lobes = labels;
    return REN_OK;
}

/* ------------------------------------------------------------------------------------------------------ writing */

static const char readme[] =
    "This folder holds a SYNTHETIC cohort, made by libren's phantom generator.\n"
    "No image in it shows a patient. Any likeness is by chance; nothing measured on it says anything about people.\n\n"
    "PATIENT/SCAN.nii.gz        synthetic CT, HU\n"
    "PATIENT/SCAN_lobes.nii.gz  lobes: 1 LUL, 2 LLL, 3 RUL, 4 RML, 5 RLL\n"
    "labels.csv                 label 1: synthetic interstitial lung disease; extent_*: diseased share of each lobe.\n"
    "                           The extent counts what the generator called diseased: a subtle case may have none.\n";

/* Makes the folder and what is above it. */
static ren_status make_folder(const char *path) {
    char part[4096];
    const size_t length = strlen(path);

    if (length == 0 || length >= sizeof part)
        return ren__error(REN_E_INVALID, "phantom: the folder's name has %zu characters: give 1 to %zu", length,
                          sizeof part - 1);
    for (size_t n = 1; n <= length; n++) {
        struct stat about;
        char reason[128];

        if (path[n] != '/' && path[n] != '\0') continue;
        memcpy(part, path, n);
        part[n] = '\0';
        if (mkdir(part, 0777) == 0 || (errno == EEXIST && stat(part, &about) == 0 && S_ISDIR(about.st_mode))) continue;
        return ren__error(REN_E_IO, "%s: cannot make the folder: %s", part, strerror_r(errno, reason, sizeof reason));
    }
    return REN_OK;
}

static ren_status join_path(ren_text **path, ren_context *context, const char *folder, int32_t patient, int32_t scan,
                            const char *end) {
    ren_status st = ren__text_create(context, path);

    if (st != REN_OK) return st;
    ren__text_add(*path, folder);
    if (patient >= 0) ren__text_addf(*path, "/P%04d", patient + 1);
    if (scan >= 0) ren__text_addf(*path, "/S%02d", scan + 1);
    ren__text_add(*path, end);
    return (*path)->status;
}

static ren_status write_one(ren_context *context, const ren_volume *volume, const char *folder, int32_t patient,
                            int32_t scan, const char *end) {
    ren_status st = REN_OK;
    ren_text *path = NULL;

    REN_TRY(join_path(&path, context, folder, patient, scan, end));
    REN_TRY(ren_volume_write(volume, path->data));
out:
    ren_text_free(path);
    return st;
}

static ren_status write_scan(ren__run *run, const ren_phantom_options *options, const char *folder, int32_t patient,
                             int32_t scan, ren_text *table) {
    ren_status st = REN_OK;
    ren_volume *ct = NULL, *lobes = NULL;
    ren_phantom_truth truth = { .struct_size = sizeof truth };

    REN_TRY(make_scan(run, options, patient, scan, &ct, &lobes, &truth));
    REN_TRY(write_one(run->context, ct, folder, patient, scan, ".nii.gz"));
    REN_TRY(write_one(run->context, lobes, folder, patient, scan, "_lobes.nii.gz"));
    ren__text_addf(table, "P%04d,S%02d,%d", patient + 1, scan + 1, truth.label);
    for (int lobe = 0; lobe < 5; lobe++) {
        ren__text_add(table, ",");
        ren__text_add_number(table, truth.extent[lobe], 6);
    }
    ren__text_add(table, "\n");
    st = table->status;
out:
    ren_volume_free(lobes);
    ren_volume_free(ct);
    return st;
}

static ren_status write_patient(ren__run *run, const ren_phantom_options *options, const char *folder, int32_t patient,
                                ren_text *table) {
    ren_status st = REN_OK;
    const int32_t scans = ren__phantom_scans(options, patient);
    ren_text *path = NULL;

    REN_TRY(join_path(&path, run->context, folder, patient, -1, ""));
    REN_TRY(make_folder(path->data));
    for (int32_t scan = 0; scan < scans; scan++) {
        const double done = ((double)patient + (double)scan / (double)scans) / (double)options->patients;

        REN_TRY(ren__run_progress(run, "phantom", done));
        REN_TRY(write_scan(run, options, folder, patient, scan, table));
    }
out:
    ren_text_free(path);
    return st;
}

static ren_status write_cohort(ren__run *run, const ren_phantom_options *options, const char *folder) {
    ren_status st = REN_OK;
    ren_context *context = run->context;
    ren_text *table_path = NULL, *readme_path = NULL, *table = NULL;

    REN_TRY(make_folder(folder));
    REN_TRY(join_path(&table_path, context, folder, -1, -1, "/labels.csv"));
    REN_TRY(join_path(&readme_path, context, folder, -1, -1, "/README.txt"));
    if (access(table_path->data, F_OK) == 0)
        REN_FAIL(REN_E_STATE, "%s: a cohort is there already: remove it or give another folder", table_path->data);
    REN_TRY(ren__file_write(readme_path->data, readme, sizeof readme - 1));
    REN_TRY(ren__text_create(context, &table));
    ren__text_add(table, "patient,scan,label,extent_LUL,extent_LLL,extent_RUL,extent_RML,extent_RLL\n");
    for (int32_t patient = 0; patient < options->patients; patient++)
        REN_TRY(write_patient(run, options, folder, patient, table));
    REN_TRY(ren__file_write(table_path->data, table->data, table->size));
    st = ren__run_progress(run, "phantom", 1.0);
out:
    ren_text_free(table);
    ren_text_free(readme_path);
    ren_text_free(table_path);
    return st;
}

ren_status ren_phantom_write(ren_context *context, const ren_phantom_options *options, const char *folder,
                             const ren_run_options *run_options) {
    ren_status st = REN_OK;
    ren_phantom_options resolved;
    ren__run run;

    REN_REQUIRE(context && folder);
    st = ren__phantom_resolve(options, &resolved);
    if (st != REN_OK) return st;
    st = ren__run_begin(&run, context, run_options);
    if (st != REN_OK) return st;
    return ren__run_end(&run, write_cohort(&run, &resolved, folder));
}
