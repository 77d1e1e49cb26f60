/* SPDX-License-Identifier: Apache-2.0 */
/* Values as Python prints them: tables that are compared with PyRadiomics' are compared as text, too. */
#ifndef REN_RADIOMICS_PYTHON_TEXT_H
#define REN_RADIOMICS_PYTHON_TEXT_H

#include <jansson.h>

#include "base/text.h"

/* repr() of a float: the shortest digits that read back equal; "nan", "inf", "-inf". */
void ren__python_number(ren_text *text, double value);
/* repr() of a tuple of floats: "(0.78125, 0.78125, 6.5)". */
void ren__python_numbers(ren_text *text, const double *values, int32_t count);
void ren__python_integers(ren_text *text, const int64_t *values, int32_t count);
/* repr() of what json.loads() gives: {'binWidth': 25, 'normalize': False, 'label': None}. */
void ren__python_value(ren_text *text, const json_t *value);

#endif
