/* next_place.cl -- place {in the stream, of the image's token, its row, its column} becomes that of the next
 * token.
 * SPDX-License-Identifier: MIT */
#include "common.clh"

#ifndef PLACE_STORE
#define PLACE_STORE STORE_I32
#endif

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void next_place(TENSOR_OUT(PLACE_STORE, place), const int side)
{
    TENSOR_BEGIN(place);
    if (get_local_id(0) != 0) return;
    const bool ends = place[3] + 1 >= side;
    place[0] += 1;
    place[1] += 1;
    place[2] += ends ? 1 : 0;
    place[3] = ends ? 0 : place[3] + 1;
}
