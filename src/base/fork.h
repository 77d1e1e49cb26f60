/* SPDX-License-Identifier: Apache-2.0 */
/* After fork the child's thread pool is dead. What is known of it. */
#ifndef REN_BASE_FORK_H
#define REN_BASE_FORK_H

int ren__fork_guard(void);      /* installs the handler once; 0 where that failed */
void ren__fork_pool_used(void); /* before the first parallel region */
int ren__fork_pool_dead(void);

#endif
