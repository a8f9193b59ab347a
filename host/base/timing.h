/* timing.h -- the clock that durations are measured with.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_BASE_TIMING_H
#define DALLE_CL_BASE_TIMING_H

double timing_now(void);                      /* monotonic seconds, from no particular start */
double timing_of_process(void);               /* seconds since this process began; below 0: not known */
void timing_sort(double *seconds, int count); /* ascending, so that the median stands at count / 2 */

#endif
