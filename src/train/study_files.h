/* SPDX-License-Identifier: Apache-2.0 */
/* The run folder's files: paths, folders, the log, and locks that die with their process. */
#ifndef REN_TRAIN_STUDY_FILES_H
#define REN_TRAIN_STUDY_FILES_H

#include "format/document.h"

/* "folder/name", printf-like behind the folder; the caller's (ren__free), NULL: see ren__out_of_memory(). */
char *ren__path_join(ren_context *context, const char *folder, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Makes the folder where it is missing; its parent must be there. */
ren_status ren__folder_make(const char *path);
/* Not 0 for something that can be reached under this name. */
int ren__path_exists(const char *path);
/* The path from the root on, links followed; the caller's. What is not there is REN_E_IO. */
ren_status ren__path_resolve(ren_context *context, const char *path, char **out);
/* Removes the file where there is one. */
void ren__file_remove(const char *path);

/* Appends one line, with the time before it, in one write, so that lines of several processes do not mix. A log that
 * cannot be written is no reason to stop a study: failures are passed over. */
void ren__log_append(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How long to wait for a process that is at work in the same folder: it may just have been killed. */
#define REN__LOCK_PATIENCE 20.0

/* Locks a folder against other processes until ren__folder_unlock or the end of this one, however it ends. Waits for
 * `patience` seconds: a process that was killed may take a while to die. Then REN_E_STATE; `run` (nullable) may end the
 * wait earlier. */
ren_status ren__folder_lock(const char *path, double patience, ren__run *run, int *lock);
void ren__folder_unlock(int lock); /* negative: nothing */

/* A tree as indented JSON, atomically. */
ren_status ren__json_file_write(ren_context *context, const char *path, const json_t *tree);

/* For trees that are built: takes over `value`, which may be NULL (no memory); REN_E_MEMORY where it did not work. */
ren_status ren__json_set(json_t *object, const char *key, json_t *value);
ren_status ren__json_append(json_t *list, json_t *value);
ren_status ren__json_checked(const json_t *value); /* REN_E_MEMORY for NULL */
/* A number; null for NaN and infinities, which JSON lacks. */
json_t *ren__json_real(double value);

#endif
