/* timing.h -- the clock that durations are measured with.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_BASE_TIMING_H
#define DALLE_CL_BASE_TIMING_H

double timing_now(void);                      /* monotonic seconds, from no particular start */
void timing_sort(double *seconds, int count); /* ascending, so that the median stands at count / 2 */

#endif
