/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The synthetic chest: one scene is one scan of one synthetic patient, drawn from random numbers; the other functions
 * say what is at a point of it. Everything on the way to a voxel uses + - x / and square roots only, so that the bits
 * do not depend on the machine's mathematics library.
 *
 * Anatomical coordinates: RAS millimetres, the trunk's axis at x = y = 0, z = 0 near the bottom of the lungs and
 * z = height at their apices. Breathing stretches z; the other directions stay.
 */
#ifndef REN_VOLUME_PHANTOM_H
#define REN_VOLUME_PHANTOM_H

#include "base/random.h"
#include "ren_tools.h"
#include "volume/volume.h"

enum { PHANTOM_LEFT = 0, PHANTOM_RIGHT = 1 };
enum { PHANTOM_PATTERN_SEEDS = 8, PHANTOM_SCANS_MAX = 99, PHANTOM_PATIENTS_MAX = 100000 };

/* What the random streams of a patient are for. */
enum {
    PHANTOM_STREAM_PAIR = 0,
    PHANTOM_STREAM_PATIENT = 1,
    PHANTOM_STREAM_COUNT = 2,
    PHANTOM_STREAM_TREE = 16, /* + lobe */
    PHANTOM_STREAM_SCAN = 64  /* + scan */
};

typedef struct ren__phantom_body {
    double width, depth, height; /* of the chest cavity: half, half, whole; mm */
    double back;                 /* how far the upper cavity leans backwards, mm */
    double wall, fat;            /* muscle and bone around the cavity, fat around these, mm */
    double dome[2];              /* height of the two domes of the diaphragm, mm */
    double drop;                 /* from the dome down to the posterior angle, mm */
    double heart;                /* scale of the heart */
    double rib_period, rib_slope;
    double oblique[2], oblique_slope[2]; /* oblique fissures: height at y = 0 and fall per mm of y */
    double horizontal;                   /* horizontal fissure of the right lung: height, mm */
    double bend[3];                      /* curvature of the three fissures, mm */
} ren__phantom_body;

typedef struct ren__phantom_lung {
    double mean;      /* HU of healthy lung in its middle */
    double gravity;   /* HU from front to back */
    double dependent; /* strength of dependent opacity, 0 to 1 */
    double emphysema; /* 0 to 1 */
    double contrast;  /* HU of blood */
} ren__phantom_lung;

typedef struct ren__phantom_disease {
    double load;                        /* 0: healthy; 1: plainly visible */
    double reticular, glass, honeycomb; /* shares of the pattern */
    double rim;                         /* thickness of the subpleural zone, mm */
    double side[2];                     /* left and right are not alike */
    int32_t basal;
} ren__phantom_disease;

typedef struct ren__phantom_scene {
    int32_t label;
    ren__phantom_body body;
    ren__phantom_lung lung;
    ren__phantom_disease disease;
    double breath; /* stretch of z */
    uint32_t seed[PHANTOM_PATTERN_SEEDS];
    uint64_t noise_key;
    /* acquisition */
    int64_t shape[3];
    double spacing[3];
    double axis[3][3];   /* unit vectors of i, j, k in RAS */
    double centre[3];    /* voxel at the trunk's axis */
    double isocentre[3]; /* anatomical mm of that voxel, z not stretched */
    double world[3];     /* where the trunk's origin lies in the scanner's RAS */
    double noise;        /* standard deviation, HU */
    double blur;         /* in-plane three-tap weight of the neighbours: the kernel */
    double sharpen;      /* share of the noise's own average taken away: the kernel's noise texture */
    int32_t circular;    /* padded with -1024 outside the circle of reconstruction */
} ren__phantom_scene;

typedef struct ren__phantom_place {
    int32_t lobe;     /* 0: no lung */
    int32_t side;     /* PHANTOM_LEFT or PHANTOM_RIGHT */
    double inside;    /* signed distance to the lung's surface, mm; positive inside the lung */
    double pleura;    /* distance to chest wall or diaphragm, mm: what "peripheral" means */
    double fissure;   /* distance to the nearest fissure, mm */
    double outer;     /* distance outside the cavity's wall, mm */
    double warped[3]; /* the point as the shapes see it: nobody is symmetrical */
    double below;     /* distance below the diaphragm, mm */
} ren__phantom_place;

/* phantom_scene.c */
ren_status ren__phantom_resolve(const ren_phantom_options *caller, ren_phantom_options *resolved);
int32_t ren__phantom_scans(const ren_phantom_options *options, int32_t patient);
void ren__phantom_scene_draw(const ren_phantom_options *options, int32_t patient, int32_t scan,
                             ren__phantom_scene *scene);
/* Anatomical position of voxel coordinates. */
void ren__phantom_position(const ren__phantom_scene *scene, double i, double j, double k, double point[3]);

/* phantom_anatomy.c, phantom_tissue.c */
void ren__phantom_locate(const ren__phantom_scene *scene, const double point[3], ren__phantom_place *place);
/* HU of what is not lung. */
double ren__phantom_tissue(const ren__phantom_scene *scene, const double point[3], const ren__phantom_place *place);
/* Not 0 far outside the body, where there is air or the couch and nothing needs locating. */
int ren__phantom_air(const ren__phantom_body *body, const double point[3], float *hu);

/* phantom_noise.c: lattice noise in [-1, 1], and cells. */
typedef struct ren__phantom_cell {
    double nearest, second; /* distances to the two nearest cell centres, mm */
    uint32_t id;            /* random number of the nearest cell */
} ren__phantom_cell;
double ren__phantom_noise(uint32_t seed, const double point[3], double period);
void ren__phantom_noise3(uint32_t seed, const double point[3], double period, double values[3]); /* three at once */
ren__phantom_cell ren__phantom_cells(uint32_t seed, const double point[3], double period);
double ren__phantom_step(double from, double to, double x); /* smooth step */
/* Four numbers of mean 0 and standard deviation 1 for one counter. */
void ren__phantom_normals(uint64_t key, uint32_t slice, uint32_t index, float values[4]);

/* phantom_disease.c */
/* Share of disease at a point of a lung: 0 healthy, 1 fully diseased; the truth counts from PHANTOM_DISEASED up. */
#define PHANTOM_DISEASED 0.25
double ren__phantom_involved(const ren__phantom_scene *scene, const double point[3], const ren__phantom_place *place);
/* HU of lung without vessels; `voxel`: size of what is averaged, mm. */
double ren__phantom_parenchyma(const ren__phantom_scene *scene, const double point[3], const ren__phantom_place *place,
                               double involved, double voxel);

/* phantom_vessels.c: a tree of arteries with bronchi beside them, and one of veins, for each lobe. */
typedef struct ren__phantom_tube {
    float from[3], to[3]; /* mm along i, j, k from voxel (0, 0, 0) */
    float radius;         /* outer, mm */
    float lumen;          /* radius of the air inside, mm; 0: a vessel */
} ren__phantom_tube;
typedef struct ren__phantom_tubes {
    ren__phantom_tube *tube;
    int32_t count, capacity;
} ren__phantom_tubes;
ren_status ren__phantom_tubes_grow(ren_context *context, const ren_phantom_options *options, int32_t patient,
                                   const ren__phantom_scene *scene, ren__phantom_tubes *tubes);
/* Draws what crosses slice k into its HU, where there is lung. */
void ren__phantom_tubes_draw(const ren__phantom_tubes *tubes, const ren__phantom_scene *scene, int64_t k,
                             const uint8_t *lobes, float *hu);

#endif
