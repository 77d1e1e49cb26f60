/* SPDX-License-Identifier: Apache-2.0 */
/* The stored filters, and the table of all wavelets.
 * Numbers from PyWavelets (MIT licence, see NOTICE), written by tests/conformance/pyradiomics/make_wavelets.py. */
#ifndef REN_RADIOMICS_WAVELET_FILTERS_H
#define REN_RADIOMICS_WAVELET_FILTERS_H

/* clang-format off */
extern const double ren__wavelet_db1[2];
extern const double ren__wavelet_db2[4];
extern const double ren__wavelet_db3[6];
extern const double ren__wavelet_db4[8];
extern const double ren__wavelet_db5[10];
extern const double ren__wavelet_db6[12];
extern const double ren__wavelet_db7[14];
extern const double ren__wavelet_db8[16];
extern const double ren__wavelet_db9[18];
extern const double ren__wavelet_db10[20];
extern const double ren__wavelet_db11[22];
extern const double ren__wavelet_db12[24];
extern const double ren__wavelet_db13[26];
extern const double ren__wavelet_db14[28];
extern const double ren__wavelet_db15[30];
extern const double ren__wavelet_db16[32];
extern const double ren__wavelet_db17[34];
extern const double ren__wavelet_db18[36];
extern const double ren__wavelet_db19[38];
extern const double ren__wavelet_db20[40];
extern const double ren__wavelet_db21[42];
extern const double ren__wavelet_db22[44];
extern const double ren__wavelet_db23[46];
extern const double ren__wavelet_db24[48];
extern const double ren__wavelet_db25[50];
extern const double ren__wavelet_db26[52];
extern const double ren__wavelet_db27[54];
extern const double ren__wavelet_db28[56];
extern const double ren__wavelet_db29[58];
extern const double ren__wavelet_db30[60];
extern const double ren__wavelet_db31[62];
extern const double ren__wavelet_db32[64];
extern const double ren__wavelet_db33[66];
extern const double ren__wavelet_db34[68];
extern const double ren__wavelet_db35[70];
extern const double ren__wavelet_db36[72];
extern const double ren__wavelet_db37[74];
extern const double ren__wavelet_db38[76];
extern const double ren__wavelet_coif1[6];
extern const double ren__wavelet_coif2[12];
extern const double ren__wavelet_coif3[18];
extern const double ren__wavelet_coif4[24];
extern const double ren__wavelet_coif5[30];
extern const double ren__wavelet_coif6[36];
extern const double ren__wavelet_coif7[42];
extern const double ren__wavelet_coif8[48];
extern const double ren__wavelet_coif9[54];
extern const double ren__wavelet_coif10[60];
extern const double ren__wavelet_coif11[66];
extern const double ren__wavelet_coif12[72];
extern const double ren__wavelet_coif13[78];
extern const double ren__wavelet_coif14[84];
extern const double ren__wavelet_coif15[90];
extern const double ren__wavelet_coif16[96];
extern const double ren__wavelet_coif17[102];
extern const double ren__wavelet_sym2[4];
extern const double ren__wavelet_sym3[6];
extern const double ren__wavelet_sym4[8];
extern const double ren__wavelet_sym5[10];
extern const double ren__wavelet_sym6[12];
extern const double ren__wavelet_sym7[14];
extern const double ren__wavelet_sym8[16];
extern const double ren__wavelet_sym9[18];
extern const double ren__wavelet_sym10[20];
extern const double ren__wavelet_sym11[22];
extern const double ren__wavelet_sym12[24];
extern const double ren__wavelet_sym13[26];
extern const double ren__wavelet_sym14[28];
extern const double ren__wavelet_sym15[30];
extern const double ren__wavelet_sym16[32];
extern const double ren__wavelet_sym17[34];
extern const double ren__wavelet_sym18[36];
extern const double ren__wavelet_sym19[38];
extern const double ren__wavelet_sym20[40];
extern const double ren__wavelet_dmey[62];
extern const double ren__wavelet_bior1_1[2];
extern const double ren__wavelet_bior1_1_back[2];
extern const double ren__wavelet_bior1_3[6];
extern const double ren__wavelet_bior1_3_back[6];
extern const double ren__wavelet_bior1_5[10];
extern const double ren__wavelet_bior1_5_back[10];
extern const double ren__wavelet_bior2_2[6];
extern const double ren__wavelet_bior2_2_back[6];
extern const double ren__wavelet_bior2_4[10];
extern const double ren__wavelet_bior2_4_back[10];
extern const double ren__wavelet_bior2_6[14];
extern const double ren__wavelet_bior2_6_back[14];
extern const double ren__wavelet_bior2_8[18];
extern const double ren__wavelet_bior2_8_back[18];
extern const double ren__wavelet_bior3_1[4];
extern const double ren__wavelet_bior3_1_back[4];
extern const double ren__wavelet_bior3_3[8];
extern const double ren__wavelet_bior3_3_back[8];
extern const double ren__wavelet_bior3_5[12];
extern const double ren__wavelet_bior3_5_back[12];
extern const double ren__wavelet_bior3_7[16];
extern const double ren__wavelet_bior3_7_back[16];
extern const double ren__wavelet_bior3_9[20];
extern const double ren__wavelet_bior3_9_back[20];
extern const double ren__wavelet_bior4_4[10];
extern const double ren__wavelet_bior4_4_back[10];
extern const double ren__wavelet_bior5_5[12];
extern const double ren__wavelet_bior5_5_back[12];
extern const double ren__wavelet_bior6_8[18];
extern const double ren__wavelet_bior6_8_back[18];

/* X(name, taps, low, back, kind) for each wavelet. */
#define REN__WAVELETS(X) \
    X("coif1", 6, ren__wavelet_coif1, ren__wavelet_coif1, REN__WAVELET_ORTHOGONAL) \
    X("coif2", 12, ren__wavelet_coif2, ren__wavelet_coif2, REN__WAVELET_ORTHOGONAL) \
    X("coif3", 18, ren__wavelet_coif3, ren__wavelet_coif3, REN__WAVELET_ORTHOGONAL) \
    X("coif4", 24, ren__wavelet_coif4, ren__wavelet_coif4, REN__WAVELET_ORTHOGONAL) \
    X("coif5", 30, ren__wavelet_coif5, ren__wavelet_coif5, REN__WAVELET_ORTHOGONAL) \
    X("coif6", 36, ren__wavelet_coif6, ren__wavelet_coif6, REN__WAVELET_ORTHOGONAL) \
    X("coif7", 42, ren__wavelet_coif7, ren__wavelet_coif7, REN__WAVELET_ORTHOGONAL) \
    X("coif8", 48, ren__wavelet_coif8, ren__wavelet_coif8, REN__WAVELET_ORTHOGONAL) \
    X("coif9", 54, ren__wavelet_coif9, ren__wavelet_coif9, REN__WAVELET_ORTHOGONAL) \
    X("coif10", 60, ren__wavelet_coif10, ren__wavelet_coif10, REN__WAVELET_ORTHOGONAL) \
    X("coif11", 66, ren__wavelet_coif11, ren__wavelet_coif11, REN__WAVELET_ORTHOGONAL) \
    X("coif12", 72, ren__wavelet_coif12, ren__wavelet_coif12, REN__WAVELET_ORTHOGONAL) \
    X("coif13", 78, ren__wavelet_coif13, ren__wavelet_coif13, REN__WAVELET_ORTHOGONAL) \
    X("coif14", 84, ren__wavelet_coif14, ren__wavelet_coif14, REN__WAVELET_ORTHOGONAL) \
    X("coif15", 90, ren__wavelet_coif15, ren__wavelet_coif15, REN__WAVELET_ORTHOGONAL) \
    X("coif16", 96, ren__wavelet_coif16, ren__wavelet_coif16, REN__WAVELET_ORTHOGONAL) \
    X("coif17", 102, ren__wavelet_coif17, ren__wavelet_coif17, REN__WAVELET_ORTHOGONAL) \
    X("db1", 2, ren__wavelet_db1, ren__wavelet_db1, REN__WAVELET_ORTHOGONAL) \
    X("db2", 4, ren__wavelet_db2, ren__wavelet_db2, REN__WAVELET_ORTHOGONAL) \
    X("db3", 6, ren__wavelet_db3, ren__wavelet_db3, REN__WAVELET_ORTHOGONAL) \
    X("db4", 8, ren__wavelet_db4, ren__wavelet_db4, REN__WAVELET_ORTHOGONAL) \
    X("db5", 10, ren__wavelet_db5, ren__wavelet_db5, REN__WAVELET_ORTHOGONAL) \
    X("db6", 12, ren__wavelet_db6, ren__wavelet_db6, REN__WAVELET_ORTHOGONAL) \
    X("db7", 14, ren__wavelet_db7, ren__wavelet_db7, REN__WAVELET_ORTHOGONAL) \
    X("db8", 16, ren__wavelet_db8, ren__wavelet_db8, REN__WAVELET_ORTHOGONAL) \
    X("db9", 18, ren__wavelet_db9, ren__wavelet_db9, REN__WAVELET_ORTHOGONAL) \
    X("db10", 20, ren__wavelet_db10, ren__wavelet_db10, REN__WAVELET_ORTHOGONAL) \
    X("db11", 22, ren__wavelet_db11, ren__wavelet_db11, REN__WAVELET_ORTHOGONAL) \
    X("db12", 24, ren__wavelet_db12, ren__wavelet_db12, REN__WAVELET_ORTHOGONAL) \
    X("db13", 26, ren__wavelet_db13, ren__wavelet_db13, REN__WAVELET_ORTHOGONAL) \
    X("db14", 28, ren__wavelet_db14, ren__wavelet_db14, REN__WAVELET_ORTHOGONAL) \
    X("db15", 30, ren__wavelet_db15, ren__wavelet_db15, REN__WAVELET_ORTHOGONAL) \
    X("db16", 32, ren__wavelet_db16, ren__wavelet_db16, REN__WAVELET_ORTHOGONAL) \
    X("db17", 34, ren__wavelet_db17, ren__wavelet_db17, REN__WAVELET_ORTHOGONAL) \
    X("db18", 36, ren__wavelet_db18, ren__wavelet_db18, REN__WAVELET_ORTHOGONAL) \
    X("db19", 38, ren__wavelet_db19, ren__wavelet_db19, REN__WAVELET_ORTHOGONAL) \
    X("db20", 40, ren__wavelet_db20, ren__wavelet_db20, REN__WAVELET_ORTHOGONAL) \
    X("db21", 42, ren__wavelet_db21, ren__wavelet_db21, REN__WAVELET_ORTHOGONAL) \
    X("db22", 44, ren__wavelet_db22, ren__wavelet_db22, REN__WAVELET_ORTHOGONAL) \
    X("db23", 46, ren__wavelet_db23, ren__wavelet_db23, REN__WAVELET_ORTHOGONAL) \
    X("db24", 48, ren__wavelet_db24, ren__wavelet_db24, REN__WAVELET_ORTHOGONAL) \
    X("db25", 50, ren__wavelet_db25, ren__wavelet_db25, REN__WAVELET_ORTHOGONAL) \
    X("db26", 52, ren__wavelet_db26, ren__wavelet_db26, REN__WAVELET_ORTHOGONAL) \
    X("db27", 54, ren__wavelet_db27, ren__wavelet_db27, REN__WAVELET_ORTHOGONAL) \
    X("db28", 56, ren__wavelet_db28, ren__wavelet_db28, REN__WAVELET_ORTHOGONAL) \
    X("db29", 58, ren__wavelet_db29, ren__wavelet_db29, REN__WAVELET_ORTHOGONAL) \
    X("db30", 60, ren__wavelet_db30, ren__wavelet_db30, REN__WAVELET_ORTHOGONAL) \
    X("db31", 62, ren__wavelet_db31, ren__wavelet_db31, REN__WAVELET_ORTHOGONAL) \
    X("db32", 64, ren__wavelet_db32, ren__wavelet_db32, REN__WAVELET_ORTHOGONAL) \
    X("db33", 66, ren__wavelet_db33, ren__wavelet_db33, REN__WAVELET_ORTHOGONAL) \
    X("db34", 68, ren__wavelet_db34, ren__wavelet_db34, REN__WAVELET_ORTHOGONAL) \
    X("db35", 70, ren__wavelet_db35, ren__wavelet_db35, REN__WAVELET_ORTHOGONAL) \
    X("db36", 72, ren__wavelet_db36, ren__wavelet_db36, REN__WAVELET_ORTHOGONAL) \
    X("db37", 74, ren__wavelet_db37, ren__wavelet_db37, REN__WAVELET_ORTHOGONAL) \
    X("db38", 76, ren__wavelet_db38, ren__wavelet_db38, REN__WAVELET_ORTHOGONAL) \
    X("dmey", 62, ren__wavelet_dmey, ren__wavelet_dmey, REN__WAVELET_ORTHOGONAL) \
    X("haar", 2, ren__wavelet_db1, ren__wavelet_db1, REN__WAVELET_ORTHOGONAL) \
    X("sym2", 4, ren__wavelet_sym2, ren__wavelet_sym2, REN__WAVELET_ORTHOGONAL) \
    X("sym3", 6, ren__wavelet_sym3, ren__wavelet_sym3, REN__WAVELET_ORTHOGONAL) \
    X("sym4", 8, ren__wavelet_sym4, ren__wavelet_sym4, REN__WAVELET_ORTHOGONAL) \
    X("sym5", 10, ren__wavelet_sym5, ren__wavelet_sym5, REN__WAVELET_ORTHOGONAL) \
    X("sym6", 12, ren__wavelet_sym6, ren__wavelet_sym6, REN__WAVELET_ORTHOGONAL) \
    X("sym7", 14, ren__wavelet_sym7, ren__wavelet_sym7, REN__WAVELET_ORTHOGONAL) \
    X("sym8", 16, ren__wavelet_sym8, ren__wavelet_sym8, REN__WAVELET_ORTHOGONAL) \
    X("sym9", 18, ren__wavelet_sym9, ren__wavelet_sym9, REN__WAVELET_ORTHOGONAL) \
    X("sym10", 20, ren__wavelet_sym10, ren__wavelet_sym10, REN__WAVELET_ORTHOGONAL) \
    X("sym11", 22, ren__wavelet_sym11, ren__wavelet_sym11, REN__WAVELET_ORTHOGONAL) \
    X("sym12", 24, ren__wavelet_sym12, ren__wavelet_sym12, REN__WAVELET_ORTHOGONAL) \
    X("sym13", 26, ren__wavelet_sym13, ren__wavelet_sym13, REN__WAVELET_ORTHOGONAL) \
    X("sym14", 28, ren__wavelet_sym14, ren__wavelet_sym14, REN__WAVELET_ORTHOGONAL) \
    X("sym15", 30, ren__wavelet_sym15, ren__wavelet_sym15, REN__WAVELET_ORTHOGONAL) \
    X("sym16", 32, ren__wavelet_sym16, ren__wavelet_sym16, REN__WAVELET_ORTHOGONAL) \
    X("sym17", 34, ren__wavelet_sym17, ren__wavelet_sym17, REN__WAVELET_ORTHOGONAL) \
    X("sym18", 36, ren__wavelet_sym18, ren__wavelet_sym18, REN__WAVELET_ORTHOGONAL) \
    X("sym19", 38, ren__wavelet_sym19, ren__wavelet_sym19, REN__WAVELET_ORTHOGONAL) \
    X("sym20", 40, ren__wavelet_sym20, ren__wavelet_sym20, REN__WAVELET_ORTHOGONAL) \
    X("bior1.1", 2, ren__wavelet_bior1_1, ren__wavelet_bior1_1_back, REN__WAVELET_PAIR) \
    X("rbio1.1", 2, ren__wavelet_bior1_1_back, ren__wavelet_bior1_1, REN__WAVELET_REVERSED) \
    X("bior1.3", 6, ren__wavelet_bior1_3, ren__wavelet_bior1_3_back, REN__WAVELET_PAIR) \
    X("rbio1.3", 6, ren__wavelet_bior1_3_back, ren__wavelet_bior1_3, REN__WAVELET_REVERSED) \
    X("bior1.5", 10, ren__wavelet_bior1_5, ren__wavelet_bior1_5_back, REN__WAVELET_PAIR) \
    X("rbio1.5", 10, ren__wavelet_bior1_5_back, ren__wavelet_bior1_5, REN__WAVELET_REVERSED) \
    X("bior2.2", 6, ren__wavelet_bior2_2, ren__wavelet_bior2_2_back, REN__WAVELET_PAIR) \
    X("rbio2.2", 6, ren__wavelet_bior2_2_back, ren__wavelet_bior2_2, REN__WAVELET_REVERSED) \
    X("bior2.4", 10, ren__wavelet_bior2_4, ren__wavelet_bior2_4_back, REN__WAVELET_PAIR) \
    X("rbio2.4", 10, ren__wavelet_bior2_4_back, ren__wavelet_bior2_4, REN__WAVELET_REVERSED) \
    X("bior2.6", 14, ren__wavelet_bior2_6, ren__wavelet_bior2_6_back, REN__WAVELET_PAIR) \
    X("rbio2.6", 14, ren__wavelet_bior2_6_back, ren__wavelet_bior2_6, REN__WAVELET_REVERSED) \
    X("bior2.8", 18, ren__wavelet_bior2_8, ren__wavelet_bior2_8_back, REN__WAVELET_PAIR) \
    X("rbio2.8", 18, ren__wavelet_bior2_8_back, ren__wavelet_bior2_8, REN__WAVELET_REVERSED) \
    X("bior3.1", 4, ren__wavelet_bior3_1, ren__wavelet_bior3_1_back, REN__WAVELET_PAIR) \
    X("rbio3.1", 4, ren__wavelet_bior3_1_back, ren__wavelet_bior3_1, REN__WAVELET_REVERSED) \
    X("bior3.3", 8, ren__wavelet_bior3_3, ren__wavelet_bior3_3_back, REN__WAVELET_PAIR) \
    X("rbio3.3", 8, ren__wavelet_bior3_3_back, ren__wavelet_bior3_3, REN__WAVELET_REVERSED) \
    X("bior3.5", 12, ren__wavelet_bior3_5, ren__wavelet_bior3_5_back, REN__WAVELET_PAIR) \
    X("rbio3.5", 12, ren__wavelet_bior3_5_back, ren__wavelet_bior3_5, REN__WAVELET_REVERSED) \
    X("bior3.7", 16, ren__wavelet_bior3_7, ren__wavelet_bior3_7_back, REN__WAVELET_PAIR) \
    X("rbio3.7", 16, ren__wavelet_bior3_7_back, ren__wavelet_bior3_7, REN__WAVELET_REVERSED) \
    X("bior3.9", 20, ren__wavelet_bior3_9, ren__wavelet_bior3_9_back, REN__WAVELET_PAIR) \
    X("rbio3.9", 20, ren__wavelet_bior3_9_back, ren__wavelet_bior3_9, REN__WAVELET_REVERSED) \
    X("bior4.4", 10, ren__wavelet_bior4_4, ren__wavelet_bior4_4_back, REN__WAVELET_PAIR) \
    X("rbio4.4", 10, ren__wavelet_bior4_4_back, ren__wavelet_bior4_4, REN__WAVELET_REVERSED) \
    X("bior5.5", 12, ren__wavelet_bior5_5, ren__wavelet_bior5_5_back, REN__WAVELET_PAIR) \
    X("rbio5.5", 12, ren__wavelet_bior5_5_back, ren__wavelet_bior5_5, REN__WAVELET_REVERSED) \
    X("bior6.8", 18, ren__wavelet_bior6_8, ren__wavelet_bior6_8_back, REN__WAVELET_PAIR) \
    X("rbio6.8", 18, ren__wavelet_bior6_8_back, ren__wavelet_bior6_8, REN__WAVELET_REVERSED)
/* clang-format on */

#endif
